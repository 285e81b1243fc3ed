"""Working off what renames, deletions and restorations ordered on disk.

An order goes from *pending* to *prepared* (its directory is known by device and inode, and a runner took it), then to
*done* or *failed*. Whether a prepared one was carried out already, the disk tells, never the database: a runner may be
killed anywhere. docs/adr/0014 has the decisions, docs/mail-servers.md what administrators see.

Orders are worked off some at a time: what concerns the disk is done for each on its own, made durable together, and
noted in one transaction. That is nothing but a shorter way of noting: where it fails, each order is noted on its own.
"""

from __future__ import annotations

import errno
import logging
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from itertools import chain
from typing import Final, TypeVar
from uuid import uuid4

from django.db import Error as DatabaseTrouble
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from admin import publication
from admin.gateways import doveadm
from admin.gateways.mail_root import (
    TRASH,
    Batch,
    Busy,
    Different,
    Found,
    Identity,
    MailRoot,
    NotAPath,
    RootUnavailable,
    Sort,
    components,
    sibling,
)
from admin.models import Heartbeat, Mailbox, MailboxOperation, MailUser, Quota
from core.actor import Credential
from core.insertion import insert
from core.models import Log
from core.models.log import Level
from core.operation import is_retryable
from parameters.tools import get_global_parameter

COMMAND: Final = Heartbeat.DIRECTORIES
# After so many an order waits for a person: about six hours.
ATTEMPTS: Final = 12
_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)
# Where the file system has no locks: longer than any move between devices should take.
_LEASE: Final = timedelta(hours=1)
_PAGE: Final = 500
_BATCH: Final = 200
_PURGERS: Final = 4
_REPETITIONS: Final = 4
_REPETITION_S: Final = 0.05

R = TypeVar("R")
_Kind, _State, _Trash = MailboxOperation.Kind, MailboxOperation.State, MailboxOperation.Trash
_log = logging.getLogger("modoboa.directories")


@dataclass(slots=True)
class Report:
    """What a run did. *postponed*: tried again later; *busy*: another runner has them, or an earlier order is open."""

    done: int = 0
    failed: int = 0
    postponed: int = 0
    busy: int = 0
    purged: int = 0
    not_purged: int = 0

    @property
    def is_clean(self) -> bool:
        """Nothing went wrong."""
        return not (self.failed or self.postponed or self.not_purged)


@dataclass(frozen=True, slots=True)
class Talk:
    """What the runner tells whoever started it, and how it is told to stop between two batches."""

    result: Callable[[str], None] = lambda _line: None
    trouble: Callable[[str], None] = lambda _line: None
    should_stop: Callable[[], bool] = lambda: False


def there_is_work() -> bool:
    """Whether something is to be done now: an order, or a directory whose time in the trash is over."""
    return _ready().exists() or _to_be_purged().exists()


def work_off(root: MailRoot, talk: Talk | None = None) -> Report:
    """Carry out every order that can be carried out now, then purge the trash.

    Raises OperationalError when the database is gone, and :class:`RootUnavailable` when Dovecot keeps mail elsewhere.
    Several processes may do this at once. Memory does not depend on the number of orders.
    """
    runner = _Runner(root, talk or Talk())
    runner.work_off()
    return runner.report


def beat() -> None:
    """Note that the command is at work."""
    now = timezone.now()
    if not Heartbeat.objects.filter(pk=COMMAND).update(beat_at=now):
        Heartbeat.objects.get_or_create(pk=COMMAND, defaults={"beat_at": now})


def _open() -> QuerySet[MailboxOperation]:
    return MailboxOperation.objects.filter(state__in=(_State.PENDING, _State.PREPARED))


def _ready() -> QuerySet[MailboxOperation]:
    return _open().filter(next_attempt_at__lte=timezone.now())


def _to_be_purged() -> QuerySet[MailboxOperation]:
    """Directories whose time is over, and those that a runner began to purge."""
    now = timezone.now()
    oldest = now - timedelta(days=get_global_parameter("mailbox_trash_days", "admin"))
    due = Q(trash=_Trash.KEPT, finished_at__lt=oldest) | Q(trash=_Trash.PURGING)
    return MailboxOperation.objects.filter(due, next_attempt_at__lte=now)


# --- what is to be done with an order --------------------------------------------------------------------------


