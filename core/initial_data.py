"""What ``load_initial_data`` adds for those who want to try the panel; apps above the core know."""

from __future__ import annotations

from collections.abc import Callable

from core.actor import Actor

_fixtures: list[Callable[[Actor], None]] = []


def add_fixtures(make: Callable[[Actor], None]) -> None:
    """Register *make*, which is called with ``--extra-fixtures``, again and again."""
    if make not in _fixtures:
        _fixtures.append(make)


def make_fixtures(actor: Actor) -> None:
    """Everything to try, made as by *actor*; what is there stays."""
    for make in _fixtures:
        make(actor)
