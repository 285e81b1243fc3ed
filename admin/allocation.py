"""How the quota of a domain is divided among its mailboxes: the arithmetic that operations and previews share.

Whole MB throughout; 0 is no limit, and adds nothing to a sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from admin import policies
from admin.models import Mailbox, Quota
from admin.models.domain import MAX_QUOTA_MB
from admin.publication import chunks
from core.models import User
from core.presentation import MIB
from limits.kinds import Kind
from limits.queries import is_unlimited

if TYPE_CHECKING:
    from core.actor import Actor


NO_ROOM: Final = _("Their domains have not enough quota left")


@dataclass(frozen=True, slots=True)
class Share:
    """What a mailbox is to get of the *limit* of a domain (an id). *old*: what it has there; None: it is new there."""

    position: int
    domain: int
    limit: int
    quota: int
    old: int | None = None

    @property
    def counts(self) -> bool:
        """Something changes, in a domain with a quota; what no column can hold is refused elsewhere."""
        return bool(self.limit) and self.quota != self.old and 0 <= self.quota <= MAX_QUOTA_MB

    @property
    def more(self) -> int:
        """What it takes of the domain; below 0 what it gives back."""
        return self.quota - (self.old or 0)


def allocated(domains: Iterable[int]) -> dict[int, int]:
    """What the mailboxes of *domains* (ids) have together."""
    wanted = set(domains)
    sums = dict.fromkeys(wanted, 0)
    for some in chunks(wanted):
        rows = Mailbox.objects.filter(domain__in=some).order_by().values("domain_id")
        sums |= dict(rows.annotate(together=Sum("quota")).values_list("domain_id", "together"))
    return sums


def too_much(shares: Sequence[Share], given: Mapping[int, int]) -> list[Share]:
    """Shares for which no room is left, in their order. *given*: as :func:`allocated`.

    What the others give back is there before anybody takes more; taking less never fails.
    """
    together = dict(given)
    for share in shares:
        if share.more <= 0:
            together[share.domain] = together.get(share.domain, 0) + share.more
    refused = []
    for share in sorted(shares, key=lambda each: each.position):
        if share.more <= 0:
            continue
        if together.get(share.domain, 0) + share.more > share.limit:
            refused.append(share)
        else:
            together[share.domain] = together.get(share.domain, 0) + share.more
    return refused


def may_leave_unlimited(actor: Actor) -> bool:
    """Whether *actor* leaves things without a quota: his own, where he has one, would not cover them."""
    return actor.is_super or (policies.may_manage_domains(actor) and is_unlimited(actor, Kind.QUOTA))


def overfull(quotas: Mapping[str, int]) -> dict[str, int]:
    """Bytes in use, by address, of the mailboxes that use more than these *quotas*; 0 is enough for everybody."""
    used = {
        address: size
        for some in chunks(quotas)
        for address, size in Quota.objects.filter(username__among=frozenset(some)).values_list(
            "username", "bytes"
        )
    }
    return {address: size for address, size in used.items() if 0 < quotas[address] * MIB < size}


def overfull_followers(defaults: Mapping[int, int]) -> dict[int, list[str]]:
    """By domain, addresses of mailboxes that follow its default and use more than the new one in *defaults*."""
    limited = {pk: default for pk, default in defaults.items() if 0 < default <= MAX_QUOTA_MB}
    found: dict[int, list[str]] = {}
    for some in chunks(limited):
        # More than the smallest of them: what that finds too much is sorted out here.
        least = min(limited[pk] for pk in some) * MIB
        followers = User.objects.filter(mailbox__domain__in=some, mailbox__use_domain_quota=True)
        crowded = Quota.objects.filter(username__in=followers.values("email"), bytes__gt=least)
        sizes = dict(crowded.values_list("username", "bytes"))
        if not sizes:
            continue
        boxes = followers.filter(email__among=frozenset(sizes)).order_by("email")
        for address, pk in boxes.values_list("email", "mailbox__domain_id"):
            if sizes[address] > limited[pk] * MIB:
                found.setdefault(pk, []).append(address)
    return found
