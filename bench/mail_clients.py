"""Connections as mail servers keep them: a query is text with its key inside, sent whole, with nothing prepared before.

Each engine is asked through the C library that Postfix and Dovecot are linked with: libpq (psycopg2 adds little when it
is given no parameters), libmariadb itself, and SQLite without the statement cache of Python's module.
"""

from __future__ import annotations

import ctypes
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from tests.servers.database import Database, Engine

Ask = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def libpq(database: Database, *, by_socket: bool) -> Iterator[Ask]:
    """A connection to PostgreSQL that commits every question."""
    own = connection.copy()
    own.settings_dict["NAME"] = database.name
    if by_socket:
        with connection.cursor() as cursor:
            cursor.execute("SHOW unix_socket_directories")
            own.settings_dict["HOST"] = str(cursor.fetchone()[0])
    own.connect()
    cursor = own.connection.cursor()

    def ask(sql: str) -> list[tuple[Any, ...]]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    try:
        yield ask
    finally:
        own.close()


_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p
# Function: its result and its arguments.
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "mysql_init": (_POINTER, [_POINTER]),
    "mysql_real_connect": (
        _POINTER,
        [_POINTER, _TEXT, _TEXT, _TEXT, _TEXT, ctypes.c_uint, _TEXT, ctypes.c_ulong],
    ),
    "mysql_set_character_set": (ctypes.c_int, [_POINTER, _TEXT]),
    "mysql_real_query": (ctypes.c_int, [_POINTER, _TEXT, ctypes.c_ulong]),
    "mysql_store_result": (_POINTER, [_POINTER]),
    "mysql_num_fields": (ctypes.c_uint, [_POINTER]),
    "mysql_fetch_row": (ctypes.POINTER(_TEXT), [_POINTER]),
    "mysql_free_result": (None, [_POINTER]),
    "mysql_error": (_TEXT, [_POINTER]),
    "mysql_close": (None, [_POINTER]),
}


@contextmanager
def libmariadb(database: Database, *, by_socket: bool) -> Iterator[Ask]:
    """A connection to MariaDB; PyMySQL would take several times as long for the answer as the server."""
    library = ctypes.CDLL("libmariadb.so.3")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    handle = library.mysql_init(None)

    def check(done: object) -> None:
        if not done:
            raise RuntimeError(library.mysql_error(handle).decode())

    def ask(sql: str) -> list[tuple[Any, ...]]:
        text = sql.encode()
        check(library.mysql_real_query(handle, text, len(text)) == 0)
        answer = library.mysql_store_result(handle)
        if not answer:
            return []
        width = library.mysql_num_fields(answer)
        rows = []
        while row := library.mysql_fetch_row(answer):
            rows.append(tuple(row[:width]))
        library.mysql_free_result(answer)
        return rows

    login = [each.encode() for each in (database.user, database.password, database.name)]
    tcp = (database.host.encode(), *login, database.port, None, 0)
    try:
        check(library.mysql_real_connect(handle, *tcp))
        check(library.mysql_set_character_set(handle, b"utf8mb4") == 0)
        if by_socket:
            place = ask("SELECT @@socket")[0][0]
            library.mysql_close(handle)
            handle = library.mysql_init(None)
            check(library.mysql_real_connect(handle, b"localhost", *login, 0, place, 0))
            check(library.mysql_set_character_set(handle, b"utf8mb4") == 0)
        yield ask
    finally:
        library.mysql_close(handle)


@contextmanager
def libsqlite(database: Database, *, by_socket: bool) -> Iterator[Ask]:  # noqa: ARG001 - there is only one way
    """A file, opened for reading; every statement is prepared anew, as Postfix does."""
    file = sqlite3.connect(
        f"{Path(database.name).as_uri()}?mode=ro", uri=True, isolation_level=None, cached_statements=0
    )

    def ask(sql: str) -> list[tuple[Any, ...]]:
        return file.execute(sql).fetchall()

    try:
        yield ask
    finally:
        file.close()


CLIENTS = {Engine.POSTGRESQL: libpq, Engine.MARIADB: libmariadb, Engine.SQLITE: libsqlite}


def timed(ask: Ask, sql: str) -> float:
    """Microseconds until the whole answer is here."""
    start = time.perf_counter_ns()
    ask(sql)
    return (time.perf_counter_ns() - start) / 1000


# --- plans ------------------------------------------------------------------------------------------------------


def _postgresql_plan(ask: Ask, sql: str) -> tuple[str, bool]:
    top, *rest = [str(row[0]) for row in ask(f"EXPLAIN (COSTS OFF) {sql}")]
    inner = [line for line in rest if not line.startswith(("  Index Cond:", "  Filter:"))]
    has_key = any(line.startswith("  Index Cond:") for line in rest)
    scan = top.startswith(("Index Scan using", "Index Only Scan using"))
    return top.replace(" using ", " "), scan and has_key and not inner


# The planner has looked a unique key up, and found nothing.
_MARIADB_MISS = b"Impossible WHERE noticed after reading const tables"


def _mariadb_plan(ask: Ask, sql: str) -> tuple[str, bool]:
    rows = ask(f"EXPLAIN {sql}")
    _id, _select, table, access, _possible, key, *_rest, extra = rows[0]
    if len(rows) == 1 and extra == _MARIADB_MISS:
        return "const, no row", True
    text = " ".join(part.decode() for part in (access, key, b"on", table, extra) if part)
    return text, len(rows) == 1 and access in {b"const", b"ref"} and key is not None


def _sqlite_plan(ask: Ask, sql: str) -> tuple[str, bool]:
    lines = [str(row[3]) for row in ask(f"EXPLAIN QUERY PLAN {sql}")]
    return "; ".join(lines), len(lines) == 1 and lines[0].startswith("SEARCH ") and " INDEX " in lines[0]


PLANS = {
    Engine.POSTGRESQL: _postgresql_plan,
    Engine.MARIADB: _mariadb_plan,
    Engine.SQLITE: _sqlite_plan,
}
