"""Create what PostfixAdmin holds; docs/postfixadmin.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from admin.gateways.postfixadmin import SourceError, opened
from admin.imports.postfixadmin import MIB, Reader, Spool
from admin.imports.report import Report
from admin.imports.row_types import Options
from admin.imports.running import Import
from admin.imports.telling import Bar, carry_out
from core.commands import ActingCommand


class Command(ActingCommand):
    help = "Create the domains, mailboxes, aliases and administrators of a PostfixAdmin database, which is only read."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            *("-f", "--from"),
            dest="source",
            default="pfxadmin",
            help="URL of PostfixAdmin's database, or a connection of the settings (default: pfxadmin)",
        )
        parser.add_argument(
            *("-t", "--to"),
            dest="target",
            default="default",
            choices=["default"],
            help="this panel's own database",
        )
        parser.add_argument(
            *("-s", "--passwords-scheme"),
            default="crypt",
            help="scheme of hashes that do not name theirs (default: crypt, or what their form says)",
        )
        parser.add_argument(
            "--quota-multiplier",
            type=int,
            default=MIB,
            metavar="BYTES",
            help="bytes that PostfixAdmin's quota_multiplier calls a MB (default: 1048576, so that no quota shrinks)",
        )
        parser.add_argument(
            "--prefix", default="", help="what stands before the names of PostfixAdmin's tables"
        )
        parser.add_argument("--vacation", metavar="FILE", help="write the vacation texts there, as JSON")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would happen, and change nothing"
        )
        parser.add_argument(
            "--skip-errors", action="store_true", help="create what can be created, report the rest"
        )
        parser.add_argument("--continue-if-exists", action="store_true", help="skip what exists already")

    def handle(self, **options: Any) -> None:
        actor = self.actor(options)
        if options["quota_multiplier"] < 1:
            raise CommandError(_("--quota-multiplier is a number of bytes."))
        with Spool() as spool, Report() as report:
            try:
                with opened(options["source"], options["prefix"]) as source:
                    reader = Reader(
                        source,
                        spool,
                        scheme=options["passwords_scheme"],
                        multiplier=options["quota_multiplier"],
                    )
                    reader.read()
            except SourceError as error:
                raise CommandError(str(error)) from error
            for warning in reader.warnings:
                self.stderr.write(_("warning: ") + warning)
            if options["vacation"]:
                Path(options["vacation"]).write_text(
                    json.dumps(reader.vacations, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
                )
            elif reader.vacations:
                message = _("warning: %(number)d vacation texts were left out; --vacation FILE keeps them.")
                self.stderr.write(message % {"number": len(reader.vacations)})
            chosen = Options(continue_if_exists=options["continue_if_exists"])
            carry_out(self, options, Import(actor, spool, chosen, report, Bar()))
