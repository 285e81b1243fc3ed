"""Publishing without a change that anybody makes."""

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
    _check(actor)
    return publication.rebuild()


def publish_due(actor: Actor, /) -> int:
    """Publish what time has ended, as :func:`rebuild_published`; returns the number of rows touched."""
    _check(actor)
    return publication.catch_up()


def _check(actor: Actor) -> None:
    if not (actor.user.is_active and policies.may_publish(actor)):
        raise PermissionDenied
