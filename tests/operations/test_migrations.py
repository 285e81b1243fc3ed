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
from core.models import User
from parameters.models import Preferences, SiteParameters


def migrated_to(name: str, app: str = "admin") -> Any:
    """The models of *name*, the newest migration of *app* that is applied from now on."""
    target = [(app, name)]
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


@pytest.mark.usefixtures("_newest")
def test_values_of_parameters_move_into_one_row_each_and_back() -> None:
    values = {
        ("core", "items_per_page"): 50,
        ("core", "default_password"): " ü ",
        ("admin", "handle_mailboxes"): False,
        ("plugin", "colours"): ["red", "blue"],
    }
    owners = [User.objects.create(username=name).pk for name in ("ann", "bob", "cid")]
    apps = migrated_to("0002_preferences", "parameters")
    parameter, own = (apps.get_model("parameters", name) for name in ("Parameter", "UserParameter"))
    for (app, name), value in values.items():
        parameter.objects.create(app=app, name=name, value=value)
    for owner, app, value in ((owners[2], "mail", 1), (owners[0], "mail", 2), (owners[2], "other", 3)):
        own.objects.create(owner_id=owner, app=app, name="lines", value=value)

    migrated_to("0005_no_row_per_value", "parameters")
    site = SiteParameters.objects.get().parameters
    assert len(site["core"].pop("secret_key")) == 32
    assert site == {
        "core": {"items_per_page": 50, "default_password": " ü "},
        "admin": {"handle_mailboxes": False},
        "plugin": {"colours": ["red", "blue"]},
    }
    assert dict(Preferences.objects.values_list("owner", "parameters")) == {
        owners[0]: {"mail": {"lines": 2}},
        owners[2]: {"mail": {"lines": 1}, "other": {"lines": 3}},
    }

    apps = migrated_to("0002_preferences", "parameters")
    rows = apps.get_model("parameters", "Parameter").objects.exclude(name="secret_key")
    assert {(row.app, row.name): row.value for row in rows} == values
    rows = apps.get_model("parameters", "UserParameter").objects.order_by("owner_id", "app")
    assert [(row.owner_id, row.app, row.value) for row in rows] == [
        (owners[0], "mail", 2),
        (owners[2], "mail", 1),
        (owners[2], "other", 3),
    ]
    migrated_to("0005_no_row_per_value", "parameters")
    Preferences.objects.all().delete()
