"""Many rows at once: what was given is what is there, in this order of events."""

from __future__ import annotations

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from admin.models import AliasRecipient, Quota
from admin.operations import create_alias, create_domain
from core.behind import check_keys, writing_behind
from core.insertion import insert
from core.models.log import Level, Log
from core.operation import is_lost_race
from tests.cast import Cast

pytestmark = pytest.mark.django_db

STRANGE = ("\\N", "\\", "tab\tand\nline\r\n", "\\.", "", "'; --", "“é☃”", "\x01\x7f", "\\t", "NULL", "%s")
COLUMNS = ("date_created", "level", "logger", "message", "actor_id", "actor_name", "verb", "changed")


@pytest.mark.parametrize("count", [3, 200])
def test_texts_come_back_as_they_were(count: int) -> None:
    now = timezone.now()
    rows = [
        (
            now,
            Level.INFO,
            "test.insertion",
            STRANGE[number % len(STRANGE)],
            None if number % 3 else number,
            "always the same \\ one",
            f"v{number:04}",
            (STRANGE[number % len(STRANGE)], str(number)),
        )
        for number in range(count)
    ]
    insert(Log, COLUMNS, rows)
    stored = Log.objects.filter(logger="test.insertion").order_by("verb").values_list(*COLUMNS)
    assert list(stored) == [(*row[:-1], list(row[-1])) for row in rows]


def test_a_nul_is_refused_where_the_database_cannot_keep_it() -> None:
    if connection.vendor != "postgresql":
        return  # others keep it; the grammar of addresses refuses it everywhere
    names = [(f"a{number}\0", number, 0) for number in range(100)]
    with pytest.raises((DataError, ValueError)), transaction.atomic():
        insert(Quota, ("username", "bytes", "messages"), names)
    assert not Quota.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_written_behind_is_there_for_the_next_statement() -> None:
    with transaction.atomic(), writing_behind():
        for part in range(10):
            names = [(f"jo{number}@part{part}.example", number, part) for number in range(500)]
            insert(Quota, ("username", "bytes", "messages"), names)
            check_keys()
            if part % 2:
                assert Quota.objects.count() == (part + 1) * 500
    assert Quota.objects.count() == 5_000


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ends_well", [True, False])
def test_what_fails_behind_undoes_the_transaction(ends_well: bool) -> None:  # noqa: FBT001  a parameter
    names = [(f"jo{number}@part.example", number, 0) for number in range(500)]

    def write() -> None:
        with transaction.atomic(), writing_behind():
            insert(Quota, ("username", "bytes", "messages"), [*names, names[0]])
            if not ends_well:
                Quota.objects.count()

    with pytest.raises(IntegrityError) as caught:
        write()
    assert is_lost_race(caught.value)
    assert not Quota.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_block_itself_is_told_and_undoes_what_was_written_behind() -> None:
    names = [(f"jo{number}@part.example", number, 0) for number in range(500)]

    def write() -> None:
        with transaction.atomic(), writing_behind():
            insert(Quota, ("username", "bytes", "messages"), names)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert not Quota.objects.exists()


def test_extended_addresses_of_few_and_of_many_are_found_alike(cast: Cast) -> None:
    create_domain(cast.root, name="many.example")
    people = [f"p{number}@out.example" for number in range(150)]
    for number in (0, 7, 149):
        recipients = (f"p{number}+x{number}@out.example", f"p{number}-@out.example")
        create_alias(cast.root, address=f"to{number}@many.example", recipients=recipients)
    found = AliasRecipient.objects.order_by("address")
    every = found.filter(address__extending=people).values_list("address", flat=True)
    some = found.filter(address__extending=people[:10]).values_list("address", flat=True)
    assert list(every) == ["p0+x0@out.example", "p149+x149@out.example", "p7+x7@out.example"]
    assert list(some) == ["p0+x0@out.example", "p7+x7@out.example"]
