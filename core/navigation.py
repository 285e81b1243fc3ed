"""What every page shows around its content. Apps above add their entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the rail; shown when *visible* says so. *under* lists further paths that make it the active one."""

    group: _StrOrPromise
    label: _StrOrPromise
    url_name: str
    icon: str
    visible: Callable[[Actor], bool]
    under: tuple[str, ...] = ()


_entries: list[Entry] = []
_searches: list[tuple[str, Callable[[Actor], bool]]] = []


def add(entry: Entry) -> None:
    """Put an entry into the rail, after those that are there."""
    if entry not in _entries:
        _entries.append(entry)


def add_search(url_name: str, visible: Callable[[Actor], bool]) -> None:
    """Offer a list (parameter ``q``) as the search at the top."""
    if (url_name, visible) not in _searches:
        _searches.append((url_name, visible))


def context(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``navigation``, ``brand`` and, for whoever is signed in, ``account``."""
    actor: Actor | None = getattr(request, "actor", None)
    facts: dict[str, Any] = {
        "brand": "modoboa",
        "site_host": settings.SITE_HOST,
        "navigation": [],
        "account": None,
        "search_url": "",
    }
    if actor is not None:
        facts["navigation"] = _groups(actor, request.path)
        facts["search_url"] = next((reverse(name) for name, visible in _searches if visible(actor)), "")
        facts["account"] = {
            "name": actor.user.full_name or actor.user.username,
            "username": actor.user.username,
            "initials": actor.user.initials,
            "role": actor.role.label,
            "is_staff": actor.is_super,
        }
    return facts


def _groups(actor: Actor, path: str) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in _entries:
        if not entry.visible(actor):
            continue
        url = reverse(entry.url_name)
        active = any(path.startswith(prefix) for prefix in (url, *entry.under))
        groups.setdefault(str(entry.group), []).append(
            {"label": entry.label, "url": url, "icon": entry.icon, "active": active}
        )
    return [{"label": label, "entries": entries} for label, entries in groups.items()]


SYSTEM = _("System")
