"""Mail from outside: who gets it, who does not, and what the sender is told."""

from __future__ import annotations

import imaplib
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from admin import publication
from admin.models import MailboxOperation
from tests.cast import PASSWORD
from tests.mail.panel import OFF, ON, Panel, unique_name
from tests.servers.stack import MailStack, Reply, new_token

FRIEND = "friend@outside.test"
ELSEWHERE = "else@elsewhere.test"


def sent(stack: MailStack, recipient: str) -> str:
    """The token of a mail from outside that was accepted."""
    token = new_token()
    answer = stack.send(FRIEND, [recipient], token)[recipient]
    assert answer.accepted, answer
    return token


def answer_to(stack: MailStack, recipient: str) -> Reply:
    return stack.send(FRIEND, [recipient], new_token())[recipient]


def test_mail_for_a_new_mailbox_is_read_by_imap_and_pop3(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    token = sent(each_stack, sam)
    each_stack.wait_for_mail(sam, token)

    with each_stack.imap_login(sam, PASSWORD) as imap:
        imap.select()
        assert imap.search(None, "SUBJECT", token)[1][0] == b"1"
    pop3 = each_stack.pop3_login(sam, PASSWORD)
    assert pop3.stat()[0] == 1
    assert token in b"\n".join(pop3.retr(1)[1]).decode()
    pop3.quit()


def test_nobody_is_refused(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    assert answer_to(each_stack, f"nobody@{domain}").code == 550
    assert answer_to(each_stack, f"nobody@sub.{domain}").code == 554  # no domain of ours


def test_mail_for_an_alias_reaches_both_mailboxes(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    token = sent(each_stack, panel.new_alias(f"info@{domain}", sam, dora))
    each_stack.wait_for_mail(sam, token)
    each_stack.wait_for_mail(dora, token)


def test_an_alias_may_lead_to_an_alias_in_another_domain(stack: MailStack, panel: Panel) -> None:
    here, there = panel.new_domain(), panel.new_domain()
    sam = panel.new_account(f"sam@{there}")
    inner = panel.new_alias(f"inner@{there}", sam)
    stack.wait_for_mail(sam, sent(stack, panel.new_alias(f"outer@{here}", inner)))


def test_a_catch_all_takes_what_nobody_has(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    keeper, sam = (panel.new_account(f"{name}@{domain}") for name in ("keeper", "sam"))
    panel.new_alias(f"@{domain}", keeper)
    own, foreign = sent(each_stack, sam), sent(each_stack, f"whoever@{domain}")
    each_stack.wait_for_mail(sam, own)
    each_stack.wait_for_mail(keeper, foreign)
    assert not each_stack.has_mail(keeper, own)
    assert not each_stack.has_mail(sam, foreign)


def test_a_catch_all_does_not_take_what_is_switched_off_or_expired(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    keeper, sam = (panel.new_account(f"{name}@{domain}") for name in ("keeper", "sam"))
    off = panel.new_account(f"off@{domain}")
    alias_off = panel.new_alias(f"alias-off@{domain}", sam)
    panel.change_alias(alias_off, {"enabled": OFF})
    soon = (timezone.now() + timedelta(seconds=3)).replace(microsecond=0)
    expired = panel.new_alias(f"expired@{domain}", sam, expires=soon)
    to_nobody = panel.new_alias(f"to-nobody@{domain}", off)
    panel.new_alias(f"@{domain}", keeper)
    panel.change_account(off, {"is_active": OFF})
    panel.wait_until(soon)

    closed = [off, alias_off, expired, to_nobody]
    token = new_token()
    replies = stack.send(FRIEND, closed, token)
    assert [replies[address].code for address in closed] == [550] * len(closed)
    stack.wait_for_mail(keeper, sent(stack, f"whoever@{domain}"))
    assert not stack.has_mail(keeper, token)
    assert not stack.has_mail(sam, token)


def test_another_name_of_the_domain_reaches_the_same_people(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    panel.new_alias(f"info@{domain}", sam)
    other = panel.new_domain_alias(domain)
    stack.wait_for_mail(sam, sent(stack, f"sam@{other}"))
    stack.wait_for_mail(sam, sent(stack, f"info@{other}"))
    assert answer_to(stack, f"nobody@{other}").code == 550


def test_an_international_domain_is_reached_by_its_ascii_spelling(stack: MailStack, panel: Panel) -> None:
    """The other spelling needs SMTPUTF8, which Dovecot's LMTP does not have: it is refused at once."""
    shown = f"bücher-{unique_name()}"
    stored = panel.new_domain(name=shown)
    assert stored.startswith("xn--")
    sam = panel.new_account(f"sam@{shown}")
    assert sam == f"sam@{stored}"
    stack.wait_for_mail(sam, sent(stack, sam))
    assert not stack.send(FRIEND, [f"sam@{shown}"], new_token())[f"sam@{shown}"].accepted


def test_a_forward_sends_everything_outside(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    panel.new_alias(sam, ELSEWHERE)
    token = sent(stack, sam)
    assert stack.sink.wait_for(token).recipients == (ELSEWHERE,)
    later = new_token()
    panel.change_alias(sam, {"enabled": OFF})
    assert stack.send(FRIEND, [sam], later)[sam].accepted
    stack.wait_for_mail(sam, later)
    assert not stack.has_mail(sam, token)


def test_a_forward_may_leave_a_copy(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    panel.new_alias(sam, ELSEWHERE, sam)
    token = sent(each_stack, sam)
    assert each_stack.sink.wait_for(token).recipients == (ELSEWHERE,)
    each_stack.wait_for_mail(sam, token)


def test_a_disabled_domain_takes_no_mail(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    other = panel.new_domain_alias(domain)
    stack.wait_for_mail(sam, sent(stack, sam))
    panel.change_domain(domain, {"enabled": OFF})
    assert answer_to(stack, sam).code == 554  # no domain of ours any more
    assert answer_to(stack, f"sam@{other}").code == 554
    panel.change_domain(domain, {"enabled": ON})
    token = sent(stack, f"sam+again@{domain}")
    stack.wait_for_mail(sam, token)


def test_a_disabled_account_takes_no_mail(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    panel.new_alias(f"both@{domain}", sam, dora)
    panel.new_alias(f"one@{domain}", sam)
    panel.change_account(sam, {"is_active": OFF})
    assert answer_to(stack, sam).code == 550
    assert answer_to(stack, f"one@{domain}").code == 550
    token = sent(stack, f"both@{domain}")
    stack.wait_for_mail(dora, token)
    assert token not in "".join(str(mail.data) for mail in stack.sink.mails)  # no bounce


def test_an_extension_is_kept_apart_from_the_address(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    keeper, sam = (panel.new_account(f"{name}@{domain}") for name in ("keeper", "sam"))
    panel.new_alias(f"info@{domain}", sam)
    panel.new_alias(f"@{domain}", keeper)
    stack.wait_for_mail(sam, sent(stack, f"sam+shop@{domain}"))
    stack.wait_for_mail(sam, sent(stack, f"info+shop@{domain}"))


def test_an_alias_of_an_extended_address_wins_over_the_plain_one(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    panel.new_alias(f"sam+shop@{domain}", dora)
    stack.wait_for_mail(dora, sent(stack, f"sam+shop@{domain}"))
    stack.wait_for_mail(sam, sent(stack, f"sam+other@{domain}"))


def test_upper_case_addresses_are_the_same_addresses(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    panel.new_alias(f"info@{domain}", sam)
    other = panel.new_domain_alias(domain)
    stack.wait_for_mail(sam, sent(stack, sam.upper()))
    stack.wait_for_mail(sam, sent(stack, f"Info@{domain}"))
    stack.wait_for_mail(sam, sent(stack, f"SAM@{other.upper()}"))
    with stack.imap_login(sam.upper(), PASSWORD) as imap:
        assert int(imap.select()[1][0] or b"") == 3


def test_a_mailbox_that_moves_asks_for_patience(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    alias = panel.new_alias(f"info@{domain}", sam)
    new = f"samuel@{domain}"
    move = MailboxOperation(
        kind=MailboxOperation.Kind.RENAME,
        mailbox_id=1,
        old_address=sam,
        new_address=new,
        source=f"{domain}/sam",
        target=f"{domain}/samuel",
    )
    with transaction.atomic():
        move.save()
        publication.publish(publication.Keys(addresses={sam, new}))
    for address in (sam, sam.upper(), f"sam+shop@{domain}", new):
        reply = answer_to(stack, address)
        assert reply.code == 450, reply
        assert "try again in a few minutes" in reply.text
    assert stack.send(f"x@{domain}", [sam], new_token(), inside=True)[sam].code == 450
    with pytest.raises(imaplib.IMAP4.error):
        stack.imap_login(sam, PASSWORD)
    waiting = sent(stack, alias)
    with transaction.atomic():
        move.delete()
        publication.publish(publication.Keys(addresses={sam, new}))
    stack.wait_for_mail(sam, sent(stack, f"sam+done@{domain}"))
    # qmgr remembers for half a minute that the mailbox moves.
    stack.wait_for_mail(sam, waiting, timeout_s=60)


def test_strangers_cannot_relay(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    routed = f"@{domain}:{ELSEWHERE}"
    for recipient in (ELSEWHERE, f"{sam.replace('@', '%')}@elsewhere.test", routed):
        for sender in (FRIEND, sam):
            assert not stack.send(sender, [recipient], new_token())[recipient].accepted
    token = sent(stack, f"@elsewhere.test:{sam}")  # a route is ignored, as RFC 5321 has it
    stack.wait_for_mail(sam, token)
    assert stack.sink.find(token) is None
