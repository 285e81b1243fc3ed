"""CSV import: accounts with given hashes, with clear passwords, and how time and memory grow.

    python bench/imports.py [--engine postgresql|sqlite] [--accounts 100000] [--many 1000000] [--clear 400]

The file is imported as `modo import` does it, in a process of its own whose peak of memory is told: published rows,
history and event log are part of it. The same rows are then copied away and inserted by plain SQL, a thousand in a
statement. --many 0 leaves the large file out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter(panel.engine_asked_for())

import os
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from admin.imports.files import CsvFile, Layout
from admin.imports.report import Outcome, Report
from admin.imports.row_types import Options, columns
from admin.imports.running import Import
from bench.data import PASSWORD
from bench.measuring import Table, heading, met
from core.actor import Actor, Credential
from core.models import User
from core.passwords import DEFAULT_ROUNDS, hash_password
from parameters import tools
from tests.servers.database import Engine

GOAL_RATE = 2_000
GOAL_HASHING = 0.8
GOAL_MEMORY_MB = 256
GOAL_GROWTH = 1.5
DOMAINS = 100
TABLES = (
    *("core_user", "admin_mailbox", "admin_quota", "mail_user", "mail_route", "mail_sender"),
    *("core_log", "reversion_version"),
)
_ROWS = 1_000
_HASHED_ALONE = 40
# What the part in a process of its own is told.
_PART = "--part"


def write_file(path: Path, accounts: int, password: str, mark: str) -> None:
    """Domains and accounts; the names of all of them begin with *mark*."""
    with path.open("w") as file:
        for number in range(DOMAINS):
            file.write(f"domain;{mark}{number}.example;0;500;true\n")
        for number in range(accounts):
            address = f"marie.weber{number}@{mark}{number % DOMAINS}.example"
            file.write(f"account;{address};{password};Marie;Weber;true;SimpleUsers;{address};500\n")


def part(path: Path, *, clear: bool) -> None:
    """Import the file in this process; prints seconds and megabytes."""
    actor = Actor(User.objects.get(username="admin"), Credential.COMMAND)
    started = time.perf_counter()
    with CsvFile(columns(), Layout()) as source, Report() as report:
        source.add_path(path)
        Import(actor, source, Options(crypt_password=clear), report).apply()
        created = report.total(Outcome.CREATED)
    seconds = time.perf_counter() - started
    print(created, seconds, _peak_mb())


def _peak_mb() -> float:
    """Of this process; ``getrusage`` also knows what its parent had when it began."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def imported(path: Path, accounts: int, *, clear: bool = False) -> tuple[float, float]:
    """Accounts a second, and megabytes of the process at its peak."""
    command = [sys.executable, __file__, _PART, str(path), *(["--passwords"] if clear else [])]
    told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
    created, seconds, peak = told.stdout.split()[-3:]
    if int(created) != accounts + DOMAINS:
        raise RuntimeError(told.stdout)
    return accounts / float(seconds), float(peak)


def plain_sql(accounts: int) -> float:
    """Accounts a second when the rows that are there are copied away and inserted again by nothing but SQL."""
    with connection.cursor() as cursor:
        rows: dict[str, tuple[str, list[tuple[object, ...]]]] = {}
        for table in TABLES:
            names = _written_columns(table)
            cursor.execute(f"SELECT {names} FROM {table} LIMIT {2 * accounts}")  # noqa: S608 - ours
            rows[table] = names, cursor.fetchall()
            cursor.execute(f"CREATE TABLE copy_{table} AS SELECT {names} FROM {table} WHERE 1 = 0")  # noqa: S608 - ours
        started = time.perf_counter()
        with transaction.atomic():
            for table, (names, content) in rows.items():
                marks = f"({', '.join(['%s'] * (names.count(',') + 1))})"
                for start in range(0, len(content), _ROWS):
                    some = content[start : start + _ROWS]
                    values: list[Any] = [value for row in some for value in row]
                    every = ", ".join([marks] * len(some))
                    cursor.execute(f"INSERT INTO copy_{table} ({names}) VALUES {every}", values)  # noqa: S608 - ours
        seconds = time.perf_counter() - started
        for table in TABLES:
            cursor.execute(f"DROP TABLE copy_{table}")
    return accounts / seconds


def _written_columns(table: str) -> str:
    """Columns of plain types: drivers give those of JSON back as something that they do not take."""
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, table)
    left_out = {"changed"}
    return ", ".join(column.name for column in description if column.name not in left_out)


def hashes_a_second() -> float:
    """Of libcrypt, on one core."""
    started = time.perf_counter()
    for number in range(_HASHED_ALONE):
        hash_password(f"{PASSWORD}{number}", "sha512crypt", DEFAULT_ROUNDS)
    return _HASHED_ALONE / (time.perf_counter() - started)


def main() -> int:
    """Measure and print; the number of goals that were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", type=Engine, default=Engine.POSTGRESQL)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--clear", type=int, default=400)
    asked = parser.parse_args()
    call_command("load_initial_data", verbosity=0)
    tools.forget()
    table = Table(["measurement", "value", "goal", "met"])

    def goal(name: str, value: float, wanted: float, *, digits: int = 0, at_least: bool = False) -> None:
        sign = ">=" if at_least else "<="
        shown = f"{value:,.{digits}f}", f"{sign} {wanted:,.{digits}f}"
        table.add(name, *shown, met(value, wanted, at_least=at_least))

    given = hash_password(PASSWORD, "sha512crypt", 5_000)
    heading(f"Import on {asked.engine}: {asked.accounts:,} accounts")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "accounts.csv"
        write_file(path, asked.accounts, given, "a")
        rate, peak = imported(path, asked.accounts)
        goal("accounts a second, hashes given", rate, GOAL_RATE, at_least=True)
        plainly = plain_sql(asked.accounts)
        table.add("of the same rows by plain SQL, without indexes", f"{rate / plainly:.2f}", "", "")
        goal("MB at the peak", peak, GOAL_MEMORY_MB)
        write_file(path, asked.clear, PASSWORD, "c")
        alone = hashes_a_second() * (os.cpu_count() or 1)
        clear, _peak = imported(path, asked.clear, clear=True)
        goal("clear passwords / (cores x libcrypt)", clear / alone, GOAL_HASHING, digits=2, at_least=True)
        if asked.many:
            write_file(path, asked.many, given, "m")
            many, peak = imported(path, asked.many)
            goal(
                f"time of a line among {asked.many:,} / {asked.accounts:,}",
                rate / many,
                GOAL_GROWTH,
                digits=2,
            )
            goal(f"MB at the peak of {asked.many:,}", peak, GOAL_MEMORY_MB)
    table.show()
    return sum(row[3] == "no" for row in table.rows)


if __name__ == "__main__":
    if _PART in sys.argv:
        part(Path(sys.argv[2]), clear="--passwords" in sys.argv)
        sys.exit(0)
    sys.exit(main())
