"""Deleting what is too old to be of use."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.core.exceptions import PermissionDenied
from django.utils import timezone

from core import policies
from core.models import Log

if TYPE_CHECKING:
    from core.actor import Actor

_CHUNK: Final = 1_000


def delete_old_events(actor: Actor, /, *, days: int) -> int:
    """Delete what is older than *days* from the event log; returns the number of events.

    No :func:`core.operation.operation`: it changes nothing that people manage, and commits as it goes.
    """
    if not (actor.user.is_active and policies.may_clean_log(actor)):
        raise PermissionDenied
    old = Log.objects.filter(date_created__lt=timezone.now() - timedelta(days=days)).order_by(
        "date_created", "pk"
    )
    deleted = 0
    while ids := list(old.values_list("pk", flat=True)[:_CHUNK]):
        deleted += Log.objects.filter(pk__in=ids).delete()[0]
    return deleted
