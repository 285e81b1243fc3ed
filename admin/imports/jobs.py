"""Imports that were begun in a browser: uploaded, planned, looked at, applied.

Everything about one is in files, because an import is one transaction of the database that may take long. Its work is
done by a process of its own. Of the two only one writes what is known of it: the process while it lives, else the web.
"""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.utils import translation
from django.utils.translation import gettext as _

from admin import policies
from admin.gateways import import_files
from admin.gateways.import_files import ImportFiles
from admin.imports import plugins
from admin.imports.files import OLD_ENCODING, Beginning, CsvFile, FileError, Layout, beginning
from admin.imports.places import Places
from admin.imports.report import Outcome, Report
from admin.imports.row_types import Options, columns, row_types
from admin.imports.running import Cancelled, Changed, Effects, Import
from core.actor import Actor, Credential
from core.models import User
from core.presentation import MIB
from core.spreadsheets import neutralised
from limits.wording import amount_text

if TYPE_CHECKING:
    from admin.queries.import_effects import DomainStorage
    from admin.queries.resources import Resource

HOUR_S: Final = 3600
UPLOAD_KEPT_S: Final = 24 * HOUR_S
KEPT_S: Final = 7 * 24 * HOUR_S
_NOTED_EVERY_S: Final = 0.5
# Of one account, and of all.
_MOST_JOBS: Final = 20
_MOST_UPLOADS: Final = 5
_MOST_JOBS_OF_ALL: Final = 1_000
_MOST_RUNNING: Final = 4
_log = logging.getLogger("modoboa.imports")


class State(StrEnum):
    """How far an import is."""

    ASKING = "asking"
    PLANNING = "planning"
    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"
    CANCELLED = "cancelled"


WORKING: Final = frozenset({State.PLANNING, State.APPLYING})


class NotNow(Exception):  # noqa: N818  an answer
    """This cannot be begun at the moment; the message says why."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the importer, in words: what was taken of it, and how it stands then; *percent* "" without a bar."""

    label: str
    before: str
    after: str
    percent: str
    tone: str


@dataclass(frozen=True, slots=True)
class Storage:
    """What the mailboxes of a domain may fill, in bytes."""

    name: str
    given: int
    quota: int


@dataclass(slots=True)
class Job:
    """An import, as everybody reads and one writes it. Instants are seconds since the epoch."""

    owner: int
    address: str | None
    name: str
    created_at: float
    continue_if_exists: bool
    crypt_password: bool
    separator: str = ""
    encoding: str = ""
    header: bool | None = None
    kind: str = ""
    meanings: list[str] = field(default_factory=list)
    state: str = State.ASKING
    changed_at: float = 0.0
    # While it works.
    step: str = ""
    done: int = 0
    total: int = 0
    # What the file turned out to be.
    read_as: str = ""
    names: list[str] = field(default_factory=list)
    # The plan.
    digest: str = ""
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: int = 0
    limits: list[dict[str, Any]] = field(default_factory=list)
    storage: list[dict[str, Any]] = field(default_factory=list)
    # How it failed.
    fault: str = ""

    token: str = ""
    has_upload: bool = False

    @property
    def layout(self) -> Layout:
        """What was said about the file."""
        return Layout(self.separator, self.encoding, self.header, self.kind, meanings=self.meanings)

    @property
    def options(self) -> Options:
        """A browser is always strict."""
        return Options(self.continue_if_exists, self.crypt_password, strict=True)

    @property
    def is_working(self) -> bool:
        """Somebody may watch it."""
        return self.state in WORKING

    @property
    def created(self) -> datetime:
        """When it was uploaded."""
        return datetime.fromtimestamp(self.created_at, tz=UTC)

    @property
    def is_guessed(self) -> bool:
        """Nobody said which encoding it has, and it is not UTF-8."""
        return not self.encoding and self.read_as == OLD_ENCODING

    def number(self, outcome: Outcome) -> int:
        """Lines of an outcome."""
        return sum(self.numbers.get(outcome, {}).values())


def places_of(job: Job) -> Places:
    """What the cells of its lines are called."""
    return Places(job.names, job.meanings)


