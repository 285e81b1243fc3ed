"""Versions of what the panel consists of and talks to."""

from __future__ import annotations

import platform
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import django
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from admin.gateways import doveadm
from admin.queries.directories import last_run
from core import plugins
from core.extensions import exts_pool
from core.models import Log
from core.version import VERSION
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

_LATELY: Final = timedelta(days=1)
# A page waits no longer for a Dovecot that hangs.
_LIMIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """Something that runs; *version* is blank where it was not found."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class PluginState:
    """A plugin. *fault*: why it is disabled; *remark*: what is odd about it; *failed*: the last time that it failed."""

    name: str
    label: _StrOrPromise
    version: str
    description: _StrOrPromise
    fault: str
    remark: str
    failed: Log | None

    @property
    def has_failed_lately(self) -> bool:
        """Within a day."""
        return self.failed is not None and timezone.now() - self.failed.date_created < _LATELY


@dataclass(frozen=True)
class InformationPage:
    """Context of the page. *ran_at* is None while the command has never run."""

    programs: list[Program]
    ran_at: datetime | None
    handles_directories: bool
    plugins: list[PluginState]


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
        plugins=_plugins(),
    )


def _plugins() -> list[PluginState]:
    """What ``MODOBOA_APPS`` names, with what the event log says of it; no statement without plugins."""
    known = plugins.plugins()
    if not known:
        return []
    rows = Log.objects.filter(
        kind="plugin", verb=plugins.FAILED, object_name__in=[each.name for each in known]
    )
    newest = rows.order_by().values("object_name").annotate(newest=Max("pk")).values("newest")
    last = {row.object_name: row for row in Log.objects.filter(pk__in=newest)}
    states = []
    for plugin in known:
        extension = exts_pool.extension_of(plugin)
        states.append(
            PluginState(
                name=plugin.name,
                label=(extension and extension.label) or plugin.name,
                version=extension.version if extension else "",
                description=extension.description if extension else "",
                fault=plugin.fault,
                remark=plugin.remark,
                failed=last.get(plugin.name),
            )
        )
    return states


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
