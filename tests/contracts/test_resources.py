"""Limits on screens: shown before somebody types, set by forms, refused beside their fields, told on pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from admin.models import Account, Domain
from admin.operations import (
    Appointment,
    MailboxSpec,
    add_administrators,
    create_account,
    create_alias,
    create_domain,
    update_domain,
)
from admin.queries.resources import Resource
from core.actor import Actor, Credential
from core.roles import Role
from limits.kinds import HANDED_OUT, Kind
from limits.models import Allowance, Usage
from limits.operations import Grant, grant
from tests.cast import PASSWORD, Cast
from tests.stored_parameters import store

Browsers = Callable[[Actor | None], Client]
ACCOUNT_FIELDS = [f"{kind}_limit" for kind in Kind]
ADMIN_FIELDS = [f"{kind}_limit" for kind in HANDED_OUT]
DOMAIN_FIELDS = ["domain_aliases_limit", "mailboxes_limit", "mailbox_aliases_limit", "domain_admins_limit"]


def _switch(name: str, *, on: bool) -> None:
    store("limits", **{name: on})


def _limit(cast: Cast, actor: Actor, limits: Mapping[Kind, int]) -> None:
    grant(cast.root, [Grant(account=Account.objects.get(pk=actor.pk), limits=limits)])


def _mailboxes(actor: Actor, domain: str, number: int) -> None:
    for address in (f"m{each}@{domain}" for each in range(number)):
        create_account(
            actor, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address, quota=100)
        )


def _aliases(actor: Actor, domain: str, number: int) -> None:
    for each in range(number):
        create_alias(actor, address=f"a{each}@{domain}", recipients=("friend@elsewhere.example",))


def _ron(cast: Cast, limits: Mapping[Kind, int] | None = None) -> Actor:
    """A domain administrator of rita's."""
    ron = create_account(
        cast.rita,
        username="ron",
        password=PASSWORD,
        role=Role.DOMAIN_ADMIN,
        administers=("reseller.example",),
        limits=limits,
    ).account
    return Actor(Account.objects.get(pk=ron.pk), Credential.SESSION, "127.0.0.1")


def test_nobody_reads_the_limits_of_others(cast: Cast, browser_of: Browsers) -> None:
    """Neither those of an equal in the same domain, nor of a reseller whose mailbox is there."""
    equal = create_account(
        cast.root,
        username="equal@dora.example",
        password=PASSWORD,
        role=Role.DOMAIN_ADMIN,
        mailbox=MailboxSpec(address="equal@dora.example"),
        administers=("dora.example",),
    ).account
    pages = {
        account: reverse("admin:account_detail", args=[account.pk]) for account in (equal, cast.dora.user)
    }
    shown = {
        (name, account.username): "Resource usage" in _text(browser_of(actor).get(url))
        for name, actor in (("root", cast.root), ("dora", cast.dora))
        for account, url in pages.items()
    }
    assert shown == {
        ("root", "equal@dora.example"): True,
        ("root", "dora@dora.example"): True,
        ("dora", "equal@dora.example"): False,
        ("dora", "dora@dora.example"): True,
    }


def _text(answer: Any) -> str:
    """Words of a page, without what is between them."""
    words = re.sub(r"<[^>]*>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", unescape(words)).replace(" ,", ",")


def _url(name: str, pk: int | None = None) -> str:
    return reverse(f"admin:{name}", args=[] if pk is None else [pk])


def _fields(browser: Client, url: str) -> list[str]:
    answer = browser.get(url)
    assert answer.status_code == 200
    return [name for name in answer.context["form"].fields if name in ACCOUNT_FIELDS]


def _edit(browser: Client, url: str, values: Mapping[str, Any]) -> Any:
    """Send a form with these values and the others as they stand there."""
    sent: dict[str, Any] = {}
    for field in browser.get(url).context["form"]:
        value, widget = field.value(), field.field.widget
        if hasattr(widget, "widgets_names"):
            parts = zip(widget.widgets_names, widget.decompress(value), strict=True)
            sent |= {f"{field.name}{suffix}": part for suffix, part in parts}
        elif value is True:
            sent[field.name] = "on"
        elif value is not None and value is not False:
            sent[field.name] = value
    return browser.post(url, sent | dict(values))


def _errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 422
    errors = answer.context["form"].errors.as_data()
    return {name: [one.code for one in codes] for name, codes in errors.items()}


