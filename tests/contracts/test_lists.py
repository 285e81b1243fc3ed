"""Search, filters, order and paging of the lists: everything in the URL, nothing in it trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from admin.models import Alias, Quota
from admin.operations import (
    AccountSpec,
    AliasSpec,
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_aliases,
    create_domain,
    update_alias,
    update_domain,
)
from core.actor import Actor
from tests.cast import PASSWORD, Cast
from tests.stored_parameters import store

DOMAINS, IDENTITIES = "/admin/domains/", "/admin/identities/"
SORTS = {
    DOMAINS: ["name", "mailboxes", "aliases", "quota", "created"],
    IDENTITIES: ["address", "name", "kind", "storage"],
}


@pytest.fixture
def root(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> Client:
    """The browser of the super admin."""
    return browser_of(cast.root)


def _names(browser: Client, url: str, **given: str) -> list[str]:
    rows: list[Any] = browser.get(url, given).context["rows"]
    return [getattr(row, "address", None) or row.name for row in rows]


def test_domains_are_found_by_a_part_of_their_name_or_of_an_alias(cast: Cast, root: Client) -> None:
    update_domain(cast.root, cast.dora_example, aliases=("doras-other.test",))
    assert _names(root, DOMAINS, q="mallory") == ["mallory.example"]
    assert _names(root, DOMAINS, q="OTHER.te") == ["dora.example"]
    assert _names(root, DOMAINS, q="nobody") == []


@pytest.mark.parametrize("typed", ["bücher.example", "BÜCHER", "xn--bcher", "Bücher.ex"])
def test_a_domain_is_found_in_its_own_script(typed: str, cast: Cast, root: Client) -> None:
    create_domain(cast.root, name="bücher.example")
    assert _names(root, DOMAINS, q=typed) == ["xn--bcher-kva.example"]


def test_an_address_is_found_in_the_script_of_its_domain(cast: Cast, root: Client) -> None:
    create_domain(cast.root, name="bücher.example")
    create_alias(cast.root, address="info@bücher.example", recipients=("sam@dora.example",))
    assert _names(root, IDENTITIES, q="info@bücher.example") == ["info@xn--bcher-kva.example"]
    assert _names(root, IDENTITIES, domain="bücher.example") == ["info@xn--bcher-kva.example"]


def test_domains_are_filtered_by_status(cast: Cast, root: Client) -> None:
    update_domain(cast.root, cast.mallory_example, enabled=False)
    assert _names(root, DOMAINS, status="disabled") == ["mallory.example"]
    assert "mallory.example" not in _names(root, DOMAINS, status="enabled")


def test_the_domain_list_shows_what_is_in_a_domain(cast: Cast, root: Client) -> None:
    create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    Quota.objects.filter(username="sam@dora.example").delete()
    Quota.objects.create(username="sam@dora.example", bytes=5_000_000_000)
    (row,) = root.get(DOMAINS, {"q": "dora"}).context["rows"]
    assert (row.mailbox_count, row.alias_count, row.used_bytes, row.quota) == (2, 1, 5_000_000_000, 102_400)


def test_domains_are_ordered_by_their_numbers(root: Client) -> None:
    assert _names(root, DOMAINS, sort="-mailboxes") == ["dora.example", "mallory.example", "reseller.example"]
    assert _names(root, DOMAINS, sort="-quota")[0] == "dora.example"
    assert _names(root, DOMAINS, sort="-created")[0] == "reseller.example"


def _various(cast: Cast) -> None:
    create_alias(cast.root, address="local@dora.example", recipients=("sam@dora.example",))
    create_alias(cast.root, address="away@dora.example", recipients=("x@else.example",))
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example", "dora@dora.example"))
    create_alias(cast.root, address="@dora.example", recipients=("sam@dora.example",))


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        ("account", ["dora@dora.example", "mallory@mallory.example", "rita", "root", "sam@dora.example"]),
        ("alias", ["local@dora.example"]),
        ("forward", ["away@dora.example", "sam@dora.example"]),
        ("catchall", ["@dora.example"]),
    ],
)
def test_identities_are_filtered_by_kind(kind: str, addresses: list[str], cast: Cast, root: Client) -> None:
    _various(cast)
    assert _names(root, IDENTITIES, kind=kind) == addresses


def test_identities_are_filtered_by_role_status_and_domain(cast: Cast, root: Client) -> None:
    _various(cast)
    update_alias(cast.root, Alias.objects.get(address="away@dora.example"), enabled=False)
    assert _names(root, IDENTITIES, role="DomainAdmins") == ["dora@dora.example", "mallory@mallory.example"]
    assert _names(root, IDENTITIES, status="disabled") == ["away@dora.example"]
    assert _names(root, IDENTITIES, domain="mallory.example") == ["mallory@mallory.example"]
    assert _names(root, IDENTITIES, domain="nowhere.example") == []


def test_identities_are_found_by_name_address_and_recipient(cast: Cast, root: Client) -> None:
    _various(cast)
    create_account(
        cast.root,
        username="jo@dora.example",
        password=PASSWORD,
        first_name="Josephine",
        last_name="Müller",
        mailbox=MailboxSpec(address="jo@dora.example"),
    )
    assert _names(root, IDENTITIES, q="josephine müller") == ["jo@dora.example"]
    assert _names(root, IDENTITIES, q="x@else.example") == ["away@dora.example"]
    assert _names(root, IDENTITIES, q="local@") == ["local@dora.example"]


def test_a_percent_sign_is_searched_for_and_not_a_wildcard(root: Client) -> None:
    assert _names(root, IDENTITIES, q="%") == []
    assert _names(root, DOMAINS, q="dora_example") == []


def test_people_see_only_their_own_in_lists(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> None:
    _various(cast)
    seen = {name: _names(browser_of(cast.everybody[name]), IDENTITIES) for name in ("rita", "mallory")}
    assert seen == {"rita": ["rita"], "mallory": ["mallory@mallory.example"]}
    assert _names(browser_of(cast.rita), DOMAINS) == ["reseller.example"]
    assert _names(browser_of(cast.mallory), DOMAINS, q="dora") == []


def _fill(cast: Cast) -> None:
    store("core", items_per_page=5)
    addresses = [f"p{number:02}@dora.example" for number in range(11)]
    create_accounts(
        cast.root,
        [
            AccountSpec(
                username=address,
                password=PASSWORD,
                first_name=f"N{number % 3}",
                mailbox=MailboxSpec(address=address),
            )
            for number, address in enumerate(addresses)
        ],
    )
    create_aliases(
        cast.root,
        [
            AliasSpec(
                address=f"a{number:02}@dora.example",
                recipients=("sam@dora.example",),
                description=f"D{number % 2}",
            )
            for number in range(7)
        ],
    )
    for number, address in enumerate(addresses):
        Quota.objects.filter(username=address).update(bytes=number % 4)


def test_all_pages_together_are_the_list_whichever_end_they_were_reached_from(
    cast: Cast, root: Client
) -> None:
    _fill(cast)
    whole: list[str] = []
    for sort in SORTS[IDENTITIES]:
        for asked in (sort, f"-{sort}"):
            store("core", items_per_page=5)
            pages = [_names(root, IDENTITIES, sort=asked, page=str(number)) for number in range(1, 6)]
            assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
            store("core", items_per_page=500)
            whole = _names(root, IDENTITIES, sort=asked)
            assert [name for page in pages for name in page] == whole
            assert len(set(whole)) == 23
        assert _names(root, IDENTITIES, sort=sort) == whole[::-1]


def test_a_page_that_does_not_exist_is_the_nearest_that_does(cast: Cast, root: Client) -> None:
    _fill(cast)
    wishes = {
        "1": 1,
        "5": 5,
        "6": 5,
        "0": 1,
        "-3": 1,
        "x": 1,
        "": 1,
        "9" * 5000: 1,
        "99999": 5,
        "٣": 1,
        "2.0": 1,
    }
    for wanted, number in wishes.items():
        answer = root.get(IDENTITIES, {"page": wanted})
        assert answer.status_code == 200
        page = answer.context["page"]
        assert (page.number, page.pages, page.total) == (number, 5, 23), wanted


def test_an_empty_list_is_one_page_without_rows(root: Client) -> None:
    page = root.get(DOMAINS, {"q": "nobody", "page": "7"}).context["page"]
    assert (page.number, page.pages, page.first, page.last, page.total) == (1, 1, 0, 0, 0)


HOSTILE = [
    "\0",
    "a\0b",
    "'",
    '"',
    "\\",
    "%s%n{}",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "😀",
    "x" * 5000,
    "@",
    "@@@",
    "ß" * 300 + ".example",
    "xn--",
    "xn--\u00fc.example",
    "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
    " " * 1000,
    "[[[[",
]


@pytest.mark.parametrize("url", [DOMAINS, IDENTITIES])
def test_hostile_parameters_give_a_list_and_never_markup(url: str, root: Client) -> None:
    for name in ("q", "page", "sort", "status", "kind", "role", "domain"):
        for value in HOSTILE:
            answer = root.get(url, {name: value}, headers={"HX-Request": "true"})
            assert answer.status_code == 200, (name, value)
            assert b"<script>alert" not in answer.content


@pytest.mark.parametrize("url", [DOMAINS, IDENTITIES])
def test_every_order_that_a_header_offers_works(url: str, root: Client) -> None:
    for key in SORTS[url]:
        for sort in (key, f"-{key}"):
            answer = root.get(url, {"sort": sort})
            assert (answer.status_code, answer.context["sort"]) == (200, sort)
    assert root.get(url, {"sort": "password"}).context["sort"] == ""


@pytest.mark.parametrize("url", [DOMAINS, IDENTITIES])
def test_htmx_gets_the_list_alone_and_going_back_gets_the_page(url: str, root: Client) -> None:
    whole = root.get(url)
    part = root.get(url, headers={"HX-Request": "true"})
    back = root.get(url, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert b"<html" in whole.content
    assert b"<html" in back.content
    assert b"<html" not in part.content
    assert b'id="list"' in part.content
    assert "HX-Request" in part.headers["Vary"]
    assert part.headers["Cache-Control"] == "no-store"


def test_rows_offer_only_what_their_reader_may_do(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    rows = {row.address: row for row in browser_of(cast.dora).get(IDENTITIES).context["rows"]}
    assert rows["sam@dora.example"].delete_url == reverse("admin:account_delete", args=[cast.sam.pk])
    assert rows["dora@dora.example"].update_url
    assert rows["dora@dora.example"].delete_url == ""


def test_an_alias_with_many_recipients_shows_the_first_three(cast: Cast, root: Client) -> None:
    recipients = tuple(f"r{number}@else.example" for number in range(1, 6))
    create_alias(cast.root, address="many@dora.example", recipients=recipients)
    (row,) = root.get(IDENTITIES, {"q": "many@"}).context["rows"]
    assert row.note == "r1@else.example, r2@else.example, r3@else.example and 2 more"
