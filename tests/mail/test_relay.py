"""Domains whose mail is handed to another host, and what a stranger cannot make of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from admin.models import Domain
from admin.operations import delete_domains, update_domain
from relaydomains.operations import (
    RelaySpec,
    create_relay_domain,
    start_relaying,
    stop_relaying,
    update_relay_domain,
)
from tests.mail.panel import OFF, Panel, unique_name
from tests.servers.sink import Sink
from tests.servers.stack import MailStack, Reply, new_token

FRIEND = "friend@outside.test"


@pytest.fixture(scope="module")
def target() -> Iterator[Sink]:
    """The host that mail is handed to; everything else that leaves goes to the sink of the stack."""
    with Sink() as sink:
        yield sink


def new_relay(panel: Panel, target: Sink, *, verify: bool = False, aliases: Sequence[str] = ()) -> str:
    relay = create_relay_domain(
        panel.root,
        name=unique_name(),
        target_host="127.0.0.1",
        target_port=target.port,
        verify_recipients=verify,
        aliases=tuple(aliases),
    )
    return relay.domain.name


def domain_of(name: str) -> Domain:
    return Domain.objects.get(name=name)


def answer_to(stack: MailStack, recipient: str, token: str = "") -> Reply:
    return stack.send(FRIEND, [recipient], token or new_token())[recipient]


def sent(stack: MailStack, recipient: str) -> str:
    """The token of a mail from outside that was accepted."""
    token = new_token()
    answer = answer_to(stack, recipient, token)
    assert answer.accepted, answer
    return token


def test_mail_for_a_relay_domain_reaches_its_host(stack: MailStack, panel: Panel, target: Sink) -> None:
    other_name = unique_name()
    domain = new_relay(panel, target, aliases=[other_name])
    for asked in (f"anybody@{domain}", f"anybody@{other_name}", f"ANYBODY@{domain.upper()}"):
        mail = target.wait_for(sent(stack, asked))
        assert [recipient.lower() for recipient in mail.recipients] == [f"anybody@{domain}"]
        assert mail.sender == FRIEND


def test_an_extension_is_the_other_hosts_business(stack: MailStack, panel: Panel, target: Sink) -> None:
    domain = new_relay(panel, target)
    mail = target.wait_for(sent(stack, f"any+body@{domain}"))
    assert mail.recipients == (f"any+body@{domain}",)


def test_another_target_counts_for_the_next_mail(stack: MailStack, panel: Panel, target: Sink) -> None:
    domain = new_relay(panel, target)
    target.wait_for(sent(stack, f"first@{domain}"))
    with Sink() as second:
        update_relay_domain(panel.root, domain_of(domain), target_port=second.port, service="smtp")
        # An address that Postfix has not resolved yet: it keeps an answer for half a minute.
        second.wait_for(sent(stack, f"second@{domain}"))


def test_recipients_are_asked_for_where_the_domain_says_so(
    stack: MailStack, panel: Panel, target: Sink
) -> None:
    other_name = unique_name()
    strict, lenient = new_relay(panel, target, verify=True, aliases=[other_name]), new_relay(panel, target)
    for domain in (strict, lenient):
        target.refusals[f"nobody@{domain}"] = "550 5.1.1 We know nobody of this name"
    for refused in (f"nobody@{strict}", f"nobody@{other_name}"):
        reply = answer_to(stack, refused)
        assert reply.code == 550, reply
        assert "We know nobody of this name" in reply.text
    target.wait_for(sent(stack, f"somebody@{strict}"))
    target.wait_for(sent(stack, f"somebody@{other_name}"))
    assert answer_to(stack, f"nobody@{lenient}").accepted
    update_relay_domain(panel.root, domain_of(strict), verify_recipients=False)
    assert answer_to(stack, f"nobody@{strict}").accepted


def test_a_split_domain_keeps_its_own_people_here(each_stack: MailStack, panel: Panel, target: Sink) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    spec = RelaySpec(domain=domain_of(domain), target_host="127.0.0.1", target_port=target.port)
    start_relaying(panel.root, [spec])
    dora = panel.new_account(f"dora@{domain}")
    info = panel.new_alias(f"info@{domain}", sam, f"remote@{domain}")
    for person in (sam, dora, f"dora+shop@{domain}"):
        token = sent(each_stack, person)
        each_stack.wait_for_mail(person.replace("+shop", ""), token)
        assert target.find(token) is None
    for stranger in (f"anybody@{domain}", f"samson@{domain}"):
        assert target.wait_for(sent(each_stack, stranger)).recipients == (stranger,)
    token = sent(each_stack, info)
    each_stack.wait_for_mail(sam, token)
    assert target.wait_for(token).recipients == (f"remote@{domain}",)
    panel.change_account(dora, {"is_active": OFF})
    reply = answer_to(each_stack, dora)  # not relayed: somebody has this address
    assert reply.code == 550, reply


def test_what_is_switched_off_in_a_split_domain_is_not_relayed_on_any_way(
    stack: MailStack, panel: Panel, target: Sink
) -> None:
    other_name = unique_name()
    domain = new_relay(panel, target, aliases=[other_name])
    sam, bob = (panel.new_account(f"{name}@{domain}") for name in ("sam", "bob"))
    info = panel.new_alias(f"info@{domain}", sam)
    listed = panel.new_alias(f"bob+list@{domain}", sam)
    panel.change_alias(info, {"enabled": OFF})
    panel.change_account(bob, {"is_active": OFF})
    tokens = [new_token() for _asked in range(4)]
    asked = [info, bob, f"info@{other_name}", f"bob@{other_name}"]
    codes = [answer_to(stack, each, token).code for each, token in zip(asked, tokens, strict=True)]
    assert codes[:2] == [550, 550]
    # An alias of the plain address that is off goes on to work.
    stack.wait_for_mail(sam, sent(stack, listed))
    # Through the other name it may come back to the sender, but never reach the other host.
    target.wait_for(sent(stack, f"anybody@{domain}"))
    assert [token for token in tokens if target.find(token)] == []


def test_a_split_domain_asks_the_other_host_for_strangers_only(
    stack: MailStack, panel: Panel, target: Sink
) -> None:
    domain = new_relay(panel, target, verify=True)
    sam = panel.new_account(f"sam@{domain}")
    target.refusals |= dict.fromkeys((sam, f"nobody@{domain}"), "550 5.1.1 Not mine")
    stack.wait_for_mail(sam, sent(stack, sam))
    assert answer_to(stack, f"nobody@{domain}").code == 550


def test_mail_is_copied_on_its_way(stack: MailStack, panel: Panel, target: Sink) -> None:
    domain = new_relay(panel, target)
    boss = panel.new_account(f"boss@{panel.new_domain()}")
    jo = panel.new_alias(f"jo@{domain}", f"jo@{domain}", boss)
    token = sent(stack, jo)
    stack.wait_for_mail(boss, token)
    assert target.wait_for(token).recipients == (jo,)
    panel.change_alias(jo, {"enabled": OFF})
    token = sent(stack, jo)
    target.wait_for(token)
    assert not stack.has_mail(boss, token)


def test_a_domain_begins_and_ends_to_be_relayed(stack: MailStack, panel: Panel, target: Sink) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    assert answer_to(stack, f"early@{domain}").code == 550
    spec = RelaySpec(domain=domain_of(domain), target_host="127.0.0.1", target_port=target.port)
    start_relaying(panel.root, [spec])
    target.wait_for(sent(stack, f"meanwhile@{domain}"))
    stack.wait_for_mail(sam, sent(stack, sam))
    stop_relaying(panel.root, [domain_of(domain)])
    assert answer_to(stack, f"late@{domain}").code == 550
    stack.wait_for_mail(sam, sent(stack, sam))


def test_a_relay_domain_that_is_off_or_gone_is_refused_in_the_next_session(
    stack: MailStack, panel: Panel, target: Sink
) -> None:
    domain = new_relay(panel, target)
    target.wait_for(sent(stack, f"same@{domain}"))
    update_domain(panel.root, domain_of(domain), enabled=False)
    assert answer_to(stack, f"same@{domain}").code == 554
    update_domain(panel.root, domain_of(domain), enabled=True)
    target.wait_for(sent(stack, f"same@{domain}"))
    delete_domains(panel.root, [domain_of(domain)])
    assert answer_to(stack, f"same@{domain}").code == 554


def test_a_relay_domain_makes_no_open_relay(stack: MailStack, panel: Panel, target: Sink) -> None:
    strict, lenient = new_relay(panel, target, verify=True), new_relay(panel, target)
    tokens = []
    for domain in (strict, lenient):
        for recipient in (
            "else@elsewhere.test",
            f"else@sub.{domain}",
            f"else@{domain}.elsewhere.test",
            f"else@x{domain}",
            f"else%elsewhere.test@{domain}",
            f"elsewhere.test!else@{domain}",
            f"@{domain}:else@elsewhere.test",
            f'"else@elsewhere.test"@{domain}',
            f"else@elsewhere.test@{domain}",
            "else@[127.0.0.1]",
            f"else@[{domain}]",
        ):
            for sender in (FRIEND, f"anybody@{domain}", ""):
                tokens.append(new_token())
                reply = stack.send(sender, [recipient], tokens[-1])[recipient]
                assert not reply.accepted, (sender, recipient, reply)
    time.sleep(0.5)  # for what should not come
    assert not any(target.find(token) or stack.sink.find(token) for token in tokens)
