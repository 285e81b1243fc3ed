"""Limits of domains, and what domains take out of the allowances of those who pay for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

from admin.holdings import held, limit_of
from admin.models import DomainAlias
from admin.operations.allowances import check_room, owned_by
from core.addresses import display_domain
from limits.kinds import MAX_LIMIT, OF_DOMAINS, Kind
from limits.models import Usage
from limits.operations import Demand, Owned, give_back, spend, spend_of, take_over
from limits.switches import default_of_domains, domains_are_limited
from limits.wording import amount_text, full_words

if TYPE_CHECKING:
    from admin.models import Domain
    from admin.operations.domains import DomainDraft, DomainSpec
    from core.actor import Actor
    from core.refusals import Refusals

LIMIT_COLUMNS: Final = tuple(kind.limit_name for kind in OF_DOMAINS)


def limits_of_new(drafts: Sequence[DomainSpec], refusals: Refusals) -> list[dict[str, int]]:
    """Limits of new domains, by column. Codes: ``limit_out_of_range``, ``domain_limit_reached``."""
    limits = []
    for position, draft in enumerate(drafts):
        own = {}
        for kind, column in zip(OF_DOMAINS, LIMIT_COLUMNS, strict=True):
            given: int | None = getattr(draft, column)
            own[column] = default_of_domains(kind) if given is None else given
            _check_range(own[column], refusals, position, column)
        room, asked = own["domain_aliases_limit"], len(draft.aliases)
        if 0 <= room < asked and domains_are_limited():
            kind = Kind.DOMAIN_ALIASES
            words = full_words(Usage(kind, room, 0), display_domain(draft.name), asked)
            refusals.add(position, "aliases", "domain_limit_reached", words)
        limits.append(own)
    return limits


def _check_range(limit: int, refusals: Refusals, position: int, column: str) -> bool:
    if -1 <= limit <= MAX_LIMIT:
        return True
    message = _("A limit is a whole number from -1 (no limit) to %(most)d.") % {"most": MAX_LIMIT}
    refusals.add(position, column, "limit_out_of_range", message)
    return False


def settle_limits(actor: Actor, drafts: Mapping[int, DomainDraft], refusals: Refusals) -> None:
    """Changed domains: the actor pays for new aliases, the owner for the quota; no limit is below what is there.

    Codes: ``limit_reached``, ``domain_limit_reached``, ``limit_out_of_range``, ``below_use``.
    """
    lost = chain.from_iterable(draft.lost_aliases for draft in drafts.values())
    give_back(owned_by(Kind.DOMAIN_ALIASES, [alias.owner_id for alias in lost]))
    places = [position for position, draft in drafts.items() for _name in draft.new_aliases]
    spend(actor, [Demand(Kind.DOMAIN_ALIASES, places, "aliases")], refusals)
    # As many as go make room.
    further = [
        (position, draft.domain)
        for position, draft in drafts.items()
        for _name in draft.new_aliases[len(draft.lost_aliases) :]
    ]
    check_room(Kind.DOMAIN_ALIASES, further, refusals, "aliases")
    _settle_quotas(actor, drafts, refusals)
    _check_changed(drafts, refusals)


def _settle_quotas(actor: Actor, drafts: Mapping[int, DomainDraft], refusals: Refusals) -> None:
    """Super administrators give more than the owner of a domain has; nobody else does."""
    growth: dict[int, dict[int, int]] = {}
    # What nobody gets anyhow takes no room from others, and may be a number that no column holds.
    refused = {reason.position for reason in refusals if reason.field in {"quota", "default_mailbox_quota"}}
    for position, draft in drafts.items():
        if "quota" in draft.changed and draft.domain.owner_id is not None and position not in refused:
            theirs = growth.setdefault(draft.domain.owner_id, {})
            theirs[position] = draft.domain.quota - draft.old_quota
    if actor.is_super:
        take_over(Owned({(owner, Kind.QUOTA): sum(theirs.values()) for owner, theirs in growth.items()}))
        return
    for owner, theirs in sorted(growth.items()):
        demand = Demand(Kind.QUOTA, list(theirs), "quota", list(theirs.values()))
        spend_of(owner, [demand], refusals, by=actor)


def _check_changed(drafts: Mapping[int, DomainDraft], refusals: Refusals) -> None:
    for kind, column in zip(OF_DOMAINS, LIMIT_COLUMNS, strict=True):
        changed = {p: draft.domain for p, draft in drafts.items() if column in draft.changed}
        there = held(kind, [domain.pk for domain in changed.values()]) if changed else {}
        for position, domain in changed.items():
            limit, taken = limit_of(domain, kind), there.get(domain.pk, 0)
            if _check_range(limit, refusals, position, column) and -1 < limit < taken:
                message = _("The domain holds %(taken)s already; the limit cannot be lower.")
                refusals.add(position, column, "below_use", message % {"taken": amount_text(kind, taken)})


def possessions(domains: Collection[Domain]) -> Owned:
    """What the owners of domains and of their aliases have in them."""
    owners = [domain.owner_id for domain in domains]
    aliases = DomainAlias.objects.filter(target__in=[domain.pk for domain in domains]).select_for_update()
    owned = owned_by(Kind.DOMAINS, owners)
    owned.update(owned_by(Kind.QUOTA, owners, [domain.quota for domain in domains]))
    owned.update(owned_by(Kind.DOMAIN_ALIASES, aliases.values_list("owner", flat=True)))
    return owned
