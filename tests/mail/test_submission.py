"""Sending after signing in: from which addresses somebody may send."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.cast import PASSWORD
from tests.mail.panel import OFF, Panel
from tests.servers.stack import MailStack, Reply, new_token

ELSEWHERE = "else@elsewhere.test"


def submitted(stack: MailStack, login: str, sender: str) -> Reply:
    return stack.submit(login, PASSWORD, sender, [ELSEWHERE])[ELSEWHERE]


def test_the_own_address_is_a_sender(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    token = new_token()
    assert each_stack.submit(sam, PASSWORD, sam, [ELSEWHERE], token)[ELSEWHERE].accepted
    assert each_stack.sink.wait_for(token).sender == sam
    assert submitted(each_stack, sam.upper(), sam.upper()).accepted
    assert submitted(each_stack, sam, sam.replace("@", "+shop@")).accepted


def test_somebody_elses_address_is_refused(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    mallory = panel.new_account(f"mallory@{panel.new_domain()}")
    for login, sender in ((sam, dora), (sam, mallory), (mallory, sam), (mallory, f"nobody@{domain}")):
        assert submitted(each_stack, login, sender).code == 553, (login, sender)


def test_an_alias_is_a_sender_of_those_whom_it_reaches(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora, rita = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora", "rita"))
    info = panel.new_alias(f"info@{domain}", sam, dora)
    assert [submitted(each_stack, login, info).code for login in (sam, dora, rita)] == [250, 250, 553]


def test_a_closed_alias_is_no_sender(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    soon = (timezone.now() + timedelta(seconds=3)).replace(microsecond=0)
    expired = panel.new_alias(f"expired@{domain}", sam, expires=soon)
    off = panel.new_alias(f"off@{domain}", sam)
    assert submitted(stack, sam, off).accepted
    panel.change_alias(off, {"enabled": OFF})
    panel.wait_until(soon)
    assert [submitted(stack, sam, sender).code for sender in (off, expired)] == [553, 553]


def test_an_extra_sender_address_is_for_those_who_were_given_it(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}", senders=["sam@partner.test"])
    dora = panel.new_account(f"dora@{domain}")
    assert submitted(stack, sam, "sam@partner.test").accepted
    assert submitted(stack, dora, "sam@partner.test").code == 553
    panel.change_account(sam, {"sender_addresses": []})
    assert submitted(stack, sam, "sam@partner.test").code == 553


def test_a_whole_domain_may_be_given_to_a_sender(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}", senders=[f"@{domain}"])
    dora = panel.new_account(f"dora@{domain}")
    assert submitted(stack, sam, f"anything@{domain}").accepted
    assert submitted(stack, dora, f"anything@{domain}").code == 553
    # What somebody owns himself stays his: the more specific key answers first.
    assert submitted(stack, sam, dora).code == 553


def test_a_mailbox_may_lend_its_address_and_keep_it(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    boss = panel.new_account(f"boss@{domain}")
    assistant = panel.new_account(f"assistant@{domain}", senders=[boss])
    other = panel.new_account(f"other@{domain}")
    assert [submitted(stack, login, boss).code for login in (boss, assistant, other)] == [250, 250, 553]


def test_a_catch_all_makes_its_keeper_a_sender_of_the_rest(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    keeper, sam = (panel.new_account(f"{name}@{domain}") for name in ("keeper", "sam"))
    panel.new_alias(f"@{domain}", keeper)
    assert submitted(stack, keeper, f"whatever@{domain}").accepted
    assert submitted(stack, sam, f"whatever@{domain}").code == 553
    assert submitted(stack, keeper, sam).code == 553


def test_disabled_accounts_cannot_submit(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    dora = panel.new_account(f"dora@{panel.new_domain()}")
    panel.change_account(sam, {"is_active": OFF})
    panel.change_domain(dora.partition("@")[2], {"enabled": OFF})
    for login in (sam, dora):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            submitted(each_stack, login, login)
