"""What every list shares: one page of rows, filter chips, an order; all of it from the URL, none of it trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from core.paging import Page, page_of
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.functional import _StrOrPromise

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter."""

    value: str
    label: _StrOrPromise
    selected: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A chip above a list; *value* is blank while it is off."""

    name: str
    label: _StrOrPromise
    value: str
    value_label: _StrOrPromise
    choices: list[Choice]


@dataclass(frozen=True)
class Listing(Generic[T]):
    """Context of a list template. *facts_text* is called only where the sentence is shown: it may cost a query."""

    rows: list[T]
    page: Page
    query: str
    filters: list[Filter]
    sort: str
    facts_text: Callable[[], str]


def page_at(wanted: str, total: int, size: int = 0) -> Page:
    """The page that the URL asks for, or the nearest that exists; *size* 0: as the parameter says."""
    return page_of(wanted, total, size or int(get_global_parameter("items_per_page", "core")))


def rows_on(page: Page, rows: QuerySet[Any, T], order: Sequence[str]) -> list[T]:
    """Rows of one page, skipped from the nearer end: the last page costs what the first one costs."""
    before, behind = max(page.first - 1, 0), page.total - page.last
    if before <= behind:
        return list(rows.order_by(*order)[before : page.last])
    backwards = rows.order_by(*map(_inverted, order))[behind : page.total - before]
    return list(backwards)[::-1]


def chosen_order(wanted: str, columns: Mapping[str, Sequence[str]], default: str) -> tuple[str, list[str]]:
    """What to tell the template ("" for the default order), and the columns to order by."""
    key = wanted.removeprefix("-")
    if key not in columns:
        return "", list(columns[default])
    order = columns[key]
    return wanted, [_inverted(column) for column in order] if wanted.startswith("-") else list(order)


def chip(
    name: str, label: _StrOrPromise, options: Sequence[tuple[str, _StrOrPromise]], given: Mapping[str, str]
) -> Filter:
    """A filter with fixed values; anything else in the URL leaves it off."""
    labels = dict(options)
    value = given.get(name, "")
    value = value if value in labels else ""
    choices = [Choice(option, words, option == value) for option, words in options]
    return Filter(name, label, value, labels.get(value, ""), choices)


def _inverted(column: str) -> str:
    return column[1:] if column.startswith("-") else f"-{column}"
