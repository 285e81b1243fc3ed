"""Dovecot's userdb through the socket that its own programs use: thousands of questions in one connection.

`doveadm user` speaks the same protocol, one process for one answer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .processes import ServerError

# A lookup that failed, because of the database or because the user is told to come again.
TEMPORARY = {"tempfail": "y"}
# Dovecot reads on only when its answers are taken: not more than this at once.
BATCH = 50
# Tabs and line ends are written as \1 and a letter (str_tabescape in Dovecot).
ESCAPES = {b"\x01": b"\x011", b"\t": b"\x01t", b"\r": b"\x01r", b"\n": b"\x01n"}


def users(
    auth_socket: Path, keys: Sequence[bytes], *, service: str = "doveadm"
) -> list[dict[str, str] | None]:
    """The fields for every key, None for nobody, TEMPORARY for "not now". No NUL bytes in keys.

    The name of the user is the field "user" when it is another than the one that was asked for, in any spelling.
    """
    answers: list[dict[str, str] | None] = []
    with conversation(auth_socket) as (connection, lines):
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            questions = (
                b"USER\t%d\t%s\tservice=%s\n" % (start + offset, escaped(key), service.encode())
                for offset, key in enumerate(some)
            )
            connection.sendall(b"".join(questions))
            found = dict(answer(next(lines)) for _ in some)
            answers += [found[start + offset] for offset in range(len(some))]
    return answers


@contextmanager
def conversation(auth_socket: Path) -> Iterator[tuple[socket.socket, Iterator[bytes]]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(auth_socket))
        connection.sendall(b"VERSION\t1\t1\n")
        with connection.makefile("rb") as incoming:
            yield connection, (line for line in incoming if not greeting(line))


def greeting(line: bytes) -> bool:
    return line.startswith((b"VERSION\t", b"SPID\t"))


def escaped(key: bytes) -> bytes:
    return b"".join(ESCAPES.get(byte, byte) for byte in (key[i : i + 1] for i in range(len(key))))


def answer(line: bytes) -> tuple[int, dict[str, str] | None]:
    """`USER id name field=value…`, `NOTFOUND id` or `FAIL id`; anything else is an error."""
    kind, number, *rest = line.decode(errors="replace").rstrip("\n").split("\t")
    if kind == "NOTFOUND":
        return int(number), None
    if kind == "FAIL":
        return int(number), TEMPORARY
    if kind != "USER":
        message = f"Dovecot's userdb said {line!r}"
        raise ServerError(message)
    return int(number), {"user": rest[0], **dict(pairs(rest[1:]))}


def pairs(fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    for field in fields:
        name, _equals, value = field.partition("=")
        yield name, value
