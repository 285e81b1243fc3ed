"""Domains, people and aliases to try the panel with."""

from __future__ import annotations

from typing import Final

from admin.models import Domain
from admin.operations import (
    AccountSpec,
    AliasSpec,
    DomainSpec,
    MailboxSpec,
    create_accounts,
    create_aliases,
    create_domains,
)
from core.actor import Actor
from core.roles import Role

NAMES: Final = ("test.com", "test2.com")
# As well known as that of the administrator: debug mode only.
PASSWORD: Final = "Toto-2017"  # noqa: S105


def make(actor: Actor) -> None:
    """Each domain with an administrator, a simple user and, in the first one, aliases."""
    there = set(Domain.objects.visible_to(actor).filter(name__in=NAMES).values_list("name", flat=True))
    names = [name for name in NAMES if name not in there]
    create_domains(actor, [DomainSpec(name=name, quota=50, default_mailbox_quota=10) for name in names])
    create_accounts(
        actor,
        [
            AccountSpec(
                username=f"{local_part}@{name}",
                password=PASSWORD,
                role=role,
                mailbox=MailboxSpec(address=f"{local_part}@{name}"),
                administers=(name,) if role is Role.DOMAIN_ADMIN else (),
            )
            for name in names
            for local_part, role in (("admin", Role.DOMAIN_ADMIN), ("user", Role.SIMPLE_USER))
        ],
    )
    if NAMES[0] in names:
        create_aliases(
            actor,
            [
                AliasSpec(address="alias@test.com", recipients=("user@test.com",)),
                AliasSpec(address="forward@test.com", recipients=("user@external.com",)),
                AliasSpec(address="postmaster@test.com", recipients=("test@truc.fr", "admin@test.com")),
            ],
        )
