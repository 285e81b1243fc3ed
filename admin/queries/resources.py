"""How limits stand: on pages, beside lists, and before somebody types."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from django.db.models import OuterRef
from django.utils.translation import gettext as _

from admin.holdings import limit_of, rows_held
from admin.models import Domain
from admin.queries.usage import counted
from core.presentation import MIB, unicode_domain, usage_text
from core.roles import Role
from core.templatetags.panel import BAD_FROM, WARN_FROM
from limits import policies
from limits.kinds import HANDED_OUT, OF_DOMAINS, Kind
from limits.models import Allowance, Usage
from limits.queries import usages_of
from limits.switches import admins_are_limited, default_of_admins, default_of_domains, domains_are_limited
from limits.wording import amount_text, full_words, taken_words, who_can_raise

if TYPE_CHECKING:
    from core.actor import Actor
    from core.models import User


@dataclass(frozen=True, slots=True)
class Resource:
    """A limit and what is taken of it, in words and for ``components/meter.html``."""

    usage: Usage

    @property
    def label(self) -> str:
        """What is limited."""
        return str(self.usage.kind.label)

    @property
    def text(self) -> str:
        """``7 of 10``, ``3 of 20 GB``, ``7, no limit``."""
        usage = self.usage
        if usage.maximum is None:
            return _("%(used)s, no limit") % {"used": amount_text(usage.kind, usage.taken)}
        if usage.kind is Kind.QUOTA:
            return usage_text(usage.taken * MIB, usage.maximum * MIB)
        taken, limit = amount_text(usage.kind, usage.taken), amount_text(usage.kind, usage.maximum)
        return _("%(used)s of %(limit)s") % {"used": taken, "limit": limit}

    @property
    def note(self) -> str:
        """What of it was handed to others; "" where nothing was."""
        return used_words(self.usage) if self.usage.granted else ""

    @property
    def left_text(self) -> str:
        """``3 left``; "" without a limit."""
        if self.usage.left is None:
            return ""
        if not self.usage.left:
            return _("none left")
        return _("%(amount)s left") % {"amount": amount_text(self.usage.kind, self.usage.left)}

    @property
    def percent(self) -> str:
        """Width of the bar; "" without a limit."""
        return "" if self.usage.percent is None else str(self.usage.percent)

    @property
    def tone(self) -> str:
        """As that of every other bar."""
        share = (self.usage.percent or 0) / 100
        return "bad" if share >= BAD_FROM else "warn" if share >= WARN_FROM else "brand"


def used_words(usage: Usage) -> str:
    """``7 used``, ``7 used, 20 handed out``."""
    words = _("%(used)s used, %(granted)s handed out") if usage.granted else _("%(used)s used")
    return words % {
        "used": amount_text(usage.kind, usage.used),
        "granted": amount_text(usage.kind, usage.granted),
    }


# --- pages and lists -------------------------------------------------------------------------------------------


def resources_of(account: User) -> list[Resource]:
    """How the limits of an account stand; nothing for those who have none."""
    return [Resource(usage) for usage in usages_of(account)]


def limited_resources_of(actor: Actor) -> list[Resource]:
    """What *actor* has a limited number of, beside lists."""
    return [resource for resource in resources_of(actor.user) if resource.usage.maximum]


def resources_in(domain: Domain, kinds: Sequence[Kind] = OF_DOMAINS) -> list[Resource]:
    """How the limits of a domain stand, in one statement; nothing while domains are not limited."""
    if not domains_are_limited():
        return []
    return [Resource(usage) for usage in _usages_in(domain, kinds)]


def _usages_in(domain: Domain, kinds: Sequence[Kind]) -> list[Usage]:
    numbers = {}
    for kind in kinds:
        rows, by = rows_held(kind)
        numbers[f"held_{kind}"] = counted(rows.filter(**{by: OuterRef("pk")}))
    found = Domain.objects.filter(pk=domain.pk).order_by().annotate(**numbers).values(*numbers).first() or {}
    return [
        Usage(
            kind, None if limit_of(domain, kind) < 0 else limit_of(domain, kind), found.get(f"held_{kind}", 0)
        )
        for kind in kinds
    ]


# --- before somebody types -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """Limited resources that a form draws on: those of the person and, if one is chosen, of a domain.

    *notices* say of what it needs nothing is left.
    """

    own: list[Resource] = field(default_factory=list)
    domain: str = ""
    of_domain: list[Resource] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


# What a form draws on, and what of that it cannot do without.
_OF_ACCOUNTS: Final = ((Kind.MAILBOXES, Kind.DOMAIN_ADMINS), (Kind.MAILBOXES,))
_OF_ALIASES: Final = ((Kind.MAILBOX_ALIASES,), (Kind.MAILBOX_ALIASES,))
_OF_NEW_DOMAINS: Final = ((Kind.DOMAINS, Kind.DOMAIN_ALIASES, Kind.QUOTA), (Kind.DOMAINS, Kind.QUOTA))


def before_an_account(actor: Actor, domain: str) -> Standing:
    """For the form "New account", in the domain with this name if one is chosen already."""
    return _standing(actor, *_OF_ACCOUNTS, domain)


def before_an_alias(actor: Actor, domain: str) -> Standing:
    """For the form "New alias", as above."""
    return _standing(actor, *_OF_ALIASES, domain)


def before_a_domain(actor: Actor) -> Standing:
    """For the form "New domain"."""
    return _standing(actor, *_OF_NEW_DOMAINS)


def chosen_domain(initial_address: str, domains: Sequence[str]) -> str:
    """The domain in which a form begins: the one that a link asked for, or the only one that there is."""
    return initial_address.rpartition("@")[2] or (domains[0] if len(domains) == 1 else "")


def _standing(actor: Actor, kinds: Collection[Kind], needed: Collection[Kind], name: str = "") -> Standing:
    own = [r for r in resources_of(actor.user) if r.usage.kind in kinds and r.usage.maximum is not None]
    gone = [r.usage for r in own if r.usage.left == 0 and r.usage.kind in needed]
    notices = [taken_words(usage, 1, who_can_raise(actor.pk)) for usage in gone]
    of_domain = _in_named(actor, tuple(kind for kind in kinds if kind in needed), name) if name else []
    shown = unicode_domain(name)
    notices += [full_words(each.usage, shown, 1) for each in of_domain if each.usage.left == 0]
    return Standing(own, shown, of_domain, notices)


def _in_named(actor: Actor, kinds: Sequence[Kind], name: str) -> list[Resource]:
    if not domains_are_limited():
        return []
    domain = Domain.objects.visible_to(actor).filter(name=name).first()
    resources = resources_in(domain, kinds) if domain else []
    return [resource for resource in resources if resource.usage.maximum is not None]


# --- setting limits --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allotment:
    """A limit that somebody may set. *note*: what is taken of it; *pool*: what its giver has left."""

    kind: Kind
    value: int
    note: str = ""
    pool: str = ""
    # Without a limit oneself, one gives without a limit.
    may_be_unlimited: bool = True


def allotments_of_new(actor: Actor) -> list[Allotment]:
    """Limits that *actor* gives to an account that is to be created."""
    if not admins_are_limited() or not policies.may_grant(actor):
        return []
    if actor.is_super:
        return [Allotment(kind, default_of_admins(kind)) for kind in Kind]
    pool = {usage.kind: usage for usage in usages_of(actor.user)}
    return [_drawn(Allotment(kind, 0), pool, "") for kind in HANDED_OUT]


def allotments_of(actor: Actor, account: User) -> list[Allotment]:
    """Limits that *actor* sets of an account."""
    if not admins_are_limited() or not policies.may_grant_to(actor, account):
        return []
    given = [_allotted(usage) for usage in usages_of(account)]
    if account.role != Role.DOMAIN_ADMIN or account.owner_id is None:
        return given
    rows = Allowance.objects.filter(user=account.owner_id, user__role=Role.RESELLER).select_related("user")
    row = rows.first()
    if row is None:
        return given
    pool = {kind: row.usage(kind) for kind in HANDED_OUT}
    return [_drawn(each, pool, "" if row.user_id == actor.pk else row.user.username) for each in given]


def _allotted(usage: Usage) -> Allotment:
    value = usage.kind.unlimited if usage.maximum is None else usage.maximum
    return Allotment(usage.kind, value, used_words(usage))


def _drawn(allotment: Allotment, pool: Mapping[Kind, Usage], giver: str) -> Allotment:
    """A limit that comes out of a *pool*; *giver*: whose it is ("": one's own)."""
    source = pool.get(allotment.kind)
    if source is None or source.left is None:
        return allotment
    words = _("%(name)s has %(amount)s left to hand out.") if giver else _("You have %(amount)s left.")
    told = words % {"name": unicode_domain(giver), "amount": amount_text(allotment.kind, source.left)}
    return replace(allotment, pool=told, may_be_unlimited=False)


def allotments_of_new_domain() -> list[Allotment]:
    """Limits of a domain that is to be created."""
    return [Allotment(kind, default_of_domains(kind)) for kind in OF_DOMAINS] if domains_are_limited() else []


def allotments_in(domain: Domain) -> list[Allotment]:
    """Limits of a domain; nothing while domains are not limited."""
    if not domains_are_limited():
        return []
    return [_allotted(usage) for usage in _usages_in(domain, OF_DOMAINS)]
