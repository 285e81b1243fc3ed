"""CSV files from the browser: what a list shows, what was selected in it, and nothing of others."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from admin.bulk_changes import Kind
from admin.forms.bulk import sealed
from admin.models import Account
from admin.operations import DomainAliasSpec, create_alias, create_domain_aliases
from core.actor import Actor
from core.spreadsheets import original
from relaydomains.operations import create_relay_domain
from tests.cast import Cast
from tests.contracts.conftest import Fingerprint

DOMAINS, IDENTITIES = "/admin/domains/export/", "/admin/identities/export/"
Browsers = Callable[[Actor | None], Client]


def file_of(answer: Any, separator: str = ";") -> list[list[str]]:
    """Rows of the file that a browser was sent."""
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = answer.getvalue().decode()
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def download(browser: Client, url: str, **values: str) -> list[list[str]]:
    """Rows of the file behind the form."""
    return file_of(browser.post(url, {"filename": "all.csv", "sepchar": ";", **values}))


def names(rows: list[list[str]]) -> list[str]:
    return [original(row[1]) for row in rows]


def hidden(answer: Any, name: str) -> str:
    """A value that a page carries along."""
    assert answer.status_code == 200
    found = re.search(f'name="{name}"(?: value="([^"]*)")?', answer.content.decode())
    assert found
    return unescape(found[1] or "")


# --- what a list shows -----------------------------------------------------------------------------------------


def test_the_way_from_a_list_to_the_file_keeps_the_filters(cast: Cast, browser_of: Browsers) -> None:
    create_relay_domain(cast.root, name="relay.example", target_host="9.9.9.9", aliases=("relay.test",))
    root = browser_of(cast.root)
    page = root.get("/admin/domains/?type=relaydomain&service=relay&sort=-quota&page=1").content.decode()
    link = re.search(rf'href="({DOMAINS}[^"]*)"', page)
    assert link
    path = unescape(link[1])
    assert parse_qs(urlsplit(path).query) == {"type": ["relaydomain"], "service": ["relay"]}
    form = root.get(path)
    assert 'value="modoboa-domains.csv"' in form.content.decode()
    assert download(root, DOMAINS, filter=hidden(form, "filter")) == [
        ["relaydomain", "relay.example", "9.9.9.9", "25", "relay", "True", "False"],
        ["domainalias", "relay.test", "relay.example", "True"],
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=catchall", ["@dora.example"]),
        ("kind=account&domain=dora.example", ["dora@dora.example", "sam@dora.example"]),
        ("role=DomainAdmins", ["dora@dora.example", "mallory@mallory.example"]),
        ("status=disabled", ["@dora.example"]),
        ("q=sam%40", ["sam@dora.example", "@dora.example", "sam@dora.example"]),
        ("q=nothing-like-this", []),
    ],
)
def test_the_file_holds_what_the_filter_leaves(
    cast: Cast, browser_of: Browsers, query: str, found: list[str]
) -> None:
    create_alias(cast.root, address="@dora.example", recipients=("sam@dora.example",), enabled=False)
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example", "x@else.example"))
    root = browser_of(cast.root)
    assert names(download(root, IDENTITIES, filter=query)) == found
    assert len(root.get(f"/admin/identities/?{query}").context["rows"]) == len(found)


def test_everybody_gets_his_own_and_no_hash_but_for_super_administrators(
    cast: Cast, browser_of: Browsers, fingerprint: Fingerprint
) -> None:
    create_domain_aliases(cast.root, [DomainAliasSpec(name="m.test", target="mallory.example")])
    create_alias(cast.root, address="info@mallory.example", recipients=("x@else.example",))
    browsers = {name: browser_of(cast.everybody[name]) for name in ("rita", "dora", "mallory", "root")}
    before = fingerprint()
    found = {
        name: (names(download(browser, DOMAINS)), names(rows := download(browser, IDENTITIES)), _hashes(rows))
        for name, browser in browsers.items()
    }
    root = found.pop("root")
    assert root[-1] == Account.objects.count()
    assert found == {
        "rita": (["reseller.example"], ["rita"], 0),
        "dora": (["dora.example"], ["dora@dora.example", "sam@dora.example"], 0),
        "mallory": (
            ["mallory.example", "m.test"],
            ["mallory@mallory.example", "info@mallory.example"],
            0,
        ),
    }
    assert fingerprint() == before


def _hashes(rows: list[list[str]]) -> int:
    return sum(bool(row[2]) for row in rows if row[0] == "account")


def test_the_page_says_whether_hashes_are_in_the_file(cast: Cast, browser_of: Browsers) -> None:
    assert "Also the hashes" in browser_of(cast.root).get(IDENTITIES).content.decode()
    assert "not even their hashes" in browser_of(cast.dora).get(IDENTITIES).content.decode()
    assert "hashes" not in browser_of(cast.root).get(DOMAINS).content.decode()


# --- what was selected -----------------------------------------------------------------------------------------


def test_a_selection_is_carried_through_the_form_and_strangers_in_it_are_left_out(
    cast: Cast, browser_of: Browsers
) -> None:
    alias = create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    dora = browser_of(cast.dora)
    selected = [f"account:{cast.sam.pk}", f"account:{cast.mallory.pk}"]
    begun = dora.post(IDENTITIES, {"selected": selected, "kept": f"alias:{alias.pk}", "filter": "q=dora"})
    assert "Export 2 accounts and 1 alias" in " ".join(begun.content.decode().split())
    assert hidden(begun, "filter") == "q=dora"
    selection = hidden(begun, "selection")
    refused = dora.post(IDENTITIES, {"filename": "../x", "sepchar": ";", "selection": selection})
    assert refused.status_code == 422
    assert "Export 2 accounts and 1 alias" in " ".join(refused.content.decode().split())
    assert names(download(dora, IDENTITIES, selection=selection, filter="q=nothing")) == [
        "sam@dora.example",
        "info@dora.example",
    ]


def test_domains_can_be_selected(cast: Cast, browser_of: Browsers) -> None:
    root = browser_of(cast.root)
    selected = [f"domain:{domain.pk}" for domain in (cast.dora_example, cast.reseller_example)]
    begun = root.post(DOMAINS, {"selected": selected})
    assert names(download(root, DOMAINS, selection=hidden(begun, "selection"))) == [
        "dora.example",
        "reseller.example",
    ]


def test_all_that_match_is_the_filter(cast: Cast, browser_of: Browsers) -> None:
    selected = f"account:{cast.sam.pk}"
    answer = browser_of(cast.root).post(
        IDENTITIES, {"all": "1", "selected": selected, "filter": "q=dora&kind=account"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{IDENTITIES}?q=dora&kind=account")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"selected": "nonsense"},
        {"selected": "domain:1"},
        {"kept": " ".join(f"account:{number}" for number in range(20_001))},
    ],
)
def test_nothing_or_too_much_leads_back_to_the_list(
    cast: Cast, browser_of: Browsers, values: dict[str, str]
) -> None:
    answer = browser_of(cast.root).post(IDENTITIES, {"filter": "q=a", **values})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/identities/?q=a")


def test_a_selection_of_somebody_else_is_none(cast: Cast, browser_of: Browsers) -> None:
    foreign = sealed(cast.root, {Kind.ACCOUNT: (cast.sam.pk,)})
    for selection in (foreign, "nonsense"):
        values = {"filename": "a.csv", "sepchar": ";", "selection": selection}
        answer = browser_of(cast.dora).post(IDENTITIES, values)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/identities/")


def test_whoever_cannot_select_domains_exports_them_by_the_list(cast: Cast, browser_of: Browsers) -> None:
    page = browser_of(cast.dora).get("/admin/domains/").content.decode()
    assert f'href="{DOMAINS}"' in page
    assert "formaction" not in page
    assert f'formaction="{DOMAINS}"' in browser_of(cast.root).get("/admin/domains/").content.decode()
    assert f'formaction="{IDENTITIES}"' in browser_of(cast.dora).get("/admin/identities/").content.decode()


# --- name and separator ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("all.csv", 'attachment; filename="all.csv"'),
        ("my domains (2).csv", 'attachment; filename="my domains (2).csv"'),
        ("büro.csv", "attachment; filename*=utf-8''b%C3%BCro.csv"),
    ],
)
def test_the_file_is_an_attachment_of_that_name(
    cast: Cast, browser_of: Browsers, name: str, header: str
) -> None:
    answer = browser_of(cast.dora).post(DOMAINS, {"filename": name, "sepchar": ";"})
    assert file_of(answer) == [["domain", "dora.example", "102400", "100", "True"]]
    assert answer.headers["Content-Disposition"] == header


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "a.exe", ".csv", "../a.csv", "/etc/a.csv", "a\\b.csv", "c:a.csv", '"a".csv', "a;b.csv"),
        *("-a.csv", "a\r\nX: y.csv", "a\u202ecsv.csv", "a" * 97 + ".csv", "a.csv\n.csv"),
    ],
)
def test_a_name_that_may_lead_elsewhere_is_refused(cast: Cast, browser_of: Browsers, name: str) -> None:
    answer = browser_of(cast.dora).post(DOMAINS, {"filename": name, "sepchar": ";"})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"filename"}


@pytest.mark.parametrize(("given", "separator"), [(",", ","), (r"\t", "\t"), ("|", "|"), ("a", "a")])
def test_cells_are_separated_by_what_was_asked_for(
    cast: Cast, browser_of: Browsers, given: str, separator: str
) -> None:
    answer = browser_of(cast.dora).post(DOMAINS, {"filename": "all.csv", "sepchar": given})
    assert file_of(answer, separator) == [["domain", "dora.example", "102400", "100", "True"]]


@pytest.mark.parametrize("given", ["", '"', ";;", "\n", "\0", "\u2028"])
def test_what_cannot_separate_is_refused(cast: Cast, browser_of: Browsers, given: str) -> None:
    answer = browser_of(cast.dora).post(DOMAINS, {"filename": "all.csv", "sepchar": given})
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"sepchar"}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        (" @x", "' @x"),
        ("\uff1d1", "'\uff1d1"),
        ("'t Hooft", "''t Hooft"),
        ('a";=1\r\nb', 'a";=1\r\nb'),
    ],
)
def test_no_name_becomes_a_formula_or_a_row(cast: Cast, browser_of: Browsers, name: str, cell: str) -> None:
    Account.objects.filter(pk=cast.sam.pk).update(first_name=name)
    *_others, sam = download(browser_of(cast.dora), IDENTITIES)
    assert sam[:4] == ["account", "sam@dora.example", "", cell]
    assert original(sam[3]) == name


def test_the_routes_are_where_the_lists_are() -> None:
    assert (reverse("admin:domain_export"), reverse("admin:identity_export")) == (DOMAINS, IDENTITIES)
