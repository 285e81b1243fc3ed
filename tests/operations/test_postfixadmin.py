"""What PostfixAdmin holds comes over as it was meant, and PostfixAdmin's own database is only read."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from admin import publication
from admin.models import Account, Alias, Domain, DomainAlias, Mailbox
from core.models import User
from core.passwords import hash_password, is_usable, verify_password
from core.roles import Role
from relaydomains.models import RelayDomain
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import nothing_written

HASH = hash_password(PASSWORD, "sha512crypt", 1_000)
CRYPT = HASH.partition("}")[2]
MD5 = "5f4dcc3b5aa765d61d8327deb882cf99"  # of "password"

# Columns of PostfixAdmin 2.3; T stands for a text, B for yes or no, N for a number.
OLD: Mapping[str, str] = {
    "domain": "domain T, description T, aliases N, mailboxes N, maxquota N, quota N, transport T, backupmx B, active B",
    "admin": "username T, password T, active B",
    "domain_admins": "username T, domain T, active B",
    "mailbox": "username T, password T, name T, maildir T, quota N, local_part T, domain T, active B",
    "alias": "address T, goto L, domain T, active B",
}
# And of 3.3.
NEW: Mapping[str, str] = {
    **OLD,
    "admin": f"{OLD['admin']}, superadmin B, phone T, token T",
    "alias_domain": "alias_domain T, target_domain T, active B",
    "vacation": "email T, subject T, body L, domain T, active B, interval_time N",
}
TYPES: Mapping[str, Mapping[str, str]] = {
    "sqlite": {"T": "VARCHAR(255)", "L": "TEXT", "B": "TINYINT", "N": "BIGINT"},
    "postgresql": {"T": "VARCHAR(255)", "L": "TEXT", "B": "BOOLEAN", "N": "BIGINT"},
    "mysql": {"T": "VARCHAR(255)", "L": "TEXT", "B": "TINYINT(1)", "N": "BIGINT"},
}
ROWS: Mapping[str, Sequence[tuple[Any, ...]]] = {
    "domain": [
        ("ALL", "", 0, 0, 0, 0, "", False, True),
        ("one.example", "d", 10, 10, 500, 2000, "virtual", False, True),
        ("Full.example", "d", 10, 10, 500, 100, "virtual", False, True),
        ("off.example", "d", 0, 0, -1, 0, "", False, False),
        ("backup.example", "d", 0, 0, 0, 0, "", True, True),
        ("relay.example", "d", 0, 0, 0, 0, "smtp:[mx.elsewhere.example]:2525", True, True),
        ("odd.example", "d", 0, 0, 0, 0, "uucp:x", False, True),
        ("also.example", "d", 0, 0, 0, 0, "", False, True),
    ],
    "alias_domain": [("also.example", "one.example", True)],
    "admin": [
        ("boss@one.example", HASH, True, False, "", ""),
        ("jo@one.example", CRYPT, True, False, "", ""),
        ("root@elsewhere.example", CRYPT, True, True, "", ""),
        ("everywhere", CRYPT, False, False, "", ""),
    ],
    "domain_admins": [
        ("boss@one.example", "one.example", True),
        ("boss@one.example", "full.example", True),
        ("boss@one.example", "off.example", False),
        ("jo@one.example", "one.example", True),
        ("everywhere", "ALL", True),
        ("nobody", "one.example", True),
    ],
    "mailbox": [
        ("Jo@one.example", "other", "Jo van Doe", "", 104_857_600, "jo", "one.example", True),
        ("md5@one.example", MD5, "M", "", 1, "md5", "one.example", True),
        ("clear@one.example", "{PLAIN}password", "", "", 102_400_000, "clear", "one.example", True),
        ("off@one.example", CRYPT, "", "", 52_428_800, "off", "one.example", False),
        ("big@full.example", CRYPT, "", "", 0, "big", "full.example", True),
    ],
    "alias": [
        ("jo@one.example", "jo@one.example", "one.example", True),
        ("md5@one.example", "md5@one.example,x@elsewhere.example", "one.example", True),
        ("off@one.example", "off@one.example, off#one.example@autoreply.one.example", "one.example", True),
        ("team@one.example", "jo@one.example,md5@one.example", "one.example", True),
        ("@one.example", "jo@one.example", "one.example", True),
        ("shut@one.example", "x@elsewhere.example", "one.example", False),
    ],
    "vacation": [("off@one.example", "Away", "Back soon.\nÜ", "one.example", True, 0)],
}


def statements(schema: Mapping[str, str], vendor: str) -> Iterator[str]:
    for table, columns in schema.items():
        named = [column.split() for column in columns.split(", ")]
        yield f"CREATE TABLE {table} ({', '.join(f'{name} {TYPES[vendor][kind]}' for name, kind in named)})"


def contents(schema: Mapping[str, str]) -> Iterator[tuple[str, Sequence[Sequence[Any]]]]:
    for table, columns in schema.items():
        count = columns.count(",") + 1
        yield table, [row[:count] for row in ROWS[table]]


def filled(path: Path, schema: Mapping[str, str] = NEW) -> str:
    """A SQLite database of PostfixAdmin's, as a URL."""
    with sqlite3.connect(path) as database:
        for statement in statements(schema, "sqlite"):
            database.execute(statement)
        for table, rows in contents(schema):
            marks = ", ".join("?" * len(rows[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  of ours
    database.close()
    return f"sqlite:///{path}"


@contextmanager
def filled_beside_the_panel() -> Iterator[None]:
    """PostfixAdmin's tables in the panel's own database: none has the name of one of ours."""
    with connection.cursor() as cursor:
        try:
            for statement in statements(NEW, connection.vendor):
                cursor.execute(statement)
            for table, rows in contents(NEW):
                marks = ", ".join(["%s"] * len(rows[0]))
                for row in rows:
                    cursor.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608  of ours
            yield
        finally:
            for table in NEW:
                cursor.execute(f"DROP TABLE IF EXISTS {table}")


def migrate(*words: str) -> tuple[str, str]:
    """What is printed, on both outputs."""
    output, errors = io.StringIO(), io.StringIO()
    call_command("migrate_from_postfixadmin", *words, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


def check_what_came_over() -> None:
    domains = {d.name: (d.quota, d.default_mailbox_quota, d.enabled) for d in Domain.objects.all()}
    assert domains["one.example"] == (2000, 500, True)
    assert domains["full.example"] == (0, 500, True)
    assert domains["off.example"] == (0, 0, False)
    assert not {"backup.example", "also.example", "all"} & set(domains)
    assert DomainAlias.objects.get(name="also.example").target.name == "one.example"
    relay = RelayDomain.objects.get(domain__name="relay.example")
    assert (relay.target_host, relay.target_port) == ("mx.elsewhere.example", 2525)
    boxes = {box.full_address: box.quota for box in Mailbox.objects.select_related("domain")}
    wanted = {"jo@one.example": 100, "md5@one.example": 1, "clear@one.example": 98, "off@one.example": 50}
    assert {name: boxes[name] for name in wanted} == wanted
    assert boxes["big@full.example"] == 0
    people = {a.username: a for a in Account.objects.all()}
    jo = people["jo@one.example"]
    assert (jo.first_name, jo.last_name, jo.role, jo.email) == (
        "Jo",
        "van Doe",
        Role.DOMAIN_ADMIN,
        "jo@one.example",
    )
    assert verify_password(PASSWORD, jo.password)
    assert verify_password("password", people["md5@one.example"].password)
    assert not is_usable(people["clear@one.example"].password)
    assert not people["off@one.example"].is_active
    assert people["root@elsewhere.example"].role == people["everywhere"].role == Role.SUPER_ADMIN
    assert not people["everywhere"].is_active
    boss = people["boss@one.example"]
    assert (boss.role, boss.email) == (Role.DOMAIN_ADMIN, "")
    assert set(boss.administered_domains.values_list("name", flat=True)) == {"one.example", "full.example"}
    aliases = {a.address: (a.enabled, {r.address for r in a.recipients.all()}) for a in Alias.objects.all()}
    assert aliases == {
        "md5@one.example": (True, {"md5@one.example", "x@elsewhere.example"}),
        "team@one.example": (True, {"jo@one.example", "md5@one.example"}),
        "@one.example": (True, {"jo@one.example"}),
        "shut@one.example": (False, {"x@elsewhere.example"}),
    }
    assert not list(publication.drift())


def test_everything_comes_over(cast: Cast, tmp_path: Path) -> None:
    assert cast.root.pk
    path = tmp_path / "postfixadmin.sqlite3"
    url = filled(path)
    before = path.read_bytes()
    with nothing_written():
        output, _errors = migrate("--from", url, "--dry-run")
    assert "mailbox jo@one.example to be created account jo@one.example" in output
    output, errors = migrate(
        "-f", url, "-t", "default", "-s", "crypt", "--vacation", str(tmp_path / "vacation.json")
    )
    assert output == "created: 8 account, 4 alias, 4 domain, 1 domainalias, 1 relaydomain\n"
    assert sorted(errors.splitlines()) == [
        "warning: domain backup.example: a backup MX without a transport that names the host: it was left out.",
        "warning: domain full.example: its mailboxes have more than its quota of 100 MB together, so it gets no quota.",
        "warning: domain odd.example: its transport “uucp:x” was not taken over.",
        "warning: domain_admins nobody: there is no such administrator.",
        "warning: mailbox clear@one.example: its password cannot be taken over; set a new one.",
    ]
    check_what_came_over()
    (vacation,) = json.loads((tmp_path / "vacation.json").read_text())
    assert (vacation["email"], vacation["body"]) == ("off@one.example", "Back soon.\nÜ")
    with nothing_written():
        output, errors = migrate("-f", url, "--continue-if-exists")
    assert output.startswith("skipped: ")
    assert "1 vacation texts were left out" in errors
    assert path.read_bytes() == before


def test_everything_comes_over_on_every_engine(real_cast: Cast) -> None:
    assert real_cast.root.pk
    with filled_beside_the_panel():
        migrate("--from", "default")
    check_what_came_over()


def test_an_old_version_comes_over(cast: Cast, tmp_path: Path) -> None:
    assert cast.root.pk
    migrate("--from", filled(tmp_path / "old.sqlite3", OLD))
    assert User.objects.get(username="everywhere").role == Role.SUPER_ADMIN
    assert User.objects.get(username="root@elsewhere.example").role == Role.DOMAIN_ADMIN
    assert Domain.objects.filter(name="also.example").exists()


def test_many_rows_are_read_a_few_at_a_time(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.gateways.postfixadmin._ROWS_AT_ONCE", 2)
    assert cast.root.pk
    migrate("--from", filled(tmp_path / "some.sqlite3"))
    check_what_came_over()


def test_the_quota_of_the_administrators_can_be_kept(cast: Cast, tmp_path: Path) -> None:
    assert cast.root.pk
    migrate("--from", filled(tmp_path / "some.sqlite3"), "--quota-multiplier", "1024000")
    assert Mailbox.objects.get(user__email="clear@one.example").quota == 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DROP TABLE mailbox", "There is no table “mailbox”"),
        ("ALTER TABLE alias DROP COLUMN goto", "The table “alias” of PostfixAdmin has no column “goto”"),
    ],
)
def test_another_database_is_refused(cast: Cast, tmp_path: Path, change: str, message: str) -> None:
    assert cast.root.pk
    url = filled(tmp_path / "broken.sqlite3")
    with sqlite3.connect(tmp_path / "broken.sqlite3") as database:
        database.execute(change)
    database.close()
    with nothing_written(), pytest.raises(CommandError, match=message):
        migrate("--from", url)


def test_a_database_that_is_not_there_is_named(cast: Cast) -> None:
    assert cast.root.pk
    with pytest.raises(CommandError, match="“pfxadmin” is neither"):
        migrate()
    with pytest.raises(CommandError, match="not the URL of a database"):
        migrate("--from", "gopher://x/y")
    with pytest.raises(CommandError, match="PostfixAdmin's database"):
        migrate("--from", "sqlite:////nonexistent/x/y.sqlite3")
    with pytest.raises(CommandError, match="number of bytes"):
        migrate("--quota-multiplier", "0")
