"""Relay domains as rows of a CSV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from relaydomains.models import RelayDomain

if TYPE_CHECKING:
    from admin.models import Domain
    from core.spreadsheets import Row


def relay_domain_rows(domains: Sequence[Domain]) -> Mapping[int, Row]:
    """Rows of those that are relayed. Quotas, which the documented format lacks, only where there is one."""
    by_id = {domain.pk: domain for domain in domains}
    relays = RelayDomain.objects.filter(domain__in=by_id).select_related("service")
    return {relay.pk: _row(by_id[relay.pk], relay) for relay in relays}


def _row(domain: Domain, relay: RelayDomain) -> Row:
    quotas = (domain.quota, domain.default_mailbox_quota)
    return (
        "relaydomain",
        domain.name,
        relay.target_host,
        str(relay.target_port),
        relay.service.name,
        str(domain.enabled),
        str(relay.verify_recipients),
        *(map(str, quotas) if any(quotas) else ()),
    )
