"""When somebody last signed in to read mail, as the panel learns it: by the script, and by the dictionary."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from admin.models import MailLogin
from core.models import User
from tests.cast import PASSWORD
from tests.mail.conftest import mail_stack
from tests.mail.generated import generate
from tests.mail.panel import Panel
from tests.servers.database import Database
from tests.servers.processes import becomes_true
from tests.servers.stack import MailStack

LIMIT_S = 5


def last_login(address: str) -> datetime | None:
    return User.objects.get(email=address).last_login


def noted(address: str, *, after: datetime) -> bool:
    def is_noted() -> bool:
        instant = last_login(address)
        return instant is not None and after - timedelta(milliseconds=1) <= instant <= timezone.now()

    return becomes_true(is_noted, limit_s=LIMIT_S)


def sign_in(stack: MailStack, address: str, protocol: str) -> None:
    if protocol == "imap":
        stack.imap_login(address, PASSWORD).logout()
    else:
        stack.pop3_login(address, PASSWORD).quit()


# --- script ---------------------------------------------------------------------------------------------------------


def test_a_login_by_imap_or_pop3_is_noted_at_once(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    assert last_login(sam) is None
    signed_in_to_the_panel = last_login_of_root(panel)
    for protocol in ("imap", "pop3"):
        before = timezone.now()
        sign_in(each_stack, sam.upper(), protocol)
        assert noted(sam, after=before), each_stack.logs()
    assert last_login(dora) is None
    assert last_login_of_root(panel) == signed_in_to_the_panel


def last_login_of_root(panel: Panel) -> datetime | None:
    """Root has no address."""
    return User.objects.get(pk=panel.root.pk).last_login


def test_a_wrong_password_is_no_login(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    assert not stack.doveadm_auth(sam, "wrong")
    with pytest.raises(imaplib.IMAP4.error):
        stack.imap_login(sam, "wrong")
    before = timezone.now()
    sign_in(stack, dora, "imap")
    assert noted(dora, after=before)
    assert last_login(sam) is None


def test_a_locked_account_neither_delays_nor_refuses_the_login(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    sign_in(each_stack, sam, "imap")  # what the first login makes
    with transaction.atomic():
        User.objects.filter(email=sam).update(first_name="Sam")  # locks the row, or the whole SQLite file
        with each_stack.imap_login(sam, PASSWORD) as imap:
            assert imap.noop()[0] == "OK"
        assert "was not noted" not in log_of(each_stack, sam)  # it is still being tried
        assert becomes_true(lambda: "was not noted" in log_of(each_stack, sam), limit_s=LIMIT_S), (
            each_stack.logs()
        )
    before_next = timezone.now()
    sign_in(each_stack, sam, "imap")
    assert noted(sam, after=before_next)


def log_of(stack: MailStack, address: str) -> str:
    lines = stack.dovecot.log.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if address in line)


def test_the_connection_ends_though_the_database_is_still_asked(each_stack: MailStack, panel: Panel) -> None:
    """A process in the background would keep the person's connection open if it had it."""
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    sign_in(each_stack, sam, "imap")
    with transaction.atomic():
        User.objects.filter(email=sam).update(first_name="Sam")
        client = each_stack.imap_login(sam, PASSWORD)
        client.send(b"x LOGOUT\r\n")
        while client.readline():
            pass
        client.shutdown()
        assert "was not noted" not in log_of(each_stack, sam)


# --- dictionary -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["2.3", "2.4"])
def with_dictionary(request: pytest.FixtureRequest, database: Database, ground: Path) -> Iterator[MailStack]:
    place = ground / f"dictionary-{request.param}"
    generate(place, request.param, ground / "mail", database.url, last_login="dict")
    with mail_stack(database, ground, request.param, place) as running:
        yield running


def test_the_dictionary_is_taken_over_by_the_command(with_dictionary: MailStack, panel: Panel) -> None:
    sam, dora = (panel.new_account(f"{name}@{panel.new_domain()}") for name in ("sam", "dora"))
    User.objects.filter(email__in=[sam, dora]).update(date_joined=timezone.now() - timedelta(days=1))
    for address, protocol in ((sam, "imap"), (dora, "pop3"), (sam.upper(), "pop3")):
        before = timezone.now().replace(microsecond=0)
        sign_in(with_dictionary, address, protocol)

        def is_written(address: str = address.lower(), since: float = before.timestamp()) -> bool:
            return MailLogin.objects.filter(address=address, seconds__gte=since).exists()

        assert becomes_true(is_written, limit_s=LIMIT_S), with_dictionary.logs()
        call_command("collect_last_logins")
        assert noted(address.lower(), after=before)
        assert not MailLogin.objects.exists()
        time.sleep(1.1)  # its clock has whole seconds


def test_deliveries_are_no_logins(with_dictionary: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    token = "delivery-is-no-login"
    assert with_dictionary.send("friend@outside.test", [sam], token)[sam].accepted
    with_dictionary.wait_for_mail(sam, token)
    assert not MailLogin.objects.filter(address=sam).exists()
