"""Make a login of its own for every program that uses the database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dj_database_url
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.utils.translation import gettext as _

from admin.exports import database_grants
from admin.exports.credentials import Credentials, ExportError
from admin.exports.database_grants import Plan, Wish
from admin.lookups import Engine
from core.commands import PanelCommand

ADMINISTRATOR = "MODOBOA_ADMIN_DATABASE_URL"
_SCHEMES = {Engine.POSTGRESQL: "postgres", Engine.MYSQL: "mysql"}


class Command(PanelCommand):
    """``generate_database_grants [--apply]``: SQL that a database administrator runs, or runs it as one."""

    help = (
        "Print the SQL that gives Postfix, Dovecot, cron jobs and the panel a database login each, with the rights "
        "that it needs and no other; nothing when all is as it should be."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """As whom, for whom, and which passwords."""
        parser.add_argument("--apply", action="store_true", help="execute it as well")
        parser.add_argument(
            "--dburl",
            help=f"the panel's database as its administrator reaches it (default: {ADMINISTRATOR} in the "
            "environment, which no process list shows, else the panel's own settings)",
        )
        parser.add_argument(
            "--prefix", default="modoboa", help="beginning of every login name (default: modoboa)"
        )
        parser.add_argument(
            "--only",
            action="append",
            metavar="ROLE",
            choices=[role.name for role in database_grants.roles()],
            help="this role alone; may be repeated",
        )
        parser.add_argument(
            "--from-host",
            action="append",
            metavar="HOST",
            help="MariaDB and MySQL: where the programs run; may be repeated (default: localhost and 127.0.0.1)",
        )
        parser.add_argument(
            "--passwords-file",
            metavar="FILE",
            help="lines LOGIN=PASSWORD; the variables MODOBOA_DB_POSTFIX_PASSWORD, MODOBOA_DB_DOVECOT_AUTH_PASSWORD … "
            "work, too (default: random ones, shown once)",
        )
        parser.add_argument(
            "--rotate", action="store_true", help="new passwords for logins that are there already"
        )

    def handle(self, **options: Any) -> None:
        """Print on stdout; passwords that were made up go to stderr, or with --apply to stdout."""
        try:
            wish = self._wish(options)
            wish.check()
            with administrator(options["dburl"]) as server:
                made = database_grants.plan(server, wish)
                for remark in made.remarks:
                    self.stderr.write(remark)
                if options["apply"]:
                    self._apply(server, wish, made)
                else:
                    self._print(server, wish, made)
        except ExportError as error:
            raise CommandError(str(error)) from error

    def _wish(self, options: dict[str, Any]) -> Wish:
        roles = database_grants.roles()
        chosen = [role for role in roles if role.name in (options["only"] or [each.name for each in roles])]
        wish = Wish(options["prefix"], chosen, rotate=options["rotate"])
        if options["from_host"]:
            wish = replace(wish, hosts=options["from_host"])
        given = {}
        for role in chosen:
            if value := os.environ.get(f"MODOBOA_DB_{role.name.upper()}_PASSWORD"):
                given[wish.full_name(role)] = value
        return replace(wish, passwords=given | _read_passwords(options["passwords_file"]))

    def _print(self, server: BaseDatabaseWrapper, wish: Wish, made: Plan) -> None:
        for statement in made.statements:
            self.stdout.write(f"{statement};")
        for line in _addresses(server, wish, made):
            self.stderr.write(line)

    def _apply(self, server: BaseDatabaseWrapper, wish: Wish, made: Plan) -> None:
        done: list[str] = []

        def watched() -> Iterator[str]:
            for statement in made.statements:
                yield statement
                done.append(statement)

        try:
            database_grants.run(server, watched())
        except DatabaseError:
            if server.vendor == "mysql":  # what was made stays made, and somebody must know its password
                there = {name for name in made.passwords if any(f"'{name}'@" in each for each in done)}
                made.passwords = {name: made.passwords[name] for name in there}
                self._show(_addresses(server, wish, made))
            raise
        for statement in done:
            self.stdout.write(f"{statement};")
        self._show(_addresses(server, wish, made))
        if left := database_grants.plan(server, replace(wish, rotate=False)).statements:
            message = _("The server did not do everything. Left: %(statements)s")
            raise CommandError(message % {"statements": "; ".join(left)})

    def _show(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)


@contextmanager
def administrator(url: str | None) -> Iterator[BaseDatabaseWrapper]:
    """The panel's database as its administrator sees it; without a URL anywhere, as the panel does."""
    url = url or os.environ.get(ADMINISTRATOR)
    if not url:
        yield connection
        return
    wanted = Credentials.from_url(url)  # refuses what is no database that we know
    settings: dict[str, Any] = {**dj_database_url.parse(url)}
    if wanted.engine is Engine.MYSQL:
        settings["OPTIONS"] = settings.get("OPTIONS", {}) | {"charset": "utf8mb4"}
    server = ConnectionHandler({"default": settings})["default"]
    try:
        yield server
    finally:
        server.close()


def _read_passwords(file: str | None) -> dict[str, str]:
    """Raises :class:`CommandError`; the message never repeats a password."""
    if not file:
        return {}
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise CommandError(_("%(file)s cannot be read.") % {"file": file}) from error
    passwords = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, password = line.partition("=")
        if not separator:
            message = _("%(file)s, line %(n)d: write LOGIN=PASSWORD.")
            raise CommandError(message % {"file": file, "n": number})
        passwords[name.strip()] = password
    return passwords


def _addresses(server: BaseDatabaseWrapper, wish: Wish, made: Plan) -> list[str]:
    """URLs of the logins whose passwords were made up."""
    place = Credentials.from_settings(server.settings_dict)
    host = quote(place.host, safe=":") if ":" not in place.host else f"[{place.host}]"
    return [
        f"{_SCHEMES[place.engine]}://{name}:{quote(password, safe='')}@{host}:{place.port}/{quote(place.name, safe='')}"
        for name, password in made.passwords.items()
        if name not in wish.passwords
    ]
