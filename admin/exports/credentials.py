"""The database as Postfix and Dovecot address it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from admin.lookups import Engine

_ENGINES = {
    "django.db.backends.postgresql": Engine.POSTGRESQL,
    "django.db.backends.mysql": Engine.MYSQL,
    "django.db.backends.sqlite3": Engine.SQLITE,
}
_DEFAULT_PORTS = {Engine.POSTGRESQL: "5432", Engine.MYSQL: "3306"}


class ExportError(Exception):
    """The files cannot be written; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the database is and who asks. For SQLite only *name* counts: the absolute path of the file."""

    engine: Engine
    name: str
    user: str = ""
    password: str = ""
    host: str = ""
    port: str = ""

    @classmethod
    def from_url(cls, url: str) -> Credentials:
        """Credentials of a database URL; raises :class:`ExportError`."""
        try:
            return cls.from_settings(dj_database_url.parse(url))
        except (ValueError, KeyError, dj_database_url.UnknownSchemeError, ImproperlyConfigured) as error:
            message = _(
                "The database URL is not understood. Write it as postgres://user:password@host:5432/name."
            )
            raise ExportError(message) from error

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Credentials:
        """Credentials of an entry of ``DATABASES``; raises :class:`ExportError` for an engine that is not supported."""
        engine = _ENGINES.get(settings["ENGINE"])
        if engine is None:
            raise ExportError(_("Mail servers can read PostgreSQL, MySQL, MariaDB and SQLite only."))
        name = str(settings["NAME"])
        if not name:
            raise ExportError(_("The database URL names no database."))
        if engine is Engine.SQLITE:
            if ":memory:" in name:
                raise ExportError(
                    _("Mail servers cannot read a database in memory. Give the path of its file.")
                )
            return cls(engine, str(Path(name).absolute()))
        return cls(
            engine,
            name,
            user=settings.get("USER") or "",
            password=settings.get("PASSWORD") or "",
            host=settings.get("HOST") or "127.0.0.1",
            port=str(settings.get("PORT") or _DEFAULT_PORTS[engine]),
        )

    def refuse_characters(self, unsafe: str, place: str) -> None:
        """Raise :class:`ExportError` when a value holds what the grammar of *place* cannot express."""
        for value in (self.name, self.user, self.password, self.host, self.port):
            if value != value.strip():
                message = _("%(place)s cannot hold a blank at an end of the database credentials.")
                raise ExportError(message % {"place": place})
            wrong = next((c for c in value if c in unsafe or not c.isprintable()), None)
            if wrong is not None:
                message = _("%(place)s cannot hold %(character)s, which is in the database credentials.")
                raise ExportError(message % {"place": place, "character": repr(wrong)})
