"""Renames and one's own forward, as mail servers see them: the new name works at once, the old one as chosen."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from collections.abc import Iterator

import pytest
from django.urls import reverse

from admin.models import Account
from admin.models.published import MOVING_REASON
from tests.cast import PASSWORD
from tests.mail.browser import Browser
from tests.mail.panel import OFF, ON, Panel, unique_name
from tests.mail.test_delivery import ELSEWHERE, FRIEND, answer_to, sent
from tests.servers.stack import MailStack, new_token


def has_in_inbox(stack: MailStack, login: str, token: str) -> bool:
    with stack.imap_login(login, PASSWORD) as imap:
        imap.select()
        return bool(imap.search(None, "SUBJECT", token)[1][0])


def test_a_renamed_mailbox_signs_in_receives_and_finds_its_old_mail(
    each_stack: MailStack, panel: Panel
) -> None:
    domain = panel.new_domain()
    old, new = panel.new_account(f"sam@{domain}"), f"samuel@{domain}"
    alias = panel.new_alias(f"info@{domain}", old)
    before = sent(each_stack, old)
    each_stack.wait_for_mail(old, before)

    panel.change_account(old, {"address_local": "samuel", "keep_old_address": OFF})

    assert not answer_to(each_stack, old).accepted
    with pytest.raises(imaplib.IMAP4.error):
        each_stack.imap_login(old, PASSWORD)
    each_stack.wait_for_mail(new, sent(each_stack, new))
    each_stack.wait_for_mail(new, sent(each_stack, alias))
    assert has_in_inbox(each_stack, new, before)


def test_the_old_address_goes_on_as_an_alias_when_it_is_kept(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    old, new = panel.new_account(f"sam@{domain}"), f"samuel@{domain}"
    panel.change_account(old, {"address_local": "samuel", "keep_old_address": ON})
    stack.wait_for_mail(new, sent(stack, old))
    stack.wait_for_mail(new, sent(stack, f"sam+shop@{domain}"))


def test_who_gets_the_old_address_finds_an_empty_mailbox(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    old, new = panel.new_account(f"sam@{domain}"), f"samuel@{domain}"
    before = sent(stack, old)
    stack.wait_for_mail(old, before)
    panel.change_account(old, {"address_local": "samuel", "keep_old_address": OFF})
    panel.new_account(old)
    token = sent(stack, f"sam+again@{domain}")
    stack.wait_for_mail(old, token)
    assert not has_in_inbox(stack, old, before)
    assert has_in_inbox(stack, new, before)
    assert not has_in_inbox(stack, new, token)


@pytest.fixture
def _directories_are_handled(panel: Panel) -> Iterator[None]:
    panel.set_parameter("handle_mailboxes", value=True, app="admin")
    yield
    panel.set_parameter("handle_mailboxes", value=False, app="admin")


@pytest.mark.usefixtures("_directories_are_handled")
def test_while_a_directory_moves_everybody_is_asked_to_come_again(
    each_stack: MailStack, panel: Panel
) -> None:
    domain = panel.new_domain()
    old, new = panel.new_account(f"sam@{domain}"), f"samuel@{domain}"
    each_stack.wait_for_mail(old, sent(each_stack, old))
    panel.change_account(old, {"address_local": "samuel", "keep_old_address": OFF})

    for address in (old, new):
        assert answer_to(each_stack, address).code == 450
        # What Postfix accepted a moment before, and hands over now.
        with smtplib.LMTP(str(each_stack.postfix.lmtp_socket), local_hostname="localhost") as lmtp:
            lmtp.ehlo()
            lmtp.mail(FRIEND)
            assert 400 <= lmtp.rcpt(address)[0] < 500, address
    for sign_in in (each_stack.imap_login, each_stack.pop3_login):
        with pytest.raises((imaplib.IMAP4.error, poplib.error_proto)) as told:
            sign_in(new, PASSWORD)
        assert MOVING_REASON in str(told.value)
        with pytest.raises((imaplib.IMAP4.error, poplib.error_proto)) as told:
            sign_in(new, "Wrong-Horse-9")
        assert MOVING_REASON not in str(told.value)
    with pytest.raises(imaplib.IMAP4.error):
        each_stack.imap_login(old, PASSWORD)
    assert not {old, new} & set(each_stack.doveadm("user", f"*@{domain}").split())


def test_a_renamed_domain_signs_in_and_receives_under_its_new_name_only(
    each_stack: MailStack, panel: Panel
) -> None:
    domain, name = panel.new_domain(), unique_name()
    panel.new_account(f"sam@{domain}")
    panel.new_alias(f"info@{domain}", f"sam@{domain}")
    before = sent(each_stack, f"sam@{domain}")
    each_stack.wait_for_mail(f"sam@{domain}", before)

    panel.change_domain(domain, {"name": name, "keep_old_name": OFF})

    assert answer_to(each_stack, f"sam@{domain}").code == 554  # no domain of ours any more
    with pytest.raises(imaplib.IMAP4.error):
        each_stack.imap_login(f"sam@{domain}", PASSWORD)
    each_stack.wait_for_mail(f"sam@{name}", sent(each_stack, f"info@{name}"))
    assert has_in_inbox(each_stack, f"sam@{name}", before)


def test_a_renamed_domain_keeps_its_old_name_as_an_alias_by_choice(stack: MailStack, panel: Panel) -> None:
    domain, name = panel.new_domain(), unique_name()
    panel.new_account(f"sam@{domain}")
    panel.change_domain(domain, {"name": name, "keep_old_name": ON})
    stack.wait_for_mail(f"sam@{name}", sent(stack, f"sam@{domain}"))
    stack.wait_for_mail(f"sam@{name}", sent(stack, f"sam@{name}"))


def test_ones_own_forward_without_a_copy_delivers_nothing_here(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    browser = Browser()
    browser.change(reverse("core:sign_in"), {"username": sam, "password": PASSWORD})
    forward = reverse("admin:user_forward")

    browser.change(forward, {"recipients": f"{ELSEWHERE}, other@elsewhere.test"}, leave_out=["keep_copy"])
    token = sent(stack, sam)
    assert ELSEWHERE in stack.sink.wait_for(token).recipients
    browser.change(forward, {"recipients": ELSEWHERE, "keep_copy": ON})
    copied = sent(stack, sam)
    stack.wait_for_mail(sam, copied)
    browser.change(forward, {"recipients": ""}, leave_out=["keep_copy"])
    later = sent(stack, sam)
    stack.wait_for_mail(sam, later)
    assert not stack.has_mail(sam, token)


def test_a_new_password_of_ones_own_reaches_the_mail_server(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    browser = Browser()
    browser.change(reverse("core:sign_in"), {"username": sam, "password": PASSWORD})
    values = {"current_password": PASSWORD, "password": "Another-Horse-8", "repeated": "Another-Horse-8"}
    browser.change(reverse("core:user_password"), values)
    stack.imap_login(sam, "Another-Horse-8").logout()
    with pytest.raises(imaplib.IMAP4.error):
        stack.imap_login(sam, PASSWORD)


def test_a_deleted_domain_takes_no_mail(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    stack.wait_for_mail(sam, sent(stack, sam))
    pk = Account.objects.get(username=sam).mailbox.domain_id
    panel.browser.change(reverse("admin:domain_delete", args=[pk]), {"confirmation": domain})
    assert stack.send(FRIEND, [sam], new_token())[sam].code == 554
    with pytest.raises(imaplib.IMAP4.error):
        stack.imap_login(sam, PASSWORD)
