"""What every new database connection is told."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def prepare(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """What PostgreSQL is told about long lists of keys.

    Its just-in-time compiler would work for hundreds of milliseconds on what then takes twenty. And a page that is
    looked up costs little more than one that is read along: with the default, made for disks that turn, it reads a
    table of 100,000 rows to find a thousand.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off; SET random_page_cost = 1.1")


def prepare_every_connection() -> None:
    """Called once, when the apps are ready."""
    connection_created.connect(prepare, dispatch_uid="core.connections.prepare")
