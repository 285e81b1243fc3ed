"""Cells of CSV files: no spreadsheet runs one, and each says again what it said."""

from __future__ import annotations

import csv
import io
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.spreadsheets import is_separator, neutralised, original

DANGEROUS: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
TEXTS: Final = st.text(st.sampled_from(DANGEROUS + "' \u00a0\u200b\ufeff\x00a;") | st.characters())


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


@given(st.characters(exclude_categories=["Cs"]), st.lists(TEXTS, min_size=2, max_size=4))
def test_every_separator_keeps_cells_apart(separator: str, texts: list[str]) -> None:
    if not is_separator(separator):
        return
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator).writerow(texts)
    stream.seek(0)
    assert list(csv.reader(stream, delimiter=separator)) == [texts]


@pytest.mark.parametrize("text", ["", '"', "\r", "\n", "\0", ";;", "\u2028", "\x1c", "\ufeff", "\ud800"])
def test_no_separator_is_also_something_else(text: str) -> None:
    assert not is_separator(text)
