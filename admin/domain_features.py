"""What apps above add to the screens about domains. They register it in their wiring; the screens ask here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Q
    from django.utils.functional import _StrOrPromise

    from admin.queries.domains import DomainRow
    from admin.queries.listing import Filter
    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class Tag:
    """A word beside the name of a domain in the list; a click sets the filter *name* to *value*."""

    name: str
    value: str
    label: _StrOrPromise
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A filter of the list, if it is shown as one, and which domains it lets through."""

    chip: Filter | None
    matches: Q


@dataclass(frozen=True, slots=True)
class Link:
    """Something that can be done with a domain."""

    label: _StrOrPromise
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """A part of the page of one domain: *template* finds *facts* under this name, beside the context of the page."""

    template: str
    facts: object


@dataclass(frozen=True, slots=True)
class Action:
    """A way to something new, beside "New domain", for actors whom *allow* lets."""

    label: _StrOrPromise
    url_name: str
    icon: str
    allow: Callable[[Actor], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something that some domains have.

    *columns* are fields as seen from a domain; they are read along with the numbers of a row and handed to the others
    as ``row.further``. Only *narrow* and *cards* may ask the database, once each.
    """

    columns: tuple[str, ...]
    tags: Callable[[DomainRow], Sequence[Tag]]
    notes: Callable[[DomainRow], Sequence[str]]
    narrow: Callable[[Actor, Mapping[str, str]], Sequence[Narrowing]]
    cards: Callable[[Actor, DomainRow], Sequence[Card]]
    # About the type of the domain, on its page.
    links: Callable[[Actor, DomainRow], Sequence[Link]]
    actions: tuple[Action, ...]
    # Kinds of the event log whose objects have the numbers of domains.
    event_kinds: tuple[str, ...]


_features: list[Feature] = []


def add(feature: Feature) -> None:
    """Show it from now on."""
    if feature not in _features:
        _features.append(feature)


def features() -> Sequence[Feature]:
    """Everything that was registered."""
    return _features


def columns() -> list[str]:
    """What the features want to know of every domain that is shown."""
    return list(dict.fromkeys(column for feature in _features for column in feature.columns))


def narrowings(actor: Actor, given: Mapping[str, str]) -> list[Narrowing]:
    """Filters of the features, as the URL sets them."""
    return [each for feature in _features for each in feature.narrow(actor, given)]


def actions(actor: Actor) -> list[Action]:
    """What *actor* can begin, beside a new domain."""
    return [action for feature in _features for action in feature.actions if action.allow(actor)]


def values_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of a row of the database, what the features asked for."""
    return {column: row[column] for column in columns()}