_NOT_WRITTEN: Final = frozenset({"token", "has_upload"})
_NAMES: Final = frozenset(each.name for each in fields(Job)) - _NOT_WRITTEN


def _read(files: ImportFiles) -> Job | None:
    facts = files.read()
    if facts is None or not facts.keys() <= _NAMES:
        return None
    job = Job(**facts, token=files.token, has_upload=files.upload.exists())
    if job.is_working and not files.is_running():
        # It may have ended between the two looks.
        facts = files.read() or facts
        job = Job(**facts, token=files.token, has_upload=files.upload.exists())
        if job.is_working:
            job.fault = _interrupted(job)
            job.state = State.FAILED
    return job


def _write(files: ImportFiles, job: Job) -> None:
    job.changed_at = time.time()
    files.write({name: value for name, value in asdict(job).items() if name in _NAMES})


def _interrupted(job: Job) -> str:
    if job.state == State.PLANNING:
        return _("Planning was interrupted. Nothing was changed.")
    return _(
        "The import was interrupted. It is kept as a whole or not at all: a new plan shows whether it is there already."
    )


# --- at the door -----------------------------------------------------------------------------------------------


def job_of(actor: Actor, token: str) -> Job | None:
    """One's own, by its name."""
    files = import_files.find(token)
    job = _read(files) if files else None
    return job if job is not None and job.owner == actor.pk else None


def jobs_of(actor: Actor) -> list[Job]:
    """One's own, the newest first."""
    jobs = filter(None, map(_read, import_files.every()))
    return sorted((job for job in jobs if job.owner == actor.pk), key=lambda job: -job.created_at)


def begin(actor: Actor, job: Job, chunks: Iterable[bytes]) -> Job:
    """Keep what was uploaded and plan it, or ask what its columns mean; raises :class:`NotNow` and FileError."""
    with import_files.alone():
        _make_room(actor)
        _require_room(actor)
    files = import_files.make()
    try:
        files.keep(chunks)
        job.token = files.token
        start = look_at(job)
        job.header = start.is_header
        _write(files, job)
        if start.tells_all:
            _launch(actor, files, job, State.PLANNING)
    except BaseException:
        files.delete()
        raise
    return job


def look_at(job: Job) -> Beginning:
    """The first lines of what was uploaded; raises FileError."""
    with ImportFiles(job.token).upload.open("rb") as stream:
        return beginning(stream, columns(), job.layout, _is_type)


def _is_type(word: str) -> bool:
    return word in row_types() or plugins.function_for(word) is not None


def explain(actor: Actor, job: Job, layout: Layout) -> None:
    """Plan a file with what somebody said about its columns; raises :class:`NotNow`."""
    job.header, job.kind, job.meanings = layout.header, layout.kind, list(layout.meanings)
    _launch(actor, ImportFiles(job.token), job, State.PLANNING)


def plan(actor: Actor, job: Job) -> None:
    """Plan the same file anew; raises :class:`NotNow`."""
    _launch(actor, ImportFiles(job.token), job, State.PLANNING)


def apply(actor: Actor, job: Job) -> None:
    """Do what was planned; raises :class:`NotNow`."""
    _launch(actor, ImportFiles(job.token), job, State.APPLYING)


def cancel(job: Job) -> None:
    """End it: at once if nothing runs, else when its process looks next."""
    files = ImportFiles(job.token)
    with import_files.alone():
        current = _read(files)
        if current is not None and current.is_working:
            files.wish_to_cancel()
        elif current is not None and current.state != State.APPLIED:
            _end(files, current, State.CANCELLED)


_FROM: Final = {
    State.PLANNING: frozenset({State.ASKING, State.PLANNED, State.FAILED}),
    State.APPLYING: frozenset({State.PLANNED}),
}


