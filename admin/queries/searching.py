"""What a person types into a search field, as the columns hold it."""

from __future__ import annotations

import unicodedata
from functools import reduce
from operator import and_, or_

import idna
from django.db.models import Q

_MOST_CHARACTERS = 254
_MOST_WORDS = 5


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
