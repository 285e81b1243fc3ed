"""Lists: plain arrays, streamed in portions, or in pages where the client asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from core.streaming import in_chunks, with_keys

_DEFAULT_SIZE: Final = 50
_LARGEST_SIZE: Final = 1000
_DIGITS: Final = 9
# What a search may add to rows: the smallest come first, unless the client asks for an order.
CLOSENESS: Final = "closeness"

Row = dict[str, Any]
Present = Callable[[Sequence[Any]], list[Row]]
Filter = Callable[[QuerySet[Any], str], QuerySet[Any]]


@dataclass(frozen=True)
class Listing:
    """What a list can be asked for. *orders*: columns by what ``?ordering=`` calls them; the first is the default."""

    orders: Mapping[str, Sequence[str]]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    search: Filter | None = None
    # Where it is not the first order.
    default: str = ""
    # Fields of a row; `?fields=` chooses among them.
    fields: Sequence[str] = ()


def truth(text: str) -> bool:
    """A boolean of a filter."""
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0"}:
        return False
    raise exceptions.ValidationError({"non_field_errors": f"“{text[:20]}” is neither true nor false."})


def by_choice(column: str) -> Filter:
    """The column says exactly this, in exactly this spelling."""

    def narrow(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(**{column: text}) if text else rows

    return narrow


def by_flag(column: str) -> Filter:
    """The column is true, or false."""

    def narrow(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(**{column: truth(text)}) if text else rows

    return narrow


def by_number(column: str) -> Filter:
    """The column is this number."""

    def narrow(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        if not text:
            return rows
        if not (text.isascii() and text.isdigit() and len(text) <= 2 * _DIGITS):
            raise exceptions.ValidationError({"non_field_errors": f"“{text[:20]}” is no number."})
        return rows.filter(**{column: int(text)})

    return narrow


def answer_list(
    request: Request, rows: QuerySet[Any], listing: Listing, present: Present
) -> HttpResponseBase:
    """The rows that the client asks for, filtered, sorted, in pages or all of them."""
    given = request.query_params
    for name, narrow in listing.filters.items():
        if name in given:
            rows = narrow(rows, given[name])
    if listing.search is not None and given.get("search", "").strip():
        rows = listing.search(rows, given["search"])
    order = _order(given.get("ordering") or listing.default, listing.orders)
    if CLOSENESS in rows.query.annotations and not given.get("ordering"):
        order.insert(0, CLOSENESS)
    rows = rows.order_by(*order)
    present = _sparse(given.get("fields", ""), listing.fields, present)
    if "page" in given or "page_size" in given:
        return _page(request, rows, present)
    # The first rows are read here: what goes wrong with them is an answer still.
    chunks = map(present, in_chunks(rows))
    first = next(chunks, [])
    return StreamingHttpResponse(_array(first, chunks), content_type="application/json")


def _order(wanted: str, orders: Mapping[str, Sequence[str]]) -> list[str]:
    names = [name.strip() for name in wanted.split(",") if name.strip()] or [next(iter(orders))]
    columns: list[str] = []
    for name in names:
        if name.removeprefix("-") not in orders:
            message = f"Lists are ordered by {', '.join(orders)}."
            raise exceptions.ValidationError({"ordering": [message]}, code="unknown_order")
        sign = "-" if name.startswith("-") else ""
        columns += [f"{sign}{column}" for column in orders[name.removeprefix("-")]]
    return list(dict.fromkeys([*columns, "pk"]))


def _sparse(wanted: str, known: Sequence[str], present: Present) -> Present:
    if not wanted:
        return present
    names = [name.strip() for name in wanted.split(",")]
    if unknown := sorted(set(names).difference(known)):
        message = f"There is no field {', '.join(unknown)[:100]}."
        raise exceptions.ValidationError({"fields": [message]}, code="unknown_field")

    def sparsely(rows: Sequence[Any]) -> list[Row]:
        return [{name: row[name] for name in names if name in row} for row in present(rows)]

    return sparsely


# --- all of them -----------------------------------------------------------------------------------------------


def _array(first: list[Row], others: Iterator[list[Row]]) -> Iterator[bytes]:
    yield b"["
    yield _joined(first)
    for rows in others:
        yield b"," + _joined(rows)
    yield b"]"


def _joined(rows: Iterable[Row]) -> bytes:
    return ",".join(map(to_json, rows)).encode()


def to_json(value: Any) -> str:
    """As the renderer writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- pages -----------------------------------------------------------------------------------------------------


def _page(request: Request, rows: QuerySet[Any], present: Present) -> Response:
    number = _number(request, "page", 1)
    size = min(_number(request, "page_size", _DEFAULT_SIZE), _LARGEST_SIZE)
    total = rows.order_by().count()
    pages = max(1, -(-total // size))
    response = Response(present(_on_page(rows, (number - 1) * size, size, total)))
    response["X-Total-Count"] = str(total)
    wanted = {"first": 1, "prev": min(number - 1, pages), "next": number + 1, "last": pages}
    links = [
        f'<{_address(request, page, size)}>; rel="{name}"'
        for name, page in wanted.items()
        if 1 <= page <= pages
    ]
    response["Link"] = ", ".join(links)
    return response


def _on_page(rows: QuerySet[Any], skipped: int, size: int, total: int) -> list[Model]:
    """By keys first, skipped from the nearer end: the last page costs what the first one costs."""
    behind = total - skipped - size
    keys = rows.values_list("pk", flat=True)
    if skipped >= total:
        return []
    if skipped <= behind:
        ids = list(keys[skipped : skipped + size])
    else:
        ids = list(keys.reverse()[max(behind, 0) : total - skipped])[::-1]
    return with_keys(rows, ids)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text)):
        message = "This is a whole number from 1."
        raise exceptions.ValidationError({name: [message]}, code="invalid")
    return int(text)


def _address(request: Request, page: int, size: int) -> str:
    given = {name: request.query_params[name] for name in request.query_params}
    query = urlencode(given | {"page": str(page), "page_size": str(size)})
    return request.build_absolute_uri(f"{request.path}?{query}")