def _maxima(actor: Actor) -> dict[str, int]:
    row = Allowance.objects.get(pk=actor.pk)
    return {kind.value: getattr(row, f"{kind}_max") for kind in Kind}


# --- before somebody types -------------------------------------------------------------------------------------


def test_a_new_account_and_a_new_alias_begin_with_what_is_left(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.dora, {Kind.MAILBOXES: 10, Kind.MAILBOX_ALIASES: 4})
    _mailboxes(cast.dora, "dora.example", 7)
    _aliases(cast.dora, "dora.example", 3)
    dora = browser_of(cast.dora)
    assert "Mailboxes 7 of 10, 3 left" in _text(dora.get(_url("account_create")))
    page = _text(dora.get(_url("alias_create")))
    assert "Aliases 3 of 4, 1 left" in page
    assert "Mailboxes" not in page


def test_a_reseller_sees_all_that_a_form_draws_on(cast: Cast, browser_of: Browsers) -> None:
    limits = {Kind.DOMAINS: 3, Kind.DOMAIN_ALIASES: 5, Kind.DOMAIN_ADMINS: 2, Kind.MAILBOXES: 40}
    update_domain(cast.root, cast.reseller_example, quota=10_240, default_mailbox_quota=100)
    _limit(cast, cast.rita, limits | {Kind.QUOTA: 20_480})
    _ron(cast, {Kind.MAILBOXES: 15})
    rita = browser_of(cast.rita)
    page = _text(rita.get(_url("account_create")))
    assert "Domain administrators 1 of 2, 1 left" in page
    assert "Mailboxes 15 of 40, 25 left 0 used, 15 handed out" in page
    page = _text(rita.get(_url("domain_create")))
    assert "Domains 1 of 3, 2 left" in page
    assert "Domain aliases 0 of 5, 5 left" in page
    assert "Quota 10 of 20 GB, 10 GB left" in page


@pytest.mark.parametrize("who", ["root", "rita", "dora"])
def test_nobody_without_limits_is_told_of_any(who: str, cast: Cast, browser_of: Browsers) -> None:
    browser = browser_of(cast.everybody[who])
    urls = ["account_create", "alias_create", "domain_list", "identity_list"]
    for name in (*urls, *(["domain_create"] if who != "dora" else [])):
        assert "Your resources" not in browser.get(_url(name)).content.decode(), name


def test_nothing_is_said_while_administrators_are_not_limited(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.rita, dict.fromkeys(Kind, 5))
    _switch("enable_admin_limits", on=False)
    rita = browser_of(cast.rita)
    for name in ("account_create", "alias_create", "domain_create", "domain_list", "identity_list"):
        assert "Your resources" not in rita.get(_url(name)).content.decode(), name
    assert _fields(rita, _url("account_create")) == []
    root = browser_of(cast.root)
    assert _fields(root, _url("account_update", cast.rita.pk)) == []
    assert "Resource usage" not in _text(root.get(_url("account_detail", cast.rita.pk)))


def test_where_nothing_is_left_it_says_who_can_raise_it(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.dora, {Kind.MAILBOXES: 0, Kind.MAILBOX_ALIASES: 1})
    _aliases(cast.dora, "dora.example", 1)
    dora = browser_of(cast.dora)
    answer = dora.get(_url("account_create"))
    assert answer.context["form"].fields["address"]
    assert "Mailboxes: 0 of 0 are taken. A super administrator can raise this limit." in _text(answer)
    page = _text(dora.get(_url("alias_create")))
    assert "Aliases: 1 of 1 are taken. A super administrator can raise this limit." in page

    ron = browser_of(_ron(cast, {Kind.MAILBOXES: 0, Kind.MAILBOX_ALIASES: 5}))
    page = _text(ron.get(_url("account_create")))
    assert "Mailboxes: 0 of 0 are taken. Your reseller, rita, can raise this limit." in page
    assert "are taken" not in _text(ron.get(_url("alias_create")))


def test_only_what_a_form_cannot_do_without_is_a_warning(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.rita, {Kind.DOMAIN_ADMINS: 0, Kind.DOMAIN_ALIASES: 0, Kind.DOMAINS: 1})
    rita = browser_of(cast.rita)
    page = _text(rita.get(_url("account_create")))
    assert "Domain administrators 0 of 0, none left" in page
    assert "are taken" not in page
    page = _text(rita.get(_url("domain_create")))
    assert "Domains: 1 of 1 are taken." in page
    assert "Domain aliases: 0 of 0 are taken." not in page


