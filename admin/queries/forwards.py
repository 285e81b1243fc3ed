"""The forward of a mailbox as its owner's form begins with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from admin.models import Alias

if TYPE_CHECKING:
    from core.models import User


@dataclass(frozen=True, slots=True)
class OwnForward:
    """*is_switched_off*: an administrator disabled it."""

    recipients: list[str]
    keeps_copy: bool
    is_switched_off: bool


def own_forward(user: User) -> OwnForward:
    """What is there; no recipients when nothing is."""
    alias = Alias.objects.filter(address=user.email).first()
    if alias is None:
        return OwnForward([], keeps_copy=True, is_switched_off=False)
    recipients = list(alias.recipients.order_by("address").values_list("address", flat=True))
    others = [recipient for recipient in recipients if recipient != user.email]
    return OwnForward(others, len(others) < len(recipients), is_switched_off=not alias.enabled)
