"""What relay domains add to the published tables."""

from collections.abc import Collection

from admin.publication import Relay
from relaydomains.models import RelayDomain


def relays(names: Collection[str]) -> dict[str, Relay]:
    """Where the mail of those of *names* goes that are relayed and enabled."""
    rows = RelayDomain.objects.filter(domain__name__in=names, domain__enabled=True).order_by()
    columns = ("domain__name", "service__name", "target_host", "target_port", "verify_recipients")
    return {
        name: Relay(service, host, port, verifies)
        for name, service, host, port, verifies in rows.values_list(*columns)
    }
