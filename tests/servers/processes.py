"""Server processes and directories that never outlive the test run, not even a killed one.

Each process and directory is noted in a file with the process that owns it. A later run reads the
notes whose owner is gone and ends what is left. A process is known by pid *and* start time, so that
a reused pid is never touched.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

POLL_S = 0.02
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0


class ServerError(RuntimeError):
    """A private server did not start, stop or answer as it must."""


def private_directory(name: str) -> Path:
    """A directory of this user that all test processes share."""
    root = Path(tempfile.gettempdir()) / f"modoboa-test-servers-{os.geteuid()}"
    for directory in (root, root / name):
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.lstat().st_uid != os.geteuid() or directory.is_symlink():
            message = f"{directory} belongs to somebody else"
            raise ServerError(message)
    return root / name


def started_at(pid: int) -> int | None:
    """The start time of a running process in clock ticks since boot; None when it is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name, in parentheses, may hold blanks: fields are counted after the last ")".
    state, *fields = status.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[18])


@dataclass(frozen=True)
class Note:
    """One thing to end or remove: a process, or a directory."""

    owner: int
    owner_started_at: int | None
    pid: int = 0
    pid_started_at: int | None = None
    directory: str = ""
    path: Path = field(default_factory=lambda: private_directory("notes") / f"{uuid4().hex}.json")

    def write(self) -> None:
        values = {name: value for name, value in self.__dict__.items() if name != "path"}
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps(values))
        draft.rename(self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def is_orphan(self) -> bool:
        return started_at(self.owner) != self.owner_started_at


def note(*, pid: int = 0, directory: str = "") -> Note:
    owner = os.getpid()
    entry = Note(owner, started_at(owner), pid, started_at(pid) if pid else None, directory)
    entry.write()
    return entry


def orphans() -> Iterator[Note]:
    for path in private_directory("notes").glob("*.json"):
        try:
            entry = Note(**json.loads(path.read_text()), path=path)
        except FileNotFoundError:  # another run was faster
            continue
        if entry.is_orphan():
            yield entry


def end_leftovers() -> None:
    """End the servers and remove the directories of test runs that were killed."""
    leftovers = list(orphans())
    for entry in leftovers:
        if entry.pid:
            end(entry.pid, entry.pid_started_at)
    for entry in leftovers:
        if entry.directory:
            shutil.rmtree(entry.directory, ignore_errors=True)
        entry.remove()


def end(pid: int, pid_started_at: int | None, *, first: signal.Signals = signal.SIGTERM) -> bool:
    """Ask a process to stop, then kill it and its session; True when it stopped by itself."""

    def is_over() -> bool:
        return pid_started_at is None or started_at(pid) != pid_started_at

    for wish, limit_s in ((first, STOP_LIMIT_S), (signal.SIGKILL, STOP_LIMIT_S)):
        if is_over():
            return wish is first
        with contextlib.suppress(ProcessLookupError):
            if wish is signal.SIGKILL and os.getsid(pid) == pid:
                os.killpg(pid, wish)
            else:
                os.kill(pid, wish)
        if becomes_true(is_over, limit_s=limit_s):
            return wish is first
    return False


def becomes_true(condition: Callable[[], bool], *, limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


class Server:
    """A process in a session of its own, started from `command`, with its output in `log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        pid_file: Path | None = None,
    ) -> None:
        """Without waiting. `pid_file`: where the real server notes its pid when `command` is a wrapper."""
        self.name, self.log, self.stop_signal, self.pid_file = name, log, stop_signal, pid_file
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - fixed programs with arguments of the tests
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                cwd=log.parent,
                start_new_session=True,
            )
        self.notes = [note(pid=self.process.pid)]

    @property
    def pid(self) -> int:
        """Of the server itself rather than of its wrapper."""
        if self.pid_file is None or not self.pid_file.exists():
            return self.process.pid
        return int(self.pid_file.read_text())

    def wait_until(self, ready: Callable[[], bool], *, limit_s: float = START_LIMIT_S) -> None:
        """Raise ServerError with the end of the log when the server ends or takes too long."""
        over = becomes_true(lambda: self.process.poll() is not None or ready(), limit_s=limit_s)
        if self.process.poll() is not None or not over:
            code = self.process.poll()
            self.stop()
            what = "is not ready in time" if code is None else f"ended with code {code}"
            message = f"{self.name} {what}\n{tail(self.log)}"
            raise ServerError(message)
        if self.pid != self.process.pid:
            self.notes.append(note(pid=self.pid))

    def stop(self) -> None:
        server = self.pid
        end(server, started_at(server), first=self.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_LIMIT_S)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for entry in self.notes:
            entry.remove()


def tail(log: Path, *, lines: int = 40) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


@contextlib.contextmanager
def short_directory(prefix: str = "mt-") -> Iterator[Path]:
    """A directory that every user may enter, removed at the end.

    Short, because the path of a Unix socket ends at 107 bytes; open, because servers run as users of
    their own and pytest's tmp_path is closed to them.
    """
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    directory.chmod(0o755)
    entry = note(directory=str(directory))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        entry.remove()


def run(
    command: Sequence[str | bytes],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    expect: Sequence[int] = (0,),
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; raise ServerError unless its exit code is expected."""
    result = subprocess.run(  # noqa: S603 - fixed programs with arguments of the tests
        command, input=stdin, capture_output=True, env={**os.environ, **(env or {})}, timeout=120, check=False
    )
    if result.returncode not in expect:
        output = (result.stderr + result.stdout).decode(errors="replace")
        message = f"{command!r} ended with code {result.returncode}\n{output}"
        raise ServerError(message)
    return result
