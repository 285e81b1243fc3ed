"""Files as people and programs write them: what is understood, and what is told of what is not."""

from __future__ import annotations

import io
import os
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.imports.files import MAX_CELL, MAX_LINE, CsvFile, FileError, Form, Layout, Row
from admin.imports.row_types import columns

JO = "account;jo@a.example;x;Jo;Doe;true;SimpleUsers;jo@a.example"


def read(content: bytes | str, **layout: Any) -> list[Row]:
    with CsvFile(columns(), Layout(**layout)) as source:
        source.add(io.BytesIO(content.encode() if isinstance(content, str) else content), "people.csv")
        rows = list(source.rows())
        assert list(source.rows()) == rows
        return rows


def form(content: bytes | str, **layout: Any) -> Form:
    with CsvFile(columns(), Layout(**layout)) as source:
        return source.add(io.BytesIO(content.encode() if isinstance(content, str) else content), "people.csv")


def refused(content: bytes | str, **layout: Any) -> str:
    with pytest.raises(FileError) as caught:
        read(content, **layout)
    return str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_are_read_whatever_their_ends_and_their_byte_order_mark(encoding: str, end: str) -> None:
    text = end.join(["", "domain; é.example ;0;0;true", "  ", JO, ""])
    assert read(text.encode(encoding)) == [
        Row(2, "domain", ["é.example", "0", "0", "true"]),
        Row(4, "account", ["jo@a.example", "x", "Jo", "Doe", "true", "SimpleUsers", "jo@a.example"]),
    ]


def test_an_encoding_without_a_mark_is_named() -> None:
    assert (
        read("alias;jo@a.example;true;é@a.example".encode("cp1252"), encoding="cp1252")[0].cells[2]
        == "é@a.example"
    )
    assert "people.csv, line 2: this is not UTF-8" in refused(b"domain;a\n\xff\xfe\n" * 2)
    assert "“klingon” is not an encoding" in refused("domain;a", encoding="klingon")
    assert "this is not UTF-16" in refused("domain;a.example;0;0;true\n".encode("utf-16") + b"x")


@pytest.mark.parametrize("separator", [";", ",", "\t", "|", ":"])
def test_the_separator_is_found_out(separator: str) -> None:
    line = separator.join(["alias", "jo@a.example", "true", "x@b.example"])
    assert read(f"\n{line}\n") == [Row(2, "alias", ["jo@a.example", "true", "x@b.example"])]
    quoted = separator.join(['"alias"', '"jo@a.example"', '"true"', '"x@b.example"'])
    assert read(quoted) == [Row(1, "alias", ["jo@a.example", "true", "x@b.example"])]


def test_a_separator_that_is_given_counts() -> None:
    assert read("domain,a;b", separator=",") == [Row(1, "domain", ["a;b"])]
    for wrong in ('"', "::", "\n", "\0"):
        assert "one visible character" in refused("domain;a", separator=wrong)
    assert read("domain\ta", separator="\\t") == [Row(1, "domain", ["a"])]


def test_quotes_hold_separators_and_quotes() -> None:
    assert read('alias;"jo;""x""";true; "a b" ') == [Row(1, "alias", ['jo;"x"', "true", "a b"])]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('account;"jo', "quote_open"),
        ('account;"jo"x;y', "quote_open"),
        (f"domain;{'a' * (MAX_CELL + 1)}", "cell_too_long"),
        (f"domain;{'a' * 200_000}", "cell_too_long"),
        (f"domain;{';' * MAX_LINE}", "line_too_long"),
        (f"alias;{'x;' * 1_000_000}", "line_too_long"),
    ],
)
def test_a_line_that_cannot_be_read_does_not_take_others_with_it(line: str, code: str) -> None:
    rows = read(f"domain;a.example\n{line}\n{JO}\n")
    assert [row.line for row in rows] == [1, 2, 3]
    assert rows[1].fault is not None
    assert rows[1].fault[0] == code
    assert rows[1].fault[1]
    assert rows[2].kind == "account"


def test_a_nul_is_no_text() -> None:
    assert "people.csv, line 2: a NUL character" in refused(b"domain;a\ndomain;\0\n")
    assert "NUL" in refused("domain;a\n".encode("utf-16-le"))


