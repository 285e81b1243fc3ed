"""Addresses and headers of messages, as plugins take them apart and put them together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import formataddr, formatdate, getaddresses, make_msgid


def split_mailbox(
    mailbox: str,
    return_extension: bool = False,  # noqa: FBT001, FBT002  documented
) -> tuple[str, str | None] | tuple[str, str | None, str | None]:
    """Local part and domain (None without one); with *return_extension* also what stands behind a ``+``."""
    local, at, domain = mailbox.rpartition("@")
    if not at:
        local, domain = mailbox, ""
    if not return_extension:
        return local, domain or None
    name, extension = split_local_part(local)
    return name, domain or None, extension


def split_local_part(local_part: str, delimiter: str = "+") -> tuple[str, str | None]:
    """What stands before the delimiter, and the extension behind it (None without one)."""
    name, found, extension = local_part.partition(delimiter) if delimiter else (local_part, "", "")
    if not (found and name):
        return local_part, None
    return name, extension or None


def prepare_addresses(addresses: str | Iterable[str], usage: str = "header") -> str | list[str]:
    """Addresses with their names as a header (one text), or for the *usage* ``envelope`` the bare ones (a list)."""
    given = [addresses] if isinstance(addresses, str) else list(addresses)
    pairs = [(name, address) for name, address in getaddresses(given) if address]
    if usage == "envelope":
        return [address for _name, address in pairs]
    return ", ".join(formataddr(pair) for pair in pairs)


def decode(header: str) -> str:
    """A header as people read it."""
    try:
        return str(make_header(decode_header(header)))
    except (HeaderParseError, LookupError, UnicodeError):
        return header


_LINE_ENDS = re.compile(r"[\r\n]+\s*")


def set_email_headers(message: Message, headers: Mapping[str, str]) -> None:
    """Set headers, ``Date`` and ``Message-ID`` where they are missing; no value begins a header of its own."""
    own = {"Date": formatdate(localtime=True), "Message-ID": make_msgid()}
    missing = {name: value for name, value in own.items() if name not in message and name not in headers}
    for name, value in {**headers, **missing}.items():
        del message[name]
        message[name] = _LINE_ENDS.sub(" ", value)
