"""A page costs the same number of statements for 2 rows and for 22."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from admin.models import Account, Alias, Domain, MailboxOperation
from admin.operations import (
    AccountSpec,
    AliasSpec,
    Appointment,
    DomainChange,
    DomainSpec,
    MailboxSpec,
    add_administrators,
    create_accounts,
    create_aliases,
    create_domains,
    update_domains,
)
from core.actor import Actor
from core.roles import Role
from limits.kinds import OF_DOMAINS, Kind
from relaydomains.operations import RelayDomainSpec, create_relay_domains
from tests.cast import PASSWORD, Cast
from tests.stored_parameters import store

LIST_STATEMENTS = 10
PAGE_STATEMENTS = 15
LISTS = [
    "/dashboard/",
    "/admin/domains/",
    "/admin/domains/?q=example&sort=-quota",
    "/admin/domains/?sort=mailboxes&status=enabled",
    "/admin/domains/?type=relaydomain&service=relay&sort=-aliases",
    "/admin/identities/",
    "/admin/identities/?q=example&sort=-name",
    "/admin/identities/?sort=storage&status=enabled&domain=dora.example",
    "/admin/identities/?kind=account",
    "/admin/identities/?kind=alias&sort=kind",
    "/admin/identities/quotas/",
    "/admin/identities/quotas/?q=example&sort=-used",
    "/admin/identities/quotas/?sort=usage&status=enabled&domain=dora.example",
    "/admin/identities/quotas/?sort=-limit&usage=over80",
]
SEARCHES = ["/search/?q=p", "/search/?q=a1@dora"]  # one statement for each kind of thing
PEOPLE = ["root", "rita", "dora"]


@pytest.fixture
def few(cast: Cast) -> Cast:
    """Two of everything that is listed, for everybody who looks."""
    store("core", items_per_page=500)
    _add(cast, 0, 2)
    return cast


def _add(cast: Cast, first: int, last: int) -> None:
    numbers = range(first, last)
    for actor, domain in ((cast.root, "dora.example"), (cast.rita, "reseller.example")):
        addresses = [f"p{number}@{domain}" for number in numbers]
        create_accounts(
            actor,
            [
                AccountSpec(
                    username=address,
                    password=PASSWORD,
                    role=Role.SIMPLE_USER,
                    mailbox=MailboxSpec(address=address, sender_addresses=(f"s{address}",)),
                )
                for address in addresses
            ],
        )
        targets = (f"p0@{domain}", "a@else.example", "b@else.example", "c@else.example", "d@else.example")
        create_aliases(
            actor, [AliasSpec(address=f"a{number}@{domain}", recipients=targets) for number in numbers]
        )
        name = domain.partition(".")[0]
        specs = [
            DomainSpec(name=f"{name}{number}.example", aliases=(f"{name}{number}.test",))
            for number in numbers
        ]
        create_domains(actor, specs)
        relays = [
            RelayDomainSpec(
                name=f"{name}-relay{number}.example",
                target_host="9.9.9.9",
                aliases=(f"{name}-relay{number}.test",),
            )
            for number in numbers
        ]
        made = create_relay_domains(actor, relays)
        if actor is cast.root:
            add_administrators(actor, [Appointment(relay.domain, "dora@dora.example") for relay in made])


def _statements(browser: Client, url: str) -> tuple[int, list[str]]:
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(url)
    assert answer.status_code == 200, url
    return len(queries), [query["sql"] for query in queries.captured_queries]


@pytest.mark.parametrize("person", PEOPLE)
def test_lists_cost_the_same_for_2_and_for_22_rows(
    person: str, few: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    browser = browser_of(few.everybody[person])
    _statements(browser, LISTS[0])  # what a process looks up once
    with_few = {url: _statements(browser, url)[0] for url in LISTS + SEARCHES}
    _add(few, 2, 22)
    with_many = {url: _statements(browser, url)[0] for url in LISTS + SEARCHES}
    assert with_many == with_few
    most = dict.fromkeys(LISTS, LIST_STATEMENTS) | dict.fromkeys(SEARCHES, PAGE_STATEMENTS)
    assert {url: count for url, count in with_many.items() if count > most[url]} == {}


def test_the_list_of_mail_directories_costs_the_same_for_1_and_for_300_orders(
    few: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    urls = [
        "/admin/directories/",
        "/admin/directories/?q=dora&sort=-age",
        "/admin/directories/?state=failed&kind=rename&sort=state",
        "/admin/directories/?trash=kept&sort=address",
    ]
    browser = browser_of(few.root)
    _order(few, 0, 1)
    _statements(browser, urls[0])
    with_one = {url: _statements(browser, url)[0] for url in urls}
    _order(few, 1, 300)
    with_many = {url: _statements(browser, url)[0] for url in urls}
    assert with_many == with_one
    assert {url: count for url, count in with_many.items() if count > LIST_STATEMENTS} == {}


def _order(cast: Cast, first: int, last: int) -> None:
    """Of each number one that failed, one that waits, and one whose directory is in the trash."""
    number = cast.sams_mailbox.pk
    values: list[dict[str, str]] = [
        {"kind": "rename", "state": "failed", "target": "t", "last_error": "Something is in the way."},
        {"kind": "delete", "state": "pending"},
        {"kind": "delete", "state": "done", "trash": "kept"},
    ]
    MailboxOperation.objects.bulk_create(
        MailboxOperation(
            mailbox_id=number,
            old_address=f"o{each}@dora.example",
            source=f"dora.example/{each}",
            finished_at=timezone.now(),
            **given,
        )
        for each in range(first, last)
        for given in values
    )


def test_what_htmx_replaces_asks_for_no_limits(
    few: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    browser = browser_of(few.rita)
    for url in ("/admin/domains/", "/admin/identities/"):
        with CaptureQueriesContext(connection) as queries:
            browser.get(url, headers={"HX-Request": "true"})
        assert "limits_allowance" not in str(queries.captured_queries)


@pytest.mark.parametrize("person", ["root", "rita"])
def test_limits_cost_the_same_for_2_and_for_22_rows(
    person: str, few: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    store("limits", enable_domain_limits=True)
    domain, account = few.reseller_example, few.rita.pk
    unlimited: dict[str, Any] = {f"{kind}_limit": -1 for kind in OF_DOMAINS}
    update_domains(few.root, [DomainChange(domain=domain, **unlimited)])
    _add_administrators(few, 0, 2)
    child = Account.objects.get(username="c0").pk
    relay = Domain.objects.get(name="reseller-relay0.example").pk
    urls = [
        reverse("admin:domain_detail", args=[domain.pk]),
        reverse("admin:domain_update", args=[domain.pk]),
        reverse("admin:domain_detail", args=[relay]),
        reverse("admin:domain_create"),
        reverse("relaydomains:relay_domain_create"),
        reverse("admin:account_detail", args=[account if person == "root" else child]),
        reverse("admin:account_update", args=[account if person == "root" else child]),
        reverse("admin:account_create", query={"domain": domain.name}),
        reverse("admin:alias_create", query={"domain": domain.name}),
    ]
    browser = browser_of(few.everybody[person])
    _statements(browser, urls[0])
    with_few = {url: _statements(browser, url)[0] for url in urls}
    _add_administrators(few, 2, 22)
    with_many = {url: _statements(browser, url)[0] for url in urls}
    assert with_many == with_few
    assert {url: count for url, count in with_many.items() if count > PAGE_STATEMENTS} == {}


def _add_administrators(cast: Cast, first: int, last: int) -> None:
    """Children of a reseller, each with limits, and more in the domain whose limits are counted."""
    specs = [
        AccountSpec(
            username=f"c{number}",
            password=PASSWORD,
            role=Role.DOMAIN_ADMIN,
            administers=("reseller.example",),
            limits={Kind.MAILBOXES: 5},
        )
        for number in range(first, last)
    ]
    create_accounts(cast.rita, specs)
    targets = ("friend@elsewhere.example",)
    names = [f"b{number}@reseller.example" for number in range(first, last)]
    create_aliases(cast.rita, [AliasSpec(address=name, recipients=targets) for name in names])


def test_pages_of_one_object_cost_the_same_for_2_and_for_22_rows(
    few: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    person = few.dora_example.mailboxes.get(address="p0").user_id
    alias = Alias.objects.get(address="a0@dora.example").pk
    relay = Domain.objects.get(name="dora-relay0.example").pk
    urls = [
        reverse("admin:domain_detail", args=[few.dora_example.pk]),
        reverse("admin:domain_update", args=[few.dora_example.pk]),
        reverse("admin:domain_delete", args=[few.dora_example.pk]),
        reverse("admin:domain_administrator_add", args=[few.dora_example.pk]),
        reverse("admin:domain_administrator_remove", args=[few.dora_example.pk, few.dora.pk]),
        reverse("admin:domain_names", query={"q": "dora"}),
        reverse("admin:administrator_names", query={"q": "d"}),
        reverse("admin:account_detail", args=[person]),
        reverse("admin:account_update", args=[person]),
        reverse("admin:account_delete", args=[person]),
        reverse("admin:alias_detail", args=[alias]),
        reverse("admin:alias_update", args=[alias]),
        reverse("admin:alias_delete", args=[alias]),
        reverse("admin:account_create"),
        reverse("admin:alias_create"),
        reverse("admin:domain_create"),
        reverse("admin:my_mailbox"),
        reverse("admin:address_detail", query={"address": "p0@dora.example"}),
        reverse("admin:address_detail", query={"address": "a0@dora.example"}),
        reverse("admin:address_detail", query={"address": "nobody@dora.example"}),
        reverse("admin:address_detail", query={"address": "nobody@dora-relay0.example"}),
        reverse("admin:domain_detail", args=[relay]),
        reverse("relaydomains:relay_domain_create"),
        reverse("relaydomains:relay_domain_start", args=[few.dora_example.pk]),
        reverse("relaydomains:relay_domain_update", args=[relay]),
        reverse("relaydomains:relay_domain_stop", args=[relay]),
        reverse("relaydomains:service_list"),
        reverse("core:user_profile"),
        reverse("core:user_password"),
        reverse("core:user_token_list"),
        reverse("parameters:user_preferences"),
        reverse("parameters:site_parameters"),
        reverse("parameters:parameter_history"),
    ]
    browser = browser_of(few.root)
    _statements(browser, urls[0])
    with_few = {url: _statements(browser, url)[0] for url in urls}
    _add(few, 2, 22)
    with_many = {url: _statements(browser, url)[0] for url in urls}
    assert with_many == with_few
    assert {url: count for url, count in with_many.items() if count > PAGE_STATEMENTS} == {}
