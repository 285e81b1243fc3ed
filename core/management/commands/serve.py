"""Try the panel: everything that is missing is made, then it is served on this machine only."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connection
from django.utils.translation import gettext as _

from core.checks import DEVELOPMENT_PASSWORD, development_password_works
from core.commands import PanelCommand


class Command(PanelCommand):
    """``serve [--port N]``: migrate, load initial data, run the development server on loopback."""

    help = "Serve the panel on http://localhost:8000 for a look (debug mode only)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The port."""
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, **options: Any) -> None:
        """Prepare and serve until Ctrl-C."""
        if not settings.DEBUG:
            raise CommandError(_("serve is for a look at the panel: set MODOBOA_DEBUG=1, or use gunicorn."))
        if connection.vendor == "sqlite":
            Path(connection.settings_dict["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("load_initial_data", stdout=StringIO())
        self.stdout.write(self._welcome(options["port"]))
        self.stdout.flush()  # a pipe keeps it until the server ends
        call_command("runserver", f"127.0.0.1:{options['port']}", use_reloader=False)

    def _welcome(self, port: int) -> str:
        lines = [_("The panel: http://localhost:%(port)d (this machine only)") % {"port": port}]
        if development_password_works():
            lines.append(
                _("Sign in as admin with the password %(password)s.") % {"password": DEVELOPMENT_PASSWORD}
            )
        return "\n".join(lines)
