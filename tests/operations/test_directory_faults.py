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
NEAR = ("rename", "delete to trash", "purge", "restore", "chain A→B→C", "two orders in a batch")
FAR = ("to another device", "from another device")
SHIFT = int(os.environ.get("MODOBOA_SWEEP_SHIFT", datetime.now(UTC).toordinal()))


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


@pytest.mark.parametrize("half", [NEAR[::2], NEAR[1::2]])
def test_who_is_killed_at_a_call_to_the_system_loses_nothing(half: tuple[str, ...]) -> None:
    code, output = sweep(*scenes(half), "--no-errors", "--every", "5", "--shift", str(SHIFT))
    assert code == 0, output


@pytest.mark.parametrize(
    ("names", "every"), [(NEAR, "40"), (FAR, "60")], ids=["on one device", "between devices"]
)
def test_who_is_refused_or_killed_at_a_call_to_the_system_loses_nothing(
    names: tuple[str, ...], every: str
) -> None:
    code, output = sweep(*scenes(names), "--every", every, "--shift", str(SHIFT))
    assert code == 0, output


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