class _Action(Enum):
    MOVE = auto()
    # It was moved, but that is not noted.
    CONFIRM = auto()
    # It was copied to another device, but the original is still there.
    SET_ASIDE = auto()
    # There never was a directory.
    NOTHING = auto()
    # *reason* says why not.
    FAIL = auto()
    # As FAIL, but it may go better later.
    POSTPONE = auto()


@dataclass(slots=True)
class _Plan:
    """An order, and what the disk says about it; *goal* is where the directory goes."""

    order: MailboxOperation
    action: _Action
    identity: Identity | None = None
    goal: str = ""
    reason: str = ""
    is_moved: bool = False
    # Where a directory ends that stays in the trash.
    trash_path: str = ""
    # Where the directory of the order lay just now, and which one it is.
    place: str = ""
    seen: Identity | None = None

    def fail(self, reason: str, *, later: bool = False) -> None:
        self.action, self.reason = (_Action.POSTPONE if later else _Action.FAIL), reason

    @property
    def is_carried_out(self) -> bool:
        return self.action not in {_Action.FAIL, _Action.POSTPONE}


def trash_paths(order: MailboxOperation) -> tuple[str, str]:
    """Where its directory goes when it is not wanted any more; beside it when the trash is on another device."""
    return f"{TRASH}/{order.pk}", sibling(order.source, f".trash-{order.pk}")


def _decide(order: MailboxOperation, work: Batch) -> _Plan:
    """What to do, from what lies on the disk: nothing is believed of how far somebody came before."""
    source = work.found(order.source)
    goal, there = _goal(order, work)
    recorded = None if order.inode is None or order.device is None else Identity(order.device, order.inode)
    plan = _Plan(order, _Action.MOVE, recorded, goal)
    if source.sort is Sort.DIRECTORY and recorded in {None, source.identity}:
        plan.place, plan.seen = order.source, source.identity
    elif recorded is not None and there.identity == recorded:
        plan.place, plan.seen = goal, recorded
    if order.attempts >= ATTEMPTS:
        plan.fail(_("The command came to no end with this, however often it was run."))
    elif source.sort is Sort.NOTHING:
        _decide_without_source(plan, there, work)
    elif source.sort is Sort.SOMETHING_ELSE:
        plan.fail(_("%(path)s is not a directory.") % {"path": order.source})
    elif recorded not in {None, source.identity}:
        plan.is_moved = there.identity == recorded
        reason = (
            _("%(goal)s has the directory, but %(source)s is there again.")
            if plan.is_moved
            else _("%(source)s is not the directory that was there when this began.")
        )
        plan.fail(reason % {"source": order.source, "goal": goal})
    elif there.is_there:
        if _is_other_device(source, there) and work.is_copied(order.source, goal):
            plan.action, plan.identity = _Action.SET_ASIDE, source.identity
        else:
            plan.fail(_taken(goal))
    else:
        plan.identity = source.identity
    if order.kind == _Kind.DELETE:
        plan.trash_path = goal
    return plan


def _goal(order: MailboxOperation, work: Batch) -> tuple[str, Found]:
    if order.kind != _Kind.DELETE:
        return order.target, work.found(order.target)
    usual, beside = trash_paths(order)
    there = work.found(beside)
    return (beside, there) if there.is_there else (usual, work.found(usual))


def _decide_without_source(plan: _Plan, there: Found, work: Batch) -> None:
    order = plan.order
    if there.sort is Sort.DIRECTORY and plan.identity is not None:
        if there.identity == plan.identity:
            plan.action, plan.is_moved = _Action.CONFIRM, True
            return
        for path in trash_paths(order):
            if order.kind == _Kind.RENAME and work.found(path).identity == plan.identity:
                plan.action, plan.is_moved, plan.trash_path = _Action.CONFIRM, True, path
                plan.place, plan.seen = path, plan.identity
                return
    if there.is_there:
        plan.fail(_taken(plan.goal))
    elif plan.identity is not None:
        plan.fail(
            _("The directory is neither at %(source)s nor at %(goal)s any more.")
            % {"source": order.source, "goal": plan.goal}
        )
    elif order.kind == _Kind.RESTORE:
        plan.fail(_("The directory is not in the trash any more."))
    else:
        plan.action = _Action.NOTHING
        plan.reason = _("There was no directory: the mailbox was never used.")


def _taken(path: str) -> str:
    return _("Something is at %(path)s already.") % {"path": path}


