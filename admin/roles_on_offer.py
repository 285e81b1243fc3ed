"""Roles that somebody may give: what the policy says, less what plugins are against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admin import policies
from core.roles import Role
from core.signals import user_can_set_role

if TYPE_CHECKING:
    from core.actor import Actor
    from core.models import User


def roles_on_offer(actor: Actor, account: User | None = None) -> tuple[Role, ...]:
    """Roles that *actor* may give to *account*, or to a new one. The role that an account has is nobody's to refuse."""
    return tuple(
        role
        for role in policies.roles_to_give(actor)
        if (account is not None and account.role == role) or is_unopposed(actor, role, account)
    )


def is_unopposed(actor: Actor, role: Role, account: User | None) -> bool:
    """No plugin answers False; anybody may be made a simple user."""
    if role == Role.SIMPLE_USER:
        return True
    answers = user_can_set_role.answers(user=actor.user, role=Role(role).value, account=account)
    return all(answer is not False for answer in answers)
