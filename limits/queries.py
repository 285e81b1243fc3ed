"""What is left of allowances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limits import switches
from limits.kinds import Kind, kinds_of
from limits.models import Allowance, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.models import User


def pools_of(accounts: Iterable[int], kind: Kind) -> dict[int, Usage]:
    """How those of *accounts* (ids) stand that have a limit of *kind*: nobody while limits are switched off."""
    wanted = set(accounts)
    if not wanted or not switches.admins_are_limited():
        return {}
    rows = Allowance.objects.filter(user__in=wanted).exclude(**{f"{kind}_max": kind.unlimited})
    return {allowance.pk: allowance.usage(kind) for allowance in rows}


def limited_of(accounts: Iterable[int], kind: Kind) -> set[int]:
    """Those of *accounts* (ids) that have a limit of *kind*."""
    return set(pools_of(accounts, kind))


def usages_of(user: User) -> list[Usage]:
    """How the limits of *user* stand, in the order of the kinds; nothing where he has none, or nobody has."""
    kinds = kinds_of(user.role)
    if not kinds or not switches.admins_are_limited():
        return []
    allowance = Allowance.objects.filter(user=user.pk).first() or Allowance(user_id=user.pk)
    return [allowance.usage(kind) for kind in kinds]
