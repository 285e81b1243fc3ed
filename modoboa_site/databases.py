"""Database connections from URLs in the environment, with what the panel expects of each engine."""

from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from modoboa_site import environment as env
from modoboa_site import mysql_driver

_ENGINES = ("postgresql", "mysql", "sqlite3")


def from_environment(name: str, default: str | None = None) -> dict[str, Any]:
    """An entry of ``DATABASES`` out of the variable *name*; raises :class:`ImproperlyConfigured`."""
    return parse(env.text(name, default), name)


def parse(url: str, name: str) -> dict[str, Any]:
    """An entry of ``DATABASES``; *name* says where the URL came from, for messages, which never repeat it.

    Raises :class:`ImproperlyConfigured`.
    """
    try:
        database: dict[str, Any] = dict(
            dj_database_url.parse(
                url,
                conn_max_age=env.integer("MODOBOA_DATABASE_CONNECTION_AGE_S", default=60),
                conn_health_checks=True,
            )
        )
    except (ValueError, KeyError, dj_database_url.UnknownSchemeError) as error:
        msg = f"{name} is no database URL such as postgres://user:password@host:5432/name."
        raise ImproperlyConfigured(msg) from error
    engine = str(database["ENGINE"]).rpartition(".")[2]
    if engine not in _ENGINES or not database["NAME"]:
        msg = f"{name} must name a database of PostgreSQL, MariaDB, MySQL or SQLite."
        raise ImproperlyConfigured(msg)
    if engine == "sqlite3":
        # Write transactions take the lock at once (no deadlock at upgrade) and wait; write-ahead logging lets
        # Postfix and Dovecot read while we write.
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    elif engine == "mysql":
        # Addresses compare byte for byte, blanks at the end included (docs/adr/0003).
        database["OPTIONS"] = {
            **database.get("OPTIONS", {}),
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "init_command": "SET sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
        }
        mysql_driver.install()
    return database
