"""The work of an import that was begun in a browser. The panel starts it; nobody else needs it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from admin.imports import jobs
from core.commands import PanelCommand


class Command(PanelCommand):
    help = "Plan or apply an import that was begun in a browser (the panel itself runs this)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", help="name of its directory")

    def handle(self, **options: Any) -> None:
        jobs.run(options["token"])
