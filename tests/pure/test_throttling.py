"""Waits as numbers."""

from __future__ import annotations

import pytest

from core.throttling import Rule, Throttled


def test_free_failures_cost_nothing_and_then_the_wait_doubles_up_to_its_end() -> None:
    rule = Rule(free=3, first_s=2, longest_s=20)
    assert [rule.wait_s(failures) for failures in range(9)] == [0, 0, 0, 2, 4, 8, 16, 20, 20]
    assert rule.wait_s(10**9) == 20


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "Try again in 1 second."),
        (59, "Try again in 59 seconds."),
        (60, "Try again in 1 minute."),
        (61, "Try again in 2 minutes."),
        (3600, "Try again in 60 minutes."),
    ],
)
def test_a_wait_is_said_in_words(seconds: int, words: str) -> None:
    assert Throttled(seconds).message == f"Too many attempts. {words}"
