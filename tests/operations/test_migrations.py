"""Upgrades take along what is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from admin.models import MailCheck, MailRoute, MailSender, MailTransport
from admin.models.published import CLOSED_ACTION, LOCAL_TRANSPORT, OPEN_ACTION, RETRY_ACTION, RETRY_TRANSPORT


def migrated_to(name: str) -> Any:
    """The models of *name*, the newest migration that is applied from now on."""
    target = [("admin", name)]
    executor = MigrationExecutor(connection)
    executor.migrate(target)
    return executor.loader.project_state(target).apps


@pytest.fixture
def _newest(transactional_db: None) -> Iterator[None]:
    """However the test ends, the next one finds the newest tables."""
    del transactional_db
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.usefixtures("_newest")
def test_published_rows_are_joined_and_no_mail_is_refused_meanwhile() -> None:
    apps = migrated_to("0007_relays_and_closed_addresses")
    route, sender, check, transport = (
        apps.get_model("admin", name) for name in ("MailRoute", "MailSender", "MailCheck", "MailTransport")
    )
    soon, past = timezone.now() + timedelta(hours=1), timezone.now() - timedelta(hours=1)
    for address, target, end in (
        ("list@x.example", "z@out.example", soon),
        ("list@x.example", "list@x.example", soon),
        ("a@x.example", "b@x.example", None),
        ("@x.example", "a@x.example", None),
    ):
        route.objects.create(address=address, target=target, expires_at=end)
    for login, source in (("b@x.example", "mailbox"), ("a@x.example", "alias"), ("b@x.example", "extra")):
        sender.objects.create(address="b@x.example", login=login, source=source)
    for address, action, since in (
        ("now@x.example", "closed", None),
        ("then@x.example", "closed", past),
        ("later@x.example", "closed", soon),
        ("later+x@x.example", "closed", soon),
        ("moving@x.example", "retry", None),
    ):
        check.objects.create(address=address, action=action, since=since)
    for address, kind in (("moving@x.example", "retry"), ("here@x.example", "local")):
        transport.objects.create(address=address, kind=kind)
    relay = {"kind": "relay", "service": "smtp", "host": "2001:db8::1", "port": 2525}
    transport.objects.create(address="x.example", **relay)

    migrated_to("0008_one_row_for_each_key")

    columns = ("address", "targets", "ends_here", "expires_at")
    assert set(MailRoute.objects.values_list(*columns)) == {
        ("list@x.example", "list@x.example,z@out.example", True, soon),
        ("a@x.example", "b@x.example", False, None),
        ("@x.example", "a@x.example", False, None),
    }
    assert list(MailSender.objects.values_list("logins", "alias_logins", "extra_logins")) == [
        ("a@x.example,b@x.example", "a@x.example", "b@x.example")
    ]
    assert dict(MailCheck.objects.values_list("address", "answer")) == {
        "now@x.example": CLOSED_ACTION,
        "then@x.example": CLOSED_ACTION,
        "later+x@x.example": OPEN_ACTION,
        "moving@x.example": RETRY_ACTION,
    }
    assert dict(MailTransport.objects.values_list("address", "answer")) == {
        "moving@x.example": RETRY_TRANSPORT,
        "here@x.example": LOCAL_TRANSPORT,
        "x.example": "smtp:[2001:db8::1]:2525",
    }
