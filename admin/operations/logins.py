"""Last logins that Dovecot has written, taken over into the accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, Value, When
from django.utils import timezone

from admin import policies
from admin.models import MailLogin
from core.models import User

if TYPE_CHECKING:
    from core.actor import Actor

# Rows of one transaction: their values are part of the statements.
_CHUNK = 200


def collect_last_logins(actor: Actor, /) -> int:
    """Consume the rows of ``mail_login``; returns the number of rows.

    An instant counts when it is later than what the account has and not before its creation. Rows of the future stay
    until they are none. A login while this runs changes its row, which then stays for the next time.

    No :func:`core.operation.operation`: it changes nothing that people manage, and commits as it goes.
    """
    if not (actor.user.is_active and policies.may_collect_last_logins(actor)):
        raise PermissionDenied
    rows = MailLogin.objects.filter(seconds__lte=int(timezone.now().timestamp())).order_by("address")
    consumed = 0
    while some := dict(rows.values_list("address", "seconds")[:_CHUNK]):
        with transaction.atomic():
            _note(some)
            _forget(some)
        consumed += len(some)
        rows = rows.filter(address__gt=next(reversed(some)))
    return consumed


def _note(seconds: dict[str, int]) -> None:
    """Move the last logins of accounts on; the condition is part of the statement, so nothing is moved back."""
    instants = {
        address: datetime.fromtimestamp(number, UTC)
        for address, number in seconds.items()
        if address and number > 0  # accounts without a mailbox have no address
    }
    if not instants:
        return
    cases = (When(email=address, then=Value(instant)) for address, instant in instants.items())
    accounts = User.objects.filter(email__in=instants).annotate(
        seen=Case(*cases, output_field=DateTimeField())
    )
    newer = Q(last_login__isnull=True) | Q(last_login__lt=F("seen"))
    accounts.filter(newer, date_joined__lte=F("seen")).update(last_login=F("seen"))


def _forget(seconds: dict[str, int]) -> None:
    """Delete the rows that still say what was read."""
    cases = (When(address=address, then=Value(number)) for address, number in seconds.items())
    MailLogin.objects.filter(address__in=seconds, seconds=Case(*cases)).delete()
