"""An import: every line of a source through the operations, in one transaction that is kept as a whole or not at all.

A plan is the import itself, undone: what it tells of a line is what the operations said. Parents are created before
their children, wherever they stand; an alias whose recipient is missing waits until no other line can bring it.
"""

from __future__ import annotations

import gc
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Protocol

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from admin.imports import plugins
from admin.imports.cells import Cells, Problem
from admin.imports.files import Row, Source
from admin.imports.report import Line, Outcome, Report
from admin.imports.row_types import Create, Entry, Known, Options, RowType, Stage, row_types
from admin.operations.ground import lock_domains
from admin.queries.import_effects import DomainStorage, fullest
from admin.queries.resources import Resource, resources_of
from core import behind
from core.operation import is_lost_race, is_retryable
from core.operations.passwords import hashed_secrets
from core.refusals import WHOLE_OBJECT, Reason, Refusal

if TYPE_CHECKING:
    from core.actor import Actor

_CHUNK: Final = 4_000
_HASHED_AT_ONCE: Final = 64
_ATTEMPTS: Final = 3
# Others that want as much of the same, or more, do not fit either.
_NO_ROOM: Final = frozenset({"limit_reached", "domain_limit_reached", "quota_exceeds_domain"})


class Cancelled(Exception):  # noqa: N818  somebody's wish, not a fault
    """The person who imports thought better of it."""


class Changed(Exception):  # noqa: N818  the world's doing
    """Something changed meanwhile, so that lines came out otherwise than planned, or again and again not at all.

    Nothing was written.
    """


class Incomplete(Exception):  # noqa: N818  an answer
    """Some lines were refused, so nothing was written; the report tells which."""


class Watch(Protocol):
    """Who looks on."""

    def begin(self, step: str, total: int) -> None:
        """A step begins that has so many lines."""

    def advance(self, lines: int) -> None:
        """So many lines are done; raises :class:`Cancelled` to end it."""


class Unwatched:
    """Nobody looks on."""

    def begin(self, step: str, total: int) -> None:
        """Nothing happens."""

    def advance(self, lines: int) -> None:
        """Nothing happens."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What an import does to limits of the importer (before, after) and to the storage of domains, fullest first."""

    resources: list[tuple[Resource, Resource]]
    storage: list[DomainStorage]


@dataclass(slots=True)
class _Understood:
    """What some lines name, and what is wrong or strange about those that name nothing."""

    lines: int
    entries: list[Entry] = field(default_factory=list)
    refused: list[Line] = field(default_factory=list)
    warnings: list[tuple[int, int, str, str]] = field(default_factory=list)


