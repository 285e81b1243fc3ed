"""What the panel's management commands share: who acts, and one clear line instead of a traceback."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, OperationalError
from django.utils.translation import gettext as _

from core.actor import Actor, Credential
from core.models import User
from core.refusals import WHOLE_OBJECT, Reason, Refusal

# MariaDB and MySQL: this login may not do it, to a database, a table, a column, or at all.
_DENIED = frozenset({1044, 1142, 1143, 1227})


class PanelCommand(BaseCommand):
    """A command whose refusals and lost connections are one line each on stderr, exit code 1."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it; raises :class:`CommandError` for everything that a person can mend."""
        try:
            return super().execute(*args, **options)
        except Refusal as refusal:
            raise CommandError("\n".join(line(reason) for reason in refusal.reasons)) from refusal
        except PermissionDenied as error:
            raise CommandError(_("This account may not do that.")) from error
        except DatabaseError as error:
            is_silent = isinstance(error, OperationalError) and _DENIED.isdisjoint(error.args[:1])
            message = (
                _("The database does not answer: %(reason)s")
                if is_silent
                else _("The database refused: %(reason)s")
            )
            reason = next(iter(str(error).strip().splitlines()), "?")
            raise CommandError(message % {"reason": reason}) from error


class ActingCommand(PanelCommand):
    """A command that acts as a named account."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Who acts."""
        parser.add_argument(
            "--as",
            dest="acting",
            metavar="ACCOUNT",
            help="account that acts (default: the first active super administrator)",
        )

    def actor(self, options: dict[str, Any]) -> Actor:
        """The account that acts; raises :class:`CommandError`."""
        active = User.objects.active().defer("password")  # the login of the timers may not read it
        name = options["acting"]
        user = active.filter(username=name).first() if name else active.super_admins().order_by("pk").first()
        if user is None:
            message = _("There is no active account %(name)s.") % {"name": name} if name else _NOBODY
            raise CommandError(message)
        return Actor(user, Credential.COMMAND)


_NOBODY = "There is no active super administrator. Run load_initial_data first."


def line(reason: Reason) -> str:
    """A reason as one line of a terminal."""
    return str(reason.message) if reason.field == WHOLE_OBJECT else f"{reason.field}: {reason.message}"
