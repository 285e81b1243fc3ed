"""Many things at once, from the ticked boxes to the report; and what a browser makes up on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin.bulk_changes import BulkChange, Kind, Verb
from admin.forms.bulk import opened_plan, sealed
from admin.models import Account, Alias, Domain, Mailbox, Quota
from admin.operations import (
    AccountSpec,
    AliasSpec,
    DomainSpec,
    MailboxSpec,
    create_accounts,
    create_aliases,
    create_domains,
    delete_aliases,
)
from core.actor import Actor
from limits.models import Allowance
from tests.cast import PASSWORD, Cast
from tests.contracts.conftest import Fingerprint
from tests.stored_parameters import store

IDENTITIES, DOMAINS = "/admin/identities/bulk/", "/admin/domains/bulk/"
Browsers = Callable[[Actor | None], Client]


@pytest.fixture
def dora(cast: Cast, browser_of: Browsers) -> Client:
    """The browser of the domain administrator."""
    return browser_of(cast.dora)


def aliases(cast: Cast, first: int, last: int) -> list[str]:
    """New aliases, as a selection calls them."""
    specs = [
        AliasSpec(address=f"a{number:03}@dora.example", recipients=("sam@dora.example",))
        for number in range(first, last)
    ]
    return [f"alias:{alias.pk}" for alias in create_aliases(cast.root, specs)]


def people(cast: Cast, first: int, last: int) -> list[str]:
    """New accounts, as a selection calls them."""
    names = [f"p{number:03}@dora.example" for number in range(first, last)]
    specs = [
        AccountSpec(username=name, password=PASSWORD, mailbox=MailboxSpec(address=name)) for name in names
    ]
    return [f"account:{new.account.pk}" for new in create_accounts(cast.root, specs)]


def plan_of(answer: Any) -> dict[str, str]:
    """What the page of a preview sends back."""
    assert answer.status_code in {200, 422}
    page = answer.content.decode()
    found = {name: re.search(f'name="{name}"(?: value="([^"]*)")?', page) for name in ("plan", "filter")}
    return {name: unescape(match[1] or "") for name, match in found.items() if match}


def heading(answer: Any) -> str:
    found = re.search("<h1>(.*?)</h1>", answer.content.decode(), re.DOTALL)
    assert found
    return " ".join(found.group(1).split())


# --- from the list to the report --------------------------------------------------------------------------------


def test_ticked_rows_of_several_pages_are_disabled_after_a_preview(
    cast: Cast, dora: Client, fingerprint: Fingerprint
) -> None:
    others, accounts = aliases(cast, 0, 3), people(cast, 0, 1)
    before = fingerprint()
    values = {
        "verb": "disable",
        "selected": [others[0], *accounts],
        "kept": f"{others[1]} nonsense account:x domain:1",
        "filter": "q=a&page=2",
    }
    shown = dora.post(IDENTITIES, values)
    assert heading(shown) == "Disable 1 account and 2 aliases?"
    assert "a000@dora.example" in shown.content.decode()
    assert fingerprint() == before
    report = dora.post(IDENTITIES, plan_of(shown))
    assert (report.status_code, heading(report)) == (200, "Disabled: 1 account and 2 aliases")
    assert "/admin/identities/?q=a&amp;page=2" in report.content.decode()
    assert Alias.objects.filter(enabled=False).count() == 2
    assert Account.objects.filter(is_active=False).count() == 1
    assert Alias.objects.get(address="a002@dora.example").enabled


def test_everything_that_matches_the_filter_is_meant_when_all_is_ticked(cast: Cast, dora: Client) -> None:
    people(cast, 0, 40)
    one = aliases(cast, 0, 2)
    values = {
        "verb": "disable",
        "all": "1",
        "selected": one[:1],
        "filter": "kind=account&q=p0&page=3&sort=name",
    }
    shown = dora.post(IDENTITIES, values)
    assert heading(shown) == "Disable 40 accounts?"
    aliases(cast, 2, 4)
    people(cast, 40, 42)
    assert heading(dora.post(IDENTITIES, plan_of(shown))) == "Disabled: 40 accounts"
    assert Account.objects.filter(is_active=False).count() == 40
    assert not Alias.objects.filter(enabled=False).exists()


def test_a_report_offers_the_way_back(cast: Cast, dora: Client) -> None:
    shown = dora.post(IDENTITIES, {"verb": "disable", "selected": aliases(cast, 0, 2)})
    report = dora.post(IDENTITIES, plan_of(shown))
    back = {"verb": "enable", "selection": report.context["selection"]}
    shown = dora.post(IDENTITIES, back)
    assert heading(shown) == "Enable 2 aliases?"
    assert heading(dora.post(IDENTITIES, plan_of(shown))) == "Enabled: 2 aliases"
    assert not Alias.objects.filter(enabled=False).exists()


def test_a_confirmation_that_is_sent_twice_says_so_and_does_nothing(
    cast: Cast, dora: Client, fingerprint: Fingerprint
) -> None:
    shown = dora.post(IDENTITIES, {"verb": "disable", "selected": aliases(cast, 0, 2)})
    plan = plan_of(shown)
    dora.post(IDENTITIES, plan)
    before = fingerprint()
    again = dora.post(IDENTITIES, plan)
    assert (again.status_code, heading(again)) == (200, "Nothing was changed")
    assert "So already, and left alone: 2 aliases." in again.content.decode()
    assert fingerprint() == before


def test_a_deletion_asks_for_its_number(cast: Cast, dora: Client, fingerprint: Fingerprint) -> None:
    shown = dora.post(IDENTITIES, {"verb": "delete", "selected": aliases(cast, 0, 2)})
    assert "Type <code>delete 2</code> to confirm" in shown.content.decode()
    before = fingerprint()
    for words in ("", "delete", "delete 3"):
        refused = dora.post(IDENTITIES, plan_of(shown) | {"confirmation": words})
        assert refused.status_code == 422
        assert refused.context["form"].errors.as_data()["confirmation"][0].code == "not_confirmed"
        assert "a000@dora.example" in refused.content.decode()
    assert fingerprint() == before
    report = dora.post(IDENTITIES, plan_of(shown) | {"confirmation": " Delete  2 "})
    assert heading(report) == "Deleted: 2 aliases"
    assert not Alias.objects.exists()


def test_a_preview_that_is_out_of_date_is_shown_anew_and_counts_anew(cast: Cast, dora: Client) -> None:
    shown = dora.post(IDENTITIES, {"verb": "delete", "selected": aliases(cast, 0, 3)})
    delete_aliases(cast.root, [Alias.objects.get(address="a000@dora.example")])
    again = dora.post(IDENTITIES, plan_of(shown) | {"confirmation": ""})
    assert "Type <code>delete 2</code> to confirm" in again.content.decode()
    assert "Something changed meanwhile" in again.content.decode()
    assert (
        heading(dora.post(IDENTITIES, plan_of(again) | {"confirmation": "delete 2"})) == "Deleted: 2 aliases"
    )


def test_directories_are_kept_when_the_box_says_so(cast: Cast, dora: Client) -> None:
    ticked = {"verb": "delete", "selected": people(cast, 0, 1)}
    assert "keep_directories" not in dora.post(IDENTITIES, ticked).content.decode()
    store("admin", handle_mailboxes=True)
    assert "keep_directories" in dora.post(IDENTITIES, ticked).content.decode()
    only_aliases = {"verb": "delete", "selected": aliases(cast, 0, 1)}
    assert "keep_directories" not in dora.post(IDENTITIES, only_aliases).content.decode()


def test_a_quota_is_asked_for_then_shown_then_set(cast: Cast, dora: Client) -> None:
    ticked = {"verb": "quota", "selected": people(cast, 0, 2) + aliases(cast, 0, 1)}
    asked = dora.post(IDENTITIES, ticked)
    assert (asked.status_code, heading(asked)) == (200, "Set quota")
    carried = {"verb": "quota", "selection": asked.context["selection"], "quota_mode": "own"}
    for typed, code in (("", "required"), ("much", "quota_format")):
        refused = dora.post(IDENTITIES, carried | {"quota": typed})
        assert refused.status_code == 422
        assert refused.context["amount"].errors.as_data()["quota"][0].code == code
    shown = dora.post(IDENTITIES, carried | {"quota": "2 GB"})
    assert heading(shown) == "Set the quota of 2 accounts?"
    assert "Aliases have no quota" in shown.content.decode()
    assert heading(dora.post(IDENTITIES, plan_of(shown))) == "Quota set: 2 accounts"
    assert set(Mailbox.objects.filter(address__startswith="p").values_list("quota", flat=True)) == {2048}
    shown = dora.post(IDENTITIES, carried | {"quota_mode": "domain", "quota": "nonsense"})
    dora.post(IDENTITIES, plan_of(shown))
    assert set(Mailbox.objects.filter(address__startswith="p").values_list("use_domain_quota")) == {(True,)}


def test_domains_get_quotas_and_are_deleted_by_their_number(cast: Cast, browser_of: Browsers) -> None:
    rita = browser_of(cast.rita)
    made = create_domains(cast.rita, [DomainSpec(name=f"d{number}.example") for number in range(3)])
    ticked = [f"domain:{domain.pk}" for domain in made]
    asked = rita.post(DOMAINS, {"verb": "quota", "selected": ticked})
    carried = {"verb": "quota", "selection": asked.context["selection"]}
    refused = rita.post(DOMAINS, carried | {"quota": "", "default_mailbox_quota": ""})
    assert refused.context["amount"].errors.as_data()["quota"][0].code == "required"
    shown = rita.post(DOMAINS, carried | {"quota": "5 GB", "default_mailbox_quota": ""})
    assert heading(rita.post(DOMAINS, plan_of(shown))) == "Quota set: 3 domains"
    assert set(Domain.objects.filter(pk__in=[d.pk for d in made]).values_list("quota", flat=True)) == {5120}
    shown = rita.post(DOMAINS, {"verb": "delete", "selected": ticked[:2]})
    report = rita.post(DOMAINS, plan_of(shown) | {"confirmation": "delete 2"})
    assert heading(report) == "Deleted: 2 domains"
    assert Domain.objects.filter(name__startswith="d").exclude(name="dora.example").count() == 1


def test_domains_for_which_their_owner_has_no_room_are_named_and_left(
    cast: Cast, browser_of: Browsers
) -> None:
    rita = browser_of(cast.rita)
    specs = [DomainSpec(name=f"d{n:02}.example", quota=100, default_mailbox_quota=10) for n in range(12)]
    made = create_domains(cast.rita, specs)
    Allowance.objects.filter(pk=cast.rita.pk).update(quota_max=5000)
    asked = rita.post(DOMAINS, {"verb": "quota", "selected": [f"domain:{each.pk}" for each in made]})
    carried = {"verb": "quota", "selection": asked.context["selection"], "default_mailbox_quota": ""}
    shown = rita.post(DOMAINS, carried | {"quota": "1000 MB"})
    assert heading(shown) == "Set the quota of 4 domains?"
    assert "The quota of their owners has no room left" in shown.content.decode()
    Allowance.objects.filter(pk=cast.rita.pk).update(quota_max=4000)
    report = rita.post(DOMAINS, plan_of(shown))
    assert (report.status_code, heading(report)) == (200, "Quota set: 3 domains")
    assert "The quota of their owners has no room left" in report.content.decode()
    assert Domain.objects.filter(quota=1000).count() == 3


@pytest.mark.parametrize("typed", ["999999999999999T", "9999999999T", "-5T"])
@pytest.mark.parametrize("name", ["rita", "root"])
def test_absurd_quotas_of_many_domains_change_nothing(
    cast: Cast, browser_of: Browsers, name: str, typed: str
) -> None:
    Allowance.objects.filter(pk=cast.rita.pk).update(quota_max=5000)
    browser = browser_of(cast.everybody[name])
    asked = browser.post(DOMAINS, {"verb": "quota", "selected": f"domain:{cast.reseller_example.pk}"})
    carried = {"verb": "quota", "selection": asked.context["selection"], "default_mailbox_quota": ""}
    shown = browser.post(DOMAINS, carried | {"quota": typed})
    if shown.status_code == 200:
        shown = browser.post(DOMAINS, plan_of(shown))
        assert (shown.status_code, heading(shown)) == (200, "Nothing was changed")
    assert shown.status_code in {200, 422}
    assert Domain.objects.get(pk=cast.reseller_example.pk).quota == 0


def test_a_preview_of_a_quota_asks_about_mailboxes_that_use_more(cast: Cast, dora: Client) -> None:
    ticked = {"verb": "quota", "selected": people(cast, 0, 2)}
    Quota.objects.filter(username="p000@dora.example").update(bytes=60 * 2**20)
    carried = {"verb": "quota", "selection": dora.post(IDENTITIES, ticked).context["selection"]}
    shown = dora.post(IDENTITIES, carried | {"quota_mode": "own", "quota": "70 MB"})
    assert "confirm_below_usage" not in shown.content.decode()
    shown = dora.post(IDENTITIES, carried | {"quota_mode": "own", "quota": "50 MB"})
    page = shown.content.decode()
    assert "1 mailbox uses more than it would get." in page
    assert "60 MB → 50 MB" in page
    assert re.search('<input type="checkbox" name="confirm_below_usage"[^>]*>', page)
    report = dora.post(IDENTITIES, plan_of(shown))
    assert heading(report) == "Quota set: 1 account"
    assert "They use more than they would get" in report.content.decode()
    report = dora.post(IDENTITIES, plan_of(shown) | {"confirm_below_usage": "on"})
    assert heading(report) == "Quota set: 1 account"
    assert set(Mailbox.objects.filter(address__startswith="p").values_list("quota", flat=True)) == {50}


def test_a_preview_of_a_default_quota_asks_about_followers(cast: Cast, browser_of: Browsers) -> None:
    root = browser_of(cast.root)
    people(cast, 0, 1)
    Quota.objects.filter(username="p000@dora.example").update(bytes=60 * 2**20)
    asked = root.post(DOMAINS, {"verb": "quota", "selected": f"domain:{cast.dora_example.pk}"})
    carried = {"verb": "quota", "selection": asked.context["selection"], "quota": ""}
    shown = root.post(DOMAINS, carried | {"default_mailbox_quota": "50 MB"})
    assert "p000@dora.example" in shown.content.decode()
    assert heading(root.post(DOMAINS, plan_of(shown))) == "Nothing was changed"
    report = root.post(DOMAINS, plan_of(shown) | {"confirm_below_usage": "on"})
    assert heading(report) == "Quota set: 1 domain"


# --- what is not done -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"verb": "disable"},
        {"verb": "explode", "selected": "account:1"},
        {
            "verb": "disable",
            "selected": ["", "account:", "account:-1", "account:1e3", "account:٣", "\0", "x" * 9999],
        },
        {"verb": "disable", "selected": "account:" + "9" * 40},
        {"verb": "quota", "selection": "forged"},
        {"plan": "forged"},
        {"plan": ""},
    ],
)
def test_nothing_sensible_leads_back_to_the_list_with_a_word(
    values: dict[str, Any], dora: Client, fingerprint: Fingerprint
) -> None:
    before = fingerprint()
    answer = dora.post(IDENTITIES, values | {"filter": "q=<b>&next=//else.example"}, follow=True)
    assert answer.redirect_chain == [("/admin/identities/?q=%3Cb%3E&next=%2F%2Felse.example", 302)]
    (told,) = answer.context["messages"]
    assert str(told)
    assert fingerprint() == before


def test_a_plan_of_somebody_else_is_not_taken(
    cast: Cast, dora: Client, browser_of: Browsers, fingerprint: Fingerprint
) -> None:
    shown = dora.post(IDENTITIES, {"verb": "disable", "selected": aliases(cast, 0, 1)})
    root = browser_of(cast.root)
    before = fingerprint()
    assert root.post(IDENTITIES, plan_of(shown)).status_code == 302
    assert fingerprint() == before


def test_a_selection_is_no_plan(cast: Cast, dora: Client, fingerprint: Fingerprint) -> None:
    asked = dora.post(IDENTITIES, {"verb": "quota", "selected": people(cast, 0, 1)})
    before = fingerprint()
    assert dora.post(IDENTITIES, {"plan": asked.context["selection"]}).status_code == 302
    assert fingerprint() == before


def test_foreign_ids_tell_nothing(cast: Cast, browser_of: Browsers, fingerprint: Fingerprint) -> None:
    selected = [*aliases(cast, 0, 1), f"account:{cast.sam.pk}", "account:999999"]
    mallory = browser_of(cast.mallory)
    before = fingerprint()
    for verb in ("disable", "enable", "delete"):
        answer = mallory.post(IDENTITIES, {"verb": verb, "selected": selected})
        assert heading(answer) == "Nothing to change"
        assert "dora.example" not in answer.content.decode()
    assert fingerprint() == before


def test_a_plan_made_by_hand_reaches_no_further_than_its_actor(
    cast: Cast, browser_of: Browsers, fingerprint: Fingerprint
) -> None:
    change = BulkChange(verb=Verb.DISABLE)
    plan = sealed(cast.mallory, {Kind.ACCOUNT: (cast.sam.pk, cast.root.pk, cast.mallory.pk)}, change)
    mallory = browser_of(cast.mallory)
    before = fingerprint()
    report = mallory.post(IDENTITIES, {"plan": plan})
    assert heading(report) == "Nothing was changed"
    assert fingerprint() == before


def test_a_plan_of_domains_does_nothing_among_identities(cast: Cast, browser_of: Browsers) -> None:
    plan = sealed(cast.root, {Kind.DOMAIN: (cast.dora_example.pk,)}, BulkChange(verb=Verb.DISABLE))
    browser_of(cast.root).post(IDENTITIES, {"plan": plan})
    assert Domain.objects.get(pk=cast.dora_example.pk).enabled


def test_without_the_token_against_forgery_nothing_happens(cast: Cast, fingerprint: Fingerprint) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.dora.user)
    selected = aliases(cast, 0, 1)
    before = fingerprint()
    assert client.post(IDENTITIES, {"verb": "disable", "selected": selected}).status_code == 403
    assert fingerprint() == before


# --- size -------------------------------------------------------------------------------------------------------


def test_100_000_ids_travel_in_one_field_of_moderate_size(cast: Cast) -> None:
    ids = {Kind.ACCOUNT: tuple(range(7, 400_007, 4)), Kind.ALIAS: tuple(range(1, 50_000, 7))}
    change = BulkChange(verb=Verb.QUOTA, quota=None)
    text = sealed(cast.root, ids, change)
    assert len(text) < 1_000_000
    assert opened_plan(cast.root, text, (Kind.ACCOUNT, Kind.ALIAS)) == (ids, change)
    assert opened_plan(cast.dora, text, (Kind.ACCOUNT, Kind.ALIAS)) is None


def test_a_preview_costs_the_same_for_2_and_for_22(cast: Cast, dora: Client) -> None:
    def cost(selected: list[str]) -> list[int]:
        counts = []
        for verb in ("disable", "delete"):
            with CaptureQueriesContext(connection) as queries:
                assert dora.post(IDENTITIES, {"verb": verb, "selected": selected}).status_code == 200
            counts.append(len(queries))
        return counts

    few = people(cast, 0, 2) + aliases(cast, 0, 2)
    many = people(cast, 2, 24) + aliases(cast, 2, 24)
    cost(few)
    assert cost(few) == cost(many)
    assert max(cost(many)) <= 25


def test_boxes_and_bar_are_there_for_those_who_may_use_them(cast: Cast, browser_of: Browsers) -> None:
    for actor, url, expected in (
        (cast.root, "domain_list", True),
        (cast.rita, "domain_list", True),
        (cast.dora, "domain_list", False),
        (cast.dora, "identity_list", True),
    ):
        page = browser_of(actor).get(reverse(f"admin:{url}")).content.decode()
        assert ('name="selected"' in page, 'id="bulk"' in page) == (expected, expected), (url, actor)
