"""Work that no answer waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from threading import Event, get_ident

import pytest

from core import background

_seen: ContextVar[str] = ContextVar("seen", default="nothing")


@pytest.fixture
def gate() -> Iterator[Event]:
    """Work that waits for it goes on when it is set, at the end of the test at the latest."""
    event = Event()
    yield event
    event.set()


def test_the_caller_goes_on_while_the_work_waits(gate: Event) -> None:
    assert background.later(gate.wait, 20)
    assert not background.wait_until_idle(0.05)
    gate.set()
    assert background.wait_until_idle(20)


def test_work_runs_in_another_thread_and_sees_nothing_of_the_caller_or_of_earlier_work() -> None:
    threads, seen = [], []

    def work() -> None:
        threads.append(get_ident())
        seen.append(_seen.get())
        _seen.set("what earlier work saw")

    _seen.set("what the caller saw")
    for _time in range(6):
        assert background.later(work)
    assert background.wait_until_idle(20)
    assert get_ident() not in threads
    assert seen == ["nothing"] * 6


def test_work_that_fails_is_logged_and_the_next_is_done() -> None:
    done = Event()

    def fail() -> None:
        msg = "on purpose"
        raise ValueError(msg)

    assert background.later(fail)
    assert background.later(done.set)
    assert background.wait_until_idle(20)
    assert done.is_set()


def test_too_much_work_is_turned_away(gate: Event) -> None:
    accepted = [background.later(gate.wait, 20) for _job in range(background.ROOM + 3)]
    assert accepted == [True] * background.ROOM + [False] * 3
    gate.set()
    assert background.wait_until_idle(20)
    assert background.later(gate.wait, 20)
