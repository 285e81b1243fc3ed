"""Mail directories, as far as the panel decides about them.

While it handles them (parameter ``handle_mailboxes``), renames and deletions leave orders for the command that the
owner of the mail files runs; until a move is done, both addresses answer "try again later". Otherwise nothing happens
on disk: a renamed mailbox remembers the directory that it has.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Concat

from admin.models import Domain, Mailbox, MailboxOperation
from admin.operations.saving import save_columns
from admin.publication import documented_home, home_of
from core.addresses import split_address
from parameters.tools import get_global_parameter

_TOKEN_BYTES = 4
# No mailbox has this number.
_NOBODY = 0
# A local part has at most 64 characters; "+" never stands in one, so a home with it collides with no other.
_KEPT_CHARACTERS = 64 - 1 - 2 * _TOKEN_BYTES


@dataclass(frozen=True, slots=True)
class Move:
    """A mailbox with its new address and its old one; its directory is still *source*."""

    mailbox: Mailbox
    old_address: str
    new_address: str
    source: str


def panel_moves_directories() -> bool:
    """Whether renames and deletions reach the disk."""
    return bool(get_global_parameter("handle_mailboxes", "admin"))


def home_for_new(address: str, taken: Collection[str]) -> str:
    """``home`` of a new mailbox: blank, unless the directory that belongs to the address is somebody else's."""
    local_part, name = split_address(address)
    token = secrets.token_hex(_TOKEN_BYTES)
    if _directory(name) in taken:
        return documented_home(f"{name}+{token}", local_part)
    if documented_home(name, local_part) in taken:
        return documented_home(name, f"{local_part[:_KEPT_CHARACTERS]}+{token}")
    return ""


def occupied(addresses: Iterable[str]) -> QuerySet[Any, tuple[str]]:
    """Directories of *addresses*, and of their domains, that are somebody's already.

    Kept by a rename, or on their way, or left behind by a deletion.
    """
    parts = [split_address(address) for address in addresses]
    homes = {documented_home(name, local_part) for local_part, name in parts}
    homes |= {_directory(name) for _local_part, name in parts}
    kept = Mailbox.objects.order_by().filter(home__among=homes).values_list("home")
    orders = MailboxOperation.objects.order_by().occupying()
    return kept.union(
        orders.filter(source__among=homes).values_list("source"),
        orders.filter(target__among=homes).values_list("target"),
        all=True,
    )


def settle_moves(moves: Iterable[Move]) -> None:
    """Set ``home`` of renamed mailboxes (the caller saves them), and order the moves that are to happen on disk."""
    moves = list(moves)
    handles = panel_moves_directories()
    under_way = _under_way(move.mailbox.pk for move in moves)
    taken = set()
    if handles or under_way:
        taken = {home for (home,) in occupied(move.new_address for move in moves)}
    orders = []
    for move in moves:
        target = _documented(move)
        handled = handles or move.mailbox.pk in under_way
        if move.source == target or (handled and not taken & {target, _directory(_domain(move))}):
            move.mailbox.home = ""
        else:
            move.mailbox.home = move.source
        if move.source != target and not move.mailbox.home:
            orders.append(
                MailboxOperation(
                    kind=MailboxOperation.Kind.RENAME,
                    mailbox_id=move.mailbox.pk,
                    old_address=move.old_address,
                    new_address=move.new_address,
                    source=move.source,
                    target=target,
                )
            )
    MailboxOperation.objects.bulk_create(orders)


def settle_domain(domain: Domain, old: str, new: str) -> None:
    """As :func:`settle_moves` for every mailbox of a domain, set-based where nothing moves on disk."""
    boxes = Mailbox.objects.filter(domain=domain)
    if not panel_moves_directories() and not _under_way(boxes.values("pk")):
        boxes.filter(home="").update(home=Concat(Value(f"{old}/"), "address"))
        boxes.filter(home=Concat(Value(f"{new}/"), "address")).update(home="")
        return
    moves = [
        Move(
            box, f"{box.address}@{old}", f"{box.address}@{new}", box.home or documented_home(old, box.address)
        )
        for box in boxes
    ]
    before = [move.mailbox.home for move in moves]
    settle_moves(moves)
    altered = [move.mailbox for move, home in zip(moves, before, strict=True) if move.mailbox.home != home]
    save_columns(altered, ["home"])


def _documented(move: Move) -> str:
    local_part, name = split_address(move.new_address)
    return documented_home(name, local_part)


def _domain(move: Move) -> str:
    return split_address(move.new_address)[1]


def _under_way(ids: Iterable[int] | QuerySet[Any, Any]) -> set[int]:
    """Mailboxes (ids) whose directory is still to be moved: what follows is ordered behind it in any case."""
    orders = MailboxOperation.objects.occupying().filter(kind=MailboxOperation.Kind.RENAME)
    return set(orders.filter(mailbox_id__in=ids).values_list("mailbox_id", flat=True))


def settle_deletions(boxes: Sequence[Mailbox], *, keep: bool, domains: Collection[int] = ()) -> None:
    """Order that the directories of *boxes* go to the trash; or note that they stay, so that nobody inherits them.

    When whole *domains* (ids) go, one note stands for everything in a directory that belongs to no domain any more.
    """
    kind, state = MailboxOperation.Kind, MailboxOperation.State
    homes = {box.pk: home_of(box) for box in boxes}
    if panel_moves_directories() and not keep:
        orders = [
            MailboxOperation(
                kind=kind.DELETE, mailbox_id=box.pk, old_address=box.full_address, source=homes[box.pk]
            )
            for box in boxes
        ]
    else:
        kept = list(homes.items())
        if domains:
            whole = _ending_with(domains, boxes, set(map(_name_in, homes.values())))
            kept = [(pk, home) for pk, home in kept if _name_in(home) not in whole]
            kept += [(_NOBODY, _directory(name)) for name in sorted(whole)]
        orders = [
            MailboxOperation(kind=kind.KEEP, state=state.DONE, mailbox_id=pk, source=source)
            for pk, source in kept
        ]
    MailboxOperation.objects.bulk_create(orders)


def _ending_with(domains: Collection[int], boxes: Iterable[Mailbox], names: set[str]) -> set[str]:
    """Those of *names* that are no domain's any more without *domains* (ids), whose mailboxes are *boxes*."""
    others = frozenset(names.difference(box.domain.name for box in boxes))
    if not others:
        return names
    living = Domain.objects.exclude(pk__in=domains).filter(name__among=others)
    return names.difference(living.values_list("name", flat=True))


def _name_in(home: str) -> str:
    """That of the domain in whose directory it lies."""
    return home.partition("/")[0]


def _directory(domain_name: str) -> str:
    """That of a whole domain; the stroke tells it from the directory of a mailbox."""
    return f"{domain_name}/"
