"""What a domain holds of each kind that it has a limit for: the counting that operations and screens share."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, OuterRef

from admin.models import Alias, Domain, DomainAlias, Mailbox
from core.models import User
from limits.kinds import Kind

if TYPE_CHECKING:
    from django.db.models import QuerySet


def limit_of(domain: Domain, kind: Kind) -> int:
    """How many of *kind* the domain may hold; -1: no limit."""
    limit: int = getattr(domain, kind.limit_name)
    return limit


def rows_held(kind: Kind) -> tuple[QuerySet[Any], str]:
    """Everything that counts as *kind*, and its column with the domain.

    The forward of a mailbox is no alias of its own.
    """
    at_a_mailbox = User.objects.filter(email=OuterRef("address"))
    rows: dict[Kind, tuple[QuerySet[Any], str]] = {
        Kind.DOMAIN_ALIASES: (DomainAlias.objects.all(), "target"),
        Kind.MAILBOXES: (Mailbox.objects.all(), "domain"),
        Kind.MAILBOX_ALIASES: (Alias.objects.exclude(Exists(at_a_mailbox)), "domain"),
        Kind.DOMAIN_ADMINS: (Domain.administrators.through.objects.all(), "domain"),
    }
    return rows[kind]


def held(kind: Kind, domains: Collection[int]) -> dict[int, int]:
    """How many of *kind* domains (ids) hold."""
    rows, by = rows_held(kind)
    counted = rows.filter(**{f"{by}__in": domains}).order_by().values_list(by).annotate(Count("pk"))
    return dict(counted)
