"""The grammar of domains, local parts and addresses: one canonical form for every door.

What is stored and compared is canonical: lower case, NFC, domains as IDNA-2008 A-labels. Whoever takes an
address from a person, a file, a directory server or an API passes it through one of the ``canonical_…``
functions; ``core.shapes`` states the same grammar as database constraints.

Nothing is repaired silently, with one exception: spaces and tabs around the whole text, which people paste
along with an address, are removed. A line end is not a space: it is refused.

The grammar is narrower than RFC 5321 on purpose. A local part becomes a directory name, a key and a value of
Postfix maps, a Dovecot login name, a CSV cell and an argument, so it holds nothing that means something
there: no slash, no "..", no leading "-" or "=", no comma, pipe, colon, percent sign or quote mark.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import idna
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

LOCAL_PART_OCTETS: Final = 64  # RFC 5321 §4.5.3.1.1
DOMAIN_OCTETS: Final = 253  # RFC 1035 §2.3.4, written without the root's dot
LABEL_OCTETS: Final = 63
ADDRESS_OCTETS: Final = 254  # RFC 5321 §4.5.3.1.3 less the angle brackets

# More characters than this cannot shrink below the limits by normalisation; bounds the work spent on a bomb.
_RAW_CHARACTERS: Final = 1_000


class Kind(Enum):
    """What a local part is for. Each kind accepts everything that the one before it accepts."""

    MAILBOX = "mailbox"
    ALIAS = "alias"
    RECIPIENT = "recipient"


# ASCII characters that may stand in a local part besides a-z and 0-9. The first one is always a letter, a digit
# or "_": "-rf" is an option, "=1+1" a formula, "~root" a home, "#x" a comment, "*" once meant a catch-all.
_MAILBOX_PUNCTUATION: Final = "._-"
_ALIAS_PUNCTUATION: Final = _MAILBOX_PUNCTUATION + "+'=&~#"
PUNCTUATION: Final[Mapping[Kind, str]] = {
    Kind.MAILBOX: _MAILBOX_PUNCTUATION,
    Kind.ALIAS: _ALIAS_PUNCTUATION,
    Kind.RECIPIENT: _ALIAS_PUNCTUATION + "*?^{}",
}
_ALPHANUMERIC: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ALLOWED: Final = {kind: _ALPHANUMERIC | frozenset(marks) for kind, marks in PUNCTUATION.items()}
_ASCII_LOCAL_PART: Final = {
    kind: re.compile(rf"[a-z0-9_][a-z0-9{re.escape(marks)}]*") for kind, marks in PUNCTUATION.items()
}
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Names that IDNA leaves alone: no "xn--", nor another "--" in third place.
_PLAIN_DOMAIN: Final = re.compile(
    r"(?:(?![a-z0-9-]{2}--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"(?![a-z0-9-]{2}--)(?!\d+\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
# Default_Ignorable_Code_Point of Unicode 15 beyond the format characters (category Cf), which are refused anyway.
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Control, format, surrogate, private, unassigned; line and paragraph separators.
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_MESSAGES: Final[Mapping[str, Promise]] = {
    "address_at_sign": _("An address looks like name@example.com, with exactly one “@”."),
    "address_too_long": _("An address has at most %(limit)d bytes."),
    "domain_character": _("A domain name cannot contain %(character)s."),
    "domain_empty": _("Enter a domain name, for example example.com."),
    "domain_hidden_character": _(
        "The domain name contains the invisible character %(character)s; remove it."
    ),
    "domain_hyphen": _("“%(label)s” cannot begin or end with “-”."),
    "domain_international": _("“%(label)s” is not a valid international domain name."),
    "domain_ip_literal": _("Enter a domain name instead of an IP address."),
    "domain_label_empty": _("A domain name cannot begin or end with a dot, or contain two dots in a row."),
    "domain_label_length": _("Each part of a domain name has at most %(limit)d characters."),
    "domain_numeric_top_level": _("The last part of a domain name cannot be a number."),
    "domain_one_label": _("Enter the full domain name, with at least one dot, for example example.com."),
    "domain_too_long": _("A domain name has at most %(limit)d characters."),
    "local_part_character": _("The part before the “@” cannot contain %(character)s."),
    "local_part_dot": _(
        "The part before the “@” cannot begin or end with a dot, or contain two dots in a row."
    ),
    "local_part_empty": _("Enter the part before the “@”."),
    "local_part_hidden_character": _(
        "The part before the “@” contains the invisible character %(character)s; remove it."
    ),
    "local_part_start": _("The part before the “@” must begin with a letter, a digit or “_”."),
    "name_not_allowed": _("A user name is an address, or letters, digits and . _ + - without spaces."),
    "local_part_too_long": _("The part before the “@” has at most %(limit)d bytes."),
}
CODES: Final = frozenset(_MESSAGES)

# A login name that is no address: accounts without a mailbox.
_PLAIN_LOGIN: Final = re.compile(r"[a-z0-9_][a-z0-9._+-]{0,253}")


class AddressError(ValueError):
    """A refused domain, local part or address: a stable ``code`` and a ``message`` in the active language."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params: dict[str, Any] = params

    @property
    def message(self) -> str:
        """A sentence somebody can act on."""
        return str(_MESSAGES[self.code]) % self.params

    def __str__(self) -> str:
        return self.message


