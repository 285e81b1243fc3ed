"""What is left of allowances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limits import switches
from limits.kinds import Kind, kinds_of
from limits.models import Allowance, Usage

if TYPE_CHECKING:
    from core.actor import Actor
    from core.models import User


def is_unlimited(actor: Actor, kind: Kind) -> bool:
    """Whether *actor* has no limit of *kind*."""
    if actor.is_super or not switches.admins_are_limited():
        return True
    allowance = Allowance.objects.filter(user=actor.pk).first()
    return allowance is not None and allowance.usage(kind).maximum is None


def usages_of(user: User) -> list[Usage]:
    """How the limits of *user* stand, in the order of the kinds; nothing where he has none, or nobody has."""
    kinds = kinds_of(user.role)
    if not kinds or not switches.admins_are_limited():
        return []
    allowance = Allowance.objects.filter(user=user.pk).first() or Allowance(user_id=user.pk)
    return [allowance.usage(kind) for kind in kinds]
