"""The DNS: which hosts take the mail of a name, and their addresses.

Whoever owns a name decides what is answered, so every question is bounded in time and every answer in size. "Nobody
answered" is an outcome of its own and never "there is none". Questions are asked for a whole batch at once, outside
of transactions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdata
import dns.resolver
from django.conf import settings

NAME_S = 5.0  # for all questions about one name
BATCH_S = 20.0  # for all names; web servers give up a request after 30
MAX_HOSTS = 20
MAX_ADDRESSES = 20  # of one host and family
_TRY_S = 1.5  # then the next server is asked
_NAMES_AT_ONCE = 10
_QUESTIONS_AT_ONCE = 50
_REMEMBERED = 10_000

_log = logging.getLogger("modoboa.dns")

IPAddress = IPv4Address | IPv6Address
Endpoint = tuple[str, int]
T = TypeVar("T")


class Outcome(Enum):
    """What is known about the mail of a name."""

    FOUND = auto()  # at least one host has an address
    NO_SUCH_NAME = auto()
    NO_MAIL_HOST = auto()  # neither MX records nor an address of its own
    NO_ADDRESS = auto()  # MX records, but not one of their hosts has an address
    REFUSES_MAIL = auto()  # a null MX, RFC 7505
    UNKNOWN = auto()  # no answer, or one that nobody can use: ask again later


@dataclass(frozen=True, slots=True)
class MailHost:
    """One exchanger. *is_complete* is False when a question about its addresses was not answered."""

    name: str
    preference: int
    addresses: tuple[IPAddress, ...]
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class MailHosts:
    """Where the mail of a name goes; the best hosts first, no more than MAX_HOSTS."""

    outcome: Outcome
    hosts: tuple[MailHost, ...] = ()

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """Of all hosts, each once."""
        return tuple(dict.fromkeys(address for host in self.hosts for address in host.addresses))

    @property
    def is_complete(self) -> bool:
        """False when there may be more addresses than were answered."""
        return self.outcome is not Outcome.UNKNOWN and all(host.is_complete for host in self.hosts)


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """All addresses of a host. *is_complete* is False when a question about them was not answered."""

    addresses: tuple[IPAddress, ...] = ()
    is_complete: bool = True


class Resolver(Protocol):
    """What the panel asks of the DNS."""

    def mail_hosts(self, names: Collection[str], *, within_s: float = BATCH_S) -> dict[str, MailHosts]:
        """Answers about every one of *names* (A-labels)."""
        ...

    def addresses(self, names: Collection[str], *, within_s: float = BATCH_S) -> dict[str, HostAddresses]:
        """Addresses of every one of *names* (A-labels); a name that does not exist has none."""
        ...


def resolver() -> Resolver:
    """The one that the settings describe."""
    return DnsResolver(settings.MODOBOA_DNS_SERVERS)


# --- the real one ----------------------------------------------------------------------------------------------


class DnsResolver:
    """Asks recursive name servers: *servers*, or those of the system when there are none."""

    def __init__(self, servers: Sequence[Endpoint] = (), *, name_s: float = NAME_S) -> None:
        self._servers = servers
        self._name_s = name_s

    def mail_hosts(self, names: Collection[str], *, within_s: float = BATCH_S) -> dict[str, MailHosts]:
        """As the protocol says; what is not answered in time is UNKNOWN."""
        return self._ask(_Inquiry.mail_hosts, names, within_s, MailHosts(Outcome.UNKNOWN))

    def addresses(self, names: Collection[str], *, within_s: float = BATCH_S) -> dict[str, HostAddresses]:
        """As the protocol says; what is not answered in time is not complete."""
        return self._ask(_Inquiry.addresses, names, within_s, HostAddresses(is_complete=False))

    def _ask(
        self,
        question: Callable[[_Inquiry, str], Awaitable[T]],
        names: Collection[str],
        within_s: float,
        unknown: T,
    ) -> dict[str, T]:
        try:
            client = _client(self._servers)
        except dns.resolver.NoResolverConfiguration:
            _log.warning("The system names no DNS server to ask; MODOBOA_DNS_SERVERS would.")
            return dict.fromkeys(names, unknown)
        # A thread of its own: the caller may be inside an event loop already.
        with ThreadPoolExecutor(max_workers=1) as pool:
            batch = pool.submit(
                lambda: asyncio.run(_ask_about(client, question, names, self._name_s, within_s))
            )
            return batch.result()


def _client(servers: Sequence[Endpoint]) -> dns.asyncresolver.Resolver:
    client = dns.asyncresolver.Resolver(configure=not servers)
    if servers:
        client.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in servers]
    client.timeout = _TRY_S
    client.cache = dns.resolver.LRUCache(_REMEMBERED)  # many domains of a batch share their hosts
    return client


async def _ask_about(
    client: dns.asyncresolver.Resolver,
    question: Callable[[_Inquiry, str], Awaitable[T]],
    names: Collection[str],
    name_s: float,
    within_s: float,
) -> dict[str, T]:
    end = time.monotonic() + within_s
    names_at_once, questions_at_once = (
        asyncio.Semaphore(_NAMES_AT_ONCE),
        asyncio.Semaphore(_QUESTIONS_AT_ONCE),
    )

    async def ask(name: str) -> T:
        async with names_at_once:
            deadline = min(end, time.monotonic() + name_s)
            return await question(_Inquiry(client, questions_at_once, deadline), name)

    unique = list(dict.fromkeys(names))
    return dict(zip(unique, await asyncio.gather(*map(ask, unique)), strict=True))


class _Unanswered(Exception):  # noqa: N818  not an error of ours
    """Nobody answered in time, or nobody gave an answer that can be used."""


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """The questions about one name."""

    client: dns.asyncresolver.Resolver
    at_once: asyncio.Semaphore
    deadline: float

    async def mail_hosts(self, name: str) -> MailHosts:
        try:
            found = await self._mail_hosts(name)
        except dns.resolver.NXDOMAIN:
            return MailHosts(Outcome.NO_SUCH_NAME)
        except _Unanswered:
            found = MailHosts(Outcome.UNKNOWN)
        if not found.is_complete:
            _log.warning("The DNS did not say everything about the mail of %s.", name)
        return found

    async def addresses(self, name: str) -> HostAddresses:
        families = await self._families(dns.name.from_text(name))
        if None in families:
            _log.warning("The DNS did not say everything about the addresses of %s.", name)
        return HostAddresses(
            addresses=tuple(address for family in families for address in family or ()),
            is_complete=None not in families,
        )

    async def _mail_hosts(self, name: str) -> MailHosts:
        exchangers = await self._exchangers(name)
        if list(exchangers) == [dns.name.root]:
            return MailHosts(Outcome.REFUSES_MAIL)
        # Without MX records the name itself takes its mail: RFC 5321 §5.1.
        asked = exchangers or {dns.name.from_text(name): 0}
        hosts = await asyncio.gather(*(self._host(host, preference) for host, preference in asked.items()))
        if any(host.addresses for host in hosts):
            return MailHosts(Outcome.FOUND, tuple(hosts))
        if not all(host.is_complete for host in hosts):
            return MailHosts(Outcome.UNKNOWN, tuple(hosts))
        if exchangers:
            return MailHosts(Outcome.NO_ADDRESS, tuple(hosts))
        return MailHosts(Outcome.NO_MAIL_HOST)

    async def _exchangers(self, name: str) -> dict[dns.name.Name, int]:
        """Hosts and their preference, best first."""
        records = await self._ask(dns.name.from_text(name), "MX")
        pairs = sorted((record.preference, record.exchange) for record in records)  # type: ignore[attr-defined]  # MX
        hosts: dict[dns.name.Name, int] = {}
        for preference, host in pairs:
            hosts.setdefault(host, preference)
        return dict(list(hosts.items())[:MAX_HOSTS])

    async def _host(self, name: dns.name.Name, preference: int) -> MailHost:
        families = await self._families(name)
        return MailHost(
            name=name.to_text(omit_final_dot=True),
            preference=preference,
            addresses=tuple(address for family in families for address in (family or ())[:MAX_ADDRESSES]),
            is_complete=None not in families,
        )

    async def _families(self, name: dns.name.Name) -> Sequence[tuple[IPAddress, ...] | None]:
        return await asyncio.gather(self._addresses(name, "A"), self._addresses(name, "AAAA"))

    async def _addresses(self, name: dns.name.Name, kind: str) -> tuple[IPAddress, ...] | None:
        """None when there was no answer."""
        try:
            records = await self._ask(name, kind)
        except dns.resolver.NXDOMAIN:
            return ()
        except _Unanswered:
            return None
        return tuple(ip_address(record.to_text()) for record in records)

    async def _ask(self, name: dns.name.Name, kind: str) -> list[dns.rdata.Rdata]:
        """Records of one kind, aliases followed. Raises NXDOMAIN and _Unanswered."""
        async with self.at_once:
            left_s = self.deadline - time.monotonic()
            if left_s <= 0:
                raise _Unanswered
            try:
                answer = await self.client.resolve(
                    name, kind, raise_on_no_answer=False, lifetime=left_s, search=False
                )
            except dns.resolver.NXDOMAIN:
                raise
            except (dns.exception.DNSException, OSError) as error:
                raise _Unanswered from error
        return list(answer.rrset or ())


# --- the fake --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class FakeResolver:
    """Knows *answers*, the addresses of *hosts*, and no other name; remembers what it was *asked*."""

    answers: Mapping[str, MailHosts] = field(default_factory=dict)
    hosts: Mapping[str, HostAddresses] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def mail_hosts(self, names: Collection[str], *, within_s: float = BATCH_S) -> dict[str, MailHosts]:  # noqa: ARG002  it answers at once
        """As the protocol says."""
        self.asked += names
        return {name: self.answers.get(name, MailHosts(Outcome.NO_SUCH_NAME)) for name in names}

    def addresses(self, names: Collection[str], *, within_s: float = BATCH_S) -> dict[str, HostAddresses]:  # noqa: ARG002  as above
        """As the protocol says."""
        self.asked += names
        return {name: self.hosts.get(name, HostAddresses()) for name in names}
