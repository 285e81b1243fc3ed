"""Handing out allowances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from core.models import User
from core.operation import operation, record
from core.refusals import WHOLE_OBJECT, Refusals
from core.roles import Role
from limits import policies
from limits.kinds import HANDED_OUT, MAX_LIMIT, Kind, kinds_of
from limits.models import Allowance
from limits.operations.spending import locked_allowances
from limits.wording import amount_text

if TYPE_CHECKING:
    from core.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """New limits of an account; kinds that are not named stay, and nothing happens when none is."""

    account: User
    limits: Mapping[Kind, int]


@dataclass(slots=True)
class _Draft:
    """A locked account with its allowance, the pool that it draws on (None: no pool), and who has that."""

    position: int
    account: User
    allowance: Allowance
    pool: Allowance | None
    reseller: str


@operation("account.update", allow=policies.may_grant)
def grant(actor: Actor, /, grants: Sequence[Grant]) -> None:
    """Set limits. Those of a reseller's domain administrators come out of his own, whoever sets them.

    Never below what is taken, and without limit only where the reseller has none. Codes: ``gone``, ``repeated``,
    ``not_limited``, ``pool_not_yours``; beside ``mailboxes_limit`` and so on ``not_limited``, ``limit_out_of_range``,
    ``below_use``, ``unlimited_not_yours``, ``pool_exhausted``, ``handed_out_unlimited``.
    """
    for account in set_limits(actor, grants):
        record(account, changed=["limits"], versions=())


def set_limits(actor: Actor, grants: Sequence[Grant]) -> list[User]:
    """As :func:`grant`, inside an operation that records it; the accounts whose limits changed.

    Raises :class:`PermissionDenied` for those who set no limits.
    """
    if not any(each.limits for each in grants):
        return []
    if not policies.may_grant(actor):
        raise PermissionDenied
    refusals = Refusals()
    drafts = _locked_drafts(actor, grants, refusals)
    before = {draft.account.pk: copy(draft.allowance) for draft in drafts}
    # What resellers may have is set before it is handed out, and judged when that is done.
    for draft in sorted(drafts, key=lambda draft: draft.account.role == Role.DOMAIN_ADMIN):
        for kind, value in grants[draft.position].limits.items():
            if value != _limit(draft.allowance, kind) and _is_possible(draft, kind, value, refusals):
                setattr(draft.allowance, f"{kind}_max", value)
    changed = [
        d for d in drafts if any(_limit(d.allowance, k) != _limit(before[d.account.pk], k) for k in Kind)
    ]
    _check_use(changed, before, refusals)
    refusals.raise_if_any()
    Allowance.objects.bulk_update([draft.allowance for draft in changed], [f"{kind}_max" for kind in Kind])
    pools = {draft.pool.pk: draft.pool for draft in changed if draft.pool is not None}
    Allowance.objects.bulk_update(pools.values(), [f"{kind}_granted" for kind in HANDED_OUT])
    _check_handed_out(changed, refusals)
    refusals.raise_if_any()
    return [draft.account for draft in changed]


def _limit(allowance: Allowance, kind: Kind) -> int:
    limit: int = getattr(allowance, f"{kind}_max")
    return limit


def _check_use(drafts: Sequence[_Draft], before: Mapping[int, Allowance], refusals: Refusals) -> None:
    """No limit that changed is below what is taken."""
    for draft in drafts:
        for kind in Kind:
            usage = draft.allowance.usage(kind)
            changed = _limit(draft.allowance, kind) != _limit(before[draft.account.pk], kind)
            if changed and usage.maximum is not None and usage.maximum < usage.taken:
                message = _("%(taken)s are taken already; the limit cannot be lower.")
                shown = {"taken": amount_text(kind, usage.taken)}
                refusals.add(draft.position, kind.limit_name, "below_use", message % shown)


def _locked_drafts(actor: Actor, grants: Sequence[Grant], refusals: Refusals) -> list[_Draft]:
    ids = {each.account.pk for each in grants if each.limits}
    accounts = {a.pk: a for a in User.objects.filter(pk__in=ids).order_by("pk").select_for_update()}
    resellers = User.objects.filter(
        pk__in={account.owner_id for account in accounts.values()}, role=Role.RESELLER
    )
    names = dict(resellers.values_list("pk", "username"))
    rows = locked_allowances([*accounts, *names])
    if missing := [pk for pk, a in accounts.items() if kinds_of(a.role) and pk not in rows]:
        # One of nothing; what there is already, `recount` finds, which may be creating them at this moment.
        Allowance.objects.bulk_create((Allowance(user_id=pk) for pk in missing), ignore_conflicts=True)
        rows |= locked_allowances(missing)
    drafts: dict[int, _Draft] = {}
    for position, each in enumerate(grants):
        account = accounts.get(each.account.pk)
        if not each.limits:
            continue
        if account is None:
            refusals.add(position, WHOLE_OBJECT, "gone", _("This account does not exist any more."))
        elif account.pk in drafts:
            message = _("“%(name)s” is asked for more than once.") % {"name": account.username}
            refusals.add(position, WHOLE_OBJECT, "repeated", message)
        elif account.pk not in rows:
            message = _("Only resellers and domain administrators have limits.")
            refusals.add(position, WHOLE_OBJECT, "not_limited", message)
        elif not policies.may_grant_to(actor, account):
            message = _("You set the limits of your own domain administrators only.")
            refusals.add(position, WHOLE_OBJECT, "pool_not_yours", message)
        else:
            owner = account.owner_id or 0
            draws = account.role == Role.DOMAIN_ADMIN and owner in names
            pool = rows.get(owner, Allowance(user_id=owner)) if draws else None
            drafts[account.pk] = _Draft(position, account, rows[account.pk], pool, names.get(owner, ""))
    return list(drafts.values())


def _is_possible(draft: _Draft, kind: Kind, value: int, refusals: Refusals) -> bool:
    """Whether the account can have this limit; takes the difference out of the pool."""
    if kind not in kinds_of(draft.account.role):
        message = _("Only resellers have a limit of this kind.")
        refusals.add(draft.position, kind.limit_name, "not_limited", message)
    elif not kind.unlimited <= value <= MAX_LIMIT:
        message = _("A limit is a whole number from %(least)d (no limit) to %(most)d.")
        refusals.add(
            draft.position,
            kind.limit_name,
            "limit_out_of_range",
            message % {"least": kind.unlimited, "most": MAX_LIMIT},
        )
    elif draft.pool is None:
        return True
    else:
        return _draw(draft, draft.pool, kind, value, refusals)
    return False


def _draw(draft: _Draft, pool: Allowance, kind: Kind, value: int, refusals: Refusals) -> bool:
    """Take the difference to the present limit out of the pool of a reseller."""
    before, left = draft.allowance.usage(kind).maximum or 0, pool.usage(kind).left
    difference = max(0, value) - before
    shown = {"name": draft.reseller, "left": amount_text(kind, left or 0)}
    if value == kind.unlimited and left is not None:
        message = _("%(name)s is limited and cannot hand out without limit; enter a number.")
        refusals.add(draft.position, kind.limit_name, "unlimited_not_yours", message % shown)
        return False
    if left is not None and difference > left:
        message = _("%(name)s has %(left)s left to hand out. A super administrator can raise that.")
        refusals.add(draft.position, kind.limit_name, "pool_exhausted", message % shown)
        return False
    granted = getattr(pool, f"{kind}_granted") + difference
    setattr(pool, f"{kind}_granted", max(0, granted))
    return True


def _check_handed_out(changed: Sequence[_Draft], refusals: Refusals) -> None:
    """Nobody whose domain administrators have no limit has one: as it is written by now."""
    limited = {
        draft.account.pk: draft
        for draft in changed
        if any(draft.allowance.usage(kind).maximum is not None for kind in HANDED_OUT)
        and draft.account.role == Role.RESELLER
    }
    children = Allowance.objects.filter(user__owner__in=limited, user__role=Role.DOMAIN_ADMIN)
    for child in children.select_related("user"):
        draft = limited[child.user.owner_id or 0]
        for kind in HANDED_OUT:
            if child.usage(kind).maximum is None and draft.allowance.usage(kind).maximum is not None:
                message = _("“%(name)s”, whose limits come out of this one, has none. Set that one first.")
                refusals.add(
                    draft.position,
                    kind.limit_name,
                    "handed_out_unlimited",
                    message % {"name": child.user.username},
                )
