"""Mail that waits in Postfix's queue under the old name of a mailbox finds it under the new one; nobody signs in so."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction

from admin import publication
from admin.models import Alias, MailboxOperation, Quota
from tests.cast import PASSWORD
from tests.mail.panel import OFF, ON, Panel, unique_name
from tests.mail.test_delivery import FRIEND, sent
from tests.servers.packages import program
from tests.servers.postfix import postconf
from tests.servers.processes import becomes_true, run
from tests.servers.stack import MailStack


def set_postfix(stack: MailStack, setting: str) -> None:
    postconf(stack.postfix.config, "-e", setting)
    stack.reload_postfix()


@contextmanager
def queue_that_waits(stack: MailStack) -> Iterator[None]:
    """Nothing is handed to Dovecot until the block ends; then everything is tried at once."""
    set_postfix(stack, "defer_transports = lmtp")
    try:
        yield
    finally:
        set_postfix(stack, "defer_transports =")
        run([program("postqueue"), "-c", str(stack.postfix.config), "-f"])


def is_deferred(stack: MailStack, token: str) -> bool:
    return any(token.encode() in file.read_bytes() for file in queued_files(stack))


def queued_files(stack: MailStack) -> list:
    return [file for file in (stack.postfix.queue / "deferred").rglob("*") if file.is_file()]


def waiting(stack: MailStack, recipient: str) -> str:
    """The token of a mail that is accepted and deferred, inside of :func:`queue_that_waits`."""
    token = sent(stack, recipient)
    assert becomes_true(lambda: is_deferred(stack, token), limit_s=10), stack.logs()
    return token


def test_what_waits_for_the_old_name_reaches_the_renamed_mailbox(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    old, new = panel.new_account(f"sam@{domain}"), f"samuel@{domain}"
    with queue_that_waits(each_stack):
        tokens = [waiting(each_stack, old), waiting(each_stack, f"sam+shop@{domain}")]
        panel.change_account(old, {"address_local": "samuel", "keep_old_address": ON})
    for token in tokens:
        each_stack.wait_for_mail(new, token, timeout_s=60)
        assert each_stack.sink.find(token) is None


def test_what_waits_for_the_old_name_of_a_domain_reaches_its_mailboxes(
    each_stack: MailStack, panel: Panel
) -> None:
    domain, name = panel.new_domain(), unique_name()
    old, new = panel.new_account(f"sam@{domain}"), f"sam@{name}"
    with queue_that_waits(each_stack):
        token = waiting(each_stack, old)
        panel.change_domain(domain, {"name": name, "keep_old_name": ON})
    each_stack.wait_for_mail(new, token, timeout_s=60)
    assert each_stack.sink.find(token) is None
