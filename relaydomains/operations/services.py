"""Services of Postfix: what its master.cf has, the panel offers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from admin.models.published import SERVICE_LENGTH
from core.operation import operation, record
from core.refusals import WHOLE_OBJECT, Refusal
from parameters.tools import get_global_parameter
from relaydomains import policies
from relaydomains.gateways import master_cf
from relaydomains.models import RelayDomain, Service

if TYPE_CHECKING:
    from core.actor import Actor

_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{SERVICE_LENGTH - 1}}}")


@dataclass(frozen=True, slots=True)
class Scan:
    """What came of a scan, names in order.

    *kept* are not in the file any more, but relay domains use them; *skipped* are in the file, under a name that no
    service can have here.
    """

    created: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@operation("service.scan", allow=policies.may_scan_services)
def scan_services(actor: Actor, /) -> Scan:
    """Offer the services that master.cf has: new ones come, others go unless a relay domain uses them.

    When it has none, nothing is deleted. Code: ``master_cf_unreadable``.
    """
    path = str(get_global_parameter("master_cf_path", "relaydomains"))
    try:
        found = master_cf.smtp_clients(path)
    except master_cf.Unreadable as error:
        raise Refusal.single(WHOLE_OBJECT, "master_cf_unreadable", _unreadable(path, error.detail)) from error
    present = {service.name: service for service in Service.objects.select_for_update().order_by("pk")}
    names = [name for name in found if _NAME.fullmatch(name)]
    missing = [service for name, service in present.items() if name not in names] if names else []
    used = set(
        RelayDomain.objects.filter(service__in=missing)
        .order_by()
        .values_list("service", flat=True)
        .distinct()
    )
    created = _create_services(actor, [name for name in names if name not in present])
    gone = [service for service in missing if service.pk not in used]
    _delete_services(actor, gone)
    return Scan(
        created=tuple(sorted(service.name for service in created)),
        deleted=tuple(sorted(service.name for service in gone)),
        kept=tuple(sorted(service.name for service in missing if service.pk in used)),
        skipped=tuple(sorted(set(found).difference(names))),
    )


@operation("service.create", allow=policies.may_scan_services)
def _create_services(_actor: Actor, /, names: Sequence[str]) -> list[Service]:
    services = Service.objects.bulk_create(Service(name=name) for name in names)
    for service in services:
        record(service)
    return services


@operation("service.delete", allow=policies.may_scan_services)
def _delete_services(_actor: Actor, /, services: Sequence[Service]) -> None:
    for service in services:
        record(service, versions=())
    Service.objects.filter(pk__in=[service.pk for service in services]).delete()


def _unreadable(path: str, detail: str) -> str:
    shown = {"path": path, "detail": detail}
    if detail:
        message = _("The services of Postfix could not be read from %(path)s: %(detail)s.")
    else:
        message = _("%(path)s is not a master.cf of Postfix.")
    remedy = _("Correct the path in the parameters, or let the panel read the file.")
    return f"{message % shown} {remedy}"
