"""The first page of administrators: how much there is, and the domains that one would look for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from admin.models import Alias, Domain, DomainAlias, Mailbox
from admin.models.domain import DomainKind
from admin.queries.domains import DomainRow, rows_of
from core.parts import Columns, widgets
from core.signals import extra_admin_dashboard_widgets

if TYPE_CHECKING:
    from core.actor import Actor

_SHOWN: Final = 10


@dataclass(frozen=True)
class Dashboard:
    """Context of the page. *rows*: the newest domains of a super administrator, the first ones by name of others."""

    domain_count: int
    relay_domain_count: int
    domain_alias_count: int
    mailbox_count: int
    alias_count: int
    rows: list[DomainRow]
    shows_newest: bool
    widgets: Columns


def dashboard_page(actor: Actor) -> Dashboard:
    """What *actor* looks after, in a fixed number of statements."""
    domains = Domain.objects.visible_to(actor)
    order = "-pk" if actor.is_super else "name"
    return Dashboard(
        domain_count=domains.count(),
        relay_domain_count=domains.filter(type=DomainKind.RELAY).count(),
        domain_alias_count=DomainAlias.objects.visible_to(actor).count(),
        mailbox_count=Mailbox.objects.visible_to(actor).count(),
        alias_count=Alias.objects.visible_to(actor).count(),
        rows=rows_of(list(domains.order_by(order)[:_SHOWN])),
        shows_newest=actor.is_super,
        widgets=widgets(extra_admin_dashboard_widgets, user=actor.user),
    )
