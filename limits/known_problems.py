"""What ``modo repair`` looks for here."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from core.actor import Actor
from core.repair import Problem
from limits.operations import recount


def _counters(_actor: Actor, dry_run: bool) -> Iterator[str]:  # noqa: FBT001  as Problem calls it
    yield from map(str, recount(fix=not dry_run))


known_problems = [Problem(_("Counters of limits that are wrong"), _counters)]
