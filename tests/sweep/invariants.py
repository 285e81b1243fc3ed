"""What must hold after a fault and some undisturbed runs: I1 to I7 of docs/reliability.md."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from admin import publication
from admin.models import (
    Domain,
    Mailbox,
    MailboxOperation,
    MailCheck,
    MailDomain,
    MailRoute,
    MailSender,
    MailTransport,
    MailUser,
)
from admin.operations.directories import COMMAND, trash_paths
from core.models import Log
from tests.sweep.scenes import Expected

_FINISHED: Final = ("done", "failed", "given_up")
_ORIGINAL_AND_COPY: Final = 2


def messages(root: Path) -> dict[str, list[str]]:
    """Text of each message below the root, with the paths where it is."""
    found = defaultdict(list)
    for directory, _directories, names in os.walk(root):
        for name in names:
            if name.endswith(".mail"):
                path = Path(directory, name)
                found[path.read_text()].append(str(path.relative_to(root)))
    return dict(found)


def lost(root: Path, expected: Expected) -> list[str]:
    """I1 at its hardest: a message that is nowhere at the very moment."""
    found = messages(root)
    return [
        f"I1 lost: {text}"
        for text, owner in expected.owners.items()
        if text not in found and owner not in expected.purged
    ]


def violations(root: Path, expected: Expected, *, may_copy: bool) -> list[str]:
    """What does not hold. *may_copy*: whether an order may have had to copy from one device to another."""
    found = messages(root)
    return [
        *_messages(found, expected, may_copy=may_copy),
        *_visibility(found, expected),
        *_orders(expected),
        *_places(root, found, expected),
        *_addresses(),
        *_results(expected),
    ]


def violations_in_the_end(root: Path, expected: Expected, *, may_copy: bool) -> list[str]:
    """As above, after somebody looked at what had failed and had it tried again: now all must be done."""
    left = MailboxOperation.objects.filter(pk__in=expected.orders).exclude(state="done")
    found = messages(root)
    return [
        *(f"after a retry: {order} {order.state} {order.last_error}" for order in left),
        *_messages(found, expected, may_copy=may_copy),
        *_visibility(found, expected),
        *_places(root, found, expected),
        *_addresses(),
    ]


def surroundings(top: Path) -> list[str]:
    """Names, sizes, modes and times of everything in the directory "sentinel" (I5)."""
    facts = []
    for directory, _directories, names in os.walk(top / "sentinel"):
        for name in (*names, "."):
            path = Path(directory, name)
            status = path.lstat()
            facts.append(
                f"{path} {status.st_mode} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            )
    return sorted(facts)


def _twice(order: MailboxOperation) -> list[tuple[str, str]]:
    """Where an order that copied from one device to another may leave a message: the original, and its copy.

    Done, the original of a rename is in the trash, that of a restoration is there still, and the copy may have been
    moved on since (an empty path: anywhere else). Failed or given up in between, both lie where they were when the
    disk refused, for a person to look at: nobody may choose between them by himself.
    """
    kind, state = order.kind, order.state
    if kind == "rename" and state == "done":
        return [(order.trash_path, "")] if order.trash == "kept" else []
    if kind == "rename" and state == "failed":
        return [(place, order.target) for place in (order.source, *trash_paths(order))]
    if kind == "restore" and state in {"done", "given_up"}:
        kept = MailboxOperation.objects.filter(trash_path=order.source, trash="kept").exists()
        return [(order.source, order.target)] if kept else []
    return []


def _doubled(places: list[str]) -> bool:
    """More than an original and the copy that one order made of it."""
    if len(places) != _ORIGINAL_AND_COPY:
        return True
    for one, other in (places, places[::-1]):
        for order in MailboxOperation.objects.all():
            for original, copy in _twice(order):
                is_copy = other.startswith(f"{copy}/") if copy else not other.startswith(f"{original}/")
                if one.startswith(f"{original}/") and is_copy:
                    return False
    return True


def _messages(found: dict[str, list[str]], expected: Expected, *, may_copy: bool) -> Iterator[str]:
    for text in found.keys() - expected.owners.keys():
        yield f"I1 appeared from nowhere: {text}"
    for text, owner in expected.owners.items():
        places = found.get(text, [])
        if owner in expected.purged:
            if places:
                yield f"I4 not purged: {places}"
        elif not places:
            yield f"I1 lost: {text}"
        elif len(places) > 1 and (not may_copy or _doubled(places)):
            yield f"I1 doubled: {text} in {places}"


def _visibility(found: dict[str, list[str]], expected: Expected) -> Iterator[str]:
    homes = {home: pk for _address, home, pk in _boxes()}
    allowed = defaultdict(set)
    for order in MailboxOperation.objects.all():
        places = {order.trash_path, *trash_paths(order)}
        if order.state != "done":
            places |= {order.source, order.target}
        for place in places - {""}:
            allowed[place].add(order.mailbox_id)
    for text, paths in found.items():
        owner = expected.owners.get(text, 0)
        heirs = {owner, expected.restored.get(owner, owner)}
        for path in paths:
            above = [path[:end] for end, letter in enumerate(path) if letter == "/"]
            if who := {homes[place] for place in above if place in homes} - heirs:
                yield f"I2 {text} of {owner} is visible to {who} in {path}"
            if not any(place in homes or allowed[place] & heirs for place in above):
                yield f"I4 {text} of {owner} is in {path}, where nothing points to"


def _orders(expected: Expected) -> Iterator[str]:
    found = {order.pk: order for order in MailboxOperation.objects.filter(pk__in=expected.orders)}
    for pk in expected.orders:
        if pk not in found:
            yield f"I3 order {pk} vanished"
        elif found[pk].state not in _FINISHED:
            if not _waits_for_failed(found[pk]):
                yield f"I3 order {pk} is {found[pk].state}: {found[pk].last_error}"
        elif found[pk].state != "done" and not found[pk].last_error:
            yield f"I3 order {pk} is {found[pk].state} for no reason"


def _waits_for_failed(order: MailboxOperation) -> bool:
    """A chain waits behind what a person has to decide about."""
    earlier = MailboxOperation.objects.filter(mailbox_id=order.mailbox_id, pk__lt=order.pk)
    return order.state == "pending" and earlier.filter(state="failed").exists()


def _places(root: Path, found: dict[str, list[str]], expected: Expected) -> Iterator[str]:
    """The disk is as the orders say."""
    former = {heir: owner for owner, heir in expected.restored.items()}
    last = {order.mailbox_id: order for order in MailboxOperation.objects.order_by("pk")}
    for mailbox, order in last.items():
        place = order.trash_path if order.kind == "delete" else order.target
        is_away = order.kind == "delete" and order.trash == ""  # purged, or restored
        if order.state != "done" or is_away:
            continue
        for text, owner in expected.owners.items():
            is_there = any(path.startswith(f"{place}/") for path in found.get(text, []))
            if owner == former.get(mailbox, mailbox) and not is_there:
                yield f"I4 order {order.pk} is done, but {text} is not in {place}"
    if not MailboxOperation.objects.unfinished().exists():
        for directory, names, _files in os.walk(root):
            yield from (
                f"I4 {directory}/{name} is left over" for name in names if name.startswith(".moving-")
            )
    if wrong := [each for each in publication.differences(_everything()) if each.size]:
        yield f"I4 what is published differs: {wrong}"


def _addresses() -> Iterator[str]:
    unfinished = MailboxOperation.objects.unfinished().filter(kind__in=("rename", "restore"))
    pairs = unfinished.values_list("old_address", "new_address")
    busy = {address for pair in pairs for address in pair if address}
    served = {row.address: row for row in MailUser.objects.all()}
    homes = {address: home for address, home, _pk in _boxes()}
    for address in homes.keys() | busy | served.keys():
        row = served.get(address)
        if row is None:
            yield f"I6 {address} is unknown: its mail would be returned"
        elif address not in homes.keys() | busy:
            yield f"I6 {address} is served, though nobody has it"
        elif row.is_moving != (address in busy):
            yield f"I6 {address} {'waits' if row.is_moving else 'is served'}"
        elif address in homes and row.home != homes[address]:
            yield f"I6 {address} is served from {row.home} instead of {homes[address]}"


def _everything() -> publication.Keys:
    """What anybody has, had or is served under. (publication.drift() finds the same, in twice the time.)"""
    orders = MailboxOperation.objects.values_list("old_address", "new_address")
    addresses = {address for address, _home, _pk in _boxes()} | set(chain.from_iterable(orders))
    for table in (MailUser, MailRoute, MailSender, MailTransport, MailCheck):
        addresses |= set(table.objects.values_list("address", flat=True))
    return publication.Keys(
        names={
            *Domain.objects.values_list("name", flat=True),
            *MailDomain.objects.values_list("name", flat=True),
        },
        addresses=addresses - {""},
    )


def _boxes() -> Iterator[tuple[str, str, int]]:
    """Address, directory and id of every mailbox."""
    for box in Mailbox.objects.select_related("domain"):
        yield box.full_address, publication.home_of(box), box.pk


def _results(expected: Expected) -> Iterator[str]:
    log = Log.objects.filter(pk__gt=expected.last_log, actor_name=COMMAND, object_id__in=expected.orders)
    counts = Counter(log.values_list("object_id", flat=True))
    for order in MailboxOperation.objects.filter(pk__in=expected.orders):
        wanted = 1 if order.state in _FINISHED else 0
        if counts[order.pk] != wanted:
            yield f"I7 order {order.pk} ({order.state}) has {counts[order.pk]} results in the log"
