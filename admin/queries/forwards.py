"""The forward of a mailbox as its owner's form begins with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Q

from admin.models import Alias
from core.editing import Edited, Meanwhile, newest_event
from core.models import Log

if TYPE_CHECKING:
    from core.models import User


@dataclass(frozen=True, slots=True)
class OwnForward:
    """*is_switched_off*: an administrator disabled it."""

    recipients: list[str]
    keeps_copy: bool
    is_switched_off: bool
    edited: Edited


def own_forward(user: User) -> OwnForward:
    """What is there; no recipients when nothing is."""
    alias = Alias.objects.filter(address=user.email).first()
    pk = alias.pk if alias else 0
    # It begins and ends as an alias: a form about it belongs to the person. Events first, then the values.
    what = Edited("forward", user.pk, newest_event("alias", pk) if pk else 0, partial(_since, pk))
    if alias is None:
        return OwnForward([], keeps_copy=True, is_switched_off=False, edited=what)
    recipients = list(alias.recipients.order_by("address").values_list("address", flat=True))
    others = [recipient for recipient in recipients if recipient != user.email]
    return OwnForward(others, len(others) < len(recipients), is_switched_off=not alias.enabled, edited=what)


def _since(pk: int, seen: int) -> list[Meanwhile]:
    """Events about the alias *pk*, and about the one that event *seen* was about, after that one."""
    before = Log.objects.filter(pk=seen, kind="alias").values("object_id")
    rows = Log.objects.filter(Q(object_id=pk) | Q(object_id__in=before), kind="alias", pk__gt=seen)
    # A new alias and a deleted one are another forward.
    return [Meanwhile(row.actor_name, tuple(row.changed) or ("recipients",)) for row in rows.order_by("pk")]
