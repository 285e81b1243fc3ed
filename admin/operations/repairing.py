"""Mending rows that somebody else wrote: by SQL, by another program, by a restored copy of some tables.

With *dry_run* these say what they would do, and do nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from admin import policies, publication
from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias, DomainName, Mailbox
from admin.operations.accounts import first_super_admin
from admin.operations.aliases import LocalAddresses
from admin.operations.saving import save_columns
from core.operation import operation, record
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor

_CHUNK: Final = 500


@operation("owner.repair", allow=policies.may_repair)
def adopt_orphans(actor: Actor, /, *, dry_run: bool) -> list[str]:  # noqa: ARG001  an operation has an actor
    """Whatever nobody owns gets the first administrator of its domain, else the first active super administrator.

    A domain itself goes to a reseller among its administrators only. The forward of a mailbox belongs to nobody.
    """
    heir = first_super_admin()
    names = dict(Account.objects.filter(pk=heir).values_list("pk", "username"))
    forwards = Exists(Mailbox.objects.filter(user__email=OuterRef("address")))
    orphans: tuple[tuple[QuerySet[Any], str, list[Role]], ...] = (
        (Account.objects.all(), "", []),
        (Domain.objects.all(), "pk", [Role.RESELLER]),
        (DomainAlias.objects.all(), "target_id", list(Role)),
        (Mailbox.objects.select_related("domain"), "domain_id", list(Role)),
        (Alias.objects.exclude(forwards), "domain_id", list(Role)),
    )
    lines = []
    for rows, domain_column, roles in orphans:
        found = list(rows.filter(owner__isnull=True).select_for_update().order_by("pk"))
        domains = {getattr(row, domain_column) for row in found} if domain_column else set()
        first = _first_administrators(domains, roles, names)
        for row in found:
            row.owner_id = first.get(getattr(row, domain_column), heir) if domain_column else heir
            lines.append(
                _("%(thing)s now belongs to %(owner)s") % {"thing": row, "owner": names[row.owner_id]}
            )
            if not dry_run:
                record(row, changed=["owner"])
        if not dry_run:
            save_columns(found, ["owner"])
    return lines


def _first_administrators(domains: set[int], roles: list[Role], names: dict[int, str]) -> dict[int, int]:
    """By domain; *names* learns who they are."""
    first: dict[int, int] = {}
    through = Domain.administrators.through.objects
    for some in publication.chunks(domains, size=_CHUNK):
        rows = through.filter(domain__in=some, user__role__in=roles, user__is_active=True).order_by("pk")
        for domain, user, name in rows.values_list("domain_id", "user_id", "user__username"):
            first.setdefault(domain, user)
            names[user] = name
    return first


@operation("name.repair", allow=policies.may_repair)
def register_names(actor: Actor, /, *, dry_run: bool) -> list[str]:  # noqa: ARG001  as above
    """Every domain and domain alias holds its name, so that no other can take it."""
    lines = []
    for model, holder in ((Domain, "domain"), (DomainAlias, "alias")):
        own = DomainName.objects.filter(**{holder: OuterRef("pk")}, name=OuterRef("name"))
        for row in model._default_manager.exclude(Exists(own)).order_by("pk"):
            if DomainName.objects.filter(
                Q(domain__name=row.name) | Q(alias__name=row.name), name=row.name
            ).exists():
                text = _("%(name)s is the name of something else, too: delete or rename one of the two")
                lines.append(text % {"name": row.name})
                continue
            lines.append(_("%(name)s is taken now") % {"name": row.name})
            if not dry_run:
                DomainName.objects.filter(Q(name=row.name) | Q(**{holder: row})).delete()
                DomainName.objects.create(**{holder: row}, name=row.name)
    return lines


@operation("recipient.repair", allow=policies.may_repair)
def link_recipients_again(actor: Actor, /, *, dry_run: bool) -> list[str]:  # noqa: ARG001  as above
    """Recipients name the mailbox or the alias that has their address."""
    lines = []
    last = 0
    rows = AliasRecipient.objects.select_related("alias").order_by("pk")
    while some := list(rows.filter(pk__gt=last)[:_CHUNK]):
        local = LocalAddresses.behind([row.address for row in some])
        wrong = []
        for row in some:
            links = local.links(row.address, alias_address=row.alias.address)
            meant = (links.get("mailbox_id"), links.get("target_alias_id"))
            if (row.mailbox_id, row.target_alias_id) != meant:
                row.mailbox_id, row.target_alias_id = meant
                wrong.append(row)
                lines.append(f"{row.alias.address} → {row.address}")
        if wrong and not dry_run:
            save_columns(wrong, ["mailbox", "target_alias"])
            publication.publish(publication.Keys(addresses={row.alias.address for row in wrong}))
        last = some[-1].pk
    return lines
