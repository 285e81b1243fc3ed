"""Carry out on disk what was renamed, deleted and restored; for the cron of the owner of mail, every minute."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _

from admin.gateways.mail_root import MailRoot, RootUnavailable, initialize
from admin.operations import directories
from core.commands import PanelCommand
from parameters.tools import get_global_parameter

# EX_TEMPFAIL: nothing was touched, the next run may find what is missing.
TEMPORARY: Final = 75
_SUMMARY: Final = 2
_EVERYTHING: Final = 2


class Command(PanelCommand):
    """Exit code 0: all is well; 1: something failed, was put off or is refused; 75: nothing could be done."""

    help = "Rename, delete and restore mail directories as the panel ordered it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where the mail is."""
        parser.add_argument(
            "--mail-root",
            default=settings.MODOBOA_MAIL_ROOT,
            metavar="DIRECTORY",
            help="directory of all mail (default: MODOBOA_MAIL_ROOT, %(default)s)",
        )
        parser.add_argument(
            "--initialize",
            action="store_true",
            help="mark that directory as the mail root, once; nothing is done without the mark",
        )

    def handle(self, **options: Any) -> None:
        """Work off what is to be done. --verbosity 2 names every order."""
        root = options["mail_root"]
        try:
            if options["initialize"]:
                self._require_owner()
                self._initialize(root)
                return
            if not (get_global_parameter("handle_mailboxes", "admin") or directories.there_is_work()):
                directories.beat()
                return
            self._require_owner()
            self._work_off(root, options["verbosity"])
        except RootUnavailable as unavailable:
            message = _("The mail root cannot be used, nothing was done: %(reason)s")
            raise CommandError(message % {"reason": unavailable}, returncode=TEMPORARY) from unavailable
        except (OperationalError, InterfaceError) as error:
            reason = next(iter(str(error).strip().splitlines()), "?")
            message = _("The database does not answer: %(reason)s")
            raise CommandError(message % {"reason": reason}, returncode=TEMPORARY) from error

    def _require_owner(self) -> None:
        """Files of another owner would be unreadable for Dovecot, and root could touch everything."""
        owner = get_global_parameter("mailboxes_owner", "admin")
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            user = str(os.geteuid())
        if user != owner:
            message = _("This runs as %(user)s. Run it as the owner of the mailboxes, %(owner)s.")
            raise CommandError(message % {"user": user, "owner": owner})

    def _initialize(self, root: str) -> None:
        try:
            is_new = initialize(root)
        except OSError as error:
            message = _("%(root)s cannot be marked: %(reason)s")
            raise CommandError(message % {"root": root, "reason": error.strerror}) from error
        if not is_new:
            self.stdout.write(_("%(root)s is the mail root already.") % {"root": root})

    def _work_off(self, path: str, verbosity: int) -> None:
        with MailRoot(path) as root, _told_to_stop() as told:
            # not before the root was found: whoever sees no beat looks after it
            directories.beat()
            talk = directories.Talk(
                result=self.stdout.write if verbosity >= _EVERYTHING else lambda _line: None,
                trouble=self.stderr.write,
                should_stop=lambda: bool(told),
            )
            report = directories.work_off(root, talk)
        if verbosity >= _SUMMARY:
            message = _(
                "%(done)d done, %(failed)d failed, %(postponed)d put off, %(busy)d waiting; %(purged)d purged, "
                "%(not_purged)d not."
            )
            self.stdout.write(message % {name: getattr(report, name) for name in report.__slots__})
        if not report.is_clean:
            raise CommandError(_("Not everything could be done."))


@contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """Signals that ask to end; what is under way is finished first."""
    told: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: told.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