def _is_other_device(one: Found, other: Found) -> bool:
    return (
        one.identity is not None
        and other.sort is Sort.DIRECTORY
        and other.identity is not None
        and one.identity.device != other.identity.device
    )


def _check_paths(order: MailboxOperation) -> None:
    """Raises :class:`NotAPath` for what no operation of the panel would have ordered."""
    of_mailboxes = [order.source, order.target] if order.target else [order.source]
    if order.kind == _Kind.RESTORE:
        of_mailboxes = [order.target]
        *_way, name = components(order.source)
        if not (order.source.startswith(f"{TRASH}/") or name.startswith(b".trash-")):
            raise NotAPath(order.source)
    for path in of_mailboxes:
        if any(name.startswith(b".") for name in components(path)):
            raise NotAPath(path)


# --- doing it --------------------------------------------------------------------------------------------------


def _carry_out(plan: _Plan, work: Batch) -> None:
    """What concerns the disk; the plan says afterwards whether it was carried out."""
    order = plan.order
    try:
        if plan.action is _Action.MOVE:
            _move(plan, work)
        elif plan.action is _Action.SET_ASIDE:
            _set_aside(plan, work)
        elif plan.action is _Action.CONFIRM:
            for path in (order.source, plan.goal, plan.trash_path):
                with suppress(FileNotFoundError):
                    if path:
                        work.touch(path)
    except Different as different:
        plan.fail(_("%(path)s changed while it was copied.") % {"path": different}, later=True)
    except FileExistsError:
        plan.fail(_taken(plan.goal))
    except OSError as error:
        # What the disk refused once it may seem to accept the next time: a person has to look.
        plan.fail(_in_words(error), later=error.errno != errno.EIO)
    except Exception as error:  # noqa: BLE001  one order never stops the others
        _log.exception("Order %d", order.pk)
        plan.fail(f"{type(error).__name__}: {error}", later=True)


def _move(plan: _Plan, work: Batch) -> None:
    order = plan.order
    try:
        work.move(order.source, plan.goal)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        plan.is_moved = True
        return
    if order.kind == _Kind.DELETE:
        plan.goal = plan.trash_path = trash_paths(order)[1]
        work.move(order.source, plan.goal)
        plan.is_moved = True
        return
    passing = sibling(plan.goal, f".moving-{order.pk}")
    try:
        work.copy(order.source, plan.goal, passing)
    except (OSError, Different):
        with suppress(OSError):
            work.root.purge(passing)
        raise
    if order.kind == _Kind.RENAME:
        _set_aside(plan, work)
    else:  # what was restored by a copy stays in the trash for its time
        plan.trash_path = order.source


def _set_aside(plan: _Plan, work: Batch) -> None:
    """The original of a copy goes to the trash; not before both were compared once more."""
    order = plan.order
    if order.kind == _Kind.RESTORE:
        plan.trash_path = order.source
        return
    if not work.is_copied(order.source, plan.goal):
        raise Different(order.source)
    usual, beside = trash_paths(order)
    try:
        work.move(order.source, usual)
        plan.trash_path = usual
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        work.move(order.source, beside)
        plan.trash_path = beside
    plan.is_moved = True


def _in_words(error: OSError) -> str:
    where = error.filename or ""
    where = os.fsdecode(where) if isinstance(where, (str, bytes)) else ""
    return f"{error.strerror} ({where})" if where else str(error.strerror or error)


class _Lost(Exception):  # noqa: N818  an answer
    """Another runner, or a person, decided about an order that was ours."""


