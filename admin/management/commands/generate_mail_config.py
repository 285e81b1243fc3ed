"""Write complete configurations of Postfix and Dovecot."""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import CommandError, CommandParser

from admin.exports import dovecot_conf, last_login, mail_config
from admin.exports.credentials import ExportError
from admin.management.commands.generate_postfix_maps import header, refuse_edited, wanted_credentials
from core.commands import PanelCommand


class Command(PanelCommand):
    """``generate_mail_config --destdir DIR [--dburl URL] [--hostname NAME] …``."""

    help = "Write complete configurations of Postfix, Dovecot 2.3 and Dovecot 2.4, to be copied."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, which database, and what differs between hosts."""
        site = mail_config.Site(host_name="mx.example.org", mail_owner="vmail")
        parser.add_argument("--destdir", default=".", help="directory of the files (default: here)")
        parser.add_argument("--dburl", help="database that they ask (default: the panel's own settings)")
        for part, what in (
            ("postfix", "of Postfix, which only reads"),
            ("quota", "of Dovecot's dictionaries, which writes quotas"),
            ("last-login", "of the post-login script"),
        ):
            parser.add_argument(
                f"--{part}-dburl", help=f"the same database, with the login {what} (default: --dburl)"
            )
        parser.add_argument("--hostname", help="name of the mail server (default: this host's)")
        parser.add_argument(
            "--mail-root", default="/srv/vmail", help="directory of all mail (default: /srv/vmail)"
        )
        parser.add_argument(
            "--mail-owner", default="vmail", help="system user who owns the mail, or uid:gid (default: vmail)"
        )
        for option, default, of_what in (
            ("--tls-certificate", site.certificate, "certificate, with its chain"),
            ("--tls-key", site.key, "private key of the certificate"),
        ):
            parser.add_argument(option, default=default, help=f"file of the {of_what} (default: {default})")
        parser.add_argument(
            "--dovecot-directory",
            default=site.dovecot_directory,
            help=f"where Dovecot's files will be copied to (default: {site.dovecot_directory})",
        )
        parser.add_argument(
            "--queue-directory",
            default=site.queue_directory,
            help=f"Postfix's queue, where both meet (default: {site.queue_directory})",
        )
        parser.add_argument(
            "--last-login",
            choices=[str(way) for way in last_login.Way],
            default=str(site.last_login),
            help=f"how last logins are noted (default: {site.last_login})",
        )
        parser.add_argument(
            "--postfix-version",
            choices=mail_config.POSTFIX_VERSIONS,
            default=site.postfix_version,
            help=f"oldest Postfix that must read the files (default: {site.postfix_version})",
        )
        parser.add_argument(
            "--force-overwrite", action="store_true", help="write everything anew, edited files too"
        )

    def handle(self, **options: Any) -> None:
        """Write; edited files are named on stderr and make the exit code 1."""
        try:
            edited = mail_config.generate(
                options["destdir"],
                mail_config.Logins(
                    postfix=wanted_credentials(options["postfix_dburl"] or options["dburl"]),
                    users=wanted_credentials(options["dburl"]),
                    quota=wanted_credentials(options["quota_dburl"] or options["dburl"]),
                    last_login=wanted_credentials(options["last_login_dburl"] or options["dburl"]),
                ),
                dovecot_conf.mailboxes_of(options["mail_root"], options["mail_owner"]),
                mail_config.Site(
                    host_name=options["hostname"] or socket.getfqdn(),
                    mail_owner=options["mail_owner"],
                    certificate=options["tls_certificate"],
                    key=options["tls_key"],
                    dovecot_directory=options["dovecot_directory"],
                    queue_directory=options["queue_directory"],
                    last_login=last_login.Way(options["last_login"]),
                    postfix_version=options["postfix_version"],
                ),
                header=header("generate_mail_config"),
                force=options["force_overwrite"],
            )
        except ExportError as error:
            raise CommandError(str(error)) from error
        refuse_edited(edited)
