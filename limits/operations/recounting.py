"""Counting anew what accounts own, and what resellers handed out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from core.models import User
from core.roles import Role
from limits.kinds import HANDED_OUT, LIMITED, Kind, kinds_of
from limits.models import Allowance
from limits.operations.spending import locked_allowances

Count = Callable[[Collection[int]], Mapping[int, int]]
_CHUNK = 500
_counts: dict[Kind, Count] = {}


def count_by(kind: Kind, count: Count) -> None:
    """Register how much of *kind* accounts (ids) own; an app above knows."""
    _counts[kind] = count


@dataclass(frozen=True, slots=True)
class Drift:
    """A counter that says something else than the tables. *column*: "mailboxes_used"; "" where the row is missing."""

    username: str
    column: str
    stored: int
    counted: int

    def __str__(self) -> str:
        if not self.column:
            return _("%(name)s: no allowance") % {"name": self.username}
        text = _("%(name)s: %(column)s says %(stored)d, there are %(counted)d")
        shown = {"column": self.column, "stored": self.stored, "counted": self.counted}
        return text % {"name": self.username, **shown}


def recount(*, fix: bool = False) -> list[Drift]:
    """Compare every counter with what is there; with *fix* write down what was found.

    A missing allowance becomes one of nothing: somebody has to say how much it is. Accounts are taken some at a time,
    each lot in a transaction of its own: the panel goes on working.
    """
    limited = User.objects.filter(role__in=LIMITED).order_by("pk")
    ids = list(limited.values_list("pk", flat=True))
    return [
        drift
        for start in range(0, len(ids), _CHUNK)
        for drift in _recount_some(ids[start : start + _CHUNK], fix=fix)
    ]


@transaction.atomic
def _recount_some(ids: Collection[int], *, fix: bool) -> list[Drift]:
    found: list[Drift] = []
    users = {u.pk: u for u in User.objects.filter(pk__in=ids, role__in=LIMITED)}
    missing = users.keys() - set(Allowance.objects.filter(user__in=users).values_list("pk", flat=True))
    found += [Drift(users[pk].username, "", 0, 0) for pk in sorted(missing)]
    if fix:
        Allowance.objects.bulk_create(Allowance(user_id=pk) for pk in missing)
    rows = locked_allowances(users)
    counted = {f"{kind}_used": count(rows) for kind, count in _counts.items()} | _handed_out(rows)
    for pk, row in rows.items():
        columns = [f"{kind}_used" for kind in kinds_of(users[pk].role)]
        for column in [*columns, *(f"{kind}_granted" for kind in HANDED_OUT)]:
            stored, there = getattr(row, column), counted[column].get(pk, 0)
            if stored != there:
                found.append(Drift(users[pk].username, column, stored, there))
                setattr(row, column, there)
    if fix:
        Allowance.objects.bulk_update(
            rows.values(),
            [*(f"{kind}_used" for kind in Kind), *(f"{kind}_granted" for kind in HANDED_OUT)],
        )
    return found


def _handed_out(rows: Collection[int]) -> dict[str, Mapping[int, int]]:
    """Sums of what the domain administrators of resellers were given."""
    children = Allowance.objects.filter(
        user__owner__in=rows, user__role=Role.DOMAIN_ADMIN, user__owner__role=Role.RESELLER
    )
    sums = children.values_list("user__owner").annotate(
        **{f"{kind}_granted": Sum(f"{kind}_max", filter=Q(**{f"{kind}_max__gt": 0})) for kind in HANDED_OUT}
    )
    of = {owner: dict(zip(HANDED_OUT, values, strict=True)) for owner, *values in sums.order_by()}
    return {
        f"{kind}_granted": {owner: values[kind] or 0 for owner, values in of.items()} for kind in HANDED_OUT
    }
