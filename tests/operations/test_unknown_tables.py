"""Tables that a plugin left behind: what they keep from being deleted is said in words, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from admin.operations import delete_accounts, delete_domains
from core.models import User
from tests.cast import Cast
from tests.operations.evidence import refused_as

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = "goneplug_note"


@pytest.fixture
def note(cast: Cast) -> Iterator[None]:
    """A row that refers to sam, in a table as Django makes them."""
    deferred = "" if connection.vendor == "mysql" else "DEFERRABLE INITIALLY DEFERRED"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, user_id bigint NOT NULL,"
            f" FOREIGN KEY (user_id) REFERENCES core_user (id) {deferred})"
        )
        cursor.execute("CREATE TABLE goneplug_other (id bigint PRIMARY KEY)")
        cursor.execute(f"INSERT INTO {TABLE} VALUES (1, %s)", [cast.sam.pk])  # noqa: S608  a literal of this file
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")
        cursor.execute("DROP TABLE goneplug_other")


@pytest.mark.usefixtures("note")
def test_who_is_referred_to_by_a_table_that_nobody_knows_is_not_deleted_and_the_table_is_named(
    cast: Cast,
) -> None:
    with refused_as("", "referred_to") as caught:
        delete_accounts(cast.root, [cast.sam.user])
    assert f"Rows of {TABLE} refer to it" in str(caught.value.reasons[0].message)
    with refused_as("", "referred_to"):
        delete_domains(cast.root, [cast.dora_example])
    delete_accounts(cast.root, [cast.dora.user])
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE}")  # noqa: S608  a literal of this file
    delete_accounts(cast.root, [cast.sam.user])
    assert not User.objects.filter(pk=cast.sam.pk).exists()
