"""What every new database connection is told."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def prepare(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Switch PostgreSQL's just-in-time compiler off.

    It compiles for hundreds of milliseconds what our largest queries, long lists of keys, then do in twenty.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")


def prepare_every_connection() -> None:
    """Called once, when the apps are ready."""
    connection_created.connect(prepare, dispatch_uid="core.connections.prepare")