def test_a_form_in_a_domain_shows_the_numbers_of_the_domain_to_everybody(
    cast: Cast, browser_of: Browsers
) -> None:
    _switch("enable_domain_limits", on=True)
    update_domain(cast.root, cast.dora_example, mailboxes_limit=4, mailbox_aliases_limit=0)
    for who in (cast.root, cast.dora):
        browser = browser_of(who)
        page = _text(browser.get(_url("account_create"), {"domain": "dora.example"}))
        assert "In dora.example Mailboxes 2 of 4, 2 left" in page
        page = _text(browser.get(_url("alias_create"), {"address": "info@dora.example"}))
        full = "Aliases in “dora.example”: 0 of 0 are taken. Whoever manages the domain can raise this limit."
        assert full in page
    # With one domain only, that is the one.
    assert "In dora.example Mailboxes" in _text(browser_of(cast.dora).get(_url("account_create")))
    assert "In dora.example" not in _text(browser_of(cast.root).get(_url("account_create")))
    # What others have is nobody's business.
    page = _text(browser_of(cast.mallory).get(_url("account_create"), {"domain": "dora.example"}))
    assert "In dora.example" not in page
    _switch("enable_domain_limits", on=False)
    page = _text(browser_of(cast.root).get(_url("account_create"), {"domain": "dora.example"}))
    assert "In dora.example" not in page


# --- limits of accounts ----------------------------------------------------------------------------------------


def test_a_super_administrator_sets_limits_with_what_is_taken_beside_them(
    cast: Cast, browser_of: Browsers
) -> None:
    _ron(cast, {Kind.MAILBOXES: 20})
    root, url = browser_of(cast.root), _url("account_update", cast.rita.pk)
    assert _fields(root, url) == ACCOUNT_FIELDS
    page = _text(root.get(url))
    assert "Mailboxes 0 used, 20 handed out" in page
    assert "Domains 1 used" in page
    values = {"mailboxes_limit": "30", "quota_limit": "2 TB", "domains_limit": "-1"}
    assert _edit(root, url, values).status_code == 302
    unlimited = {kind.value: kind.unlimited for kind in Kind}
    assert _maxima(cast.rita) == unlimited | {"mailboxes": 30, "quota": 2 * 1024 * 1024}
    assert "Changed: limits" in _text(root.get(_url("account_detail", cast.rita.pk)))


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"mailboxes_limit": "19"}, {"mailboxes_limit": ["below_use"]}),
        ({"domains_limit": "0"}, {"domains_limit": ["below_use"]}),
        ({"domain_aliases_limit": "-2"}, {"domain_aliases_limit": ["limit_out_of_range"]}),
        ({"domain_aliases_limit": str(2**70)}, {"domain_aliases_limit": ["limit_out_of_range"]}),
        ({"quota_limit": "-1"}, {"quota_limit": ["limit_out_of_range"]}),
        ({"domain_aliases_limit": "many"}, {"domain_aliases_limit": ["invalid"]}),
        ({"quota_limit": "much"}, {"quota_limit": ["quota_format"]}),
        ({"domain_aliases_limit": ""}, {"domain_aliases_limit": ["required"]}),
        ({"quota_limit": ""}, {"quota_limit": ["required"]}),
        ({"mailbox_aliases_limit": "9"}, {"mailbox_aliases_limit": ["handed_out_unlimited"]}),
    ],
)
def test_a_limit_that_cannot_be_is_refused_beside_its_field(
    values: dict[str, str], errors: dict[str, list[str]], cast: Cast, browser_of: Browsers
) -> None:
    _ron(cast, {Kind.MAILBOXES: 20, Kind.MAILBOX_ALIASES: -1})
    before = _maxima(cast.rita)
    url = _url("account_update", cast.rita.pk)
    assert _errors(_edit(browser_of(cast.root), url, values)) == errors
    assert _maxima(cast.rita) == before


