"""The grammar of addresses: what it accepts is canonical and harmless, what it refuses it refuses by name."""

from __future__ import annotations

import string
import unicodedata
from typing import TYPE_CHECKING, Final

import pytest
from django.utils import translation
from hypothesis import example, given
from hypothesis import strategies as st

from core.addresses import (
    ADDRESS_OCTETS,
    CODES,
    DOMAIN_OCTETS,
    LOCAL_PART_OCTETS,
    PUNCTUATION,
    AddressError,
    Kind,
    canonical_alias_address,
    canonical_domain,
    canonical_local_part,
    canonical_login_name,
    canonical_mailbox_address,
    canonical_recipient,
    canonical_sender_address,
    display_address,
    display_domain,
    is_catch_all,
    split_address,
    without_extension,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHANUMERIC: Final = string.ascii_lowercase + string.digits
LABEL_63: Final = "a" * 63
DOMAIN_253: Final = ".".join([LABEL_63, LABEL_63, LABEL_63, "a" * 61])

HOSTILE_LOCAL_PARTS: Final = {
    "": "local_part_empty",
    ".": "local_part_dot",
    "..": "local_part_dot",
    "...": "local_part_dot",
    ".htaccess": "local_part_dot",
    "joe.": "local_part_dot",
    "joe..doe": "local_part_dot",
    "../..": "local_part_character",
    "../../../etc/cron.d/x": "local_part_character",
    "/etc/passwd": "local_part_character",
    "a/b": "local_part_character",
    "a\\b": "local_part_character",
    "-rf": "local_part_start",
    "-": "local_part_start",
    '"joe doe"': "local_part_character",
    "joe doe": "local_part_character",
    "|/bin/sh": "local_part_character",
    "`id`": "local_part_character",
    "$(id)": "local_part_character",
    ":include:x": "local_part_character",
    "a,b": "local_part_character",
    "a;b": "local_part_character",
    "a:b": "local_part_character",
    "a%b": "local_part_character",
    "a!b": "local_part_character",
    "a@b": "local_part_character",
    "<a>": "local_part_character",
    "joe\n": "local_part_hidden_character",
    "joe\r\nbcc": "local_part_hidden_character",
    "jo\x00e": "local_part_hidden_character",
    "joe\x7f": "local_part_hidden_character",
    "jo\u200be": "local_part_hidden_character",  # zero width space
    "jo\u00ade": "local_part_hidden_character",  # soft hyphen
    "jo\u202ee": "local_part_hidden_character",  # right-to-left override
    "jo\u3164e": "local_part_hidden_character",  # Hangul filler, a letter that shows nothing
    "jo\ufe0fe": "local_part_hidden_character",  # variation selector
    "\ud800": "local_part_hidden_character",
    "\ue000": "local_part_hidden_character",  # private use
    "\u212aelvin": "local_part_character",  # Kelvin sign, whose lower case is k
    "\u0130zmir": "local_part_character",  # dotted capital I
    "\uff4aoe": "local_part_character",  # full-width j
    "\ufb00": "local_part_character",  # ligature
    "joe\u00a0": "local_part_character",  # no-break space
    "joe\u3000": "local_part_character",  # ideographic space
    "=\u0338": "local_part_character",  # composes to a sign
    "\U0001f4a9": "local_part_character",
    "a" * (LOCAL_PART_OCTETS + 1): "local_part_too_long",
    "é" * 2_000: "local_part_too_long",
}
HOSTILE_DOMAINS: Final = {
    "": "domain_empty",
    "localhost": "domain_one_label",
    "example.com.": "domain_label_empty",
    ".example.com": "domain_label_empty",
    "example..com": "domain_label_empty",
    "..": "domain_label_empty",
    "127.0.0.1": "domain_ip_literal",
    "[127.0.0.1]": "domain_ip_literal",
    "[IPv6:::1]": "domain_ip_literal",
    "2001:db8::1": "domain_ip_literal",
    "example.123": "domain_numeric_top_level",
    "1.2.3.4.5": "domain_numeric_top_level",
    "-rf.com": "domain_hyphen",
    "example-.com": "domain_hyphen",
    "ex_ample.com": "domain_character",
    "ex ample.com": "domain_character",
    "../etc.com": "domain_character",
    "a/b.com": "domain_character",
    "a%s.com": "domain_character",
    "a@b.com": "domain_character",
    "a:25.com": "domain_character",
    "\uff03.com": "domain_character",  # full-width number sign
    "example.com\n": "domain_hidden_character",
    "exam\x00ple.com": "domain_hidden_character",
    "exam\u200dple.com": "domain_hidden_character",
    "exam\u00adple.com": "domain_hidden_character",
    "\u202eexample.com": "domain_hidden_character",
    "\ud800.com": "domain_hidden_character",
    "xn--mgba3gch31f060k.com": "domain_hidden_character",  # an A-label with a zero-width non-joiner inside
    "xn--a.com": "domain_international",
    "xn--.com": "domain_hyphen",
    "ab--cd.com": "domain_international",
    "\U0001f4a9.com": "domain_international",
    f"{LABEL_63}a.com": "domain_label_length",
    "ü" * 63 + ".com": "domain_label_length",
    f"{DOMAIN_253}a": "domain_too_long",
    "a." * 5_000 + "com": "domain_too_long",
}

WHOLE_ADDRESS_FUNCTIONS: Final = [
    canonical_mailbox_address,
    canonical_alias_address,
    canonical_recipient,
    canonical_sender_address,
]


def accepted(canonical: Callable[..., str], *arguments: object, **options: object) -> str | None:
    """The canonical form; None after an AddressError with a message. Anything else is the test's failure."""
    try:
        return canonical(*arguments, **options)
    except AddressError as refusal:
        return None if refusal.code in CODES else refusal.message


def local_parts() -> st.SearchStrategy[str]:
    """Mostly near misses: text over the characters that matter, sometimes anything at all."""
    interesting = st.text(
        alphabet=ALPHANUMERIC + "AZ._-+'=&~#*?^{}/%éßΣïk\u212a\u0130\u0301\u200b\n\x00", max_size=12
    )
    return interesting | st.text(max_size=70) | st.sampled_from(list(HOSTILE_LOCAL_PARTS))


def domains() -> st.SearchStrategy[str]:
    label = st.text(alphabet=ALPHANUMERIC + "AZ-éßüïא日\u212a", min_size=1, max_size=8)
    built = st.lists(label, min_size=1, max_size=4).map(".".join)
    return built | st.text(max_size=70) | st.sampled_from(list(HOSTILE_DOMAINS))


def anything() -> st.SearchStrategy[str]:
    return st.text(alphabet=st.characters(), max_size=40)  # surrogates included


def test_a_domain_is_stored_as_lower_case_a_labels_and_shown_as_u_labels() -> None:
    assert canonical_domain("Bücher.Example") == "xn--bcher-kva.example"
    assert canonical_domain("XN--BCHER-KVA.example") == "xn--bcher-kva.example"
    assert display_domain("xn--bcher-kva.example") == "bücher.example"
    assert canonical_domain("faß.de") == "xn--fa-hia.de"  # not the "fass.de" of IDNA 2003
    assert canonical_domain("日本。jp") == "xn--wgv71a.jp"


def test_domain_spellings_of_one_name_have_one_form() -> None:
    composed, decomposed = "café.example", unicodedata.normalize("NFD", "café.example")
    assert composed != decomposed
    assert canonical_domain(composed) == canonical_domain(decomposed)
    assert canonical_domain("\u212aelvin.example") == "kelvin.example"
    assert canonical_domain("\uff45xample.com") == "example.com"


def test_a_homograph_is_another_name_and_never_the_name_it_looks_like() -> None:
    assert canonical_domain("p\u0430ypal.com") == "xn--pypal-4ve.com"


def test_the_label_that_cannot_be_decoded_is_shown_as_it_is_stored() -> None:
    assert display_domain("xn--a.example") == "xn--a.example"


def test_limits_of_a_domain_are_63_and_253() -> None:
    assert canonical_domain(f"{LABEL_63}.com") == f"{LABEL_63}.com"
    assert len(DOMAIN_253) == DOMAIN_OCTETS
    assert canonical_domain(DOMAIN_253) == DOMAIN_253


def test_limit_of_a_local_part_counts_bytes() -> None:
    assert canonical_local_part("a" * 64, kind=Kind.MAILBOX) == "a" * 64
    assert canonical_local_part("é" * 32, kind=Kind.MAILBOX, utf8=True) == "é" * 32
    with pytest.raises(AddressError) as refusal:
        canonical_local_part("é" * 33, kind=Kind.MAILBOX, utf8=True)
    assert refusal.value.code == "local_part_too_long"


def test_limit_of_an_address_is_254() -> None:
    local_part, domain = "a" * 64, DOMAIN_253[64:]
    assert len(f"{local_part}@{domain}") == ADDRESS_OCTETS
    assert canonical_mailbox_address(f"{local_part}@{domain}") == f"{local_part}@{domain}"
    with pytest.raises(AddressError) as refusal:
        canonical_mailbox_address(f"{local_part}@a.{domain[1:]}")
    assert refusal.value.code == "address_too_long"


@pytest.mark.parametrize(("text", "code"), HOSTILE_LOCAL_PARTS.items())
@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize("kind", Kind)
def test_a_hostile_local_part_is_refused(text: str, code: str, kind: Kind, *, utf8: bool) -> None:
    with pytest.raises(AddressError) as refusal:
        canonical_local_part(text, kind=kind, utf8=utf8)
    assert refusal.value.code == code


@pytest.mark.parametrize(("text", "code"), HOSTILE_DOMAINS.items())
def test_a_hostile_domain_is_refused(text: str, code: str) -> None:
    with pytest.raises(AddressError) as refusal:
        canonical_domain(text)
    assert refusal.value.code == code


@pytest.mark.parametrize("canonical", WHOLE_ADDRESS_FUNCTIONS)
@pytest.mark.parametrize(
    "text", ["", "@", "joe", "joe@", "joe@@example.com", "a@b@example.com", "joe @example.com"]
)
def test_what_is_not_an_address_is_refused(canonical: Callable[[str], str], text: str) -> None:
    with pytest.raises(AddressError):
        canonical(text)


@pytest.mark.parametrize("text", HOSTILE_LOCAL_PARTS)
@pytest.mark.parametrize("canonical", WHOLE_ADDRESS_FUNCTIONS)
def test_no_address_function_lets_a_hostile_local_part_through(
    canonical: Callable[[str], str], text: str
) -> None:
    catch_all = text == "" and canonical in {canonical_alias_address, canonical_sender_address}
    if catch_all:
        assert canonical("@example.com") == "@example.com"
        return
    with pytest.raises(AddressError):
        canonical(f"{text}@example.com")


def test_an_alias_and_a_recipient_take_more_punctuation_than_a_mailbox() -> None:
    for mark in "+'=&~#":
        assert canonical_local_part(f"a{mark}b", kind=Kind.ALIAS) == f"a{mark}b"
        assert canonical_local_part(f"a{mark}b", kind=Kind.RECIPIENT) == f"a{mark}b"
        with pytest.raises(AddressError):
            canonical_local_part(f"a{mark}b", kind=Kind.MAILBOX)


@pytest.mark.parametrize("kind", Kind)
def test_every_ascii_character_is_either_in_the_documented_class_or_refused(kind: Kind) -> None:
    values = [accepted(canonical_local_part, f"a{chr(code)}a", kind=kind) for code in range(128)]
    characters = {value[1] for value in values if value}
    assert characters == set(ALPHANUMERIC + PUNCTUATION[kind])
    assert not characters & set(' ,|/\\"`<>()[]:;@%!$\t')


@pytest.mark.parametrize("mark", "-+'=&~#*?^{}")
@pytest.mark.parametrize("kind", Kind)
def test_no_local_part_begins_with_what_an_option_or_a_formula_begins_with(kind: Kind, mark: str) -> None:
    with pytest.raises(AddressError):
        canonical_local_part(f"{mark}a", kind=kind)


def test_spaces_and_tabs_around_an_address_are_dropped_and_nothing_else_is() -> None:
    assert canonical_mailbox_address(" \tJoe@Example.COM ") == "joe@example.com"
    for text in (
        "joe@example.com\n",
        "\njoe@example.com",
        "joe@example.com\u00a0",
        "joe@ example.com",
        "joe @example.com",
    ):
        with pytest.raises(AddressError):
            canonical_mailbox_address(text)


def test_a_catch_all_is_an_alias_or_sender_address_but_no_mailbox_and_no_recipient() -> None:
    assert canonical_alias_address("@EXAMPLE.com") == "@example.com"
    assert canonical_sender_address("@example.com") == "@example.com"
    assert is_catch_all("@example.com")
    assert not is_catch_all("joe@example.com")
    for canonical in (canonical_mailbox_address, canonical_recipient):
        with pytest.raises(AddressError) as refusal:
            canonical("@example.com")
        assert refusal.value.code == "local_part_empty"


def test_utf8_local_parts_are_accepted_only_when_asked_for() -> None:
    with pytest.raises(AddressError):
        canonical_mailbox_address("Élodie@example.com")
    assert canonical_mailbox_address("E\u0301lodie@example.com", utf8=True) == "élodie@example.com"
    assert canonical_mailbox_address("ΟΔΟΣ@example.com", utf8=True) == "οδος@example.com"
    assert canonical_mailbox_address("用户@例え.jp", utf8=True) == "用户@xn--r8jz45g.jp"


def test_a_recipient_keeps_its_extension_and_it_can_be_taken_off() -> None:
    assert canonical_recipient("Joe+Folder@example.com") == "joe+folder@example.com"
    assert without_extension("joe+folder+sub@example.com") == "joe@example.com"
    assert without_extension("joe@example.com") == "joe@example.com"
    assert without_extension("joe-folder@example.com", delimiter="+-") == "joe@example.com"
    assert without_extension("joe-a+b@example.com", delimiter="+-") == "joe@example.com"
    assert without_extension("+folder@example.com") == "+folder@example.com"
    assert without_extension("joe@ex+ample.com") == "joe@ex+ample.com"
    assert without_extension("joe+folder@example.com", delimiter="") == "joe+folder@example.com"


def test_an_address_is_split_at_its_only_at_sign() -> None:
    assert split_address("joe@example.com") == ("joe", "example.com")
    assert split_address("@example.com") == ("", "example.com")
    for text in ("joe", "a@b@c"):
        with pytest.raises(AddressError) as refusal:
            split_address(text)
        assert refusal.value.code == "address_at_sign"


def test_an_address_is_shown_with_the_u_label_of_its_domain() -> None:
    assert display_address("joe@xn--bcher-kva.example") == "joe@bücher.example"
    assert display_address("@xn--bcher-kva.example") == "@bücher.example"


def test_every_code_is_documented_by_a_message_that_names_the_character() -> None:
    with translation.override("en"):
        seen = set()
        for text, code in [*HOSTILE_LOCAL_PARTS.items(), *HOSTILE_DOMAINS.items()]:
            with pytest.raises(AddressError) as refusal:
                canonical_mailbox_address(
                    f"{text}@example.com" if code.startswith("local") else f"joe@{text}"
                )
            seen.add(refusal.value.code)
            assert refusal.value.message.endswith(".")
            assert "%(" not in refusal.value.message
            assert str(refusal.value) == refusal.value.message
        with pytest.raises(AddressError) as refusal:
            canonical_local_part("jo\u200be", kind=Kind.MAILBOX)
        assert "U+200B ZERO WIDTH SPACE" in refusal.value.message
    assert seen | {"address_too_long", "name_not_allowed"} == CODES


@given(local_parts(), st.sampled_from(Kind), st.booleans())
@example("A" * 64, Kind.MAILBOX, False)
def test_an_accepted_local_part_is_canonical_and_within_its_class(text: str, kind: Kind, utf8: bool) -> None:  # noqa: FBT001 - hypothesis passes positionally
    value = accepted(canonical_local_part, text, kind=kind, utf8=utf8)
    if value is None:
        return
    assert canonical_local_part(value, kind=kind, utf8=utf8) == value
    assert value == value.lower() == unicodedata.normalize("NFC", value)
    assert 1 <= len(value.encode()) <= LOCAL_PART_OCTETS
    assert not value.startswith((".", "-"))
    assert not value.endswith(".")
    assert ".." not in value
    assert utf8 or value.isascii()
    for character in value:
        if character.isascii():
            assert character in ALPHANUMERIC + PUNCTUATION[kind]
        else:
            assert unicodedata.category(character) in {"Ll", "Lo", "Lm", "Mn", "Mc", "Nd", "Lu"}
            assert unicodedata.normalize("NFKC", character) == character


@given(domains())
def test_an_accepted_domain_is_canonical_and_round_trips_through_its_display_form(text: str) -> None:
    name = accepted(canonical_domain, text)
    if name is None:
        return
    assert set(name) <= set(ALPHANUMERIC + "-.")
    assert len(name) <= DOMAIN_OCTETS
    labels = name.split(".")
    assert len(labels) > 1
    assert all(1 <= len(label) <= 63 and label == label.strip("-") for label in labels)
    assert not labels[-1].isdigit()
    assert canonical_domain(name) == name
    assert canonical_domain(display_domain(name)) == name


@given(local_parts(), domains(), st.sampled_from(WHOLE_ADDRESS_FUNCTIONS), st.booleans())
def test_an_accepted_address_is_canonical(
    local_part: str,
    domain: str,
    canonical: Callable[..., str],
    utf8: bool,  # noqa: FBT001 - hypothesis passes positionally
) -> None:
    address = accepted(canonical, f"{local_part}@{domain}", utf8=utf8)
    if address is None:
        return
    assert canonical(address, utf8=utf8) == address
    assert canonical(display_address(address), utf8=utf8) == address
    assert len(address.encode()) <= ADDRESS_OCTETS
    assert address.count("@") == 1
    assert not set(address) & set('/\\\x00\n\r\t ,|:;%!"`<>()[]')


@given(anything() | st.text(max_size=40), st.booleans())
@example("\ud800@\udfff.com", True)
@example("a@" + "b." * 600 + "c", False)
@example("@", False)
@example("a@\u3002", True)
@example("a@xn--\u00df.com", True)
@example("a@xn---.com", True)
def test_arbitrary_text_is_refused_with_an_address_error_and_nothing_else(text: str, utf8: bool) -> None:  # noqa: FBT001 - hypothesis passes positionally
    for name in (text, f"xn--{text}.com"):
        accepted(canonical_domain, name)
    for kind in Kind:
        accepted(canonical_local_part, text, kind=kind, utf8=utf8)
    for canonical in WHOLE_ADDRESS_FUNCTIONS:
        accepted(canonical, text, utf8=utf8)


@pytest.mark.parametrize(
    ("typed", "name"),
    [("Admin", "admin"), (" Jo@Bücher.Example ", "jo@xn--bcher-kva.example"), ("a.b_c+d-e", "a.b_c+d-e")],
)
def test_a_login_name_is_an_address_or_a_plain_word(typed: str, name: str) -> None:
    assert canonical_login_name(typed) == name


@pytest.mark.parametrize("typed", ["", "two words", "-rf", "a/b", "näme", "a\x00", "x" * 255])
def test_a_login_name_that_is_neither_is_refused(typed: str) -> None:
    with pytest.raises(AddressError) as refused:
        canonical_login_name(typed)
    assert refused.value.code == "name_not_allowed"