# --- Domains --------------------------------------------------------------------------------------------


def canonical_domain(text: str) -> str:
    """The A-label form, lower case: ``Bücher.Example`` → ``xn--bcher-kva.example``."""
    return _domain(_trimmed(text))


def display_domain(name: str) -> str:
    """The U-label form of a canonical name, for people: ``xn--bcher-kva.example`` → ``bücher.example``."""
    return ".".join(_display_label(label) for label in name.split("."))


def _domain(text: str) -> str:
    if text.isascii() and len(text) <= DOMAIN_OCTETS:
        name = text.lower()
        if _PLAIN_DOMAIN.fullmatch(name):
            return name
    if not text:
        raise AddressError("domain_empty")
    if len(text) > _RAW_CHARACTERS:
        raise AddressError("domain_too_long", limit=DOMAIN_OCTETS)
    _refuse_hidden_characters(text, "domain_hidden_character")
    if _is_ip_address(text):
        raise AddressError("domain_ip_literal")
    labels = [_a_label(label) for label in _mapped(unicodedata.normalize("NFC", text)).split(".")]
    name = ".".join(labels)
    if len(name) > DOMAIN_OCTETS:
        raise AddressError("domain_too_long", limit=DOMAIN_OCTETS)
    if len(labels) == 1:
        raise AddressError("domain_one_label")
    if labels[-1].isdigit():
        raise AddressError("domain_numeric_top_level")
    return name


def _mapped(text: str) -> str:
    """Case, width and the other dots of UTS 46, not the transitional part: ß stays ß."""
    try:
        return idna.uts46_remap(text, std3_rules=True, transitional=False)
    except idna.InvalidCodepoint as error:
        refused = next((character for character in text if not _is_mappable(character)), None)
        if refused is None:
            raise AddressError("domain_international", label=text) from error
        raise AddressError("domain_character", character=_described(refused)) from error
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError("domain_international", label=text) from error


def _is_mappable(character: str) -> bool:
    try:
        idna.uts46_remap(character, std3_rules=True, transitional=False)
    except (idna.IDNAError, UnicodeError):
        return False
    return True


