"""A small SQLite file that holds what one mail server may see: published tables and nothing else.

SQLite has no roles, so whoever reads the panel's own file reads every hash, token and session. The copy is never
written after it was made: a new one takes its place by a rename. Hence it is not in write-ahead mode. Nobody ever
locks it, and there are no ``-wal`` and ``-shm`` files, which SQLite finds by name: those of a copy that somebody still
has open would be taken for parts of the next one. For the same reason a reader needs no right to write anywhere.
"""

from __future__ import annotations

import filecmp
import grp
import os
import re
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Model
from django.db.utils import ConnectionHandler
from django.utils.translation import gettext as _

from admin.exports.credentials import ExportError
from admin.models import MailCheck, MailDomain, MailRoute, MailSender, MailTransport, MailUser

# What a server reads; its name is that of its system group, too.
TABLES: dict[str, tuple[type[Model], ...]] = {
    "postfix": (MailDomain, MailRoute, MailSender, MailTransport, MailCheck),
    "dovecot": (MailUser, MailRoute, MailDomain),
}
MODE = 0o640
# "MPub": tells our copies from every other database.
APPLICATION_ID = 0x4D507562
_COMPANIONS = ("-wal", "-shm", "-journal")
_CHUNK = 5_000
_ABANDONED_AFTER_S = 3_600
_DRAFT_OCTETS = 8

# One moment of the source for all tables; ends with ROLLBACK.
_SNAPSHOT = {
    "sqlite": ("BEGIN",),
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",),
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}


def write_copy(file: str, server: str) -> bool:
    """Replace *file* by what *server* may see now; False when it says that already.

    Raises :class:`admin.exports.credentials.ExportError`; then the file is as it was.
    """
    place = Path(file).absolute()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(_DRAFT_OCTETS)}")
    try:
        _refuse_foreign(place)
        _remove_abandoned(place)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            check = partial(_refuse_exchanged, draft, descriptor)
            _fill(draft, TABLES[server], check)
            _hand_over(descriptor, server)
            check()
            if _is_same(draft, place):
                return False
            draft.replace(place)
            _sync(place.parent)
            return True
        finally:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
    except OSError as error:
        message = _("%(file)s was not written: %(reason)s.")
        reason = (error.strerror or str(error)).lower()
        raise ExportError(message % {"file": place, "reason": reason}) from error
    except sqlite3.Error as error:
        message = _("%(file)s was not written: %(reason)s.")
        raise ExportError(message % {"file": place, "reason": str(error)}) from error


# --- what is there already -------------------------------------------------------------------------------------


def _refuse_foreign(place: Path) -> None:
    """Only a copy is ever replaced: not the panel's own database, nor anything else of that name."""
    if place.is_symlink():
        raise ExportError(_("%(file)s is a symbolic link. Give the path of the file.") % {"file": place})
    if place.is_dir():
        raise ExportError(_("%(file)s is a directory.") % {"file": place})
    if not place.parent.is_dir():
        raise ExportError(_("There is no directory %(directory)s.") % {"directory": place.parent})
    for companion in (place.with_name(f"{place.name}{ending}") for ending in _COMPANIONS):
        if companion.exists():
            # SQLite would read it as a part of the copy.
            message = _("%(companion)s belongs to another database. Choose another name for the copy.")
            raise ExportError(message % {"companion": companion})
    if place.exists() and not _is_copy(place):
        message = _("%(file)s is there already and is no copy that the panel made. Choose another name.")
        raise ExportError(message % {"file": place})


def _is_copy(place: Path) -> bool:
    """By the header of the file: to open a database may change it."""
    with place.open("rb") as file:
        header = file.read(72)
    return header.startswith(b"SQLite format 3\0") and header[68:72] == APPLICATION_ID.to_bytes(4, "big")


def _is_same(draft: Path, place: Path) -> bool:
    """The same rows make the same bytes."""
    if not place.exists():
        return False
    new, old = draft.stat(), place.stat()
    alike = (new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid)
    return alike and filecmp.cmp(draft, place, shallow=False)


def _remove_abandoned(place: Path) -> None:
    """Drafts of runs that were killed, and nothing else that may lie there: editors name their files alike."""
    names = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{{2 * _DRAFT_OCTETS}}}(-journal)?")
    for draft in place.parent.iterdir():
        if names.fullmatch(draft.name):
            with suppress(FileNotFoundError):
                status = draft.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_mtime < time.time() - _ABANDONED_AFTER_S:
                    draft.unlink()


# --- making one ------------------------------------------------------------------------------------------------


def _refuse_exchanged(draft: Path, descriptor: int) -> None:
    """The name still means the file that was made: who may write in the directory could lead us to another."""
    there, made = draft.lstat(), os.fstat(descriptor)
    if (there.st_dev, there.st_ino) != (made.st_dev, made.st_ino):
        message = _(
            "Somebody exchanged a file in %(directory)s. Choose a directory where nobody else writes."
        )
        raise ExportError(message % {"directory": draft.parent})


def _fill(draft: Path, models: tuple[type[Model], ...], check: Callable[[], None]) -> None:
    """*check* is called once the file is open, before anything is written into it."""
    handler = ConnectionHandler(
        {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(draft), "OPTIONS": {"timeout": 1}}}
    )
    with closing(handler["default"]) as target:
        # Its own schema editor: the same columns, keys and checks as in the panel's database.
        with target.schema_editor(collect_sql=True, atomic=False) as editor:
            for model in models:
                editor.create_model(model)
        target.ensure_connection()
        check()
        file: sqlite3.Connection = target.connection
        # Nobody can see the file, and it is thrown away when this fails.
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute("BEGIN")
        for statement in editor.collected_sql:
            file.execute(statement)
        with _one_moment():
            for model in models:
                _copy(model, file, target)
        file.execute("COMMIT")


def _copy(model: type[Model], file: sqlite3.Connection, target: Any) -> None:
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    quote = target.ops.quote_name
    names = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join("?" * len(fields))
    # Columns of our own models.
    into = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({marks})"  # noqa: S608
    instants = [number for number, field in enumerate(fields) if isinstance(field, DateTimeField)]
    for rows in _rows(model, [field.attname for field in fields]):
        for row in rows if instants else ():
            for number in instants:
                row[number] = fields[number].get_db_prep_save(row[number], target)
        file.executemany(into, rows)


@contextmanager
def _one_moment() -> Iterator[None]:
    """The source as it is now, whatever is committed meanwhile. Inside a transaction: as the transaction sees it."""
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        for statement in _SNAPSHOT[connection.vendor]:
            cursor.execute(statement)
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def _rows(model: type[Model], columns: list[str]) -> Iterator[list[list[Any]]]:
    """All rows, some thousand at a time, in the order of the primary key; every step one scan of its index."""
    found = model._base_manager.order_by("pk").values_list("pk", *columns)
    wanted = found
    while some := list(wanted[:_CHUNK]):
        yield [list(row[1:]) for row in some]
        wanted = found.filter(pk__gt=some[-1][0])


def _hand_over(descriptor: int, server: str) -> None:
    """Readable for the server, and on the disk."""
    if os.geteuid() == 0:
        with suppress(KeyError):
            os.fchown(descriptor, 0, grp.getgrnam(server).gr_gid)
    os.fchmod(descriptor, MODE)
    os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
