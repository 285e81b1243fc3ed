"""What a person types into a search field, as the columns hold it."""

from __future__ import annotations

import unicodedata
from functools import reduce
from operator import and_, or_

import idna
from django.db.models import Q

_MOST_CHARACTERS = 254
_MOST_WORDS = 5
# No address holds it, and nothing sorts behind it.
_LAST = "\U0010ffff"


def search_text(typed: str) -> str:
    """The text without what no column can hold (NUL, control characters), cut to a sensible length."""
    text = "".join(character if character.isprintable() else " " for character in typed)
    return " ".join(text[:_MOST_CHARACTERS].split())


def containing(text: str, *, exact: tuple[str, ...], loose: tuple[str, ...] = ()) -> Q:
    """Every word stands in one of the columns: *exact* ones hold canonical lower case, *loose* ones any text.

    Names of domains are stored as A-labels, so a word in another script is looked for in that form too.
    """
    return reduce(and_, (_one_word(word, exact, loose) for word in text.split()[:_MOST_WORDS]), Q())


def _one_word(word: str, exact: tuple[str, ...], loose: tuple[str, ...]) -> Q:
    forms = {unicodedata.normalize("NFC", word).lower(), a_labels(word)}
    conditions = [Q((f"{column}__contains", form)) for column in exact for form in sorted(forms)]
    return reduce(or_, conditions + [Q((f"{column}__icontains", word)) for column in loose])


def beginning_with(column: str, *beginnings: str) -> Q:
    """The column, which compares byte for byte, begins with one of the texts.

    Written as a range: every engine answers it from an index. LIKE reads the whole table on SQLite, and on PostgreSQL
    where the pattern is not known when the query is planned.
    """
    ranges = (Q((f"{column}__gte", text), (f"{column}__lt", text + _LAST)) for text in beginnings)
    return reduce(or_, ranges)


def pasted_address(typed: str) -> str:
    """What is left of ``Jo <jo@example.org>`` and ``mailto:jo@example.org``; other text is returned as it is."""
    if typed.endswith(">") and "<" in typed:
        typed = typed.rpartition("<")[2].removesuffix(">")
    return typed.strip().removeprefix("mailto:")


def domain_beginnings(text: str) -> list[str]:
    """Beginnings of canonical names for the beginning of a name: ``büch`` may become ``xn--bch…``.

    An A-label shows the ASCII characters of its label first, so half a label narrows down where to look; what is found
    has still to be compared with the text.
    """
    before, dot, last = text.rpartition(".")
    if last.isascii():
        return [a_labels(text)]
    ascii_part = "".join(character for character in last if character.isascii())
    return sorted({a_labels(text), f"{a_labels(before)}{dot}xn--{ascii_part}"})


def a_labels(text: str) -> str:
    """*text* with the A-label in place of each U-label behind the last ``@``; other text is only lower-cased."""
    local, at_sign, domain = unicodedata.normalize("NFC", text).lower().rpartition("@")
    return local + at_sign + ".".join(map(_a_label, domain.split(".")))


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        return idna.encode(label).decode("ascii")
    except idna.IDNAError:
        return label
