"""Domains as the list and the page of one domain show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, reduce
from operator import and_
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from admin import domain_features, plugin_features, policies
from admin.domain_features import Card, Link, Narrowing, Tag
from admin.models import Account, Alias, Domain, DomainAlias, Mailbox
from admin.models.domain import DomainKind
from admin.queries import identities
from admin.queries.events import Event, recent_events_of
from admin.queries.listing import Filter, Listing, chip, chosen_order, page_at, rows_on
from admin.queries.resources import Resource, resources_in
from admin.queries.searching import a_labels, containing, search_text
from admin.queries.usage import counted, given_in_domain, used_in_domain
from admin.signals import extra_domain_actions, extra_domain_dashboard_widgets
from core.parts import Columns, MenuItem, menu_items, widgets
from core.presentation import unicode_domain
from core.roles import Role

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor
    from core.models import User

_NEWEST: Final = 6


@dataclass(slots=True)
class DomainRow:
    """A domain with its numbers; quotas in MB, 0 = no limit."""

    pk: int
    name: str
    enabled: bool
    quota: int
    default_mailbox_quota: int
    creation: datetime
    mailbox_count: int
    alias_count: int
    used_bytes: int
    aliases: list[DomainAlias]
    kind: DomainKind = DomainKind.DOMAIN
    # What apps above asked for (admin.domain_features).
    further: dict[str, Any] = field(default_factory=dict)
    # What plugins are asked about, and what they offer to do with it.
    source: Domain | None = None
    actions: list[MenuItem] = field(default_factory=list)
    # MB that the mailboxes have together; only on the page of one domain.
    allocated: int = 0
    owner: User | None = None

    @property
    def is_relayed(self) -> bool:
        """Mail for what is not here goes to another host."""
        return self.kind == DomainKind.RELAY

    @property
    def keeps_mail(self) -> bool:
        """There is, or may come, something to store."""
        return bool(not self.is_relayed or self.mailbox_count or self.quota)

    @property
    def tags(self) -> list[Tag]:
        """Words beside the name."""
        own = [Tag("type", self.kind.value, self.kind.label)] if self.is_relayed else []
        return [*own, *(tag for feature in domain_features.features() for tag in feature.tags(self))]

    @property
    def notes(self) -> list[str]:
        """Lines below the name."""
        return [note for feature in domain_features.features() for note in feature.notes(self)]

    @property
    def domain_alias_count(self) -> int:
        """Further names of the domain."""
        return len(self.aliases)

    @property
    def key(self) -> str:
        """What a selection calls it."""
        return f"domain:{self.pk}"

    @property
    def identities_url(self) -> str:
        """The accounts and aliases in it."""
        return self._listed()

    @property
    def accounts_url(self) -> str:
        """The accounts in it."""
        return self._listed(kind="account")

    @property
    def aliases_url(self) -> str:
        """The aliases in it, forwards and catch-alls included."""
        return self._listed(kind="aliases")

    def _listed(self, **filters: str) -> str:
        return f"{reverse('admin:identity_list')}?{urlencode({'domain': self.name, **filters})}"


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who looks after a domain; addresses of pages are blank when the reader may not open them."""

    pk: int
    username: str
    full_name: str
    initials: str
    role_label: _StrOrPromise
    url: str
    remove_url: str = ""


# --- list ------------------------------------------------------------------------------------------------------

_SORTS: Final[Mapping[str, Sequence[str]]] = {
    "name": ("name",),
    "mailboxes": ("mailbox_count", "name"),
    "aliases": ("alias_count", "name"),
    "quota": ("quota", "name"),
    "created": ("creation", "name"),
}


def domain_list(actor: Actor, given: Mapping[str, str]) -> Listing[DomainRow]:
    """One page of the domains that *actor* sees. *given*: q, status, type, filters of apps above, sort, page.

    The orders by numbers count for every visible domain; the others read the domains only. There is no order by
    storage: adding up the usage of all mailboxes takes seconds at a million.
    """
    query, narrowings = search_text(given.get("q", "")), _narrowings(actor, given)
    found = _found(actor, narrowings, query)
    sort, order = chosen_order(given.get("sort", ""), _SORTS, "name")
    page = page_at(given.get("page", ""), found.count())
    domains = rows_on(page, _sortable(found, order), order)
    facts = partial(_facts, actor, page.total)
    return Listing(_with_actions(actor, rows_of(domains)), page, query, _chips(narrowings), sort, facts)


