"""Say under which name people reach the panel."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from core.addresses import AddressError, canonical_domain
from core.commands import PanelCommand

_VARIABLE: Final = "MODOBOA_SITE_HOST"
# They are made of the name, unless somebody set them.
_DERIVED: Final = ("MODOBOA_SITE_ORIGIN", "MODOBOA_ALLOWED_HOSTS")


class Command(PanelCommand):
    """``set_default_site HOST``: what links in mail begin with, and the name under which the panel answers."""

    help = "Write the host name of the panel into its panel.env. Restart the panel afterwards."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The name, and where it is kept."""
        parser.add_argument("host", help="host name, such as panel.example.org")
        parser.add_argument(
            "--file", type=Path, default=Path(settings.INSTANCE_DIR, "panel.env"), help="default: %(default)s"
        )

    def handle(self, **options: Any) -> None:
        """Replace the line, or add it."""
        host = options["host"].strip().lower()
        try:
            host = host if host == "localhost" else canonical_domain(host)
        except AddressError as error:
            raise CommandError(str(error)) from error
        file: Path = options["file"].resolve()
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
            is_new = replace(
                file, [*(each for each in lines if name_in(each) != _VARIABLE), f"{_VARIABLE}={host}"]
            )
        except OSError as error:
            message = _("%(file)s: %(reason)s. Set %(line)s where the panel gets its variables.")
            shown = {"file": file, "reason": error.strerror, "line": shlex.quote(f"{_VARIABLE}={host}")}
            raise CommandError(message % shown) from error
        for name in {name_in(each) for each in lines}.intersection(_DERIVED) if is_new else ():
            self.stderr.write(
                _("%(file)s sets %(name)s, too: look whether it still fits.") % {"file": file, "name": name}
            )


def name_in(line: str) -> str:
    """Name of the variable that a line sets; blank for another line."""
    found = re.match(r"\s*([A-Za-z_][A-Za-z0-9_]*)=", line)
    return found[1] if found else ""


def replace(file: Path, lines: list[str]) -> bool:
    """The whole file or nothing, with the mode and the owner that it has; False when it says so already."""
    text = "\n".join(lines) + "\n"
    if sorted(text.splitlines()) == sorted(file.read_text(encoding="utf-8").splitlines()):
        return False
    there = file.stat()
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(descriptor, there.st_mode & 0o7777)
            if (there.st_uid, there.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, there.st_uid, there.st_gid)
            stream.flush()
            os.fsync(descriptor)
        Path(draft).replace(file)
    finally:
        Path(draft).unlink(missing_ok=True)
    return True
