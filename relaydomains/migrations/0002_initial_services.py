from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Every master.cf has them.
NAMES = ("relay", "smtp")


def add_services(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    service = apps.get_model("relaydomains", "Service")
    service.objects.bulk_create(service(name=name) for name in NAMES)


def remove_services(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("relaydomains", "Service").objects.filter(name__in=NAMES).delete()


class Migration(migrations.Migration):
    dependencies = [("relaydomains", "0001_initial")]

    operations = [migrations.RunPython(add_services, remove_services)]