def _chips(narrowings: Sequence[Narrowing]) -> list[Filter]:
    return [each.chip for each in narrowings if each.chip is not None]


def _with_actions(actor: Actor, rows: list[DomainRow]) -> list[DomainRow]:
    for row in rows:
        row.actions = menu_items(extra_domain_actions, user=actor.user, domain=row.source)
    return rows


def matching(actor: Actor, given: Mapping[str, str]) -> QuerySet[Domain]:
    """Domains on all pages of the list that *given* describes."""
    return _found(actor, _narrowings(actor, given), search_text(given.get("q", "")))


def _found(actor: Actor, narrowings: Sequence[Narrowing], query: str) -> QuerySet[Domain]:
    matches = reduce(and_, (each.matches for each in narrowings), _named(query))
    return Domain.objects.visible_to(actor).filter(matches)


def _narrowings(actor: Actor, given: Mapping[str, str]) -> list[Narrowing]:
    states = [("enabled", _("Enabled")), ("disabled", _("Disabled"))]
    status = chip("status", _("Status"), states, given)
    kind = chip("type", _("Type"), [*DomainKind.choices, *plugin_features.types()], given)
    return [
        Narrowing(status, Q(enabled=status.value == "enabled") if status.value else Q()),
        Narrowing(kind, Q(type=kind.value) if kind.value in DomainKind.values else Q()),
        *domain_features.narrowings(actor, given),
    ]


def _named(query: str) -> Q:
    """The words stand in the name of the domain or in one of its aliases."""
    if not query:
        return Q()
    aliases = DomainAlias.objects.filter(containing(query, exact=("name",)))
    return containing(query, exact=("name",)) | Q(pk__in=aliases.values("target_id"))


_NUMBERS: Final[Mapping[str, Coalesce]] = {
    "mailbox_count": counted(Mailbox.objects.filter(domain=OuterRef("pk"))),
    "alias_count": counted(Alias.objects.filter(domain=OuterRef("pk"))),
    "used_bytes": used_in_domain(),
}


def _sortable(found: QuerySet[Domain], order: Sequence[str]) -> QuerySet[Domain]:
    return found.annotate(**{name: number for name, number in _NUMBERS.items() if name in order[0]})


def rows_of(domains: Sequence[Domain], wanted: Mapping[str, Coalesce] = _NUMBERS) -> list[DomainRow]:
    """Domains with their numbers, exactly these: two queries, however many there are."""
    ids = [domain.pk for domain in domains]
    numbered = Domain.objects.filter(pk__in=ids).order_by().annotate(**wanted)
    numbers = {row["pk"]: row for row in numbered.values("pk", *wanted, *domain_features.columns())}
    aliases: dict[int, list[DomainAlias]] = {pk: [] for pk in ids}
    for alias in DomainAlias.objects.filter(target__in=ids).order_by("name"):
        aliases[alias.target_id].append(alias)
    return [
        DomainRow(
            domain.pk,
            domain.name,
            domain.enabled,
            domain.quota,
            domain.default_mailbox_quota,
            domain.creation,
            mailbox_count=numbers[domain.pk]["mailbox_count"],
            alias_count=numbers[domain.pk]["alias_count"],
            used_bytes=int(numbers[domain.pk]["used_bytes"]),
            allocated=int(numbers[domain.pk].get("allocated", 0)),
            aliases=aliases[domain.pk],
            kind=DomainKind(domain.type),
            further=domain_features.values_of(numbers[domain.pk]),
            source=domain,
        )
        for domain in domains
        if domain.pk in numbers  # deleted between two queries
    ]


