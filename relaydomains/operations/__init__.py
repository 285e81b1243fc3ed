"""Every change of relay domains and services. Import what a door needs from here."""

from relaydomains.operations.relaying import (
    RelayDomainChange,
    RelayDomainSpec,
    RelaySpec,
    create_relay_domain,
    create_relay_domains,
    start_relaying,
    stop_relaying,
    update_relay_domain,
    update_relay_domains,
)
from relaydomains.operations.services import Scan, scan_services

__all__ = [
    "RelayDomainChange",
    "RelayDomainSpec",
    "RelaySpec",
    "Scan",
    "create_relay_domain",
    "create_relay_domains",
    "scan_services",
    "start_relaying",
    "stop_relaying",
    "update_relay_domain",
    "update_relay_domains",
]
