from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

COLUMNS = ("first_name", "last_name")


def index_beginnings(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Let PostgreSQL find a person by the beginning of a name, in any case, as ``istartswith`` writes it."""
    if editor.connection.vendor == "postgresql":
        for column in COLUMNS:
            editor.execute(
                f"CREATE INDEX core_user_{column}_begins ON core_user (UPPER({column}::text) text_pattern_ops)"
            )


def drop_indexes(_apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Undo it."""
    if editor.connection.vendor == "postgresql":
        for column in COLUMNS:
            editor.execute(f"DROP INDEX core_user_{column}_begins")


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0005_tokens_in_domains"),
    ]

    operations = [
        migrations.RunPython(index_beginnings, drop_indexes),
    ]
