"""Relay domains: every refusal, where mail may lead, what is stored, and what is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from django.db import DatabaseError
from django.db.models import F, Q
from django.test import override_settings
from django.utils import timezone
from hypothesis.stateful import initialize, invariant, rule

from admin import publication
from admin.gateways.dns import DnsResolver, FakeResolver, HostAddresses
from admin.models import (
    Account,
    AliasRecipient,
    Domain,
    DomainName,
    MailCheck,
    MailDomain,
    MailTransport,
    MailUser,
)
from admin.operations import (
    DomainAliasSpec,
    create_account,
    create_alias,
    create_domain,
    create_domain_aliases,
    delete_accounts,
    delete_domains,
    update_account,
    update_alias,
    update_domain,
)
from admin.operations.accounts import MailboxSpec
from core.actor import Actor
from core.models import Log
from core.refusals import Refusal
from core.roles import Role
from limits.models import Allowance
from relaydomains.lookups import POSTFIX
from relaydomains.models import RelayDomain, Service
from relaydomains.operations import (
    RelayDomainChange,
    RelayDomainSpec,
    RelaySpec,
    create_relay_domain,
    create_relay_domains,
    relaying,
    start_relaying,
    stop_relaying,
    targets,
    update_relay_domain,
    update_relay_domains,
)
from relaydomains.operations.targets import canonical_host, is_public, objections_to
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused,
    refused_as,
    sentences,
    statements,
    versions,
)
from tests.operations.people import account_of, set_parameter
from tests.operations.test_database_promises import NOW, domain, first, insert
from tests.operations.test_publication import Life, actors, live, picks
from tests.operations.test_races import DONE, meet, race
from tests.published import routes, targets_of
from tests.servers.dns import DnsServer, Fault, Zone

U_LABEL, A_LABEL = "bücher.example", "xn--bcher-kva.example"
PUBLIC, PUBLIC_6, OTHER = "9.9.9.9", "2620:fe::fe", "1.1.1.1"

ZONE: Zone = {
    "mx.out.example": {"A": [PUBLIC], "AAAA": [PUBLIC_6]},
    "named.out.example": {"CNAME": ["mx.out.example."]},
    "inner.out.example": {"A": [PUBLIC, "10.1.2.3"]},
    "inner6.out.example": {"A": [PUBLIC], "AAAA": ["fd00::1"]},
    "mapped.out.example": {"AAAA": ["::ffff:127.0.0.1"]},
    "named-inner.out.example": {"CNAME": ["inner.out.example."]},
    "here.out.example": {"A": [OTHER]},
    "panel.example": {"A": ["8.8.4.4"]},
    "same-as-panel.example": {"A": ["8.8.4.4"]},
    "nothing.out.example": {"TXT": ["text"]},
    "many.out.example": {"A": [f"9.9.{n // 250}.{n % 250}" for n in range(1, 300)] + ["192.168.1.1"]},
    "servfail.out.example": Fault.SERVFAIL,
    "half.out.example": {"A": [PUBLIC], "AAAA": [PUBLIC_6]},
}


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(ZONE) as server:
        yield server


@pytest.fixture
def world(server: DnsServer) -> Iterator[DnsServer]:
    """The outside world, in which the panel is at panel.example."""
    server.asked.clear()
    with override_settings(
        MODOBOA_DNS_SERVERS=[server.endpoint], SITE_HOST="panel.example", EMAIL_HOST="localhost"
    ):
        yield server


def spec(name: str = "new.example", **values: Any) -> RelayDomainSpec:
    return RelayDomainSpec(**{"name": name, "target_host": PUBLIC, **values})


def relayed(actor: Actor, domain: Domain, **values: Any) -> RelayDomain:
    """An existing domain that is relayed from now on."""
    return start_relaying(actor, [RelaySpec(**{"domain": domain, "target_host": PUBLIC, **values})])[0]


def transports() -> set[tuple[str, ...]]:
    rows = MailTransport.objects.values_list("address", "kind", "service", "host", "port")
    return {tuple(map(str, row)) for row in rows}


def answer(name: str, key: str) -> list[str]:
    """What a map of Postfix answers."""
    return next(lookup for lookup in POSTFIX if lookup.name == name).answer(key)


def drifting() -> list[Any]:
    return [(each.model.__name__, each.surplus, each.missing) for each in publication.drift()]


@pytest.fixture
def cast(cast: Cast) -> Iterator[Cast]:
    """Whatever a test does: what is published step by step equals what is published anew."""
    yield cast
    assert drifting() == []
    by_type = set(Domain.objects.filter(type="relaydomain").values_list("pk", flat=True))
    assert by_type == set(RelayDomain.objects.values_list("pk", flat=True))


# --- who ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dora", "sam", "mallory"])
def test_only_super_admins_and_resellers_manage_relay_domains(cast: Cast, who: str) -> None:
    actor = cast.everybody[who]
    with forbidden():
        create_relay_domains(actor, [spec()])
    with forbidden():
        relayed(actor, cast.dora_example)
    relayed(cast.root, cast.dora_example)
    with forbidden():
        update_relay_domain(actor, cast.dora_example, target_port=2525)
    with forbidden():
        stop_relaying(actor, [cast.dora_example])


def test_who_may_not_relay_makes_the_server_ask_nobody(cast: Cast) -> None:
    resolver = FakeResolver()
    for actor in (cast.root, cast.dora, cast.sam, cast.mallory):
        assert objections_to(actor, ["mx.out.example"], resolver=resolver) == {"mx.out.example": None}
    disabled = type(cast.rita.user)(pk=cast.rita.pk, role=cast.rita.role, is_active=False)
    assert objections_to(replace(cast.rita, user=disabled), ["mx.out.example"], resolver=resolver)
    assert resolver.asked == []


def test_a_disabled_actor_may_do_nothing(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.rita), is_active=False)
    rita = replace(cast.rita, user=Account.objects.get(username="rita"))
    with forbidden():
        create_relay_domains(rita, [spec()])
    with forbidden():
        relayed(rita, cast.reseller_example)


def test_domains_of_others_are_gone_to_a_reseller(cast: Cast) -> None:
    relayed(cast.root, cast.mallory_example)
    with refused_as("", "gone"):
        relayed(cast.rita, cast.dora_example)
    with refused_as("", "gone"):
        update_relay_domain(cast.rita, cast.mallory_example, verify_recipients=True)
    with refused_as("", "gone"):
        stop_relaying(cast.rita, [cast.mallory_example])


def test_everybody_sees_the_relay_domains_of_his_domains_and_services_if_he_manages_any(cast: Cast) -> None:
    for each in (cast.dora_example, cast.mallory_example, cast.reseller_example):
        relayed(cast.root, each)
    seen = {
        name: set(RelayDomain.objects.visible_to(actor).values_list("domain__name", flat=True))
        for name, actor in cast.everybody.items()
    }
    assert seen == {
        "root": {"dora.example", "mallory.example", "reseller.example"},
        "rita": {"reseller.example"},
        "dora": {"dora.example"},
        "sam": set(),
        "mallory": {"mallory.example"},
    }
    who = {n for n, actor in cast.everybody.items() if Service.objects.visible_to(actor).exists()}
    assert who == {"root", "rita"}


# --- create ---------------------------------------------------------------------------------------------------

WRONG_TARGETS = [
    ({"target_host": " "}, "target_host", "target_empty"),
    ({"target_host": "[]"}, "target_host", "target_empty"),
    ({"target_host": "mx out.example"}, "target_host", "domain_character"),
    ({"target_host": "mx.out.example:25"}, "target_host", "domain_character"),
    ({"target_host": "mx..example"}, "target_host", "domain_label_empty"),
    ({"target_host": "mx.out.example\n"}, "target_host", "domain_hidden_character"),
    ({"target_host": "-mx.example"}, "target_host", "domain_hyphen"),
    ({"target_host": "9.9.9"}, "target_host", "domain_numeric_top_level"),
    ({"target_host": "9.9.9.09"}, "target_host", "domain_numeric_top_level"),
    ({"target_host": "127.0x1"}, "target_host", "target_address"),
    ({"target_host": "2130706433"}, "target_host", "target_address"),
    ({"target_host": "0x7f000001"}, "target_host", "target_address"),
    ({"target_host": "fe80::1%eth0"}, "target_host", "target_address"),
    ({"target_host": "2620:fe::fe]:25,[::1"}, "target_host", "domain_character"),
    ({"target_host": f"{'a' * 63}." * 4 + "example"}, "target_host", "domain_too_long"),
    ({"target_port": 0}, "target_port", "port_out_of_range"),
    ({"target_port": -1}, "target_port", "port_out_of_range"),
    ({"target_port": 65_536}, "target_port", "port_out_of_range"),
    ({"service": ""}, "service", "unknown_service"),
    ({"service": "lmtp"}, "service", "unknown_service"),
    ({"service": "Relay"}, "service", "unknown_service"),
    ({"service": "relay:[evil]"}, "service", "unknown_service"),
]


@pytest.mark.any_engine
@pytest.mark.parametrize(("values", "field", "code"), WRONG_TARGETS)
def test_a_wrong_target_is_refused(cast: Cast, values: dict[str, Any], field: str, code: str) -> None:
    with refused_as(field, code):
        create_relay_domains(cast.root, [spec(**values)])
    with refused_as(field, code):
        relayed(cast.root, cast.dora_example, **values)
    relayed(cast.root, cast.dora_example)
    with refused_as(field, code):
        update_relay_domain(cast.root, cast.dora_example, **values)


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"name": "nodots"}, "name", "domain_one_label"),
        ({"name": "dora.example"}, "name", "name_taken"),
        ({"aliases": ("mallory.example",)}, "aliases", "name_taken"),
        ({"quota": -1}, "quota", "quota_out_of_range"),
        ({"mailboxes_limit": -2}, "mailboxes_limit", "limit_out_of_range"),
    ],
)
def test_the_rules_of_domains_hold_for_relay_domains(
    cast: Cast, values: dict[str, Any], field: str, code: str
) -> None:
    with refused_as(field, code):
        create_relay_domains(cast.root, [spec(**values)])


def test_every_reason_of_a_batch_is_reported_at_once(cast: Cast) -> None:
    specs = [
        spec("good.example"),
        spec("dora.example", target_host="", target_port=0, service="none"),
        spec("twice.example"),
        spec("TWICE.example"),
    ]
    with refused(
        (1, "name", "name_taken"),
        (1, "target_host", "target_empty"),
        (1, "target_port", "port_out_of_range"),
        (1, "service", "unknown_service"),
        (2, "name", "repeated"),
        (3, "name", "repeated"),
    ):
        create_relay_domains(cast.root, specs)


def test_one_name_space_holds_domains_their_aliases_and_relay_domains(cast: Cast) -> None:
    create_relay_domains(cast.root, [spec(aliases=("other.example",))])
    for name in ("new.example", "other.example"):
        with refused_as("name", "name_taken"):
            create_domain(cast.root, name=name)
        with refused_as("name", "name_taken"):
            create_domain_aliases(cast.root, [DomainAliasSpec(name=name, target="dora.example")])
        with refused_as("name", "name_taken"):
            create_relay_domains(cast.root, [spec(name)])


def test_names_that_no_customer_owns_and_foreign_mx_are_refused_to_resellers(
    cast: Cast, world: DnsServer
) -> None:
    with refused_as("name", "reserved_name"):
        create_relay_domains(cast.rita, [spec("gmail.com")])
    world.zone["elsewhere.example"] = {"MX": ["10 mx.out.example."]}
    world.zone["comes-here.example"] = {"MX": ["10 here.out.example."]}
    for name, value in {
        "enable_mx_checks": True,
        "domains_must_have_authorized_mx": True,
        "valid_mxs": OTHER,
    }.items():
        set_parameter(name, value=value)
    with refused_as("name", "mx_not_authorized"):
        create_relay_domains(cast.rita, [spec("elsewhere.example")])
    assert create_relay_domain(cast.rita, name="comes-here.example", target_host=PUBLIC).pk


def test_a_created_relay_domain_is_stored_published_and_recorded(cast: Cast) -> None:
    before, history = len(events()), len(versions())
    relay = create_relay_domain(
        cast.rita,
        name=" New.Example ",
        target_host=" [2620:00FE::00fe] ",
        target_port=2525,
        service=" smtp ",
        verify_recipients=True,
        aliases=("Other.example",),
        quota=500,
        enable_dns_checks=False,
    )
    stored = Domain.objects.get(name="new.example")
    assert (stored.type, stored.owner_id, stored.quota, stored.enable_dns_checks, stored.enabled) == (
        "relaydomain",
        cast.rita.pk,
        500,
        False,
        True,
    )
    saved = RelayDomain.objects.get(domain=stored)
    assert (saved.target_host, saved.target_port, saved.service.name, saved.verify_recipients) == (
        PUBLIC_6,
        2525,
        "smtp",
        True,
    )
    assert (str(saved), relay.pk) == ("new.example", stored.pk)
    assert DomainName.objects.get(name="new.example").domain_id == stored.pk
    assert MailDomain.objects.get(name="new.example").kind == "relay"
    assert transports() == {("new.example", "relay", "smtp", PUBLIC_6, "2525")}
    assert answer("relaydomains", "new.example") == ["new.example"]
    assert answer("relaydomains-transport", "new.example") == [f"smtp:[{PUBLIC_6}]:2525"]
    assert events()[before:] == [
        ("domain.create", "new.example", []),
        ("domain.create", "other.example", []),
        ("relay_domain.create", "new.example", []),
    ]
    assert versions()[history:] == [
        ("domain.create", "new.example"),
        ("domain.create", "other.example"),
        ("relay_domain.create", "new.example"),
    ]
    event = Log.objects.get(verb="relay_domain.create")
    assert (event.level, event.kind, event.object_id) == ("INFO", "relaydomain", stored.pk)
    assert event.message == "Relay domain 'new.example' added by 'rita'"


def test_what_is_not_said_has_the_usual_values(cast: Cast) -> None:
    relay = create_relay_domain(cast.root, name="new.example", target_host="mx.out.example")
    assert (relay.target_port, relay.service.name, relay.verify_recipients) == (25, "relay", False)
    assert answer("relaydomains-transport", "new.example") == ["relay:[mx.out.example]:25"]
    assert answer("relay-recipient-verification", "new.example") == []


def test_nobody_asks_for_nothing(cast: Cast) -> None:
    with nothing_written():
        assert create_relay_domains(cast.root, []) == []
        assert update_relay_domains(cast.root, []) == []
        assert start_relaying(cast.root, []) == []
        assert stop_relaying(cast.root, []) == []


def test_a_disabled_relay_domain_is_created_without_being_published(cast: Cast) -> None:
    create_relay_domains(cast.root, [spec(enabled=False, verify_recipients=True, aliases=("other.example",))])
    assert not MailDomain.objects.filter(name__in=["new.example", "other.example"]).exists()
    assert transports() == set()
    assert not MailCheck.objects.exists()
    update_domain(cast.root, Domain.objects.get(name="new.example"), enabled=True)
    assert answer("relaydomains", "new.example")
    assert answer("relaydomains-transport", "new.example")
    assert answer("relay-recipient-verification", "other.example")


def test_relay_domains_count_as_domains(cast: Cast) -> None:
    Allowance.objects.filter(user=cast.rita.pk).update(domains_max=2, domain_aliases_max=1)
    with refused_as("aliases", "limit_reached"):
        create_relay_domains(cast.rita, [spec(aliases=("a.example", "b.example"))])
    create_relay_domains(cast.rita, [spec()])
    with refused_as("name", "limit_reached"):
        create_relay_domains(cast.rita, [spec("more.example")])
    delete_domains(cast.rita, [Domain.objects.get(name="new.example")])
    create_relay_domains(cast.rita, [spec("more.example")])


def test_limits_of_domains_hold_in_relay_domains(cast: Cast) -> None:
    set_parameter("enable_domain_limits", value=True, app="limits")
    with refused_as("aliases", "domain_limit_reached"):
        create_relay_domains(cast.root, [spec(domain_aliases_limit=0, aliases=("a.example",))])
    create_relay_domains(cast.root, [spec(mailboxes_limit=0)])
    with refused_as("address", "domain_limit_reached"):
        new_mailbox(cast.root, "a@new.example")


def new_mailbox(actor: Actor, address: str) -> Account:
    return create_account(
        actor, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address)
    ).account


# --- targets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mx.out.example", "mx.out.example"),
        (" MX.Out.Example\t", "mx.out.example"),
        (U_LABEL, A_LABEL),
        ("mail", "mail"),
        ("MAIL", "mail"),
        ("büro", "xn--bro-hoa"),
        ("9.9.9.9", "9.9.9.9"),
        ("[9.9.9.9]", "9.9.9.9"),
        ("2620:00fe:0:0:0:0:0:00FE", "2620:fe::fe"),
        ("[::1]", "::1"),
        ("::ffff:9.9.9.9", "9.9.9.9"),
        ("64:ff9b::9.9.9.9", "64:ff9b::909:909"),
    ],
)
def test_a_host_has_one_spelling(text: str, canonical: str) -> None:
    assert canonical_host(text) == canonical
    assert canonical_host(canonical) == canonical


@pytest.mark.any_engine
@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104  nobody listens
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_an_address_that_not_everybody_reaches_needs_a_super_admin(cast: Cast, address: str) -> None:
    assert not is_public(ip_address(address))
    with refused_as("target_host", "target_private"):
        create_relay_domains(cast.rita, [spec(target_host=address)])
    with refused_as("target_host", "target_private"):
        create_relay_domains(cast.rita, [spec(target_host=f"[{address}]")])
    assert create_relay_domain(cast.root, name="new.example", target_host=address).pk


@pytest.mark.parametrize(
    "address", [PUBLIC, PUBLIC_6, "2002:909:909::1", "64:ff9b::9.9.9.9", "::ffff:9.9.9.9"]
)
def test_an_address_that_everybody_reaches_is_for_resellers_too(cast: Cast, address: str) -> None:
    assert is_public(ip_address(address))
    assert create_relay_domain(cast.rita, name="new.example", target_host=address).pk


@pytest.mark.any_engine
@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("mail", "domain_one_label"),
        ("localhost", "domain_one_label"),
        ("mail.localhost", "target_private"),
        ("mail.local", "target_private"),
        ("mail.corp.internal", "target_private"),
        ("mail.home.arpa", "target_private"),
        ("home.arpa", "target_private"),
        ("mail.localdomain", "target_private"),
        ("abc.onion", "target_private"),
        ("a.test", "target_private"),
        ("inner.out.example", "target_private"),
        ("inner6.out.example", "target_private"),
        ("mapped.out.example", "target_private"),
        ("named-inner.out.example", "target_private"),
        ("many.out.example", "target_private"),
        ("panel.example", "target_is_here"),
        ("PANEL.example", "target_is_here"),
        ("same-as-panel.example", "target_is_here"),
        ("8.8.4.4", "target_is_here"),
        ("::ffff:8.8.4.4", "target_is_here"),
        ("64:ff9b::8.8.4.4", "target_is_here"),
        ("here.out.example", "target_is_here"),
        (OTHER, "target_is_here"),
        ("nobody.out.example", "target_unknown"),
        ("nothing.out.example", "target_unknown"),
        ("servfail.out.example", "target_unresolved"),
    ],
)
def test_what_a_reseller_may_not_relay_to(cast: Cast, world: DnsServer, host: str, code: str) -> None:
    set_parameter("valid_mxs", value=OTHER)
    with refused_as("target_host", code):
        create_relay_domains(cast.rita, [spec(target_host=host)])
    with refused_as("target_host", code):
        relayed(cast.rita, cast.reseller_example, target_host=host)
    relayed(cast.rita, cast.reseller_example)
    with refused_as("target_host", code):
        update_relay_domain(cast.rita, cast.reseller_example, target_host=host)
    world.asked.clear()
    update_relay_domain(cast.root, cast.reseller_example, target_host=host)
    assert world.asked == [], "super admins are not asked"


@pytest.mark.parametrize("host", ["mx.out.example", "named.out.example", "MX.out.example", PUBLIC, PUBLIC_6])
def test_what_a_reseller_relays_to(cast: Cast, world: DnsServer, host: str) -> None:
    set_parameter("valid_mxs", value=OTHER)
    assert create_relay_domain(cast.rita, name="new.example", target_host=host).pk
    asked = {name for name, _kind in world.asked}
    assert asked <= {"mx.out.example", "named.out.example", "panel.example"}


def test_a_target_that_is_the_relay_domain_itself_is_judged_by_its_addresses(
    cast: Cast, world: DnsServer
) -> None:
    world.zone["web.example"] = {"A": [PUBLIC]}
    world.zone["loop.example"] = {"A": ["8.8.4.4"]}
    create_relay_domains(cast.rita, [spec("web.example", target_host="web.example")])
    with refused_as("target_host", "target_is_here"):
        create_relay_domains(cast.rita, [spec("loop.example", target_host="loop.example")])


def test_an_answer_that_is_not_complete_is_no_permission(cast: Cast) -> None:
    half = HostAddresses((ip_address(PUBLIC),), is_complete=False)
    bad = HostAddresses((ip_address("10.0.0.1"),), is_complete=False)
    found = objections_to(
        cast.rita,
        ["half.example", "bad.example"],
        resolver=FakeResolver(hosts={"half.example": half, "bad.example": bad}),
    )
    codes = {name: objection and objection.code for name, objection in found.items()}
    assert codes == {"half.example": "target_unresolved", "bad.example": "target_private"}


@pytest.mark.parametrize("own", ["SITE_HOST", "EMAIL_HOST"])
def test_as_long_as_our_own_addresses_are_not_known_nothing_is_known_not_to_be_us(
    cast: Cast, own: str
) -> None:
    hosts = {
        "mx.out.example": HostAddresses((ip_address(PUBLIC),)),
        "inner.out.example": HostAddresses((ip_address("10.0.0.1"),)),
        "us.out.example": HostAddresses((ip_address("8.8.4.4"),)),
        "panel.example": HostAddresses((ip_address("8.8.4.4"),), is_complete=False),
    }
    expected = {
        "mx.out.example": "target_unresolved",
        PUBLIC_6: "target_unresolved",
        "inner.out.example": "target_private",
        "us.out.example": "target_is_here",
        "8.8.4.4": "target_is_here",
        "panel.example": "target_is_here",
        "nobody.out.example": "target_unknown",
    }
    with override_settings(**{"SITE_HOST": "localhost", "EMAIL_HOST": "localhost", own: "panel.example"}):
        found = objections_to(cast.rita, expected, resolver=FakeResolver(hosts=hosts))
        assert {host: objection and objection.code for host, objection in found.items()} == expected
        unresolved = found["mx.out.example"]
        assert unresolved is not None
        assert "this server itself" in unresolved.message
        for_root = objections_to(cast.root, expected, resolver=FakeResolver(hosts=hosts))
    assert set(for_root.values()) == {None}


def test_a_batch_of_slow_names_does_not_keep_us_from_knowing_our_own(
    cast: Cast, world: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {f"a{n}.slow.example": Fault.SILENCE for n in range(25)}
    for name, fault in slow.items():
        world.zone[name] = fault
    resolver = DnsResolver([world.endpoint], name_s=0.3)
    monkeypatch.setattr(targets, "_BATCH_S", 0.5)
    found = objections_to(cast.rita, [*slow, PUBLIC], resolver=resolver)
    assert found.pop(PUBLIC) is None
    assert {objection and objection.code for objection in found.values()} == {"target_unresolved"}
    assert {name for name, _kind in world.asked[:2]} == {"panel.example"}


def test_who_may_not_lead_mail_to_this_server_is_told_who_may(cast: Cast, world: DnsServer) -> None:  # noqa: ARG001  the outside world
    with refused_as("target_host", "target_is_here") as caught:
        create_relay_domains(cast.rita, [spec(target_host="panel.example")])
    assert "administrator of this server" in sentences(caught)[0]


def test_each_host_is_asked_for_once_in_its_canonical_form_and_wrong_ones_not_at_all(cast: Cast) -> None:
    resolver = FakeResolver()
    hosts = [" MX.out.example", "mx.out.example", U_LABEL, PUBLIC, "no host", "", "one", "a.local"]
    found = objections_to(cast.rita, hosts, resolver=resolver)
    assert resolver.asked == ["mx.out.example", A_LABEL]
    assert found.keys() == {"mx.out.example", A_LABEL, PUBLIC, "one", "a.local"}


def test_the_addresses_of_a_host_are_all_of_them(server: DnsServer) -> None:
    resolver = DnsResolver([server.endpoint], name_s=1.0)
    names = [
        "mx.out.example",
        "named.out.example",
        "nobody.example",
        "servfail.out.example",
        "many.out.example",
    ]
    found = resolver.addresses(names)
    both = HostAddresses((ip_address(PUBLIC), ip_address(PUBLIC_6)))
    assert (found["mx.out.example"], found["named.out.example"]) == (both, both)
    assert found["nobody.example"] == HostAddresses()
    assert found["servfail.out.example"] == HostAddresses(is_complete=False)
    assert len(found["many.out.example"].addresses) == 300


def test_only_a_new_host_or_port_is_judged(cast: Cast) -> None:
    relayed(cast.root, cast.reseller_example, target_host="10.0.0.5")
    update_relay_domain(
        cast.rita,
        cast.reseller_example,
        target_host="10.0.0.5",
        target_port=25,
        verify_recipients=True,
        service="smtp",
    )
    assert RelayDomain.objects.get(domain=cast.reseller_example).verify_recipients
    with refused_as("target_host", "target_private"):
        update_relay_domain(cast.rita, cast.reseller_example, target_port=22)
    with refused_as("target_host", "target_private"):
        update_relay_domain(cast.rita, cast.reseller_example, target_host="10.0.0.6")
    update_relay_domain(cast.rita, cast.reseller_example, target_host=PUBLIC, target_port=2525)


def test_a_host_that_changed_between_the_question_and_the_lock_is_not_taken_for_granted(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    relayed(cast.rita, cast.reseller_example)

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        found = objections_to(*args, **kwargs)
        RelayDomain.objects.update(target_host="10.0.0.5")
        publication.rebuild()
        return found

    monkeypatch.setattr(relaying, "objections_to", meanwhile)
    with pytest.raises(Refusal) as caught:
        update_relay_domain(cast.rita, cast.reseller_example, target_port=2525)
    assert caught.value.codes == [(0, "target_host", "conflict")]


# --- change ---------------------------------------------------------------------------------------------------


def test_a_changed_relay_domain_is_stored_published_and_recorded(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    update_domain(cast.root, cast.dora_example, aliases=("too.example",))
    before, history, start = len(events()), len(versions()), timezone.now()
    update_relay_domain(
        cast.root,
        cast.dora_example,
        target_host="MX.out.example",
        target_port=25,
        service="smtp",
        verify_recipients=True,
    )
    relay = RelayDomain.objects.get(domain=cast.dora_example)
    assert (relay.target_host, relay.service.name, relay.verify_recipients) == (
        "mx.out.example",
        "smtp",
        True,
    )
    assert relay.last_modification >= start
    assert answer("relaydomains-transport", "dora.example") == ["smtp:[mx.out.example]:25"]
    for name in ("dora.example", "too.example"):
        assert answer("relay-recipient-verification", name) == ["reject_unverified_recipient"]
    changed = ["target_host", "service", "verify_recipients"]
    assert events()[before:] == [("relay_domain.update", "dora.example", changed)]
    assert versions()[history:] == [("relay_domain.update", "dora.example")]
    assert (
        Log.objects.get(verb="relay_domain.update").message
        == "Relay domain 'dora.example' modified by 'root'"
    )
    update_relay_domain(cast.root, cast.dora_example, verify_recipients=False)
    assert not MailCheck.objects.filter(action="verify").exists()


def test_a_change_that_changes_nothing_writes_nothing(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    with nothing_written():
        update_relay_domain(cast.root, cast.dora_example, target_host=PUBLIC, target_port=25, service="relay")
        update_relay_domain(cast.root, cast.dora_example)


def test_a_domain_that_is_not_relayed_or_asked_for_twice_is_not_changed(cast: Cast) -> None:
    with refused_as("", "not_relayed"):
        update_relay_domain(cast.root, cast.dora_example, target_port=2525)
    relayed(cast.root, cast.dora_example)
    change = RelayDomainChange(domain=cast.dora_example, target_port=2525)
    with refused((1, "", "repeated"), (2, "", "not_relayed"), (3, "", "gone")):
        update_relay_domains(
            cast.root,
            [
                change,
                change,
                RelayDomainChange(domain=cast.mallory_example),
                RelayDomainChange(domain=Domain(pk=10**6, name="nowhere.example")),
            ],
        )


def test_what_changed_meanwhile_is_not_overwritten_unseen(cast: Cast) -> None:
    relayed(cast.root, cast.reseller_example)
    newest = Log.objects.filter(kind="relaydomain").latest("pk").pk
    update_relay_domain(cast.root, cast.reseller_example, target_port=2525, seen=newest)
    with refused_as("", "changed_meanwhile") as caught:
        update_relay_domain(cast.rita, cast.reseller_example, target_host=OTHER, seen=newest)
    assert "root" in sentences(caught)[0]


# --- to this type and back ------------------------------------------------------------------------------------


def test_a_domain_that_begins_to_relay_keeps_what_is_in_it(cast: Cast) -> None:
    create_alias(cast.dora, address="list@dora.example", recipients=("x@out.example",))
    before, history = len(events()), len(versions())
    relay = relayed(cast.root, cast.dora_example, target_host="mx.out.example", target_port=26)
    assert Domain.objects.get(name="dora.example").type == "relaydomain"
    assert relay.domain.type == "relaydomain"
    assert MailDomain.objects.get(name="dora.example").kind == "relay"
    assert transports() == {
        ("dora.example", "relay", "relay", "mx.out.example", "26"),
        ("dora@dora.example", "local", "", "", "0"),
        ("list@dora.example", "local", "", "", "0"),
        ("sam@dora.example", "local", "", "", "0"),
    }
    assert MailUser.objects.filter(address="sam@dora.example").exists()
    assert ("list@dora.example", "x@out.example") in routes()
    assert events()[before:] == [
        ("domain.update", "dora.example", ["type"]),
        ("relay_domain.create", "dora.example", []),
    ]
    assert versions()[history:] == [
        ("relay_domain.create", "dora.example"),
        ("relay_domain.create", "dora.example"),
    ]


def test_what_comes_and_goes_in_a_split_domain_is_published(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    new = new_mailbox(cast.dora, "new@dora.example")
    assert ("new@dora.example", "local", "", "", "0") in transports()
    update_account(cast.dora, new, is_active=False)
    assert MailCheck.objects.get(address="new@dora.example").action == "closed"
    delete_accounts(cast.dora, [new])
    assert "new@dora.example" not in {row[0] for row in transports()}
    assert not MailCheck.objects.exists()


def test_a_domain_that_is_relayed_already_is_refused(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    with refused_as("", "already_relayed"):
        relayed(cast.root, cast.dora_example)
    one = RelaySpec(domain=cast.mallory_example, target_host=PUBLIC)
    with refused((1, "", "repeated"), (2, "target_host", "target_empty"), (3, "", "gone")):
        start_relaying(
            cast.root,
            [
                one,
                one,
                RelaySpec(domain=cast.reseller_example, target_host=""),
                RelaySpec(domain=Domain(pk=10**6, name="nowhere.example"), target_host=PUBLIC),
            ],
        )


def test_a_domain_that_stops_to_relay_is_an_ordinary_one_again(cast: Cast) -> None:
    published = {
        model: set(model._default_manager.values_list()) for model in (MailDomain, MailTransport, MailCheck)
    }
    update_domain(cast.root, cast.dora_example, aliases=("too.example",))
    published[MailDomain] = set(MailDomain.objects.values_list())
    relayed(cast.root, cast.dora_example, verify_recipients=True)
    before, history = len(events()), len(versions())
    [stopped] = stop_relaying(cast.root, [cast.dora_example])
    assert stopped.type == Domain.objects.get(name="dora.example").type == "domain"
    assert not RelayDomain.objects.exists()
    for model, rows in published.items():
        assert set(model._default_manager.values_list()) == rows
    assert events()[before:] == [
        ("relay_domain.delete", "dora.example", []),
        ("domain.update", "dora.example", ["type"]),
    ]
    assert versions()[history:] == [("relay_domain.delete", "dora.example")]
    relayed(cast.root, cast.dora_example)


def test_a_domain_that_does_not_relay_cannot_stop(cast: Cast) -> None:
    relayed(cast.root, cast.mallory_example)
    with refused((0, "", "not_relayed"), (2, "", "repeated"), (3, "", "gone")):
        stop_relaying(
            cast.root,
            [
                cast.dora_example,
                cast.mallory_example,
                cast.mallory_example,
                Domain(pk=10**6, name="nowhere.example"),
            ],
        )


def test_addresses_that_only_the_other_host_has_hold_a_domain_at_relaying(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    alias = create_alias(
        cast.root,
        address="list@mallory.example",
        recipients=("sam@dora.example", *(f"far{n}@dora.example" for n in range(5))),
    )
    with refused_as("", "recipients_there") as caught:
        stop_relaying(cast.root, [cast.dora_example])
    assert sentences(caught)[0].count("@dora.example") == 3
    assert "far0@dora.example" in sentences(caught)[0]
    assert "sam" not in sentences(caught)[0]
    update_alias(cast.root, alias, recipients=("sam@dora.example", "far0@dora.example"))
    new_mailbox(cast.dora, "far0@dora.example")
    stop_relaying(cast.root, [cast.dora_example])


def test_an_alias_that_copies_mail_on_its_way_to_its_own_address_holds_a_domain_at_relaying(
    cast: Cast,
) -> None:
    relayed(cast.root, cast.dora_example)
    alias = create_alias(
        cast.dora, address="far@dora.example", recipients=("far@dora.example", "sam@dora.example")
    )
    with refused_as("", "recipients_there"):
        stop_relaying(cast.root, [cast.dora_example])
    update_alias(cast.dora, alias, recipients=("sam@dora.example",))
    stop_relaying(cast.root, [cast.dora_example])


def test_aliases_that_the_actor_does_not_see_hold_no_domain_at_relaying_and_are_not_told_of(
    cast: Cast,
) -> None:
    relayed(cast.rita, cast.reseller_example)
    create_alias(cast.mallory, address="evil@mallory.example", recipients=("ghost@reseller.example",))
    mine = create_alias(cast.rita, address="mine@reseller.example", recipients=("far@reseller.example",))
    with refused_as("", "recipients_there") as caught:
        stop_relaying(cast.rita, [cast.reseller_example])
    assert "far@reseller.example" in sentences(caught)[0]
    assert "ghost" not in sentences(caught)[0]
    with refused_as("", "recipients_there") as caught:
        stop_relaying(cast.root, [cast.reseller_example])
    assert "ghost@reseller.example" in sentences(caught)[0], "super administrators see all aliases"
    update_alias(cast.rita, mine, recipients=("rita@out.example",))
    stop_relaying(cast.rita, [cast.reseller_example])
    dangling = AliasRecipient.objects.get(address="ghost@reseller.example")
    assert (dangling.mailbox_id, dangling.target_alias_id) == (None, None)
    ghost = new_mailbox(cast.rita, "ghost@reseller.example")
    dangling.refresh_from_db()
    assert dangling.mailbox_id == ghost.mailbox.pk


def test_recipients_of_aliases_that_the_actor_does_not_see_mean_what_came_here_since(cast: Cast) -> None:
    relayed(cast.rita, cast.reseller_example)
    create_alias(cast.mallory, address="friend@mallory.example", recipients=("all+x@reseller.example",))
    create_alias(cast.rita, address="all@reseller.example", recipients=("rita@out.example",))
    stop_relaying(cast.rita, [cast.reseller_example])
    link = AliasRecipient.objects.get(alias__address="friend@mallory.example")
    assert link.target_alias is not None
    assert link.target_alias.address == "all@reseller.example"


def test_recipients_mean_what_came_here_since(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    create_alias(
        cast.root, address="list@mallory.example", recipients=("far+x@dora.example", "all@dora.example")
    )
    far = new_mailbox(cast.dora, "far@dora.example")
    create_alias(cast.dora, address="all@dora.example", recipients=("sam@dora.example",))
    stop_relaying(cast.root, [cast.dora_example])
    links = AliasRecipient.objects.filter(alias__address="list@mallory.example")
    assert set(links.values_list("address", "mailbox__user", "target_alias__address")) == {
        ("far+x@dora.example", far.pk, None),
        ("all@dora.example", None, "all@dora.example"),
    }


def test_recipients_under_a_relay_domain_are_outside_unless_they_are_here(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example)
    update_domain(cast.root, cast.dora_example, aliases=("too.example",))
    alias = create_alias(
        cast.dora,
        address="list@dora.example",
        recipients=("far@too.example", "sam@dora.example", "x@out.example"),
    )
    assert set(alias.recipients.values_list("address", "mailbox__user__email")) == {
        ("far@dora.example", None),
        ("sam@dora.example", "sam@dora.example"),
        ("x@out.example", None),
    }
    assert targets_of("list@dora.example") == {"far@dora.example", "sam@dora.example", "x@out.example"}


# --- with its domain ------------------------------------------------------------------------------------------


def test_domain_aliases_of_relay_domains_lead_to_them(cast: Cast) -> None:
    create_relay_domains(cast.root, [spec(verify_recipients=True)])
    create_domain_aliases(
        cast.root,
        [
            DomainAliasSpec(name="other.example", target="new.example"),
            DomainAliasSpec(name="off.example", target="new.example", enabled=False),
        ],
    )
    assert MailDomain.objects.get(name="other.example").target == "new.example"
    assert targets_of("@other.example") == {"@new.example"}
    assert set(MailCheck.objects.values_list("address", "action")) == {
        ("new.example", "verify"),
        ("other.example", "verify"),
    }
    update_domain(cast.root, Domain.objects.get(name="new.example"), aliases=())
    assert set(MailCheck.objects.values_list("address", flat=True)) == {"new.example"}


def test_a_renamed_relay_domain_is_relayed_under_its_new_name(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example, verify_recipients=True)
    update_domain(cast.root, cast.dora_example, name="renamed.example", keep_old_name=True)
    assert {row[0] for row in transports()} == {
        "renamed.example",
        "sam@renamed.example",
        "dora@renamed.example",
    }
    assert answer("relaydomains", "renamed.example")
    assert not answer("relaydomains", "dora.example")
    assert answer("relay-recipient-verification", "dora.example")


def test_a_switched_off_relay_domain_is_nowhere(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example, verify_recipients=True)
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert transports() == set()
    assert not MailDomain.objects.filter(name="dora.example").exists()
    update_relay_domain(cast.root, cast.dora_example, target_port=2525)
    assert transports() == set()
    update_domain(cast.root, cast.dora_example, enabled=True)
    assert ("dora.example", "relay", "relay", PUBLIC, "2525") in transports()


def test_a_deleted_domain_takes_its_relay_along(cast: Cast) -> None:
    relayed(cast.root, cast.dora_example, verify_recipients=True)
    delete_domains(cast.root, [cast.dora_example])
    assert not RelayDomain.objects.exists()
    assert transports() == set()
    assert not MailCheck.objects.exists()


# --- random lives ---------------------------------------------------------------------------------------------


class RelayLife(Life):
    """As the random life of the published tables, where domains begin and cease to be relayed."""

    succeeded: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        # Recipients of aliases that whoever stopped the relaying did not see.
        self.left: set[int] = set()

    @initialize(pick=picks)
    def begin_with_a_relay_domain_and_one_that_was(self, pick: int) -> None:
        self.start("root", pick, of=0)
        self.stop("root", 0)
        self.start("root", pick, of=0)

    @rule(actor=actors, pick=picks, of=picks)
    def start(self, actor: str, pick: int, of: int) -> None:
        if domain := self.some(Domain.objects.filter(type="domain"), pick):
            target: dict[str, Any] = {
                "target_host": [PUBLIC, PUBLIC_6][of % 2],
                "verify_recipients": of % 3 == 0,
            }
            self.attempt(actor, start_relaying, [RelaySpec(domain=domain, **target)])

    @rule(actor=actors, pick=picks, of=picks)
    def change(self, actor: str, pick: int, of: int) -> None:
        if relay := self.some(RelayDomain.objects.select_related("domain"), pick):
            values: dict[str, Any] = {"target_port": 25 + of % 3, "verify_recipients": of % 2 == 0}
            self.attempt(
                actor,
                update_relay_domains,
                [RelayDomainChange(domain=relay.domain, target_host=PUBLIC, **values)],
            )

    @rule(actor=actors, pick=picks)
    def stop(self, actor: str, pick: int) -> None:
        if relay := self.some(RelayDomain.objects.select_related("domain"), pick):
            before = self.succeeded["stop_relaying"]
            self.attempt(actor, stop_relaying, [relay.domain])
            if self.succeeded["stop_relaying"] > before:
                self.remember_who_was_left(actor, relay.domain)

    @rule(pick=picks)
    def stop_as_somebody_who_looks_after_it(self, pick: int) -> None:
        """Else it is mostly root who stops, and sees everything."""
        if relay := self.some(RelayDomain.objects.select_related("domain"), pick):
            people = Account.objects.filter(role__in=[Role.SUPER_ADMIN, Role.RESELLER])
            owner = people.filter(owned_domains=relay.domain).first()
            self.stop(owner.username if owner else "root", pick)

    def remember_who_was_left(self, actor: str, domain: Domain) -> None:
        """Only aliases in domains that the actor neither owns nor administers may lead to nobody now."""
        person = Account.objects.filter(username__startswith=actor).order_by("pk")[0]
        left = [row for row in nobodys() if row.address.endswith(f"@{domain.name}")]
        for row in left:
            of = row.alias.domain
            assert person.role != Role.SUPER_ADMIN, row.address
            assert of.owner_id != person.pk, row.address
            assert not of.administrators.filter(pk=person.pk).exists(), row.address
        self.left |= {row.pk for row in left}

    @invariant()
    def only_relay_domains_have_a_relay(self) -> None:
        relays = set(RelayDomain.objects.values_list("pk", flat=True))
        assert relays == set(Domain.objects.filter(type="relaydomain").values_list("pk", flat=True))

    @invariant()
    def every_recipient_in_an_ordinary_domain_is_somebody_unless_it_was_left(self) -> None:
        ordinary = set(Domain.objects.filter(type="domain").values_list("name", flat=True))
        found = [row for row in nobodys() if row.address.rpartition("@")[2] in ordinary]
        assert [row.address for row in found if row.pk not in self.left] == []


def nobodys() -> list[AliasRecipient]:
    """Recipients that are nobody here, as far as the rows say."""
    links = Q(target_alias__isnull=True) | Q(target_alias=F("alias"))
    return list(AliasRecipient.objects.filter(links, mailbox__isnull=True).select_related("alias__domain"))


@pytest.mark.usefixtures("cast")
def test_random_operations_on_relay_domains_never_drift() -> None:
    live(RelayLife)
    assert RelayLife.succeeded["start_relaying"]
    assert RelayLife.succeeded["stop_relaying"]


# --- cost -----------------------------------------------------------------------------------------------------


def batch(cast: Cast, count: int, start: int = 0) -> list[Domain]:
    numbers = range(start, start + count)
    relays = create_relay_domains(
        cast.root, [spec(f"d{n}.example", aliases=(f"a{n}.example",)) for n in numbers]
    )
    return [relay.domain for relay in relays]


def costs(work: Callable[[int], object]) -> tuple[int, int]:
    """Statements for 2 and for 22."""
    with statements() as few:
        work(2)
    with statements() as many:
        work(22)
    return len(few), len(many)


def test_a_batch_costs_as_many_statements_as_one(cast: Cast) -> None:
    numbers = iter(range(0, 1000, 100))
    few, many = costs(lambda count: batch(cast, count, next(numbers)))
    assert few == many <= 33
    with statements() as run:
        create_relay_domains(cast.root, [spec()])
    assert len(run) <= 29
    made = [batch(cast, 2, 700), batch(cast, 22, 800)]
    by_size = {len(domains): domains for domains in made}
    ports = iter([2525, 2526])

    def update(count: int) -> None:
        port = next(ports)
        update_relay_domains(
            cast.root, [RelayDomainChange(domain=d, target_port=port) for d in by_size[count]]
        )

    few, many = costs(update)
    assert few == many <= 25
    few, many = costs(lambda count: stop_relaying(cast.root, by_size[count]))
    assert few == many <= 33
    few, many = costs(
        lambda count: start_relaying(
            cast.root, [RelaySpec(domain=d, target_host=PUBLIC) for d in by_size[count]]
        )
    )
    assert few == many <= 33


# --- what the database promises -------------------------------------------------------------------------------


def relay_row(**columns: Any) -> dict[str, Any]:
    insert("admin_domain", **domain(type="relaydomain"))
    return {
        "domain_id": first("admin_domain", "id", "name = 'new.example'"),
        "service_id": first("postfix_relay_domains_service", "id", "name = 'relay'"),
        "target_host": "mx.out.example",
        "target_port": 25,
        "verify_recipients": False,
        "creation": NOW,
        "last_modification": NOW,
        **columns,
    }


def withdraw(name: str = "new.example") -> None:
    """Rows that were written by hand go again: nothing was published of them."""
    RelayDomain.objects.filter(domain__name=name).delete()
    Domain.objects.filter(name=name).delete()


@pytest.mark.parametrize(
    "columns",
    [
        {"target_host": ""},
        {"target_host": "MX.out.example"},
        {"target_host": "mx.out.example "},
        {"target_host": "[::1]"},
        {"target_host": "::1]:25,[10.0.0.1"},
        {"target_host": "mx.out.example, other"},
        {"target_host": "mx.out.example\n"},
        {"target_host": "$mydomain"},
        {"target_host": "-mx.example"},
        {"target_host": "b\u00fccher.example"},
        {"target_host": "a" * 254},
        {"target_port": 0},
        {"target_port": -25},
        {"target_port": 65_536},
        {"service_id": 10**6},
        {"domain_id": 10**6},
        {"service_id": None},
    ],
)
@pytest.mark.usefixtures("cast")
def test_no_relay_domain_is_stored_that_postfix_could_misread(columns: dict[str, Any]) -> None:
    row = relay_row(**columns)
    with pytest.raises(DatabaseError):
        insert("postfix_relay_domains_relaydomain", **row)
    withdraw()


@pytest.mark.parametrize("host", ["mail", "mx.out.example", "9.9.9.9", "::1", "2620:fe::fe", "::", A_LABEL])
@pytest.mark.usefixtures("cast")
def test_a_host_in_its_stored_form_satisfies_the_database(host: str) -> None:
    row = relay_row(target_host=host)
    del row["target_port"], row["verify_recipients"]  # these have defaults there as well
    insert("postfix_relay_domains_relaydomain", **row)
    with pytest.raises(DatabaseError):
        insert("postfix_relay_domains_relaydomain", **row)
    relay = RelayDomain.objects.get(domain__name="new.example")
    assert (relay.target_port, relay.verify_recipients) == (25, False)
    withdraw()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Relay",
        "relay ",
        "-relay",
        "_relay",
        "re:lay",
        "re.lay",
        "re lay",
        "relay\n",
        "\u0155elay",
        "a" * 101,
    ],
)
@pytest.mark.usefixtures("cast")
def test_no_service_has_a_name_that_postfix_could_misread(name: str) -> None:
    with pytest.raises(DatabaseError):
        insert("postfix_relay_domains_service", name=name)


@pytest.mark.usefixtures("cast")
def test_a_service_exists_once_and_stays_while_it_is_used() -> None:
    with pytest.raises(DatabaseError):
        insert("postfix_relay_domains_service", name="relay")
    insert("postfix_relay_domains_service", name="a" * 100)
    insert("postfix_relay_domains_service", name="relay-out_2")


# --- two at once ----------------------------------------------------------------------------------------------


def test_a_domain_begins_to_relay_once(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, relaying, "lock_domains", before=True)
    outcomes = race(
        lambda: relayed(real_cast.root, real_cast.dora_example),
        lambda: relayed(real_cast.root, real_cast.dora_example, target_host=OTHER),
    )
    assert sorted(outcomes) == ["already_relayed", DONE]
    assert RelayDomain.objects.count() == 1
    assert drifting() == []
