"""System checks about the database that mail servers share with the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import connections

from admin.models import Quota

_TRIGGERS = {
    "postgresql": ("SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal"),
    "mysql": (
        "SELECT trigger_name FROM information_schema.triggers "
        "WHERE event_object_schema = database() AND event_object_table = %s"
    ),
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
}


@register(Tags.database)
def quota_table_has_no_trigger(
    databases: Sequence[str] | None = None, **_options: Any
) -> Sequence[CheckMessage]:
    """Dovecot replaces rows by itself; the merge trigger of old installation guides adds absolute numbers up."""
    found = []
    for alias in databases or ():
        connection = connections[alias]
        with connection.cursor() as cursor:
            cursor.execute(_TRIGGERS[connection.vendor], [Quota._meta.db_table])
            names = [name for (name,) in cursor.fetchall()]
        found += [
            Warning(
                f"The table admin_quota has the trigger “{name}”.",
                hint="Drop it: with Dovecot 2.4 a merge trigger makes the usage wrong.",
                id="admin.W001",
            )
            for name in names
        ]
    return found