def test_a_reseller_hands_out_what_is_left(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.rita, {Kind.MAILBOXES: 30, Kind.MAILBOX_ALIASES: 8})
    ron = _ron(cast, {Kind.MAILBOXES: 12, Kind.MAILBOX_ALIASES: 8})
    _mailboxes(cast.rita, "reseller.example", 5)
    rita, url = browser_of(cast.rita), _url("account_update", ron.pk)
    assert _fields(rita, url) == ADMIN_FIELDS
    page = _text(rita.get(url))
    assert "You have 13 left." in page
    assert "You have 0 left." in page
    assert "rita has 13 left to hand out." in _text(browser_of(cast.root).get(url))
    assert _errors(_edit(rita, url, {"mailboxes_limit": "26"})) == {"mailboxes_limit": ["pool_exhausted"]}
    unlimited = {"mailboxes_limit": "-1"}
    assert _errors(_edit(rita, url, unlimited)) == {"mailboxes_limit": ["unlimited_not_yours"]}
    assert _edit(rita, url, {"mailboxes_limit": "25"}).status_code == 302
    assert Allowance.objects.get(pk=ron.pk).mailboxes_max == 25
    assert Allowance.objects.get(pk=cast.rita.pk).mailboxes_granted == 25


def test_who_may_not_grant_sees_no_field_and_sends_one_for_nothing(cast: Cast, browser_of: Browsers) -> None:
    ron = _ron(cast)
    add_administrators(cast.root, [Appointment(cast.reseller_example, cast.dora.user.username)])
    add_administrators(cast.root, [Appointment(cast.dora_example, "rita")])
    sent = dict.fromkeys(ACCOUNT_FIELDS, "7")
    before = list(Allowance.objects.order_by("pk").values())
    tried = [
        (cast.rita, cast.rita),  # oneself
        (cast.rita, cast.dora),  # not one's own, though one may edit it
        (cast.dora, cast.dora),
        (cast.dora, cast.sam),
        (cast.root, cast.sam),  # has no limits
        (cast.root, cast.root),
    ]
    for actor, account in tried:
        browser, url = browser_of(actor), _url("account_update", account.pk)
        assert _fields(browser, url) == [], (actor, account)
        assert _edit(browser, url, sent).status_code == 302, (actor, account)
    # Of a domain administrator's limits a reseller sets two, whatever is sent.
    rita, url = browser_of(cast.rita), _url("account_update", ron.pk)
    assert _edit(rita, url, {"domains_limit": "7", "quota_limit": "7"}).status_code == 302
    assert list(Allowance.objects.order_by("pk").values()) == before


def test_limits_are_set_with_the_account(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.rita, {Kind.MAILBOXES: 10, Kind.MAILBOX_ALIASES: 3})
    root, rita, url = browser_of(cast.root), browser_of(cast.rita), _url("account_create")
    assert _fields(root, url) == ACCOUNT_FIELDS
    form = root.get(url).context["form"]
    assert [form[name].value() for name in ACCOUNT_FIELDS] == [-1, -1, -1, -1, -1, "0"]
    values = {"role": "Resellers", "username": "ray", "is_active": "on"}
    assert root.post(url, values | {"domains_limit": "2", "quota_limit": "1 GB"}).status_code in {200, 302}
    ray = Allowance.objects.get(user__username="ray")
    assert (ray.domains_max, ray.quota_max, ray.mailboxes_max) == (2, 1024, -1)

    assert _fields(rita, url) == ADMIN_FIELDS
    form = rita.get(url).context["form"]
    assert [form[name].value() for name in ADMIN_FIELDS] == [0, 0]
    values = {"role": "DomainAdmins", "username": "rob", "is_active": "on", "mailboxes_limit": "11"}
    assert _errors(rita.post(url, values)) == {"mailboxes_limit": ["pool_exhausted"]}
    assert not Account.objects.filter(username="rob").exists()
    assert rita.post(url, values | {"mailboxes_limit": "6"}).status_code in {200, 302}
    rob = Allowance.objects.get(user__username="rob")
    assert (rob.mailboxes_max, rob.mailbox_aliases_max, rob.domains_max) == (6, 0, 0)
    assert Allowance.objects.get(pk=cast.rita.pk).mailboxes_granted == 6


