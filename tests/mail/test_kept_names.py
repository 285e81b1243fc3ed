"""Mail that waits in Postfix's queue under the old name of a mailbox finds it under the new one; nobody signs in so."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import transaction
from django.urls import reverse

from admin import publication
from admin.models import Alias, Domain, DomainAlias, Mailbox, MailboxOperation, Quota
from tests.cast import PASSWORD
from tests.mail.panel import OFF, ON, Panel, unique_name
from tests.mail.test_delivery import FRIEND, sent
from tests.servers import userdb
from tests.servers.dovecot import content
from tests.servers.packages import program
from tests.servers.postfix import postconf
from tests.servers.processes import becomes_true, run
from tests.servers.stack import MailStack

# With a login and a password.
SignIn = Callable[[str, str], object]


@contextmanager
def queue_that_waits(stack: MailStack) -> Iterator[None]:
    """Nothing is handed to Dovecot until the block ends; then everything is tried at once, by a new queue manager."""
    set_postfix(stack, "defer_transports = lmtp")
    try:
        yield
    finally:
        set_postfix(stack, "defer_transports =")
        try_again(stack)


def try_again(stack: MailStack) -> None:
    run([program("postqueue"), "-c", str(stack.postfix.config), "-f"])


def set_postfix(stack: MailStack, setting: str) -> None:
    postconf(stack.postfix.config, "-e", setting)
    stack.reload_postfix()


def waiting(stack: MailStack, recipient: str) -> str:
    """The token of a mail that is accepted and deferred, inside of :func:`queue_that_waits`."""
    token = sent(stack, recipient)
    assert becomes_true(lambda: is_deferred(stack, token), limit_s=10), stack.logs()
    return token


def is_deferred(stack: MailStack, token: str) -> bool:
    return is_queued(stack, token, queues=("deferred",))


def is_queued(
    stack: MailStack, token: str, queues: tuple[str, ...] = ("incoming", "active", "deferred")
) -> bool:
    """It moves between the queues, so ask again when the answer is no."""
    files = (file for name in queues for file in (stack.postfix.queue / name).rglob("*"))
    return any(token.encode() in content(file) for file in files if file.is_file())


def arrives(stack: MailStack, address: str, token: str) -> None:
    # A lookup that a reload interrupted is a temporary error: Postfix would try again a minute later.
    for _attempt in range(12):
        if becomes_true(lambda: stack.has_mail(address, token), limit_s=5):
            break
        try_again(stack)
    stack.wait_for_mail(address, token)
    assert stack.sink.find(token) is None


def lmtp_code(stack: MailStack, address: str) -> int:
    """What Dovecot says when Postfix hands over mail for the address."""
    with smtplib.LMTP(str(stack.postfix.lmtp_socket), local_hostname="localhost") as lmtp:
        lmtp.ehlo()
        lmtp.mail(FRIEND)
        return lmtp.rcpt(address)[0]


def taken_for(stack: MailStack, address: str) -> str | None:
    """The login that gets mail for the address when it is handed over."""
    sockets = stack.dovecot.directory / "run" / "auth-userdb"
    user = userdb.users(sockets, [address.encode()], service="lmtp")[0]
    assert lmtp_code(stack, address) == (250 if user else 550)
    return user["user"] if user else None


def rename(panel: Panel, old: str, new: str, *, kept: str = ON) -> str:
    panel.change_account(old, {"address_local": new.partition("@")[0], "keep_old_address": kept})
    return new


# --- what waits -----------------------------------------------------------------------------------------------------


def test_what_waits_for_the_old_name_reaches_the_renamed_mailbox(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    old = panel.new_account(f"sam@{domain}")
    with queue_that_waits(each_stack):
        tokens = [waiting(each_stack, old), waiting(each_stack, f"sam+shop@{domain}")]
        new = rename(panel, old, f"samuel@{domain}")
    for token in tokens:
        arrives(each_stack, new, token)
    # It counts for the new name alone. Dovecot 2.4 writes what it counted, so of two that come at once the first may
    # write last; one that comes alone says what is true.
    arrives(each_stack, new, sent(each_stack, new))
    assert becomes_true(lambda: Quota.objects.filter(username=new, messages=3).exists(), limit_s=30)
    assert not Quota.objects.filter(username=old).exists()


def test_what_waits_while_a_mailbox_is_renamed_twice_reaches_it(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    first = panel.new_account(f"sam@{domain}")
    with queue_that_waits(stack):
        tokens = [waiting(stack, first)]
        second = rename(panel, first, f"samuel@{domain}")
        tokens.append(waiting(stack, second))
        third = rename(panel, second, f"sammy@{domain}")
    for token in tokens:
        arrives(stack, third, token)


def test_what_waits_for_the_old_name_of_a_domain_reaches_its_mailboxes(
    each_stack: MailStack, panel: Panel
) -> None:
    domain, name = panel.new_domain(), unique_name()
    sam, dora = (panel.new_account(f"{local}@{domain}") for local in ("sam", "dora"))
    with queue_that_waits(each_stack):
        tokens = [waiting(each_stack, sam), waiting(each_stack, dora)]
        # One of them gets another name before, and one forwards its mail afterwards.
        rename(panel, sam, f"samuel@{domain}")
        panel.change_domain(domain, {"name": name, "keep_old_name": ON})
        panel.new_alias(f"dora@{name}", f"dora@{name}", FRIEND)
    arrives(each_stack, f"samuel@{name}", tokens[0])
    arrives(each_stack, f"dora@{name}", tokens[1])


@pytest.fixture
def _directories_are_handled(panel: Panel) -> Iterator[None]:
    panel.set_parameter("handle_mailboxes", value=True, app="admin")
    yield
    panel.set_parameter("handle_mailboxes", value=False, app="admin")


def end_moves(*addresses: str) -> None:
    """As if the directories were at their places."""
    with transaction.atomic():
        MailboxOperation.objects.filter(old_address__in=addresses).delete()
        news = Mailbox.objects.filter(user__email__in=addresses)
        publication.publish(publication.keys_of_mailboxes(list(news.values_list("pk", flat=True))))
        publication.publish(publication.Keys(addresses=set(addresses)))


@pytest.mark.usefixtures("_directories_are_handled")
def test_what_waits_goes_on_waiting_while_the_directory_moves(each_stack: MailStack, panel: Panel) -> None:
    domain, other = panel.new_domain(), panel.new_domain()
    sam, dora = panel.new_account(f"sam@{domain}"), panel.new_account(f"dora@{other}")
    name = unique_name()
    with queue_that_waits(each_stack):
        tokens = [waiting(each_stack, address) for address in (sam, dora)]
        new = rename(panel, sam, f"samuel@{domain}")
        panel.change_domain(other, {"name": name, "keep_old_name": ON})
    assert 400 <= lmtp_code(each_stack, sam) < 500
    assert 400 <= lmtp_code(each_stack, dora) < 500
    for token in tokens:
        assert becomes_true(partial(is_queued, each_stack, token), limit_s=5), each_stack.logs()
    end_moves(sam, new, dora, f"dora@{name}")
    # The queue manager remembers for half a minute that they move.
    each_stack.reload_postfix()
    try_again(each_stack)
    arrives(each_stack, new, tokens[0])
    arrives(each_stack, f"dora@{name}", tokens[1])


# --- whose mailbox it is ----------------------------------------------------------------------------------------------


def test_an_old_name_leads_to_its_mailbox_as_long_as_it_is_kept(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    old, other = panel.new_account(f"sam@{domain}"), panel.new_account(f"dora@{domain}")
    new = rename(panel, old, f"samuel@{domain}")
    assert taken_for(each_stack, old) == new
    panel.change_alias(old, {"enabled": OFF})
    assert taken_for(each_stack, old) is None
    panel.change_alias(old, {"enabled": ON})
    panel.change_account(new, {"is_active": OFF})
    assert taken_for(each_stack, old) is None
    panel.change_account(new, {"is_active": ON})
    assert taken_for(each_stack, old) == new
    panel.change_alias(old, {"recipients": [other]})
    assert taken_for(each_stack, old) == other
    # Whom it was meant for cannot be said any more.
    panel.change_alias(old, {"recipients": [new, other]})
    assert taken_for(each_stack, old) is None


def test_an_old_name_that_is_given_away_is_its_new_holders(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    old = panel.new_account(f"sam@{domain}")
    rename(panel, old, f"samuel@{domain}")
    alias = Alias.objects.get(address=old)
    panel.browser.change(reverse("admin:alias_delete", args=[alias.pk]), {"confirmation": old})
    assert taken_for(each_stack, old) is None
    assert panel.new_account(old) == old
    assert taken_for(each_stack, old) == old


def test_an_old_name_that_is_not_kept_is_nobodys(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    keeper, old = panel.new_account(f"keeper@{domain}"), panel.new_account(f"sam@{domain}")
    panel.new_alias(f"@{domain}", keeper)
    rename(panel, old, f"samuel@{domain}", kept=OFF)
    assert taken_for(each_stack, old) is None


def test_another_name_of_a_domain_leads_on_as_long_as_it_is_kept(each_stack: MailStack, panel: Panel) -> None:
    domain, name = panel.new_domain(), unique_name()
    old, new = panel.new_account(f"sam@{domain}"), f"sam@{name}"
    panel.change_domain(domain, {"name": name, "keep_old_name": ON})
    assert taken_for(each_stack, old) == new
    assert taken_for(each_stack, f"nobody@{domain}") is None
    panel.browser.change(
        reverse("admin:domain_update", args=[Domain.objects.get(name=name).pk]), {"aliases": []}
    )
    assert not DomainAlias.objects.filter(name=domain).exists()
    assert taken_for(each_stack, old) is None


# --- nobody signs in so -----------------------------------------------------------------------------------------------


def test_an_old_name_is_no_login_and_nobody_sees_that_it_was_one(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}")
    rename(panel, sam, f"samuel@{domain}")
    nobody = f"nobody@{domain}"
    for sign_in in (
        each_stack.imap_login,
        each_stack.pop3_login,
        each_stack.doveadm_auth,
        submit(each_stack),
    ):
        told = [
            refusal(sign_in, login, password) for login in (sam, nobody) for password in (PASSWORD, "No-1")
        ]
        assert len(set(told)) == 1, told
    assert each_stack.doveadm_user(sam) is None
    assert sam not in each_stack.doveadm("user", f"*@{domain}").split()
    each_stack.imap_login(f"samuel@{domain}", PASSWORD).logout()


def submit(stack: MailStack) -> SignIn:
    return lambda login, password: stack.submit(login, password, login, [FRIEND])


def refusal(sign_in: SignIn, login: str, password: str) -> str:
    """What somebody is told who must not get in."""
    try:
        answer = sign_in(login, password)
    except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPAuthenticationError) as error:
        return re.sub(r"<[^>]*>|\S{20,}", "", str(error))
    assert answer is False
    return ""
