"""Which of many names exist already, as far as somebody sees."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from admin.models import Account, Alias, Domain, DomainAlias
from admin.models.domain import DomainKind

if TYPE_CHECKING:
    from core.actor import Actor


def domains(actor: Actor, names: Collection[str]) -> set[str]:
    """Domains that hold their mail here."""
    return of_kind(actor, names, DomainKind.DOMAIN)


def of_kind(actor: Actor, names: Collection[str], kind: DomainKind) -> set[str]:
    """Domains of one kind."""
    found = Domain.objects.visible_to(actor).filter(name__among=names, type=kind)
    return set(found.values_list("name", flat=True))


def domain_aliases(actor: Actor, names: Collection[str]) -> set[str]:
    """Further names of domains."""
    found = DomainAlias.objects.visible_to(actor).filter(name__among=names)
    return set(found.values_list("name", flat=True))


def accounts(actor: Actor, names: Collection[str]) -> set[str]:
    """Login names."""
    return set(
        Account.objects.visible_to(actor).filter(username__among=names).values_list("username", flat=True)
    )


def aliases(actor: Actor, addresses: Collection[str]) -> set[str]:
    """Addresses of aliases and forwards."""
    return set(
        Alias.objects.visible_to(actor).filter(address__among=addresses).values_list("address", flat=True)
    )
