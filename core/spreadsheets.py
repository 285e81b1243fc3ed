"""CSV files whose cells a spreadsheet shows and never runs, and the way back."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

from django.utils.translation import gettext_lazy as _

DEFAULT_SEPARATOR: Final = ";"
ENCODING: Final = "utf-8"

# Cells as they are meant, not neutralised yet.
Row: TypeAlias = Sequence[str]

_NO_SEPARATOR: Final = _("The separator is one visible character, or \\t for a tab, and no quotation mark.")
_ROWS_AT_ONCE: Final = 1000
_MARK: Final = "'"
# Also as East Asian keyboards write them: spreadsheets take those for the same.
_STARTS_OF_FORMULAS: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
# What begins with one of these is a formula to some spreadsheets, whatever comes next.
_STARTS_OF_ANYTHING: Final = frozenset("\t\r\n")
# Controls and what has no width.
_UNSEEN: Final = frozenset({"Cc", "Cf"})


def neutralised(text: str) -> str:
    """The cell that says *text*. What a spreadsheet may take for a formula gets an apostrophe before it."""
    return _MARK + text if _needs_mark(text) else text


def original(text: str) -> str:
    """What a cell says, blanks around it removed: exactly what was given to ``neutralised``.

    An apostrophe that ``neutralised`` would not have written stays: files are written by people, too.
    """
    return text[1:] if text.startswith(_MARK) and _needs_mark(text[1:]) else text


def is_separator(text: str) -> bool:
    """Whether *text* may stand between cells: a tab, or one visible character that is no quotation mark."""
    return len(text) == 1 and text != '"' and (text == "\t" or text.isprintable())


def separator_of(text: str) -> str:
    r"""The separator that somebody typed, ``\t`` for a tab; raises :class:`ValueError` with a sentence for him."""
    separator = "\t" if text == r"\t" else text
    if not is_separator(separator):
        raise ValueError(_NO_SEPARATOR)
    return separator


def csv_bytes(rows: Iterable[Row], separator: str = DEFAULT_SEPARATOR) -> Iterator[bytes]:
    """A file in pieces: every cell neutralised, quoted where it must be, lines ending with CR LF."""
    left = iter(rows)
    while some := list(islice(left, _ROWS_AT_ONCE)):
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=separator).writerows(map(neutralised, row) for row in some)
        yield text.getvalue().encode(ENCODING)


def _needs_mark(text: str) -> bool:
    if text.startswith(_MARK) or text[:1] in _STARTS_OF_ANYTHING:
        return True
    start = next((character for character in text if not _is_unseen(character)), "")
    return start in _STARTS_OF_FORMULAS


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in _UNSEEN
