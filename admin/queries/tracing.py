"""Where mail for an address goes: what the mail servers do, step by step, from the published tables alone.

This follows Postfix with the settings of docs/mail-servers.md: the check of the recipient, the domain, the aliases
(the address, the address without its extension, then ``@domain``) again and again until an address answers for itself,
the transport, and Dovecot's list of mailboxes. One statement for each step, however many addresses there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from admin import lookups
from admin.lookups import Fact
from admin.models import MailCheck, MailDomain, MailTransport
from core.addresses import split_address, without_extension

# Chains are short; whatever is longer goes on at the page about the last address.
_STEPS: Final = 4
_SHOWN: Final = 50


class End(StrEnum):
    """What becomes of mail at the last address of a way."""

    KEPT = "kept"
    OUTSIDE = "outside"
    RELAYED = "relayed"
    REFUSED = "refused"
    LATER = "later"
    UNFOLLOWED = "unfollowed"


@dataclass(slots=True)
class Node:
    """An address on the way: *key* is what answered for it; it leads on, or it ends here."""

    address: str
    key: str = ""
    onward: list[Node] = field(default_factory=list)
    more: int = 0
    end: End | None = None
    repeated: bool = False  # another way leads here, too, and is followed there

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """This address and everything behind it, in the order in which people read it."""
        yield depth, self
        for node in self.onward:
            yield from node.walk(depth + 1)

    @property
    def ends(self) -> set[tuple[End, str]]:
        """Where mail arrives, and how."""
        return {(node.end, node.address) for _depth, node in self.walk() if node.end is not None}


def domain_of(address: str) -> str:
    """What stands behind the ``@``."""
    return split_address(address)[1]


def trace(address: str) -> Node:
    """Follow one canonical address."""
    start = Node(address)
    open_nodes, known = [start], {start.address}
    for _step in range(_STEPS):
        answers = lookups.next_addresses(key for node in open_nodes for key in _keys(node.address))
        following = [node for each in open_nodes for node in _lead_on(each, answers, known)]
        open_nodes = [node for node in following if node.end is None and not node.repeated]
        if not open_nodes:
            break
    for node in open_nodes:
        node.end = End.UNFOLLOWED
    _end(start)
    return start


def _own_keys(address: str) -> list[str]:
    """The address, and without its extension."""
    return list(dict.fromkeys((address, without_extension(address))))


def _keys(address: str) -> list[str]:
    """The keys under which an address is looked for; the first that answers wins."""
    return list(dict.fromkeys((*_own_keys(address), f"@{domain_of(address)}")))


def _lead_on(node: Node, answers: dict[str, list[str]], known: set[str]) -> list[Node]:
    """Give the node what it leads to; returns what has to be followed further."""
    node.key = next((key for key in _keys(node.address) if key in answers), "")
    targets = [_applied(target, node.key, node.address) for target in answers.get(node.key, [])]
    if targets in ([], [node.address]):
        node.end = End.KEPT  # as far as aliases go; `_end` looks further
        return []
    node.onward = [Node(target) for target in dict.fromkeys(targets[:_SHOWN])]
    node.more = len(targets) - len(targets[:_SHOWN])
    for each in node.onward:
        if each.address == node.address:
            each.key, each.end = node.key, End.KEPT
        else:
            each.repeated = each.address in known
    known.update(each.address for each in node.onward)
    return node.onward


def _applied(target: str, key: str, address: str) -> str:
    """The next address: ``@domain`` keeps the local part, and an extension that was cut off follows."""
    local, domain = split_address(address)
    if target.startswith("@"):
        return f"{local}{target}"
    if key in {address, f"@{domain}"}:
        return target
    extension = local[len(split_address(key)[0]) :]
    target_local, target_domain = split_address(target)
    return f"{target_local}{extension}@{target_domain}"


def _end(start: Node) -> None:
    """Say what becomes of mail at every last address."""
    last = [node for _depth, node in start.walk() if node.end is End.KEPT]
    addresses = {key for node in last for key in _own_keys(node.address)}
    asked = set(_own_keys(start.address))
    names = {domain_of(node.address) for node in last} | {domain_of(start.address)}
    facts = lookups.facts(names, addresses | asked)
    said = next(
        (facts[Fact.CHECK, key] for key in _own_keys(start.address) if (Fact.CHECK, key) in facts), ""
    )
    if said not in {"", MailCheck.Action.OPEN}:  # Postfix answers before it looks at anything else
        start.onward, start.more = [], 0
        start.end = End.LATER if said == MailCheck.Action.RETRY else End.REFUSED
        return
    for node in last:
        node.end = _end_of(node.address, facts)


def _end_of(address: str, facts: dict[tuple[Fact, str], str]) -> End:
    kind = facts.get((Fact.DOMAIN, domain_of(address)))
    keys = _own_keys(address)
    if kind is None:
        return End.OUTSIDE
    way = next((facts[Fact.TRANSPORT, key] for key in keys if (Fact.TRANSPORT, key) in facts), "")
    if way == MailTransport.Kind.RETRY:
        return End.LATER
    if kind == MailDomain.Kind.RELAY and way != MailTransport.Kind.LOCAL:
        return End.RELAYED
    return End.KEPT if (Fact.USER, keys[-1]) in facts else End.REFUSED


def who_may_send(address: str) -> list[tuple[str, str]]:
    """Logins that may send from the address now, each with the key that lets them: the first key that has any."""
    keys = _keys(address)
    entitled = lookups.logins(keys)
    first = next((key for key in keys if key in entitled), "")
    return [(first, login) for login in entitled.get(first, [])]


def addresses_in(start: Node) -> set[str]:
    """Every address on the way, and every key that answered."""
    return {text for _depth, node in start.walk() for text in (node.address, node.key) if text}
