"""Write the files that run the panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from admin.exports import deployment_files
from admin.exports.credentials import ExportError
from admin.management.commands.generate_postfix_maps import header, refuse_edited, wanted_credentials
from core.commands import PanelCommand


class Command(PanelCommand):
    """``generate_deployment_files --destdir DIR [--user NAME] …``."""

    help = "Write configurations of nginx, Apache, gunicorn and uWSGI, systemd units and a crontab, to be copied."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, and what differs between machines."""
        parser.add_argument("--destdir", default=".", help="directory of the files (default: here)")
        parser.add_argument(
            "--hostname", default=settings.SITE_HOST, help="name of the panel (default: %(default)s)"
        )
        for option, default, what in (
            ("--user", "modoboa", "system user who runs the panel"),
            ("--group", "modoboa", "his group"),
            ("--web-group", "www-data", "group of nginx"),
            ("--mail-owner", "vmail", "system user who owns the mail"),
            ("--mail-root", settings.MODOBOA_MAIL_ROOT, "directory of all mail"),
            ("--bind", "127.0.0.1:8001", "where gunicorn listens"),
            ("--mail-env-file", "/etc/modoboa/directories.env", "variables of the owner of mail"),
            ("--place", "/etc/modoboa", "where the files of the directory modoboa will be copied to"),
        ):
            parser.add_argument(option, default=default, help=f"{what} (default: {default})")
        parser.add_argument(
            "--env-file", default=_environment_file(), help="variables of the panel (default: %(default)s)"
        )
        for option, name, what in (
            ("--tls-certificate", "fullchain.pem", "certificate, with its chain"),
            ("--tls-key", "privkey.pem", "private key of the certificate"),
        ):
            parser.add_argument(option, help=f"file of the {what} (default: /etc/ssl/HOSTNAME/{name})")
        parser.add_argument(
            "--force-overwrite", action="store_true", help="write everything anew, edited files too"
        )

    def handle(self, **options: Any) -> None:
        """Write; edited files are named on stderr and make the exit code 1."""
        keys = Path("/etc/ssl", options["hostname"])
        try:
            edited = deployment_files.generate(
                options["destdir"],
                deployment_files.Site(
                    host_name=options["hostname"],
                    user=options["user"],
                    group=options["group"],
                    web_group=options["web_group"],
                    mail_owner=options["mail_owner"],
                    mail_root=options["mail_root"],
                    certificate=options["tls_certificate"] or str(keys / "fullchain.pem"),
                    key=options["tls_key"] or str(keys / "privkey.pem"),
                    bind=options["bind"],
                    environment_file=options["env_file"],
                    mail_environment_file=options["mail_env_file"],
                    place=options["place"],
                ),
                wanted_credentials(None),
                header=header("generate_deployment_files"),
                force=options["force_overwrite"],
            )
        except ExportError as error:
            raise CommandError(str(error)) from error
        refuse_edited(edited)


def _environment_file() -> str:
    """Of this instance; a source tree has its own elsewhere."""
    own = Path(settings.INSTANCE_DIR, "panel.env")
    return str(own) if own.exists() else "/etc/modoboa/panel.env"