@dataclass(slots=True)
class _Runner:
    root: MailRoot
    talk: Talk
    report: Report = field(default_factory=Report)
    _dovecot_answers: bool = True

    # --- pages and batches ---

    def work_off(self) -> None:
        self._check_root()
        # Should an order be what ends a runner, the others are done before.
        for attempted in (Q(attempts=0), Q(attempts__gt=0)):
            last = 0
            while not self.talk.should_stop():
                page = list(_ready().filter(attempted, pk__gt=last).order_by("pk")[:_PAGE])
                if not page:
                    break
                last = page[-1].pk
                self._page(page)
                beat()
        self._purge()

    def _check_root(self) -> None:
        """Refuse a root below which Dovecot does not look; where it cannot be asked, the marker has to do.

        Asked about one mailbox that is at rest: of those that move, Dovecot knows nothing, and of one whose new address
        is committed it would say the new home.
        """
        sample = (
            MailUser.objects.filter(is_moving=False)
            .order_by("address")
            .values_list("address", "home")
            .first()
        )
        if sample is None:
            return
        address, home = sample
        try:
            answer = doveadm.home(address)
        except doveadm.DovecotUnavailable as unavailable:
            _log.debug("Dovecot was not asked about %s: %s", address, unavailable)
            return
        expected = os.path.join(os.path.realpath(self.root.path), home)  # noqa: PTH118  text in, text out
        if answer and os.path.realpath(answer) != os.path.realpath(expected):
            raise RootUnavailable(
                self.root.path,
                _("Dovecot keeps the mail of %(address)s in %(answer)s, which is not %(expected)s.")
                % {"address": address, "answer": answer, "expected": expected},
            )

    def _page(self, page: Sequence[MailboxOperation]) -> None:
        """In the order of creation where it matters, otherwise some at a time; alone what was attempted before."""
        waits_for = _waits_for(page)
        over: set[int] = set()
        some: list[MailboxOperation] = []
        for order in page:
            earlier = waits_for[order.pk]
            waits = bool(earlier) and not earlier.isdisjoint(each.pk for each in some)
            if waits or order.attempts or len(some) == _BATCH:
                over |= self._batch(some)
                some = []
            if self.talk.should_stop():
                return
            if waits_for[order.pk] <= over:
                some.append(order)
            else:
                self.report.busy += 1
        self._batch(some)

    def _batch(self, orders: Sequence[MailboxOperation]) -> set[int]:
        """Work off *orders*, none of which waits for another; those (ids) that are over."""
        over: set[int] = set()
        left = list(orders)
        while left:
            token = uuid4().hex
            with self.root.batch() as work:
                plans, left = self._plans(left, work)
                plans = self._claimed(_with_usage(plans), token)
                self._let_go(plans)
                for plan in plans:
                    if plan.is_carried_out:
                        _carry_out(plan, work)
                _note_disk_errors(plans, work.make_durable())
                over |= self._note(plans, token)
        return over

    def _plans(
        self, orders: list[MailboxOperation], work: Batch
    ) -> tuple[list[_Plan], list[MailboxOperation]]:
        """What can be taken together, and the rest where this process may not open any more files."""
        plans: list[_Plan] = []
        for number, order in enumerate(orders):
            try:
                _check_paths(order)
                plan = _decide(order, work)
                if self._is_ours(plan, work):
                    plans.append(plan)
                else:
                    self.report.busy += 1
            except NotAPath as strange:
                plans.append(
                    _Plan(
                        order, _Action.FAIL, reason=_("%(path)s is not a path of mail.") % {"path": strange}
                    )
                )
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE} and plans:
                    return plans, orders[number:]
                plan = _Plan(order, _Action.POSTPONE)
                plan.fail(_in_words(error), later=error.errno != errno.EIO)
                plans.append(plan)
        return plans, []

    def _is_ours(self, plan: _Plan, work: Batch) -> bool:
        """Whether no other process works on the directory, or has moved it since we looked.

        Asked about what is to fail, too: while another one moves it, a directory was seen here and is seen there.
        """
        if not plan.place:
            return True
        try:
            locked = work.lock(plan.place)
        except (Busy, FileNotFoundError):
            return False
        if locked is None:  # no locks here: then only time tells
            until = plan.order.leased_until
            return until is None or until < timezone.now()
        return locked == plan.seen

    def _claimed(self, plans: list[_Plan], token: str) -> list[_Plan]:
        """Take orders, and remember which directory is theirs before anything happens to it; those that we got."""
        if not plans:
            return []
        pks = [plan.order.pk for plan in plans]
        seen = {plan.order.owner_token for plan in plans}
        now = timezone.now()
        known = [plan for plan in plans if plan.identity is not None]
        taken = _repeated(
            lambda: (
                _ready()
                .filter(pk__in=pks, owner_token__in=seen)
                .update(
                    state=_State.PREPARED,
                    owner_token=token,
                    leased_until=now + _LEASE,
                    attempts=F("attempts") + 1,
                    # Should this attempt end the runner as one before did, the next ones do something else first.
                    next_attempt_at=now + _pause(max(plan.order.attempts for plan in plans)),
                    device=_by_order({p.order.pk: p.identity.device for p in known if p.identity}, "device"),
                    inode=_by_order({p.order.pk: p.identity.inode for p in known if p.identity}, "inode"),
                )
            )
        )
        if taken == len(plans):
            return plans
        ours = set(
            MailboxOperation.objects.filter(pk__in=pks, owner_token=token).values_list("pk", flat=True)
        )
        self.report.busy += len(plans) - len(ours)
        return [plan for plan in plans if plan.order.pk in ours]

    def _let_go(self, plans: Sequence[_Plan]) -> None:
        """Nobody keeps a mailbox open whose directory moves."""
        moving = {
            address
            for plan in plans
            if plan.action is _Action.MOVE
            for address in (plan.order.old_address, plan.order.new_address)
        }
        self._tell_dovecot(doveadm.let_go, moving - {""})

    def _tell_dovecot(self, tell: Callable[[set[str]], None], addresses: set[str]) -> None:
        if not addresses or not self._dovecot_answers:
            return
        try:
            tell(addresses)
        except doveadm.DovecotUnavailable as unavailable:
            self._dovecot_answers = False
            _log.debug("Dovecot was not told: %s", unavailable)

    # --- noting ---

    def _note(self, plans: Sequence[_Plan], token: str) -> set[int]:
        """Write what happened; orders (ids) that are over."""
        done = [plan for plan in plans if plan.is_carried_out]
        over = {plan.order.pk for plan in self._note_done(done, token)}
        for plan in plans:
            if not plan.is_carried_out and self._note_trouble(plan, token):
                over.add(plan.order.pk)
        return over

    def _note_done(self, plans: list[_Plan], token: str) -> list[_Plan]:
        if not plans:
            return []
        try:
            _repeated(lambda: _finish(plans, token))
        except (_Lost, DatabaseTrouble) as error:
            _raise_if_gone(error)
            if len(plans) > 1:
                return [each for plan in plans for each in self._note_done([plan], token)]
            if isinstance(error, _Lost):
                self.report.busy += 1
            else:
                _log.exception("Order %d", plans[0].order.pk)
                plans[0].fail(f"{type(error).__name__}: {error}", later=True)
            return []
        self.report.done += len(plans)
        self._tell_dovecot(doveadm.forget, {plan.order.new_address for plan in plans} - {""})
        for plan in plans:
            self.talk.result(_line(plan))
        return plans

    def _note_trouble(self, plan: _Plan, token: str) -> bool:
        """Write why an order is not done; whether it is over all the same."""
        plan.order.attempts += 1
        is_final = plan.action is _Action.FAIL or plan.order.attempts >= ATTEMPTS
        try:
            _repeated(lambda: _postpone_or_fail(plan, token, is_final=is_final))
        except _Lost:
            self.report.busy += 1
            return False
        except DatabaseTrouble as error:
            _raise_if_gone(error)
            _log.exception("Order %d", plan.order.pk)
        if is_final:
            self.report.failed += 1
        else:
            self.report.postponed += 1
        self.talk.trouble(_line(plan))
        return is_final and plan.order.kind == _Kind.RESTORE

    # --- purging ---

    def _purge(self) -> None:
        """Delete what was in the trash long enough. Who began goes on, and others may do the same at once."""
        last = 0
        while not self.talk.should_stop():
            some = list(_to_be_purged().filter(pk__gt=last).order_by("pk")[:_BATCH])
            if not some:
                return
            last = some[-1].pk
            pks = [order.pk for order in some]
            _to_be_purged().filter(pk__in=pks).update(trash=_Trash.PURGING)
            rows = MailboxOperation.objects.filter(pk__in=pks, trash=_Trash.PURGING)
            ours = set(rows.values_list("pk", flat=True))
            gone = list(self._purged([order for order in some if order.pk in ours]))
            MailboxOperation.objects.filter(pk__in=gone, trash=_Trash.PURGING).update(trash=_Trash.NONE)
            self.report.purged += len(gone)
            beat()

    def _purged(self, orders: Sequence[MailboxOperation]) -> Iterator[int]:
        """Orders (ids) whose directories are gone; what stays says why."""
        for order in orders:
            if order.trash_path not in trash_paths(order):
                self._note_not_purged(order, _("This is no place in the trash."))
        in_place = [order for order in orders if order.trash_path in trash_paths(order)]
        with closing(self._purges([order.trash_path for order in in_place])) as purges:
            for order, purge in zip(in_place, purges, strict=True):
                try:
                    purge()
                except OSError as error:
                    self._note_not_purged(order, _in_words(error))
                else:
                    yield order.pk
                if self.talk.should_stop():
                    return

    def _purges(self, paths: Sequence[str]) -> Generator[Callable[[], None]]:
        """For each path what ends, or raises OSError, when its directory is gone."""
        if len(paths) == 1:
            yield partial(self.root.purge, paths[0])
            return
        # Several at once: a disk gets more done than one caller asks of it.
        pool = ThreadPoolExecutor(_PURGERS)
        try:
            yield from [pool.submit(self.root.purge, path).result for path in paths]
        finally:
            pool.shutdown(cancel_futures=True)

    def _note_not_purged(self, order: MailboxOperation, reason: str) -> None:
        later = timezone.now() + _LONGEST_PAUSE
        MailboxOperation.objects.filter(pk=order.pk).update(last_error=reason, next_attempt_at=later)
        self.report.not_purged += 1
        self.talk.trouble(
            _("%(path)s was not purged: %(reason)s") % {"path": order.trash_path, "reason": reason}
        )


