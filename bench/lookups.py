"""Every question of Postfix and Dovecot against a SELECT on one unique text key, the fastest that SQL can answer.

    python bench/lookups.py [--mailboxes 100000] [--domains 500] [--rounds 15] [--keys 200] [--socket]

Queries are sent as Postfix sends them: text with the key inside, over loopback, nothing prepared. Both
questions are asked alternately with the same key. The rival is a table of its own with as many rows, rows as wide
and the same keys. Ratio = time of the rival / our time; goal ≥ 0.8. Ends with 1 when a goal is missed or when a plan
is anything but one index scan of one table.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

from django.db import connection

from admin import lookups
from bench import data
from bench.measuring import Table, heading, met

GOAL = 0.8
SEED = 20261122
# Domains whose published rows are derived anew and compared before anything is measured.
COMPARED = 20
POSTGRESQL = lookups.Engine.POSTGRESQL
MAILBOXES = lookups.Mailboxes(root="/srv/vmail", uid="vmail", gid="vmail")
POSTFIX = {lookup.name: lookup for lookup in lookups.POSTFIX}


@dataclass(frozen=True, slots=True)
class Question:
    """A query to time; *keys* is SQL for a column of text: keys that the mail server might ask."""

    name: str
    table: str
    keys: str

    def sql(self, key: str) -> str:
        """The query with its key, quoted as the mail server quotes it."""
        literal = "'" + key.replace("'", "''") + "'"
        lookup, _comma, _what = self.name.partition(",")
        if lookup == "passdb":
            return lookups.password_query(literal)
        if lookup.startswith("userdb"):
            return lookups.user_query(POSTGRESQL, literal, MAILBOXES, version=lookup.removeprefix("userdb "))
        return POSTFIX[lookup].sql(POSTGRESQL, literal)

    @property
    def rival_table(self) -> str:
        """Its table with one unique text key."""
        return f"rival_{self.table}"

    def rival_sql(self, key: str) -> str:
        """The fastest question about the same key."""
        return f"SELECT value FROM {self.rival_table} WHERE key = '{key}'"  # noqa: S608 - keys of our own making


_BOXES = "SELECT address FROM mail_user"
_ALIASES = "SELECT address FROM mail_sender WHERE source = 'alias'"
_EXTRA = "SELECT address FROM mail_sender WHERE source = 'extra'"
_UNKNOWN = "SELECT 'nobody-' || address FROM mail_user"
_FOREIGN = "SELECT substr(md5(address), 1, 12) || '.example.net' FROM mail_user"

QUESTIONS = (
    Question("domains, hit", "mail_domain", "SELECT name FROM mail_domain WHERE kind = 'mailbox'"),
    Question("domains, miss", "mail_domain", _FOREIGN),
    Question("domain-aliases, hit", "mail_domain", "SELECT name FROM mail_domain WHERE kind = 'alias'"),
    Question(
        "domain-aliases, a mailbox domain",
        "mail_domain",
        "SELECT name FROM mail_domain WHERE kind = 'mailbox'",
    ),
    Question("domain-aliases, miss", "mail_domain", _FOREIGN),
    Question("aliases, a mailbox's own", "mail_route", _BOXES),
    Question("aliases, an alias", "mail_route", _ALIASES),
    Question("aliases, @domain", "mail_route", "SELECT address FROM mail_route WHERE address LIKE '@%'"),
    Question("aliases, miss", "mail_route", _UNKNOWN),
    Question("maintain, hit", "mail_check", "SELECT address FROM mail_check"),
    Question("maintain, miss", "mail_check", _BOXES),
    Question("sender-login-mailboxes, own", "mail_sender", _BOXES),
    Question("sender-login-mailboxes, an alias", "mail_sender", _ALIASES),
    Question("sender-login-mailboxes, miss", "mail_sender", _UNKNOWN),
    Question("sender-login-aliases, hit", "mail_sender", _ALIASES),
    Question("sender-login-aliases, own", "mail_sender", _BOXES),
    Question("sender-login-aliases, miss", "mail_sender", _UNKNOWN),
    Question("sender-login-mailboxes-extra, hit", "mail_sender", _EXTRA),
    Question("sender-login-mailboxes-extra, own", "mail_sender", _BOXES),
    Question("sender-login-mailboxes-extra, miss", "mail_sender", _UNKNOWN),
    Question("passdb, hit", "mail_user", _BOXES),
    Question("passdb, miss", "mail_user", _UNKNOWN),
    Question("userdb 2.3, hit", "mail_user", _BOXES),
    Question("userdb 2.4, hit", "mail_user", _BOXES),
    Question("userdb 2.4, miss", "mail_user", _UNKNOWN),
)


def make_rival(table: str, key: str) -> None:
    """A table with a unique text key, as many rows and as wide; a key that occurs twice is told apart by "#2"."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE TABLE rival_{table} (key text COLLATE "C" PRIMARY KEY, value text NOT NULL);
            INSERT INTO rival_{table} (key, value)
                SELECT {key} || CASE WHEN nth > 1 THEN '#' || nth ELSE '' END, left(repeat(md5({key}), 12), width)
                FROM (SELECT {key}, row_number() OVER (PARTITION BY {key}) AS nth, greatest(8,
                        (avg(pg_column_size(t.*) - 24 - pg_column_size({key})) OVER ())::int) AS width
                    FROM {table} t) numbered
                ORDER BY md5({key});
            """  # noqa: S608 - names of ours
        )


def keys_of(question: Question, count: int, chance: random.Random) -> list[str]:
    """*count* keys drawn from all over the table."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({question.keys}) k(key) ORDER BY md5(key || '{SEED}') LIMIT {count}")  # noqa: S608 - ours
        found = [str(row[0]) for row in cursor.fetchall()]
    return chance.choices(found, k=count)


