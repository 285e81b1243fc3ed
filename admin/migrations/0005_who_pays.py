from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import migrations
from django.db.models import Aggregate, Count, Exists, OuterRef, Subquery, Sum

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Names as they were when this was written.
KINDS = ("domains", "domain_aliases", "domain_admins", "mailboxes", "mailbox_aliases", "quota")


def name_owners(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """What is there belongs to whoever made the account, or owns the domain; forwards belong to nobody."""
    users = apps.get_model("core", "User").objects
    domains = apps.get_model("admin", "Domain").objects
    aliases = apps.get_model("admin", "Alias").objects
    apps.get_model("admin", "Mailbox").objects.update(
        owner=Subquery(users.filter(pk=OuterRef("user_id")).values("owner_id")[:1])
    )
    apps.get_model("admin", "DomainAlias").objects.update(
        owner=Subquery(domains.filter(pk=OuterRef("target_id")).values("owner_id")[:1])
    )
    forward = Exists(users.filter(email=OuterRef("address")))
    aliases.exclude(forward).update(
        owner=Subquery(domains.filter(pk=OuterRef("domain_id")).values("owner_id")[:1])
    )


def open_allowances(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Nobody who is there already is limited before somebody says so."""
    users = apps.get_model("core", "User").objects
    allowance = apps.get_model("limits", "Allowance")

    def counted(app: str, model: str, what: Aggregate | None = None, **chosen: str) -> dict[int, int]:
        rows = apps.get_model(app, model).objects.filter(owner__isnull=False, **chosen).order_by()
        return dict(rows.values_list("owner").annotate(n=what or Count("pk")))

    used = {
        "domains": counted("admin", "Domain"),
        "domain_aliases": counted("admin", "DomainAlias"),
        "domain_admins": counted("core", "User", role="DomainAdmins"),
        "mailboxes": counted("admin", "Mailbox"),
        "mailbox_aliases": counted("admin", "Alias"),
        "quota": counted("admin", "Domain", Sum("quota")),
    }
    rows: list[Any] = []
    for pk, role in users.filter(role__in=("Resellers", "DomainAdmins")).values_list("pk", "role"):
        own = KINDS if role == "Resellers" else ("mailboxes", "mailbox_aliases")
        rows.append(
            allowance(
                user_id=pk,
                **{f"{kind}_max": -1 for kind in own if kind != "quota"},
                **{f"{kind}_used": used[kind].get(pk) or 0 for kind in own},
            )
        )
    allowance.objects.bulk_create(rows, batch_size=1_000)


def close_allowances(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """So that the way forward can be gone again."""
    apps.get_model("limits", "Allowance").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("admin", "0004_owners_and_limits"),
        ("limits", "0001_allowances"),
        ("core", "0002_tokens_and_throttles"),
    ]

    operations = [
        migrations.RunPython(name_owners, migrations.RunPython.noop),
        migrations.RunPython(open_allowances, close_allowances),
    ]
