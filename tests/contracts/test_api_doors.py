"""The form and the API accept and refuse the same for the same reasons, and store the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from admin.models import Account, Alias, Domain, DomainAlias, SenderAddress
from admin.operations import (
    AccountSpec,
    DomainAliasSpec,
    SenderAddressSpec,
    add_sender_addresses,
    create_accounts,
    create_alias,
    create_domain_aliases,
)
from core.models import User
from core.roles import Role
from limits.models import Allowance
from relaydomains.models import RelayDomain
from relaydomains.operations import create_relay_domain
from tests.cast import PASSWORD, Cast
from tests.contracts.api_client import Program
from tests.contracts.opened_forms import codes, opened
from tests.contracts.test_doors_agree import Rows, stored

NEW = "Another-Horse-8"
# Fields that are typed, in the form of a change; the others are as they were opened.
Data = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One write. *page*: a URL name, *of*: the object (by its name), *call*: method and path with {pk}."""

    name: str
    page: str
    data: Data
    call: str
    body: Any
    by: str = "root"
    of: str = ""
    refused: bool = False
    # The object of the API where it is another one than that of the form.
    api_of: str = ""


def new_domain(by: str = "rita", *, refused: bool = False, **values: Any) -> Case:
    typed = {"name": "new.example", "enabled": "on", "enable_dns_checks": "on"} | values
    return Case(
        "new domain",
        "admin:domain_create",
        typed,
        "POST /domains/",
        {"name": "new.example"} | values,
        by,
        refused=refused,
    )


def domain(by: str = "root", of: str = "dora.example", *, refused: bool = False, **values: Any) -> Case:
    call = "PATCH /domains/{pk}/"
    typed = {"keep_old_name": "", **values}
    if values.get("enabled") is False:
        typed["enabled"] = ""
    return Case("domain", "admin:domain_update", typed, call, values, by, of, refused=refused)


def new_domain_alias(name: str, *, refused: bool = False, by: str = "root") -> Case:
    call, body = "POST /domainaliases/", {"name": name, "target": "pk of dora.example"}
    data = {"aliases": ["old.test", name]}
    return Case(
        "new domain alias", "admin:domain_update", data, call, body, by, "dora.example", refused=refused
    )


def new_account(by: str = "dora", *, refused: bool = False, quota: int | None = None, **values: Any) -> Case:
    local = values.pop("local", "new")
    typed = {
        "address_local": local,
        "address_domain": "dora.example",
        "role": "SimpleUsers",
        "password_mode": "type",
        "password": PASSWORD,
        "is_active": "on",
        "quota_mode": "domain" if quota is None else "own",
        "quota": "" if quota is None else quota,
    } | values
    username = f"{local}@dora.example"
    body: Data = {"username": username, "role": "SimpleUsers", "password": PASSWORD} | values
    if quota is not None:
        body["mailbox"] = {"full_address": username, "quota": quota}
    return Case("new account", "admin:account_create", typed, "POST /accounts/", body, by, refused=refused)


def account(
    data: Data, body: Data, by: str = "root", of: str = "sam@dora.example", *, refused: bool = False
) -> Case:
    return Case(
        "account", "admin:account_update", data, "PATCH /accounts/{pk}/", body, by, of, refused=refused
    )


def new_alias(
    recipients: list[str], by: str = "dora", local: str = "new", *, refused: bool = False, **values: Any
) -> Case:
    typed = {
        "address_local": local,
        "address_domain": "dora.example",
        "enabled": "on",
        "recipients": recipients,
    }
    body = {"address": f"{local}@dora.example", "recipients": recipients} | values
    return Case(
        "new alias", "admin:alias_create", typed | values, "POST /aliases/", body, by, refused=refused
    )


def alias(data: Data, body: Data, by: str = "dora", *, refused: bool = False) -> Case:
    of, call = "info@dora.example", "PATCH /aliases/{pk}/"
    return Case("alias", "admin:alias_update", data, call, body, by, of, refused=refused)