def _waits_for(page: Sequence[MailboxOperation]) -> dict[int, set[int]]:
    """Unfinished orders (ids) that come before each of *page*: of the same mailbox, or about the same directories."""
    earlier = MailboxOperation.objects.order_by().unfinished().filter(pk__lt=page[-1].pk)
    columns = ("pk", "mailbox_id", "source", "target")
    paths = frozenset(path for order in page for path in (order.source, order.target) if path)
    rows = (
        earlier.filter(mailbox_id__in={order.mailbox_id for order in page})
        .values_list(*columns)
        .union(
            earlier.filter(source__among=paths).values_list(*columns),
            earlier.filter(target__among=paths).values_list(*columns),
        )
    )
    about: dict[int | str, set[int]] = defaultdict(set)
    for pk, mailbox_id, source, target in rows:
        for thing in (mailbox_id, source, target):
            about[thing].add(pk)
    about.pop("", None)
    return {
        order.pk: {
            pk
            for thing in (order.mailbox_id, order.source, order.target)
            for pk in about.get(thing, ())
            if pk < order.pk
        }
        for order in page
    }


def _with_usage(plans: list[_Plan]) -> list[_Plan]:
    """A mailbox without a directory, in which Dovecot counted messages, is a mailbox whose directory we do not see."""
    unused = {
        plan.order.mailbox_id: plan
        for plan in plans
        if plan.action is _Action.NOTHING and plan.order.kind == _Kind.RENAME
    }
    if unused:
        addresses = dict(Mailbox.objects.filter(pk__in=unused).values_list("user__email", "pk"))
        used = Quota.objects.filter(username__among=frozenset(addresses), messages__gt=0)
        for address in used.values_list("username", flat=True):
            plan = unused[addresses[address]]
            plan.fail(
                _("%(path)s is not there, though the mailbox has messages.") % {"path": plan.order.source}
            )
    return plans


