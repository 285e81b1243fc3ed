"""What ``modo repair`` looks for here; the tables that mail servers read come last, since they follow from the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext_lazy as _

from admin import publication
from admin.operations import rebuild_published, repairing
from core.actor import Actor
from core.repair import Problem


def _orphans(actor: Actor, dry_run: bool) -> Iterable[str]:  # noqa: FBT001  as Problem calls it
    return repairing.adopt_orphans(actor, dry_run=dry_run)


def _names(actor: Actor, dry_run: bool) -> Iterable[str]:  # noqa: FBT001  as above
    return repairing.register_names(actor, dry_run=dry_run)


def _recipients(actor: Actor, dry_run: bool) -> Iterable[str]:  # noqa: FBT001  as above
    return repairing.link_recipients_again(actor, dry_run=dry_run)


def _published(actor: Actor, dry_run: bool) -> Iterator[str]:  # noqa: FBT001  as above
    for difference in publication.drift():
        table = difference.model._meta.db_table
        yield from (f"- {table} {row}" for row in difference.surplus)
        yield from (f"+ {table} {row}" for row in difference.missing)
    if not dry_run:
        rebuild_published(actor)


known_problems = [
    Problem(_("Things that nobody owns"), _orphans),
    Problem(_("Domains that do not hold their names"), _names),
    Problem(_("Recipients that do not lead to the mailbox or alias of their address"), _recipients),
    Problem(_("Rows that mail servers read and that are wrong"), _published),
]
