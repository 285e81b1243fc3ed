"""What the database itself refuses, completes and tells apart, on whatever engine the tests run."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from admin.models.domain import MAX_QUOTA_MB
from core.models import User

pytestmark = pytest.mark.usefixtures("cast")

NOW = timezone.now().replace(tzinfo=None) if connection.vendor != "postgresql" else timezone.now()


def insert(table: str, **columns: Any) -> None:
    """A hand-written INSERT, with every constraint checked at once."""
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, columns))
    places = ", ".join(["%s"] * len(columns))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {quote(table)} ({names}) VALUES ({places})", list(columns.values()))  # noqa: S608  literals of this file
        connection.check_constraints()


def first(table: str, column: str, condition: str, *values: Any) -> Any:
    """One column of the first row that fits, None without one."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {condition}", values)  # noqa: S608  literals of this file
        row = cursor.fetchone()
    return row and row[0]


def user(**columns: Any) -> dict[str, Any]:
    return {"username": "new@dora.example", "password": "x", "date_joined": NOW, **columns}


def domain(**columns: Any) -> dict[str, Any]:
    return {"name": "new.example", "creation": NOW, "last_modification": NOW, **columns}


def mailbox(**columns: Any) -> dict[str, Any]:
    stamps = {"creation": NOW, "last_modification": NOW}
    return {"address": "rita", "domain_id": dora_id(), "user_id": rita_id(), **stamps, **columns}


def alias(**columns: Any) -> dict[str, Any]:
    stamps = {"creation": NOW, "last_modification": NOW}
    return {"address": "new@dora.example", "domain_id": dora_id(), "description": "", **stamps, **columns}


def dora_id() -> Any:
    return first("admin_domain", "id", "name = 'dora.example'")


def rita_id() -> Any:
    return first("core_user", "id", "username = 'rita'")


def box_id() -> Any:
    return first("admin_mailbox", "id", "address = 'sam'")


# --- defaults -------------------------------------------------------------------------------------------------


def test_dovecot_may_insert_a_usage_row_with_a_name_alone() -> None:
    insert("admin_quota", username="new@dora.example")
    row = first("admin_quota", "bytes", "username = 'new@dora.example'")
    assert (row, first("admin_quota", "messages", "username = 'new@dora.example'")) == (0, 0)


def test_columns_that_have_a_default_may_be_left_out() -> None:
    insert("core_user", **user())
    created = User.objects.get(username="new@dora.example")
    assert (created.email, created.role, created.is_active, created.is_local) == (
        "",
        "SimpleUsers",
        True,
        True,
    )
    assert (created.master_user, created.language, created.first_name) == (False, "", "")
    insert("admin_domain", **domain())
    assert first("admin_domain", "quota", "name = 'new.example'") == 0
    assert first("admin_domain", "type", "name = 'new.example' AND enabled") == "domain"
    insert("admin_mailbox", **mailbox())
    assert first("admin_mailbox", "quota", "address = 'rita'") == 0
    insert("admin_alias", **alias())
    assert first("admin_alias", "id", "address = 'new@dora.example' AND enabled")


# --- grammar and ranges ---------------------------------------------------------------------------------------