def _note_disk_errors(plans: Sequence[_Plan], errors: Mapping[str, OSError]) -> None:
    for plan in plans:
        for path in (plan.order.source, plan.goal, plan.trash_path):
            if plan.is_carried_out and path in errors:
                plan.fail(_in_words(errors[path]))


def _by_order(values: Mapping[int, int | str], otherwise: str) -> RawSQL:
    """A value for each order (id), in one expression: ``Case`` would build three objects for each of them."""
    if not values:
        return RawSQL(otherwise, ())  # noqa: S611  a column or a literal of ours
    cases = " ".join(["WHEN %s THEN %s"] * len(values))
    parameters = tuple(chain.from_iterable(values.items()))
    return RawSQL(f"CASE id {cases} ELSE {otherwise} END", parameters)  # noqa: S611  as above


def _pause(attempts: int) -> timedelta:
    """None before the second attempt: whoever was killed is followed at once."""
    return min(_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE) if attempts else timedelta()


def _mine(plans: Sequence[_Plan], token: str) -> QuerySet[MailboxOperation]:
    pks = [plan.order.pk for plan in plans]
    return MailboxOperation.objects.filter(pk__in=pks, owner_token=token, state=_State.PREPARED)


def _finish(plans: Sequence[_Plan], token: str) -> None:
    """Note that orders are done, let their addresses answer again, and write the log; all of it or nothing."""
    with transaction.atomic():
        kept = {
            plan.order.pk: plan.trash_path
            for plan in plans
            if plan.trash_path and plan.order.kind != _Kind.RESTORE and plan.action is not _Action.NOTHING
        }
        updated = _mine(plans, token).update(
            state=_State.DONE,
            finished_at=timezone.now(),
            leased_until=None,
            is_moved=False,
            last_error=_by_order({plan.order.pk: plan.reason for plan in plans if plan.reason}, "''"),
            trash=_by_order(dict.fromkeys(kept, str(_Trash.KEPT)), "''"),
            trash_path=_by_order(kept, "''"),
        )
        if updated != len(plans):
            raise _Lost
        for plan in plans:
            if plan.order.kind == _Kind.RESTORE:
                _end_restoration(plan.order.source, stays=bool(plan.trash_path))
        _write_log(plans, "finish", Level.INFO, _("done"))
        publication.publish(_keys(plans))