def test_of_a_simple_user_nothing_that_stands_in_these_fields_counts(
    cast: Cast, browser_of: Browsers
) -> None:
    root, url = browser_of(cast.root), _url("account_create")
    page = root.get(url).content.decode()
    assert 'data-shown-when="role=DomainAdmins Resellers"' in page or (
        'data-shown-when="role=Resellers DomainAdmins"' in page
    )
    values = {
        "address_local": "new",
        "address_domain": "dora.example",
        "role": "SimpleUsers",
        "is_active": "on",
        "mailboxes_limit": "",
        "domains_limit": "what",
    }
    assert root.post(url, values).status_code in {200, 302}
    assert not Allowance.objects.filter(user__username="new@dora.example").exists()
    assert _fields(browser_of(cast.dora), url) == []
    # A domain administrator who becomes a simple user has none any more.
    values = {"role": "SimpleUsers", "mailboxes_limit": "5"}
    assert _edit(root, _url("account_update", cast.dora.pk), values).status_code == 302
    assert not Allowance.objects.filter(pk=cast.dora.pk).exists()


def test_a_limit_that_somebody_else_changed_is_refused_once(cast: Cast, browser_of: Browsers) -> None:
    root, url = browser_of(cast.root), _url("account_update", cast.dora.pk)
    sealed = root.get(url).context["form"]["began_with"].value()
    _limit(cast, cast.dora, {Kind.MAILBOXES: 10, Kind.MAILBOX_ALIASES: 5})
    sent = {"began_with": sealed, "mailboxes_limit": "7", "mailbox_aliases_limit": "-1", "first_name": "Dora"}
    answer = _edit(root, url, sent)
    assert _errors(answer) == {"mailboxes_limit": ["changed_meanwhile"]}
    words = " ".join(answer.context["form"].errors["mailboxes_limit"])
    assert words == "Changed meanwhile by root to “10”. Save again to replace it."
    again = answer.context["form"]["began_with"].value()
    assert _edit(root, url, sent | {"began_with": again}).status_code == 302
    limits = _maxima(cast.dora)
    assert (limits["mailboxes"], limits["mailbox_aliases"]) == (7, 5)


# --- limits of domains -----------------------------------------------------------------------------------------


def test_a_domain_is_created_and_changed_with_its_limits(cast: Cast, browser_of: Browsers) -> None:
    _switch("enable_domain_limits", on=True)
    store("limits", deflt_domain_mailboxes_limit=25)
    rita, url = browser_of(cast.rita), _url("domain_create")
    form = rita.get(url).context["form"]
    assert [form[name].value() for name in DOMAIN_FIELDS] == [0, 25, 0, 0]
    values = {"name": "new.example", "enabled": "on", "mailboxes_limit": "3", "domain_admins_limit": "-1"}
    assert rita.post(url, values).status_code == 302
    new = Domain.objects.get(name="new.example")
    assert [getattr(new, name) for name in DOMAIN_FIELDS] == [0, 3, 0, -1]

    url = _url("domain_update", new.pk)
    _mailboxes(cast.rita, "new.example", 2)
    page = _text(rita.get(url))
    assert "Mailboxes 2 used" in page
    assert _errors(_edit(rita, url, {"mailboxes_limit": "1"})) == {"mailboxes_limit": ["below_use"]}
    assert _errors(_edit(rita, url, {"mailboxes_limit": "-2"})) == {"mailboxes_limit": ["limit_out_of_range"]}
    assert _errors(_edit(rita, url, {"mailboxes_limit": ""})) == {"mailboxes_limit": ["required"]}
    alias = {"aliases": ["other.example"]}
    assert _errors(_edit(rita, url, alias)) == {"aliases": ["domain_limit_reached"]}
    values = {"mailboxes_limit": "2", "mailbox_aliases_limit": "9"}
    assert _edit(rita, url, values).status_code == 302
    new.refresh_from_db()
    assert [getattr(new, name) for name in DOMAIN_FIELDS] == [0, 2, 9, -1]
    told = "Changed: limit of mailboxes, limit of aliases"
    assert told in _text(rita.get(_url("domain_detail", new.pk)))
    values = {"address_local": "x", "address_domain": "new.example", "role": "SimpleUsers", "is_active": "on"}
    assert _errors(rita.post(_url("account_create"), values)) == {"address": ["domain_limit_reached"]}


def test_while_domains_are_not_limited_nothing_asks_for_their_limits(
    cast: Cast, browser_of: Browsers
) -> None:
    root = browser_of(cast.root)
    update, create = _url("domain_update", cast.dora_example.pk), _url("domain_create")
    assert _fields(root, update) == _fields(root, create) == []
    before = Domain.objects.values_list(*DOMAIN_FIELDS).get(pk=cast.dora_example.pk)
    assert _edit(root, update, dict.fromkeys(DOMAIN_FIELDS, "7")).status_code == 302
    assert Domain.objects.values_list(*DOMAIN_FIELDS).get(pk=cast.dora_example.pk) == before
    assert "Resource usage" not in _text(root.get(_url("domain_detail", cast.dora_example.pk)))


