"""One run with a fault, what came of it, and all of them."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from admin.gateways import doveadm
from admin.models import MailboxOperation
from admin.operations import directories, retry_directory_orders
from core.actor import Actor, Credential
from core.models import User
from parameters import tools
from tests.servers.database import Database, Engine
from tests.sweep import tracing
from tests.sweep.fixture import Fixture, use
from tests.sweep.invariants import lost, surroundings, violations, violations_in_the_end
from tests.sweep.scenes import Expected, Scene, Stage
from tests.sweep.tracing import Call, Fault

ERRORS: Final = ("ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE", "EXDEV")
ERRORS_OF_DATABASES: Final = ("ENOSPC", "EIO")
# Duplicates of descriptors know of no disk, and what is closed was written before.
_FEW: Final = {"fcntl": ("EMFILE",), "close": ("EIO",)}
_CLEAN_RUNS: Final = 3
_ENDINGS: Final = {0, 1, 75}
_TRACEBACK: Final = 70
_PR_SET_PTRACER: Final = 0x59616D61
_ANYBODY: Final = ctypes.c_ulong(-1)

Patch = Callable[[], None]


@dataclass(slots=True)
class Outcome:
    """What came of a fault."""

    fault: Fault
    # 0 to 255, or -9.
    ending: int
    violations: list[str]
    failed: int = 0
    said: str = ""

    @property
    def was_reached(self) -> bool:
        """Whether a fault that kills did."""
        return self.ending == -9 or "SIGKILL" not in self.fault.what


@dataclass(slots=True)
class Sweep:
    """A scene on one database. The process forks for everything, with Django loaded once."""

    scene: Scene
    directory: Path
    database: Database
    # Applied in every process that runs the command: how tests break it.
    patch: Patch = lambda: None
    fixture: Fixture = field(init=False)

    def build(self, base: Path | None = None) -> None:
        """Make the template. *base*: an SQLite file with migrated tables."""
        template = self.directory / "template"
        shutil.rmtree(template, ignore_errors=True)
        (template / "vmail").mkdir(parents=True)
        database = self.database
        if base is not None:
            database = Database(Engine.SQLITE, str(template / "panel.sqlite3"))
            shutil.copy(base, database.name)
            self.database = Database(Engine.SQLITE, str(self.directory / "top" / "panel.sqlite3"))
        self.fixture = Fixture(
            template, self.directory / "top", self.database, self.scene.crosses, Expected()
        )

        def make() -> dict[str, Any]:
            use(database)
            if base is None:
                call_command("flush", interactive=False, verbosity=0)
            stage = Stage(template / "vmail")
            stage.open()
            self.scene.build(stage)
            expected = stage.close()
            if base is not None:
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.fixture.keep_database()
            return asdict(expected)

        answer = forked(make)
        answer["restored"] = {int(key): value for key, value in answer["restored"].items()}
        self.fixture.expected = Expected(**answer)

    def warm_up(self) -> None:
        """Once in this process, so that its children find loaded and compiled what each of them needs."""
        with self.fixture.put_up():
            use(self.database)
            self._run_undisturbed(1)
            violations(self.fixture.root, self.fixture.expected, may_copy=False)
            connection.close()
        gc.collect()
        gc.freeze()

    # --- runs ---

    def clean_run(self) -> tuple[list[Call], list[str]]:
        """Every call of a run that nobody disturbs, and what is wrong with it."""
        file = self.directory / "clean.trace"
        with self.fixture.put_up():
            ending, said = self._watched(tracing.everything(file))
            facts = self._judged(may_copy=self.scene.crosses, runs=0)
        found = tracing.calls(file)
        wrong = [said] if ending else []
        allowed = (self.fixture.root, Path(self.database.name))
        wrong += tracing.not_durable(found, self.fixture.root) + tracing.strays(found, allowed)
        return found, wrong + facts["violations"]

    def points(self, found: Sequence[Call]) -> tuple[list[Call], list[Call]]:
        """Calls about the mail root, and about the database."""
        root = tracing.touching(found, self.fixture.root)
        if self.database.engine is Engine.SQLITE:
            # Locks are taken and let go many times for a statement, and end with the process.
            others = tracing.touching(found, Path(self.database.name))
            return root, [call for call in others if call.name != "fcntl"]
        return root, tracing.on_sockets(found)

    def outcome(self, fault: Fault) -> Outcome:
        """Put the scene up, let the fault happen, let the command run undisturbed, and look."""
        file = self.directory / "fault.trace"
        with self.fixture.put_up():
            before = surroundings(self.fixture.top)
            ending, said = self._watched(tracing.with_fault(fault, file))
            wrong = lost(self.fixture.root, self.fixture.expected)
            facts = self._judged(may_copy=self.scene.crosses or "EXDEV" in fault.what, runs=_CLEAN_RUNS)
            wrong += facts["violations"]
            if surroundings(self.fixture.top) != before:
                wrong.append("I5 something beside the root was changed")
        allowed = (self.fixture.root, Path(self.database.name))
        wrong += tracing.strays(tracing.calls(file), allowed)
        if ending not in _ENDINGS | {-9}:
            wrong.append(f"ended with {ending}")
        return Outcome(fault, ending, wrong, facts["failed"], said)

    def _watched(self, arguments: list[str]) -> tuple[int, str]:
        """Run the command under strace; how it ended, and what it said."""
        gate, opener = os.pipe()
        hearing, telling = os.pipe()
        said = self.directory / "said"
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            _speak_into(said)
            _stand_still(gate, telling)
            self._command()
        os.close(gate)
        os.read(hearing, 1)  # what comes now is the command alone
        for descriptor in (hearing, telling):
            os.close(descriptor)
        tracer = tracing.attached(pid, arguments)
        os.close(opener)  # poll() sees that
        _pid, status = os.waitpid(pid, 0)
        tracer.communicate(timeout=60)
        return os.waitstatus_to_exitcode(status), said.read_text() if said.exists() else ""

    def _command(self) -> None:
        """In a process of its own, which ends here."""
        ending = _TRACEBACK
        try:
            use(self.database)
            self.patch()
            ending = self._run()
        except BaseException:  # noqa: BLE001  whatever it is, it is told
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(ending)

    def _run(self) -> int:
        tools.forget()
        try:
            call_command("handle_mailbox_operations", mail_root=str(self.fixture.root))
        except CommandError as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            return error.returncode
        finally:
            connection.close()
        return 0

    def _run_undisturbed(self, times: int) -> None:
        """Up to so many times: until nothing is left to do."""
        for _time in range(times):
            _wind_on()
            self._run()
            _wind_on()
            if not directories.there_is_work():
                return

    def _judged(self, *, may_copy: bool, runs: int) -> dict[str, Any]:
        """After some undisturbed runs; what failed is tried again by a person, who looks once more."""

        def judge() -> dict[str, Any]:
            use(self.database)
            self.patch()
            root, expected = self.fixture.root, self.fixture.expected
            self._run_undisturbed(runs)
            found = violations(root, expected, may_copy=may_copy)
            failed = list(MailboxOperation.objects.filter(state="failed"))
            if failed:
                actor = Actor(User.objects.get(username="root"), Credential.SESSION)
                retry_directory_orders(actor, failed)
                self._run_undisturbed(runs)
                found += violations_in_the_end(root, expected, may_copy=may_copy)
            connection.close()
            return {"violations": found, "failed": len(failed)}

        return forked(judge)


def _wind_on() -> None:
    """Whoever waits has waited long enough."""
    MailboxOperation.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def _speak_into(file: Path) -> None:
    with file.open("w", encoding="utf-8") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)


def _stand_still(gate: int, telling: int) -> None:
    """Until the other end of the pipe *gate* is closed. Whoever wants to may watch."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    waiting = select.poll()
    waiting.register(gate, select.POLLIN)
    os.write(telling, b".")
    waiting.poll()


def forked(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What *work* answers in a process of its own; raises RuntimeError with its traceback."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            answer: dict[str, Any] = {"answer": work()}
        except BaseException:  # noqa: BLE001  told below
            answer = {"traceback": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    told = json.loads(text)
    if "traceback" in told:
        raise RuntimeError(told["traceback"])
    found: dict[str, Any] = told["answer"]
    return found


def prepare() -> None:
    """Before the first fork: Dovecot is not here."""
    doveadm.program = lambda _name: None  # type: ignore[assignment]  # nobody is asked


def faults(
    root: Sequence[Call], database: Sequence[Call], *, kills: bool = True, errors: bool = True
) -> Iterator[Fault]:
    """Death at every call; then every error at every call about the root, and some at those about an SQLite file."""
    both = sorted({*root, *database}, key=lambda call: call.place)
    for call in both if kills else ():
        yield Fault(call, "signal=SIGKILL")
    if not errors:
        return
    for call in both:
        for error in _FEW.get(call.name, ERRORS) if call in root else ERRORS_OF_DATABASES:
            yield Fault(call, f"error={error}")
