"""The work of an import that was begun in a browser, and what is left to do after imports."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from admin.imports import jobs
from core.commands import PanelCommand


class Command(PanelCommand):
    help = "Plan or apply an import that was begun in a browser (the panel itself runs this), or delete what is old."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("token", nargs="?", help="name of its directory")
        what.add_argument(
            "--sweep",
            action="store_true",
            help="delete uploads of yesterday and reports of last week (for a timer)",
        )

    def handle(self, **options: Any) -> None:
        if options["sweep"]:
            jobs.sweep()
        else:
            jobs.run(options["token"])
