"""A few of the faults of tests/sweep, others every day; and that a sweep finds what is broken.

The whole sweep is bin/sweep-directories, its result is in docs/reliability.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.packages import give_up, require_servers

TOP = Path(__file__).resolve().parents[2]
NEAR = (
    *("rename", "delete to trash", "purge", "restore"),
    *("chain A→B→C", "two orders in a batch", "rename, delete, create again"),
)
FAR = ("to another device", "from another device", "delete on another device", "restore to another device")
# What is on disk is the same whatever the engine: there, what was sent to the server counts.
ON_SERVERS = ("rename", "delete to trash", "restore")
SHIFT = os.environ.get("MODOBOA_SWEEP_SHIFT", str(datetime.now(UTC).toordinal()))


@pytest.fixture
def engine(pytestconfig: pytest.Config) -> str:
    """As the tests were told. Each sweep has a server of its own."""
    return str(pytestconfig.getoption("engine"))


@pytest.fixture
def sqlite_only(engine: str) -> None:
    """It would be the same once more."""
    if engine != "sqlite":
        pytest.skip("the disk is the same with every engine")


def sweep(*options: str) -> tuple[int, str]:
    """Exit code and output."""
    require_servers("strace")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    answer = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-m", "tests.sweep", *options],
        cwd=TOP,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "mounting is not allowed" in answer.stdout:
        give_up("only root can mount a second file system")
    return answer.returncode, answer.stdout


def scenes(names: tuple[str, ...]) -> list[str]:
    return [word for name in names for word in ("--scene", name)]


@pytest.mark.usefixtures("sqlite_only")
@pytest.mark.parametrize("half", [NEAR[::2], NEAR[1::2]], ids=["one half", "other half"])
def test_who_is_killed_at_a_call_to_the_system_loses_nothing(half: tuple[str, ...]) -> None:
    code, output = sweep(*scenes(half), "--no-errors", "--every", "5", "--shift", SHIFT)
    assert code == 0, output


@pytest.mark.usefixtures("sqlite_only")
@pytest.mark.parametrize(
    ("names", "every"), [(NEAR, "200"), (FAR, "250")], ids=["on one device", "between devices"]
)
def test_who_is_refused_or_killed_at_a_call_to_the_system_loses_nothing(
    names: tuple[str, ...], every: str
) -> None:
    code, output = sweep(*scenes(names), "--every", every, "--shift", SHIFT)
    assert code == 0, output


def test_who_is_killed_while_he_talks_to_a_server_loses_nothing(engine: str) -> None:
    if engine == "sqlite":
        pytest.skip("no server")
    options = ("--engine", engine, "--no-errors", "--every", "25", "--shift", SHIFT)
    code, output = sweep(*scenes(ON_SERVERS), *options)
    assert code == 0, output


@pytest.mark.usefixtures("sqlite_only")
@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ("done-before-moved", "I4 order 1 is done, but a@near.example cur is not in near.example/b"),
        ("not-durable", "not durable when the database was told"),
    ],
)
def test_a_sweep_finds_a_runner_that_is_broken(broken: str, found: str) -> None:
    code, output = sweep("--scene", "rename", "--call", "renameat2", "--no-errors", "--broken", broken)
    assert code == 1
    assert found in output
