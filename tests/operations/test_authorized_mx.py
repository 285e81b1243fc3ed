"""New domains must use authorized MX: what the DNS can answer, and who may add what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from django.test import override_settings
from dns.resolver import BaseResolver

from admin.gateways.dns import (
    MAX_ADDRESSES,
    MAX_HOSTS,
    DnsResolver,
    FakeResolver,
    MailHost,
    MailHosts,
    Outcome,
)
from admin.mail_networks import NotANetwork, networks, written
from admin.operations import create_domain
from admin.operations.authorized_mx import unauthorized
from admin.parameters_form import AdministrationParametersForm
from parameters import tools
from parameters.operations import update_parameters
from parameters.tools import get_global_parameter
from tests.cast import Cast
from tests.operations.evidence import forbidden, refused, refused_as, sentences, statements
from tests.servers.dns import DnsServer, Fault, Zone

U_LABEL, A_LABEL = "bücher.example", "xn--bcher-kva.example"
HERE, ELSEWHERE = "192.0.2.10", "198.51.100.7"

ZONE: Zone = {
    "good.example": {"MX": ["20 mx2.good.example.", "10 mx1.good.example."]},
    "mx1.good.example": {"A": [HERE], "AAAA": ["2001:db8::10"]},
    "mx2.good.example": {"AAAA": ["2001:db8::20"]},
    "implicit.example": {"A": [ELSEWHERE], "TXT": ["text"]},
    "bare.example": {"TXT": ["text"]},
    "null.example": {"MX": ["0 ."]},
    "null-and-more.example": {"MX": ["0 .", "10 mx1.good.example."]},
    "gone.example": {"MX": ["10 nobody.example."]},
    "chained.example": {"MX": ["10 alias1.example."]},
    "alias1.example": {"CNAME": ["alias2.example."]},
    "alias2.example": {"CNAME": ["mx1.good.example."]},
    "dangling.example": {"MX": ["10 dangling-alias.example."]},
    "dangling-alias.example": {"CNAME": ["nobody.example."]},
    "circle.example": {"MX": ["10 circle1.example."]},
    "circle1.example": {"CNAME": ["circle2.example."]},
    "circle2.example": {"CNAME": ["circle1.example."]},
    "literal.example": {"MX": ["10 192.0.2.10."]},
    A_LABEL: {"MX": ["10 mx1.good.example."]},
    "many.example": {"MX": [f"{n} host{n}.many.example." for n in range(1, 101)]},
    **{f"host{n}.many.example": {"A": [ELSEWHERE]} for n in range(1, 101)},
    "huge.example": {"MX": ["10 mx.huge.example."]},
    "mx.huge.example": {"A": [f"198.51.100.{n}" for n in range(1, 201)]},
    "twice.example": {"MX": ["10 mx1.good.example.", "30 MX1.good.example."]},
    "half.example": {"MX": ["10 mx1.good.example.", "20 silent.example."]},
    "silent-host.example": {"MX": ["10 silent.example."]},
    "servfail.example": Fault.SERVFAIL,
    "refused.example": Fault.REFUSED,
    "silent.example": Fault.SILENCE,
    "nonsense.example": Fault.NOT_DNS,
    "guessed.example": Fault.OTHER_ID,
    "drip.example": Fault.DRIP,
}


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(ZONE) as server:
        yield server


@pytest.fixture
def world(server: DnsServer) -> Iterator[DnsServer]:
    """The server, as the one that the settings name."""
    server.asked.clear()
    with override_settings(MODOBOA_DNS_SERVERS=[server.endpoint]):
        yield server


def mail_of(server: DnsServer, name: str, *, name_s: float = 5.0) -> MailHosts:
    return DnsResolver([server.endpoint], name_s=name_s).mail_hosts([name])[name]


def addresses(mail: MailHosts) -> list[str]:
    return [str(address) for address in mail.addresses]


# --- the DNS --------------------------------------------------------------------------------------------------


def test_the_hosts_of_a_name_come_best_first_with_addresses_of_both_families(server: DnsServer) -> None:
    assert mail_of(server, "good.example") == MailHosts(
        Outcome.FOUND,
        (
            MailHost("mx1.good.example", 10, (ip_address(HERE), ip_address("2001:db8::10"))),
            MailHost("mx2.good.example", 20, (ip_address("2001:db8::20"),)),
        ),
    )


@pytest.mark.parametrize(
    ("name", "outcome", "found"),
    [
        ("implicit.example", Outcome.FOUND, [ELSEWHERE]),
        ("bare.example", Outcome.NO_MAIL_HOST, []),
        ("nobody.example", Outcome.NO_SUCH_NAME, []),
        ("null.example", Outcome.REFUSES_MAIL, []),
        ("null-and-more.example", Outcome.FOUND, [HERE, "2001:db8::10"]),
        ("gone.example", Outcome.NO_ADDRESS, []),
        ("literal.example", Outcome.NO_ADDRESS, []),
        ("dangling.example", Outcome.NO_ADDRESS, []),
        ("chained.example", Outcome.FOUND, [HERE, "2001:db8::10"]),
        ("alias2.example", Outcome.FOUND, [HERE, "2001:db8::10"]),
        ("twice.example", Outcome.FOUND, [HERE, "2001:db8::10"]),
        (A_LABEL, Outcome.FOUND, [HERE, "2001:db8::10"]),
    ],
)
def test_every_kind_of_answer_is_its_own_outcome(
    server: DnsServer, name: str, outcome: Outcome, found: list[str]
) -> None:
    mail = mail_of(server, name)
    assert (mail.outcome, addresses(mail), mail.is_complete) == (outcome, found, True)


@pytest.mark.any_engine
@pytest.mark.parametrize(
    "name",
    [
        "servfail.example",
        "refused.example",
        "silent.example",
        "nonsense.example",
        "guessed.example",
        "drip.example",
        "circle.example",
        "silent-host.example",
    ],
)
def test_no_usable_answer_is_never_no_mx_and_takes_no_longer_than_allowed(
    server: DnsServer, name: str
) -> None:
    began = time.monotonic()
    mail = mail_of(server, name, name_s=0.4)
    assert (mail.outcome, mail.addresses, mail.is_complete) == (Outcome.UNKNOWN, (), False)
    assert time.monotonic() - began < 4


def test_a_host_that_does_not_answer_hides_no_other(server: DnsServer) -> None:
    mail = mail_of(server, "half.example", name_s=1.0)
    assert mail.outcome is Outcome.FOUND
    assert addresses(mail) == [HERE, "2001:db8::10"]
    assert [host.is_complete for host in mail.hosts] == [True, False]


def test_long_answers_come_over_tcp_and_are_cut(server: DnsServer) -> None:
    many = mail_of(server, "many.example")
    assert [host.preference for host in many.hosts] == list(range(1, MAX_HOSTS + 1))
    assert addresses(many) == [ELSEWHERE]
    assert len(mail_of(server, "huge.example").addresses) == MAX_ADDRESSES


def test_hosts_that_many_names_share_are_asked_for_once(world: DnsServer) -> None:
    names = [f"customer{n}.example" for n in range(60)]
    world.zone.update({name: {"MX": ["10 mx1.good.example."]} for name in names})
    resolver = DnsResolver([world.endpoint])
    assert {mail.outcome for mail in resolver.mail_hosts(names).values()} == {Outcome.FOUND}
    assert world.asked.count(("mx1.good.example", "A")) <= 10, "once by each name of the first ten at most"


def test_a_batch_ends_in_time_whatever_is_not_answered(world: DnsServer) -> None:
    names = [f"silent{n}.example" for n in range(40)]
    world.zone.update(dict.fromkeys(names, Fault.SILENCE))
    began = time.monotonic()
    answers = DnsResolver([world.endpoint], name_s=0.3).mail_hosts(names, within_s=0.6)
    assert time.monotonic() - began < 4
    assert {mail.outcome for mail in answers.values()} == {Outcome.UNKNOWN}
    assert len(answers) == 40
    assert len(dict.fromkeys(world.asked)) < 40, "no new question after the end"


def test_a_second_server_answers_for_a_dead_one(server: DnsServer) -> None:
    with DnsServer(dict.fromkeys(ZONE, Fault.REFUSED)) as dead:
        mail = DnsResolver([dead.endpoint, server.endpoint]).mail_hosts(["good.example"])
    assert mail["good.example"].outcome is Outcome.FOUND
    assert dead.asked


def test_a_system_without_name_servers_knows_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "resolv.conf"
    empty.write_text("# nobody\n")
    read = BaseResolver.read_resolv_conf
    monkeypatch.setattr(BaseResolver, "read_resolv_conf", lambda self, _path: read(self, str(empty)))
    assert DnsResolver().mail_hosts(["good.example"]) == {"good.example": MailHosts(Outcome.UNKNOWN)}


def test_it_works_inside_an_event_loop(server: DnsServer) -> None:
    async def ask() -> MailHosts:
        return mail_of(server, "good.example")  # as any code below an asynchronous door would

    assert asyncio.run(ask()).outcome is Outcome.FOUND


# --- the rule -------------------------------------------------------------------------------------------------


def switch_on(cast: Cast, valid_mxs: str = f"{HERE} 2001:db8::/64") -> None:
    values = {"enable_mx_checks": True, "domains_must_have_authorized_mx": True, "valid_mxs": valid_mxs}
    update_parameters(cast.root, {"admin": values})


def mail_to(*addresses: str, is_complete: bool = True) -> MailHosts:
    host = MailHost("mx.example", 10, tuple(map(ip_address, addresses)), is_complete)
    return MailHosts(Outcome.FOUND, (host,))


def codes(cast: Cast, answers: dict[str, MailHosts]) -> dict[str, str]:
    found = unauthorized(cast.rita, list(answers), resolver=FakeResolver(answers))
    return {name: objection.code for name, objection in found.items()}


def test_a_super_admin_adds_any_domain_and_nobody_is_asked(cast: Cast) -> None:
    switch_on(cast)
    resolver = FakeResolver()
    assert unauthorized(cast.root, ["new.example"], resolver=resolver) == {}
    assert resolver.asked == []


def test_a_reseller_adds_domains_whose_mail_comes_here(cast: Cast) -> None:
    switch_on(cast)
    resolver = FakeResolver({"here.example": mail_to(HERE), "away.example": mail_to(ELSEWHERE)})
    found = unauthorized(cast.rita, ["here.example", "away.example"], resolver=resolver)
    assert {name: objection.code for name, objection in found.items()} == {
        "away.example": "mx_not_authorized"
    }


@pytest.mark.parametrize("who", ["dora", "sam", "mallory"])
def test_who_may_not_add_domains_makes_the_server_ask_nobody(cast: Cast, who: str) -> None:
    switch_on(cast)
    resolver = FakeResolver()
    assert unauthorized(cast.everybody[who], ["new.example"], resolver=resolver) == {}
    disabled = replace(
        cast.rita, user=type(cast.rita.user)(pk=cast.rita.pk, role=cast.rita.role, is_active=False)
    )
    assert unauthorized(disabled, ["new.example"], resolver=resolver) == {}
    assert resolver.asked == []


@pytest.mark.parametrize("switch", ["enable_mx_checks", "domains_must_have_authorized_mx"])
def test_each_switch_turns_the_rule_off(cast: Cast, switch: str) -> None:
    switch_on(cast)
    update_parameters(cast.root, {"admin": {switch: False}})
    resolver = FakeResolver()
    assert unauthorized(cast.rita, ["new.example"], resolver=resolver) == {}
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("mail", "code"),
    [
        (mail_to(HERE), None),
        (mail_to(ELSEWHERE, HERE), None),
        (mail_to(HERE, is_complete=False), None),
        (mail_to("2001:db8::1"), None),
        (mail_to(ELSEWHERE), "mx_not_authorized"),
        (mail_to("2001:db8:0:1::1"), "mx_not_authorized"),
        (mail_to(ELSEWHERE, is_complete=False), "mx_unknown"),
        (MailHosts(Outcome.UNKNOWN), "mx_unknown"),
        (MailHosts(Outcome.NO_SUCH_NAME), "mx_missing"),
        (MailHosts(Outcome.NO_MAIL_HOST), "mx_missing"),
        (MailHosts(Outcome.NO_ADDRESS), "mx_missing"),
        (MailHosts(Outcome.REFUSES_MAIL), "mx_missing"),
    ],
)
def test_one_address_here_is_enough_and_no_answer_is_not_no_mx(
    cast: Cast, mail: MailHosts, code: str | None
) -> None:
    switch_on(cast)
    assert codes(cast, {"new.example": mail}) == ({"new.example": code} if code else {})


def test_each_name_is_asked_for_once_in_its_canonical_form(cast: Cast) -> None:
    switch_on(cast)
    resolver = FakeResolver()
    found = unauthorized(
        cast.rita, [" NEW.example", "new.example", U_LABEL, "no domain", "", "one"], resolver=resolver
    )
    assert resolver.asked == ["new.example", A_LABEL]
    assert list(found) == ["new.example", A_LABEL]


def test_a_refusal_says_what_was_found_and_what_to_change(cast: Cast) -> None:
    switch_on(cast, valid_mxs=HERE)
    [objection] = unauthorized(
        cast.rita, [U_LABEL], resolver=FakeResolver({A_LABEL: mail_to(ELSEWHERE)})
    ).values()
    assert objection.message == (
        f"Mail for “{U_LABEL}” goes to {ELSEWHERE}. Let its MX record point to a mail server of this installation "
        f"({HERE}), then add the domain again."
    )
    [objection] = unauthorized(cast.rita, ["new.example"], resolver=FakeResolver()).values()
    assert objection.message.startswith("The DNS does not know “new.example”. Let its MX record point to")
    unknown = FakeResolver({"new.example": MailHosts(Outcome.UNKNOWN)})
    [objection] = unauthorized(cast.rita, ["new.example"], resolver=unknown).values()
    assert "Try again in a few minutes." in objection.message


def test_a_refusal_stays_short_however_many_addresses_there_are(cast: Cast) -> None:
    switch_on(cast, valid_mxs=" ".join(f"192.0.2.{n}" for n in range(1, 200)))
    mail = mail_to(*(f"198.51.100.{n}" for n in range(1, 200)))
    [objection] = unauthorized(
        cast.rita, ["new.example"], resolver=FakeResolver({"new.example": mail})
    ).values()
    assert len(objection.message) < 400
    assert "198.51.100.5, …" in objection.message
    assert "(one of 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, …)" in objection.message


def test_the_settings_name_the_server_and_asking_costs_no_statement_but_the_parameters(
    cast: Cast, world: DnsServer
) -> None:
    switch_on(cast)
    tools.forget()
    with statements() as run:
        found = unauthorized(cast.rita, ["good.example", "implicit.example", "nobody.example"])
    assert len(run) == 1
    assert {name: objection.code for name, objection in found.items()} == {
        "implicit.example": "mx_not_authorized",
        "nobody.example": "mx_missing",
    }
    assert ("good.example", "MX") in world.asked


def test_a_domain_and_its_aliases_are_created_only_when_their_mail_comes_here(
    cast: Cast, world: DnsServer
) -> None:
    switch_on(cast)
    with refused((0, "name", "mx_not_authorized"), (0, "aliases", "mx_missing")):
        create_domain(cast.rita, name="implicit.example", aliases=("null.example",))
    assert create_domain(cast.rita, name="good.example").owner_id == cast.rita.pk
    assert world.asked
    world.asked.clear()
    assert create_domain(cast.root, name="implicit.example").owner_id == cast.root.pk
    assert world.asked == []


# --- parameters -----------------------------------------------------------------------------------------------


def test_networks_of_both_families_are_read_and_written() -> None:
    found = networks("192.0.2.1\n192.0.2.1/32  198.51.100.0/24\t2001:DB8::1 2001:db8::/32")
    assert [written(network) for network in found] == [
        "192.0.2.1",
        "198.51.100.0/24",
        "2001:db8::1",
        "2001:db8::/32",
    ]
    with pytest.raises(NotANetwork, match=r"mx\.example"):
        networks("192.0.2.1 mx.example")


def test_the_documented_defaults_check_mx_and_authorize_nothing(cast: Cast) -> None:  # noqa: ARG001  the database
    names = ("enable_mx_checks", "valid_mxs", "domains_must_have_authorized_mx")
    assert [get_global_parameter(name, "admin") for name in names] == [True, "", False]
    assert not get_global_parameter("handle_mailboxes", "admin")
    assert not get_global_parameter("auto_account_removal", "admin")


def test_valid_mxs_are_stored_one_per_line(cast: Cast) -> None:
    update_parameters(cast.root, {"admin": {"valid_mxs": "  192.0.2.0/24 2001:DB8:0::1\r\n192.0.2.0/24 "}})
    assert get_global_parameter("valid_mxs", "admin") == "192.0.2.0/24\n2001:db8::1"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("mx.example.org", "not_a_network"),
        ("192.0.2.1,192.0.2.2", "not_a_network"),
        ("192.0.2.0/33", "not_a_network"),
        ("192.0.2", "not_a_network"),
        ("fe80::1%eth0", "not_a_network"),
        ("192.0.2.1/24", "address_in_network"),
        ("2001:db8::1/32", "address_in_network"),
        ("\n".join(f"192.0.{n >> 8}.{n & 255}" for n in range(501)), "too_many"),
        ("1" * 25_001, "max_length"),
    ],
)
def test_valid_mxs_that_nobody_can_read_are_refused(cast: Cast, text: str, code: str) -> None:
    with refused_as("admin-valid_mxs", code):
        update_parameters(cast.root, {"admin": {"valid_mxs": text}})


def test_an_address_with_a_mask_is_told_the_network_that_was_meant(cast: Cast) -> None:
    with refused_as("admin-valid_mxs", "address_in_network") as caught:
        update_parameters(cast.root, {"admin": {"valid_mxs": "192.0.2.77/24"}})
    assert "192.0.2.0/24" in sentences(caught)[0]


def test_the_rule_needs_valid_mxs_while_mx_checks_are_on(cast: Cast) -> None:
    with refused_as("admin-valid_mxs", "valid_mxs_needed"):
        update_parameters(cast.root, {"admin": {"domains_must_have_authorized_mx": True}})
    switched_off = {"domains_must_have_authorized_mx": True, "enable_mx_checks": False}
    update_parameters(cast.root, {"admin": switched_off})
    with refused_as("admin-valid_mxs", "valid_mxs_needed"):
        update_parameters(cast.root, {"admin": {"enable_mx_checks": True}})
    update_parameters(cast.root, {"admin": {"enable_mx_checks": True, "valid_mxs": HERE}})
    with refused_as("admin-valid_mxs", "valid_mxs_needed"):
        update_parameters(cast.root, {"admin": {"valid_mxs": " \n"}})


def test_only_a_super_admin_says_which_mx_are_valid(cast: Cast) -> None:
    for who in ("rita", "dora", "sam", "mallory"):
        with forbidden():
            update_parameters(cast.everybody[who], {"admin": {"valid_mxs": HERE}})


def test_what_depends_on_mx_checks_is_shown_with_them() -> None:
    rules = AdministrationParametersForm.visibility_rules
    assert rules["valid_mxs"] == rules["domains_must_have_authorized_mx"] == "enable_mx_checks=True"
