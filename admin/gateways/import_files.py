"""Directories of imports that were begun in a browser: one for each, open to the panel's user alone.

A process that works in one holds a lock on it as long as it lives, so nobody has to believe the number of a process.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from core.command_line import manage

_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


def _root() -> Path:
    return Path(settings.DATA_DIR).absolute() / "imports"


class ImportFiles:
    """What is kept of one import."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.path = _root() / token
        self.upload = self.path / "upload.csv"
        self.refused = self.path / "refused.csv"
        self.reasons = self.path / "reasons.csv"
        self.report = self.path / "report.sqlite3"
        self._facts = self.path / "job.json"
        self._wish = self.path / "cancel"
        self._running = self.path / "running"

    # --- what is known of it ---

    def read(self) -> dict[str, Any] | None:
        """What was written last; None before, and when it is gone."""
        try:
            facts: dict[str, Any] = json.loads(self._facts.read_bytes())
        except (OSError, ValueError):
            return None
        return facts

    def write(self, facts: Mapping[str, Any]) -> None:
        """Replace it as a whole."""
        descriptor, name = tempfile.mkstemp(dir=self.path)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(facts, stream)
        Path(name).replace(self._facts)

    def age_s(self) -> float:
        """Since the directory was made or got a file."""
        with suppress(OSError):
            return time.time() - self.path.stat().st_mtime
        return 0.0

    # --- files ---

    def keep(self, chunks: Iterable[bytes]) -> None:
        """Store what was uploaded."""
        with self.create(self.upload) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as stream:
            for chunk in chunks:
                stream.write(chunk)

    @contextmanager
    def create(self, path: Path) -> Iterator[int]:
        """Make, or empty, a file that nobody else may open."""
        descriptor = os.open(path, _NEW | os.O_TRUNC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def renew_report(self) -> None:
        """Begin with an empty one."""
        with self.create(self.report):
            pass

    def forget_upload(self) -> None:
        """Let go of everything in which passwords may stand."""
        for path in (self.upload, self.refused):
            path.unlink(missing_ok=True)

    def forget_plan(self) -> None:
        """Let go of what was planned, and of hashes that stand there."""
        for path in (self.report, self.reasons, self.refused):
            path.unlink(missing_ok=True)

    def delete(self) -> None:
        """All of it."""
        shutil.rmtree(self.path, ignore_errors=True)

    # --- somebody's wish to end it ---

    def wish_to_cancel(self) -> None:
        """Tell the process."""
        with self.create(self._wish):
            pass

    def forget_wish(self) -> None:
        """Before it runs again."""
        self._wish.unlink(missing_ok=True)

    def is_wished_to_cancel(self) -> bool:
        """The process asks."""
        return self._wish.exists()

    # --- its process ---

    @contextmanager
    def held(self) -> Iterator[int]:
        """The lock of its process, for one that is about to be started."""
        lock = os.open(self._running, _LOCK, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock
        finally:
            os.close(lock)

    def launch(self, lock: int) -> None:
        """Run ``manage.py run_import``, which holds *lock* from now on and survives this process; raises OSError."""
        with self.create(self.path / "log") as log:
            process = subprocess.Popen(  # noqa: S603  our own command, and a name of digits
                [*manage(), "run_import", self.token],
                # Copies that it makes lie on the same disk, not where memory may stand for one.
                env={**os.environ, "TMPDIR": str(self.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                umask=0o077,
            )
        # Somebody has to take note of its end.
        threading.Thread(target=process.wait, daemon=True).start()

    def is_running(self) -> bool:
        """Whether its process lives."""
        try:
            lock = os.open(self._running, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False


def make() -> ImportFiles:
    """A new directory, with a name that nobody guesses."""
    _root().mkdir(mode=0o700, parents=True, exist_ok=True)
    files = ImportFiles(secrets.token_hex(16))
    files.path.mkdir(mode=0o700)
    return files


def find(token: str) -> ImportFiles | None:
    """The directory of that name."""
    if not _TOKEN.fullmatch(token):
        return None
    files = ImportFiles(token)
    return files if files.path.is_dir() else None


def every() -> list[ImportFiles]:
    """All of them."""
    try:
        names = [path.name for path in _root().iterdir()]
    except FileNotFoundError:
        return []
    return [ImportFiles(name) for name in names if _TOKEN.fullmatch(name)]


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else decides meanwhile which imports may begin or go."""
    _root().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(_root() / "lock", _LOCK, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
