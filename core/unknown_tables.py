"""Tables that no installed app knows, such as those of a plugin that is gone, whose rows keep ours from deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

if TYPE_CHECKING:
    from django.db import IntegrityError


def unknown_tables_behind(error: IntegrityError) -> list[str]:
    """Names of unknown tables with a foreign key to one of ours, as far as *error* may be theirs."""
    connection = transaction.get_connection()
    if connection.needs_rollback:
        return []  # nothing can be asked
    introspection = connection.introspection
    ours = set(introspection.django_table_names())
    with connection.cursor() as cursor:
        # The error names the table that refers; SQLite's names none.
        unknown = [
            table
            for table in sorted(set(introspection.table_names(cursor)) - ours)
            if connection.vendor == "sqlite" or table in str(error)
        ]
        return [
            table
            for table in unknown
            if any(
                other in ours
                for _column, other, *_rest in introspection.get_relations(cursor, table).values()
            )
        ]