def _facts(actor: Actor, domains: int) -> str:
    mailboxes = Mailbox.objects.visible_to(actor).count()
    shown = {"number": number_format(domains, use_l10n=True, force_grouping=True)}
    words = ngettext("%(number)s domain", "%(number)s domains", domains) % shown
    shown = {"number": number_format(mailboxes, use_l10n=True, force_grouping=True)}
    more = ngettext("%(number)s mailbox", "%(number)s mailboxes", mailboxes) % shown
    return f"{words}, {more}"


def names_to_choose(actor: Actor, limit: int) -> list[str]:
    """The first names for a menu; as many as *limit* mean that there may be more."""
    return list(Domain.objects.visible_to(actor).order_by("name").values_list("name", flat=True)[:limit])


# --- one domain ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DomainPage:
    """Context of the page of one domain."""

    domain: DomainRow
    last_modification: datetime
    dns_checks: bool
    domain_aliases: list[DomainAlias]
    administrators: list[Administrator]
    accounts: list[identities.IdentityRow]
    resources: list[Resource]
    events: list[Event]
    cards: list[Card]
    links: list[Link]
    widgets: Columns


def domain_page(actor: Actor, domain: Domain) -> DomainPage:
    """Everything about one domain that *actor* sees."""
    (row,) = _with_actions(actor, rows_of([domain], {**_NUMBERS, "allocated": given_in_domain()}))
    row.owner = domain.owner
    features = domain_features.features()
    kinds = ["domain", *(kind for feature in features for kind in feature.event_kinds)]
    return DomainPage(
        domain=row,
        last_modification=domain.last_modification,
        dns_checks=domain.enable_dns_checks,
        domain_aliases=row.aliases,
        administrators=_administrators(actor, domain),
        accounts=identities.newest_in(actor, domain, _NEWEST),
        resources=resources_in(domain),
        events=recent_events_of([(kind, domain.pk) for kind in kinds]),
        cards=[card for feature in features for card in feature.cards(actor, row)],
        links=[link for feature in features for link in feature.links(actor, row)],
        widgets=widgets(extra_domain_dashboard_widgets, user=actor.user, domain=domain),
    )


def _administrators(actor: Actor, domain: Domain) -> list[Administrator]:
    people = Account.objects.filter(Q(administered_domains=domain) | Q(pk=domain.owner_id)).distinct()
    return [
        Administrator(
            pk=person.pk,
            username=person.username,
            full_name=person.full_name,
            initials=person.initials,
            role_label=_("Owner") if person.pk == domain.owner_id else Role(person.role).label,
            url=reverse("admin:account_detail", args=[person.pk])
            if getattr(person, "is_visible", False)
            else "",
            remove_url=reverse("admin:domain_administrator_remove", args=[domain.pk, person.pk])
            if getattr(person, "is_removable", False)
            else "",
        )
        for person in people.annotate(
            is_visible=_is_among(Account.objects.visible_to(actor)),
            is_removable=_is_among(_removable(actor, domain)),
        ).order_by("username")
    ]


def _is_among(accounts: QuerySet[Account]) -> Exists:
    return Exists(accounts.filter(pk=OuterRef("pk")))


def _removable(actor: Actor, domain: Domain) -> QuerySet[Account]:
    """Administrators of the domain whom *actor* can withdraw from it; the owner stays its owner."""
    if not policies.may_manage_domains(actor):
        return Account.objects.none()
    return Account.objects.within_reach_of(actor).filter(administered_domains=domain)


# --- for other apps ---------------------------------------------------------------------------------------------


def ids_by_name(actor: Actor, names: Collection[str]) -> dict[str, int]:
    """Ids of domains that *actor* sees, by the names as they were typed, in any script."""
    typed = {name: a_labels(name.strip()) for name in names}
    rows = Domain.objects.visible_to(actor).filter(name__in=set(typed.values()))
    found = dict(rows.values_list("name", "pk"))
    return {name: found[label] for name, label in typed.items() if label in found}


def names_by_id(ids: Collection[int]) -> dict[int, str]:
    """Names as people read them; what was deleted is missing."""
    rows = Domain.objects.filter(pk__in=ids).values_list("pk", "name")
    return {pk: unicode_domain(name) for pk, name in rows}