def plan_of(sql: str) -> tuple[str, bool]:
    """How PostgreSQL answers, and whether that is one index scan of one table."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (COSTS OFF) {sql}")
        lines = [str(row[0]) for row in cursor.fetchall()]
    top = lines[0]
    rest = [line for line in lines[1:] if not line.startswith(("  Index Cond:", "  Filter:"))]
    return top.replace(" using ", " "), top.startswith(
        ("Index Scan using", "Index Only Scan using")
    ) and not rest


def asked(cursor: Any, sql: str) -> float:
    """Microseconds until the answer is here."""
    start = time.perf_counter_ns()
    cursor.execute(sql)
    cursor.fetchall()
    return (time.perf_counter_ns() - start) / 1000


@dataclass(slots=True)
class Times:
    """Microseconds of both, by round and key."""

    ours: list[list[float]] = field(default_factory=list)
    rival: list[list[float]] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Median of the rounds."""
        return median(self._ratios())

    @property
    def spread(self) -> str:
        """Quartiles of the rounds: how much of the ratio is noise."""
        low, _middle, high = quantiles(self._ratios(), n=4)
        return f"{low:.3f}-{high:.3f}"

    def _ratios(self) -> list[float]:
        return [median(rival) / median(ours) for ours, rival in zip(self.ours, self.rival, strict=True)]


def measure(cursor: Any, keys: dict[Question, list[str]], rounds: int) -> dict[Question, Times]:
    """All questions once in a round; with each key, question and rival take turns in who begins."""
    times = {question: Times() for question in keys}
    for _round in range(rounds):
        for question, asked_keys in keys.items():
            ours, rival = [], []
            for place, key in enumerate(asked_keys):
                one, other = question.sql(key), question.rival_sql(key)
                if place % 2:
                    ours.append(asked(cursor, one))
                    rival.append(asked(cursor, other))
                else:
                    rival.append(asked(cursor, other))
                    ours.append(asked(cursor, one))
            times[question].ours.append(ours)
            times[question].rival.append(rival)
    return times


@contextmanager
def mail_server(*, by_socket: bool) -> Iterator[Any]:
    """The driver's own cursor on a connection that commits every question, as Postfix and Dovecot keep one."""
    own = connection.copy()
    if by_socket:
        with connection.cursor() as cursor:
            cursor.execute("SHOW unix_socket_directories")
            own.settings_dict["HOST"] = str(cursor.fetchone()[0])
    own.connect()
    try:
        yield own.connection.cursor()
    finally:
        own.close()


def main() -> int:
    """Load, measure, print; 0 when every goal is met."""
    parser = argparse.ArgumentParser(description="Lookups of mail servers against a unique text key.")
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--socket", action="store_true", help="ask over the Unix socket instead of TCP")
    given = parser.parse_args()
    data.load(data.Size(given.mailboxes, given.domains), data.super_admin())
    data.publish()
    if wrong := data.disagreement(one_in=max(1, given.domains // COMPARED)):
        print(f"The published tables differ from their derivation in {wrong} rows.")
        return 1
    megabytes = panel.megabytes()
    for table in sorted({question.table for question in QUESTIONS}):
        make_rival(table, "name" if table == "mail_domain" else "address")
    panel.vacuum()
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    keys = {question: keys_of(question, given.keys, chance) for question in QUESTIONS}
    size = f"{given.mailboxes:,} mailboxes in {given.domains:,} domains"
    heading(f"Lookups: {size}, {given.rounds} rounds of {given.keys} keys")
    with mail_server(by_socket=given.socket) as cursor:
        trips = [asked(cursor, "SELECT 1") for _time in range(given.keys * 10)]
        times = measure(cursor, keys, given.rounds)
    print(f"The database has {megabytes:,.0f} MB.")
    way = "a Unix socket" if given.socket else "TCP"
    print(
        f"Asked over {way}; SELECT 1 takes {median(trips):.0f} µs there, which both sides of each ratio contain.\n"
    )
    return report(times, keys)


def report(results: dict[Question, Times], keys: dict[Question, list[str]]) -> int:
    """Print; 0 when every goal is met."""
    table = Table(("lookup", "µs", "key SELECT µs", "ratio", "quartiles", f">= {GOAL}", "plan"))
    misses = 0
    for question, result in results.items():
        plan, simple = plan_of(question.sql(keys[question][0]))
        fast = met(result.ratio, GOAL, at_least=True)
        misses += fast == "no" or not simple
        ours, rival = median(chain.from_iterable(result.ours)), median(chain.from_iterable(result.rival))
        figures = (f"{ours:.1f}", f"{rival:.1f}", f"{result.ratio:.3f}", result.spread)
        table.add(question.name, *figures, fast, plan if simple else f"{plan} (NOT ONE INDEX SCAN)")
    table.show()
    print(f"\n{len(results) - misses} of {len(results)} questions meet the goal.")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
