"""Create an alias."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from admin.operations import create_alias
from core.commands import ActingCommand


class Command(ActingCommand):
    """``create_alias ADDRESS RECIPIENT…``; ``@domain`` is a catch-all, a mailbox's own address makes a forward."""

    help = "Create an alias, a forward or a catch-all."

    def add_arguments(self, parser: CommandParser) -> None:
        """The fields of an alias."""
        super().add_arguments(parser)
        parser.add_argument("address")
        parser.add_argument("recipients", nargs="+", metavar="recipient")
        parser.add_argument("--description", default="")
        parser.add_argument(
            "--expires", help="instant, for example 2030-01-31T18:00 (time zone of the panel)"
        )
        parser.add_argument("--disabled", action="store_true")

    def handle(self, **options: Any) -> None:
        """Create it."""
        create_alias(
            self.actor(options),
            address=options["address"],
            recipients=tuple(options["recipients"]),
            enabled=not options["disabled"],
            description=options["description"],
            expire_at=_instant(options["expires"]),
        )


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = parse_datetime(text)
    except ValueError:
        instant = None
    if instant is None:
        raise CommandError(_("expires: write an instant as 2030-01-31T18:00."))
    return instant if timezone.is_aware(instant) else timezone.make_aware(instant)
