"""Passwords that the panel made, as Dovecot sees them."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Iterator

import pytest
from django.urls import reverse

from admin.models import MailUser
from core.hashing_policy import HashingPolicy
from core.models import User
from tests.cast import PASSWORD
from tests.mail.browser import Browser
from tests.mail.panel import FEW_ROUNDS, OFF, Panel
from tests.servers.stack import MailStack

STRONG = {"sha512crypt": "{SHA512-CRYPT}", "blfcrypt": "{BLF-CRYPT}", "argon2id": "{ARGON2ID}"}


@pytest.fixture
def default_scheme(panel: Panel) -> Iterator[None]:
    """Hashes as slow as in production; the parameters are what they were when the test is over."""
    panel.set_parameter("rounds_number", HashingPolicy().rounds)
    yield
    panel.set_parameter("password_scheme", "sha512crypt")
    panel.set_parameter("rounds_number", FEW_ROUNDS)


def lets_in(stack: MailStack, login: str, password: str) -> bool:
    try:
        stack.imap_login(login, password).logout()
    except imaplib.IMAP4.error:
        return False
    return True


def stored_scheme(address: str) -> str:
    return MailUser.objects.get(address=address).password.partition("}")[0] + "}"


@pytest.mark.usefixtures("default_scheme")
@pytest.mark.parametrize("scheme", STRONG)
def test_every_strong_scheme_signs_in(each_stack: MailStack, panel: Panel, scheme: str) -> None:
    panel.set_parameter("password_scheme", scheme)
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    assert stored_scheme(sam) == STRONG[scheme]
    assert lets_in(each_stack, sam, PASSWORD)
    assert not lets_in(each_stack, sam, f"{PASSWORD}!")
    each_stack.pop3_login(sam, PASSWORD).quit()
    assert each_stack.submit(sam, PASSWORD, sam, ["else@elsewhere.test"])["else@elsewhere.test"].accepted


@pytest.mark.usefixtures("default_scheme")
@pytest.mark.parametrize(("old", "new"), [("sha512crypt", "argon2id"), ("argon2id", "blfcrypt")])
def test_signing_in_to_the_panel_renews_the_hash_for_dovecot_too(
    stack: MailStack, panel: Panel, old: str, new: str
) -> None:
    panel.set_parameter("password_scheme", old)
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    panel.set_parameter("password_scheme", new)
    assert stored_scheme(sam) == STRONG[old]
    signing_in = {"username": sam, "password": PASSWORD}
    Browser().change(reverse("core:sign_in"), signing_in)
    assert stored_scheme(sam) == STRONG[new]
    assert User.objects.get(username=sam).password == MailUser.objects.get(address=sam).password
    assert lets_in(stack, sam, PASSWORD)


@pytest.mark.parametrize("password", ["Grüße-Ж7-€-🔑", "  Leading and Trailing 7  ", "Quote'\"\\%u$7"])
def test_a_password_is_taken_as_it_was_typed(each_stack: MailStack, panel: Panel, password: str) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", password=password)
    assert lets_in(each_stack, sam, password)
    assert not lets_in(each_stack, sam, f"{password} ")
    assert each_stack.submit(sam, password, sam, ["else@elsewhere.test"])["else@elsewhere.test"].accepted


def test_a_new_password_counts_at_once(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    assert lets_in(each_stack, sam, PASSWORD)
    panel.change_account(sam, {"password_mode": "type", "password": "Another-Horse-8"})
    assert not lets_in(each_stack, sam, PASSWORD)
    assert lets_in(each_stack, sam, "Another-Horse-8")


def test_who_is_switched_off_does_not_get_in(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam, dora = (panel.new_account(f"{name}@{domain}") for name in ("sam", "dora"))
    panel.change_account(sam, {"is_active": OFF})
    assert [lets_in(each_stack, login, PASSWORD) for login in (sam, dora)] == [False, True]
    panel.change_domain(domain, {"enabled": OFF})
    assert not lets_in(each_stack, dora, PASSWORD)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        each_stack.submit(dora, PASSWORD, dora, ["else@elsewhere.test"])


def test_an_administrator_without_a_mailbox_has_no_login_here(stack: MailStack, panel: Panel) -> None:
    assert not lets_in(stack, panel.root.user.username, PASSWORD)
