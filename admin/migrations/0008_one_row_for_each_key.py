"""One row for each key of ``mail_route`` and ``mail_sender``, and what Postfix is told as a column.

The rows are carried over, so that no mail is refused before somebody publishes everything anew.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import functions
from django.utils import timezone

import core.fields

_CHUNK = 2_000


def _carry_over(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    del schema_editor
    for old, new, make in (
        ("RouteRow", "MailRoute", _route),
        ("SenderRow", "MailSender", _sender),
    ):
        model = apps.get_model("admin", new)
        made = (model(**make(address, rows)) for address, rows in _by_address(apps.get_model("admin", old)))
        model.objects.bulk_create(made, batch_size=_CHUNK)


def _by_address(model: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    rows = model.objects.order_by("address").values().iterator(_CHUNK)
    return ((address, list(some)) for address, some in groupby(rows, itemgetter("address")))


def _route(address: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    targets = {row["target"] for row in rows}
    return {
        "address": address,
        "targets": ",".join(sorted(targets)),
        "ends_here": address in targets,
        "expires_at": rows[0]["expires_at"],
    }


def _sender(address: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    def logins(*sources: str) -> str:
        return ",".join(sorted({row["login"] for row in rows if row["source"] in sources}))

    return {
        "address": address,
        "logins": logins("mailbox", "alias", "extra"),
        "alias_logins": logins("alias"),
        "extra_logins": logins("extra"),
    }


def _close_later(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until something expires it takes mail; from then on it is published anew."""
    del schema_editor
    later = apps.get_model("admin", "MailCheck").objects.filter(action="closed", since__gt=timezone.now())
    later.filter(address__contains="+").update(action="open")
    later.filter(action="closed").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0007_relays_and_closed_addresses"),
    ]

    operations = [
        migrations.RunPython(_close_later, migrations.RunPython.noop),
        migrations.RemoveField(model_name="mailcheck", name="since"),
        migrations.AddField(
            model_name="mailcheck",
            name="answer",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(
                        action="retry",
                        then=models.Value(
                            "450 4.2.1 This mailbox is being moved, please try again in a few minutes"
                        ),
                    ),
                    models.When(action="closed", then=models.Value("550 5.2.1 This address is switched off")),
                    default=models.Value("DUNNO"),
                ),
                output_field=models.CharField(max_length=100),
            ),
        ),
        migrations.AddField(
            model_name="mailtransport",
            name="answer",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Case(
                    models.When(kind="retry", then=models.Value("retry:4.2.1 mailbox is being moved")),
                    models.When(kind="local", then=models.Value("lmtp:unix:private/dovecot-lmtp")),
                    default=functions.Concat(
                        models.F("service"),
                        models.Value(":["),
                        models.F("host"),
                        models.Value("]:"),
                        functions.Cast("port", models.CharField(max_length=5)),
                        output_field=models.CharField(),
                    ),
                    output_field=models.CharField(),
                ),
                output_field=models.CharField(max_length=363),
            ),
        ),
        migrations.RenameModel("MailRoute", "RouteRow"),
        migrations.AlterModelTable("RouteRow", "mail_route_rows"),
        migrations.CreateModel(
            name="MailRoute",
            fields=[
                ("address", core.fields.ExactCharField(max_length=254, primary_key=True, serialize=False)),
                ("targets", models.TextField()),
                ("ends_here", models.BooleanField()),
                ("expires_at", models.DateTimeField(db_index=True, null=True)),
            ],
            options={
                "db_table": "mail_route",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("targets", ""), _negated=True), name="mail_route_leads_somewhere"
                    )
                ],
            },
        ),
        migrations.RenameModel("MailSender", "SenderRow"),
        migrations.AlterModelTable("SenderRow", "mail_sender_rows"),
        migrations.CreateModel(
            name="MailSender",
            fields=[
                ("address", core.fields.ExactCharField(max_length=254, primary_key=True, serialize=False)),
                ("logins", models.TextField()),
                ("alias_logins", models.TextField(blank=True, default="")),
                ("extra_logins", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "mail_sender",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("logins", ""), _negated=True), name="mail_sender_has_a_login"
                    )
                ],
            },
        ),
        migrations.RunPython(_carry_over, migrations.RunPython.noop),
        migrations.DeleteModel("RouteRow"),
        migrations.DeleteModel("SenderRow"),
    ]
