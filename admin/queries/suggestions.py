"""Names to offer while somebody types one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from admin.models import Account, Domain
from admin.queries.searching import beginning_with, containing, domain_beginnings, search_text
from core.presentation import unicode_domain
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor

_OFFERED: Final = 10
_ADMINISTERING: Final = [role for role in Role if role.administers]


def suggested_domains(actor: Actor, typed: str) -> list[str]:
    """The first domains whose name begins with what was typed, or else holds it."""
    text = search_text(typed).lower()
    visible = Domain.objects.visible_to(actor).order_by("name")
    beginning = visible.filter(beginning_with("name", *domain_beginnings(text))) if text else visible
    names = list(beginning.values_list("name", flat=True)[:_OFFERED])
    if not names:
        names = list(
            visible.filter(containing(text, exact=("name",))).values_list("name", flat=True)[:_OFFERED]
        )
    return [unicode_domain(name) for name in names]


def suggested_administrators(actor: Actor, typed: str) -> list[str]:
    """The first accounts, by user name or by a word in their names, whom the actor can let administer a domain."""
    people = Account.objects.within_reach_of(actor).filter(role__in=_ADMINISTERING, is_active=True)
    words = containing(search_text(typed), exact=("username",), loose=("first_name", "last_name"))
    return list(people.filter(words).order_by("username").values_list("username", flat=True)[:_OFFERED])
