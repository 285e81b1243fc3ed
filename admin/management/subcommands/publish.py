"""Compare or repair the tables that mail servers read."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import ngettext

from admin import publication
from admin.operations import rebuild_published
from core.commands import ActingCommand


class Command(ActingCommand):
    """``modo publish --check | --rebuild``; silent when there is nothing to say."""

    help = "Compare the published mail tables with what people manage, or repair them."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        super().add_arguments(parser)
        choice = parser.add_mutually_exclusive_group(required=True)
        choice.add_argument(
            "--check", action="store_true", help="name wrong rows; exit code 1 when there are any"
        )
        choice.add_argument("--rebuild", action="store_true", help="repair every wrong row")

    def handle(self, **options: Any) -> None:
        """Check or rebuild."""
        if options["rebuild"]:
            touched = rebuild_published(self.actor(options))
            if touched:
                self.stdout.write(
                    ngettext("%(n)d row repaired.", "%(n)d rows repaired.", touched) % {"n": touched}
                )
            return
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
