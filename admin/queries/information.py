"""Versions of what the panel consists of and talks to."""

from __future__ import annotations

import platform
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import django
from django.db import connection

from admin.gateways import doveadm
from admin.queries.directories import last_run
from core.version import VERSION
from parameters.tools import get_global_parameter

# A page waits no longer for a Dovecot that hangs.
_LIMIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """Something that runs; *version* is blank where it was not found."""

    name: str
    version: str


@dataclass(frozen=True)
class InformationPage:
    """Context of the page. *ran_at* is None while the command has never run."""

    programs: list[Program]
    ran_at: datetime | None
    handles_directories: bool


def information_page() -> InformationPage:
    """What runs here now."""
    return InformationPage(
        programs=[
            Program("Modoboa", VERSION),
            Program("Python", platform.python_version()),
            Program("Django", django.get_version()),
            _database(),
            Program("Dovecot", doveadm.version(limit_s=_LIMIT_S) or ""),
        ],
        ran_at=last_run(),
        handles_directories=bool(get_global_parameter("handle_mailboxes", "admin")),
    )


def _database() -> Program:
    if connection.vendor == "sqlite":
        return Program("SQLite", sqlite3.sqlite_version)
    query = "SHOW server_version" if connection.vendor == "postgresql" else "SELECT VERSION()"
    with connection.cursor() as cursor:
        cursor.execute(query)
        version = str(cursor.fetchone()[0])
    if connection.vendor == "postgresql":
        return Program("PostgreSQL", version)
    return Program("MariaDB" if "MariaDB" in version else "MySQL", version)
