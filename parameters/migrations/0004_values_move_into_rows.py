import secrets
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_BATCH = 1_000


def join(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """One row for the site, with a secret key of its own, and one for each account."""
    old, new = _models(apps)
    site = _nested(old[0].objects.all())
    site.setdefault("core", {}).setdefault("secret_key", secrets.token_hex(16))
    new[0].objects.create(id=1, parameters=site)
    owned = old[1].objects.order_by("owner_id").iterator(_BATCH)
    rows = (
        new[1](owner_id=pk, parameters=_nested(own)) for pk, own in groupby(owned, attrgetter("owner_id"))
    )
    while batch := list(islice(rows, _BATCH)):
        new[1].objects.bulk_create(batch)


def divide(apps: StateApps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    """One row for each value again."""
    old, new = _models(apps)
    for model in old:
        model.objects.all().delete()
    for row in new[0].objects.all():
        old[0].objects.bulk_create([old[0](**value) for value in _flat(row.parameters)])
    for row in new[1].objects.iterator(_BATCH):
        old[1].objects.bulk_create([old[1](owner_id=row.pk, **value) for value in _flat(row.parameters)])
    for model in new:
        model.objects.all().delete()


def _models(apps: StateApps) -> list[list[Any]]:
    return [
        [apps.get_model("parameters", name) for name in names]
        for names in (("Parameter", "UserParameter"), ("SiteParameters", "Preferences"))
    ]


def _nested(rows: Iterable[Any]) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for row in rows:
        values.setdefault(row.app, {})[row.name] = row.value
    return values


def _flat(values: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for app, named in values.items():
        for name, value in named.items():
            yield {"app": app, "name": name, "value": value}


class Migration(migrations.Migration):
    dependencies = [("parameters", "0003_one_row_each")]

    operations = [migrations.RunPython(join, divide)]
