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

from core import plugins
from core.extensions import exts_pool

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
        given = getattr(module, "known_problems", ())
        found = (
            [each for each in given if isinstance(each, Problem)] if isinstance(given, list | tuple) else []
        )
        if len(found) < (len(given) if isinstance(given, list | tuple) else 1):
            plugins.report(module.__name__, "known_problems", TypeError("a list of Problem was expected"))
        yield from found
    for config in reversed(list(apps.get_app_configs())):
        name = f"{config.name}.known_problems"
        if not plugins.is_plugin(config.name) and find_spec(name) is not None:
            yield from import_module(name).known_problems
