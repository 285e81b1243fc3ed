"""Configurations are texts with holes; what goes into a hole cannot break out of its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files as resources
from pathlib import Path

from django.utils.translation import gettext as _

from admin.exports.credentials import ExportError

_PLACEHOLDER = re.compile(r"@([a-z_]+)@")
_PATH = re.compile(r"/[A-Za-z0-9._/-]+", re.ASCII)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})+", re.ASCII | re.IGNORECASE)
_USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)


def filled_in(name: str, values: Mapping[str, str]) -> str:
    """One of the texts beside this module, with ``@name@`` replaced."""
    text = (resources("admin.exports") / "text" / name).read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def require_host_name(name: str) -> None:
    """Raise :class:`ExportError` unless it is a complete one."""
    if not _HOST_NAME.fullmatch(name):
        message = _("%(name)r is no complete host name, such as mx.example.org. Give it by --hostname.")
        raise ExportError(message % {"name": name})


def require_paths(*paths: str) -> None:
    """Raise :class:`ExportError` for one that a configuration cannot hold."""
    for path in paths:
        if not _PATH.fullmatch(path) or ".." in Path(path).parts:
            message = _(
                "%(path)r is no absolute path of letters, digits and . _ - such as these files can hold."
            )
            raise ExportError(message % {"path": path})


def required_user_name(name: str) -> str:
    """Raise :class:`ExportError` unless it can be one of a system user or group."""
    if not _USER_NAME.fullmatch(name):
        message = _("%(name)r is no name of a system user.")
        raise ExportError(message % {"name": name})
    return name
