"""Who acts, and how he proved it. There is no current user: every operation and every read is handed an actor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core.roles import Role

if TYPE_CHECKING:
    from core.models import User


# In a third of the time that the enumeration takes: each line of an import asks several times.
_ROLES = {role.value: role for role in Role}


class Credential(TextChoices):
    """What the actor showed."""

    SESSION = "session", _("Browser session")
    TOKEN = "token", _("API token")
    COMMAND = "command", _("Command line")
    RESET_LINK = "reset", _("Reset link")


@dataclass(frozen=True, slots=True)
class Actor:
    """An account in action; ``address`` is the network address of the client, None on the command line."""

    user: User
    credential: Credential
    address: str | None = None
    # Ids of the domains of a token that works only there. Who acts with it is at most an administrator of these.
    domains: frozenset[int] | None = None

    @property
    def pk(self) -> int:
        """Primary key of the account."""
        return self.user.pk

    @property
    def role(self) -> Role:
        """Role in which he acts: that of the account, or less."""
        role = _ROLES[self.user.role]
        return role if self.domains is None or role is Role.SIMPLE_USER else Role.DOMAIN_ADMIN

    @property
    def is_super(self) -> bool:
        """True for super administrators, who see and may do everything."""
        return self.role is Role.SUPER_ADMIN

    @property
    def administers(self) -> bool:
        """True when the actor has, or may have, domains to look after."""
        return self.is_super or self.role.administers

    def __str__(self) -> str:
        return self.user.username