def _a_label(label: str) -> str:
    if not label:
        raise AddressError("domain_label_empty")
    if label.isascii():
        refused = next((each for each in label if each not in _ALPHANUMERIC and each != "-"), None)
        if refused is not None:
            raise AddressError("domain_character", character=_described(refused))
        if not _LABEL.fullmatch(label):
            raise AddressError("domain_hyphen", label=label)
        if len(label) > LABEL_OCTETS:
            raise AddressError("domain_label_length", limit=LABEL_OCTETS)
        if label[2:4] != "--":
            return label
    try:
        encoded = idna.alabel(label).decode("ascii")
        decoded = idna.ulabel(encoded)
        # A name must survive being shown and typed again, which a label smuggled in as "xn--…" may not.
        stable = not label.isascii() or (
            _mapped(decoded) == decoded and idna.alabel(decoded).decode() == label
        )
    except (idna.IDNAError, UnicodeError) as error:
        if not label.isascii() and _is_too_long_for_a_label(label):
            raise AddressError("domain_label_length", limit=LABEL_OCTETS) from error
        raise AddressError("domain_international", label=label) from error
    _refuse_hidden_characters(decoded, "domain_hidden_character")
    if not stable or not _LABEL.fullmatch(encoded):
        raise AddressError("domain_international", label=label)
    return encoded


def _is_too_long_for_a_label(label: str) -> bool:
    return len("xn--") + len(label.encode("punycode")) > LABEL_OCTETS


def _display_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except (idna.IDNAError, UnicodeError):
        return label


def _is_ip_address(text: str) -> bool:
    if text.startswith("["):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# --- Local parts ----------------------------------------------------------------------------------------


def canonical_local_part(text: str, *, kind: Kind, utf8: bool = False) -> str:
    """The lower-case local part.

    ``utf8`` (the setting MODOBOA_UTF8_LOCAL_PARTS) adds letters, marks and decimal digits of every script in NFC,
    without those that are another spelling of something else (full-width letters, ligatures, the Kelvin sign).
    """
    return _local_part(_trimmed(text), kind, utf8=utf8)


def _local_part(text: str, kind: Kind, *, utf8: bool) -> str:
    value = text.lower() if text.isascii() else _folded(text, utf8=utf8)
    octets = len(value) if value.isascii() else len(value.encode())
    if octets > LOCAL_PART_OCTETS:
        raise AddressError("local_part_too_long", limit=LOCAL_PART_OCTETS)
    if not _ASCII_LOCAL_PART[kind].fullmatch(value):
        _refuse_local_part(value, kind)
    if value.endswith(".") or ".." in value:
        raise AddressError("local_part_dot")
    return value


def _folded(text: str, *, utf8: bool) -> str:
    """Lower case of text that is not ASCII; refuses what would fold into something else than it looks like."""
    if len(text) > _RAW_CHARACTERS:
        raise AddressError("local_part_too_long", limit=LOCAL_PART_OCTETS)
    _refuse_hidden_characters(text, "local_part_hidden_character")
    for character in text:
        if not character.isascii() and not (utf8 and _is_plain_letter(character)):
            raise AddressError("local_part_character", character=_described(character))
    value = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    for character in value:
        # "=" and a combining stroke compose to "≠", which is no letter.
        if not character.isascii() and not _is_plain_letter(character):
            raise AddressError("local_part_character", character=_described(character))
    if value != unicodedata.normalize("NFC", value.lower()):
        raise AddressError("local_part_character", character=_described(text[0]))
    return value


def _is_plain_letter(character: str) -> bool:
    """A letter, mark or decimal digit that is nothing else's compatibility form and does not fold to ASCII."""
    category = unicodedata.category(character)
    if category[0] != "L" and category not in {"Mn", "Mc", "Nd"}:
        return False
    composed = unicodedata.normalize("NFC", character)
    return composed == unicodedata.normalize("NFKC", character) and not any(
        each.isascii() for each in composed + composed.lower()
    )


def _refuse_local_part(value: str, kind: Kind) -> None:
    """Say what is wrong with a value that is not the plain ASCII form; silent when other letters are all it is."""
    if not value:
        raise AddressError("local_part_empty")
    for character in value:
        if character.isascii() and character not in _ALLOWED[kind]:
            hidden = unicodedata.category(character) == "Cc"
            code = "local_part_hidden_character" if hidden else "local_part_character"
            raise AddressError(code, character=_described(character))
    first = value[0]
    if first == ".":
        raise AddressError("local_part_dot")
    if not (first == "_" or first in _ALPHANUMERIC or (not first.isascii() and first.isalnum())):
        raise AddressError("local_part_start")


