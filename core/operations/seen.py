"""Changes of an object that somebody looked at before: what happened to it since is not overwritten unseen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from core.models import Log
from core.refusals import WHOLE_OBJECT

if TYPE_CHECKING:
    from core.refusals import Refusals


def check_seen(kind: str, seen: Mapping[int, tuple[int, int | None]], refusals: Refusals) -> None:
    """Refuse what changed since the caller looked at it. *seen*: position → (id, last event that he knew, or None).

    The rows are locked, so events of one object come in the order of their numbers. None asks for no check.
    """
    asked = {pk: (position, known) for position, (pk, known) in seen.items() if known is not None}
    if not asked:
        return
    oldest = min(known for _position, known in asked.values())
    newer = Log.objects.filter(kind=kind, object_id__in=asked, pk__gt=oldest).order_by("pk")
    newest = {row.object_id: row for row in newer if row.pk > asked[row.object_id or 0][1]}
    for pk, row in newest.items():
        message = _("%(name)s changed this at the same time. Look at it again and repeat your change.")
        refusals.add(asked[pk or 0][0], WHOLE_OBJECT, "changed_meanwhile", message % {"name": row.actor_name})
