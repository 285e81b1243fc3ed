"""The operation: the only way in which state changes.

An operation takes an actor and a *batch* and runs in one transaction. The decorator asks its policy, opens the
transaction, writes what the operation recorded to the event log and to the version history, turns a lost race
into a refusal with the code ``conflict``, and repeats the work when the database had to break a deadlock.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import history
from core.insertion import insert
from core.models.log import Level, Log
from core.refusals import WHOLE_OBJECT, Refusal
from core.unknown_tables import unknown_tables_behind

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import Model

    from core.actor import Actor

P = ParamSpec("P")
R = TypeVar("R")

_ATTEMPTS = 6
_PAUSE_S = 0.02
# Deadlock or serialization failure: PostgreSQL SQLSTATEs, MySQL/MariaDB error numbers.
_RETRYABLE = frozenset({"40P01", "40001", 1213, 1205})
_FOREIGN_KEY_VIOLATIONS = frozenset({"23503", 1451, 1452})
_UNIQUE_VIOLATIONS = frozenset({"23505", 1062})
_LEVELS = {"create": Level.INFO, "delete": Level.CRITICAL}


@dataclass(slots=True)
class _Journal:
    """What the running operation did, in order."""

    events: list[tuple[Model, tuple[str, ...]]] = field(default_factory=list)
    versions: list[Model] = field(default_factory=list)


_journal: ContextVar[_Journal | None] = ContextVar("journal", default=None)


def record(subject: Model, *, changed: Iterable[str] = (), versions: Iterable[Model] | None = None) -> None:
    """Note in the running operation that *subject* changed.

    *changed* names the fields (empty for a creation or deletion); *versions* are the rows whose new state goes
    into the history, *subject* itself unless told otherwise (nothing for a deletion: ``versions=()``).
    """
    journal = _journal.get()
    if journal is None:
        msg = "record() works only inside an operation."
        raise RuntimeError(msg)
    journal.events.append((subject, tuple(changed)))
    journal.versions.extend([subject] if versions is None else versions)


def operation(
    verb: str, *, allow: Callable[..., bool]
) -> Callable[[Callable[Concatenate[Actor, P], R]], Callable[Concatenate[Actor, P], R]]:
    """Make a function an operation named *verb* (``noun.verb``).

    *allow* is asked with the actor and the positional arguments of the call; False raises
    :class:`PermissionDenied`. The function raises :class:`Refusal` for everything else that is wrong.
    """

    def decorate(function: Callable[Concatenate[Actor, P], R]) -> Callable[Concatenate[Actor, P], R]:
        @functools.wraps(function)
        def run(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not (actor.user.is_active and allow(actor, *args)):
                raise PermissionDenied(verb)
            return _perform(verb, actor, functools.partial(function, actor, *args, **kwargs))

        run.verb = verb  # type: ignore[attr-defined]  # read by the documentation and by tests
        run.allow = allow  # type: ignore[attr-defined]  # read by tests
        return run

    return decorate


def _perform(verb: str, actor: Actor, work: Callable[[], R]) -> R:
    if transaction.get_connection().in_atomic_block:
        return _attempt(
            verb, actor, work
        )  # a broken deadlock ends the outer transaction: its retries, not ours
    for number in range(_ATTEMPTS - 1):
        try:
            return _attempt(verb, actor, work)
        except OperationalError as error:
            if not is_retryable(error):
                raise
        time.sleep(random.uniform(0, _PAUSE_S * 2**number))  # noqa: S311  so that victims do not meet again
    return _attempt(verb, actor, work)


def _attempt(verb: str, actor: Actor, work: Callable[[], R]) -> R:
    journal = _Journal()
    # A refusal undoes the operation, not what a caller did before it; a part of an operation has no undoing of its own.
    is_part = _journal.get() is not None
    token = _journal.set(journal)
    try:
        with transaction.atomic(savepoint=not is_part):
            result = work()
            _write(verb, actor, journal)
        return result
    except IntegrityError as error:
        if not is_lost_race(error):
            raise  # a value that an operation should have refused: our fault, not a race
        if _is_foreign_key(error) and (tables := unknown_tables_behind(error)):
            raise Refusal.single(
                WHOLE_OBJECT,
                "referred_to",
                _(
                    "Rows of %(tables)s refer to it, and no installed app knows what should become of them: a plugin "
                    "that is disabled or gone?"
                )
                % {"tables": ", ".join(tables)},
            ) from error
        raise Refusal.single(
            WHOLE_OBJECT,
            "conflict",
            _(
                "Somebody else changed the same thing at this moment. Look at it again and repeat your change."
            ),
        ) from error
    finally:
        _journal.reset(token)


def _write(verb: str, actor: Actor, journal: _Journal) -> None:
    now = timezone.now()
    rows = (_event(verb, actor, subject, changed, now) for subject, changed in journal.events)
    insert(Log, _COLUMNS, rows)
    history.keep(journal.versions, actor=actor.user, comment=verb, at=now)


_COLUMNS = (
    "date_created",
    "level",
    "logger",
    "message",
    "actor_id",
    "actor_name",
    "credential",
    "address",
    "verb",
    "kind",
    "object_id",
    "object_name",
    "changed",
)


def _event(
    verb: str, actor: Actor, subject: Model, changed: tuple[str, ...], now: datetime
) -> tuple[object, ...]:
    """One row of the log. What only changed along with a creation or a deletion is an update of its own."""
    kind = getattr(subject, "event_kind", None) or subject._meta.model_name or ""
    if changed and not verb.endswith(".update"):
        verb = f"{kind}.update"
    action = verb.rpartition(".")[2]
    return (
        now,
        _LEVELS.get(action, Level.WARNING),
        "modoboa.admin",
        _message(subject, action, actor),
        actor.pk,
        actor.user.username,
        actor.credential,
        actor.address,
        verb,
        kind,
        subject.pk,
        str(subject)[:254],
        changed,
    )


_WORDS = {"create": "added", "delete": "deleted"}


def _message(subject: Model, action: str, actor: Actor) -> str:
    """Sentence of the log, as the documentation shows it (English, cut to the column)."""
    return f"{_kind_in_words(type(subject))} '{subject}' {_WORDS.get(action, 'modified')} by '{actor}'"[:255]


@functools.cache
def _kind_in_words(model: type[Model]) -> str:
    return str(model._meta.verbose_name_raw).capitalize()


def is_retryable(error: OperationalError) -> bool:
    """Whether the database broke a deadlock, or gave up waiting: the same work may go well a moment later."""
    return _database_code(error) in _RETRYABLE


def is_lost_race(error: IntegrityError) -> bool:
    """A unique or a foreign key was violated, which checks alone cannot prevent (SQLite has only its words)."""
    is_taken = _database_code(error) in _UNIQUE_VIOLATIONS or str(error).startswith("UNIQUE")
    return is_taken or _is_foreign_key(error)


def _is_foreign_key(error: IntegrityError) -> bool:
    return _database_code(error) in _FOREIGN_KEY_VIOLATIONS or str(error).startswith("FOREIGN KEY")


def _database_code(error: DatabaseError) -> object:
    """SQLSTATE of PostgreSQL, error number of MySQL and MariaDB."""
    cause: Any = error.__cause__
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):
        return number  # first: PyMySQL knows a SQLSTATE as well, a coarser one
    return getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)
