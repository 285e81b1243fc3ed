"""A token for some domains: at most an administrator of these, and nothing at all elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from admin.models import Account, Alias, Domain, DomainAlias, Mailbox, SenderAddress
from admin.operations import (
    AliasSpec,
    create_account,
    create_aliases,
    create_domain,
    create_domain_aliases,
    create_domains,
    delete_domains,
    update_account,
    update_domain,
)
from admin.operations.accounts import MailboxSpec
from admin.operations.domains import DomainAliasSpec, DomainSpec
from core.actor import Actor, Credential
from core.models import ApiToken, Log
from core.operations.tokens import create_token
from core.roles import Role
from limits.kinds import Kind
from limits.models import Allowance
from relaydomains.models import RelayDomain, Service
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import forbidden, refused, refused_as


def only_in(actor: Actor, *domains: Domain) -> Actor:
    return replace(actor, credential=Credential.TOKEN, domains=frozenset(each.pk for each in domains))


def made(actor: Actor, *names: str) -> ApiToken:
    owner = replace(actor, credential=Credential.COMMAND)
    return create_token(owner, name="report", scopes=["domains:read"], domains=names).token


# --- making one ------------------------------------------------------------------------------------------------


def test_it_keeps_the_domains_whatever_their_names_become(cast: Cast) -> None:
    create_domain(cast.root, name="münchen.example")
    munich = Domain.objects.get(name="xn--mnchen-3ya.example")
    token = made(cast.root, "münchen.example", "Dora.Example", "dora.example")
    assert token.domains == sorted([munich.pk, cast.dora_example.pk])
    update_domain(cast.root, munich, name="munich.example")
    assert Domain.objects.visible_to(only_in(cast.root, munich)).get().name == "munich.example"
    assert made(cast.root).domains is None


@pytest.mark.parametrize("who", ["rita", "dora", "sam"])
def test_nobody_names_domains_that_are_not_his(cast: Cast, who: str) -> None:
    with refused((0, "domains", "unknown_domain"), (0, "domains", "unknown_domain")):
        made(getattr(cast, who), "mallory.example", "nowhere.example")


def test_a_list_of_domains_has_an_end(cast: Cast) -> None:
    with refused_as("domains", "too_many"):
        made(cast.root, *["dora.example"] * 501)


# --- what it sees ----------------------------------------------------------------------------------------------


def seen(actor: Actor) -> dict[str, set[str]]:
    """Everything that is visible, by kind, in words."""
    kinds = (
        (Domain, "name"),
        (DomainAlias, "name"),
        (Account, "username"),
        (Mailbox, "user__email"),
        (Alias, "address"),
        (SenderAddress, "address"),
        (RelayDomain, "domain__name"),
        (Service, "name"),
        (Log, "object_name"),
    )
    return {
        model.__name__: set(model._default_manager.visible_to(actor).values_list(column, flat=True))
        for model, column in kinds
    }


@pytest.fixture
def world(cast: Cast) -> Cast:
    """Something of every kind, in every domain."""
    for name in ("dora", "mallory", "reseller"):
        domain = f"{name}.example"
        create_domain_aliases(cast.root, [DomainAliasSpec(name=f"{name}.alias.example", target=domain)])
        create_aliases(cast.root, [AliasSpec(address=f"info@{domain}", recipients=("x@elsewhere.example",))])
        box = MailboxSpec(address=f"jo@{domain}", sender_addresses=(f"{name}@elsewhere.example",))
        create_account(
            cast.root, username=f"jo@{domain}", role=Role.SIMPLE_USER, password=PASSWORD, mailbox=box
        )
    create_account(cast.rita, username="helper", role=Role.DOMAIN_ADMIN, password=PASSWORD)
    return cast


@pytest.mark.parametrize("who", ["root", "dora"])
def test_it_sees_what_an_administrator_of_these_domains_sees(world: Cast, who: str) -> None:
    found = seen(only_in(getattr(world, who), world.dora_example))
    assert found == {
        "Domain": {"dora.example"},
        "DomainAlias": {"dora.alias.example"},
        "Account": {"dora@dora.example", "sam@dora.example", "jo@dora.example"},
        "Mailbox": {"dora@dora.example", "sam@dora.example", "jo@dora.example"},
        "Alias": {"info@dora.example"},
        "SenderAddress": {"dora@elsewhere.example"},
        "RelayDomain": set(),
        "Service": set(),
        "Log": set(),
    }


def test_it_never_sees_more_than_its_owner_or_than_its_domains(world: Cast) -> None:
    domains = list(Domain.objects.all())
    for actor in world.everybody.values():
        everything = seen(actor)
        for domain in domains:
            limited = only_in(actor, domain)
            for kind, names in seen(limited).items():
                assert names <= everything[kind], (actor, domain, kind)
                in_domain = {name for name in names if kind in {"Account", "Mailbox", "Alias", "Domain"}}
                assert all(name.endswith(domain.name) for name in in_domain), (actor, domain, kind)
            assert limited.role in {Role.SIMPLE_USER, Role.DOMAIN_ADMIN}
            assert not limited.is_super


def test_a_domain_that_was_deleted_leaves_nothing(world: Cast) -> None:
    limited = only_in(world.root, world.mallory_example)
    delete_domains(world.root, [world.mallory_example])
    assert not any(seen(limited).values())
    assert not any(seen(only_in(world.root)).values()), "no domains are not all domains"


def test_a_right_that_its_owner_lost_is_lost_to_it(world: Cast) -> None:
    limited = only_in(world.dora, world.dora_example)
    dora = Account.objects.get(pk=world.dora.pk)
    update_account(world.root, dora, role=Role.SIMPLE_USER, administers=())
    limited = replace(limited, user=Account.objects.get(pk=dora.pk))
    assert not any(seen(limited).values())


# --- what it does ----------------------------------------------------------------------------------------------


def new_account(actor: Actor, address: str, role: Role = Role.SIMPLE_USER) -> Any:
    box = MailboxSpec(address=address)
    return create_account(actor, username=address, role=role, password=PASSWORD, mailbox=box)


@pytest.mark.parametrize("who", ["root", "dora"])
def test_it_manages_accounts_and_aliases_in_its_domains_only(cast: Cast, who: str) -> None:
    actor = only_in(getattr(cast, who), cast.dora_example)
    made_account = new_account(actor, "new@dora.example").account
    update_account(actor, made_account, first_name="New")
    create_aliases(actor, [AliasSpec(address="team@dora.example", recipients=("new@dora.example",))])
    with refused_as("address", "unknown_domain"):
        new_account(actor, "new@mallory.example")
    with refused_as("address", "unknown_domain"):
        create_aliases(actor, [AliasSpec(address="team@mallory.example", recipients=("new@dora.example",))])
    with refused_as("", "gone"):
        update_account(actor, Account.objects.get(pk=cast.mallory.pk), first_name="Mine")


def test_domains_themselves_and_administrators_are_out_of_its_reach(cast: Cast) -> None:
    actor = only_in(cast.root, cast.dora_example)
    with forbidden():
        create_domains(actor, [DomainSpec(name="new.example")])
    with forbidden():
        update_domain(actor, cast.dora_example, quota=0)
    with forbidden():
        delete_domains(actor, [cast.dora_example])
    with refused_as("role", "role_not_yours"):
        new_account(actor, "new@dora.example", Role.DOMAIN_ADMIN)


def test_it_does_not_act_on_its_owner(cast: Cast) -> None:
    """Who could give him a new password would have all his other domains, too."""
    actor = only_in(cast.dora, cast.dora_example)
    own = Account.objects.get(pk=cast.dora.pk)
    assert own in Account.objects.visible_to(actor)
    assert own not in Account.objects.within_reach_of(actor)
    with forbidden():
        update_account(actor, own, password="Another-Horse-8")
    with refused_as("address", "above_you"):
        create_aliases(actor, [AliasSpec(address="dora@dora.example", recipients=("x@elsewhere.example",))])


def test_what_is_made_with_it_is_paid_by_its_owner(cast: Cast) -> None:
    """Who has no limits pays nothing; a reseller pays as ever."""
    new_account(only_in(cast.root, cast.dora_example), "new@dora.example")
    assert not Allowance.objects.filter(user=cast.root.pk).exists()
    Allowance.objects.filter(user=cast.rita.pk).update(**{f"{Kind.MAILBOXES}_max": 1})
    actor = only_in(cast.rita, cast.reseller_example)
    new_account(actor, "one@reseller.example")
    with refused_as("address", "limit_reached"):
        new_account(actor, "two@reseller.example")
