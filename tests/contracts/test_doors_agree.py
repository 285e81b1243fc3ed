"""The form and the command say the same about the same case, and store the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias, Mailbox
from admin.operations import create_alias, create_domain
from limits.kinds import OF_DOMAINS
from limits.models import Allowance
from tests.cast import Cast
from tests.stored_parameters import store

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Case:
    """One creation through both doors: the form's page and data, the command and its words."""

    name: str
    page: str
    data: dict[str, Any]
    command: str
    words: list[str]
    refused: bool = False
    by: str = "root"


def domain(name: str, *, refused: bool = False, **data: Any) -> Case:
    posted = {"name": name, "enabled": "on", **data}
    words: list[str] = []
    for option, key in (("--quota", "quota"), ("--default-mailbox-quota", "default_mailbox_quota")):
        words += [f"{option}={data[key]}"] if key in data else []
    words += [f"--alias={alias}" for alias in data.get("aliases", ())]
    return Case(
        f"domain {name!r} {data}",
        "domain_create",
        posted,
        "create_domain",
        [*words, "--", name],
        refused=refused,
    )


def account(local_part: str, *, refused: bool = False, **data: Any) -> Case:
    posted = {
        "address_local": local_part,
        "address_domain": "dora.example",
        "password_mode": "generate",
        "quota_mode": "own" if "quota" in data else "domain",
        "role": "SimpleUsers",
        "is_active": "on",
        **data,
    }
    words = [f"--quota={data['quota']}"] if "quota" in data else []
    words += [f"--sender={sender}" for sender in data.get("sender_addresses", ())]
    words += [f"--secondary-email={data['secondary_email']}"] if "secondary_email" in data else []
    return Case(
        f"account {local_part!r} {data}",
        "account_create",
        posted,
        "create_account",
        [*words, "--", f"{local_part}@dora.example"],
        refused=refused,
    )


def alias(local_part: str, recipients: list[str], *, refused: bool = False, **data: Any) -> Case:
    posted = {
        "address_local": local_part,
        "address_domain": "dora.example",
        "recipients": recipients,
        "enabled": "on",
        **data,
    }
    words = [f"--expires={data['expire_at']}"] if "expire_at" in data else []
    return Case(
        f"alias {local_part!r} {recipients} {data}",
        "alias_create",
        posted,
        "create_alias",
        [*words, "--", f"{local_part}@dora.example", *recipients],
        refused=refused,
    )


CASES = [
    domain("new.example"),
    domain("Bücher.example", quota=1000, default_mailbox_quota=10, aliases=["new.example"]),
    domain("dora.example", refused=True),
    domain("co.uk"),
    domain("under_score.example", refused=True),
    domain("[127.0.0.1]", refused=True),
    domain("small.example", quota=5, default_mailbox_quota=10, refused=True),
    domain("big.example", quota=2**33 + 1, refused=True),
    domain("a.example", aliases=["mallory.example"], refused=True),
    account("new"),
    account("new", quota=0),
    account("new", quota=512, sender_addresses=["other@elsewhere.example"]),
    account("sam", refused=True),
    account("..", refused=True),
    account("-rf", refused=True),
    account("a/b", refused=True),
    account("Ünï", refused=True),
    account("new", quota=2**33 + 1, refused=True),
    account("new", sender_addresses=["not an address"], refused=True),
    account("new", secondary_email="nonsense", refused=True),
    alias("info", ["sam@dora.example", "friend@elsewhere.example"]),
    alias("", ["sam@dora.example"]),
    alias("sam", ["friend@elsewhere.example"]),
    alias("info", ["nobody@dora.example"], refused=True),
    alias("info", ["info@dora.example"], refused=True),
    alias("info", ["|rm@elsewhere.example"], refused=True),
    alias("info", ["sam@dora.example"], expire_at="2001-01-01T00:00", refused=True),
    alias("sam", ["friend@elsewhere.example"], expire_at="2101-01-01T00:00", refused=True),
]


