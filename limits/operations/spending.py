"""Spending allowances and giving them back.

``spend`` is one conditional UPDATE: of many at the limit as many succeed as fit, without counting, and without a lock
held while somebody counts. It belongs inside an operation, after its locks on domains and accounts; a refusal undoes
it with everything else. Rows of several accounts are locked in the order of the accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from django.db.models import F, Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from core.models import User
from core.refusals import WHOLE_OBJECT, Refusals
from core.roles import Role
from limits import switches
from limits.kinds import HANDED_OUT, LIMITED, Kind, kinds_of
from limits.models import Allowance, room_for
from limits.operations.vetoes import ask_plugins
from limits.wording import taken_words, who_can_raise

if TYPE_CHECKING:
    from core.actor import Actor

# What accounts own, by account and kind.
Owned = Counter[tuple[int, Kind]]


@dataclass(frozen=True, slots=True)
class Demand:
    """What a batch asks of an allowance: one piece for each of *places*.

    These are positions in the batch, twice where two are asked for. *amounts* at the places, where it is not one piece
    each. *field*: beside which a refusal is said.
    """

    kind: Kind
    places: Sequence[int]
    field: str = WHOLE_OBJECT
    amounts: Sequence[int] | None = None

    @property
    def total(self) -> int:
        """How much is asked for."""
        return len(self.places) if self.amounts is None else sum(self.amounts)

    def beyond(self, left: int) -> int:
        """The first place that does not fit when *left* is left."""
        sums = accumulate([1] * len(self.places) if self.amounts is None else self.amounts)
        return next(place for place, total in zip(self.places, sums, strict=True) if total > left)


# --- spend and give back ---------------------------------------------------------------------------------------


def spend(actor: Actor, demands: Iterable[Demand], refusals: Refusals) -> None:
    """Take what is to be created out of the allowance of *actor*. Codes: ``limit_reached``, ``vetoed``."""
    wanted = list(demands)
    for demand in wanted:
        ask_plugins(actor.user, demand.kind, demand.places, refusals, demand.field)
    if actor.user.role != Role.SUPER_ADMIN:
        spend_of(actor.pk, wanted, refusals, by=actor)


def spend_of(payer: int, demands: Iterable[Demand], refusals: Refusals, *, by: Actor) -> None:
    """As :func:`spend`, out of the allowance of the account *payer*, who need not be the actor *by*; each kind once."""
    wanted = [demand for demand in demands if demand.total]
    amounts = {demand.kind: demand.total for demand in wanted}
    if not amounts:
        return
    rows = Allowance.objects.filter(user=payer)
    if not switches.admins_are_limited():
        rows.update(**_used_after(amounts))
        return
    room = room_for({kind: amount for kind, amount in amounts.items() if amount > 0})
    if rows.filter(room).update(**_used_after(amounts)):
        return
    allowance = locked_allowances([payer]).get(payer)
    if allowance is None and payer != by.pk and not User.objects.filter(pk=payer, role__in=LIMITED).exists():
        return
    if not _refuse(allowance or Allowance(user_id=payer), wanted, refusals, by=by):
        rows.update(**_used_after(amounts))  # somebody gave back in between, and now it is locked


def _used_after(amounts: Mapping[Kind, int]) -> dict[str, Any]:
    return {f"{k}_used": Greatest(F(f"{k}_used") + n, Value(0)) for k, n in amounts.items()}


def _refuse(allowance: Allowance, demands: Sequence[Demand], refusals: Refusals, *, by: Actor) -> bool:
    """Say of each demand that does not fit how much would; False when everything fits after all.

    What somebody else has is none of the actor's business.
    """
    refused = False
    for demand in demands:
        usage = allowance.usage(demand.kind)
        if usage.left is None or demand.total <= usage.left:
            continue
        refused = True
        if allowance.pk == by.pk:
            words = taken_words(usage, demand.total, who_can_raise(by.pk))
        else:
            words = _(
                "%(kind)s: this is more than the owner may have. A super administrator can raise that limit."
            )
            words %= {"kind": usage.kind.label}
        refusals.add(demand.beyond(usage.left), demand.field, "limit_reached", words)
    return refused


def give_back(owned: Owned) -> None:
    """What was deleted is not in use any more."""
    take_over(Owned({key: -amount for key, amount in owned.items()}))


def take_over(owned: Owned) -> None:
    """Add to what accounts use, whatever their limits: what is there already changes hands."""
    owners = {pk for (pk, _kind), amount in owned.items() if amount}
    if len(owners) == 1:
        amounts = {kind: amount for (_pk, kind), amount in owned.items() if amount}
        Allowance.objects.filter(user__in=owners).update(**_used_after(amounts))
    elif owners:
        locked = locked_allowances(owners)
        for pk, allowance in locked.items():
            for kind in Kind:
                _add(allowance, f"{kind}_used", owned[pk, kind])
        Allowance.objects.bulk_update(locked.values(), _COUNTERS)


_COUNTERS = [*(f"{kind}_used" for kind in Kind), *(f"{kind}_granted" for kind in HANDED_OUT)]


def _add(allowance: Allowance, counter: str, amount: int) -> None:
    """Never below nothing: a counter that went wrong stops no deletion; ``recount`` finds it."""
    setattr(allowance, counter, max(0, getattr(allowance, counter) + amount))


def locked_allowances(accounts: Iterable[int]) -> dict[int, Allowance]:
    """Allowances by account, locked in the order of the accounts."""
    rows = Allowance.objects.filter(user__in=set(accounts)).order_by("pk").select_for_update()
    return {row.pk: row for row in rows}


# --- roles -----------------------------------------------------------------------------------------------------


def open_allowances(
    actor: Actor, accounts: Iterable[User], before: Mapping[int, Allowance] | None = None
) -> None:
    """Allowances for administrators: the defaults when a super administrator made them, else nothing.

    Who rises had one *before*, and keeps what he has and what he may have of it.
    """
    rows = []
    for account in accounts:
        if kinds := kinds_of(account.role):
            old = (before or {}).get(account.pk)
            row = Allowance(user_id=account.pk)
            draws = account.role == Role.DOMAIN_ADMIN and account.owner_id != actor.pk  # maybe on a pool
            for kind in kinds:
                given = switches.default_of_admins(kind) if actor.is_super and not draws else 0
                if old is not None and kind in HANDED_OUT:
                    given = getattr(old, f"{kind}_max")
                setattr(row, f"{kind}_max", given)
                setattr(row, f"{kind}_used", getattr(old, f"{kind}_used", 0))
            rows.append(row)
    Allowance.objects.bulk_create(rows)


def end_allowances(accounts: Collection[int], heirs: Mapping[int, int]) -> dict[int, Allowance]:
    """Take the allowances of *accounts* away; what was handed to them returns, what they use counts for their heirs.

    Called while their roles and owners are the old ones. Returns what was there.
    """
    children = User.objects.filter(pk__in=accounts, role=Role.DOMAIN_ADMIN, owner__role=Role.RESELLER)
    parents = dict(children.values_list("pk", "owner_id"))
    rows = locked_allowances({*accounts, *heirs.values(), *parents.values()})
    ended = {pk: rows.pop(pk) for pk in accounts if pk in rows}
    for pk, gone in ended.items():
        parent, heir = rows.get(parents.get(pk, 0)), rows.get(heirs.get(pk, 0))
        if parent is not None:
            for kind in HANDED_OUT:
                _add(parent, f"{kind}_granted", -max(0, getattr(gone, f"{kind}_max")))
        if heir is not None:
            for kind in Kind:
                _add(heir, f"{kind}_used", getattr(gone, f"{kind}_used"))
    Allowance.objects.bulk_update(rows.values(), _COUNTERS)
    Allowance.objects.filter(pk__in=ended).delete()
    return ended
