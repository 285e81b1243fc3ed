"""One page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Page:
    """Place in a list: *first* and *last* count rows from 1; an empty list is page 1 of 1, rows 0 to 0."""

    number: int
    pages: int
    first: int
    last: int
    total: int

    @property
    def has_previous(self) -> bool:
        """There are rows before."""
        return self.number > 1

    @property
    def has_next(self) -> bool:
        """There are rows behind."""
        return self.number < self.pages


def page_of(wanted: str, total: int, size: int) -> Page:
    """The page that the URL asks for, or the nearest that exists."""
    pages = max(1, -(-total // size))
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= _DIGITS else 1
    number = min(max(number, 1), pages)
    return Page(number, pages, min((number - 1) * size + 1, total), min(number * size, total), total)