RITA, DORA = "rita", "dora@dora.example"
# Where little is left: rita may have one domain more with 100 MB, dora one alias; dora.example takes no mailbox.
UNDER_LIMITS = [
    replace(domain("new.example", quota=100, default_mailbox_quota=10), by=RITA),
    replace(domain("new.example", quota=101, default_mailbox_quota=10, refused=True), by=RITA),
    replace(domain("new.example", refused=True), by=RITA),
    replace(
        domain("new.example", quota=10, default_mailbox_quota=1, aliases=["a.example"], refused=True), by=RITA
    ),
    domain("new.example", aliases=["a.example"]),
    replace(account("new", refused=True), by=DORA),
    account("new", refused=True),
    replace(alias("info", ["friend@elsewhere.example"]), by=DORA),
    replace(alias("sam", ["friend@elsewhere.example"]), by=DORA),
]
NOTHING_LEFT = [
    replace(domain("new.example", quota=10, default_mailbox_quota=1, refused=True), by=RITA),
    replace(alias("info", ["friend@elsewhere.example"], refused=True), by=DORA),
    alias("info", ["friend@elsewhere.example"], refused=True),
    replace(alias("sam", ["friend@elsewhere.example"]), by=DORA),
]
WITH_A_QUOTA = [
    replace(account("new", quota=0, refused=True), by=DORA),
    account("new", quota=102_000),
    account("new", quota=102_201, refused=True),
]


def stored() -> Rows:
    """What people manage, without keys, secrets and instants."""
    return [
        *Domain.objects.values_list("name", "quota", "default_mailbox_quota", "enabled", "owner__username"),
        *DomainAlias.objects.values_list("name", "target__name", "enabled"),
        *Account.objects.values_list("username", "email", "role", "is_active", "secondary_email"),
        *Mailbox.objects.values_list("address", "domain__name", "quota", "use_domain_quota"),
        *Alias.objects.values_list("address", "enabled", "description", "expire_at"),
        *AliasRecipient.objects.values_list("alias__address", "address", "mailbox__address"),
    ]


def by_form(case: Case) -> tuple[set[str], Rows]:
    client = Client()
    client.force_login(Account.objects.get(username=case.by))
    response = client.post(reverse(f"admin:{case.page}"), case.data)
    form = response.context["form"] if response.context and "form" in response.context else None
    errors = form.errors.get_json_data() if form is not None else {}
    assert response.status_code == (422 if errors else response.status_code)
    return {entry["message"] for entries in errors.values() for entry in entries}, stored()


def by_command(case: Case) -> tuple[set[str], Rows]:
    try:
        call_command(case.command, f"--as={case.by}", *case.words, stdout=StringIO())
    except CommandError as error:
        return {line.partition(": ")[2] or line for line in str(error).splitlines()}, stored()
    return set(), stored()


def in_a_world_of_its_own(door: Callable[[Case], tuple[set[str], Rows]], case: Case) -> tuple[set[str], Rows]:
    """Go through a door and take everything back."""
    with transaction.atomic():
        result = door(case)
        transaction.set_rollback(True)
    return result


@pytest.fixture
def little(cast: Cast) -> Cast:
    """A little is left."""
    limits = {"domains_max": 2, "quota_max": 100, "domain_aliases_max": 0}
    Allowance.objects.filter(user=cast.rita.pk).update(**limits)
    Allowance.objects.filter(user=cast.dora.pk).update(mailboxes_max=5, mailbox_aliases_max=1)
    Domain.objects.filter(pk=cast.dora_example.pk).update(mailboxes_limit=2, mailbox_aliases_limit=1)
    values = {"enable_domain_limits": True, **{f"deflt_domain_{kind}_limit": 1 for kind in OF_DOMAINS}}
    store("limits", **values)
    return cast


@pytest.fixture
def nothing(little: Cast) -> Cast:
    """And that is taken."""
    create_domain(little.rita, name="last.example", quota=100, default_mailbox_quota=1)
    create_alias(little.dora, address="last@dora.example", recipients=("x@elsewhere.example",))
    return little


@pytest.mark.parametrize("case", CASES + WITH_A_QUOTA, ids=lambda case: f"{case.by} {case.name}")
@pytest.mark.usefixtures("cast")
def test_form_and_command_agree(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", UNDER_LIMITS, ids=lambda case: f"{case.by} {case.name}")
@pytest.mark.usefixtures("little")
def test_form_and_command_agree_when_little_is_left(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", NOTHING_LEFT, ids=lambda case: f"{case.by} {case.name}")
@pytest.mark.usefixtures("nothing")
def test_form_and_command_agree_when_nothing_is_left(case: Case) -> None:
    check(case)


def check(case: Case) -> None:
    before = stored()
    form_says, after_form = in_a_world_of_its_own(by_form, case)
    command_says, after_command = in_a_world_of_its_own(by_command, case)
    assert form_says == command_says
    assert sorted(map(str, after_form)) == sorted(map(str, after_command))
    assert bool(form_says) == case.refused
    assert (after_form == before) == case.refused
