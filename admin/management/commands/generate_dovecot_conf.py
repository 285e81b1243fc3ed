"""Write Dovecot's SQL configuration."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from admin.exports import dovecot_conf
from admin.exports.credentials import ExportError
from admin.management.commands.generate_postfix_maps import header, refuse_edited, wanted_credentials
from core.commands import PanelCommand


class Command(PanelCommand):
    """``generate_dovecot_conf --destdir DIR [--dburl URL] [--mail-root DIR] [--mail-owner USER]``."""

    help = "Write Dovecot's SQL configuration, for 2.3 and for 2.4."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, which database, and where mail is kept."""
        parser.add_argument("--destdir", default=".", help="directory of the files (default: here)")
        parser.add_argument("--dburl", help="database that Dovecot asks (default: the panel's own settings)")
        parser.add_argument(
            "--quota-dburl", help="the same database, with the login that writes quotas (default: --dburl)"
        )
        parser.add_argument(
            "--mail-root", default="/srv/vmail", help="directory of all mail (default: /srv/vmail)"
        )
        parser.add_argument(
            "--mail-owner", default="vmail", help="system user who owns the mail, or uid:gid (default: vmail)"
        )
        parser.add_argument(
            "--force-overwrite", action="store_true", help="write everything anew, edited files too"
        )

    def handle(self, **options: Any) -> None:
        """Write; edited files are named on stderr and make the exit code 1."""
        try:
            _written, edited = dovecot_conf.generate(
                options["destdir"],
                wanted_credentials(options["dburl"]),
                dovecot_conf.mailboxes_of(options["mail_root"], options["mail_owner"]),
                header=header("generate_dovecot_conf"),
                quota=wanted_credentials(options["quota_dburl"]) if options["quota_dburl"] else None,
                force=options["force_overwrite"],
            )
        except ExportError as error:
            raise CommandError(str(error)) from error
        refuse_edited(edited)
