"""Filters of lists."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from admin.queries.searching import a_labels
from core.api.listing import Filter


def by_text(column: str) -> Filter:
    """The column says exactly this; names of domains may be typed in any script."""

    def narrow(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(**{column: a_labels(text.strip())}) if text.strip() else rows

    return narrow
