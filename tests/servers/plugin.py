"""pytest plugin: `--engine` starts a private database server and points DATABASE_URL to it.

Load it with `-p tests.servers.plugin` (in addopts), not from a conftest.py: the server must be up before
pytest-django reads the settings. A DATABASE_URL of the caller is never used: tests drop tables.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .database import Database, Engine, database_from_url
from .engines import private_server
from .packages import obstacle
from .processes import end_leftovers, short_directory

resources = ExitStack()


def is_worker() -> bool:
    """In an xdist worker: the controller has started the server, and its environment is inherited."""
    return "PYTEST_XDIST_WORKER" in os.environ


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("servers", "private servers")
    group.addoption("--every-dovecot", action="store_true", help="both versions of Dovecot on every engine")
    group.addoption(
        "--engine",
        choices=[str(engine) for engine in Engine],
        default=str(Engine.SQLITE),
        help="the database engine to test with; a private server is started (default: sqlite)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    options = early_config.known_args_namespace
    if is_worker() or options.help or options.version:
        return
    engine = Engine(options.engine)
    reason = obstacle(*engine.packages)
    if reason is not None:
        message = f"--engine={engine}: {reason}"
        raise pytest.UsageError(message)
    end_leftovers()
    atexit.register(resources.close)  # should pytest fail before it is configured
    directory = resources.enter_context(short_directory())
    database = resources.enter_context(private_server(engine, directory))
    os.environ["DATABASE_URL"] = database.url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked ``any_engine`` run with the default engine: their rules know no database."""
    if config.getoption("engine") == Engine.SQLITE:
        return
    once = [item for item in items if item.get_closest_marker("any_engine")]
    items[:] = [item for item in items if not item.get_closest_marker("any_engine")]
    config.hook.pytest_deselected(items=once)


def pytest_report_header(config: pytest.Config) -> str:
    return f"engine: {config.getoption('engine')}"


def pytest_unconfigure() -> None:
    resources.close()


@pytest.fixture(scope="session")
def engine_database() -> Database:
    """A database for this process alone, apart from the one that pytest-django creates for its tests."""
    database = database_from_url(os.environ["DATABASE_URL"])
    return database.sibling(f"plain_{os.environ['PYTEST_XDIST_WORKER']}") if is_worker() else database


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A short directory that mail servers may enter, which they may not with tmp_path."""
    with short_directory() as directory:
        yield directory
