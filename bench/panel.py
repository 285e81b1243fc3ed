"""A migrated panel in a private database server, for one benchmark.

The script runs twice: first it starts the server and itself again, then, with DATABASE_URL in the environment, it
measures. So models can be imported at the top of a script, below the call of :func:`enter`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import django
from django.core.management import call_command
from django.db import connection

from tests.servers import postgresql
from tests.servers.database import Engine
from tests.servers.engines import private_server
from tests.servers.processes import end_leftovers, short_directory

# Beyond what tests use: everything fits into memory, as on a mail server of that size, and no checkpoint interferes.
# fsync and autovacuum stay off as in the tests; the data are analysed after loading.
_POSTGRESQL = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
}
_MARK = "MODOBOA_BENCH_SERVER"


def enter(engine: Engine = Engine.POSTGRESQL) -> None:
    """Return in a process whose Django uses an empty, migrated database of its own; the caller's process ends."""
    if os.environ.get(_MARK) == "started":
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        return
    postgresql.SETTINGS.update(_POSTGRESQL)
    end_leftovers()
    with short_directory("mb-") as directory, private_server(engine, directory) as database:
        env = {**os.environ, _MARK: "started", "DATABASE_URL": database.url}
        code = subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode  # noqa: S603 - ourselves
    sys.exit(code)


def engine_asked_for() -> Engine:
    """Value of ``--engine``, which must be known before the script can import any model."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--engine", type=Engine, default=Engine.POSTGRESQL)
    return parser.parse_known_args()[0].engine  # type: ignore[no-any-return]  # argparse has no types


def vacuum() -> None:
    """Leave tables as a server that has run for a while has them: visible to index-only scans, with statistics."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def megabytes() -> float:
    """Size of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return float(cursor.fetchone()[0]) / 1024**2
