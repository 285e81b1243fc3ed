"""Each lookup is one index search in one table, as the database plans the very text that a mail server sends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.db import connection, transaction

from admin.lookups import Engine, Mailboxes, kept_name_query, password_query, postfix_maps, user_query
from admin.models import MailCheck, MailDomain, MailRoute, MailSender, MailTransport, MailUser
from tests.mail.panel import unique_name

ROWS = 3_000
MAILBOXES = Mailboxes("/srv/vmail", "5000", "5000")
MODELS = (MailDomain, MailRoute, MailUser, MailSender, MailTransport, MailCheck)


def engine() -> Engine:
    return Engine(connection.vendor)


@pytest.fixture(scope="module")
def crowd(database: object) -> Iterator[str]:
    """A domain whose published tables have thousands of rows, written as no operation would; gone afterwards."""
    del database
    name = unique_name()
    addresses = [f"u{number:05}@{name}" for number in range(ROWS)]
    soon = "2099-01-01 00:00:00+00:00"
    with transaction.atomic():
        MailDomain.objects.bulk_create(
            MailDomain(name=f"d{n:05}.{name}", kind="mailbox") for n in range(ROWS)
        )
        MailRoute.objects.bulk_create(
            MailRoute(address=address, targets=f"{address},copy-{address}", ends_here=True, expires_at=soon)
            for address in addresses
        )
        MailUser.objects.bulk_create(
            MailUser(address=address, password="{PLAIN}x", home=address, quota=0) for address in addresses
        )
        MailSender.objects.bulk_create(
            MailSender(address=address, logins=address, extra_logins=address) for address in addresses
        )
        MailTransport.objects.bulk_create(MailTransport(address=a, kind="retry") for a in addresses)
        MailTransport.objects.bulk_create(
            MailTransport(address=f"d{n:05}.{name}", kind="relay", service="smtp", host="192.0.2.1", port=25)
            for n in range(ROWS)
        )
        MailCheck.objects.bulk_create(MailCheck(address=address, action="retry") for address in addresses)
    for model in MODELS:
        rows(ANALYZE[engine()] % model._meta.db_table)
    yield name
    with transaction.atomic():
        for model in MODELS:
            key = "name" if model is MailDomain else "address"
            model._default_manager.filter(**{f"{key}__endswith": name}).delete()
    if engine() is Engine.SQLITE:
        copy().close()
        copy.cache_clear()


ANALYZE = {Engine.POSTGRESQL: "ANALYZE %s", Engine.MYSQL: "ANALYZE TABLE %s", Engine.SQLITE: "ANALYZE %s"}


@cache
def copy() -> sqlite3.Connection:
    """Of an SQLite database: ANALYZE changes the schema, and Dovecot's next query after a change fails."""
    twin = sqlite3.connect(":memory:")
    connection.connection.backup(twin)
    return twin


def rows(sql: str) -> list[tuple[Any, ...]]:
    if engine() is Engine.SQLITE:
        return copy().execute(sql).fetchall()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall() if cursor.description else ())


def check_postgresql(sql: str) -> None:
    answer = rows(f"EXPLAIN (FORMAT JSON) {sql}")[0][0]
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    nodes = [plan]
    while any("Plans" in node for node in nodes):
        nodes = [inner for node in nodes for inner in node.get("Plans", [node])]
    assert plan["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, plan
    assert all("Index Cond" in node for node in nodes), plan
    assert len(nodes) == 1, plan


# The planner has already looked a unique key up, and found nothing.
MYSQL_MISS = "Impossible WHERE noticed after reading const tables"


def check_mysql(sql: str) -> None:
    plan = rows(f"EXPLAIN {sql}")
    assert len(plan) == 1, plan
    _id, _kind, _table, access, _possible, key, *_rest, extra = plan[0]
    if extra == MYSQL_MISS:
        return
    assert access == "const", plan
    assert key is not None, plan


def check_sqlite(sql: str) -> None:
    plan = [row[3] for row in rows(f"EXPLAIN QUERY PLAN {sql}")]
    assert len(plan) == 1, plan
    assert plan[0].startswith("SEARCH "), plan
    assert " USING " in plan[0], plan
    assert "INDEX" in plan[0], plan


CHECKS = {Engine.POSTGRESQL: check_postgresql, Engine.MYSQL: check_mysql, Engine.SQLITE: check_sqlite}


@pytest.mark.parametrize("lookup", postfix_maps(), ids=lambda lookup: lookup.file_name)
def test_every_lookup_of_postfix_is_one_index_search(crowd: str, lookup: Any) -> None:
    for key in (f"u01500@{crowd}", f"d01500.{crowd}", f"@{crowd}"):
        CHECKS[engine()](lookup.sql(engine(), f"'{key}'"))


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_every_lookup_of_dovecot_is_one_index_search(crowd: str, version: str) -> None:
    key = f"'u01500@{crowd}'"
    CHECKS[engine()](password_query(engine(), key))
    CHECKS[engine()](user_query(engine(), key, MAILBOXES, version=version))


LEAVES = {"Index Scan", "Index Only Scan", "Bitmap Index Scan", "Result"}


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_what_deliveries_ask_about_unknown_names_only_searches_indexes(crowd: str, version: str) -> None:
    """Several of them; each step one."""
    parts = (f"'u01500@{crowd}'", "'u01500'", f"'{crowd}'")
    sql = kept_name_query(engine(), *parts, MAILBOXES, version=version)
    if engine() is Engine.SQLITE:
        steps = [row[3] for row in rows(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in steps if step.startswith("SCAN")], steps
        assert sum(step.startswith("SEARCH") and "INDEX" in step for step in steps) > 3, steps
    elif engine() is Engine.MYSQL:
        plan = rows(f"EXPLAIN {sql}")
        assert all(row[3] in {"const", "eq_ref", "ref"} or row[2] is None for row in plan), plan
    else:
        answer = rows(f"EXPLAIN (FORMAT JSON) {sql}")[0][0]
        top = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
        assert {node["Node Type"] for node in leaves(top)} <= LEAVES, top


def leaves(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Nodes that read something; what is asked before the plan begins hangs on one of them."""
    inner = node.get("Plans", [])
    own = [node] if all(each.get("Parent Relationship") == "InitPlan" for each in inner) else []
    return own + [leaf for each in inner for leaf in leaves(each)]


def test_the_check_knows_a_full_scan(crowd: str) -> None:
    del crowd
    with pytest.raises(AssertionError):
        CHECKS[engine()]("SELECT address FROM mail_user WHERE password = 'x'")
