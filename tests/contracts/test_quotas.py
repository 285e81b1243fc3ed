"""The page of quotas: every order in SQL, filters, search, scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from admin.models import Account, Quota
from admin.operations import AccountSpec, MailboxSpec, create_accounts, update_account
from core.actor import Actor
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.contracts.test_lists import HOSTILE
from tests.stored_parameters import store

URL = "/admin/identities/quotas/"
MIB = 1024 * 1024
SORTS = ["address", "used", "limit", "usage"]
# Local part, quota in MB (0 = no limit), and what is used, in MB.
BOXES = [
    ("a", 100, 10),
    ("b", 0, 500),
    ("c", 50, 48),
    ("d", 200, 170),
    ("e", 100, 120),
    ("f", 10, 0),
    ("g", 0, 0),
]


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Mailboxes of every kind in reseller.example; the others have no usage."""
    addresses = {f"{name}@reseller.example": (quota, used) for name, quota, used in BOXES}
    create_accounts(
        cast.root,
        [
            AccountSpec(
                username=address,
                password=PASSWORD,
                role=Role.SIMPLE_USER,
                mailbox=MailboxSpec(address=address, quota=quota),
            )
            for address, (quota, _used) in addresses.items()
        ],
    )
    for address, (_quota, used) in addresses.items():
        Quota.objects.update_or_create(username=address, defaults={"bytes": used * MIB})
    return cast


@pytest.fixture
def rita(filled: Cast, browser_of: Callable[[Actor | None], Client]) -> Client:
    """The browser of the reseller, who sees those mailboxes alone."""
    return browser_of(filled.rita)


def _rows(browser: Client, **given: str) -> list[Any]:
    rows: list[Any] = browser.get(URL, given).context["rows"]
    return rows


def _names(browser: Client, **given: str) -> str:
    return "".join(row.address.partition("@")[0] for row in _rows(browser, **given))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("address", "abcdefg"),
        ("used", "fgacedb"),
        ("-used", "bdecagf"),
        ("limit", "fcaedbg"),  # no limit is the largest one
        ("-limit", "gbdeacf"),
        ("usage", "bgfadce"),  # and uses no share of anything
        ("-usage", "ecdafgb"),
    ],
)
def test_every_column_sorts(sort: str, names: str, rita: Client) -> None:
    assert _names(rita, sort=sort) == names


def test_all_pages_together_are_the_list_whichever_end_they_were_reached_from(rita: Client) -> None:
    for sort in [*SORTS, *(f"-{one}" for one in SORTS)]:
        store("core", items_per_page=5)
        pages = [_names(rita, sort=sort, page=str(number)) for number in (1, 2)]
        store("core", items_per_page=500)
        assert "".join(pages) == _names(rita, sort=sort)
        assert [len(page) for page in pages] == [5, 2]


def test_a_row_says_what_is_used_of_what(rita: Client) -> None:
    rows = {row.address[0]: row for row in _rows(rita)}
    assert [(rows[name].used_bytes // MIB, rows[name].quota, rows[name].percent) for name in "abcef"] == [
        (10, 100, 10),
        (500, 0, None),
        (48, 50, 96),
        (120, 100, 120),
        (0, 10, 0),
    ]
    page = rita.get(URL).content.decode()
    assert "96 %" in page
    assert "No limit" in page
    assert "7 mailboxes" in page


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"usage": "over80"}, "cde"),
        ({"usage": "over95"}, "ce"),
        ({"usage": "unlimited"}, "bg"),
        ({"status": "disabled"}, "d"),
        ({"status": "enabled", "usage": "over80"}, "ce"),
        ({"domain": "reseller.example"}, "abcdefg"),
        ({"domain": "dora.example"}, ""),
        ({"q": "C@Res"}, "c"),
        ({"q": "%"}, ""),
        ({"q": "e@", "usage": "over95", "sort": "-usage"}, "e"),
    ],
)
def test_mailboxes_are_filtered_and_searched(given: dict[str, str], names: str, rita: Client) -> None:
    update_account(_root(), Account.objects.get(username="d@reseller.example"), is_active=False)
    assert _names(rita, **given) == names


def _root() -> Actor:
    account = Account.objects.get(username="root")
    return Actor(account, "session", None)  # type: ignore[arg-type]  # the credential by its name


def test_a_limit_that_is_reached_exactly_counts(rita: Client) -> None:
    for address, used in (("a", 80 * MIB), ("f", 8 * MIB - 1)):
        Quota.objects.filter(username=f"{address}@reseller.example").update(bytes=used)
    assert _names(rita, usage="over80") == "acde"


def test_the_largest_numbers_overflow_nothing(rita: Client) -> None:
    account = Account.objects.get(username="a@reseller.example")
    update_account(_root(), account, quota=2**33)
    Quota.objects.filter(username=account.username).update(bytes=2**53)
    for sort in SORTS:
        assert rita.get(URL, {"sort": sort, "usage": "over95"}).status_code == 200
    assert "a" in _names(rita, usage="over95")


def test_people_see_the_mailboxes_that_they_look_after(
    filled: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    seen = {
        name: [row.address for row in _rows(browser_of(filled.everybody[name]))]
        for name in ("dora", "mallory")
    }
    assert seen == {
        "dora": ["dora@dora.example", "sam@dora.example"],
        "mallory": ["mallory@mallory.example"],
    }
    assert len(_rows(browser_of(filled.root))) == 10
    assert browser_of(filled.sam).get(URL).status_code == 403
    assert _rows(browser_of(filled.mallory), q="dora") == []


def test_rows_lead_only_where_their_reader_may_go(
    filled: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    boss = AccountSpec(
        username="boss@dora.example",
        password=PASSWORD,
        role=Role.SUPER_ADMIN,
        first_name="Bea",
        mailbox=MailboxSpec(address="boss@dora.example"),
    )
    create_accounts(filled.root, [boss])
    rows = {row.address: row for row in _rows(browser_of(filled.dora))}
    assert "boss@dora.example" not in rows
    assert rows["sam@dora.example"].update_url


def test_hostile_parameters_give_a_list(rita: Client) -> None:
    for name in ("q", "page", "sort", "usage", "status", "domain"):
        for value in HOSTILE:
            answer = rita.get(URL, {name: value}, headers={"HX-Request": "true"})
            assert answer.status_code == 200, (name, value)
            assert b"<script>alert" not in answer.content


def test_the_rail_marks_the_nearest_entry_alone(rita: Client) -> None:
    for url, label in (
        (URL, "Quotas"),
        ("/admin/identities/", "Identities"),
        ("/admin/accounts/new/", "Identities"),
    ):
        entries = [entry for group in rita.get(url).context["navigation"] for entry in group["entries"]]
        assert [str(entry["label"]) for entry in entries if entry["active"]] == [label]


def test_mailboxes_of_accounts_above_are_not_listed(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    create_accounts(
        cast.root,
        [
            AccountSpec(
                username="boss",
                password=PASSWORD,
                role=Role.SUPER_ADMIN,
                mailbox=MailboxSpec(address="boss@dora.example"),
            )
        ],
    )
    answer = browser_of(cast.dora).get(URL)
    assert [row.address for row in answer.context["rows"]] == ["dora@dora.example", "sam@dora.example"]
    assert answer.context["page"].total == 2
    assert "boss@dora.example" in {row.address for row in _rows(browser_of(cast.root))}
