"""Kinds of things that are limited."""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core.roles import Role


class Kind(TextChoices):
    """Stored and documented under these names; a quota is counted in MB, everything else in pieces."""

    DOMAINS = "domains", _("Domains")
    DOMAIN_ALIASES = "domain_aliases", _("Domain aliases")
    DOMAIN_ADMINS = "domain_admins", _("Domain administrators")
    MAILBOXES = "mailboxes", _("Mailboxes")
    MAILBOX_ALIASES = "mailbox_aliases", _("Aliases")
    QUOTA = "quota", _("Quota")

    @property
    def unlimited(self) -> int:
        """The limit that is none: quotas say 0, as everywhere; of all else 0 means nothing."""
        return 0 if self is Kind.QUOTA else -1

    @property
    def limit_name(self) -> str:
        """The limit as a field of forms and specifications, and as a column of domains."""
        return f"{self}_limit"


# What accounts of a role have limits for. Everybody else is not limited, or makes nothing.
LIMITED: Final = {
    Role.RESELLER: tuple(Kind),
    Role.DOMAIN_ADMIN: (Kind.MAILBOXES, Kind.MAILBOX_ALIASES),
}
# What a reseller hands to his domain administrators, out of his own.
HANDED_OUT: Final = LIMITED[Role.DOMAIN_ADMIN]
# Limits of a domain.
OF_DOMAINS: Final = (Kind.DOMAIN_ALIASES, Kind.MAILBOXES, Kind.MAILBOX_ALIASES, Kind.DOMAIN_ADMINS)

# Whole numbers that every client of the tables can hold.
MAX_LIMIT: Final = 2**53


def kinds_of(role: str) -> tuple[Kind, ...]:
    """What accounts of *role* have limits for."""
    return LIMITED.get(Role(role), ())
