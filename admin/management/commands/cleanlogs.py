"""Delete old events from the log; for cron, every night."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.commands import ActingCommand
from core.operations.cleaning import delete_old_events
from parameters.tools import get_global_parameter


class Command(ActingCommand):
    """``cleanlogs [--verbose] [--debug]``; prints nothing unless it is asked to."""

    help = "Delete events that are older than the parameter “Days in the log” says."

    def add_arguments(self, parser: CommandParser) -> None:
        """How much to say."""
        super().add_arguments(parser)
        parser.add_argument("--verbose", action="store_true", help="say what is done")
        parser.add_argument(
            "--debug", action="store_true", help="show every statement that the database is sent"
        )

    def handle(self, **options: Any) -> None:
        """Delete them."""
        days = int(get_global_parameter("log_maximum_age", "core"))
        if options["verbose"]:
            message = ngettext(
                "Deleting events older than %(n)d day…", "Deleting events older than %(n)d days…", days
            )
            self.stdout.write(message % {"n": days})
        if options["debug"]:
            with connection.execute_wrapper(self._show):
                deleted = delete_old_events(self.actor(options), days=days)
        else:
            deleted = delete_old_events(self.actor(options), days=days)
        if options["verbose"]:
            self.stdout.write(_("Done: %(n)d.") % {"n": deleted})

    def _show(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001  Django's shape
        self.stdout.write(sql)
        return execute(sql, params, many, context)
