"""Cells of CSV files: no spreadsheet runs one, and each says again what it said."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import repeat
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.spreadsheets import csv_bytes, is_separator, neutralised, original, separator_of

DANGEROUS: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
TEXTS: Final = st.text(
    st.sampled_from(DANGEROUS + "' \u00a0\u200b\ufeff\x00a;") | st.characters(exclude_categories=["Cs"])
)


@given(TEXTS)
@example("@example.org")
@example("''=1+1")
@example("'")
@example("")
def test_a_cell_says_again_what_it_said(text: str) -> None:
    assert original(neutralised(text)) == text


@given(TEXTS)
def test_no_cell_begins_with_what_a_spreadsheet_runs(text: str) -> None:
    cell = neutralised(text)
    assert not cell.startswith(tuple(DANGEROUS))
    assert not cell.lstrip().startswith(tuple(DANGEROUS))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("@example.org", "'@example.org"),
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("\uff1d1", "'\uff1d1"),
        ("-", "'-"),
        ("'t Hooft", "''t Hooft"),
        ("joe@example.org", "joe@example.org"),
        ("a=1", "a=1"),
        ("{SHA512-CRYPT}$6$", "{SHA512-CRYPT}$6$"),
        (" ", " "),
        ("", ""),
    ],
)
def test_only_what_begins_like_a_formula_or_with_an_apostrophe_gets_one(text: str, cell: str) -> None:
    assert neutralised(text) == cell


@pytest.mark.parametrize("text", ["'t Hooft", "'", "'joe", "o'brien"])
def test_an_apostrophe_that_somebody_wrote_stays(text: str) -> None:
    assert original(text) == text


@given(
    st.characters(exclude_categories=["Cs"]).filter(is_separator) | st.sampled_from("'=a ,\t"),
    st.lists(st.lists(TEXTS, min_size=2, max_size=4), max_size=3),
)
def test_every_separator_keeps_cells_apart(separator: str, rows: list[list[str]]) -> None:
    text = b"".join(csv_bytes(rows, separator)).decode()
    read = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    assert [list(map(original, row)) for row in read] == rows


def test_lines_end_with_cr_lf_and_only_what_must_be_is_quoted() -> None:
    rows = [("account", "@example.org", 'the "boss"', "a;b", ""), ("b", "c,d")]
    assert b"".join(csv_bytes(rows)) == b'account;\'@example.org;"the ""boss""";"a;b";\r\nb;c,d\r\n'


def test_a_file_is_made_while_it_is_read() -> None:
    def endless() -> Iterator[tuple[str, str]]:
        yield from repeat(("domain", "example.org"))

    pieces = csv_bytes(endless())
    assert len(next(pieces)) == len(next(pieces)) > 0


@pytest.mark.parametrize("text", ["", '"', "\r", "\n", "\0", ";;", "\u2028", "\x1c", "\ufeff", "\ud800"])
def test_no_separator_is_also_something_else(text: str) -> None:
    assert not is_separator(text)
    with pytest.raises(ValueError, match="one visible character"):
        separator_of(text)


def test_a_tab_is_typed_with_two_characters() -> None:
    assert separator_of(r"\t") == separator_of("\t") == "\t"
    assert separator_of(";") == ";"
