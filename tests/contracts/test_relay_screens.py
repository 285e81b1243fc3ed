"""Relay domains on screens: created, changed, started and stopped by forms; found, tagged and explained elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from admin.models import Alias, Domain
from admin.operations import (
    Appointment,
    MailboxSpec,
    add_administrators,
    create_account,
    create_alias,
    create_domain,
    update_alias,
    update_domain,
)
from core.actor import Actor
from core.models import Log
from limits.models import Allowance
from relaydomains.models import RelayDomain, Service
from relaydomains.operations import (
    RelaySpec,
    Scan,
    create_relay_domain,
    start_relaying,
    stop_relaying,
    update_relay_domain,
)
from relaydomains.queries import services
from tests.cast import PASSWORD, Cast
from tests.contracts.conftest import Fingerprint
from tests.contracts.opened_forms import opened
from tests.stored_parameters import store

Values = dict[str, Any]
Browsers = Callable[[Actor | None], Client]
LIST = "/admin/domains/"
TARGET: Values = {"target_host": "mx.old.example", "target_port": "25", "service": "relay"}
NEW: Values = TARGET | {"name": "new.example", "enabled": "on", "quota": "0", "default_mailbox_quota": "0"}


@pytest.fixture
def root(cast: Cast, browser_of: Browsers) -> Client:
    """The browser of the super admin."""
    return browser_of(cast.root)


@pytest.fixture
def relay(cast: Cast) -> RelayDomain:
    """A relay domain of root."""
    return create_relay_domain(cast.root, name="old.example", target_host="mx.old.example")


def _url(name: str, *args: Any) -> str:
    return reverse(f"relaydomains:{name}", args=args)


def _page(pk: int) -> str:
    return reverse("admin:domain_detail", args=[pk])


def _codes(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 422
    errors = answer.context["form"].errors.as_data()
    return {name: [one.code for one in found] for name, found in errors.items()}


def _text(answer: Any) -> str:
    """What a person reads of a page, in one line."""
    words = re.sub(r"<[^>]+>", " ", unescape(answer.content.decode()))
    return " ".join(words.split())


def _names(browser: Client, **given: str) -> list[str]:
    return [row.name for row in browser.get(LIST, given).context["rows"]]


def _told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def _stored(relay: RelayDomain) -> tuple[str, int, str, bool]:
    relay = RelayDomain.objects.select_related("service").get(pk=relay.pk)
    return relay.target_host, relay.target_port, relay.service.name, relay.verify_recipients


# --- a new one -------------------------------------------------------------------------------------------------


def test_the_form_makes_a_relay_domain_with_everything_that_was_entered(root: Client) -> None:
    values = NEW | {
        "name": "bücher.example",
        "target_host": "[2001:DB8::25]",
        "target_port": "2525",
        "service": "smtp",
        "verify_recipients": "on",
        "quota": "3 GB",
        "aliases": ["further.example", ""],
    }
    answer = root.post(_url("relay_domain_create"), values)
    relay = RelayDomain.objects.select_related("domain").get()
    assert (answer.status_code, answer.headers["Location"]) == (302, _page(relay.pk))
    assert _told(answer) == "The relay domain bücher.example was created."
    assert _stored(relay) == ("2001:db8::25", 2525, "smtp", True)
    domain = relay.domain
    assert (domain.name, domain.type, domain.quota) == ("xn--bcher-kva.example", "relaydomain", 3_072)
    assert (domain.enabled, domain.enable_dns_checks) == (True, False)
    assert [alias.name for alias in domain.aliases.all()] == ["further.example"]


def test_one_after_the_other_stays_at_the_form(root: Client) -> None:
    answer = root.post(_url("relay_domain_create"), NEW | {"another": "1"})
    assert answer.headers["Location"] == _url("relay_domain_create")


def test_the_form_begins_with_what_is_usual(root: Client) -> None:
    form = root.get(_url("relay_domain_create")).context["form"]
    assert (form["target_port"].value(), form["service"].value(), form["enabled"].value()) == (
        25,
        "relay",
        True,
    )
    assert not form["verify_recipients"].value()
    assert [value for value, _label in form.fields["service"].choices] == ["relay", "smtp"]


REFUSED: list[tuple[Values, dict[str, list[str]]]] = [
    ({"name": ""}, {"name": ["required"]}),
    ({"name": "dora.example"}, {"name": ["name_taken"]}),
    ({"name": "a b"}, {"name": ["domain_character"]}),
    ({"target_host": ""}, {"target_host": ["required"]}),
    ({"target_host": "2130706433"}, {"target_host": ["target_address"]}),
    ({"target_host": "mx..example"}, {"target_host": ["domain_label_empty"]}),
    ({"target_port": "x"}, {"target_port": ["invalid"]}),
    ({"target_port": "0"}, {"target_port": ["port_out_of_range"]}),
    ({"target_port": "65536"}, {"target_port": ["port_out_of_range"]}),
    ({"service": "lmtp"}, {"service": ["unknown_service"]}),
    ({"quota": "much"}, {"quota": ["quota_format"]}),
    ({"aliases": "mallory.example"}, {"aliases": ["name_taken"]}),
    (
        {"name": "dora.example", "target_port": "0", "service": "lmtp"},
        {"name": ["name_taken"], "target_port": ["port_out_of_range"], "service": ["unknown_service"]},
    ),
]


@pytest.mark.parametrize(("values", "refusals"), REFUSED)
def test_refusals_stand_beside_their_fields_and_nothing_is_made(
    values: Values, refusals: dict[str, list[str]], root: Client, fingerprint: Fingerprint
) -> None:
    before = fingerprint()
    answer = root.post(_url("relay_domain_create"), NEW | values)
    assert _codes(answer) == refusals
    assert fingerprint() == before


@pytest.mark.parametrize("host", ["10.0.0.7", "::1", "mail.internal", "localhost.localdomain.local"])
def test_only_a_super_administrator_reaches_hosts_that_are_not_public(
    host: str, cast: Cast, browser_of: Browsers, root: Client
) -> None:
    values = NEW | {"target_host": host, "quota": "1 GB"}
    rita = browser_of(cast.rita)
    answer = rita.post(_url("relay_domain_create"), values)
    assert _codes(answer) == {"target_host": ["target_private"]}
    assert "administrator of this server" in answer.context["form"].errors["target_host"][0]
    assert "Only a super administrator" in _text(rita.get(_url("relay_domain_create")))
    assert "Only a super administrator" not in _text(root.get(_url("relay_domain_create")))
    assert root.post(_url("relay_domain_create"), values).status_code == 302


def test_limits_of_a_relay_domain_are_set_in_their_own_step(root: Client) -> None:
    store("limits", enable_domain_limits=True)
    limits = {"domain_aliases_limit": "1", "mailboxes_limit": "3", "mailbox_aliases_limit": "-1"}
    values = NEW | limits | {"domain_admins_limit": "2"}
    assert root.post(_url("relay_domain_create"), values).status_code == 302
    domain = Domain.objects.get(name="new.example")
    assert (domain.mailboxes_limit, domain.domain_admins_limit) == (3, 2)


def test_what_is_refused_in_a_later_step_begins_there(cast: Cast, browser_of: Browsers) -> None:
    Allowance.objects.filter(user=cast.rita.pk).update(quota_max=1_000)
    answer = browser_of(cast.rita).post(_url("relay_domain_create"), NEW | {"target_host": "9.9.9.9"})
    assert "quota" in _codes(answer)
    assert re.findall(r'data-step="(\w+)" data-refused', answer.content.decode()) == ["here"]
    assert "Your resources" in _text(answer)


# --- another target --------------------------------------------------------------------------------------------


def test_the_form_changes_what_was_changed_and_nothing_else(root: Client, relay: RelayDomain) -> None:
    url = _url("relay_domain_update", relay.pk)
    values = opened(root, url)
    events = Log.objects.count()
    assert root.post(url, values).status_code == 302
    assert Log.objects.count() == events
    answer = root.post(url, values | {"target_port": "26", "verify_recipients": "on"})
    assert answer.headers["Location"] == _page(relay.pk)
    assert _stored(relay) == ("mx.old.example", 26, "relay", True)
    assert Log.objects.latest("pk").changed == ["target_port", "verify_recipients"]


def test_a_new_target_is_refused_beside_its_field(root: Client, relay: RelayDomain) -> None:
    url = _url("relay_domain_update", relay.pk)
    values = opened(root, url)
    refused = {"target_host": ["domain_character"], "target_port": ["port_out_of_range"]}
    assert _codes(root.post(url, values | {"target_host": "a b", "target_port": "0"})) == refused
    assert _codes(root.post(url, values | {"service": "lmtp"})) == {"service": ["unknown_service"]}
    assert _stored(relay) == ("mx.old.example", 25, "relay", False)


def test_of_two_people_at_one_target_the_second_is_told(
    cast: Cast, browser_of: Browsers, root: Client, relay: RelayDomain
) -> None:
    url = _url("relay_domain_update", relay.pk)
    values = opened(root, url)
    add_administrators(cast.root, [Appointment(relay.domain, "rita")])
    update_relay_domain(cast.rita, relay.domain, target_host="9.9.9.9")
    other_field = root.post(url, values | {"target_port": "26"})
    assert "Changed meanwhile by rita, and kept: Target host." in _told(other_field)
    assert _stored(relay)[:2] == ("9.9.9.9", 26)
    values = opened(browser_of(cast.root), url)
    update_relay_domain(cast.rita, relay.domain, target_host="1.1.1.1")
    same_field = root.post(url, values | {"target_host": "mx.third.example"})
    assert _codes(same_field) == {"target_host": ["changed_meanwhile"]}
    assert "“1.1.1.1”" in same_field.context["form"].errors["target_host"][0]
    again = values | {"target_host": "mx.third.example"}
    again["began_with"] = same_field.context["form"]["began_with"].value()
    assert root.post(url, again).status_code == 302
    assert _stored(relay)[0] == "mx.third.example"


def test_who_comes_too_late_to_change_a_target_or_to_stop_is_led_back(
    cast: Cast, root: Client, relay: RelayDomain
) -> None:
    urls = [_url("relay_domain_update", relay.pk), _url("relay_domain_stop", relay.pk)]
    values = opened(root, urls[0]) | {"target_port": "26", "confirmation": "old.example"}
    stop_relaying(cast.root, [relay.domain])
    events = Log.objects.count()
    for url in urls:
        for answer in (root.get(url), root.post(url, values)):
            assert (answer.status_code, answer.headers["Location"]) == (302, _page(relay.pk))
            assert "The mail of old.example is not relayed." in _told(answer)
    assert Log.objects.count() == events


# --- to this type and back -------------------------------------------------------------------------------------


def test_a_domain_is_relayed_after_it_was_said_what_that_means(cast: Cast, root: Client) -> None:
    domain = cast.dora_example
    create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    create_alias(cast.root, address="sam@dora.example", recipients=("a@else.example",))
    update_domain(cast.root, domain, aliases=("doras.test",))
    page = root.get(_url("relay_domain_start", domain.pk))
    assert page.context["consequences"] == [
        "2 mailboxes stay: their mail is delivered here as before.",
        "1 alias stays and passes mail on as before.",
        "Mail to everybody else at dora.example goes to the other host; until now it is refused.",
        "The same goes for 1 domain alias.",
    ]
    assert _text(page).index("2 mailboxes stay") < _text(page).index("Target host")
    answer = root.post(_url("relay_domain_start", domain.pk), TARGET | {"verify_recipients": "on"})
    assert answer.headers["Location"] == _page(domain.pk)
    assert _stored(RelayDomain.objects.get(pk=domain.pk)) == ("mx.old.example", 25, "relay", True)
    assert Domain.objects.get(pk=domain.pk).type == "relaydomain"


def test_a_catch_all_is_told_about_because_nothing_would_reach_the_other_host(
    cast: Cast, root: Client
) -> None:
    create_alias(cast.root, address="@dora.example", recipients=("sam@dora.example",))
    url = _url("relay_domain_start", cast.dora_example.pk)
    assert "nothing reaches the other host" in _text(root.get(url))
    assert root.post(url, TARGET).status_code == 302
    page = _text(root.get(_page(cast.dora_example.pk)))
    assert "Nothing reaches the target." in page
    assert "mail to everybody else goes to" not in page


def test_starting_is_refused_beside_the_field_or_above_the_form(
    cast: Cast, root: Client, relay: RelayDomain, fingerprint: Fingerprint
) -> None:
    before = fingerprint()
    url = _url("relay_domain_start", cast.dora_example.pk)
    refused = root.post(
        url, TARGET | {"target_host": "m_x.example", "target_port": "99999", "service": "lmtp"}
    )
    assert _codes(refused) == {
        "target_host": ["domain_character"],
        "target_port": ["port_out_of_range"],
        "service": ["unknown_service"],
    }
    twice = root.post(_url("relay_domain_start", relay.pk), TARGET)
    assert _codes(twice) == {"__all__": ["already_relayed"]}
    assert fingerprint() == before


def test_relaying_stops_when_the_name_was_typed(cast: Cast, root: Client, relay: RelayDomain) -> None:
    url = _url("relay_domain_stop", relay.pk)
    assert root.get(url).context["consequences"] == [
        "Nobody has an address here: all mail to old.example is refused. Until now it goes to mx.old.example:25."
    ]
    create_account(
        cast.root, username="a@old.example", password=PASSWORD, mailbox=MailboxSpec(address="a@old.example")
    )
    page = root.get(url)
    assert page.context["consequences"] == [
        "Mail to addresses that nobody has here is refused; until now it goes to mx.old.example:25."
    ]
    assert page.context["kept"] == ["1 mailbox stays: its mail is delivered here as before."]
    assert _codes(root.post(url, {"confirmation": "other.example"})) == {"confirmation": ["not_confirmed"]}
    assert RelayDomain.objects.exists()
    answer = root.post(url, {"confirmation": "OLD.example"})
    assert answer.headers["Location"] == _page(relay.pk)
    assert not RelayDomain.objects.exists()
    assert Domain.objects.get(pk=relay.pk).type == "domain"


def test_what_stands_in_the_way_of_stopping_is_linked(
    cast: Cast, browser_of: Browsers, root: Client, relay: RelayDomain
) -> None:
    alias = create_alias(cast.root, address="team@dora.example", recipients=("boss@old.example",))
    mine = create_alias(cast.root, address="mine@reseller.example", recipients=("boss@old.example",))
    url = _url("relay_domain_stop", relay.pk)
    edits = {each: reverse("admin:alias_update", args=[each.pk]) for each in (alias, mine)}
    assert edits[alias] not in root.get(url).content.decode()
    answer = root.post(url, {"confirmation": "old.example"})
    assert _codes(answer) == {"__all__": ["recipients_there"]}
    assert all(edit in answer.content.decode() for edit in edits.values())
    add_administrators(cast.root, [Appointment(relay.domain, "rita")])
    seen = browser_of(cast.rita).post(url, {"confirmation": "old.example"}).content.decode()
    assert (edits[alias] in seen, edits[mine] in seen) == (False, True)
    assert RelayDomain.objects.exists()
    assert "team@" not in seen


def test_the_list_of_what_stands_in_the_way_is_what_stands_in_the_way(
    cast: Cast, browser_of: Browsers, root: Client, relay: RelayDomain
) -> None:
    recipients = ("boss@old.example", "here+x@old.example")
    create_alias(cast.root, address="team@dora.example", recipients=recipients)
    create_alias(cast.root, address="here@old.example", recipients=("a@else.example",))
    create_alias(cast.root, address="copy@old.example", recipients=("copy@old.example", "a@else.example"))
    url, confirmed = _url("relay_domain_stop", relay.pk), {"confirmation": "old.example"}
    shown = [(each.alias, each.recipient) for each in root.post(url, confirmed).context["leading"]]
    assert shown == [("copy@old.example", "copy@old.example"), ("team@dora.example", "boss@old.example")]
    add_administrators(cast.root, [Appointment(relay.domain, "rita")])
    rita = browser_of(cast.rita)
    shown = [(each.alias, each.recipient) for each in rita.post(url, confirmed).context["leading"]]
    assert shown == [("copy@old.example", "copy@old.example")]
    update_alias(cast.root, Alias.objects.get(address="copy@old.example"), recipients=("a@else.example",))
    assert rita.post(url, confirmed).status_code == 302
    assert not RelayDomain.objects.exists()


# --- the list of domains ---------------------------------------------------------------------------------------


def _several(cast: Cast) -> None:
    create_relay_domain(cast.root, name="one.example", target_host="mx.one.example")
    create_relay_domain(
        cast.root, name="two.example", target_host="2001:db8::2", service="smtp", enabled=False
    )
    create_relay_domain(cast.rita, name="three.example", target_host="9.9.9.9", target_port=26)


def test_domains_are_filtered_by_type_and_service(cast: Cast, root: Client) -> None:
    _several(cast)
    assert _names(root, type="relaydomain") == ["one.example", "three.example", "two.example"]
    assert _names(root, type="domain") == ["dora.example", "mallory.example", "reseller.example"]
    assert _names(root, service="smtp") == ["two.example"]
    assert _names(root, service="relay", q="one") == ["one.example"]
    assert _names(root, service="relay", type="domain") == []
    assert _names(root, type="relaydomain", status="enabled") == ["one.example", "three.example"]
    assert len(_names(root, type="nonsense")) == 6


def test_a_service_that_nothing_uses_any_more_matches_nothing_and_can_be_taken_off(
    cast: Cast, browser_of: Browsers, root: Client
) -> None:
    _several(cast)
    update_relay_domain(cast.root, Domain.objects.get(name="two.example"), service="relay")
    stop_relaying(cast.root, [Domain.objects.get(name="one.example")])
    browsers = {"root": root, "rita": browser_of(cast.rita), "mallory": browser_of(cast.mallory)}
    for person, browser in browsers.items():
        for service in ("smtp", "gone", "No Service", "x" * 300):
            answer = browser.get(LIST, {"service": service, "sort": "-quota"})
            assert answer.context["rows"] == [], (person, service)
            (chip,) = [each for each in answer.context["filters"] if each.name == "service"]
            assert chip.value == chip.value_label == service[:254]
            assert 'href="?sort=-quota"' in answer.content.decode(), "the way to take it off"
            asked = {"verb": "disable", "all": "1", "filter": f"service={service}"}
            answer = browser.post(reverse("admin:domain_bulk"), asked)
            assert "preview" not in (answer.context or {}), (person, service)
    assert len(_names(root, service=" ")) == 6


def test_services_are_a_filter_once_there_is_a_relay_domain_to_see(
    cast: Cast, browser_of: Browsers, root: Client
) -> None:
    def chips(browser: Client) -> dict[str, list[str]]:
        return {
            each.name: [choice.value for choice in each.choices]
            for each in browser.get(LIST).context["filters"]
        }

    types = {"status": ["enabled", "disabled"], "type": ["domain", "relaydomain"]}
    assert chips(root) == types
    _several(cast)
    assert chips(root) == types | {"service": ["relay", "smtp"]}
    assert chips(browser_of(cast.rita)) == types | {"service": ["relay"]}
    assert chips(browser_of(cast.mallory)) == types


def test_tags_tell_the_type_and_the_service_and_set_the_filters(cast: Cast, root: Client) -> None:
    _several(cast)
    answer = root.get(LIST, {"q": "two", "page": "1"})
    (row,) = answer.context["rows"]
    assert [(tag.name, tag.value) for tag in row.tags] == [("type", "relaydomain"), ("service", "smtp")]
    assert row.notes == ["relayed to [2001:db8::2]:25"]
    for tag in ("type=relaydomain", "service=smtp"):
        assert f'href="?q=two&amp;{tag}"' in answer.content.decode()
    (other,) = root.get(LIST, {"q": "dora"}).context["rows"]
    assert (other.tags, other.notes) == ([], [])


def test_all_that_match_are_those_that_the_filters_show(cast: Cast, root: Client) -> None:
    _several(cast)
    for query, names in {
        "type=relaydomain&service=relay": {"one.example", "three.example"},
        "service=smtp": {"two.example"},
        "type=domain": {"dora.example", "mallory.example", "reseller.example"},
    }.items():
        verb = "enable" if "smtp" in query else "disable"
        answer = root.post(reverse("admin:domain_bulk"), {"verb": verb, "all": "1", "filter": query})
        assert {line.name for line in answer.context["preview"].changing.shown} == names, query


def test_a_new_relay_domain_is_offered_to_those_who_may_make_one(cast: Cast, browser_of: Browsers) -> None:
    for person, offered in {"root": True, "rita": True, "dora": False}.items():
        page = browser_of(cast.everybody[person]).get(LIST).content.decode()
        assert (_url("relay_domain_create") in page) is offered, person


# --- the page of a domain --------------------------------------------------------------------------------------


def test_the_card_says_where_mail_goes_and_its_buttons_are_for_those_who_may(
    cast: Cast, browser_of: Browsers, root: Client
) -> None:
    domain = cast.dora_example
    values = {"target_host": "2001:db8::25", "target_port": "2525", "service": "smtp"}
    assert root.post(_url("relay_domain_start", domain.pk), values).status_code == 302
    buttons = [_url("relay_domain_update", domain.pk), _url("relay_domain_stop", domain.pk)]
    for person, has_buttons in {"root": True, "dora": False}.items():
        answer = browser_of(cast.everybody[person]).get(_page(domain.pk))
        page = answer.content.decode()
        assert [button in page for button in buttons] == [has_buttons] * 2, person
        words = _text(answer)
        assert "smtp:[2001:db8::25]:2525" in words
        assert (
            "2 mailboxes here are delivered locally; mail to everybody else goes to [2001:db8::25]:2525."
            in words
        )
        assert "Not verified" in words
    update_relay_domain(cast.root, domain, verify_recipients=True)
    assert "Not verified" not in _text(root.get(_page(domain.pk)))


def test_the_page_of_another_domain_offers_relaying_to_those_who_may(
    cast: Cast, browser_of: Browsers
) -> None:
    start = _url("relay_domain_start", cast.dora_example.pk)
    for person, offered in {"root": True, "dora": False}.items():
        page = browser_of(cast.everybody[person]).get(_page(cast.dora_example.pk)).content.decode()
        assert (f'href="{start}"' in page) is offered, person
    start_relaying(cast.root, [RelaySpec(domain=cast.dora_example, target_host="mx.old.example")])
    page = browser_of(cast.root).get(_page(cast.dora_example.pk)).content.decode()
    assert f'href="{start}"' not in page


def test_the_history_tells_of_relaying(cast: Cast, root: Client, relay: RelayDomain) -> None:
    update_relay_domain(cast.root, relay.domain, target_port=26)
    stop_relaying(cast.root, [relay.domain])
    told = [event.text for event in root.get(_page(relay.pk)).context["events"]]
    assert told == [
        "Changed: type",
        "Relaying stopped",
        "Relaying changed: port",
        "Relaying started",
        "Created",
    ]


@pytest.mark.usefixtures("relay")
def test_the_page_about_an_address_names_the_host_that_takes_its_mail(
    cast: Cast, browser_of: Browsers, root: Client
) -> None:
    page = reverse("admin:address_detail", query={"address": "boss@old.example"})
    words = _text(root.get(page))
    assert "Handed to the mail server mx.old.example:25." in words
    assert "Nobody here has this address" in words
    assert "mx.old.example" not in _text(browser_of(cast.mallory).get(page))


# --- services --------------------------------------------------------------------------------------------------

MASTER_CF = """\
smtp      inet  n  -  y  -  -  smtpd
smtp      unix  -  -  y  -  -  smtp
careful   unix  -  -  y  -  1  smtp
Loud      unix  -  -  y  -  1  smtp
"""


@pytest.fixture
def master_cf(db: None, tmp_path: Path) -> Path:  # noqa: ARG001  opens the database
    """The file that the parameters name."""
    path = tmp_path / "master.cf"
    path.write_text(MASTER_CF)
    store("relaydomains", master_cf_path=str(path))
    return path


def test_a_scan_reports_what_came_of_it(cast: Cast, root: Client, master_cf: Path) -> None:
    del master_cf
    Service.objects.create(name="gone")
    create_relay_domain(cast.root, name="old.example", target_host="mx.old.example", service="relay")
    answer = root.post(_url("service_scan"))
    assert answer.status_code == 302
    page = root.get(answer.headers["Location"])
    assert page.context["report"] == Scan(
        created=("careful",), deleted=("gone",), kept=("relay",), skipped=("Loud",)
    )
    words = _text(page)
    for sentence in ("New: careful", "deleted: gone", "use them: relay", "“_”: Loud"):
        assert sentence in words
    assert [(row.name, row.relay_domain_count) for row in page.context["services"]] == [
        ("careful", 0),
        ("relay", 1),
        ("smtp", 0),
    ]
    again = root.get(root.post(_url("service_scan")).headers["Location"])
    assert again.context["report"].created == ()


def test_a_scan_that_finds_nothing_new_says_so(root: Client, master_cf: Path) -> None:
    master_cf.write_text("smtp unix - - y - - smtp\nrelay unix - - y - - smtp\n")
    assert "Nothing has changed." in _text(root.get(root.post(_url("service_scan")).headers["Location"]))


def test_a_file_that_cannot_be_read_is_named_and_nothing_is_deleted(
    root: Client, master_cf: Path, fingerprint: Fingerprint
) -> None:
    master_cf.unlink()
    before = fingerprint()
    answer = root.post(_url("service_scan"))
    assert _codes(answer) == {"__all__": ["master_cf_unreadable"]}
    assert f"could not be read from {master_cf}" in _text(answer)
    assert [row.name for row in answer.context["services"]] == ["relay", "smtp"]
    assert fingerprint() == before


def test_a_report_that_was_made_up_is_not_shown(root: Client) -> None:
    answer = root.get(_url("service_list"), {"scan": "eyJjcmVhdGVkIjpbImV2aWwiXX0:1xVEgJ:forged"})
    assert (answer.status_code, answer.context["report"]) == (200, None)


def test_everybody_counts_the_relay_domains_that_they_see(cast: Cast, browser_of: Browsers) -> None:
    _several(cast)
    counts = {row.name: row.relay_domain_count for row in services(cast.rita)}
    assert counts == {"relay": 1, "smtp": 0}
    assert {row.name: row.relay_domain_count for row in services(cast.root)} == {"relay": 2, "smtp": 1}
    (row,) = [row for row in services(cast.rita) if row.relay_domain_count]
    assert [each.name for each in browser_of(cast.rita).get(row.url).context["rows"]] == ["three.example"]


def test_an_ordinary_domain_pays_nothing_for_relaying_on_its_page(cast: Cast, root: Client) -> None:
    create_domain(cast.root, name="plain.example")
    plain = Domain.objects.get(name="plain.example")
    assert root.get(_page(plain.pk)).context["cards"] == []