# --- Whole addresses ------------------------------------------------------------------------------------


def canonical_mailbox_address(text: str, *, utf8: bool = False) -> str:
    """The address of a mailbox, which is also its login name and names its directory."""
    return _address(_trimmed(text), Kind.MAILBOX, utf8=utf8)


def canonical_alias_address(text: str, *, utf8: bool = False) -> str:
    """The address of an alias, or ``@domain`` for the catch-all of a domain."""
    return _address(_trimmed(text), Kind.ALIAS, utf8=utf8, catch_all=True)


def canonical_recipient(text: str, *, utf8: bool = False) -> str:
    """Where mail is forwarded to, here or elsewhere; an extension (``user+folder@…``) is kept."""
    return _address(_trimmed(text), Kind.RECIPIENT, utf8=utf8)


def canonical_sender_address(text: str, *, utf8: bool = False) -> str:
    """What somebody may send as: an address, or ``@domain`` for all of a domain."""
    return _address(_trimmed(text), Kind.RECIPIENT, utf8=utf8, catch_all=True)


def canonical_login_name(text: str, *, utf8: bool = False) -> str:
    """The name that somebody signs in with: an address, or a plain word for an account without a mailbox."""
    name = text.strip().lower()
    if "@" in name:
        return canonical_mailbox_address(name, utf8=utf8)
    if not _PLAIN_LOGIN.fullmatch(name):
        raise AddressError("name_not_allowed")
    return name


def split_address(address: str) -> tuple[str, str]:
    """Local part and domain; the local part of a catch-all is empty. The text is not checked further."""
    local_part, at_sign, domain = address.partition("@")
    if not at_sign or "@" in domain:
        raise AddressError("address_at_sign")
    return local_part, domain


def without_extension(address: str, delimiter: str = "+") -> str:
    """The address without its extension; as in Postfix, each character of ``delimiter`` is one, except in front."""
    local_part, at_sign, domain = address.partition("@")
    cut = min((at for at in map(local_part.find, delimiter) if at > 0), default=len(local_part))
    return f"{local_part[:cut]}{at_sign}{domain}"


def is_catch_all(address: str) -> bool:
    """``@domain``: whatever has no address of its own there."""
    return address.startswith("@")


def display_address(address: str) -> str:
    """A canonical address as people write it, with the U-label form of its domain."""
    local_part, domain = split_address(address)
    return f"{local_part}@{display_domain(domain)}"


# An address is asked about on its way through a door, and again by the operation, a whole file of them later.
@lru_cache(maxsize=20_000)
def _address(text: str, kind: Kind, *, utf8: bool, catch_all: bool = False) -> str:
    local_part, at_sign, domain = text.rpartition("@")
    if not at_sign or "@" in local_part:
        raise AddressError("address_at_sign")
    if local_part or not catch_all:
        local_part = _local_part(local_part, kind, utf8=utf8)
    address = f"{local_part}@{_domain(domain)}"
    octets = len(address) if address.isascii() else len(address.encode())
    if octets > ADDRESS_OCTETS:
        raise AddressError("address_too_long", limit=ADDRESS_OCTETS)
    return address


# --- Characters -----------------------------------------------------------------------------------------


def _trimmed(text: str) -> str:
    return text.strip(" \t")


def _refuse_hidden_characters(text: str, code: str) -> None:
    for character in text:
        if unicodedata.category(character) in _HIDDEN_CATEGORIES or _IGNORABLE.match(character):
            raise AddressError(code, character=_described(character))


def _described(character: str) -> str | Promise:
    """How a message shows a refused character: itself when it can be seen, its code point when not."""
    if character == " ":
        return _("a space")
    if character.isascii() and character.isprintable():
        return f"“{character}”"
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()
