"""Real mail servers beside a panel whose database is committed: other processes read it.

Nothing is rolled back. Each test has a domain name of its own, and the tables are emptied at the end.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from tests.cast import first_super_admin
from tests.mail.generated import VERSIONS, generate
from tests.mail.panel import FEW_ROUNDS, Panel
from tests.servers.database import Database, Engine, database_from_url
from tests.servers.packages import require_servers
from tests.servers.processes import short_directory
from tests.servers.stack import MailStack

HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After all other tests: those expect an empty database, and roll back what they write.

    On SQLite a test meets both versions of Dovecot; of the other engines each file of tests has one version with
    PostgreSQL, the other one with MariaDB. ``--every-dovecot`` has both with all.
    """
    items.sort(key=lambda item: item.path.parent == HERE)
    engine = Engine(config.getoption("--engine"))
    if engine is Engine.SQLITE or config.getoption("--every-dovecot"):
        return
    left_out = [item for item in items if item.path.parent == HERE and _is_left_out(item, engine)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_left_out(item: pytest.Item, engine: Engine) -> bool:
    words = getattr(getattr(item, "callspec", None), "id", "").split("-")
    tossed = (zlib.crc32(item.path.name.encode()) & 1) ^ (engine is Engine.MARIADB)
    return ("2.3", "2.4")[tossed] in words


@pytest.fixture(scope="session")
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """The database of the tests, as mail servers reach it; Django may use it as long as this fixture lives."""
    del django_db_setup  # must be there, says nothing
    plain = database_from_url(os.environ["DATABASE_URL"])
    if plain.engine is Engine.SQLITE:
        require_servers("sqlite3")
    with django_db_blocker.unblock(), committed_database(plain) as made:
        made.share_with_servers()
        yield made
        call_command("flush", interactive=False, verbosity=0)


@contextmanager
def committed_database(plain: Database) -> Iterator[Database]:
    """That of pytest-django, which makes none when no test asks for its own fixtures; then one of the same kind."""
    made = []
    if connection.settings_dict["NAME"] == plain.name:
        made = setup_databases(verbosity=0, interactive=False)
    try:
        yield replace(plain, name=str(connection.settings_dict["NAME"]))
    finally:
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def panel(database: Database) -> Panel:
    """Root's session in a browser. Hashes that it makes cost little, where a test does not say otherwise."""
    del database  # must be there, says nothing here
    panel = Panel(first_super_admin())
    panel.set_parameter("rounds_number", FEW_ROUNDS)
    return panel


@pytest.fixture(scope="session")
def ground(database: Database) -> Iterator[Path]:
    """A directory with the generated files of each version of Dovecot, and room for mail in "mail"."""
    driver = database.engine.mail_driver
    require_servers("postfix", f"postfix-{driver}", "dovecot", f"dovecot-{driver}")
    with short_directory() as directory:
        for version in VERSIONS:
            generate(directory / version, version, directory / "mail", database.url)
        yield directory


def mail_stack(
    database: Database, ground: Path, version: str, generated: Path | None = None, **options: Any
) -> MailStack:
    """Servers with the files in *ground*, or with those *generated* elsewhere."""
    sqlite = database.engine is Engine.SQLITE
    return MailStack(
        generated=generated or ground / version,
        driver=database.engine.mail_driver,
        mail_root=ground / "mail",
        version=version,
        visible=[Path(database.name).parent] if sqlite else [],
        **options,
    )


@pytest.fixture(scope="session")
def stack(database: Database, ground: Path) -> Iterator[MailStack]:
    """Postfix and Dovecot 2.3 with the generated files."""
    with mail_stack(database, ground, "2.3") as running:
        yield running


@pytest.fixture(scope="session")
def stack_24(database: Database, ground: Path) -> Iterator[MailStack]:
    """Postfix and Dovecot 2.4 with the generated files."""
    with mail_stack(database, ground, "2.4") as running:
        yield running


@pytest.fixture(params=["stack", "stack_24"], ids=["2.3", "2.4"])
def each_stack(request: pytest.FixtureRequest) -> MailStack:
    """The test runs with both versions of Dovecot, one after the other."""
    running = request.getfixturevalue(request.param)
    assert isinstance(running, MailStack)
    return running
