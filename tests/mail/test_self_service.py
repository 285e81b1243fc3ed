"""What people change of their own mailbox, as Postfix and Dovecot see it."""

from __future__ import annotations

import imaplib

from django.test import Client
from django.urls import reverse

from core import background
from core.models import User
from core.operations.resets import link_of
from tests.cast import PASSWORD
from tests.mail.browser import Browser
from tests.mail.panel import ON, Panel
from tests.published import targets_of
from tests.servers.stack import MailStack, new_token

FRIEND = "friend@outside.test"
ELSEWHERE = "else@elsewhere.test"
NEW = "Another-Horse-8"


def browser_of(address: str) -> Browser:
    browser = Browser()
    browser.change(reverse("core:sign_in"), {"username": address, "password": PASSWORD})
    return browser


def sent(stack: MailStack, recipient: str) -> str:
    token = new_token()
    assert stack.send(FRIEND, [recipient], token)[recipient].accepted
    return token


def lets_in(stack: MailStack, login: str, password: str) -> bool:
    try:
        stack.imap_login(login, password).logout()
    except imaplib.IMAP4.error:
        return False
    return True


def test_a_forward_of_ones_own_without_a_copy_delivers_nothing_here(
    each_stack: MailStack, panel: Panel
) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    browser, url = browser_of(sam), reverse("admin:user_forward")
    browser.change(url, {"recipients": f"{ELSEWHERE}\n other@elsewhere.test"}, leave_out=["keep_copy"])
    token = sent(each_stack, sam)
    each_stack.sink.wait_for(token)
    assert targets_of(sam) == {ELSEWHERE, "other@elsewhere.test"}

    browser.change(url, {"keep_copy": ON})
    copied = sent(each_stack, sam)
    each_stack.wait_for_mail(sam, copied)
    each_stack.sink.wait_for(copied)

    browser.change(url, {"recipients": ""})
    kept = sent(each_stack, sam)
    each_stack.wait_for_mail(sam, kept)
    assert each_stack.sink.find(kept) is None
    assert not each_stack.has_mail(sam, token), "what came while no copy was kept is not here"


def test_a_new_password_of_ones_own_counts_for_mail_programs_at_once(
    each_stack: MailStack, panel: Panel
) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    values = {"current_password": PASSWORD, "password": NEW, "repeated": NEW}
    browser_of(sam).change(reverse("core:user_password"), values)
    assert not lets_in(each_stack, sam, PASSWORD)
    assert lets_in(each_stack, sam, NEW)


def test_a_password_reset_by_a_link_counts_for_mail_programs_at_once(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    User.objects.filter(username=sam).update(secondary_email=ELSEWHERE)
    path = "/" + link_of(User.objects.get(username=sam)).split("/", 3)[3]
    client = Client()
    form_url = client.get(path, follow=True).redirect_chain[-1][0]
    assert client.post(form_url, {"password": NEW, "repeated": NEW}).status_code == 302
    assert background.wait_until_idle(20)
    assert not lets_in(stack, sam, PASSWORD)
    assert lets_in(stack, sam, NEW)
