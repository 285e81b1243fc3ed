"""The search at the top of every page: what it finds, for whom, and through which indexes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin.models import Alias, AliasRecipient, Domain, Mailbox, SenderAddress
from admin.operations import (
    AliasSpec,
    DomainSpec,
    MailboxSpec,
    create_account,
    create_aliases,
    create_domain,
    create_domains,
    update_alias,
    update_domain,
)
from admin.queries.addresses import What, address_page
from admin.queries.search import search_everywhere
from core.actor import Actor
from core.models import User
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.contracts.test_lists import HOSTILE

URL = "/search/"
STATEMENTS = 10  # of the search; a request has two more, for session and account
ROWS = 3_000
Browsers = Callable[[Actor | None], Client]


@pytest.fixture
def root(cast: Cast, browser_of: Browsers) -> Client:
    """The browser of the super admin."""
    return browser_of(cast.root)


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Something of every kind."""
    update_domain(cast.root, cast.dora_example, aliases=("doras-other.test",))
    create_domain(cast.root, name="bücher.example")
    create_account(
        cast.root,
        username="samuel@dora.example",
        password=PASSWORD,
        first_name="Samuel",
        last_name="Weber",
        mailbox=MailboxSpec(address="samuel@dora.example", sender_addresses=("sales@partner.test",)),
    )
    create_account(
        cast.root,
        username="helpdesk",
        password=PASSWORD,
        role=Role.DOMAIN_ADMIN,
        mailbox=MailboxSpec(address="sampler@dora.example"),
        administers=("dora.example",),
    )
    create_aliases(
        cast.root,
        [
            AliasSpec(
                address="samples@dora.example", recipients=("sam@dora.example",), description="Free\nones"
            ),
            AliasSpec(address="info@bücher.example", recipients=("samwise@elsewhere.example",)),
            AliasSpec(address="a+b@dora.example", recipients=("sam@dora.example",)),
        ],
    )
    return cast


def _found(actor: Actor, typed: str) -> dict[str, list[str]]:
    return {group.name: [hit.label for hit in group.hits] for group in search_everywhere(actor, typed).groups}


def test_the_beginning_of_a_word_finds_one_of_every_kind(filled: Cast) -> None:
    assert _found(filled.root, "sam") == {
        "accounts": ["sam@dora.example", "sampler@dora.example", "samuel@dora.example"],
        "aliases": ["samples@dora.example"],
        "others": ["samwise@elsewhere.example"],
    }
    assert _found(filled.root, "dora") == {
        "domains": ["dora.example", "doras-other.test"],
        "accounts": ["dora@dora.example"],
    }
    assert _found(filled.root, "sales@") == {"others": ["sales@partner.test"]}
    assert _found(filled.root, "helpd") == {"accounts": ["helpdesk"]}
    assert _found(filled.root, "am@dora.example") == {"domains": ["dora.example"]}, (
        "the middle is the list's matter"
    )


def test_an_account_is_found_by_its_mailbox_too_and_told_apart_by_its_name(filled: Cast) -> None:
    (group,) = [one for one in search_everywhere(filled.root, "sampler").groups if one.name == "accounts"]
    assert [(hit.label, hit.note) for hit in group.hits] == [("sampler@dora.example", "helpdesk")]


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        ("BÜCH", "bücher.example"),
        ("bücher.ex", "bücher.example"),
        ("xn--bch", "bücher.example"),
        ("bu\u0308cher", "bücher.example"),
        ("@bücher", "bücher.example"),
        ("büchse", None),
        ("  Dora.Ex ", "dora.example"),
    ],
)
def test_names_are_found_however_they_are_written(typed: str, domain: str | None, filled: Cast) -> None:
    assert _found(filled.root, typed).get("domains", [])[:1] == [domain] * (domain is not None)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("sam@dora.example", "sam@dora.example"),
        ("  Sam@DORA.example\t", "sam@dora.example"),
        ("Sam Weber <Sam@dora.example>", "sam@dora.example"),
        ("mailto:sam@dora.example", "sam@dora.example"),
        ("sam+news@dora.example", "sam+news@dora.example"),
        ("a+b@dora.example", "a+b@dora.example"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("INFO@XN--BCHER-KVA.example", "info@xn--bcher-kva.example"),
        ("samwise@elsewhere.example", "samwise@elsewhere.example"),
        ("sales@partner.test", "sales@partner.test"),
    ],
)
def test_an_address_that_somebody_has_opens_its_page(
    typed: str, address: str, filled: Cast, browser_of: Browsers
) -> None:
    answer = browser_of(filled.root).get(URL, {"q": typed})
    assert answer.status_code == 302
    page = browser_of(filled.root).get(answer.headers["Location"])
    assert (page.status_code, page.context["address"]) == (200, address)


