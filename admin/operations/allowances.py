"""What the operations of this app take out of allowances and limits: who pays, and how much a domain holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.models import Aggregate, Count, QuerySet, Sum

from admin.holdings import held, limit_of
from admin.models import Alias, Domain, DomainAlias, Mailbox
from core.addresses import display_domain
from core.models import User
from core.roles import Role
from limits import switches
from limits.kinds import Kind
from limits.models import Usage
from limits.operations import Owned, ask_plugins, count_by, things_are
from limits.wording import full_words

if TYPE_CHECKING:
    from core.refusals import Refusals


def owned_by(kind: Kind, owners: Iterable[int | None], amounts: Iterable[int] | None = None) -> Owned:
    """What the owners (ids; None: nobody) of rows have in them: one piece each, or *amounts*."""
    owned = Owned()
    if amounts is None:
        owned.update((owner, kind) for owner in owners if owner is not None)
        return owned
    for owner, amount in zip(owners, amounts, strict=True):
        if owner is not None:
            owned[owner, kind] += amount
    return owned


# --- limits of domains -----------------------------------------------------------------------------------------


def check_room(
    kind: Kind,
    wanted: Sequence[tuple[int, Domain]],
    refusals: Refusals,
    field: str,
) -> None:
    """Domains, locked, have room for one more of *kind* for each position that wants one.

    These limits bind everybody. Codes: ``domain_limit_reached``, ``vetoed``.
    """
    homes = {domain.pk: domain for _position, domain in wanted}
    places: dict[int, list[int]] = {pk: [] for pk in homes}
    for position, domain in wanted:
        places[domain.pk].append(position)
    for pk, domain in homes.items():
        ask_plugins(domain, kind, places[pk], refusals, field)
    if not switches.domains_are_limited():
        return
    limits = {domain.pk: limit_of(domain, kind) for _position, domain in wanted}
    limited = {pk for pk, limit in limits.items() if limit >= 0}
    used = held(kind, limited) if limited else {}
    total = Counter(domain.pk for _position, domain in wanted)
    taken = Counter(used)
    for position, domain in wanted:
        pk = domain.pk
        taken[pk] += 1
        if pk in limited and taken[pk] == max(limits[pk], used.get(pk, 0)) + 1:
            usage = Usage(kind, limits[pk], used.get(pk, 0))
            words = full_words(usage, display_domain(domain.name), total[pk])
            refusals.add(position, field, "domain_limit_reached", words)


# --- counting --------------------------------------------------------------------------------------------------


def tell_how_to_count() -> None:
    """Let ``limits`` count what accounts own. Called once, when the apps are ready."""
    admins = User.objects.filter(role=Role.DOMAIN_ADMIN)
    rows: dict[Kind, QuerySet[Any]] = {
        Kind.DOMAINS: Domain.objects.all(),
        Kind.DOMAIN_ALIASES: DomainAlias.objects.all(),
        Kind.DOMAIN_ADMINS: admins,
        Kind.MAILBOXES: Mailbox.objects.all(),
        Kind.MAILBOX_ALIASES: Alias.objects.all(),
        Kind.QUOTA: Domain.objects.all(),
    }
    for kind, owned in rows.items():
        if kind is not Kind.QUOTA:
            things_are(kind, owned.model)
        count_by(kind, partial(_counted, owned, Sum("quota") if kind is Kind.QUOTA else Count("pk")))


def _counted(rows: QuerySet[Any], amount: Aggregate, owners: Collection[int]) -> dict[int, int]:
    return dict(rows.filter(owner__in=owners).order_by().values_list("owner").annotate(amount))