def _launch(actor: Actor, files: ImportFiles, job: Job, state: State) -> None:
    """Begin work, if nobody else has and there is room."""
    with import_files.alone():
        current = _read(files)
        if current is None or current.state not in _FROM[state] or not current.has_upload:
            raise NotNow(_("This import is at another point already. Look at it once more."))
        if state is State.APPLYING and current.digest != job.digest:
            raise NotNow(_("The plan was made anew meanwhile. Look at it once more."))
        _require_room(actor)
        files.forget_wish()
        job.state, job.step, job.done, job.total, job.fault = state, "", 0, 0, ""
        with files.held() as lock:
            _write(files, job)
            try:
                files.launch(lock)
            except OSError as error:
                _log.exception("The process of an import cannot be started.")
                job.state, job.fault = State.FAILED, error.strerror or str(error)
                _write(files, job)


def _require_room(actor: Actor) -> None:
    jobs = list(filter(None, map(_read, import_files.every())))
    working = [job for job in jobs if job.is_working]
    if any(job.owner == actor.pk for job in working):
        raise NotNow(_("Another import of yours is running. Wait until it is done, or cancel it."))
    if len(working) >= _MOST_RUNNING or len(jobs) >= _MOST_JOBS_OF_ALL:
        raise NotNow(_("Too many imports are running. Try again in a few minutes."))


def sweep() -> None:
    """Delete what is old, of anybody."""
    with import_files.alone():
        list(_recent())


def _recent() -> Iterator[tuple[Job, ImportFiles]]:
    """What is not old, and not at work; what is old goes."""
    now = time.time()
    for files in import_files.every():
        job = _read(files)
        if job is None:
            if files.age_s() > HOUR_S:
                files.delete()
        elif not job.is_working:
            if now - job.changed_at > KEPT_S:
                files.delete()
                continue
            if now - job.created_at > UPLOAD_KEPT_S:
                _forget(files, job)
            yield job, files


def _make_room(actor: Actor) -> None:
    """Delete what is old, of anybody, and what is too much, of the actor."""
    own = [(job, files) for job, files in _recent() if job.owner == actor.pk]
    own.sort(key=lambda pair: -pair[0].created_at)
    for job, files in own[_MOST_UPLOADS - 1 :]:
        _forget(files, job)
    for _job, files in own[_MOST_JOBS - 1 :]:
        files.delete()


def _forget(files: ImportFiles, job: Job) -> None:
    """Passwords go; what is worth reading stays."""
    files.forget_upload()
    if job.state not in {State.PLANNED, State.APPLIED}:
        files.forget_plan()


# --- in its process --------------------------------------------------------------------------------------------


class _Pen:
    """Notes how far the work is, and ends it when somebody wishes so."""

    def __init__(self, files: ImportFiles, job: Job) -> None:
        self._files = files
        self._job = job
        self._noted_at = 0.0

    def begin(self, step: str, total: int) -> None:
        """Another bar."""
        self._job.step, self._job.done, self._job.total = step, 0, total
        _write(self._files, self._job)

    def advance(self, lines: int) -> None:
        """So many lines are done; raises :class:`Cancelled`."""
        if self._files.is_wished_to_cancel():
            raise Cancelled
        self._job.done += lines
        if time.monotonic() - self._noted_at > _NOTED_EVERY_S:
            self._noted_at = time.monotonic()
            _write(self._files, self._job)


def run(token: str) -> None:
    """Do the work that a job waits for, and note how it ended."""
    files = import_files.find(token)
    facts = files.read() if files else None
    if files is None or facts is None:
        return
    job = Job(**facts, token=token)
    user = User.objects.active().filter(pk=job.owner).first()
    with translation.override((user and user.language) or settings.LANGUAGE_CODE):
        try:
            work = {State.PLANNING: _plan, State.APPLYING: _apply}[State(job.state)]
            actor = Actor(user, Credential.SESSION, job.address) if user else None
            if actor is None or not policies.may_import(actor):
                _fail(files, job, _("Your account may not import any more. Nothing was imported."))
            else:
                work(files, job, actor)
        except Cancelled:
            _end(files, job, State.CANCELLED)
        except Changed:
            _fail(
                files,
                job,
                _("Something changed since the plan was made, so nothing was imported. Plan again."),
            )
        except FileError as error:
            _fail(files, job, str(error))
        except DatabaseError:
            _log.exception("An import failed.")
            _fail(files, job, _("The database refused or does not answer. Nothing was imported."))
        except Exception:  # noqa: BLE001  nobody is above who could tell the person
            _log.exception("An import failed.")
            _fail(files, job, _("An error of the panel stopped this. Nothing was imported."))


