"""Problems that data may have, known to the apps: what ``modo repair`` looks for.

An app lists its own in a module ``known_problems``::

    known_problems = [Problem("Contacts without an owner", adopt_contacts)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from django.apps import apps

from core.extensions import exts_pool
from core.plugins import is_plugin

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class Problem:
    """*mend* is called with an actor and ``dry_run``; it repairs, or in a dry run only looks, and gives a line each."""

    title: _StrOrPromise
    mend: Callable[[Actor, bool], Iterable[_StrOrPromise]]


def known_problems() -> Iterator[Problem]:
    """Of all apps. Plugins and apps above come first: what they repair may count for those below."""
    for module in exts_pool.known_problems():
        yield from getattr(module, "known_problems", ())
    for config in reversed(list(apps.get_app_configs())):
        name = f"{config.name}.known_problems"
        if not is_plugin(config.name) and find_spec(name) is not None:
            yield from import_module(name).known_problems
