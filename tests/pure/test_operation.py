"""Refusals as values, and what the drivers' errors mean to an operation."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError

from admin import operations
from core import operation
from core.actor import Actor, Credential
from core.models import User
from core.refusals import Reason, Refusal, Refusals
from core.roles import Role


class PostgresError(Exception):
    """As psycopg2 raises it."""

    pgcode = "23505"


class NewPyMySQLError(Exception):
    """As PyMySQL raises it: the number in front, and a SQLSTATE beside it."""

    sqlstate = "23000"


def caused(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error


def postgres(code: str) -> Exception:
    cause = PostgresError("what the server said")
    cause.pgcode = code
    return cause


@pytest.mark.parametrize(
    ("cause", "is_lost_race"),
    [
        (postgres("23505"), True),
        (postgres("23503"), True),
        (postgres("23514"), False),
        (postgres("23502"), False),
        (NewPyMySQLError(1062, "Duplicate entry"), True),
        (NewPyMySQLError(1451, "Cannot delete"), True),
        (NewPyMySQLError(1452, "Cannot add"), True),
        (NewPyMySQLError(4025, "CONSTRAINT failed"), False),
        (NewPyMySQLError(1048, "cannot be null"), False),
        (Exception(), False),
        (None, False),
    ],
)
def test_a_violated_key_is_a_lost_race_and_a_violated_check_is_our_fault(
    cause: Exception | None,
    is_lost_race: bool,  # noqa: FBT001  a parameter
) -> None:
    error = caused(IntegrityError("said"), cause)
    assert isinstance(error, IntegrityError)
    assert operation.is_lost_race(error) is is_lost_race


@pytest.mark.parametrize(
    ("words", "is_lost_race"),
    [
        ("UNIQUE constraint failed: core_user.username", True),
        ("FOREIGN KEY constraint failed", True),
        ("CHECK constraint failed: core_user_role_known", False),
        ("NOT NULL constraint failed: core_user.password", False),
    ],
)
def test_sqlite_has_only_words(words: str, is_lost_race: bool) -> None:  # noqa: FBT001  a parameter
    error = caused(IntegrityError(words), Exception(words))
    assert isinstance(error, IntegrityError)
    assert operation.is_lost_race(error) is is_lost_race


@pytest.mark.parametrize(
    ("cause", "is_retryable"),
    [
        (postgres("40P01"), True),
        (postgres("40001"), True),
        (postgres("57014"), False),
        (NewPyMySQLError(1213, "Deadlock found"), True),
        (NewPyMySQLError(1205, "Lock wait timeout exceeded"), True),
        (NewPyMySQLError(2006, "gone away"), False),
        (Exception("database is locked"), False),
    ],
)
def test_only_a_deadlock_is_tried_again(cause: Exception, is_retryable: bool) -> None:  # noqa: FBT001  a parameter
    error = caused(OperationalError("said"), cause)
    assert isinstance(error, OperationalError)
    assert operation.is_retryable(error) is is_retryable


def test_nothing_is_recorded_outside_an_operation() -> None:
    with pytest.raises(RuntimeError, match="inside an operation"):
        operation.record(User(username="x"))


def test_an_operation_knows_its_name_and_its_policy() -> None:
    assert operations.create_aliases.verb == "alias.create"  # type: ignore[attr-defined]  # set by the decorator
    assert operations.create_aliases.__doc__
    root = Actor(User(pk=1, role=Role.SUPER_ADMIN), Credential.COMMAND)
    assert operations.create_aliases.allow(root)  # type: ignore[attr-defined]  # as above


def test_reasons_are_collected_and_reported_in_the_order_of_the_batch() -> None:
    refusals = Refusals()
    refusals.raise_if_any()
    refusals.add(2, "name", "late", "Later")
    refusals.add(0, "", "early", "Earlier")
    refusals.add(2, "quota", "last", "Last")
    with pytest.raises(Refusal) as caught:
        refusals.raise_if_any()
    assert caught.value.codes == [(0, "", "early"), (2, "name", "late"), (2, "quota", "last")]
    assert next(iter(refusals)).code == "late"


def test_a_refusal_tells_everything_to_whoever_prints_it() -> None:
    refusal = Refusal([Reason(0, "name", "name_taken", "It is taken.")])
    assert str(refusal) == "0.name: name_taken: It is taken."
    assert Refusal.single("", "conflict", "Again.").codes == [(0, "", "conflict")]