def test_an_address_that_nobody_has_is_offered_first_and_not_opened(
    filled: Cast, browser_of: Browsers
) -> None:
    answer = browser_of(filled.root).get(URL, {"q": "nobody@dora.example"})
    assert answer.status_code == 200
    assert answer.context["found"].exact.label == "nobody@dora.example"
    assert answer.content.index(b"nobody%40dora.example") < answer.content.index(b"Domains</h2>")


def test_a_group_shows_five_and_leads_to_the_list_with_all(cast: Cast, root: Client) -> None:
    create_domains(cast.root, [DomainSpec(name=f"many{number}.example") for number in range(6)])
    (group,) = search_everywhere(cast.root, "many").groups
    assert [hit.label for hit in group.hits] == [f"many{number}.example" for number in range(5)]
    assert len(root.get(group.all_url).context["rows"]) == 6
    Domain.objects.filter(name="many5.example").update(name="other.example")
    (group,) = search_everywhere(cast.root, "many").groups
    assert group.all_url == ""


def test_what_is_switched_off_says_so(filled: Cast) -> None:
    update_alias(filled.root, Alias.objects.get(address="samples@dora.example"), enabled=False)
    groups = {group.name: group.hits for group in search_everywhere(filled.root, "sam").groups}
    assert [hit.off for hit in groups["aliases"]] == [True]
    assert [hit.off for hit in groups["accounts"]] == [False] * 3


def test_people_find_only_what_they_look_after(filled: Cast) -> None:
    assert _found(filled.dora, "sam") == {
        "accounts": ["sam@dora.example", "sampler@dora.example", "samuel@dora.example"],
        "aliases": ["samples@dora.example"],
    }
    for person in (filled.mallory, filled.rita):
        for typed in (
            "sam",
            "dora",
            "sales",
            "bücher",
            "helpdesk",
            "doras-other",
            "samples@dora.example",
            "root",
        ):
            assert _found(person, typed) == {}, (person, typed)


def test_the_answer_about_a_strange_address_is_the_one_about_none(filled: Cast, browser_of: Browsers) -> None:
    mallory = browser_of(filled.mallory)
    token = re.compile(r"\b[A-Za-z0-9]{64}\b")

    def text(url: str, name: str, value: str) -> str:
        answer = mallory.get(url, {name: value})
        assert answer.status_code == 200
        return token.sub("", answer.content.decode()).replace(value.rpartition("@")[2], "…")

    for url, name in ((URL, "q"), (reverse("admin:address_detail"), "address")):
        theirs = text(url, name, "sam@dora.example")
        assert theirs.replace("%40dora.example", "…") == text(url, name, "sam@nowhere.example").replace(
            "%40nowhere.example", "…"
        )


def test_a_simple_user_has_no_search(cast: Cast, browser_of: Browsers) -> None:
    sam = browser_of(cast.sam)
    assert sam.get(URL, {"q": "sam"}).status_code == 403
    assert b'id="find"' not in sam.get("/user/").content
    assert b'id="find"' in browser_of(cast.dora).get("/user/").content


def test_the_dialog_gets_options_and_the_page_gets_links(root: Client) -> None:
    part = root.get(URL, {"q": "sam@dora.example"}, headers={"HX-Request": "true"})
    assert part.status_code == 200, "no redirect: the dialog shows what there is"
    text = part.content.decode()
    assert "<html" not in text
    assert 'role="listbox"' in text
    assert text.count('role="option"') == len(re.findall(r'id="find-[a-z0-9-]+"\s+aria-selected', text)) == 4
    assert "HX-Request" in part.headers["Vary"]
    page = root.get(URL, {"q": "sam"}).content.decode()
    assert 'id="find-options"' not in page
    assert root.get(URL).status_code == 200
    assert root.get(URL, headers={"HX-Request": "true"}).content.strip() == b""


