"""Compare, repair or copy the tables that mail servers read."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from admin import publication
from admin.exports import published_copy
from admin.exports.credentials import ExportError
from admin.operations import publish_due, rebuild_published
from core.commands import ActingCommand


class Command(ActingCommand):
    """``modo publish --check | --due | --rebuild | --to FILE``; silent when there is nothing to say."""

    help = "Compare the published mail tables with what people manage, repair or copy them."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        super().add_arguments(parser)
        choice = parser.add_mutually_exclusive_group(required=True)
        choice.add_argument(
            "--check", action="store_true", help="name wrong rows; exit code 1 when there are any"
        )
        choice.add_argument(
            "--due", action="store_true", help="publish what has expired; run it every minute"
        )
        choice.add_argument("--rebuild", action="store_true", help="repair every wrong row")
        choice.add_argument("--to", metavar="FILE", help="copy the tables of one server to an SQLite file")
        parser.add_argument(
            "--for",
            dest="server",
            choices=sorted(published_copy.TABLES),
            help="server that reads the file (default: postfix)",
        )

    def handle(self, **options: Any) -> None:
        """Check, rebuild or copy."""
        if options["server"] and not options["to"]:
            raise CommandError(_("--for says who reads the file of --to: give both."))
        if options["due"]:
            publish_due(self.actor(options))
            return
        if options["to"]:
            try:
                published_copy.write_copy(options["to"], options["server"] or "postfix")
            except ExportError as error:
                raise CommandError(str(error)) from error
            return
        if options["rebuild"]:
            touched = rebuild_published(self.actor(options))
            if touched:
                self.stdout.write(
                    ngettext("%(n)d row repaired.", "%(n)d rows repaired.", touched) % {"n": touched}
                )
            return
        self._compare()

    def _compare(self) -> None:
        wrong = 0
        for difference in publication.drift():
            table = difference.model._meta.db_table
            for sign, rows in (("-", difference.surplus), ("+", difference.missing)):
                for row in rows:
                    self.stdout.write(f"{sign} {table} {row}")
            wrong += difference.size
        if wrong:
            message = ngettext(
                "%(n)d row is wrong; run modo publish --rebuild.",
                "%(n)d rows are wrong; run modo publish --rebuild.",
                wrong,
            )
            raise CommandError(message % {"n": wrong})