def _plan(files: ImportFiles, job: Job, actor: Actor) -> None:
    files.forget_plan()
    files.renew_report()
    with _opened(files, job) as source, Report(files.report) as report:
        effects = Import(actor, source, job.options, report, _Pen(files, job)).plan()
        job.digest = report.digest()
        job.numbers = {}
        for (outcome, kind), number in report.numbers().items():
            job.numbers.setdefault(outcome, {})[kind] = number
        job.warnings = report.warned()
        _note(job, effects)
        _write_lists(files, job, source, report)
    job.state = State.PLANNED
    _write(files, job)


def _apply(files: ImportFiles, job: Job, actor: Actor) -> None:
    with _opened(files, job) as source, Report(files.report) as report:
        try:
            work = Import(actor, source, job.options, report, _Pen(files, job))
            _note(job, work.apply(skip_errors=True, planned=job.digest))
        finally:
            report.forget_hashes()
    _end(files, job, State.APPLIED)


def _opened(files: ImportFiles, job: Job) -> CsvFile:
    """The upload, in its encoding or the one that is likely."""
    try:
        return _read_as(files, job, job.layout)
    except FileError as error:
        if job.encoding or not isinstance(error.__cause__, UnicodeError):
            raise
        job.encoding = OLD_ENCODING
        try:
            return _read_as(files, job, job.layout)
        except FileError:
            raise error from None
        finally:
            job.encoding = ""


def _read_as(files: ImportFiles, job: Job, layout: Layout) -> CsvFile:
    source = CsvFile(columns(), layout)
    try:
        with files.upload.open("rb") as stream:
            form = source.add(stream, job.name)
    except BaseException:
        source.close()
        raise
    job.read_as, job.names = source.encoding, list(form.header)
    return source


def _note(job: Job, effects: Effects) -> None:
    job.limits = [
        asdict(_limit(before, after))
        for before, after in effects.resources
        if after.usage.maximum is not None or after.usage != before.usage
    ]
    job.storage = [asdict(_storage(each)) for each in effects.storage]


def _limit(before: Resource, after: Resource) -> Limit:
    used = amount_text(before.usage.kind, before.usage.taken)
    return Limit(after.label, used, after.text, after.percent, after.tone)


def _storage(domain: DomainStorage) -> Storage:
    return Storage(domain.name, domain.given * MIB, domain.quota * MIB)


def _write_lists(files: ImportFiles, job: Job, source: CsvFile, report: Report) -> None:
    """What was refused: the lines to be corrected, and the reasons."""
    if not job.number(Outcome.REFUSED):
        return
    with (
        files.create(files.refused) as made,
        os.fdopen(made, "w", closefd=False, encoding=source.encoding, newline="") as stream,
    ):
        stream.writelines(
            f"{line}\r\n" for line in source.originals(line.line for line in report.lines(Outcome.REFUSED))
        )
    places = places_of(job)
    with (
        files.create(files.reasons) as made,
        os.fdopen(made, "w", closefd=False, encoding="utf-8-sig", newline="") as stream,
    ):
        written = csv.writer(stream, delimiter=";")
        written.writerow([_("line"), _("type"), _("object"), _("column"), _("reason")])
        for line in report.lines(Outcome.REFUSED):
            for cell, _code, message in report.reasons(line):
                words = (line.kind, line.shown, places.column(line.kind, cell), message)
                written.writerow([line.line, *map(neutralised, words)])


def _end(files: ImportFiles, job: Job, state: State) -> None:
    """It is over: what was uploaded goes, and without a result the plan, too."""
    job.state = state
    _write(files, job)
    files.forget_upload()
    if state is State.CANCELLED:
        files.forget_plan()


def _fail(files: ImportFiles, job: Job, fault: str) -> None:
    """Nothing happened; the upload stays to be planned anew."""
    job.state, job.fault = State.FAILED, fault
    _write(files, job)
    files.forget_plan()
