"""strace: every call that a process makes, and faults at one of them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.packages import program

_LINE: Final = re.compile(r"(\w+)\(")
# The working directory says nothing: an absolute path follows, or it is a path of its own.
_PATH: Final = re.compile(r'(?:AT_FDCWD<[^>]*>, )?(?:"(/[^"]*)"|<(/[^>]*)>)')
_DESCRIPTOR: Final = re.compile(r"<(/[^>]*)>")
_SOCKET: Final = re.compile(r"<(?:socket|TCP|UNIX)\b")
# What waits, and what every process does with its memory, is no place for a fault.
_BORING: Final = {"poll", "ppoll", "mmap", "munmap", "lseek", "restart_syscall"}
_OPEN: Final = {"open", "openat", "openat2"}
_WRITES: Final = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC)")
# A question mark: not every architecture has it.
_CHANGING: Final = (
    *("?open", "openat", "?creat", "?rename", "?renameat", "renameat2", "?mkdir", "mkdirat", "?rmdir"),
    *("?unlink", "unlinkat", "?link", "linkat", "?symlink", "symlinkat", "?chmod", "fchmod", "fchmodat"),
    *("?chown", "?lchown", "fchown", "fchownat", "truncate", "ftruncate", "utimensat", "?mknod", "mknodat"),
    *("setxattr", "lsetxattr", "fsetxattr"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the system: the *number*-th of this name."""

    name: str
    number: int
    line: str
    # In the order of all calls.
    place: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at a call, such as "signal=SIGKILL" or "error=ENOSPC"."""

    call: Call
    what: str

    @property
    def option(self) -> str:
        """As strace wants it. Killed is who enters the call: it takes no effect."""
        return f"inject={self.call.name}:{self.what}:when={self.call.number}"


def everything(file: Path) -> list[str]:
    """Arguments of strace to write each call to *file*."""
    return ["-y", "-s", "64", "-e", "trace=%file,%desc,%network", "-o", str(file)]


def with_fault(fault: Fault, file: Path) -> list[str]:
    """Arguments of strace to bring the fault about, and to write what changes files to *file*."""
    names = ",".join(dict.fromkeys((*_CHANGING, fault.call.name)))
    return ["-y", "-s", "64", "-e", f"trace={names}", "-e", fault.option, "-o", str(file)]


def attached(pid: int, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """A strace that watches the process *pid* from now on."""
    tracer = subprocess.Popen(  # noqa: S603  ours
        [program("strace"), "-p", str(pid), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    answer = tracer.stderr.readline()
    if "attached" not in answer:
        tracer.kill()
        tracer.wait()
        message = f"strace cannot watch a process: {answer}"
        raise RuntimeError(message)
    return tracer


def calls(file: Path) -> list[Call]:
    """Every call in the order in which they were made."""
    numbers: Counter[str] = Counter()
    found: list[Call] = []
    for line in file.read_text(errors="replace").splitlines():
        if match := _LINE.match(line):
            numbers[match[1]] += 1
            found.append(Call(match[1], numbers[match[1]], line, len(found)))
    return found


def touching(found: Sequence[Call], directory: Path) -> list[Call]:
    """Those that have to do with what is below *directory*."""
    return [call for call in found if str(directory) in call.line and call.name not in _BORING]


def on_sockets(found: Sequence[Call]) -> list[Call]:
    """Those with which a database server is told something."""
    return [
        call
        for call in found
        if call.name in {"sendto", "sendmsg", "write"} and _SOCKET.search(call.line.partition(",")[0])
    ]


def strays(found: Sequence[Call], allowed: Sequence[Path]) -> list[str]:
    """Calls that change something elsewhere than below *allowed* (I5)."""
    names = {name.removeprefix("?") for name in _CHANGING}
    result = []
    for call in found:
        if call.name not in names or (call.name in _OPEN and not _WRITES.search(call.line)):
            continue
        arguments = call.line.rpartition(" = ")[0] or call.line
        paths = [one or other for one, other in _PATH.findall(arguments)]
        if (
            not paths
            or '"..' in arguments
            or any(not path.startswith(tuple(map(str, allowed))) for path in paths)
        ):
            result.append(f"I5 {call.line}")
    return result


def not_durable(found: Sequence[Call], root: Path) -> list[str]:
    """Renames below *root* whose parents were not written to the disk when the database was told something next.

    And files that got their name while they were not.
    """
    parents: dict[str, Call] = {}
    files: dict[str, Call] = {}
    result = []
    for call in found:
        arguments = call.line.rpartition(" = ")[0]
        names = _DESCRIPTOR.findall(arguments)
        is_below = any(name.startswith(str(root)) for name in names)
        if call.name in {"fsync", "fdatasync"}:
            for name in names:
                parents.pop(name, None)
                files.pop(name, None)
        elif call.name == "write" and is_below:
            files[names[0]] = call
        elif call.name in {"rename", "renameat", "renameat2"} and is_below:
            result += [f"not durable when it was moved: {each.line}" for each in files.values()]
            files.clear()
            if call.line.endswith(" = 0"):
                parents.update(dict.fromkeys(names, call))
        elif _tells_database(call) and parents:
            result += [f"not durable when the database was told: {each.line}" for each in parents.values()]
            parents.clear()
    return result


def _tells_database(call: Call) -> bool:
    return (call.name == "pwrite64" and "-wal>" in call.line) or bool(on_sockets([call]))
