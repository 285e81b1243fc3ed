"""A domain with what it needs on its first day: an administrator, his mailbox, the postmaster's address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from admin import policies
from admin.models import Account, Domain
from admin.operations.accounts import AccountSpec, MailboxSpec, create_hashed_accounts
from admin.operations.aliases import AliasSpec, create_aliases
from admin.operations.authorized_mx import Objection, unauthorized
from admin.operations.domains import DomainSpec, create_checked_domains
from core.operation import operation
from core.operations.passwords import Secret, hashed_secrets
from core.refusals import Reason, Refusal
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor

POSTMASTER = "postmaster"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAdministrator:
    """The account ``<local_part>@<domain>``. *password* None makes a random one, which the result carries."""

    local_part: str = "admin"
    password: str | None = None
    with_mailbox: bool = True
    # postmaster@ leads to the mailbox: RFC 5321 wants the address to be read.
    with_postmaster: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSetup:
    """A domain to create, with or without an administrator of its own."""

    domain: DomainSpec
    administrator: FirstAdministrator | None = None


@dataclass(frozen=True, slots=True)
class NewDomain:
    """A domain that was set up; *password* only when it was made at random, to be shown once."""

    domain: Domain
    administrator: Account | None = None
    password: str | None = None


def set_up_domains(
    actor: Actor,
    /,
    setups: Sequence[DomainSetup],
    *,
    complete: Callable[[Sequence[Domain]], object] | None = None,
) -> list[NewDomain]:
    """New domains with their first administrators, all or nothing.

    *complete* is called with the domains at the end of the transaction.

    Codes: those of domains; those of accounts and aliases beside ``administrator`` and ``administrator_password``.
    """
    wanted = [setup.administrator.password for setup in setups if setup.administrator is not None]
    names = [name for setup in setups for name in (setup.domain.name, *setup.domain.aliases)]
    return _set_up_domains(
        actor,
        setups,
        hashed_secrets(wanted) if wanted else [],
        unauthorized(actor, names),
        complete=complete,
    )


@operation("domain.create", allow=policies.may_manage_domains)
def _set_up_domains(
    actor: Actor,
    /,
    setups: Sequence[DomainSetup],
    secrets: Sequence[Secret],
    objections: Mapping[str, Objection],
    *,
    complete: Callable[[Sequence[Domain]], object] | None,
) -> list[NewDomain]:
    domains = create_checked_domains(actor, [setup.domain for setup in setups], objections)
    wanted = [
        (position, domains[position], setup.administrator)
        for position, setup in enumerate(setups)
        if setup.administrator is not None
    ]
    with _said_beside_the_administrator([position for position, *_rest in wanted]):
        created = create_hashed_accounts(
            actor, [_account(domain, first) for _p, domain, first in wanted], secrets
        )
    read = [
        (position, domain, new.account.email)
        for (position, domain, first), new in zip(wanted, created, strict=True)
        if first.with_mailbox and first.with_postmaster and new.account.email != _postmaster(domain)
    ]
    with _said_beside_the_administrator([position for position, *_rest in read]):
        create_aliases(
            actor,
            [AliasSpec(address=_postmaster(domain), recipients=(email,)) for _p, domain, email in read],
        )
    if complete is not None:
        complete(domains)
    by_position = {position: new for (position, *_rest), new in zip(wanted, created, strict=True)}
    return [
        NewDomain(domain, by_position[position].account, by_position[position].password)
        if position in by_position
        else NewDomain(domain)
        for position, domain in enumerate(domains)
    ]


def _postmaster(domain: Domain) -> str:
    return f"{POSTMASTER}@{domain.name}"


def _account(domain: Domain, first: FirstAdministrator) -> AccountSpec:
    address = f"{first.local_part.strip()}@{domain.name}"
    return AccountSpec(
        username=address,
        role=Role.DOMAIN_ADMIN,
        mailbox=MailboxSpec(address=address) if first.with_mailbox else None,
        administers=(domain.name,),
    )


@contextmanager
def _said_beside_the_administrator(positions: Sequence[int]) -> Iterator[None]:
    """Reasons of the parts, at the places of the whole; login and address are one field here."""
    try:
        yield
    except Refusal as refusal:
        told: dict[tuple[int, str, str], Reason] = {}
        for reason in refusal.reasons:
            field = "administrator_password" if reason.field == "password" else "administrator"
            place = positions[reason.position]
            told.setdefault((place, field, reason.code), replace(reason, position=place, field=field))
        raise Refusal(list(told.values())) from refusal
