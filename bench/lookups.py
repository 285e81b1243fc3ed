"""Every question of Postfix and Dovecot against a SELECT on one unique text key, the fastest that SQL can answer.

    python bench/lookups.py [--engine mariadb] [--mailboxes 100000] [--domains 500] [--aliases 200000] [--crowd 10000]
                            [--small 10000] [--rounds 15] [--keys 100] [--socket]

Two databases of the same engine are asked in turn: the big one, where --crowd of the mailboxes are in one domain, and a
small one. The data of both are made in PostgreSQL and, for the other engines, copied from there.

The rival is a table of its own for each published table: one unique text key (compared as ours: "C",
utf8mb4_nopad_bin, binary) and one value, with as many rows, rows as wide, and the same keys. In each round both are
asked alternately with the same key. Ratio = time of the rival / our time, the median of the rounds; goal ≥ 0.8.
Growth = our time in the big database / our time in the small one in the same round; goal ≤ 1.3. Ends with 1 when a goal
is missed, or when a plan is anything but one search of one index. What only deliveries ask about names that they do not
know is measured as well, and has no goal but growth (docs/adr/0015).
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

import pymysql
from django.apps import apps
from django.db import connection

from admin import lookups
from bench import data
from bench.mail_clients import CLIENTS, PLANS, Ask, timed
from bench.measuring import Table, heading
from tests.servers import mariadb
from tests.servers.database import Database, Engine, database_from_url
from tests.servers.engines import private_server
from tests.servers.processes import short_directory

TOP = Path(__file__).resolve().parent.parent
GOAL = 0.8
GOAL_GROWTH = 1.3
SEED = 20261122
# Of the published rows so many are derived anew and compared before anything is measured: those of so many mailboxes,
# in at least so many domains.
COMPARED_MAILBOXES = 20_000
COMPARED_DOMAINS = 20
VENDORS = {
    Engine.POSTGRESQL: lookups.Engine.POSTGRESQL,
    Engine.MARIADB: lookups.Engine.MYSQL,
    Engine.SQLITE: lookups.Engine.SQLITE,
}
MAILBOXES = lookups.Mailboxes(root="/srv/vmail", uid="vmail", gid="vmail")
POSTFIX = {each.file_name.removeprefix("sql-").removesuffix(".cf"): each for each in lookups.postfix_maps()}
DOVECOT = ("passdb", "userdb 2.3", "userdb 2.4")
OTHER_NAMES = "userdb, other names"


# --- questions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """A query to time; *keys* is SQL for a column of text: keys that the mail server might ask."""

    lookup: str
    what: str
    table: str
    keys: str
    hit: bool
    # Keys in the one big domain alone.
    crowded: bool = False

    def sql(self, engine: lookups.Engine, key: str) -> str:
        """The query with its key, quoted as the mail server quotes it."""
        literal = "'" + key.replace("'", "''") + "'"
        if self.lookup == "passdb":
            return lookups.password_query(engine, literal)
        if self.lookup == OTHER_NAMES:
            parts = literal.strip("'").split("@")
            local_part, domain = (f"'{part}'" for part in parts)
            return lookups.kept_name_query(engine, literal, local_part, domain, MAILBOXES, version="2.4")
        if self.lookup in DOVECOT:
            version = self.lookup.removeprefix("userdb ")
            return lookups.user_query(engine, literal, MAILBOXES, version=version)
        return POSTFIX[self.lookup].sql(engine, literal)

    def rival_sql(self, key: str) -> str:
        """The fastest question about the same key."""
        return f"SELECT value FROM rival_{self.table} WHERE name = '{key}'"  # noqa: S608 - keys of our own making

    def __str__(self) -> str:
        place = ", in the one domain" if self.crowded else ""
        return f"{self.lookup}, {'hit' if self.hit else 'miss'}: {self.what}{place}"


_BOXES = "SELECT address FROM mail_user WHERE NOT is_moving"
_PLAIN_BOXES = f"{_BOXES} AND NOT EXISTS (SELECT FROM mail_transport t WHERE t.address = mail_user.address)"
_UNKNOWN = "SELECT 'nobody-' || address FROM mail_user"
_FOREIGN = "SELECT substr(md5(address), 1, 12) || '.example.net' FROM mail_user"
_ALIASES = "SELECT address FROM mail_sender WHERE alias_logins <> '' AND address LIKE 'team%'"
_LATER = "SELECT address FROM mail_route WHERE expires_at IS NOT NULL"
_EXPIRED = "SELECT address FROM admin_alias WHERE expire_at <= now() AND address NOT LIKE '@%'"
_ELSEWHERE = (
    "SELECT split_part(u.address, '@', 1) || '@' || d.name FROM mail_user u"
    " JOIN mail_domain d ON d.target = split_part(u.address, '@', 2) WHERE NOT u.is_moving"
)
_DOMAINS = "SELECT name FROM mail_domain WHERE kind = '{}'"
_CHECKS = "SELECT address FROM mail_check WHERE action = '{}'"
_TRANSPORTS = "SELECT address FROM mail_transport WHERE kind = '{}'"


def _questions(lookup: str, table: str, *, hit: dict[str, str], miss: dict[str, str]) -> Iterator[Question]:
    for found, keys in ((True, hit), (False, miss)):
        for what, sql in keys.items():
            yield Question(lookup, what, table, sql, found)


QUESTIONS = (
    *_questions(
        "domains",
        "mail_domain",
        hit={"a domain": _DOMAINS.format("mailbox")},
        miss={"an alias": _DOMAINS.format("alias"), "not ours": _FOREIGN},
    ),
    *_questions(
        "domain-aliases",
        "mail_domain",
        hit={"an alias": _DOMAINS.format("alias")},
        miss={"a domain": _DOMAINS.format("mailbox"), "not ours": _FOREIGN},
    ),
    *_questions(
        "aliases",
        "mail_route",
        hit={
            "a mailbox": _BOXES,
            "an alias": _ALIASES,
            "an alias that will expire": _LATER,
            "an expired alias": _EXPIRED,
            "@domain": "SELECT address FROM mail_route WHERE address LIKE '@%'",
        },
        miss={"unknown": _UNKNOWN},
    ),
    *_questions(
        "mailboxes",
        "mail_route",
        hit={"a mailbox": _BOXES},
        miss={"an alias": _ALIASES, "unknown": _UNKNOWN},
    ),
    *_questions(
        "maintain",
        "mail_check",
        hit={
            "is moving": _CHECKS.format("retry"),
            "is switched off or expired": _CHECKS.format("closed"),
            "has an extension": _CHECKS.format("open"),
        },
        miss={"a mailbox": _BOXES},
    ),
    *_questions(
        "spliteddomains-transport",
        "mail_transport",
        hit={"is moving": _TRANSPORTS.format("retry"), "in a relay domain": _TRANSPORTS.format("local")},
        miss={"a mailbox": _PLAIN_BOXES, "a relay domain": _TRANSPORTS.format("relay")},
    ),
    *_questions(
        "sender-login-mailboxes",
        "mail_sender",
        hit={"a mailbox": _BOXES, "an alias": _ALIASES},
        miss={"unknown": _UNKNOWN},
    ),
    *_questions(
        "sender-login-aliases",
        "mail_sender",
        hit={"an alias": _ALIASES},
        miss={"a mailbox": _BOXES, "unknown": _UNKNOWN},
    ),
    *_questions(
        "sender-login-mailboxes-extra",
        "mail_sender",
        hit={"given": "SELECT address FROM mail_sender WHERE extra_logins <> ''"},
        miss={"a mailbox": _BOXES, "unknown": _UNKNOWN},
    ),
    *_questions(
        "relaydomains",
        "mail_domain",
        hit={"a relay domain": _DOMAINS.format("relay")},
        miss={"a domain": _DOMAINS.format("mailbox"), "not ours": _FOREIGN},
    ),
    *_questions(
        "relaydomains-transport",
        "mail_transport",
        hit={"a relay domain": _TRANSPORTS.format("relay")},
        miss={"an address in one": _TRANSPORTS.format("local"), "a domain": _DOMAINS.format("mailbox")},
    ),
    *_questions(
        "relay-recipient-verification",
        "mail_check",
        hit={"is verified": _CHECKS.format("verify")},
        miss={
            "a domain": _DOMAINS.format("mailbox"),
            "a mailbox": _BOXES,
            "switched off": _CHECKS.format("closed"),
        },
    ),
    *chain.from_iterable(
        _questions(name, "mail_user", hit={"a mailbox": _BOXES}, miss={"unknown": _UNKNOWN})
        for name in DOVECOT
    ),
    *_questions(
        OTHER_NAMES,
        "mail_user",
        hit={"in another name of a domain": _ELSEWHERE},
        miss={"unknown": _UNKNOWN},
    ),
)
RIVALS = {table: "name" if table == "mail_domain" else "address" for table in data.PUBLISHED}


def keys_of(question: Question, count: int, crowd: str) -> list[str]:
    """*count* keys drawn from all over the table, of *crowd* or of everybody else; empty when there are none."""
    side = (
        f"right(name, {len(crowd) + 1}) {'=' if question.crowded else '<>'} '@{crowd}'" if crowd else "true"
    )
    with connection.cursor() as cursor:
        drawn = f"ORDER BY hashtextextended(name, {SEED}) LIMIT {count}"
        cursor.execute(f"SELECT name FROM ({question.keys}) k(name) WHERE {side} {drawn}")  # noqa: S608 - ours
        found = [str(row[0]) for row in cursor.fetchall()]
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    return chance.choices(found, k=count) if found else []


# --- databases --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Site:
    """A loaded database and the keys to ask it for."""

    database: Database
    keys: dict[Question, list[str]] = field(default_factory=dict)


def make_rival(table: str, key: str) -> None:
    """A table with a unique text key, the same keys, and rows as wide."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE TABLE rival_{table} (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);
            INSERT INTO rival_{table} (name, value)
                SELECT {key}, left(repeat(md5({key}), 12), width)
                FROM {table},
                    (SELECT greatest(8, avg(pg_column_size(t.*) - 24 - pg_column_size({key}))::int) AS width
                        FROM {table} t) size
                ORDER BY md5({key});
            """  # noqa: S608 - names of ours
        )


def fill(size: data.Size, count: int) -> dict[Question, list[str]]:
    """Load Django's database; returns the keys of every question. Ends the program when the rows are wrong."""
    data.load(size, data.super_admin())
    data.publish()
    one_in = max(1, min(size.domains // COMPARED_DOMAINS, size.mailboxes // COMPARED_MAILBOXES))
    if wrong := data.disagreement(one_in):
        sys.exit(f"The published tables differ from their derivation in {wrong} rows.")
    for table, key in RIVALS.items():
        make_rival(table, key)
    panel.vacuum()
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM admin_domain ORDER BY id LIMIT 1")
        crowd = str(cursor.fetchone()[0]) if size.crowd else ""
    keys = {question: keys_of(question, count, crowd) for question in QUESTIONS}
    if crowd:
        crowded = [replace(question, crowded=True) for question in QUESTIONS]
        keys |= {question: some for question in crowded if (some := keys_of(question, count, crowd))}
    return keys


def load_postgresql(sizes: dict[str, data.Size], count: int) -> list[Site]:
    """One database of the private server for each size."""
    own = database_from_url(os.environ["DATABASE_URL"])
    connection.close()
    others = [name for name in sizes if name != own.name]
    for name in others:
        Database(own.engine, "postgres", own.host, own.port, own.user, own.password).execute(
            f"CREATE DATABASE {name} TEMPLATE {own.name};"
        )
    sites = []
    for name, size in sizes.items():
        connection.close()
        connection.settings_dict["NAME"] = name
        print(f"{name}: {size}", end="", flush=True)
        keys = fill(size, count)
        print(f"; {panel.megabytes():,.0f} MB.", flush=True)
        sites.append(Site(Database(own.engine, name, own.host, own.port, own.user, own.password), keys))
    return sites


_NAME_COLUMN = {
    Engine.MARIADB: "varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
    Engine.SQLITE: "text",
}


def copy(source: Database, target: Database) -> None:
    """The published tables of *source* and their rivals, into an empty database."""
    env = {**os.environ, "DATABASE_URL": target.url}
    command = [sys.executable, str(TOP / "manage.py"), "migrate", "--verbosity=0"]
    subprocess.run(command, env=env, check=True)  # noqa: S603 - ourselves
    connection.close()
    connection.settings_dict["NAME"] = source.name
    with writer(target) as (cursor, mark), connection.cursor() as reading:
        for table, key in RIVALS.items():
            cursor.execute(
                f"CREATE TABLE rival_{table} (name {_NAME_COLUMN[target.engine]} PRIMARY KEY, value text NOT NULL)"
            )
            for name, order in ((table, key), (f"rival_{table}", "name")):
                chosen = ", ".join(_columns(table)) if name == table else "*"
                reading.execute(f"SELECT {chosen} FROM {name} ORDER BY md5({order})")  # noqa: S608 - names of ours
                columns = [column[0] for column in reading.description]
                marks = ", ".join([mark] * len(columns))
                into = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of ours
                while rows := reading.fetchmany(10_000):
                    cursor.executemany(into, [tuple(map(_portable, row)) for row in rows])
                if target.engine is Engine.MARIADB:
                    cursor.execute(f"ANALYZE TABLE {name}")
                    cursor.fetchall()


def _columns(table: str) -> list[str]:
    """Those that the database does not make itself."""
    model = next(model for model in apps.get_models() if model._meta.db_table == table)
    return [str(column.column) for column in model._meta.concrete_fields if not column.generated]


def _portable(value: Any) -> Any:
    """An instant as Django stores it without time zones."""
    return str(value.astimezone(UTC).replace(tzinfo=None)) if isinstance(value, datetime) else value


@contextmanager
def writer(target: Database) -> Iterator[tuple[Any, str]]:
    """A cursor whose work is committed at the end, and the mark for a parameter."""
    if target.engine is Engine.SQLITE:
        file = sqlite3.connect(target.name)
        yield file.cursor(), "?"
        file.commit()
        file.close()
        return
    place = {"host": target.host, "port": target.port, "user": target.user, "password": target.password}
    link = pymysql.connect(**place, database=target.name, charset="utf8mb4")
    yield link.cursor(), "%s"
    link.commit()
    link.close()


# --- measuring --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Times:
    """Medians of the rounds in µs: ours and the rival in the big database, and ours in the small one."""

    ours: list[float] = field(default_factory=list)
    rival: list[float] = field(default_factory=list)
    small: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Of the rival to ours."""
        return median(self._ratios())

    @property
    def spread(self) -> str:
        """Quartiles of the rounds: how much of the ratio is noise."""
        low, _middle, high = quantiles(self._ratios(), n=4)
        return f"{low:.2f}-{high:.2f}"

    @property
    def growth(self) -> float:
        """Of ours from small to big."""
        return median(big / small for big, small in zip(self.ours, self.small, strict=True))

    @property
    def good(self) -> bool:
        """Whether both goals are met."""
        return self.ratio >= GOAL and self.growth <= GOAL_GROWTH

    def _ratios(self) -> list[float]:
        return [rival / ours for ours, rival in zip(self.ours, self.rival, strict=True)]


def ask_all(ask: Ask, question: Question, engine: lookups.Engine, keys: Sequence[str]) -> tuple[float, float]:
    """Median µs of ours and of the rival; with each key they take turns in who begins."""
    ours, rival = [], []
    for place, key in enumerate(keys):
        one, other = question.sql(engine, key), question.rival_sql(key)
        if place % 2:
            ours.append(timed(ask, one))
            rival.append(timed(ask, other))
        else:
            rival.append(timed(ask, other))
            ours.append(timed(ask, one))
    return median(ours), median(rival)


def measure(
    engine: Engine, big: tuple[Site, Ask], small: tuple[Site, Ask], rounds: int
) -> dict[Question, Times]:
    """All questions once in a round, to both databases, which take turns in who begins."""
    vendor = VENDORS[engine]
    (site, ask), (small_site, ask_small) = big, small
    times = {question: Times() for question in site.keys}
    for number in range(rounds):
        for question, result in times.items():
            little = small_site.keys[replace(question, crowded=False)]
            if number % 2:
                result.small.append(ask_all(ask_small, question, vendor, little)[0])
            ours, rival = ask_all(ask, question, vendor, site.keys[question])
            if not number % 2:
                result.small.append(ask_all(ask_small, question, vendor, little)[0])
            result.ours.append(ours)
            result.rival.append(rival)
    return times


def check_answers(engine: Engine, site: Site, ask: Ask) -> None:
    """Every key is answered, or is not, as the question says."""
    for question, keys in site.keys.items():
        wrong = [key for key in keys if bool(ask(question.sql(VENDORS[engine], key))) != question.hit]
        if wrong or not keys:
            sys.exit(f"{question} does not hold for {wrong[:3]} of {len(keys)} keys in {site.database.name}.")


def report(engine: Engine, results: dict[Question, Times], site: Site, ask: Ask) -> int:
    """Print every question, then every lookup with its worst figures; 0 when every goal is met."""
    plans = {
        question: [PLANS[engine](ask, question.sql(VENDORS[engine], key)) for key in site.keys[question][:5]]
        for question in results
    }
    table = Table(("question", "µs", "key SELECT µs", "ratio", "quartiles", "growth", "plan"))
    for question, result in results.items():
        figures = (f"{median(result.ours):.1f}", f"{median(result.rival):.1f}", f"{result.ratio:.2f}")
        table.add(
            question,
            *figures,
            result.spread,
            f"{result.growth:.2f}",
            "; ".join(sorted({p for p, _ in plans[question]})),
        )
    table.show()
    print()
    columns = (
        "lookup",
        "hit",
        "miss",
        "one domain, hit",
        "one domain, miss",
        "growth",
        "one index search",
        "goals met",
    )
    table = Table(columns)
    misses = 0
    for lookup in dict.fromkeys(question.lookup for question in results):
        mine = {question: result for question, result in results.items() if question.lookup == lookup}
        cells = []
        for crowded, hit in ((False, True), (False, False), (True, True), (True, False)):
            found = [r.ratio for q, r in mine.items() if (q.crowded, q.hit) == (crowded, hit)]
            cells.append(f"{min(found):.2f}" if found else "")
        simple = all(simple for question in mine for _plan, simple in plans[question])
        growth = max(result.growth for result in mine.values())
        good = simple and all(result.good for result in mine.values())
        if lookup == OTHER_NAMES:
            good = growth <= GOAL_GROWTH
        misses += not good
        table.add(lookup, *cells, f"{growth:.2f}", "yes" if simple else "NO", "yes" if good else "NO")
    table.show()
    print(f"\nAll goals met: {'no' if misses else 'yes'}")
    return 1 if misses else 0


def main() -> int:
    """Load, measure, print; 0 when every goal is met."""
    parser = argparse.ArgumentParser(description="Lookups of mail servers against a unique text key.")
    parser.add_argument("--engine", type=Engine, default=Engine.POSTGRESQL)
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--aliases", type=int, help="two for each mailbox unless given")
    parser.add_argument("--crowd", type=int, default=10_000, help="mailboxes in one domain")
    parser.add_argument("--small", type=int, default=10_000, help="mailboxes of the small database")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--socket", action="store_true", help="ask over the Unix socket instead of TCP")
    given = parser.parse_args()
    if missing := (set(POSTFIX) | set(DOVECOT)) - {question.lookup for question in QUESTIONS}:
        sys.exit(f"Nobody asks {', '.join(sorted(missing))}.")
    size = data.Size(
        given.mailboxes,
        given.domains,
        2 * given.mailboxes if given.aliases is None else given.aliases,
        given.crowd,
    )
    # At least as many domains as it takes to have one of every kind.
    small = data.Size(given.small, min(given.domains, max(100, given.domains // 100)), 2 * given.small)
    engine: Engine = given.engine
    sites = load_postgresql({"small": small, "panel": size}, given.keys)
    with ExitStack() as stack:
        if engine is not Engine.POSTGRESQL:
            mariadb.SETTINGS["innodb-buffer-pool-size"] = "1G"
            directory = stack.enter_context(short_directory("mb-"))
            first = stack.enter_context(private_server(engine, directory))
            for site, target in zip(sites, (first.sibling("small"), first), strict=True):
                copy(site.database, target)
                site.database = target
        asks = [stack.enter_context(CLIENTS[engine](site.database, by_socket=given.socket)) for site in sites]
        for site, ask in zip(sites, asks, strict=True):
            check_answers(engine, site, ask)
        heading(f"Lookups, {engine}: {size}; {given.rounds} rounds of {given.keys} keys")
        way = "a file" if engine is Engine.SQLITE else "a Unix socket" if given.socket else "TCP"
        trip = median(timed(asks[1], "SELECT 1") for _time in range(2_000))
        print(
            f"Asked over {way}; SELECT 1 takes {trip:.0f} µs there, which both sides of each ratio contain.\n"
        )
        results = measure(engine, (sites[1], asks[1]), (sites[0], asks[0]), given.rounds)
        heading("Results")
        return report(engine, results, sites[1], asks[1])


if __name__ == "__main__":
    sys.exit(main())
