"""Tables that a plugin left behind: what they keep from being deleted is said in words, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from admin.models import Account
from admin.operations import delete_accounts, delete_domains
from tests.cast import Cast
from tests.operations.evidence import refused_as

TABLE = "goneplug_note"


@pytest.fixture
def note(real_cast: Cast) -> Iterator[None]:
    """A row that refers to sam, in a table as Django makes them."""
    deferred = "" if connection.vendor == "mysql" else "DEFERRABLE INITIALLY DEFERRED"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, user_id bigint NOT NULL,"
            f" FOREIGN KEY (user_id) REFERENCES core_user (id) {deferred})"
        )
        cursor.execute("CREATE TABLE goneplug_other (id bigint PRIMARY KEY)")
        cursor.execute(f"INSERT INTO {TABLE} VALUES (1, %s)", [real_cast.sam.pk])  # noqa: S608  a literal of this file
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")
        cursor.execute("DROP TABLE goneplug_other")


@pytest.mark.usefixtures("note")
def test_who_is_referred_to_by_a_table_that_nobody_knows_is_not_deleted_and_the_table_is_named(
    real_cast: Cast,
) -> None:
    with refused_as("", "referred_to") as caught:
        delete_accounts(real_cast.root, [Account.objects.get(pk=real_cast.sam.pk)])
    assert f"Rows of {TABLE} refer to it" in str(caught.value.reasons[0].message)
    with refused_as("", "referred_to"):
        delete_domains(real_cast.root, [real_cast.dora_example])
    delete_accounts(real_cast.root, [Account.objects.get(pk=real_cast.dora.pk)])
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {TABLE}")  # noqa: S608  a literal of this file
    delete_accounts(real_cast.root, [Account.objects.get(pk=real_cast.sam.pk)])
    assert not Account.objects.filter(pk=real_cast.sam.pk).exists()
