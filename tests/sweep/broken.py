"""Runners with a fault of their own, which a sweep has to find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from admin.gateways.mail_root import Batch
from admin.operations import directories


def _done_before_it_is_moved() -> None:
    """First the note, then the work, as one writes it who thinks of no power cut."""
    carry_out, note = directories._carry_out, directories._Runner._note
    waiting: list[tuple[Any, Batch]] = []

    def later(plan: Any, work: Batch) -> None:
        plan.is_moved = True
        waiting.append((plan, work))

    def noted(runner: Any, plans: Any, token: str) -> set[int]:
        over = note(runner, plans, token)
        while waiting:
            carry_out(*waiting.pop(0))
        return over

    directories._carry_out = later
    directories._Runner._note = noted  # type: ignore[assignment, method-assign]  # broken on purpose


def _not_durable() -> None:
    Batch.make_durable = lambda _work: {}  # type: ignore[assignment, method-assign]  # broken on purpose


BROKEN: Final[dict[str, Callable[[], None]]] = {
    "": lambda: None,
    "done-before-moved": _done_before_it_is_moved,
    "not-durable": _not_durable,
}
