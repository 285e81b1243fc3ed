"""Who looks after a domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from admin import policies
from admin.models import Account, Domain
from admin.operations.allowances import check_room
from admin.operations.ground import lock_domains, out_of_reach
from core.authentication import canonical_login
from core.operation import operation, record
from core.refusals import Refusals
from core.roles import Role
from limits.kinds import Kind

if TYPE_CHECKING:
    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class Appointment:
    """An account, by its user name, as administrator of *domain*."""

    domain: Domain
    username: str


@operation("domain.update", allow=policies.may_manage_domains)
def add_administrators(actor: Actor, /, appointments: Sequence[Appointment]) -> None:
    """Let accounts administer domains; who does already goes on.

    Codes: ``gone``, ``unknown_account``, ``administers_nothing``, ``domain_limit_reached``.
    """
    refusals = Refusals()
    pairs = _checked(actor, appointments, refusals)
    for position, pair in pairs.items():
        if not Role(pair[1].role).administers:
            message = _(
                "“%(name)s” is no domain administrator or reseller. Change the role of the account first."
            )
            refusals.add(position, "username", "administers_nothing", message % {"name": pair[1].username})
    wanted = {(domain.pk, account.pk): (domain, account) for domain, account in pairs.values()}
    new = wanted.keys() - _present(wanted)
    places = {(domain.pk, account.pk): position for position, (domain, account) in pairs.items()}
    check_room(
        Kind.DOMAIN_ADMINS, [(places[pair], wanted[pair][0]) for pair in sorted(new)], refusals, "username"
    )
    refusals.raise_if_any()
    through = Domain.administrators.through
    through.objects.bulk_create(
        through(domain_id=domain_id, user_id=user_id) for domain_id, user_id in sorted(new)
    )
    _record([wanted[pair] for pair in sorted(new)])


@operation("domain.update", allow=policies.may_manage_domains)
def remove_administrators(actor: Actor, /, appointments: Sequence[Appointment]) -> None:
    """Withdraw accounts from domains; the owner of a domain stays its owner.

    Codes: ``gone``, ``unknown_account``.
    """
    refusals = Refusals()
    pairs = _checked(actor, appointments, refusals)
    refusals.raise_if_any()
    wanted = {(domain.pk, account.pk): (domain, account) for domain, account in pairs.values()}
    rows = _present(wanted)
    Domain.administrators.through.objects.filter(pk__in=rows.values()).delete()
    _record([wanted[pair] for pair in sorted(rows)])


def _checked(
    actor: Actor, appointments: Sequence[Appointment], refusals: Refusals
) -> dict[int, tuple[Domain, Account]]:
    """Locked domains with accounts that the actor may act on, by position."""
    domains = {d.pk: d for d in lock_domains(actor, ids=[each.domain.pk for each in appointments]).values()}
    names = [canonical_login(each.username) for each in appointments]
    found = Account.objects.visible_to(actor).filter(username__in=names)
    accounts = {account.username: account for account in found.select_for_update().order_by("pk")}
    beyond = out_of_reach(actor, (account.pk for account in accounts.values()))
    pairs = {}
    for position, (appointment, name) in enumerate(zip(appointments, names, strict=True)):
        account = accounts.get(name)
        if appointment.domain.pk not in domains:
            refusals.add(position, "", "gone", _("This domain does not exist any more."))
        elif account is None or account.pk in beyond:
            message = _("There is no account “%(name)s” that you administer.") % {
                "name": appointment.username
            }
            refusals.add(position, "username", "unknown_account", message)
        else:
            pairs[position] = (domains[appointment.domain.pk], account)
    return pairs


def _present(wanted: dict[tuple[int, int], tuple[Domain, Account]]) -> dict[tuple[int, int], int]:
    """Rows that there are already, by domain and account."""
    rows = Domain.administrators.through.objects.filter(
        domain_id__in={domain for domain, _user in wanted}, user_id__in={user for _domain, user in wanted}
    )
    return {
        (domain_id, user_id): pk
        for pk, domain_id, user_id in rows.values_list("pk", "domain_id", "user_id")
        if (domain_id, user_id) in wanted
    }


def _record(pairs: Sequence[tuple[Domain, Account]]) -> None:
    for domain, account in pairs:
        record(domain, changed=["administrators"], versions=())
        record(account, changed=["administers"], versions=())