def _end_restoration(path: str, *, stays: bool) -> None:
    rows = MailboxOperation.objects.filter(trash_path=path, trash=_Trash.RESTORING)
    rows.update(trash=_Trash.KEPT if stays else _Trash.NONE)


def _postpone_or_fail(plan: _Plan, token: str, *, is_final: bool) -> None:
    """Note why an order is not done. A restoration that cannot be done is over: its directory stays in the trash."""
    order = plan.order
    state = _State.PREPARED
    if is_final:
        state = _State.GIVEN_UP if order.kind == _Kind.RESTORE else _State.FAILED
    with transaction.atomic():
        updated = _mine([plan], token).update(
            state=state,
            last_error=plan.reason,
            next_attempt_at=timezone.now() + _pause(order.attempts),
            leased_until=None,
            is_moved=plan.is_moved,
            trash_path=plan.trash_path if plan.is_moved else "",
            finished_at=timezone.now() if state == _State.GIVEN_UP else None,
        )
        if not updated:
            raise _Lost
        if is_final:
            _write_log([plan], "fail", Level.CRITICAL, plan.reason)
        if state == _State.GIVEN_UP:
            _end_restoration(order.source, stays=not plan.is_moved)
            publication.publish(_keys([plan]))


def _keys(plans: Sequence[_Plan]) -> publication.Keys:
    moving = (plan.order for plan in plans if plan.order.kind in {_Kind.RENAME, _Kind.RESTORE})
    addresses = {address for order in moving for address in (order.old_address, order.new_address)}
    return publication.Keys(addresses=addresses - {""})


_COLUMNS: Final = (
    *("date_created", "level", "logger", "message", "actor_name", "credential"),
    *("verb", "kind", "object_id", "object_name", "changed"),
)


def _write_log(plans: Sequence[_Plan], verb: str, level: Level, result: str) -> None:
    """One final result for each order."""
    now = timezone.now()

    def rows() -> Iterator[tuple[object, ...]]:
        for order in (plan.order for plan in plans):
            message = f"Mailbox operation '{order}': {result}"[:255]
            yield (
                *(now, level, "modoboa.admin", message, COMMAND, Credential.COMMAND),
                *(f"mailboxoperation.{verb}", "mailboxoperation", order.pk, str(order)[:254], ()),
            )

    insert(Log, _COLUMNS, rows())


def _line(plan: _Plan) -> str:
    order = plan.order
    way = f"{order.source} → {plan.goal}" if plan.goal else order.source
    reason = f": {plan.reason}" if plan.reason else ""
    return f"{order.pk} {order.kind} {way}{reason}"


# --- the database ----------------------------------------------------------------------------------------------


def _repeated(work: Callable[[], R]) -> R:
    """What *work* answers; again when the database had to break a deadlock."""
    for number in range(_REPETITIONS):
        try:
            return work()
        except OperationalError as error:
            if not is_retryable(error):
                raise
        time.sleep(random.uniform(0, _REPETITION_S * 2**number))  # noqa: S311  so that victims do not meet again
    return work()


def _raise_if_gone(error: Exception) -> None:
    """A database that is away is nothing that an order did."""
    if isinstance(error, (OperationalError, InterfaceError)) and not connection.is_usable():
        raise error