@pytest.mark.parametrize("url", [URL, "/admin/addresses/"])
def test_hostile_texts_find_nothing_and_harm_nobody(url: str, root: Client) -> None:
    wildcards = ["%", "_", "sa%", "s_m", "*", "sam@dora.example\0", "sam\u202e@dora.example", "x" * 10_000]
    for value in [*HOSTILE, *wildcards]:
        for name in ("q", "address"):
            answer = root.get(url, {name: value}, headers={"HX-Request": "true"})
            assert answer.status_code in {200, 302}, value
            assert b"<script>alert" not in answer.content
    for typed in ("%", "_", "sa%", "s_m", "*"):
        assert not root.get(URL, {"q": typed}).context["found"].groups, typed


def test_an_other_spelling_of_an_address_leads_to_the_stored_one(root: Client) -> None:
    url = reverse("admin:address_detail")
    answer = root.get(url, {"address": " Sam@DORA.example"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{url}?address=sam%40dora.example")
    assert root.get(url, {"address": "no address"}).headers["Location"] == f"{URL}?q=no+address"
    assert root.get(url).headers["Location"] == f"{URL}?q="


def test_the_forms_begin_with_the_address_that_a_link_names(cast: Cast, browser_of: Browsers) -> None:
    dora = browser_of(cast.dora)
    for route in ("admin:account_create", "admin:alias_create"):
        page = dora.get(reverse(route), {"address": "new@dora.example"}).content.decode()
        assert 'value="new"' in page, route
        foreign = dora.get(reverse(route), {"address": "new@mallory.example"}).content.decode()
        assert 'value="new"' not in foreign, route


# --- statements and plans --------------------------------------------------------------------------------------


def _asked(actor: Actor, typed: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        search_everywhere(actor, typed)
    return [query["sql"] for query in queries.captured_queries]


@pytest.mark.parametrize("person", ["root", "rita", "dora"])
def test_every_search_costs_the_same_number_of_statements(
    person: str, filled: Cast, browser_of: Browsers
) -> None:
    browser = browser_of(filled.everybody[person])
    browser.get(URL)
    costs = set()
    for typed in (
        "s",
        "sam",
        "sam@dora.example",
        "sam+x@dora.example",
        "zzz",
        "büch",
        "example.org",
        "@dora",
    ):
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(URL, {"q": typed}).status_code in {200, 302}
        costs.add(len(queries))
    assert max(costs) - min(costs) <= 1  # where nobody can be visible, nobody is asked for
    assert max(costs) <= STATEMENTS + 2


def test_of_an_account_above_a_domain_admin_sees_that_its_mailbox_is_one_and_nothing_more(
    cast: Cast, browser_of: Browsers
) -> None:
    address = "boss@dora.example"
    create_account(
        cast.root,
        username="boss",
        password=PASSWORD,
        first_name="Bertha",
        role=Role.SUPER_ADMIN,
        mailbox=MailboxSpec(address=address, sender_addresses=("sales@partner.test", "info@dora.example")),
    )
    assert _found(cast.root, "sales") == {"others": ["sales@partner.test"]}
    assert _found(cast.dora, "sales") == {}
    assert _found(cast.dora, "boss") == {}
    facts = {actor: address_page(actor, address) for actor in (cast.root, cast.dora)}
    assert [page.what for page in facts.values()] == [What.MAILBOX] * 2
    assert [page.mailbox is not None for page in facts.values()] == [True, False]
    assert [page.person is not None for page in facts.values()] == [True, False]
    assert [[one.login for one in page.senders] for page in facts.values()] == [[address], []]
    senders = {actor: address_page(actor, "info@dora.example").senders for actor in (cast.root, cast.dora)}
    assert [[one.login for one in each] for each in senders.values()] == [[address], []]
    page = browser_of(cast.dora).get(reverse("admin:address_detail"), {"address": address}).content.decode()
    assert "Mailbox" in page
    assert "Bertha" not in page
    assert "The account is enabled" not in page


@pytest.fixture
def crowd(transactional_db: None, cast: Cast) -> Cast:  # noqa: ARG001  ANALYZE commits on MariaDB
    """Thousands of everything in mallory's domain, written as no operation would, with statistics."""
    domain = cast.mallory_example
    addresses = [f"u{number:05}@{domain.name}" for number in range(ROWS)]
    User.objects.bulk_create(User(username=one, email=one, password="!") for one in addresses)
    people = dict(User.objects.filter(email__in=addresses).values_list("email", "pk"))
    Mailbox.objects.bulk_create(
        Mailbox(address=one.partition("@")[0], domain=domain, user_id=people[one]) for one in addresses
    )
    Alias.objects.bulk_create(Alias(address=f"l{one}", domain=domain) for one in addresses)
    aliases = dict(Alias.objects.values_list("address", "pk"))
    boxes = dict(Mailbox.objects.values_list("user__email", "pk"))
    AliasRecipient.objects.bulk_create(
        AliasRecipient(alias_id=aliases[f"l{one}"], address=one, mailbox_id=boxes[one]) for one in addresses
    )
    SenderAddress.objects.bulk_create(
        SenderAddress(address=f"s{one}", mailbox_id=boxes[one]) for one in addresses
    )
    Domain.objects.bulk_create(Domain(name=f"u{number:05}.example") for number in range(ROWS))
    models = (User, Mailbox, Alias, AliasRecipient, SenderAddress, Domain)
    with connection.cursor() as cursor:
        for model in models:
            table = "TABLE " if connection.vendor == "mysql" else ""
            cursor.execute(f"ANALYZE {table}{model._meta.db_table}")
            cursor.fetchall() if connection.vendor == "mysql" else None
    return cast


BIG = {
    "core_user",
    "admin_mailbox",
    "admin_alias",
    "modoboa_admin_aliasrecipient",
    "admin_senderaddress",
    "admin_domain",
}


def _explained(sql: str, how: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {sql}".replace("%", "%%"), [])
        return list(cursor.fetchall())


def _scans_of_postgresql(sql: str) -> list[str]:
    answer = _explained(sql, "EXPLAIN (FORMAT JSON)")[0][0]
    nodes, found = [(json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]], []
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        whole_index = node["Node Type"].startswith("Index") and "Index Cond" not in node
        if node["Node Type"] == "Seq Scan" or whole_index:
            found.append(node.get("Relation Name", ""))
    return found


def _scans_of_mysql(sql: str) -> list[str]:
    rows = _explained(sql, "EXPLAIN")
    whole = [row[2] for row in rows if row[3] in {"ALL", "index"} and int(row[8] or 0) > ROWS // 2]
    return [_tables(sql).get(name, name) for name in whole]


def _scans_of_sqlite(sql: str) -> list[str]:
    details = [row[3] for row in _explained(sql, "EXPLAIN QUERY PLAN")]
    whole = [detail.split()[1] for detail in details if detail.startswith("SCAN")]
    return [_tables(sql).get(name, name) for name in whole]


def _tables(sql: str) -> dict[str, str]:
    """Tables behind the aliases of subqueries."""
    return {alias: table for table, alias in re.findall(r'["`](\w+)["`] ([A-Z]\d+)\b', sql)}


SCANS = {"postgresql": _scans_of_postgresql, "mysql": _scans_of_mysql, "sqlite": _scans_of_sqlite}


@pytest.mark.parametrize("person", ["root", "dora", "rita"])
def test_no_search_reads_a_whole_table_or_index(person: str, crowd: Cast) -> None:
    scans = SCANS[connection.vendor]
    # Whoever looks after some domains is answered from two sides, and a planner may begin with what is in them.
    big = BIG if person == "root" else {"core_user"}
    for typed in ("u00017@mallory.example", "u0001", "lu00017", "su00017@m", "u00017.example", "zzz"):
        asked = _asked(crowd.everybody[person], typed)
        assert len(asked) <= STATEMENTS
        whole = {sql: found for sql in asked if (found := big & set(scans(sql)))}
        assert whole == {}, typed


@pytest.mark.usefixtures("crowd")
def test_a_scan_would_be_noticed() -> None:
    with CaptureQueriesContext(connection) as queries:
        list(User.objects.filter(username__contains="0001").order_by())
    assert "core_user" in SCANS[connection.vendor](queries.captured_queries[0]["sql"])
