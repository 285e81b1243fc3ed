"""Rows of the database, a thousand at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)

_CHUNK: Final = 1000


def in_chunks(rows: QuerySet[M]) -> Iterator[list[M]]:
    """Lists of rows in the order of the query. They are no snapshot: what was deleted meanwhile may be missing."""
    return _by_keys(rows) if _fetches_whole_results(rows) else _by_cursor(rows)


def in_order_of(column: str, rows: QuerySet[M]) -> Iterator[list[M]]:
    """As ``in_chunks``, by a column in which no two rows are alike: so there is nothing to remember anywhere."""
    return _by_value(column, rows) if _fetches_whole_results(rows) else _by_cursor(rows.order_by(column))


def with_keys(rows: QuerySet[M], keys: Sequence[int]) -> list[M]:
    """Those of *rows* that have the *keys*, in the order of these."""
    found = {row.pk: row for row in rows.order_by().filter(pk__in=list(keys))}
    return [found[pk] for pk in keys if pk in found]


def _fetches_whole_results(rows: QuerySet[M]) -> bool:
    """The driver of MariaDB does."""
    return connections[rows.db].vendor == "mysql"


def _by_cursor(rows: QuerySet[M]) -> Iterator[list[M]]:
    left = iter(rows.iterator(chunk_size=_CHUNK))
    while some := list(islice(left, _CHUNK)):
        yield some


def _by_keys(rows: QuerySet[M]) -> Iterator[list[M]]:
    """Keys, some bytes each, instead of rows."""
    keys = array("q", rows.values_list("pk", flat=True))
    for start in range(0, len(keys), _CHUNK):
        yield with_keys(rows, keys[start : start + _CHUNK])


def _by_value(column: str, rows: QuerySet[M]) -> Iterator[list[M]]:
    left = rows = rows.order_by(column)
    while some := list(left[:_CHUNK]):
        yield some
        left = rows.filter(**{f"{column}__gt": getattr(some[-1], column)})