BAD_LOCAL_PARTS = ["", "Sam", "sam ", " sam", "..", "a..b", ".a", "a.", "a/b", "-rf", "a@b", "a\nb", "a" * 65]
BAD_NAMES = [
    "",
    "Dora.example",
    "dora.example ",
    "dora",
    "a..example",
    ".example",
    "a.example.",
    "a_b.example",
    "b\u00fccher.example",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_domain_and_no_domain_alias_has_a_name_outside_the_grammar(name: str) -> None:
    with pytest.raises(DatabaseError):
        insert("admin_domain", **domain(name=name))
    with pytest.raises(DatabaseError):
        insert(
            "admin_domainalias",
            name=name,
            target_id=dora_id(),
            enabled=True,
            creation=NOW,
            last_modification=NOW,
        )


@pytest.mark.parametrize("local_part", BAD_LOCAL_PARTS)
def test_no_address_has_a_local_part_outside_the_grammar(local_part: str) -> None:
    with pytest.raises(DatabaseError):
        insert("admin_mailbox", **mailbox(address=local_part))
    if local_part:  # "@domain" is a catch-all, and may be sent from
        with pytest.raises(DatabaseError):
            insert("admin_alias", **alias(address=f"{local_part}@dora.example"))
        with pytest.raises(DatabaseError):
            insert("admin_senderaddress", address=f"{local_part}@dora.example", mailbox_id=box_id())


@pytest.mark.parametrize(
    "recipient", ["", "sam", "@dora.example", "Sam@dora.example", "sam@dora.example ", "|sh@a.b", "a,b@c.d"]
)
def test_no_recipient_is_outside_the_grammar(recipient: str) -> None:
    insert("admin_alias", **alias())
    with pytest.raises(DatabaseError):
        insert(
            "modoboa_admin_aliasrecipient",
            address=recipient,
            alias_id=first("admin_alias", "id", "address = 'new@dora.example'"),
        )


@pytest.mark.parametrize("name", ["", "Rita", "rita ", "two words", "a\u00a0b", "a[b", "a\\b"])
def test_no_login_name_is_outside_the_grammar(name: str) -> None:
    with pytest.raises(DatabaseError):
        insert("core_user", **user(username=name))


@pytest.mark.parametrize("quota", [-1, MAX_QUOTA_MB + 1])
def test_no_quota_is_out_of_range(quota: int) -> None:
    with pytest.raises(IntegrityError):
        insert("admin_mailbox", **mailbox(quota=quota))
    with pytest.raises(IntegrityError):
        insert("admin_domain", **domain(quota=quota))
    with pytest.raises(IntegrityError):
        insert("admin_domain", **domain(default_mailbox_quota=quota))
    with pytest.raises(IntegrityError):
        insert("admin_domain", **domain(quota=5, default_mailbox_quota=6))


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("core_user", {**user(), "role": "Emperors"}),
        ("core_user", {**user(), "role": "Resellers", "master_user": True}),
        (
            "admin_mailboxoperation",
            {"kind": "format", "mailbox_id": 1, "source": "x", "last_error": "", "attempts": 0}
            | {"next_attempt_at": NOW, "created_at": NOW},
        ),
        (
            "admin_mailboxoperation",
            {
                "kind": "rename",
                "state": "lost",
                "mailbox_id": 1,
                "source": "x",
                "last_error": "",
                "attempts": 0,
            }
            | {"next_attempt_at": NOW, "created_at": NOW},
        ),
        ("mail_domain", {"name": "new.example", "kind": "pipe", "target": ""}),
        ("mail_check", {"address": "new@dora.example", "action": "OK"}),
        ("mail_route", {"address": "new@dora.example", "targets": "", "ends_here": False}),
        (
            "mail_sender",
            {"address": "new@dora.example", "logins": "", "alias_logins": "", "extra_logins": ""},
        ),
    ],
)
def test_no_word_is_stored_that_nobody_knows(table: str, columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        insert(table, **columns)


# --- one of a kind --------------------------------------------------------------------------------------------


def test_nothing_that_is_one_of_a_kind_exists_twice() -> None:
    with pytest.raises(IntegrityError):
        insert("core_user", **user(username="rita"))
    with pytest.raises(IntegrityError):
        insert("admin_domain", **domain(name="dora.example"))
    with pytest.raises(IntegrityError):
        insert("admin_mailbox", **mailbox(address="sam"))
    insert("admin_alias", **alias())
    with pytest.raises(IntegrityError):
        insert("admin_alias", **alias())
    recipient = {"address": "x@out.example", "alias_id": first("admin_alias", "id", "1 = 1")}
    insert("modoboa_admin_aliasrecipient", **recipient)
    with pytest.raises(IntegrityError):
        insert("modoboa_admin_aliasrecipient", **recipient)
    insert("admin_senderaddress", address="x@out.example", mailbox_id=box_id())
    with pytest.raises(IntegrityError):
        insert("admin_senderaddress", address="x@out.example", mailbox_id=box_id())
    with pytest.raises(IntegrityError):
        insert("mail_user", address="sam@dora.example", password="x", home="x", quota=0, is_moving=False)
    with pytest.raises(IntegrityError):
        insert("mail_route", address="sam@dora.example", targets="sam@dora.example", ends_here=True)
    with pytest.raises(IntegrityError):
        insert("parameters_siteparameters", id=1, parameters="{}")


def test_an_account_has_one_mailbox() -> None:
    with pytest.raises(IntegrityError):
        insert(
            "admin_mailbox",
            **mailbox(address="second", user_id=first("admin_mailbox", "user_id", "address = 'sam'")),
        )


def test_a_name_is_a_domain_or_a_domain_alias_and_never_both() -> None:
    insert(
        "admin_domainalias",
        name="dora-too.example",
        target_id=dora_id(),
        creation=NOW,
        last_modification=NOW,
    )
    alias_id = first("admin_domainalias", "id", "name = 'dora-too.example'")
    with pytest.raises(IntegrityError):
        insert("admin_domainname", name="dora.example", alias_id=alias_id)
    with pytest.raises(IntegrityError):
        insert("admin_domainname", name="dora-too.example", domain_id=dora_id(), alias_id=alias_id)
    with pytest.raises(IntegrityError):
        insert("admin_domainname", name="dora-too.example")
    with pytest.raises(IntegrityError):
        insert("admin_domainname", name="dora-too.example", domain_id=dora_id())
    insert("admin_domainname", name="dora-too.example", alias_id=alias_id)


# --- foreign keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("admin_domain", domain(owner_id=10**6)),
        ("core_user", user(owner_id=10**6)),
        ("admin_domain_administrators", {"domain_id": 10**6, "user_id": 10**6}),
        (
            "admin_domainalias",
            {
                "name": "x.example",
                "target_id": 10**6,
                "enabled": True,
                "creation": NOW,
                "last_modification": NOW,
            },
        ),
        ("admin_domainname", {"name": "x.example", "domain_id": 10**6}),
        ("admin_senderaddress", {"address": "x@out.example", "mailbox_id": 10**6}),
        ("modoboa_admin_aliasrecipient", {"address": "x@out.example", "alias_id": 10**6}),
    ],
)
def test_no_row_points_at_nothing(table: str, columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        insert(table, **columns)


def test_no_mailbox_and_no_alias_lies_in_a_domain_that_is_not_there() -> None:
    with pytest.raises(IntegrityError):
        insert("admin_mailbox", **mailbox(domain_id=10**6))
    with pytest.raises(IntegrityError):
        insert("admin_mailbox", **mailbox(user_id=10**6))
    with pytest.raises(IntegrityError):
        insert("admin_alias", **alias(domain_id=10**6))


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM admin_domain", "DELETE FROM core_user", "DELETE FROM admin_mailbox WHERE address = 'sam'"],
)
def test_nothing_is_deleted_below_what_points_at_it(statement: str) -> None:
    insert("admin_senderaddress", address="x@out.example", mailbox_id=box_id())

    def delete() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(statement)
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        delete()


