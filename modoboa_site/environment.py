"""Typed readers of environment variables: the only place that looks at ``os.environ``."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
# An address in brackets with or without a port, or an IPv4 address with one; what else there is has none.
_ENDPOINT = re.compile(r"(?:\[(?P<v6>[^\]]+)\](?::(?P<p6>\d+))?|(?P<v4>[^:]+):(?P<p4>\d+))")
# A line NAME=value, as the shell and systemd read it.
_ASSIGNMENT = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)


def read_file(path: Path) -> None:
    """Add the variables of a file; what is in the environment already stays. No file: nothing to add.

    A file that this user may not read is skipped when somebody gave the settings in the environment (the owner of mail,
    for instance); else :class:`ImproperlyConfigured`, as for a line that is none.
    """
    try:
        lines = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except PermissionError as error:
        if "MODOBOA_SECRET_KEY" in os.environ:
            return
        msg = f"{path} cannot be read by this user: run this as the user of the panel."
        raise ImproperlyConfigured(msg) from error
    for name, value in _assignments(path, lines):
        os.environ.setdefault(name, value)


def _assignments(path: Path, lines: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            parts = shlex.split(line, comments=True)
        except ValueError:  # a quote that is not closed
            parts = ["", ""]
        found = _ASSIGNMENT.fullmatch(parts[-1]) if len(parts) == 1 else None
        if found:
            yield found["name"], found["value"]
        elif parts:
            msg = f"{path}, line {number}: write NAME=value, with single quotes around what is no plain word."
            raise ImproperlyConfigured(msg)


def text(name: str, default: str | None = None) -> str:
    """Value of *name*; :class:`ImproperlyConfigured` when it is missing and has no default."""
    value = os.environ.get(name, default)
    if value is None:
        msg = f"The environment variable {name} must be set."
        raise ImproperlyConfigured(msg)
    return value


def boolean(name: str, *, default: bool) -> bool:
    """Yes or no; a misspelt word is an error, never a silent "no"."""
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    msg = f"{name}={value!r} is neither yes nor no."
    raise ImproperlyConfigured(msg)


def integer(name: str, *, default: int) -> int:
    """Whole number."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        msg = f"{name}={value!r} is not a whole number."
        raise ImproperlyConfigured(msg) from None


def words(name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    """Values separated by commas or spaces."""
    value = os.environ.get(name)
    if value is None:
        return list(default)
    return value.replace(",", " ").split()


def add_words(name: str, more: Iterable[str]) -> None:
    """Put further words behind those of a variable."""
    os.environ[name] = " ".join(dict.fromkeys([*words(name), *more]))


def choice(name: str, words: tuple[str, ...], *, default: str) -> str:
    """One of *words*; anything else is an error."""
    value = os.environ.get(name, default).strip().lower()
    if value not in words:
        msg = f"{name}={value!r} is none of: {', '.join(words)}."
        raise ImproperlyConfigured(msg)
    return value


def endpoints(name: str, *, default_port: int) -> list[tuple[str, int]]:
    """IP addresses with or without a port: ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1``, ``[2001:db8::1]:53``."""
    return [_endpoint(name, word, default_port) for word in words(name)]


def _endpoint(name: str, word: str, default_port: int) -> tuple[str, int]:
    parts = _ENDPOINT.fullmatch(word)
    address = (parts["v6"] or parts["v4"]) if parts else word
    port = int((parts and (parts["p6"] or parts["p4"])) or default_port)
    try:
        canonical = str(ip_address(address))
    except ValueError:
        canonical = ""
    if not canonical or not 0 < port < 2**16:
        msg = f"{name}: {word!r} is neither an IP address nor one with a port."
        raise ImproperlyConfigured(msg)
    return canonical, port