def new_relay(by: str = "root", *, refused: bool = False, **values: Any) -> Case:
    body = {"name": "new.example", "target_host": "9.9.9.9", "target_port": 26, "service": "relay"} | values
    typed = {"enabled": "on", "enable_dns_checks": "on"} | body
    page, call = "relaydomains:relay_domain_create", "POST /relaydomains/"
    return Case("new relay domain", page, typed, call, body, by, refused=refused)


def relay(*, refused: bool = False, **values: Any) -> Case:
    page, call = "relaydomains:relay_domain_update", "PATCH /relaydomains/{pk}/"
    return Case("relay domain", page, values, call, values, "root", "relay.test", refused=refused)


def limit(by: str = "root", of: str = "rita", *, refused: bool = False, **values: int) -> Case:
    typed = {f"{name}_limit": value for name, value in values.items()}
    call = "PATCH /resources/{pk}/"
    return Case("limits", "admin:account_update", typed, call, values, by, of, refused=refused)


def new_sender(address: str, *, refused: bool = False) -> Case:
    data = {"sender_addresses": ["old@dora.example", address]}
    body = {"address": address, "mailbox": "sam@dora.example"}
    of, call = "sam@dora.example", "POST /senderaddresses/"
    return Case("new sender address", "admin:account_update", data, call, body, "dora", of, refused=refused)


def gone(page: str, of: str, call: str, by: str = "root", *, refused: bool = False, api_of: str = "") -> Case:
    data = {"confirmation": of}
    return Case("deletion", page, data, f"DELETE {call}", None, by, of, refused=refused, api_of=api_of)