# --- byte for byte --------------------------------------------------------------------------------------------

VARIANTS = [
    "BOK",
    "bOk",
    "b\u00f6k",
    "b\u00f3k",
    "bok ",
    "bo\u212a",
    "bok\u200b",
    "b\uff4fk",
    "bok\u0301",
    "bo",
]
COLUMNS = [
    ("core_user", "username"),
    ("core_user", "email"),
    ("admin_quota", "username"),
    ("admin_alias", "address"),
    ("mail_route", "address"),
    ("mail_user", "address"),
    ("mail_sender", "address"),
    ("mail_transport", "address"),
    ("mail_check", "address"),
    ("admin_mailbox", "address"),
    ("admin_domain", "name"),
    ("admin_domainname", "name"),
    ("mail_domain", "name"),
]
ROWS = {
    "core_user": user(username="bok@dora.example", email="bok@dora.example"),
    "admin_quota": {"username": "bok@dora.example"},
    "mail_route": {"address": "bok@dora.example", "targets": "bok@dora.example", "ends_here": True},
    "mail_user": {
        "address": "bok@dora.example",
        "password": "x",
        "home": "x",
        "quota": 0,
        "is_moving": False,
    },
    "mail_sender": {
        "address": "bok@dora.example",
        "logins": "bok@dora.example",
        "alias_logins": "",
        "extra_logins": "bok@dora.example",
    },
    "mail_transport": {"address": "bok@dora.example", "kind": "retry", "service": "", "host": "", "port": 0},
    "mail_check": {"address": "bok@dora.example", "action": "retry"},
    "admin_domain": domain(name="bok.example"),
    "mail_domain": {"name": "bok.example", "kind": "mailbox", "target": ""},
}


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_text_is_found_under_itself_alone(table: str, column: str) -> None:
    if table == "admin_alias":
        insert(table, **alias(address="bok@dora.example"))
    elif table == "admin_mailbox":
        insert(table, **mailbox(address="bok"))
    elif table == "admin_domainname":
        insert("admin_domain", **ROWS["admin_domain"])
        insert(table, name="bok.example", domain_id=first("admin_domain", "id", "name = 'bok.example'"))
    else:
        insert(table, **ROWS[table])
    rest = {
        "admin_mailbox": "",
        "admin_domain": ".example",
        "admin_domainname": ".example",
        "mail_domain": ".example",
    }
    tail = rest.get(table, "@dora.example")
    assert first(table, column, f"{column} = %s", f"bok{tail}") == f"bok{tail}"
    for variant in VARIANTS:
        assert first(table, column, f"{column} = %s", f"{variant}{tail}") is None, ascii(variant)
    assert first(table, column, f"{column} = %s", f"bok{tail} ") is None
