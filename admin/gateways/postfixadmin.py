"""PostfixAdmin's database, read and never written: any version from 2.3 on, on MySQL, MariaDB, PostgreSQL or SQLite.

Tables are read by their keys, some thousand rows at a time: the drivers of MySQL fetch whole results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import dj_database_url
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend
from django.utils.translation import gettext as _

_ROWS_AT_ONCE: Final = 2_000
_ALIAS: Final = "pfxadmin"
# What is read of each table: its keys, then other columns. Those after the bar came with later versions.
_COLUMNS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "domain": (("domain",), ("maxquota", "quota", "transport", "backupmx", "active"), ()),
    "alias_domain": (("alias_domain",), ("target_domain", "active"), ()),
    "admin": (("username",), ("password", "active"), ("superadmin",)),
    "domain_admins": (("username", "domain"), ("active",), ()),
    "mailbox": (("username",), ("password", "name", "quota", "domain", "active"), ()),
    "alias": (("address",), ("goto", "domain", "active"), ()),
    "vacation": (("email",), ("subject", "body", "active"), ("activefrom", "activeuntil", "interval_time")),
}
# Came after 2.3, or is not used by everybody.
_OPTIONAL: Final = frozenset({"alias_domain", "vacation"})

Row = dict[str, Any]


class SourceError(Exception):
    """This database cannot be read, or is not PostfixAdmin's."""


@dataclass(frozen=True, slots=True)
class PostfixAdmin:
    """A connection, and what stands before the names of the tables."""

    connection: BaseDatabaseWrapper
    prefix: str = ""

    def rows(self, table: str) -> Iterator[Row]:
        """Every row by its key, with the columns that there are; raises :class:`SourceError`."""
        keys, needed, later = _COLUMNS[table]
        present = self._columns(f"{self.prefix}{table}")
        if not present and table in _OPTIONAL:
            return
        if missing := [name for name in (*keys, *needed) if name not in present]:
            message = _("The table “%(table)s” of PostfixAdmin has no column “%(column)s”.")
            if not present:
                message = _("There is no table “%(table)s”: is this PostfixAdmin's database?")
            raise SourceError(message % {"table": f"{self.prefix}{table}", "column": missing[0]})
        names = [*keys, *needed, *(name for name in later if name in present)]
        connection = self.connection
        quote = connection.ops.quote_name
        listed, ordered = ", ".join(map(quote, names)), ", ".join(map(quote, keys))
        select = f"SELECT {listed} FROM {quote(self.prefix + table)}"  # noqa: S608  quoted names
        beyond = " OR ".join(
            "(" + " AND ".join([*(f"{quote(each)} = %s" for each in keys[:at]), f"{quote(key)} > %s"]) + ")"
            for at, key in enumerate(keys)
        )
        last: list[Any] = []
        while True:
            given = [value for at in range(len(keys)) for value in last[: at + 1]] if last else []
            where = f" WHERE {beyond}" if last else ""
            with connection.cursor() as cursor:
                cursor.execute(f"{select}{where} ORDER BY {ordered} LIMIT {_ROWS_AT_ONCE}", given)
                some = cursor.fetchall()
            for values in some:
                yield dict(zip(names, values, strict=True))
            if len(some) < _ROWS_AT_ONCE:
                return
            last = list(some[-1][: len(keys)])

    def _columns(self, table: str) -> set[str]:
        connection = self.connection
        with connection.cursor() as cursor:
            if table not in connection.introspection.table_names(cursor):
                return set()
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} WHERE 1 = 0")  # noqa: S608  a quoted name
            return {column[0] for column in cursor.description}


@contextmanager
def opened(where: str, prefix: str = "") -> Iterator[PostfixAdmin]:
    """The database at a URL, or of a connection of the settings; one snapshot, for reading only where that can be said.

    Raises :class:`SourceError`.
    """
    connection = _connection(where)
    try:
        with _snapshot(connection):
            yield PostfixAdmin(connection, prefix)
    except DatabaseError as error:
        reason = next(iter(str(error).strip().splitlines()), "?")
        raise SourceError(_("PostfixAdmin's database: %(reason)s") % {"reason": reason}) from error
    finally:
        if where not in connections.settings:
            connection.close()


def _connection(where: str) -> BaseDatabaseWrapper:
    if where in connections.settings:
        return connections[where]
    if "://" not in where:
        message = _("“%(name)s” is neither a connection of the settings nor the URL of a database.")
        raise SourceError(message % {"name": where})
    try:
        parsed: dict[str, Any] = {**dj_database_url.parse(where)}
    except ValueError as error:
        raise SourceError(_("This is not the URL of a database: %(reason)s") % {"reason": error}) from error
    settings = connections.configure_settings({"default": {}, _ALIAS: parsed})[_ALIAS]
    connection: BaseDatabaseWrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, _ALIAS)
    return connection


@contextmanager
def _snapshot(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """One transaction that is given up in the end."""
    if connection.in_atomic_block:
        yield
        return
    reading = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    if connection.vendor == "mysql":
        _execute(connection, reading)  # about the next transaction
    connection.set_autocommit(False)
    try:
        if connection.vendor != "mysql":
            _execute(connection, "BEGIN" if connection.vendor == "sqlite" else reading)
        yield
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def _execute(connection: BaseDatabaseWrapper, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
