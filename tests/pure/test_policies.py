"""Every policy as a truth table. A policy without a table fails, so does a table without a policy."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from admin import policies
from admin.models import Account
from core import policies as core_policies
from core.actor import Actor, Credential
from core.roles import Role
from limits import policies as limit_policies
from parameters import policies as parameter_policies
from relaydomains import policies as relay_policies

SUPER, RESELLER, DOMAIN, SIMPLE = Role.SUPER_ADMIN, Role.RESELLER, Role.DOMAIN_ADMIN, Role.SIMPLE_USER
EVERYBODY = (SUPER, RESELLER, DOMAIN, SIMPLE)
ADMINISTRATORS = {SUPER, RESELLER, DOMAIN}


def actor(role: Role, pk: int = 1) -> Actor:
    return Actor(Account(pk=pk, username="actor", role=role), Credential.SESSION)


def account(role: Role, pk: int = 2) -> Account:
    return Account(pk=pk, username="account", role=role)


# Policies that look at the actor alone: the roles that may.
BY_ROLE: dict[str, set[Role]] = {
    "may_see_domains": ADMINISTRATORS,
    "may_manage_domains": {SUPER, RESELLER},
    "may_see_identities": ADMINISTRATORS,
    "may_manage_accounts": ADMINISTRATORS,
    "may_manage_aliases": ADMINISTRATORS,
    "may_open_api_settings": {SUPER},
    "may_see_system": {SUPER},
    "may_publish": {SUPER},
    "may_collect_last_logins": {SUPER},
    "may_decide_about_directories": {SUPER},
    "may_export_hashes": {SUPER},
    "may_make_master_users": {SUPER},
    "may_give_hashes": {SUPER},
    "may_import": ADMINISTRATORS,
    "may_change_parameters": {SUPER},
    "may_grant": {SUPER, RESELLER},
    "may_manage_relay_domains": {SUPER, RESELLER},
    "may_scan_services": {SUPER, RESELLER},
}
# Policies about an account: what (actor's role, account's role) answers for somebody else, and for himself.
NOT_ABOVE = {
    (SUPER, SUPER),
    (SUPER, RESELLER),
    (SUPER, DOMAIN),
    (SUPER, SIMPLE),
    (RESELLER, RESELLER),
    (RESELLER, DOMAIN),
    (RESELLER, SIMPLE),
    (DOMAIN, DOMAIN),
    (DOMAIN, SIMPLE),
}
BY_RELATION: dict[str, tuple[set[tuple[Role, Role]], set[Role]]] = {
    "is_not_above": (NOT_ABOVE | {(SIMPLE, SIMPLE)}, set(EVERYBODY)),
    "may_edit_account": (NOT_ABOVE, ADMINISTRATORS),
    "may_delete_account": (NOT_ABOVE, set()),
    # Of accounts that somebody else owns; tests/operations/test_limits.py has those that one owns oneself.
    "may_grant_to": ({(SUPER, RESELLER), (SUPER, DOMAIN)}, set()),
    "may_see_limits": ({(SUPER, RESELLER), (SUPER, DOMAIN)}, set(EVERYBODY)),
}
# Policies that look at what the actor showed.
BY_CREDENTIAL: dict[str, set[Credential]] = {
    "may_change_oneself": {Credential.SESSION, Credential.TOKEN, Credential.COMMAND},
    "may_manage_own_tokens": {Credential.SESSION, Credential.COMMAND},
    "may_reset_own_password": {Credential.RESET_LINK},
}
GRANTS: dict[Role, set[Role]] = {
    SUPER: set(EVERYBODY),
    RESELLER: {SIMPLE, DOMAIN},
    DOMAIN: {SIMPLE},
    SIMPLE: set(),
}
# Policies that look at both: super administrators at the command line.
AT_THE_COMMAND_LINE = {"may_clean_log", "may_repair"}
OTHER = {"roles_to_give", "may_set_own_forward"}
MODULES: Sequence[ModuleType] = (core_policies, policies, limit_policies, parameter_policies, relay_policies)


def functions() -> dict[str, Callable[..., Any]]:
    return {
        name: function
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_every_policy_has_a_table_and_every_table_a_policy() -> None:
    assert set(functions()) == {
        *BY_ROLE,
        *BY_RELATION,
        *BY_CREDENTIAL,
        *AT_THE_COMMAND_LINE,
        *OTHER,
    }


@pytest.mark.parametrize(("name", "role"), list(itertools.product(BY_ROLE, EVERYBODY)))
def test_a_policy_about_the_actor(name: str, role: Role) -> None:
    assert functions()[name](actor(role)) is (role in BY_ROLE[name])


@pytest.mark.parametrize(("name", "role"), list(itertools.product(BY_ROLE, EVERYBODY)))
def test_with_a_token_for_some_domains_everybody_is_at_most_an_administrator_of_domains(
    name: str, role: Role
) -> None:
    limited = replace(actor(role), domains=frozenset({1, 2}))
    assert limited.role is (SIMPLE if role is SIMPLE else DOMAIN)
    assert functions()[name](limited) is (limited.role in BY_ROLE[name])


@pytest.mark.parametrize(("name", "credential"), list(itertools.product(BY_CREDENTIAL, Credential)))
def test_a_policy_about_what_was_shown(name: str, credential: Credential) -> None:
    for role in EVERYBODY:
        shown = replace(actor(role), credential=credential)
        assert functions()[name](shown, "some", "values") is (credential in BY_CREDENTIAL[name])


@pytest.mark.parametrize(
    ("name", "role", "credential"),
    list(itertools.product(sorted(AT_THE_COMMAND_LINE), EVERYBODY, Credential)),
)
def test_a_policy_about_the_command_line(name: str, role: Role, credential: Credential) -> None:
    shown = replace(actor(role), credential=credential)
    assert functions()[name](shown) is (role is SUPER and credential is Credential.COMMAND)


def test_a_token_opens_no_page_about_tokens() -> None:
    assert not core_policies.may_open_api_settings(replace(actor(SUPER), credential=Credential.TOKEN))


@pytest.mark.parametrize("name", [name for name in BY_ROLE if name.startswith(("may_manage", "may_publish"))])
def test_what_an_operation_is_handed_does_not_matter_to_a_policy_about_the_actor(name: str) -> None:
    for role in EVERYBODY:
        assert functions()[name](actor(role), ["a batch"], "more") is (role in BY_ROLE[name])


@pytest.mark.parametrize(("name", "own", "other"), list(itertools.product(BY_RELATION, EVERYBODY, EVERYBODY)))
def test_a_policy_about_an_account(name: str, own: Role, other: Role) -> None:
    for_others, for_himself = BY_RELATION[name]
    assert functions()[name](actor(own), account(other)) is ((own, other) in for_others)
    assert functions()[name](actor(own), account(own, pk=1)) is (own in for_himself)


@pytest.mark.parametrize("role", EVERYBODY)
def test_nobody_gives_a_role_above_his_own(role: Role) -> None:
    assert set(policies.roles_to_give(actor(role))) == GRANTS[role]
    assert all(given.rank <= role.rank for given in policies.roles_to_give(actor(role)))


@pytest.mark.parametrize("role", EVERYBODY)
def test_whoever_has_a_mailbox_sets_its_forward(role: Role) -> None:
    without, having = actor(role), actor(role)
    having.user.email = "actor@example.org"
    assert policies.may_set_own_forward(having, "some", "values")
    assert not policies.may_set_own_forward(without)
