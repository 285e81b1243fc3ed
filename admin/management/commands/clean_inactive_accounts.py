"""Disable or delete accounts that nobody uses."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from admin.bulk_changes import BulkChange, Kind, Verb
from admin.operations.bulk import BulkPlan, change_identities
from admin.queries.inactive import inactive_accounts
from core.commands import ActingCommand


class Command(ActingCommand):
    """``clean_inactive_accounts [--delete] [--dry-run] [--silent] [--verbose]``; nothing to do: nothing is said."""

    help = (
        "Disable accounts that nobody has signed in to for the days of the parameter “Inactive after days”."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do, and how much to say."""
        super().add_arguments(parser)
        parser.add_argument(
            "--delete", action="store_true", help="delete them, with their mailboxes, instead"
        )
        parser.add_argument("--dry-run", action="store_true", help="list them and stop there")
        parser.add_argument("--silent", action="store_true", help="do not ask")
        parser.add_argument("--verbose", action="store_true", help="list them")

    def handle(self, **options: Any) -> None:
        """List, ask, act."""
        actor = self.actor(options)
        accounts = inactive_accounts(actor)
        if not accounts:
            return
        if options["verbose"] or options["dry_run"]:
            for account in accounts:
                self.stdout.write(f"{account.username} {account.last_login:%Y-%m-%d %H:%M}")
        if options["dry_run"]:
            return
        if not options["silent"] and not self._agreed(len(accounts), is_deletion=options["delete"]):
            raise CommandError(_("Nothing was done."))
        # Whoever signed in while the question was answered is none any more.
        still = {account.pk for account in inactive_accounts(actor)}
        change = BulkChange(verb=Verb.DELETE if options["delete"] else Verb.DISABLE)
        ids = tuple(account.pk for account in accounts if account.pk in still)
        report = change_identities(actor, BulkPlan(change=change, ids={Kind.ACCOUNT: ids}))
        for left in report.skipped:
            self.stderr.write(f"{left.name}: {left.reason}")
        if report.skipped:
            raise CommandError(_("Not all of them could be changed."))

    def _agreed(self, count: int, *, is_deletion: bool) -> bool:
        if is_deletion:
            question = ngettext("Delete %(n)d account?", "Delete %(n)d accounts?", count)
        else:
            question = ngettext("Disable %(n)d account?", "Disable %(n)d accounts?", count)
        try:
            return input(f"{question % {'n': count}} (y/n) ").strip().lower().startswith("y")
        except EOFError:
            return False