CASES = [
    new_domain("root"),
    new_domain(refused=True),  # nothing is unlimited out of a pool
    new_domain(quota=10, default_mailbox_quota=5),
    new_domain("root", name="Bücher.example", quota=1000),
    new_domain(name="dora.example", refused=True),
    new_domain(name="old.test", refused=True),
    new_domain(name="under_score.example", refused=True),
    new_domain(name="", refused=True),
    new_domain(quota=5, default_mailbox_quota=10, refused=True),
    new_domain("root", quota=2**33 + 1, refused=True),
    new_domain("root", default_mailbox_quota=2**33 + 1, refused=True),
    new_domain(name="gmail.com", refused=True),
    domain(quota=200_000),
    domain(enabled=False),
    domain("rita", "reseller.example", default_mailbox_quota=7),
    domain(name="other.example"),
    domain(default_mailbox_quota=300_000, refused=True),
    domain(name="mallory.example", refused=True),
    domain(name="no name", refused=True),
    new_domain_alias("further.test"),
    new_domain_alias("mallory.example", refused=True),
    new_domain_alias("under_score.test", refused=True),
    Case(
        "domain alias",
        "admin:domain_update",
        {"aliases": []},
        "DELETE /domainaliases/{pk}/",
        None,
        of="dora.example",
        api_of="old.test",
    ),
    new_account(),
    new_account("root", quota=0),
    new_account(quota=0, refused=True),  # nothing is unlimited in a limited domain
    new_account(
        quota=12, first_name="Jo", last_name="Smith", secondary_email="jo@home.example", language="fr"
    ),
    new_account(local="sam", refused=True),
    new_account(local="no blank", refused=True),
    new_account(password="short", refused=True),
    new_account(password="12345678", refused=True),
    new_account(quota=2**33 + 1, refused=True),
    new_account(quota=300_000, refused=True),
    new_account(secondary_email="nonsense", refused=True),
    new_account(language="tlh", refused=True),
    new_account("root", phone_number="x" * 129, refused=True),
    account({"first_name": "Jo", "last_name": "S"}, {"first_name": "Jo", "last_name": "S"}),
    account({"is_active": ""}, {"is_active": False}, "dora"),
    account({"quota_mode": "own", "quota": 5}, {"mailbox": {"full_address": "sam@dora.example", "quota": 5}}),
    account(
        {"address_local": "samuel", "address_domain": "dora.example", "keep_old_address": ""},
        {"username": "samuel@dora.example", "mailbox": {"full_address": "samuel@dora.example"}},
        "dora",
    ),
    account({"role": "Resellers"}, {"role": "Resellers"}),
    account(
        {"role": "DomainAdmins", "administers": ["dora.example"]},
        {"role": "DomainAdmins", "domains": ["dora.example"]},
    ),
    account({"administers": ["mallory.example"]}, {"domains": ["mallory.example"]}, of="dora@dora.example"),
    account({"password_mode": "type", "password": NEW}, {"password": NEW}, "dora"),
    account({"password_mode": "type", "password": "short"}, {"password": "short"}, "dora", refused=True),
    account({"secondary_email": "nonsense"}, {"secondary_email": "nonsense"}, refused=True),
    account(
        {"quota_mode": "own", "quota": 300_000},
        {"mailbox": {"full_address": "sam@dora.example", "quota": 300_000}},
        "dora",
        refused=True,
    ),
    account(
        {"address_local": "dora", "address_domain": "dora.example"},
        {"username": "dora@dora.example", "mailbox": {"full_address": "dora@dora.example"}},
        refused=True,
    ),
    new_alias(["sam@dora.example", "x@else.example"]),
    new_alias(["x@else.example"], local=""),
    new_alias(["x@else.example"], expire_at="2101-01-01T00:00", description="For a while"),
    new_alias(["x@else.example"], local="info", refused=True),
    new_alias(["nobody@dora.example"], refused=True),
    new_alias(["no address"], refused=True),
    new_alias(["new@dora.example"], refused=True),
    new_alias(["x@else.example"], expire_at="2001-01-01T00:00", refused=True),
    alias({"recipients": ["x@else.example"]}, {"recipients": ["x@else.example"]}),
    alias({"enabled": "", "description": "Off"}, {"enabled": False, "description": "Off"}),
    alias({"recipients": ["nobody@dora.example"]}, {"recipients": ["nobody@dora.example"]}, refused=True),
    alias({"expire_at": "2001-01-01T00:00"}, {"expire_at": "2001-01-01T00:00"}, refused=True),
    new_relay(),
    new_relay("rita", refused=True),
    new_relay("rita", quota=10, default_mailbox_quota=5),
    new_relay(verify_recipients=True, quota=10, default_mailbox_quota=5),
    new_relay(name="dora.example", refused=True),
    new_relay(target_host="a b", refused=True),
    new_relay("rita", target_host="127.0.0.1", refused=True),
    new_relay(service="nothing", refused=True),
    relay(target_port=2525, service="smtp"),
    relay(target_host="mail.else.example"),
    relay(target_host="a b", refused=True),
    relay(service="nothing", refused=True),
    limit(domains=7, quota=1000),
    limit("rita", "helper", mailboxes=5),
    limit(domains=0, refused=True),
    limit("rita", "helper", mailboxes=10**6, refused=True),
    new_sender("info@dora.example"),
    new_sender("info@mallory.example", refused=True),
    new_sender("no address", refused=True),
    Case(
        "sender address",
        "admin:account_update",
        {"sender_addresses": []},
        "DELETE /senderaddresses/{pk}/",
        None,
        "dora",
        "sam@dora.example",
        api_of="old@dora.example",
    ),
    gone("admin:domain_delete", "mallory.example", "/domains/{pk}/"),
    gone("admin:domain_delete", "reseller.example", "/domains/{pk}/", "rita"),
    gone("admin:domain_delete", "relay.test", "/relaydomains/{pk}/"),
    gone("admin:account_delete", "sam@dora.example", "/accounts/{pk}/", "dora"),
    gone("admin:alias_delete", "info@dora.example", "/aliases/{pk}/", "dora"),
]


