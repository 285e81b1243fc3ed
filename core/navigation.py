"""What every page shows around its content. Apps above add their entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import signals
from core.parts import MenuItem, menu_items

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


@dataclass(frozen=True, slots=True)
class OwnPage:
    """One page of "My account", for actors of whom *visible* is true; the lowest *place* comes first."""

    place: int
    label: _StrOrPromise
    url_name: str
    icon: str
    visible: Callable[[Actor], bool] = lambda _actor: True


_entries: list[Entry] = []
_own_pages: list[OwnPage] = []
_searches: list[tuple[str, Callable[[Actor], bool]]] = []


def add(entry: Entry) -> None:
    """Put an entry into the rail, after those that are there."""
    if entry not in _entries:
        _entries.append(entry)


def add_own_page(page: OwnPage) -> None:
    """Put a page into the menu of whoever is signed in, and among the tabs of "My account"."""
    if page not in _own_pages:
        _own_pages.append(page)
        _own_pages.sort(key=lambda each: each.place)


def add_search(url_name: str, visible: Callable[[Actor], bool]) -> None:
    """Offer a page (parameter ``q``; for htmx it answers with the options of the dialog) as the search at the top."""
    if (url_name, visible) not in _searches:
        _searches.append((url_name, visible))


def context(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``navigation``, ``brand``, ``logo``, of whoever is signed in ``account``, ``own_pages``."""
    actor: Actor | None = getattr(request, "actor", None)
    facts: dict[str, Any] = {
        "brand": "modoboa",
        "site_host": settings.SITE_HOST,
        "logo": settings.MODOBOA_CUSTOM_LOGO,
        "logo_dark": settings.MODOBOA_CUSTOM_LOGO_DARK,
        "navigation": [],
        "account": None,
        "own_pages": [],
        "account_items": [],
        "search_url": "",
    }
    if actor is not None:
        facts["own_pages"] = own_pages = _own(actor, request.path)
        facts["navigation"] = _groups(actor, request.path)
        facts["account_items"] = menu_items(
            signals.extra_user_menu_entries, location="options_menu", user=actor.user
        )
        if not actor.administers:
            facts["navigation"].append({"label": _("My account"), "entries": own_pages})
        facts["search_url"] = next((reverse(name) for name, visible in _searches if visible(actor)), "")
        facts["account"] = {
            "name": actor.user.full_name or actor.user.username,
            "username": actor.user.username,
            "initials": actor.user.initials,
            "role": actor.role.label,
            "is_staff": actor.is_super,
            "administers": actor.administers,
        }
    return facts


def _own(actor: Actor, path: str) -> list[dict[str, Any]]:
    pages = [(page, reverse(page.url_name)) for page in _own_pages if page.visible(actor)]
    # "/user/" begins every other address: the longest one that fits is the page.
    further = menu_items(signals.extra_user_menu_entries, location="uprefs_menu", user=actor.user)
    lines = [(page.label, url, page.icon) for page, url in pages]
    lines += [(item.label, item.url, item.icon) for item in further]
    here = max((url for _label, url, _icon in lines if path.startswith(url)), key=len, default="")
    return [{"label": label, "url": url, "icon": icon, "active": url == here} for label, url, icon in lines]


def _groups(actor: Actor, path: str) -> list[dict[str, Any]]:
    # Daily work first, whichever app was loaded first.
    ordered = sorted(_entries, key=lambda entry: (entry.group == SYSTEM, entry.group == SETTINGS))
    entries = [(entry, reverse(entry.url_name)) for entry in ordered if entry.visible(actor)]
    here = max((_match(entry, url, path) for entry, url in entries), default=0)
    groups: dict[str, list[dict[str, Any]]] = {"": []}
    for entry, url in entries:
        active = here > 0 and _match(entry, url, path) == here
        groups.setdefault(str(entry.group), []).append(
            {"label": entry.label, "url": url, "icon": entry.icon, "active": active}
        )
    groups[""] += [
        {"label": each.label, "url": each.url, "icon": each.icon, "active": path.startswith(each.url)}
        for each in _of_plugins(actor)
    ]
    return [{"label": label, "entries": entries} for label, entries in groups.items() if entries]


def _of_plugins(actor: Actor) -> list[MenuItem]:
    """Lines of the rail: those for administrators, then those for everybody."""
    user = actor.user
    items = []
    if actor.administers:
        items += menu_items(signals.extra_admin_menu_entries, location="top_menu", user=user)
    for location in ("top_menu", "top_menu_middle"):
        items += menu_items(signals.extra_user_menu_entries, location=location, user=user)
    return items


def _match(entry: Entry, url: str, path: str) -> int:
    """Length of the entry's part of the path: a page below another one's belongs to the nearer entry."""
    return max((len(prefix) for prefix in (url, *entry.under) if path.startswith(prefix)), default=0)


SYSTEM = _("System")
SETTINGS = _("Settings")
