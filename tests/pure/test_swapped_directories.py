"""Whoever swaps directories for links while the command works reaches nothing outside: 100 rounds here.

MODOBOA_TEST_ROUNDS=1000 for more.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from admin.gateways.mail_root import Different, MailRoot, initialize

ROUNDS = int(os.environ.get("MODOBOA_TEST_ROUNDS", "100"))
SECRET = "of somebody else"
# Puts a link to the sentinel where a directory is, and the directory back, as fast as it can.
ATTACKER = """
import contextlib, os, random, sys
top, sentinel = sys.argv[1:]
victims = [os.path.join(top, each) for each in ("d/box", "d/box/cur", "d/box/.Sent", "d/box/.Sent/cur", "d", "e")]
print("ready", flush=True)
while True:
    victim = random.choice(victims)
    with contextlib.suppress(OSError):
        os.rename(victim, victim + ".hidden")
        os.symlink(sentinel, victim)
    with contextlib.suppress(OSError):
        os.unlink(victim)
    with contextlib.suppress(OSError):
        os.rename(victim + ".hidden", victim)
"""

Work = Callable[[MailRoot], object]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    root = tmp_path / "vmail"
    root.mkdir()
    initialize(str(root))
    return root


@pytest.fixture
def sentinel(tmp_path: Path) -> Path:
    """As a mailbox, so that all names that lead into it exist."""
    path = tmp_path / "sentinel"
    fill(path, SECRET)
    fill(path / "box", SECRET)
    return path


def fill(path: Path, text: str = "mail") -> None:
    for part in ("cur", ".Sent/cur"):
        (path / part).mkdir(parents=True)
        for number in range(5):
            (path / part / str(number)).write_text(text)


def tree(path: Path) -> list[tuple[str, str]]:
    return sorted(
        (str(each.relative_to(path)), each.read_text() if each.is_file() else "") for each in path.rglob("*")
    )


@contextmanager
def attacked(root: Path, sentinel: Path) -> Iterator[int]:
    command = [sys.executable, "-c", ATTACKER, str(root), str(sentinel)]
    attacker = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  ours
    assert attacker.stdout is not None
    attacker.stdout.readline()
    try:
        yield attacker.pid
    finally:
        attacker.kill()
        attacker.communicate()


@contextmanager
def quiet(attacker: int) -> Iterator[None]:
    """What the test itself does goes by names."""
    os.kill(attacker, signal.SIGSTOP)
    os.waitid(os.P_PID, attacker, os.WSTOPPED)
    yield
    os.kill(attacker, signal.SIGCONT)


def rounds(root: Path, sentinel: Path, work: Work, number: int = ROUNDS) -> tuple[int, set[str]]:
    """How often *work* succeeded, and what can be read below the root afterwards."""
    successes, seen = 0, set()
    with attacked(root, sentinel) as attacker:
        for _round in range(number):
            with quiet(attacker):
                shutil.rmtree(root)
                (root / "e").mkdir(parents=True)
                initialize(str(root))
                fill(root / "d" / "box")
            with MailRoot(str(root)) as opened, suppress(OSError, Different):
                work(opened)
                successes += 1
            with quiet(attacker):
                files = (
                    Path(directory, name) for directory, _names, names in os.walk(root) for name in names
                )
                seen |= {file.read_text() for file in files if not file.is_symlink()}
    return successes, seen


def purge(root: MailRoot) -> None:
    root.purge("d/box")


def move(root: MailRoot) -> None:
    with root.batch() as work:
        work.lock("d/box")
        work.move("d/box", "e/box")
        assert not work.make_durable()


def copy(root: MailRoot) -> None:
    with root.batch() as work:
        work.copy("d/box", "e/box", "e/.moving-1")


def delete_by_name(root: MailRoot) -> None:
    """How one must not do it."""
    for directory, _directories, names in os.walk(f"{root.path}/d/box", topdown=False):
        for name in names:
            Path(directory, name).unlink()


@pytest.mark.parametrize("work", [purge, move, copy])
def test_what_a_link_leads_to_is_neither_touched_nor_read(top: Path, sentinel: Path, work: Work) -> None:
    before = tree(sentinel)
    successes, seen = rounds(top, sentinel, work)
    assert tree(sentinel) == before
    assert SECRET not in seen
    assert successes, "the attacker was always faster: nothing was shown"


def test_the_attacker_does_reach_what_goes_by_names(top: Path, sentinel: Path) -> None:
    before = tree(sentinel)
    for _try in range(100):
        rounds(top, sentinel, delete_by_name, 20)
        if tree(sentinel) != before:
            return
    pytest.fail("the attacker harms nobody")