def test_a_file_of_a_million_separators_takes_little_memory() -> None:
    content = b";" * 5_000_000
    tracemalloc.start()
    rows = read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows[0].fault is not None
    assert peak < 30_000_000


def test_an_empty_file_has_no_lines() -> None:
    assert read("") == read("\n \n") == []


def test_apostrophes_before_formulas_are_taken_away() -> None:
    assert read("alias;'@a.example;true;'+x@b.example;''y") == [
        Row(1, "alias", ["@a.example", "true", "+x@b.example", "'y"])
    ]


@given(st.binary(max_size=300))
def test_whatever_bytes_come_there_are_rows_or_a_sentence(content: bytes) -> None:
    with suppress(FileError):
        assert all(row.line >= 1 for row in read(content))


# --- files with a header -----------------------------------------------------------------------------------------


def test_a_header_tells_the_order_of_the_columns() -> None:
    text = "Address,Type,Recipient,Enabled,Recipient\nt@a.example,alias,x@b.example,true,y@b.example\n"
    assert form(text).header == ("Address", "Type", "Recipient", "Enabled", "Recipient")
    assert read(text) == [Row(2, "alias", ["t@a.example", "true", "x@b.example", "y@b.example"])]


def test_columns_that_a_header_lacks_have_their_defaults() -> None:
    text = "Username;Password;First Name\njo@a.example;x;Jo\n"
    wanted = ["jo@a.example", "x", "Jo", "", "true", "SimpleUsers", "", ""]
    assert read(text, kind="account") == [Row(2, "account", wanted)]


def test_columns_are_named_by_the_caller() -> None:
    text = "E-Mail;Kennwort;Nachname\njo@a.example;x;Doe\n"
    given = {"E-Mail": "username", "Kennwort": "password", "Nachname": "last_name"}
    assert read(text, kind="account", columns=given)[0].cells[:4] == ["jo@a.example", "x", "", "Doe"]
    assert "no column is “password”" in refused(text, kind="account", columns={"E-Mail": "username"})
    assert "has no column “mail”" in refused(text, kind="account", columns={"Mail": "username"})
    assert "no column is the type" in refused(text, columns=given)
    assert "“spam” is not a type" in refused(text, kind="spam", columns=given)


def test_a_header_may_stand_below_blank_lines() -> None:
    text = "\n  \ntype;address;enabled;recipient\nalias;a@b.example;true;c@d.example\n"
    (row,) = read(text)
    assert (row.line, row.kind, row.cells[0]) == (4, "alias", "a@b.example")


def test_a_header_is_only_seen_where_one_is() -> None:
    assert form("domain;name;0;0;true").header == ()
    assert form("jo;x\n", header=False).header == ()
    assert read("domain;a.example\n", header=False)[0].line == 1


# --- several files, and files that change ------------------------------------------------------------------------


def test_lines_of_several_files_are_told_apart(tmp_path: Path) -> None:
    for name, text in (("a.csv", "domain;a\ndomain;b\n"), ("b.csv", "\ndomain;c\n")):
        (tmp_path / name).write_text(text)
    with CsvFile(columns(), Layout()) as source:
        source.add_path(tmp_path / "a.csv")
        assert source.place(2) == "line 2"
        source.add_path(tmp_path / "b.csv")
        assert [(source.place(row.line), row.cells[0]) for row in source.rows()] == [
            ("a.csv, line 1", "a"),
            ("a.csv, line 2", "b"),
            ("b.csv, line 2", "c"),
        ]


def test_who_changes_the_file_later_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("domain;a\n" * 10)
    with CsvFile(columns(), Layout()) as source:
        source.add_path(path)
        os.truncate(path, 5)
        assert len(list(source.rows())) == 10


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("domain;a\n" * 1_000_000)

    class Shrinking(io.FileIO):
        def read(self, size: int | None = -1) -> Any:
            some = super().read(size)
            os.truncate(path, 500)
            return some

    with (
        CsvFile(columns(), Layout()) as source,
        Shrinking(path) as stream,
        pytest.raises(FileError, match="changed"),
    ):
        source.add(stream, "a.csv")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with CsvFile(columns(), Layout()) as source, pytest.raises(FileError, match=r"none\.csv: No such file"):
        source.add_path(tmp_path / "none.csv")
