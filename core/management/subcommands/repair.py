"""Find and mend known problems of the data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from core import plugins
from core.actor import Actor
from core.commands import ActingCommand
from core.hooks import module_of
from core.repair import Problem, known_problems


class Command(ActingCommand):
    """``modo repair [--dry-run] [--quiet]``: the title of each known problem, then what was, or would be, repaired."""

    help = "Find and mend known problems of the data."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to mend, and how much to say."""
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be repaired")
        parser.add_argument("--quiet", action="store_true", help="say nothing")

    def handle(self, **options: Any) -> None:
        """Look for each problem. What a plugin fails at is undone, told, and left for the next time."""
        actor, failed = self.actor(options), []
        for problem in known_problems():
            self._say(str(problem.title), options)
            if plugins.is_ours(problem.mend) and not options["dry_run"]:
                self._mend(problem, actor, options)
                continue
            try:
                with transaction.atomic():
                    self._mend(problem, actor, options)
                    if options["dry_run"]:  # what is written all the same is undone
                        transaction.set_rollback(True)
            except Exception as error:
                if plugins.is_ours(problem.mend):
                    raise
                plugins.report(module_of(problem.mend), "known_problems", error)
                failed.append(f"{problem.title}: {plugins.last_line(error)}")
        if failed:
            raise CommandError("\n".join(failed))

    def _mend(self, problem: Problem, actor: Actor, options: dict[str, Any]) -> None:
        for line in problem.mend(actor, options["dry_run"]):
            self._say(f"  {line}", options)

    def _say(self, text: str, options: dict[str, Any]) -> None:
        if not options["quiet"]:
            self.stdout.write(text)
