"""Writing and deleting many rows, where Django's own ways take seconds for thousands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from admin.publication import chunks
from core import plugins

M = TypeVar("M", bound=Model)

_CASES = 500


def save_columns(rows: Sequence[M], columns: Collection[str]) -> None:
    """Write *columns* of stored *rows*: what is the same everywhere in one plain UPDATE, the rest row by row.

    ``bulk_update`` alone spells out a CASE for every row and column.
    """
    if not rows or not columns:
        return
    manager = type(rows[0])._base_manager
    first = {column: getattr(rows[0], column) for column in columns}
    same = {c: value for c, value in first.items() if all(getattr(row, c) == value for row in rows)}
    if same:
        for some in chunks(row.pk for row in rows):
            manager.filter(pk__in=some).update(**same)
    if different := [column for column in columns if column not in same]:
        manager.bulk_update(rows, different, batch_size=_CASES)


def delete_rows(rows: QuerySet[Any, Any]) -> None:
    """Delete *rows*, to which nothing of ours refers any more, in one statement; ``delete()`` goes by the hundred.

    Where plugins refer to such rows, Django does what their models say.
    """
    if any(not plugins.is_ours(each.related_model) for each in rows.model._meta.related_objects):
        rows.delete()
        return
    rows._raw_delete(rows.db)  # noqa: SLF001  the only way around it
