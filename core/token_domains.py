"""Domains in which alone a token works. Domains live above the core: whoever has them says here which they are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.actor import Actor

# Of an actor and names that he typed: ids by name, of the domains that he sees.
Finder = Callable[["Actor", Collection[str]], dict[str, int]]
# Names by id.
Namer = Callable[[Collection[int]], dict[int, str]]


def _nothing_found(_actor: Actor, _names: Collection[str]) -> dict[str, int]:
    return {}


def _nothing_named(_ids: Collection[int]) -> dict[int, str]:
    return {}


_finder: Finder = _nothing_found
_namer: Namer = _nothing_named


def look_up_with(finder: Finder, namer: Namer) -> None:
    """Ask these from now on."""
    global _finder, _namer
    _finder, _namer = finder, namer


def ids_of(actor: Actor, names: Collection[str]) -> dict[str, int]:
    """Ids of domains that *actor* sees, by the names as they were typed."""
    return _finder(actor, names)


def names_of(ids: Collection[int]) -> dict[int, str]:
    """Names by id; what was deleted is missing."""
    return _namer(ids)
