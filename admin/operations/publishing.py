"""Publishing everything anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied

from admin import policies, publication

if TYPE_CHECKING:
    from core.actor import Actor


def rebuild_published(actor: Actor, /) -> int:
    """Repair the published tables; returns the number of rows that were wrong.

    No :func:`core.operation.operation`: it changes nothing that people manage, and commits as it goes.
    """
    if not (actor.user.is_active and policies.may_publish(actor)):
        raise PermissionDenied
    return publication.rebuild()
