"""What happens to mail directories on disk: the list of orders, whether anybody carries them out, notices elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin import policies
from admin.bulk_changes import Verb
from admin.models import Heartbeat, MailboxOperation
from admin.queries.listing import Filter, Listing, chip, chosen_order, page_at, rows_on
from admin.queries.searching import containing, search_text
from core.command_line import manage
from core.presentation import unicode_domain
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from core.actor import Actor

# Cron starts the command every minute; a run may take some.
_LATE: Final = timedelta(minutes=5)
# An address has few at a time; more are not looked at.
_LOOKED_AT: Final = 20

_Kind, _State, _Trash = MailboxOperation.Kind, MailboxOperation.State, MailboxOperation.Trash
_SORTS: Final[Mapping[str, Sequence[str]]] = {
    "age": ("-pk",),
    "address": ("old_address", "new_address", "-pk"),
    "kind": ("kind", "-pk"),
    "state": ("state", "-pk"),
}
# Tone and icon of a state.
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    _State.PENDING: ("brand", "hourglass-split"),
    _State.PREPARED: ("brand", "arrow-repeat"),
    _State.DONE: ("good", "check-circle-fill"),
    _State.FAILED: ("bad", "x-octagon-fill"),
    _State.GIVEN_UP: ("plain", "slash-circle"),
}


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """An order; *way* are paths below the mail root, *notes* what its state alone does not say."""

    key: str
    name: str
    way: str
    url: str
    kind_label: str
    state_label: str
    tone: str
    icon: str
    is_failed: bool
    reason: str
    notes: list[str]
    created_at: datetime
    verbs: list[Verb]


@dataclass(frozen=True, slots=True)
class Standstill:
    """Why orders wait longer than they should, and what to do about it; *cron* is a line for cron, or blank."""

    title: str
    text: str
    cron: str = ""


@dataclass(frozen=True, slots=True)
class MovingNotice:
    """What somebody reads whose mailbox does not answer; *url* leads to the order, blank where he may not see it."""

    tone: str
    title: str
    text: str
    url: str = ""


# --- list ------------------------------------------------------------------------------------------------------


def directory_list(actor: Actor, given: Mapping[str, str]) -> Listing[DirectoryRow]:
    """One page of the orders, newest first. *given*: q, state, kind, trash, sort, page."""
    query, filters = search_text(given.get("q", "")), _filters(given)
    found = _found(actor, filters, query)
    sort, order = chosen_order(given.get("sort", ""), _SORTS, "age")
    page = page_at(given.get("page", ""), found.count())
    rows = [_row(each) for each in rows_on(page, found, order)]
    return Listing(rows, page, query, filters, sort, lambda: _facts(actor, page.total))


def matching(actor: Actor, given: Mapping[str, str]) -> QuerySet[MailboxOperation]:
    """Orders on all pages of the list that *given* describes."""
    return _found(actor, _filters(given), search_text(given.get("q", "")))


def orders_url(**given: str) -> str:
    """The list of these."""
    return f"{reverse('admin:directory_list')}?{urlencode(given)}"


def _filters(given: Mapping[str, str]) -> list[Filter]:
    kinds = [(value, label) for value, label in _Kind.choices if value != _Kind.KEEP]
    trash = [(_Trash.KEPT.value, gettext_lazy("in the trash"))]
    return [
        chip("state", gettext_lazy("State"), _State.choices, given),
        chip("kind", gettext_lazy("Work"), kinds, given),
        chip("trash", gettext_lazy("Directory"), trash, given),
    ]


def _found(actor: Actor, filters: Sequence[Filter], query: str) -> QuerySet[MailboxOperation]:
    found = MailboxOperation.objects.visible_to(actor).orders()
    chosen = {one.name: one.value for one in filters if one.value}
    columns = ("old_address", "new_address", "source", "target")
    return found.filter(containing(query, exact=columns) if query else Q(), **chosen)


def _row(order: MailboxOperation) -> DirectoryRow:
    tone, icon = _LOOKS[order.state]
    end = order.target or order.trash_path
    return DirectoryRow(
        key=f"order:{order.pk}",
        name=order_name(order),
        way=_steps(order.source, end) if end else order.source,
        url=f"{reverse('admin:address_detail')}?{urlencode({'address': order.wanted_by})}",
        kind_label=order.get_kind_display(),
        state_label=order.get_state_display(),
        tone=tone,
        icon=icon,
        is_failed=order.state == _State.FAILED,
        reason=order.last_error if order.state != _State.DONE else "",
        notes=list(filter(None, (_progress(order), _trash_note(order)))),
        created_at=order.created_at,
        verbs=verbs_for(order),
    )


def order_name(order: MailboxOperation) -> str:
    """Whose directory it is, for people."""
    addresses = [unicode_domain(address) for address in order.addresses]
    return _steps(*addresses) if len(addresses) > 1 else "".join(addresses)


def verbs_for(order: MailboxOperation) -> list[Verb]:
    """What can be decided about an order now."""
    possible = {
        Verb.RETRY: order.state == _State.FAILED,
        Verb.GIVE_UP: order.state in {_State.FAILED, _State.PENDING},
        Verb.RESTORE: order.trash == _Trash.KEPT,
    }
    return [verb for verb, is_possible in possible.items() if is_possible]


def _steps(before: str, after: str) -> str:
    return _("%(old)s → %(new)s") % {"old": before, "new": after}


def _progress(order: MailboxOperation) -> str:
    """How often it was tried, and when it is tried next."""
    tried = ngettext("Tried %(number)d time", "Tried %(number)d times", order.attempts)
    tried = tried % {"number": order.attempts} if order.attempts else ""
    if order.state not in {_State.PENDING, _State.PREPARED}:
        return tried if order.state == _State.FAILED else ""
    if not tried:
        return _("Waits for the next run")
    if order.next_attempt_at <= timezone.now():
        return _("%(tried)s; again with the next run") % {"tried": tried}
    shown = {"tried": tried, "span": timeuntil(order.next_attempt_at)}
    return _("%(tried)s; again in %(span)s") % shown


def _trash_note(order: MailboxOperation) -> str:
    if order.trash == _Trash.RESTORING:
        return _("On its way back from the trash")
    if order.trash == _Trash.PURGING:
        return _("Being purged from the trash")
    if order.trash != _Trash.KEPT or order.finished_at is None:
        return ""
    until = order.finished_at + timedelta(days=get_global_parameter("mailbox_trash_days", "admin"))
    if until <= timezone.now():
        return _("In the trash, purged with the next run")
    shown = date_format(timezone.localtime(until), "DATETIME_FORMAT")
    return _("In the trash until %(when)s") % {"when": shown}


def _facts(actor: Actor, orders: int) -> str:
    shown = {"number": number_format(orders, use_l10n=True, force_grouping=True)}
    words = ngettext("%(number)s order", "%(number)s orders", orders) % shown
    failed = MailboxOperation.objects.visible_to(actor).filter(state=_State.FAILED).count()
    if not failed:
        return words
    shown = {"number": number_format(failed, use_l10n=True, force_grouping=True)}
    wanting = ngettext(
        "%(number)s failure waits for your decision", "%(number)s failures wait for your decision", failed
    )
    return f"{words}, {wanting % shown}"


# --- is anybody at work? ---------------------------------------------------------------------------------------


def last_run() -> datetime | None:
    """When the command was last at work; None for never."""
    return Heartbeat.objects.filter(pk=Heartbeat.DIRECTORIES).values_list("beat_at", flat=True).first()


def standstills(actor: Actor) -> list[Standstill]:
    """What keeps orders waiting, for whoever may do something about it."""
    waiting = MailboxOperation.objects.visible_to(actor).waiting().aggregate(number=Count("pk"))["number"]
    if not waiting:
        return []
    found = []
    ran = last_run()
    shown = {"number": number_format(waiting, use_l10n=True, force_grouping=True)}
    words = ngettext("%(number)s order waits.", "%(number)s orders wait.", waiting) % shown
    if ran is None or ran < timezone.now() - _LATE:
        found.append(_not_running(ran, words))
    if not get_global_parameter("handle_mailboxes", "admin"):
        more = _(
            "The command carries them out all the same: leave it in cron until none is left, or give them up. What is "
            "renamed and deleted from now on stays where it is on the disk."
        )
        found.append(Standstill(_("The panel does not handle mail directories any more."), f"{words} {more}"))
    return found


def _not_running(ran: datetime | None, words: str) -> Standstill:
    title = _("Nobody carries the orders out.")
    if ran is None:
        fact = _("The command handle_mailbox_operations has never run or never found its mail root.")
    else:
        fact = _("The command handle_mailbox_operations last found its mail root %(span)s ago.") % {
            "span": timesince(ran)
        }
    owner = get_global_parameter("mailboxes_owner", "admin")
    advice = _(
        "Let cron start it every minute as %(owner)s, and read what it says when you run it yourself:"
    ) % {"owner": owner}
    command = shlex.join([*manage(), Heartbeat.DIRECTORIES]).replace("%", r"\%")
    line = f"* * * * *  {owner}  set -a; . /etc/modoboa/directories.env; exec {command}"
    return Standstill(title, f"{words} {fact} {advice}", line)


# --- notices about one mailbox -----------------------------------------------------------------------------------


def moving_notice(actor: Actor | None, address: str) -> MovingNotice | None:
    """What keeps the mailbox with this *address*, or what had it, from answering.

    The caller has made sure that whoever reads it may know the mailbox; None stands for its owner. Paths, and reasons,
    which name them, are for those who see orders.
    """
    about = Q(old_address=address) | Q(new_address=address)
    orders = list(MailboxOperation.objects.moving().filter(about).order_by("pk")[:_LOOKED_AT])
    if not orders:
        return None
    order = next((each for each in orders if each.state == _State.FAILED), orders[0])
    sees_orders = actor is not None and policies.may_decide_about_directories(actor)
    reason = (
        _("Reason: %(reason)s") % {"reason": order.last_error} if sees_orders and order.last_error else ""
    )
    url = orders_url(q=address) if sees_orders else ""
    if order.state == _State.FAILED:
        title = _("The directory of this mailbox could not be moved.")
        waits = _("Until somebody has decided what to do, mail for it waits and no mail program signs in.")
        what_next = reason or _("Nothing is lost. A super administrator has to look at it.")
        return MovingNotice("bad", title, f"{waits} {what_next}", url)
    title = _("The directory of this mailbox is being moved.")
    waits = _(
        "Mail for it waits (senders are told to try again, 450) and no mail program signs in until that is done, "
        "usually within a minute or two."
    )
    return MovingNotice("warn", title, f"{waits} {reason}".rstrip(), url)


# --- what a deletion does to directories -------------------------------------------------------------------------


def fate_of_directories(number: int) -> list[str]:
    """What becomes of the directories of so many deleted mailboxes; nothing is said about none."""
    if not number:
        return []
    if not get_global_parameter("handle_mailboxes", "admin"):
        return [
            ngettext(
                "Its mail directory stays on the disk, since the panel does not handle directories; no new mailbox "
                "gets it.",
                "Their mail directories stay on the disk, since the panel does not handle directories; no new mailbox "
                "gets them.",
                number,
            )
        ]
    days = get_global_parameter("mailbox_trash_days", "admin")
    if not days:
        return [
            ngettext(
                "Its mail directory is deleted from the disk, unless you keep it.",
                "Their mail directories are deleted from the disk, unless you keep them.",
                number,
            )
        ]
    kept = ngettext("for %(days)d day", "for %(days)d days", days) % {"days": days}
    words = ngettext(
        "Its mail directory goes to the trash, where a super administrator can restore it %(kept)s, unless you keep "
        "it where it is.",
        "Their mail directories go to the trash, where a super administrator can restore them %(kept)s, unless you "
        "keep them where they are.",
        number,
    )
    return [words % {"kept": kept}]
