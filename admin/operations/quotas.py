"""Rules about quotas: what a mailbox may have of its domain's, what it uses already, and who goes without one.

Parts of other operations, which have locked the domains. Each rule costs one statement for a whole batch, and only
where something changes that it is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin import policies
from admin.allocation import (
    Division,
    DomainQuotas,
    Share,
    allocated,
    divisions,
    limited_owners,
    overfull,
    overfull_followers,
    too_much,
    unlawfully_unlimited,
)
from admin.operations.ground import check_quota
from core.presentation import MIB, size_text, unicode_domain

if TYPE_CHECKING:
    from admin.models import Domain
    from core.actor import Actor
    from core.refusals import Refusals

_NAMED: Final = 3
# What has to be given out of a limited quota, by field: code, and a sentence for the owner and for others.
_NEEDED: Final = {
    "quota": (
        "quota_required",
        gettext_lazy(
            "Your own quota is limited, so each of your domains needs one. Enter how much this one gets."
        ),
        gettext_lazy("The quota of its owner is limited, so this domain needs one. Enter how much it gets."),
    ),
    "default_mailbox_quota": (
        "default_quota_required",
        gettext_lazy(
            "Your own quota is limited, so new mailboxes cannot go without one. Enter how much they get."
        ),
        gettext_lazy(
            "The quota of its owner is limited, so new mailboxes cannot go without one. Enter how much they get."
        ),
    ),
}


# --- mailboxes -------------------------------------------------------------------------------------------------


def new_shares(asked: Iterable[tuple[int, str, int | None]], domains: Mapping[str, Domain]) -> list[Share]:
    """Shares of new mailboxes: (position, address, quota), where None follows the domain. Unknown ones are left out."""
    found = [(position, domains.get(address.rpartition("@")[2]), quota) for position, address, quota in asked]
    return [
        Share(
            position,
            domain.pk,
            domain.quota,
            domain.default_mailbox_quota if quota is None else quota,
            owner=domain.owner_id,
        )
        for position, domain, quota in found
        if domain is not None
    ]


def check_shares(
    actor: Actor, shares: Iterable[Share], refusals: Refusals, *, leaving: Mapping[int, int] | None = None
) -> None:
    """What mailboxes get fits into their domains. Codes: ``quota_required``, ``quota_exceeds_domain``.

    *leaving*: what mailboxes that move elsewhere give back, by domain. Of each domain the first mailbox is refused that
    does not fit any more.
    """
    asked = [share for share in shares if share.counts]
    _check_not_without(actor, asked, refusals)
    wanting = {share.domain for share in asked if share.more > 0}
    if not wanting:
        return
    given = {pk: together - (leaving or {}).get(pk, 0) for pk, together in allocated(wanting).items()}
    by_domain: dict[int, list[Share]] = defaultdict(list)
    for share in asked:
        by_domain[share.domain].append(share)
    told: set[int] = set()
    for share in too_much(asked, given):
        if share.domain not in told:
            told.add(share.domain)
            _refuse_share(actor, share, by_domain[share.domain], given[share.domain], refusals)


def _check_not_without(actor: Actor, shares: Sequence[Share], refusals: Refusals) -> None:
    """Without a limit a mailbox could take the whole domain, and more."""
    for share in unlawfully_unlimited(actor, shares):
        message = _(
            "This domain has a quota of %(quota)s, so each of its mailboxes needs one. Enter how much this one gets."
        )
        shown = {"quota": exact_size(share.limit)}
        refusals.add(share.position, "quota", "quota_required", message % shown)


def _refuse_share(
    actor: Actor, share: Share, shares: Sequence[Share], given: int, refusals: Refusals
) -> None:
    """Say what the domain has, what is given out, what is left, and who can change that."""
    given += sum(each.more for each in shares if each.more < 0)
    wanting = [each for each in shares if each.more > 0]
    left = max(0, share.limit - given)
    shown = {
        "quota": exact_size(share.limit),
        "given": exact_size(given),
        "left": exact_size(left),
        "most": exact_size(left + (share.old or 0)),
        "fit": number_format(sum(each.position < share.position for each in wanting), force_grouping=True),
        "asked": number_format(len(wanting), force_grouping=True),
    }
    if len(wanting) > 1:
        words = _(
            "This domain has %(left)s of its %(quota)s left (%(given)s are given to mailboxes): enough for the first "
            "%(fit)s of these %(asked)s mailboxes."
        )
    elif not left:
        words = _("Nothing is left of the %(quota)s of this domain: %(given)s are given to mailboxes.")
    else:
        words = _(
            "This domain has %(left)s of its %(quota)s left (%(given)s are given to mailboxes), so this mailbox gets "
            "%(most)s at most."
        )
    remedy = (
        _("Ask for less, or raise the domain's quota.")
        if policies.may_manage_domains(actor)
        else _("Ask for less, or ask your reseller or a super administrator to raise the domain's quota.")
    )
    refusals.add(share.position, "quota", "quota_exceeds_domain", f"{words % shown} {remedy}")


def check_usage(asked: Iterable[tuple[int, str, int]], refusals: Refusals) -> None:
    """Mailboxes (position, present address, new quota) do not use more than they are to get. Code: ``below_usage``."""
    quotas = {address: (position, quota) for position, address, quota in asked if quota > 0}
    if not quotas:
        return
    for address, size in overfull({address: quota for address, (_p, quota) in quotas.items()}).items():
        position, quota = quotas[address]
        message = _(
            "%(used)s are used already. With %(quota)s all further mail to this mailbox is refused, until so much was "
            "deleted that there is room again."
        )
        shown = {"used": _used_text(size, quota), "quota": exact_size(quota)}
        refusals.add(position, "quota", "below_usage", message % shown)


# --- domains ---------------------------------------------------------------------------------------------------


def check_domain_quotas(quota: int, default: int, refusals: Refusals, position: int) -> None:
    """Both within what can be stored, and a mailbox within its domain. Code: ``default_quota_too_big``."""
    check_quota(quota, refusals, position, "quota")
    check_quota(default, refusals, position, "default_mailbox_quota")
    if 0 < quota < default:
        message = _("A mailbox cannot get more than the whole domain (%(quota)s).")
        shown = {"quota": exact_size(quota)}
        refusals.add(position, "default_mailbox_quota", "default_quota_too_big", message % shown)


def check_within_pool(actor: Actor, asked: Mapping[int, DomainQuotas], refusals: Refusals) -> None:
    """Out of a limited quota of the owner nothing unlimited is given, nor more than the domain has or gives up.

    Super administrators may. Codes: ``quota_required``, ``default_quota_required``, ``below_allocated``,
    ``quota_exceeds_domain``.
    """
    judged = {p: d for p, d in asked.items() if d.lifted or d.shrinks or d.reaches_followers}
    limited = limited_owners(actor, (each.owner for each in judged.values()))
    within = {position: each for position, each in judged.items() if each.owner in limited}
    divided = divisions(each for each in within.values() if not each.lifted)
    for position, each in within.items():
        for field in each.lifted:
            code, *words = _NEEDED[field]
            refusals.add(position, field, code, words[each.owner != actor.pk])
        if each.domain in divided:
            _check_division(each, divided[each.domain], refusals, position)


def _check_division(asked: DomainQuotas, division: Division, refusals: Refusals, position: int) -> None:
    if asked.shrinks and division.leaves(asked.quota):
        message = _(
            "The mailboxes of this domain have %(given)s together, so it cannot get less. Take some back from them "
            "first."
        )
        shown = {"given": exact_size(min(division.before, division.after))}
        refusals.add(position, "quota", "below_allocated", message % shown)
    if asked.reaches_followers and division.outgrows(asked.quota):
        message = ngettext(
            "%(number)s mailbox gets this value. All mailboxes of the domain would have %(given)s together, but it has "
            "%(quota)s. Choose less, or raise the domain's quota.",
            "%(number)s mailboxes get this value. All mailboxes of the domain would have %(given)s together, but it "
            "has %(quota)s. Choose less, or raise the domain's quota.",
            division.followers,
        )
        shown = {
            "number": number_format(division.followers, force_grouping=True),
            "given": exact_size(division.after),
            "quota": exact_size(asked.quota),
        }
        refusals.add(position, "default_mailbox_quota", "quota_exceeds_domain", message % shown)


def check_followers_usage(asked: Mapping[int, tuple[int, int]], refusals: Refusals) -> None:
    """Mailboxes that follow a new default do not use more than that. *asked*: domain (id) and default, by position.

    Code: ``below_usage``.
    """
    found = overfull_followers(dict(asked.values()))
    for position, (domain, quota) in asked.items():
        if addresses := found.get(domain):
            message = ngettext(
                "%(number)s mailbox that gets this value uses more than %(quota)s: %(names)s. All further mail to it "
                "is refused, until so much was deleted that there is room again.",
                "%(number)s mailboxes that get this value use more than %(quota)s: %(names)s. All further mail to "
                "them is refused, until so much was deleted that there is room again.",
                len(addresses),
            )
            shown = {
                "number": number_format(len(addresses), force_grouping=True),
                "quota": exact_size(quota),
                "names": _first_names(addresses),
            }
            refusals.add(position, "default_mailbox_quota", "below_usage", message % shown)


# --- words -----------------------------------------------------------------------------------------------------


def exact_size(megabytes: int) -> str:
    """In the largest unit that divides it: ``2 TB``, ``20,137 MB``; a refusal compares amounts and rounds nothing."""
    size, step = megabytes, 0
    units = (_("MB"), _("GB"), _("TB"), _("PB"))
    while size and size % 1024 == 0 and step < len(units) - 1:
        size, step = size // 1024, step + 1
    shown = {"number": number_format(size, force_grouping=True), "unit": units[step]}
    return _("%(number)s %(unit)s") % shown


def _used_text(size: int, quota: int) -> str:
    """Bytes in use, in a way that they look like more than the quota."""
    rounded = size_text(size)
    return exact_size(-(-size // MIB)) if rounded == size_text(quota * MIB) else rounded


def _first_names(addresses: Sequence[str]) -> str:
    shown = ", ".join(unicode_domain(address) for address in addresses[:_NAMED])
    return f"{shown}, …" if len(addresses) > _NAMED else shown