class Import:
    """Lines on their way into the database. *report* tells what became, or would become, of each."""

    def __init__(
        self, actor: Actor, source: Source, options: Options, report: Report, watch: Watch | None = None
    ) -> None:
        self.actor = actor
        self.source = source
        self.options = options
        self.report = report
        self._watch = watch or Unwatched()
        self._known = Known(hashes=report.hashes)
        self._kinds: Counter[str] = Counter()
        self._is_asked = False
        self._waiting: set[int] = set()
        self._touched: set[str] = set()

    def plan(self) -> Effects:
        """Carry everything out and undo it; raises :class:`Changed`."""
        return self._attempt(_("Planning"), self._plan)

    def apply(self, *, skip_errors: bool = False, planned: str = "") -> Effects:
        """Carry everything out.

        A refused line undoes the whole, unless *skip_errors*: raises :class:`Incomplete`. *planned* is the digest of
        the report of a plan: raises :class:`Changed` when it does not come out so.
        """
        if self.options.crypt_password:
            if not planned:
                self.plan()
                self._refuse_incomplete(skip_errors=skip_errors)
            self._hash_passwords()
        return self._attempt(_("Importing"), partial(self._apply, skip_errors=skip_errors, planned=planned))

    def _attempt(self, step: str, work: Callable[[], Effects]) -> Effects:
        """Do *work*; when others were quicker, all of it is undone, and done again."""
        total = self._count()
        for _attempt in range(_ATTEMPTS):
            self._watch.begin(step, total)
            try:
                return work()
            except (OperationalError, IntegrityError, Refusal) as error:
                if not _is_lost_race(error):
                    raise
        raise Changed

    def _plan(self) -> Effects:
        with transaction.atomic(), behind.writing_behind():
            effects = self._carry_out()
            transaction.set_rollback(True)
        return effects

    def _apply(self, *, skip_errors: bool, planned: str) -> Effects:
        with transaction.atomic(), behind.writing_behind():
            effects = self._carry_out()
            if planned and self.report.digest() != planned:
                raise Changed
            self._refuse_incomplete(skip_errors=skip_errors)
        return effects

    def _refuse_incomplete(self, *, skip_errors: bool) -> None:
        if not skip_errors and self.report.total(Outcome.REFUSED):
            raise Incomplete

    # --- before the transaction ----------------------------------------------------------------------------------

    def _count(self) -> int:
        """The number of lines; asks the DNS what it has to be asked."""
        if not self._is_asked:
            self._kinds.clear()
            for rows in _chunks(self.source.rows()):
                self._kinds.update(row.kind for row in rows)
                self._watch.advance(0)
            if not self.actor.is_super:
                self._ask()
            self._is_asked = True
        return self._kinds.total()

    def _ask(self) -> None:
        for name, row_type in row_types().items():
            if row_type.ask is not None and self._kinds[name] and row_type.allow(self.actor):
                rows = list(self.source.rows({name}))
                told = row_type.ask(self.actor, self._understood(rows).entries)
                self._known = replace(
                    self._known,
                    names={**self._known.names, **told.names},
                    hosts={**self._known.hosts, **told.hosts},
                )

    def _hash_passwords(self) -> None:
        """Hash what the plan creates, on all cores."""
        wanted = sum(
            number
            for (outcome, kind), number in self.report.numbers().items()
            if outcome is Outcome.CREATED and kind == "account"
        )
        self._watch.begin(_("Hashing passwords"), wanted)
        rows = self.source.rows({"account"})
        entries = chain.from_iterable(self._understood(some).entries for some in _chunks(rows))
        new = (entry for entry in entries if self.report.outcome_of(entry.line) is Outcome.CREATED)
        while some := list(islice(new, _HASHED_AT_ONCE)):
            secrets = hashed_secrets([entry.password or "" for entry in some])
            self.report.keep_hashes({e.line: s.hashed for e, s in zip(some, secrets, strict=True)})
            self._watch.advance(len(some))

    # --- inside it -----------------------------------------------------------------------------------------------

    def _carry_out(self) -> Effects:
        with _rarely_collecting():
            return self._carry_out_all()

    def _carry_out_all(self) -> Effects:
        self.report.clear()
        self._touched.clear()
        before = resources_of(self.actor.user)
        self._refuse_unreadable()
        for stage in Stage:
            kinds = {name for name, each in row_types().items() if each.stage is stage and self._kinds[name]}
            if kinds:
                self._run(self.source.rows(kinds))
            if stage is Stage.ALIASES:
                self._retry(kinds)
        self._run_plugins()
        after = resources_of(self.actor.user)
        return Effects(list(zip(before, after, strict=True)), fullest(self.actor, self._touched))

    def _refuse_unreadable(self) -> None:
        unknown = {
            kind for kind in self._kinds if kind not in row_types() and plugins.function_for(kind) is None
        }
        if not unknown:
            return
        for rows in _chunks(self.source.rows(unknown)):
            self.report.note(_unreadable(row) for row in rows)
            self._watch.advance(len(rows))

    def _run(self, rows: Iterable[Row], *, again: bool = False) -> None:
        """Create what rows name, a few thousand at a time."""
        gathered: dict[Create, list[Entry]] = defaultdict(list)
        types = row_types()
        for understood in map(self._understood, _chunks(rows)):
            self.report.note(understood.refused)
            self.report.warn(understood.warnings)
            for entry in understood.entries:
                gathered[types[entry.kind].create].append(entry)
            for create, entries in list(gathered.items()):
                if len(entries) >= _CHUNK:
                    self._create_new(gathered.pop(create))
            if not again:
                self._watch.advance(understood.lines)
        for entries in gathered.values():
            self._create_new(entries)

    def _understood(self, rows: Sequence[Row]) -> _Understood:
        """What rows name."""
        found = _Understood(len(rows))
        types = row_types()
        for row in rows:
            entry = self._entry(types[row.kind], row, found)
            if entry is not None:
                found.entries.append(entry)
        return found

    def _entry(self, row_type: RowType, row: Row, found: _Understood) -> Entry | None:
        """What a row names; None, and the reasons in *found*, when it cannot be understood."""
        cells = Cells(row_type.columns, row_type.places, row.cells, self.options.strict)
        entry = None
        if not row_type.allow(self.actor):
            cells.problems.append(Problem(0, "permission_denied", _("You may not create this.")))
        else:
            cells.check_number()
            if not cells.problems:
                entry = row_type.read(row.line, row.kind, cells, self.options, self.actor)
        found.warnings += [(row.line, each.cell, each.code, each.message) for each in cells.warnings]
        if not cells.problems:
            return entry
        shown = next(iter(row.cells), "")
        found.refused += [
            Line(row.line, row.kind, shown, Outcome.REFUSED, p.cell, p.code, p.message)
            for p in cells.problems
        ]
        return None

    def _create_new(self, entries: Sequence[Entry]) -> None:
        """Create what is not there yet."""
        row_type = row_types()[entries[0].kind]
        firsts: dict[str, Entry] = {}
        lines: list[Line] = []
        for entry in entries:
            first = firsts.setdefault(entry.key, entry)
            if first is not entry:
                message = _("“%(name)s” stands on %(place)s already.")
                shown = {"name": entry.shown, "place": self.source.place(first.line)}
                lines.append(self._repeated(entry, "repeated", message % shown))
        there = row_type.there(self.actor, frozenset(firsts))
        for key in there & firsts.keys():
            entry = firsts.pop(key)
            lines.append(
                self._repeated(entry, "exists", _("“%(name)s” exists already.") % {"name": entry.shown})
            )
        self.report.note(lines)
        # Before the savepoints of the operations: for a row that several of them lock, PostgreSQL keeps a list of them.
        lock_domains(self.actor, names={_domain_of(entry) for entry in firsts.values()})
        self._create(row_type, list(firsts.values()))
        gc.collect(0)

    def _repeated(self, entry: Entry, code: str, message: str) -> Line:
        outcome = Outcome.SKIPPED if self.options.continue_if_exists else Outcome.REFUSED
        return Line(entry.line, entry.kind, entry.shown, outcome, 2, code, message)

    def _create(self, row_type: RowType, entries: list[Entry]) -> None:
        while entries:
            try:
                row_type.create(self.actor, entries, self.options, self._known)
                behind.check_keys()
            except Refusal as refusal:
                entries = self._without_refused(row_type, entries, refusal)
            except PermissionDenied:
                message = _("You may not create this.")
                self.report.note(_refused(entry, 0, "permission_denied", message) for entry in entries)
                return
            else:
                self.report.note(
                    Line(e.line, e.kind, e.shown, Outcome.CREATED, 0, "", row_type.detail(e)) for e in entries
                )
                self._waiting.difference_update(entry.line for entry in entries)
                self._touched.update(map(_domain_of, entries))
                return

    def _without_refused(self, row_type: RowType, entries: list[Entry], refusal: Refusal) -> list[Entry]:
        """Note why entries are refused, and give back the others."""
        by_position: dict[int, list[Reason]] = defaultdict(list)
        for reason in refusal.reasons:
            if reason.field == WHOLE_OBJECT and reason.code == "conflict":
                raise refusal
            by_position[reason.position].append(reason)
        full = _full(row_type, entries, refusal.reasons)
        left: list[Entry] = []
        lines: list[Line] = []
        for position, entry in enumerate(entries):
            reasons = by_position.get(position) or _lack_of_room(row_type, entry, position, full)
            if not reasons:
                left.append(entry)
                continue
            if all(reason.code == "unknown_recipient" for reason in reasons):
                self._waiting.add(entry.line)
            lines += [_refused(entry, _cell(row_type, r.field), r.code, str(r.message)) for r in reasons]
        self.report.note(lines)
        return left

    def _retry(self, kinds: Collection[str]) -> None:
        """Aliases that wait for others, as long as there is one less in each round."""
        number = len(self._waiting) + 1
        while 0 < len(self._waiting) < number and self._more_than_one_chunk(kinds):
            number = len(self._waiting)
            self._run(
                (row for row in self.source.rows(kinds) if row.line in self._waiting),
                again=True,
            )
        self._waiting.clear()

    def _more_than_one_chunk(self, kinds: Collection[str]) -> bool:
        return sum(self._kinds[kind] for kind in kinds) > _CHUNK

    def _run_plugins(self) -> None:
        answers = {kind: plugins.function_for(kind) for kind in self._kinds if kind not in row_types()}
        functions = {kind: function for kind, function in answers.items() if function is not None}
        if not functions:
            return
        options = {
            "continue_if_exists": self.options.continue_if_exists,
            "crypt_password": self.options.crypt_password,
        }
        for row in self.source.rows(functions.keys()):
            shown = next(iter(row.cells), "")
            try:
                with transaction.atomic():
                    functions[row.kind](self.actor.user, [row.kind, *row.cells], options)
            except Exception as error:  # noqa: BLE001  a plugin's: whatever it is, it is about this line
                reason = str(error) or type(error).__name__
                self.report.note([Line(row.line, row.kind, shown, Outcome.REFUSED, 0, "plugin", reason)])
            else:
                self.report.note([Line(row.line, row.kind, shown, Outcome.CREATED, 0, "", "")])
            self._watch.advance(1)


