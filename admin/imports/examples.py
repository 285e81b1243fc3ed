"""A line of each type, to show and to copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from admin.imports.row_types import row_types

if TYPE_CHECKING:
    from core.actor import Actor

EXAMPLE: Final = "example.csv"
_LINES: Final = {
    "domain": "domain;example.org;10240;1024;true",
    "domainalias": "domainalias;example.net;example.org;true",
    "relaydomain": "relaydomain;example.com;mx.example.com;25;relay;true;false",
    "account": "account;jo@example.org;Correct-Horse-7;Jo;Miller;true;SimpleUsers;jo@example.org;2048",
    "alias": "alias;info@example.org;true;jo@example.org",
    "forward": "forward;old@example.org;true;jo@example.com",
    "dlist": "dlist;team@example.org;true;jo@example.org;mia@example.com",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A type of line, the names of its cells, and one such line."""

    type: str
    cells: str
    line: str

    @property
    def parts(self) -> list[str]:
        """Its cells, between which a narrow screen may break the line."""
        return self.line.split(";")


def examples(actor: Actor) -> list[Example]:
    """Of the types that the actor may create."""
    return [
        Example(name, _cells(name), _LINES[name])
        for name, each in row_types().items()
        if name in _LINES and each.allow(actor)
    ]


def _cells(name: str) -> str:
    columns = row_types()[name].columns
    words = [f"{column.name}…" if column.repeats else column.name for column in columns]
    return "; ".join([name, *(f"[{w}]" if c.optional else w for c, w in zip(columns, words, strict=True))])
