"""Where a relay domain may lead: the grammar of hosts, and what only a super administrator may reach.

Whoever could send the mail of a domain to any host and port would reach what stands behind the firewall of this
server, or send mail in a circle. A name is looked up when it is given; what its owner lets it mean later is a matter
for the network.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils.translation import gettext as _

from admin.gateways import dns
from admin.mail_networks import IPNetwork, networks
from admin.operations.authorized_mx import Objection
from core.addresses import AddressError, canonical_domain, display_domain
from parameters.tools import get_global_parameter
from relaydomains import policies

if TYPE_CHECKING:
    from admin.gateways.dns import HostAddresses, IPAddress
    from core.actor import Actor

# The name servers of mail domains are asked before, and a web server gives up after 30 s.
_BATCH_S: Final = 10.0
# Names that mean something inside a network only: RFC 6761, 6762, 7686, 8375, 9476, ICANN's "internal", and custom.
_SPECIAL: Final = (
    "alt",
    "home.arpa",
    "internal",
    "invalid",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class TargetError(ValueError):
    """A refused host: a stable ``code`` and a ``message`` in the active language."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def canonical_host(text: str) -> str:
    """A name in A-labels, of one label perhaps, or an IP address in its shortest form, without brackets.

    Raises :class:`TargetError` and :class:`AddressError`.
    """
    text = text.strip(" \t")
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if not text:
        raise TargetError(
            "target_empty", _("Enter the name or the IP address of the host that takes the mail.")
        )
    address = _ip_address(text)
    if address is not None:
        return str(address)
    try:
        name = canonical_domain(text)
    except AddressError as error:
        if error.code == "domain_ip_literal":
            raise _badly_written() from error
        if error.code != "domain_one_label":
            raise
        name = canonical_domain(f"{text}.example").removesuffix(".example")
    if _is_number(name):
        raise _badly_written()
    return name


def _badly_written() -> TargetError:
    message = _("Write an IP address in full and without a zone, for example 192.0.2.1 or 2001:db8::1.")
    return TargetError("target_address", message)


def _ip_address(text: str) -> IPAddress | None:
    with suppress(ValueError):
        address = ip_address(text)
        if isinstance(address, IPv4Address):
            return address
        if address.scope_id is None:  # else the grammar of names refuses the percent sign
            return address.ipv4_mapped or address
    return None


def _is_number(name: str) -> bool:
    """What the C library reads as an IPv4 address, though nobody writes it so: ``127.0x1``, ``2130706433``."""
    with suppress(OSError):
        socket.inet_aton(name)
        return True
    return False


def objections_to(
    actor: Actor, /, hosts: Iterable[str], *, resolver: dns.Resolver | None = None
) -> dict[str, Objection | None]:
    """What stands against each of *hosts* as a target that *actor* chooses; None: nothing.

    Keys are canonical; what the grammar refuses is left out. Codes: ``target_private``, ``target_is_here``,
    ``target_unknown``, ``target_unresolved`` (no answer: try again). Takes up to 10 s; not for the inside of a
    transaction.
    """
    wanted = _canonical(hosts)
    if actor.is_super or not (actor.user.is_active and policies.may_manage_relay_domains(actor)):
        return dict.fromkeys(wanted)
    if not wanted:
        return {}
    own = _canonical([settings.SITE_HOST, settings.EMAIL_HOST])
    # Our own first: those at the end of a batch may come away without an answer.
    names = [
        host
        for host in [*sorted(own), *sorted(wanted - own)]
        if _ip_address(host) is None and not _is_special(host)
    ]
    asked = (resolver or dns.resolver()).addresses(names, within_s=_BATCH_S) if names else {}
    ours = _Ours(
        names=own,
        addresses={_untranslated(address) for name in own for address in _addresses_of(name, asked)},
        is_complete=all(asked[name].is_complete for name in own if name in asked),
        networks=networks(get_global_parameter("valid_mxs", "admin")),
    )
    return {host: _objection(host, asked, ours) for host in wanted}


def _canonical(hosts: Iterable[str]) -> set[str]:
    canonical = set()
    for host in hosts:
        with suppress(AddressError, TargetError):
            canonical.add(canonical_host(host))
    return canonical


@dataclass(frozen=True, slots=True)
class _Ours:
    """Names and addresses under which mail would come back to this server; there may be more if not *is_complete*."""

    names: Collection[str]
    addresses: Collection[IPAddress]
    is_complete: bool
    networks: Sequence[IPNetwork]

    def are_meant(self, host: str, addresses: Iterable[IPAddress]) -> bool:
        return host in self.names or any(
            address in self.addresses or any(address in network for network in self.networks)
            for address in map(_untranslated, addresses)
        )


def _addresses_of(host: str, asked: Mapping[str, HostAddresses]) -> Sequence[IPAddress]:
    literal = _ip_address(host)
    if literal is not None:
        return [literal]
    return asked[host].addresses if host in asked else ()


def _objection(host: str, asked: Mapping[str, HostAddresses], ours: _Ours) -> Objection | None:
    addresses = _addresses_of(host, asked)
    if ours.are_meant(host, addresses):
        message = _(
            "“%(host)s” is this server itself: mail would go round in circles. Enter the host behind it, or ask the"
            " administrator of this server to enter this one."
        )
        code = "target_is_here"
    elif _is_special(host) or not all(map(is_public, addresses)):
        message = _(
            "“%(host)s” is not in the public network. Ask the administrator of this server to enter it."
        )
        code = "target_private"
    elif host in asked and not asked[host].is_complete:
        message = _("The DNS gave no answer about “%(host)s” in time. Try again in a few minutes.")
        code = "target_unresolved"
    elif not addresses:
        message = _("The DNS knows no address of “%(host)s”. Correct the name, or let it get one.")
        code = "target_unknown"
    elif not ours.is_complete:
        message = _(
            "The DNS does not say whether “%(host)s” is this server itself. Try again in a few minutes."
        )
        code = "target_unresolved"
    else:
        return None
    return Objection(code, message % {"host": display_domain(host)})


def _is_special(host: str) -> bool:
    if _ip_address(host) is not None:
        return False
    return "." not in host or any(host == name or host.endswith(f".{name}") for name in _SPECIAL)


def is_public(address: IPAddress) -> bool:
    """An address of one host that everybody reaches; what translators make an IPv4 address of counts as that one."""
    meant = _untranslated(address)
    if isinstance(meant, IPv6Address) and meant not in _GLOBAL_UNICAST:
        return False
    return meant.is_global and not meant.is_multicast and not meant.is_reserved


def _untranslated(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