# --- pages and lists -------------------------------------------------------------------------------------------


def test_the_page_of_an_account_tells_how_its_limits_stand(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.rita, {Kind.MAILBOXES: 1234, Kind.DOMAIN_ALIASES: 0, Kind.DOMAINS: 2})
    _ron(cast, {Kind.MAILBOXES: 1000})
    _mailboxes(cast.rita, "reseller.example", 2)
    page = _text(browser_of(cast.root).get(_url("account_detail", cast.rita.pk)))
    assert "Resource usage" in page
    assert "Mailboxes 1,002 of 1,234 2 used, 1,000 handed out" in page
    assert "Domain aliases 0 of 0" in page
    assert "Domains 1 of 2" in page
    assert "Aliases 0, no limit" in page
    # Whoever sees the page sees it; who has no limits has no such panel.
    dora = browser_of(cast.dora)
    assert "Resource usage" in _text(dora.get(_url("account_detail", cast.dora.pk)))
    assert "Resource usage" not in _text(dora.get(_url("account_detail", cast.sam.pk)))


def test_the_page_of_a_domain_tells_what_it_holds(cast: Cast, browser_of: Browsers) -> None:
    _switch("enable_domain_limits", on=True)
    limits = dict(zip(DOMAIN_FIELDS, (3, 4, -1, 2), strict=True))
    update_domain(cast.root, cast.dora_example, aliases=("dora.test",), **limits)
    _aliases(cast.dora, "dora.example", 2)
    for who in (cast.root, cast.dora):
        page = _text(browser_of(who).get(_url("domain_detail", cast.dora_example.pk)))
        assert "Resource usage Domain aliases 1 of 3 Mailboxes 2 of 4 Aliases 2, no limit" in page
        assert "Domain administrators 1 of 2" in page


@pytest.mark.parametrize(
    ("usage", "percent", "tone"),
    [
        (Usage(Kind.MAILBOXES, 10, 0), "0", "brand"),
        (Usage(Kind.MAILBOXES, 10, 3, 4), "70", "brand"),
        (Usage(Kind.MAILBOXES, 10, 8), "80", "warn"),
        (Usage(Kind.MAILBOXES, 10, 10), "100", "bad"),
        (Usage(Kind.MAILBOXES, 10, 25), "100", "bad"),
        (Usage(Kind.MAILBOXES, 0, 0), "100", "bad"),
        (Usage(Kind.MAILBOXES, None, 7), "", "brand"),
    ],
)
def test_a_bar_is_as_long_as_what_is_taken(usage: Usage, percent: str, tone: str) -> None:
    assert (Resource(usage).percent, Resource(usage).tone) == (percent, tone)


@pytest.mark.parametrize("name", ["domain_list", "identity_list"])
def test_lists_have_the_limits_of_a_limited_administrator_above_them(
    name: str, cast: Cast, browser_of: Browsers
) -> None:
    _limit(cast, cast.dora, {Kind.MAILBOXES: 10, Kind.MAILBOX_ALIASES: 0})
    _mailboxes(cast.dora, "dora.example", 3)
    dora = browser_of(cast.dora)
    answer = dora.get(_url(name))
    shown = [resource.usage.kind for resource in answer.context["resources"]()]
    assert shown == [Kind.MAILBOXES]  # of nothing there is nothing to show
    assert "Mailboxes 3 of 10" in _text(answer)
    # What htmx replaces is the list.
    assert "resource-strip" not in dora.get(_url(name), headers={"HX-Request": "true"}).content.decode()


def test_a_domain_beyond_the_limit_is_refused_in_the_form(cast: Cast, browser_of: Browsers) -> None:
    _limit(cast, cast.rita, {Kind.DOMAINS: 2})
    create_domain(cast.rita, name="second.example")
    rita = browser_of(cast.rita)
    assert _errors(rita.post(_url("domain_create"), {"name": "third.example"})) == {"name": ["limit_reached"]}
    # At the limit everything that is there can be edited.
    url = _url("domain_update", cast.reseller_example.pk)
    assert _edit(rita, url, {"aliases": ["reseller.test"]}).status_code == 302
