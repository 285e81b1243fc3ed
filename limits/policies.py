"""Who sets limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.roles import Role
from limits.kinds import kinds_of

if TYPE_CHECKING:
    from core.actor import Actor
    from core.models import User


def may_grant(actor: Actor, /, *_batch: object) -> bool:
    """Super administrators set limits, and resellers those of their own domain administrators."""
    return actor.role in {Role.SUPER_ADMIN, Role.RESELLER}


def may_grant_to(actor: Actor, /, account: User) -> bool:
    """Out of whose pool it comes decides: a reseller hands out to domain administrators whom he owns."""
    if actor.pk == account.pk or not kinds_of(account.role):
        return False
    return actor.is_super or (
        actor.role is Role.RESELLER and account.role == Role.DOMAIN_ADMIN and account.owner_id == actor.pk
    )


def may_see_limits(actor: Actor, /, account: User) -> bool:
    """One's own, and those that one may set: what others have is none of anybody's business."""
    return actor.pk == account.pk or may_grant_to(actor, account)
