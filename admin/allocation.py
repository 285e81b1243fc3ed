"""How the quota of a domain is divided among its mailboxes: the arithmetic that operations and previews share.

Whole MB throughout; 0 is no limit, and adds nothing to a sum.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as _

from admin import policies
from admin.models import Mailbox, Quota
from admin.models.domain import MAX_QUOTA_MB
from admin.publication import chunks
from core.models import User
from core.presentation import MIB
from limits.kinds import Kind
from limits.queries import limited_of, pools_of

if TYPE_CHECKING:
    from core.actor import Actor


NO_ROOM: Final = _("Their domains have not enough quota left")
NO_ROOM_IN_POOL: Final = _("The quota of their owners has no room left")


def storable(quota: int) -> bool:
    """Whether columns can hold it; what they cannot is refused, and counts for nothing until then."""
    return 0 <= quota <= MAX_QUOTA_MB


@dataclass(frozen=True, slots=True)
class Share:
    """What a mailbox is to get of the *limit* of a domain (an id). *old*: what it has there; None: it is new there.

    *owner* of the domain. What a domain is to get of the limit of its owner is divided in the same way.
    """

    position: int
    domain: int
    limit: int
    quota: int
    old: int | None = None
    owner: int | None = None

    @property
    def counts(self) -> bool:
        """Something changes, in a domain with a quota; what no column can hold is refused elsewhere."""
        return bool(self.limit) and self.quota != self.old and storable(self.quota)

    @property
    def more(self) -> int:
        """What it takes of the domain; below 0 what it gives back."""
        return self.quota - (self.old or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainQuotas:
    """What a domain (an id; None: a new one) and its new mailboxes are to get. *changed*: which of the two is new."""

    domain: int | None
    owner: int | None
    quota: int
    default: int
    old_quota: int = 0
    changed: Collection[str]

    @property
    def counts(self) -> bool:
        """Columns can hold both."""
        return storable(self.quota) and storable(self.default)

    @property
    def lifted(self) -> list[str]:
        """Fields that become 0."""
        both = {"default_mailbox_quota": self.default, "quota": self.quota}
        return [name for name, value in both.items() if name in self.changed and not value]

    @property
    def shrinks(self) -> bool:
        """The domain had more, or no limit."""
        had_more = not self.old_quota or self.quota < self.old_quota
        return self.domain is not None and "quota" in self.changed and self.quota > 0 and had_more

    @property
    def reaches_followers(self) -> bool:
        """Mailboxes of a domain with a quota get something new."""
        return self.domain is not None and self.quota > 0 and "default_mailbox_quota" in self.changed


@dataclass(frozen=True, slots=True)
class Division:
    """What all mailboxes of a domain have together, and will have; *followers* get the new value."""

    before: int
    after: int
    followers: int

    def leaves(self, quota: int) -> bool:
        """Even the least of it is more than a new *quota* of the domain."""
        return min(self.before, self.after) > quota

    def outgrows(self, quota: int) -> bool:
        """A new value for followers takes more than the domain has."""
        return self.after > max(self.before, quota)


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


def without_room(shares: Iterable[Share]) -> set[int]:
    """Positions of mailboxes for which their domains have no room left, once the others have what they ask for."""
    asked = [share for share in shares if share.counts]
    given = allocated({share.domain for share in asked if share.more > 0})
    return {share.position for share in too_much(asked, given)}


def divisions(asked: Iterable[DomainQuotas]) -> dict[int, Division]:
    """How domains that get less, or give their mailboxes something else, are divided."""
    judged = {
        each.domain: each
        for each in asked
        if each.domain is not None and each.counts and (each.shrinks or each.reaches_followers)
    }
    together = allocated(judged)
    following: dict[int, tuple[int, int]] = {}
    for some in chunks(pk for pk, each in judged.items() if each.reaches_followers):
        rows = Mailbox.objects.filter(domain__in=some, use_domain_quota=True).order_by().values("domain_id")
        counted = rows.annotate(number=Count("pk"), together=Sum("quota"))
        following |= {pk: (n, size) for pk, n, size in counted.values_list("domain_id", "number", "together")}
    found = {}
    for pk, each in judged.items():
        followers, present = following.get(pk, (0, 0))
        found[pk] = Division(together[pk], together[pk] - present + followers * each.default, followers)
    return found


def unlawfully_unlimited(actor: Actor, shares: Iterable[Share]) -> list[Share]:
    """Mailboxes without a limit in a domain with one, where *actor* may not give that.

    Who manages domains may, unless the owner of the domain has a limit: it would not cover them.
    """
    without = [share for share in shares if share.counts and not share.quota]
    if not without or actor.is_super:
        return []
    if not policies.may_manage_domains(actor):
        return without
    limited = limited_owners(actor, (share.owner for share in without))
    return [share for share in without if share.owner in limited]


def limited_owners(actor: Actor, owners: Iterable[int | None]) -> set[int]:
    """Those of *owners* whose own quota is limited; for super administrators nobody's is."""
    return set() if actor.is_super else limited_of((pk for pk in owners if pk is not None), Kind.QUOTA)


def refused_quotas(actor: Actor, asked: Sequence[DomainQuotas]) -> dict[int, str]:
    """Codes, by domain, of those that cannot get what is asked for; the others can, all of them together."""
    found: dict[int, str] = {}
    pools = {} if actor.is_super else pools_of({d.owner for d in asked if d.owner is not None}, Kind.QUOTA)
    pooled = [each for each in asked if each.owner in pools]
    divided = divisions(pooled)
    for each in asked:
        if each.domain is None:
            continue
        if 0 < each.quota < each.default:
            found[each.domain] = "default_quota_too_big"
        elif each.owner in pools and each.lifted:
            found[each.domain] = "quota_required"
        elif division := divided.get(each.domain):
            if each.shrinks and division.leaves(each.quota):
                found[each.domain] = "below_allocated"
            elif each.reaches_followers and division.outgrows(each.quota):
                found[each.domain] = "quota_exceeds_domain"
    shares = [
        Share(each.domain, each.owner, pools[each.owner].maximum or 0, each.quota, each.old_quota)
        for each in pooled
        if each.domain is not None and each.owner is not None and each.domain not in found
    ]
    used = {pk: usage.taken for pk, usage in pools.items()}
    counting = [share for share in shares if share.counts]
    return found | {share.position: "limit_reached" for share in too_much(counting, used)}


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
