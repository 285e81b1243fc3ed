"""Compare the counters of limits with what is there."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from core.commands import PanelCommand
from limits.operations import recount


class Command(PanelCommand):
    """``recount [--fix]``: one line for each counter that is wrong; exit code 1 when some are and stay so."""

    help = "Compare the counters of limits with what administrators own; meant for every night."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to mend."""
        parser.add_argument("--fix", action="store_true", help="write down what was counted")

    def handle(self, **options: Any) -> None:
        """Report, and mend if asked to."""
        found = recount(fix=options["fix"])
        for drift in found:
            self.stdout.write(str(drift))
        if found and not options["fix"]:
            raise CommandError(_("The counters are wrong. Run it again with --fix."))
