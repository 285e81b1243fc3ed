"""The documented names of ``modoboa.lib``."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest
from django import forms
from django.test import RequestFactory

from modoboa.lib import email_utils
from modoboa.lib.exceptions import InternalError
from modoboa.lib.form_utils import SeparatorField, YesNoField
from modoboa.lib.signals import get_request
from modoboa.lib.web_utils import render_error, render_to_json_response, size2integer


@pytest.mark.parametrize(
    ("mailbox", "plain", "extended"),
    [
        ("jo@example.org", ("jo", "example.org"), ("jo", "example.org", None)),
        ("jo+news@example.org", ("jo+news", "example.org"), ("jo", "example.org", "news")),
        ("jo", ("jo", None), ("jo", None, None)),
        ("@example.org", ("", "example.org"), ("", "example.org", None)),
        ('"a@b"@example.org', ('"a@b"', "example.org"), ('"a@b"', "example.org", None)),
        ("+x@example.org", ("+x", "example.org"), ("+x", "example.org", None)),
    ],
)
def test_an_address_is_taken_apart(mailbox: str, plain: Any, extended: Any) -> None:
    assert email_utils.split_mailbox(mailbox) == plain
    assert email_utils.split_mailbox(mailbox, return_extension=True) == extended


def test_addresses_are_prepared_for_headers_and_for_envelopes() -> None:
    given = "Jo Miller <jo@example.org>, friend@elsewhere.example"
    assert email_utils.prepare_addresses(given) == given
    assert email_utils.prepare_addresses(given, "envelope") == ["jo@example.org", "friend@elsewhere.example"]


def test_headers_are_read_and_none_smuggles_another_one_in() -> None:
    assert email_utils.decode("=?utf-8?q?Gr=C3=BC=C3=9Fe?=") == "Grüße"
    assert email_utils.decode("=?nonsense?q?x?=") == "=?nonsense?q?x?="
    message = EmailMessage()
    email_utils.set_email_headers(
        message, {"Subject": "Hi\r\nBcc: everybody@example.org", "From": "a@example.org"}
    )
    assert message["Subject"] == "Hi Bcc: everybody@example.org"
    assert message["Bcc"] is None
    assert message["Message-ID"]
    assert message["Date"]


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("10K", 10_240), (" 2 m ", 2 << 20), ("1G", 1 << 30)])
def test_sizes_are_read(text: str, size: int) -> None:
    assert size2integer(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1T2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        size2integer(text)


def test_answers_are_made() -> None:
    assert render_to_json_response(["a"], status=201).content == b'["a"]'
    answer = render_error(RequestFactory().get("/"), user_context={"status": 404, "message": "<gone>"})
    assert answer.status_code == 404
    assert "&lt;gone&gt;" in answer.content.decode()
    assert get_request() is None


def test_yes_and_no_are_booleans_and_a_separator_is_nothing() -> None:
    class Shape(forms.Form):
        heading = SeparatorField(label="Heading")
        wanted = YesNoField(initial=True)

    assert Shape({"wanted": "True"}).fields["wanted"].clean("True") is True
    assert Shape({"wanted": "False"}).fields["wanted"].clean("False") is False
    page = Shape().as_div()
    assert "<hr" in page
    assert 'value="True"' in page


def test_what_is_encrypted_comes_back_also_after_a_change_of_keys(settings: Any) -> None:
    pytest.importorskip("cryptography", reason="requirements.txt is not installed")
    from modoboa.lib.cryptutils import decrypt, encrypt, get_password  # noqa: PLC0415  see above

    old = encrypt("secret")
    assert "secret" not in old
    assert decrypt(old) == "secret"
    settings.MODOBOA_ENCRYPTION_KEYS = ["one"]
    new = encrypt("secret")
    settings.MODOBOA_ENCRYPTION_KEYS = ["two", "one"]
    assert decrypt(old) == decrypt(new) == "secret"
    settings.MODOBOA_ENCRYPTION_KEYS = ["two"]
    for damaged in (new, old[:-2], ""):
        with pytest.raises(InternalError):
            decrypt(damaged)
    with pytest.raises(InternalError):
        get_password(RequestFactory().get("/"))