def _is_lost_race(error: OperationalError | IntegrityError | Refusal) -> bool:
    """Somebody wrote the same things, or the database broke a deadlock: it may go well now, or be refused properly."""
    if isinstance(error, Refusal):
        return all(reason.field == WHOLE_OBJECT and reason.code == "conflict" for reason in error.reasons)
    return is_lost_race(error) if isinstance(error, IntegrityError) else is_retryable(error)


def _domain_of(entry: Entry) -> str:
    return entry.key.rpartition("@")[2]


def _unreadable(row: Row) -> Line:
    if row.fault is not None:
        return Line(row.line, row.kind, "", Outcome.REFUSED, 0, *row.fault)
    message = _("“%(word)s” is not a type of line. Types: %(types)s.")
    shown = {"word": row.kind[:50], "types": ", ".join(row_types())}
    return Line(row.line, row.kind[:50], "", Outcome.REFUSED, 1, "unknown_type", message % shown)


def _refused(entry: Entry, cell: int, code: str, message: str) -> Line:
    return Line(entry.line, entry.kind, entry.shown, Outcome.REFUSED, cell, code, message)


def _cell(row_type: RowType, field: str) -> int:
    """The cell that a field of the operation was read from; 0 for the line as a whole."""
    name = row_type.columns_of.get(field, field)
    return next((at for at, column in enumerate(row_type.columns, 2) if column.name == name), 0)


# Where there is no room left: position and amount of the first refusal, and its reason.
_Full = Mapping[tuple[str, str], dict[str, tuple[int, int, Reason]]]


def _full(row_type: RowType, entries: Sequence[Entry], reasons: Sequence[Reason]) -> _Full:
    full: dict[tuple[str, str], dict[str, tuple[int, int, Reason]]] = defaultdict(dict)
    for reason in reasons:
        if reason.code in _NO_ROOM:
            where, amount = row_type.room(entries[reason.position], reason.code, reason.field)
            full[reason.code, reason.field].setdefault(where, (reason.position, amount, reason))
    return full


def _lack_of_room(row_type: RowType, entry: Entry, position: int, full: _Full) -> list[Reason]:
    """Reasons of earlier lines that hold for this one as well."""
    reasons = []
    for (code, name), places in full.items():
        where, amount = row_type.room(entry, code, name)
        if where in places:
            first, least, reason = places[where]
            if position > first and amount >= least:
                reasons.append(reason)
    return reasons


@contextmanager
def _rarely_collecting() -> Iterator[None]:
    """Leave what there is alone when looking for garbage, and look for it only when asked to: a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, _CHUNK)):
        yield some
