"""What the panel asks Dovecot on this machine: its version, homes, and to let go of a user.

Programs are run with a list of arguments, never by a shell, and within a time limit.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from django.conf import settings

_LIMIT_S: Final = 5.0
_TEMPORARY: Final = 75  # EX_TEMPFAIL: the database of the users, for example, does not answer
_PLACES: Final = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin")
_AT_ONCE: Final = 200
_VERSION: Final = re.compile(r"\d+\.\d+(?:\.\d+)*\S*")


class DovecotUnavailable(Exception):  # noqa: N818  a state of the machine
    """Dovecot is not here, may not be asked, or did not answer in time."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")


class DovecotIsBusy(DovecotUnavailable):
    """It will answer later."""


def program(name: str) -> str | None:
    """Path of ``dovecot`` or ``doveadm``: in PATH, else where ``DOVECOT_LOOKUP_PATH`` says, else in the usual places.

    The setting lists paths of the binary ``dovecot``, or directories.
    """
    if found := shutil.which(name):
        return found
    for place in map(Path, (*settings.DOVECOT_LOOKUP_PATH, *_PLACES)):
        directory = place if place.is_dir() else place.parent
        if not place.exists():
            continue
        for each in (directory, directory.parent / "bin"):
            if found := shutil.which(name, path=str(each)):
                return found
    return None


def version(*, limit_s: float = _LIMIT_S) -> str | None:
    """Such as ``2.3.19.1``; None without a Dovecot, or one that does not answer within *limit_s*."""
    with suppress(DovecotUnavailable):
        if found := _VERSION.search(_run("dovecot", "--version", limit_s=limit_s)):
            return found[0]
    return None


def home(address: str) -> str:
    """Directory that Dovecot uses for *address*; raises :class:`DovecotUnavailable`.

    Ask about mailboxes that are at rest only: during a change Dovecot answers from whatever is committed.
    """
    return _run("doveadm", "user", "-f", "home", address).strip()


def let_go(addresses: Collection[str]) -> None:
    """Forget what is cached about *addresses*, and end their sessions; raises :class:`DovecotUnavailable`."""
    forget(addresses)
    connected = {line.split()[0] for line in _run("doveadm", "who", "-1").splitlines() if line.strip()}
    for address in sorted(connected.intersection(addresses)):
        try:
            _run("doveadm", "kick", address)
        except DovecotIsBusy:
            raise
        except DovecotUnavailable:  # gone by itself
            continue


def forget(addresses: Collection[str]) -> None:
    """Forget what is cached about *addresses*; raises :class:`DovecotUnavailable`."""
    listed = sorted(addresses)
    for start in range(0, len(listed), _AT_ONCE):
        _run("doveadm", "auth", "cache", "flush", *listed[start : start + _AT_ONCE])


def _run(name: str, *arguments: str, limit_s: float = _LIMIT_S) -> str:
    path = program(name)
    if path is None:
        raise DovecotUnavailable(name, "was not found")
    command: Sequence[str] = (path, *arguments)
    try:
        answer = subprocess.run(  # noqa: S603  a list of arguments, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise DovecotIsBusy(name, f"did not answer within {limit_s:g} s") from error
    except OSError as error:
        raise DovecotUnavailable(name, str(error.strerror)) from error
    if answer.returncode == _TEMPORARY:
        raise DovecotIsBusy(name, answer.stderr.strip())
    if answer.returncode:
        raise DovecotUnavailable(name, answer.stderr.strip() or f"ended with {answer.returncode}")
    return answer.stdout
