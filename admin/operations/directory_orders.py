"""What people decide about orders that could not be carried out, and about directories in the trash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import policies, publication
from admin.models import Mailbox, MailboxOperation
from admin.operations.directories import trash_paths
from admin.operations.ground import lock_domains
from core.operation import operation, record
from core.refusals import Refusal, Refusals

if TYPE_CHECKING:
    from core.actor import Actor

_Kind, _State, _Trash = MailboxOperation.Kind, MailboxOperation.State, MailboxOperation.Trash
# Until a runner takes it, an order can be given up as well.
_TO_BE_GIVEN_UP = frozenset({_State.FAILED, _State.PENDING})


@dataclass(frozen=True, slots=True)
class Restoration:
    """A deletion, and the mailbox whose directory is to be what was deleted; None: the one that has its address now."""

    order: MailboxOperation
    mailbox: Mailbox | None = None


@operation("mailboxoperation.retry", allow=policies.may_decide_about_directories)
def retry_directory_orders(actor: Actor, /, orders: Sequence[MailboxOperation]) -> None:
    """Let the command try again, with all its attempts.

    Refuses with ``gone`` and ``not_failed``. What was recorded of the directory is forgotten, unless it was moved: who
    asks for this has looked, and may have put another one (a backup) in its place.
    """
    for order in _locked(actor, orders, {_State.FAILED}):
        if not order.is_moved:
            order.device = order.inode = None
        order.state = _State.PENDING if order.inode is None else _State.PREPARED
        order.attempts = 0
        order.next_attempt_at = timezone.now()
        order.owner_token = ""
        order.save(update_fields=["state", "device", "inode", "attempts", "next_attempt_at", "owner_token"])
        record(order, versions=())


@operation("mailboxoperation.give_up", allow=policies.may_decide_about_directories)
def give_up_directory_orders(actor: Actor, /, orders: Sequence[MailboxOperation]) -> None:
    """Leave directories where they are; the addresses answer again.

    A renamed mailbox goes on living in the directory that it has, as after any rename while the panel does not handle
    directories; what was ordered for it afterwards is given up, or follows. What was to be deleted is kept, so that
    nobody inherits it. What a failed order had moved already counts as done. Refuses with ``gone`` and ``not_failed``.
    """
    keys = publication.Keys()
    for order in _locked(actor, orders, _TO_BE_GIVEN_UP):
        if order.state == _State.GIVEN_UP:
            continue  # with an earlier one of the same mailbox
        if order.is_moved:
            _settle_moved(order)
        elif order.kind == _Kind.RENAME:
            keys |= _stay(actor, order)
        elif order.kind == _Kind.DELETE:
            _keep(order, order.source)
            _end(order, _State.GIVEN_UP)
        else:
            MailboxOperation.objects.filter(trash_path=order.source, trash=_Trash.RESTORING).update(
                trash=_Trash.KEPT
            )
            _end(order, _State.GIVEN_UP)
        keys.addresses.update({order.old_address, order.new_address} - {""})
        record(order, versions=())
    publication.publish(keys)


@operation("mailboxoperation.restore", allow=policies.may_decide_about_directories)
def restore_directories(actor: Actor, /, restorations: Sequence[Restoration]) -> list[MailboxOperation]:
    """Order that directories go from the trash to mailboxes, which do not answer until that is done.

    Refuses with ``not_in_trash``, ``no_mailbox``, ``twice`` and ``busy`` (an order for the mailbox is under way). That
    nothing is at the place of the mailbox yet, the command finds out; otherwise the directory stays in the trash.
    """
    refusals = Refusals()
    deletions = _locked_deletions(actor, restorations)
    boxes = _mailboxes(actor, restorations, deletions)
    seen: set[Mailbox | MailboxOperation] = set()
    unfinished = MailboxOperation.objects.unfinished().filter(
        mailbox_id__in=[box.pk for box in boxes.values()]
    )
    busy = set(unfinished.values_list("mailbox_id", flat=True))
    for position, restoration in enumerate(restorations):
        box = boxes.get(position)
        if restoration.order.pk not in deletions:
            refusals.add(position, "", "not_in_trash", _("This directory is not in the trash any more."))
        elif box is None:
            message = _("Nobody has this address now. Choose the mailbox that the directory is for.")
            refusals.add(position, "mailbox", "no_mailbox", message)
        elif not seen.isdisjoint({box, restoration.order}):
            refusals.add(position, "mailbox", "twice", _("One directory for one mailbox, please."))
        elif box.pk in busy:
            message = _("The directory of this mailbox is still being moved. Try again when that is done.")
            refusals.add(position, "mailbox", "busy", message)
        seen |= {restoration.order} | ({box} if box else set())
    refusals.raise_if_any()
    orders = []
    keys = publication.Keys()
    for position, restoration in enumerate(restorations):
        deletion, box = deletions[restoration.order.pk], boxes[position]
        MailboxOperation.objects.filter(pk=deletion.pk).update(trash=_Trash.RESTORING)
        order = MailboxOperation.objects.create(
            kind=_Kind.RESTORE,
            mailbox_id=box.pk,
            new_address=box.full_address,
            source=deletion.trash_path,
            target=publication.home_of(box),
        )
        orders.append(order)
        keys.addresses.add(box.full_address)
        record(order, versions=())
    publication.publish(keys)
    return orders


def _locked(
    actor: Actor, orders: Iterable[MailboxOperation], states: Iterable[str]
) -> list[MailboxOperation]:
    """The stored orders, oldest first; refuses the batch where one is not in one of *states*."""
    wanted = list(orders)
    visible = MailboxOperation.objects.visible_to(actor).select_for_update()
    stored = {order.pk: order for order in visible.filter(pk__in=[o.pk for o in wanted]).order_by("pk")}
    refusals = Refusals()
    for position, order in enumerate(wanted):
        if order.pk not in stored:
            refusals.add(position, "", "gone", _("This order does not exist any more."))
        elif stored[order.pk].state not in states or stored[order.pk].kind == _Kind.KEEP:
            refusals.add(position, "", "not_failed", _("This order is not waiting for a decision any more."))
    refusals.raise_if_any()
    return list(stored.values())


def _locked_deletions(actor: Actor, restorations: Sequence[Restoration]) -> dict[int, MailboxOperation]:
    visible = MailboxOperation.objects.visible_to(actor).in_trash().select_for_update()
    pks = [restoration.order.pk for restoration in restorations]
    return {order.pk: order for order in visible.filter(pk__in=pks).order_by("pk")}


def _mailboxes(
    actor: Actor, restorations: Sequence[Restoration], deletions: dict[int, MailboxOperation]
) -> dict[int, Mailbox]:
    """Mailbox for each place in the batch, with its domain locked; none where nobody has the address."""
    visible = Mailbox.objects.visible_to(actor).select_related("domain")
    chosen = {r.mailbox.pk for r in restorations if r.mailbox is not None}
    addresses = frozenset(deletion.wanted_by for deletion in deletions.values())
    found = visible.filter(pk__in=chosen) | visible.filter(user__email__among=addresses)
    lock_domains(actor, ids=set(found.values_list("domain_id", flat=True)))
    boxes = list(found)
    by_pk, by_address = {box.pk: box for box in boxes}, {box.full_address: box for box in boxes}
    result = {}
    for position, restoration in enumerate(restorations):
        deletion = deletions.get(restoration.order.pk)
        if restoration.mailbox is not None:
            box = by_pk.get(restoration.mailbox.pk)
        else:
            box = by_address.get(deletion.wanted_by) if deletion else None
        if box is not None:
            result[position] = box
    return result


def _settle_moved(order: MailboxOperation) -> None:
    """The directory is at its new place: that the work could not be ended does not matter any more."""
    if order.kind == _Kind.DELETE or order.trash_path:
        order.trash = _Trash.KEPT
        order.trash_path = order.trash_path or trash_paths(order)[0]
    _keep(order, order.source)  # what may have appeared there again is nobody's
    _end(order, _State.DONE)


def _stay(actor: Actor, order: MailboxOperation) -> publication.Keys:
    """A mailbox stays in the directory that it has; keys of what was ordered for it afterwards."""
    keys = publication.Keys()
    later = MailboxOperation.objects.select_for_update().unfinished()
    for following in later.filter(mailbox_id=order.mailbox_id, pk__gt=order.pk).order_by("pk"):
        if following.kind == _Kind.DELETE:
            following.source = order.source
            following.save(update_fields=["source"])
        elif following.kind == _Kind.RENAME:
            _end(following, _State.GIVEN_UP)
            keys.addresses.update({following.old_address, following.new_address} - {""})
            record(following, versions=())
    box = Mailbox.objects.select_related("domain").filter(pk=order.mailbox_id).first()
    if box is not None:
        lock_domains(actor, ids=[box.domain_id])
        documented = publication.documented_home(box.domain.name, box.address)
        box.home = "" if order.source == documented else order.source
        box.save(update_fields=["home"])
        record(box, changed=["home"])
    _keep(order, order.target)  # what is there, and was in the way, belongs to nobody who comes later
    _end(order, _State.GIVEN_UP)
    return keys


def _keep(order: MailboxOperation, path: str) -> None:
    """Note that *path* may hold mail, so that no new mailbox gets it."""
    MailboxOperation.objects.create(
        kind=_Kind.KEEP, state=_State.DONE, mailbox_id=order.mailbox_id, source=path
    )


def _end(order: MailboxOperation, state: MailboxOperation.State) -> None:
    order.state = state
    order.finished_at = timezone.now()
    order.is_moved = False
    order.owner_token = ""
    order.save(update_fields=["state", "finished_at", "is_moved", "owner_token", "trash", "trash_path"])


def only_order(actor: Actor, number: int) -> MailboxOperation:
    """The order with this *number*; refuses with ``gone``."""
    order = MailboxOperation.objects.visible_to(actor).filter(pk=number).first()
    if order is None:
        raise Refusal.single("", "gone", _("This order does not exist any more."))
    return order
