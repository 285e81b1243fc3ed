"""Postfix's master.cf: which of its services run the SMTP client, and so can hand mail to another host."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

MAX_OCTETS = 1_000_000
_FIELDS = 8  # service, type, private, unprivileged, chroot, wake-up, limit, command; arguments follow
_TYPES = frozenset({"inet", "unix", "fifo", "pass", "unix-dgram"})


class Unreadable(Exception):  # noqa: N818  says what the file is
    """There is nothing at the path that can be read as a master.cf; *detail* is the system's own word, if any."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


def smtp_clients(path: str) -> list[str]:
    """Names of the services whose command is ``smtp``, in their order. Raises :class:`Unreadable`."""
    entries = [fields for fields in map(str.split, _logical_lines(_read(path))) if _is_entry(fields)]
    if not entries:
        raise Unreadable
    # A transport reaches no other kind of socket.
    names = (fields[0] for fields in entries if fields[1] == "unix" and fields[7] == "smtp")
    return list(dict.fromkeys(names))


def _is_entry(fields: list[str]) -> bool:
    return len(fields) >= _FIELDS and fields[1] in _TYPES


def _read(path: str) -> str:
    try:
        octets = _octets(path)
    except OSError as error:
        raise Unreadable(error.strerror or "") from error
    except ValueError as error:  # a NUL in the path
        raise Unreadable from error
    if len(octets) > MAX_OCTETS or b"\0" in octets:
        raise Unreadable
    return octets.decode(errors="replace")  # a comment may be in any encoding


def _octets(path: str) -> bytes:
    """One more than MAX_OCTETS at most, of a regular file alone: a named pipe would keep us waiting."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_OCTETS + 1)
    finally:
        os.close(descriptor)


def _logical_lines(text: str) -> Iterator[str]:
    """As master(5) says: a line that begins with a blank goes on with the one before it, comments in between or not."""
    logical = ""
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            logical += line
        else:
            yield logical
            logical = line
    yield logical
