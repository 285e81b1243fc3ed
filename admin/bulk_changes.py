"""What can be done to many things at once: the values that preview, operation and form share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

# Nobody reads a longer preview, and nothing waits long for its end.
MOST: Final = 20_000


class Verb(TextChoices):
    """What is done to every one of them."""

    ENABLE = "enable", _("Enable")
    DISABLE = "disable", _("Disable")
    QUOTA = "quota", _("Set quota")
    DELETE = "delete", _("Delete")
    RETRY = "retry", _("Retry")
    GIVE_UP = "give_up", _("Give up")
    RESTORE = "restore", _("Restore")


# What people manage, and what was ordered about mail directories, are asked for different things.
TO_THINGS: Final = (Verb.ENABLE, Verb.DISABLE, Verb.QUOTA, Verb.DELETE)
TO_ORDERS: Final = (Verb.RETRY, Verb.GIVE_UP, Verb.RESTORE)


class Kind(TextChoices):
    """What they are."""

    ACCOUNT = "account", _("Account")
    ALIAS = "alias", _("Alias")
    DOMAIN = "domain", _("Domain")
    # Of something to happen to a mail directory.
    ORDER = "order", _("Order")


# Ids by kind; a kind that is missing has none.
Ids: TypeAlias = Mapping[Kind, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """The same change for all. Quotas in MB, 0 = no limit.

    A *quota* of None lets a mailbox follow its domain, and leaves that of a domain as it is; a
    *default_mailbox_quota* of None stays as it is.
    """

    verb: Verb
    quota: int | None = None
    default_mailbox_quota: int | None = None


def number_of(ids: Ids) -> int:
    """How many they are together."""
    return sum(map(len, ids.values()))
