"""What plugins add to the list of domains: tags, filters, and types to filter by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Q

from admin import signals
from admin.domain_features import Feature, Narrowing, Tag
from admin.models import Domain
from admin.queries.listing import Choice, Filter
from core.hooks import guarded
from core.parts import made_of, tone_of

if TYPE_CHECKING:
    from admin.queries.domains import DomainRow
    from core.actor import Actor

# Parameters of the list itself: no filter of a plugin can have these names.
_OWN: Final = frozenset({"q", "status", "type", "service", "sort", "page"})
_NOTHING: Final = Q(pk__in=())


def types() -> list[tuple[str, Any]]:
    """Types that only plugins know: the value and the label of a filter."""
    return made_of(signals.extra_domain_types, lambda _receiver, each: (str(each[0]), str(each[1])))


def _tags(row: DomainRow) -> Sequence[Tag]:
    if row.source is None:
        return ()
    return made_of(signals.get_domain_tags, _tag, domain=row.source)


def _tag(_receiver: object, given: Mapping[str, Any]) -> Tag:
    kind = str(given["type"])
    name = "type" if kind == "dom" else f"{kind}filter"
    return Tag(name, str(given["name"]), str(given["label"]), tone_of(str(given.get("color", ""))))


def _narrow(_actor: Actor, given: Mapping[str, str]) -> Sequence[Narrowing]:
    names = [str(name) for name in signals.extra_domain_filters.listed()]
    chosen = {name: given[name] for name in names if given.get(name) and name not in _OWN}
    wanted = given.get("type", "")
    kind = wanted if wanted in dict(types()) else ""
    if not (chosen or kind):
        return ()
    matches = _matches(kind, chosen)
    chips = [Narrowing(_chip(name, value), matches) for name, value in chosen.items()]
    return chips or [Narrowing(None, matches)]


def _matches(kind: str, chosen: Mapping[str, str]) -> Q:
    """What plugins make of it. A filter that does not work lets nothing through: a bulk change may follow it."""
    found = Q()
    answered = False
    for receiver, filters in signals.extra_domain_qset_filters.answered(domfilter=kind, extrafilters=chosen):
        if not filters:
            continue
        narrowed = guarded(receiver, "extra_domain_qset_filters", partial(_tried, filters))
        found &= _NOTHING if narrowed is None else narrowed
        answered = True
    return found if answered else _NOTHING


def _tried(filters: Mapping[str, Any]) -> Q:
    """The filter, after the database has understood it."""
    rows = Domain.objects.filter(**filters).order_by()
    with transaction.atomic():
        rows.exists()
    return Q(pk__in=rows.values("pk"))


def _chip(name: str, value: str) -> Filter:
    label = name.removesuffix("filter").replace("_", " ").capitalize()
    return Filter(name, label, value, value, [Choice(value, value, selected=True)])


FEATURE: Final = Feature(
    columns=(),
    tags=_tags,
    notes=lambda _row: (),
    narrow=_narrow,
    cards=lambda _actor, _row: (),
    links=lambda _actor, _row: (),
    actions=(),
    event_kinds=(),
)
