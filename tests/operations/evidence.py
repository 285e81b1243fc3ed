"""What a test compares: the rows of every table, the reasons of a refusal, the statements that were run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from reversion.models import Version

from core.models import Log, Throttle
from core.refusals import Refusal
from tests.tables import Row, Table

Rows = dict[str, list[Row]]
_TRANSACTIONS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")


def all_rows() -> Rows:
    """Every row of every table, by table; not how often something was tried, which a refusal does not take back."""
    tables = (
        Table.read(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and model is not Throttle
    )
    return {table.name: sorted(table.rows, key=repr) for table in tables}


@contextmanager
def nothing_written() -> Iterator[None]:
    """The block leaves every table as it was."""
    before = all_rows()
    yield
    after = all_rows()
    assert {table: rows for table, rows in after.items() if rows != before[table]} == {}


@contextmanager
def refused(*codes: tuple[int, str, str]) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """The block is refused for exactly these reasons (position, field, code), in words, and writes nothing."""
    with nothing_written():
        with pytest.raises(Refusal) as caught:
            yield caught
        assert sorted(caught.value.codes) == sorted(codes)
        assert all(str(reason.message).strip() for reason in caught.value.reasons)
        assert "%(" not in "".join(str(reason.message) for reason in caught.value.reasons)


def refused_as(field: str, code: str) -> AbstractContextManager[pytest.ExceptionInfo[Refusal]]:
    """As `refused`, for a batch of one and one reason."""
    return refused((0, field, code))


@contextmanager
def forbidden() -> Iterator[None]:
    """The actor may not do this, and nothing is written."""
    with nothing_written(), pytest.raises(PermissionDenied):
        yield


@contextmanager
def statements() -> Iterator[list[str]]:
    """SQL of the block, without the brackets of transactions."""
    run: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield run
    run += [query["sql"] for query in captured if not query["sql"].startswith(_TRANSACTIONS)]


def overdrawn() -> list[tuple[object, ...]]:
    """Resellers whose domain administrators have more together than they have themselves: there are none."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDRAWN)
        return list(cursor.fetchall())


_OVERDRAWN = """
    SELECT parent.user_id, parent.mailboxes_max, SUM(child.mailboxes_max), MIN(child.mailboxes_max),
           parent.mailbox_aliases_max, SUM(child.mailbox_aliases_max), MIN(child.mailbox_aliases_max)
    FROM limits_allowance parent
    JOIN core_user reseller ON reseller.id = parent.user_id AND reseller.role = 'Resellers'
    JOIN core_user admin ON admin.owner_id = parent.user_id AND admin.role = 'DomainAdmins'
    JOIN limits_allowance child ON child.user_id = admin.id
    GROUP BY parent.user_id, parent.mailboxes_max, parent.mailbox_aliases_max
    HAVING (parent.mailboxes_max >= 0
            AND (SUM(child.mailboxes_max) > parent.mailboxes_max OR MIN(child.mailboxes_max) < 0))
        OR (parent.mailbox_aliases_max >= 0
            AND (SUM(child.mailbox_aliases_max) > parent.mailbox_aliases_max OR MIN(child.mailbox_aliases_max) < 0))
"""


def events() -> list[tuple[str, str, list[str]]]:
    """The event log: verb, name of the object, changed fields; oldest first."""
    return list(Log.objects.order_by("pk").values_list("verb", "object_name", "changed"))


def versions() -> list[tuple[str, str]]:
    """The history: comment of the revision and name of the object; oldest first."""
    return list(Version.objects.order_by("pk").values_list("revision__comment", "object_repr"))


def sentences(caught: pytest.ExceptionInfo[Refusal]) -> list[str]:
    """What a person reads."""
    return [str(reason.message) for reason in caught.value.reasons]
