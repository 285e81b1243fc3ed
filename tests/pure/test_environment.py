"""Settings from the environment: what is misspelt is said, never guessed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from modoboa_site import environment as env

NAME = "MODOBOA_TEST_VALUE"


@pytest.mark.parametrize(
    ("word", "value"), [("yes", True), ("On", True), ("1", True), ("no", False), ("", False)]
)
def test_a_word_is_yes_or_no(monkeypatch: pytest.MonkeyPatch, word: str, *, value: bool) -> None:
    monkeypatch.setenv(NAME, word)
    assert env.boolean(NAME, default=not value) is value


def test_a_misspelt_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "ture")
    with pytest.raises(ImproperlyConfigured, match="neither yes nor no"):
        env.boolean(NAME, default=False)


def test_a_number_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "ten")
    with pytest.raises(ImproperlyConfigured, match="not a whole number"):
        env.integer(NAME, default=1)
    monkeypatch.setenv(NAME, "10")
    assert env.integer(NAME, default=1) == 10


def test_words_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "a.example, b.example  c.example")
    assert env.words(NAME) == ["a.example", "b.example", "c.example"]


def test_servers_are_addresses_with_or_without_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "192.0.2.1 192.0.2.2:5353, 2001:DB8::1 [2001:db8::2] [2001:db8::3]:5353")
    assert env.endpoints(NAME, default_port=53) == [
        ("192.0.2.1", 53),
        ("192.0.2.2", 5353),
        ("2001:db8::1", 53),
        ("2001:db8::2", 53),
        ("2001:db8::3", 5353),
    ]
    monkeypatch.delenv(NAME)
    assert env.endpoints(NAME, default_port=53) == []


@pytest.mark.parametrize(
    "word",
    [
        "ns.example",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "[2001:db8::1",
        "[::1]53",
        ":53",
        "192.0.2",
    ],
)
def test_a_server_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv(NAME, word)
    with pytest.raises(ImproperlyConfigured, match="neither an IP address nor one with a port"):
        env.endpoints(NAME, default_port=53)


def test_what_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert (env.boolean(NAME, default=True), env.integer(NAME, default=7)) == (True, 7)
    assert (env.words(NAME, default=("x",)), env.text(NAME, "y")) == (["x"], "y")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.text(NAME)


def test_outside_debug_mode_the_panel_does_not_start_without_a_secret_key() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", "import modoboa_site.settings"],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "MODOBOA_SECRET_KEY must be set" in answer.stderr


def test_a_choice_is_one_of_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("none", "tls")
    monkeypatch.delenv(NAME, raising=False)
    assert env.choice(NAME, words, default="none") == "none"
    monkeypatch.setenv(NAME, " TLS ")
    assert env.choice(NAME, words, default="none") == "tls"
    monkeypatch.setenv(NAME, "ssl")
    with pytest.raises(ImproperlyConfigured, match="is none of: none, tls"):
        env.choice(NAME, words, default="none")