@pytest.fixture
def stage(cast: Cast) -> Cast:
    """The cast, with something of every kind; rita may have one domain more with 100 MB."""
    Allowance.objects.filter(user=cast.rita.pk).update(domains_max=20, quota_max=100, mailboxes_max=50)
    create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    create_domain_aliases(cast.root, [DomainAliasSpec(name="old.test", target="dora.example")])
    create_relay_domain(cast.root, name="relay.test", target_host="9.9.9.9")
    add_sender_addresses(
        cast.root, [SenderAddressSpec(address="old@dora.example", mailbox="sam@dora.example")]
    )
    helper = AccountSpec(
        username="helper", role=Role.DOMAIN_ADMIN, password=PASSWORD, administers=("reseller.example",)
    )
    create_accounts(cast.rita, [helper])
    return cast


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.by} {case.call} {case.of} {case.body}"[:250])
def test_form_and_api_agree(stage: Cast, case: Case) -> None:
    before = _everything()
    form_says, after_form = _in_a_world_of_its_own(lambda: _by_form(stage, case))
    api_says, after_api = _in_a_world_of_its_own(lambda: _by_api(stage, case))
    assert form_says == api_says
    assert after_form == after_api
    assert bool(form_says) == case.refused
    assert (after_form == before) == case.refused


def _in_a_world_of_its_own(door: Callable[[], set[str]]) -> tuple[set[str], list[str]]:
    with transaction.atomic():
        said = door()
        result = said, _everything()
        transaction.set_rollback(True)
    return result


def _by_form(cast: Cast, case: Case) -> set[str]:
    browser = Client()
    browser.force_login(cast.everybody[case.by].user)
    url = reverse(case.page, args=[_object(case.of).pk] if case.of else [])
    given = case.data if "delete" in case.page else opened(browser, url) | case.data
    answer = browser.post(url, {name: value for name, value in given.items() if value != ""})
    said = codes(answer)
    assert answer.status_code == (422 if said else 302), answer.content
    return said


def _by_api(cast: Cast, case: Case) -> set[str]:
    method, _space, path = case.call.partition(" ")
    of = case.api_of or case.of
    body = case.body
    if isinstance(body, dict) and "target" in body:
        body = body | {"target": cast.dora_example.pk}
    program = Program(cast.everybody[case.by])
    answer = program.ask(method, path.format(pk=_object(of).pk if of else 0), body)
    assert (answer.status_code < 300) == (not answer.value or "codes" not in answer.value), answer.value
    return _leaves(answer.value["codes"]) if answer.status_code >= 300 else set()


def _leaves(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    return set().union(*map(_leaves, value.values() if isinstance(value, dict) else value))


def _object(name: str) -> Any:
    """By the name that people call it."""
    for model, column in (
        (Domain, "name"),
        (DomainAlias, "name"),
        (Account, "username"),
        (Alias, "address"),
        (SenderAddress, "address"),
    ):
        if found := model.objects.filter(**{column: name}).first():
            return found
    raise LookupError(name)


def _everything() -> list[str]:
    """What people manage, without keys and instants; of passwords, which of the two it is."""
    rows: Rows = [
        *stored(),
        *SenderAddress.objects.values_list("address", "mailbox__user__username"),
        *RelayDomain.objects.values_list(
            "domain__name", "target_host", "target_port", "service__name", "verify_recipients"
        ),
        *Domain.objects.values_list("name", "administrators__username"),
        *Account.objects.values_list(
            "username", "first_name", "last_name", "language", "phone_number", "owner__username"
        ),
        *Allowance.objects.values_list(
            "user__username",
            "domains_max",
            "domains_used",
            "mailboxes_max",
            "mailboxes_used",
            "mailbox_aliases_used",
            "domain_aliases_used",
            "quota_max",
            "quota_used",
        ),
        *((user.username, "new password") for user in User.objects.all() if user.check_password(NEW)),
    ]
    return sorted(map(repr, rows))
