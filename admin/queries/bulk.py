"""What a change of many things at once would do: to which of them, to which not and why. Nothing is changed here.

Rules that the operations know alone are not foreseen; what they refuse stands in the report afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin.allocation import (
    NO_ROOM,
    NO_ROOM_IN_POOL,
    DomainQuotas,
    Share,
    overfull,
    overfull_followers,
    refused_quotas,
    unlawfully_unlimited,
    without_room,
)
from admin.bulk_changes import BulkChange, Ids, Kind, Verb, number_of
from admin.models import Account, Alias, Domain, Mailbox, MailboxOperation
from admin.publication import chunks
from admin.queries import directories, domains, identities
from admin.queries.bulk_consequences import of_deletion, of_disabling, of_giving_up, of_restoring, of_retrying
from core.presentation import MIB, size_text

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor

T = TypeVar("T")

_SHOWN: Final = 50
# What a share of a mailbox is made of.
_SHARED: Final = ("", "__quota", "__default_mailbox_quota", "__owner")

GONE: Final = gettext_lazy("Not there any more")
ABOVE: Final = gettext_lazy("Not yours to administer: they rank above you, or look after domains of others")
YOURSELF: Final = gettext_lazy("Your own account: ask another administrator")
ALIASES_HAVE_NONE: Final = gettext_lazy("Aliases have no quota")
NO_MAILBOX: Final = gettext_lazy("Accounts without a mailbox have no quota")
OWN_MAILBOX: Final = gettext_lazy("Your own mailbox is in this domain: ask another administrator")
PEOPLE_ABOVE: Final = gettext_lazy("Mailboxes of accounts are in it that are not yours to administer")
DEFAULT_TOO_BIG: Final = gettext_lazy("A new mailbox would get more than the whole domain")
MAILBOX_NEEDS_QUOTA: Final = gettext_lazy("Their domains have a quota, so every mailbox there needs one")
DOMAIN_NEEDS_QUOTA: Final = gettext_lazy(
    "The quota of their owners is limited, so domains and their mailboxes need one"
)
BELOW_ALLOCATED: Final = gettext_lazy("Their mailboxes have more together")
FOLLOWERS_TOO_BIG: Final = gettext_lazy("Their mailboxes would have more together than the domain")
BELOW_USE: Final = gettext_lazy("They use more than they would get")
FOLLOWERS_BELOW_USE: Final = gettext_lazy("Mailboxes in them use more than they would get")

NOT_WAITING: Final = gettext_lazy("Not waiting for a decision")
NOT_IN_TRASH: Final = gettext_lazy("Not in the trash")
NO_ONE_TO_RESTORE_FOR: Final = gettext_lazy(
    "Nobody has the address now: restore these one by one, and say for which mailbox"
)

# By kind and code of a refusal; None stands for every kind.
_REASONS: Final[Mapping[tuple[Kind | None, str], _StrOrPromise]] = {
    (None, "gone"): GONE,
    (None, "not_yourself"): YOURSELF,
    (None, "above_you"): ABOVE,
    (Kind.DOMAIN, "above_you"): PEOPLE_ABOVE,
    (None, "own_mailbox"): OWN_MAILBOX,
    (None, "no_quota"): ALIASES_HAVE_NONE,
    (None, "no_mailbox"): NO_MAILBOX,
    (Kind.ORDER, "not_failed"): NOT_WAITING,
    (Kind.ORDER, "not_in_trash"): NOT_IN_TRASH,
    (Kind.ORDER, "no_mailbox"): NO_ONE_TO_RESTORE_FOR,
    (None, "default_quota_too_big"): DEFAULT_TOO_BIG,
    (Kind.ACCOUNT, "quota_required"): MAILBOX_NEEDS_QUOTA,
    (Kind.DOMAIN, "quota_required"): DOMAIN_NEEDS_QUOTA,
    (Kind.DOMAIN, "default_quota_required"): DOMAIN_NEEDS_QUOTA,
    (Kind.DOMAIN, "quota_exceeds_domain"): FOLLOWERS_TOO_BIG,
    (Kind.DOMAIN, "below_allocated"): BELOW_ALLOCATED,
    (Kind.DOMAIN, "limit_reached"): NO_ROOM_IN_POOL,
    (None, "quota_exceeds_domain"): NO_ROOM,
    (Kind.ACCOUNT, "below_usage"): BELOW_USE,
    (Kind.DOMAIN, "below_usage"): FOLLOWERS_BELOW_USE,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing by name; *note* says what changes, where a sentence for all does not."""

    kind: Kind
    pk: int
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Things about which the same is said: how many, and the first of them."""

    total: int
    shown: list[Line]
    title: _StrOrPromise = ""

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.total - len(self.shown)


@dataclass(frozen=True)
class Preview:
    """What would happen. *ids* are exactly those that would change; *crowded* are mailboxes that use more already."""

    change: BulkChange
    ids: Ids
    changing: Group
    unchanged: Group
    blocked: list[Group]
    crowded: Group
    consequences: list[str]

    @property
    def total(self) -> int:
        """How many would change."""
        return self.changing.total


@dataclass(slots=True)
class _Sorted:
    """Everything that was asked for, in three heaps."""

    changing: list[Line] = field(default_factory=list)
    unchanged: list[Line] = field(default_factory=list)
    blocked: dict[_StrOrPromise, list[Line]] = field(default_factory=dict)
    # Of mailboxes that would change, by address; and of domains.
    shares: dict[str, Share] = field(default_factory=dict)
    quotas: dict[int, DomainQuotas] = field(default_factory=dict)

    def block(self, reason: _StrOrPromise, line: Line) -> None:
        """It cannot be touched."""
        self.blocked.setdefault(reason, []).append(line)


# --- what is meant ---------------------------------------------------------------------------------------------


def matching_identities(actor: Actor, given: Mapping[str, str], limit: int) -> Ids:
    """Accounts and aliases on all pages of a list, *limit* of each at most."""
    accounts, aliases = identities.matching(actor, given)
    return {Kind.ACCOUNT: _ids(accounts, limit), Kind.ALIAS: _ids(aliases, limit)}


def matching_domains(actor: Actor, given: Mapping[str, str], limit: int) -> Ids:
    """Domains on all pages of a list, *limit* at most."""
    return {Kind.DOMAIN: _ids(domains.matching(actor, given), limit)}


def matching_orders(actor: Actor, given: Mapping[str, str], limit: int) -> Ids:
    """Orders on all pages of a list, *limit* at most."""
    return {Kind.ORDER: _ids(directories.matching(actor, given), limit)}


def _ids(found: QuerySet[Any], limit: int) -> tuple[int, ...]:
    return tuple(found.order_by("pk").values_list("pk", flat=True)[:limit])


# --- preview ---------------------------------------------------------------------------------------------------


def preview(actor: Actor, change: BulkChange, ids: Ids) -> Preview:
    """Sort what *actor* sees of *ids*; the number of statements depends on their number in chunks only."""
    heaps = _Sorted()
    for kind, sort in _SORTERS.items():
        for some in chunks(ids.get(kind, ())):
            sort(actor, change, some, heaps)
    _block_without_room(heaps)
    _block_refused_domains(actor, heaps)
    changing = {kind: _of(heaps.changing, kind) for kind in Kind}
    return Preview(
        change=change,
        ids={kind: found for kind, found in changing.items() if found},
        changing=_group(heaps.changing),
        unchanged=_group(heaps.unchanged),
        blocked=[_group(lines, reason) for reason, lines in heaps.blocked.items()],
        crowded=_group(list(_crowded(heaps))),
        consequences=_consequences(change, changing),
    )


def _accounts(actor: Actor, change: BulkChange, ids: Sequence[int], heaps: _Sorted) -> None:
    above = set(Account.objects.beyond_reach_of(actor).filter(pk__in=ids).values_list("pk", flat=True))
    mailbox = ("quota", "use_domain_quota", *(f"domain{column}" for column in _SHARED))
    columns = ("pk", "username", "is_active", "email", *(f"mailbox__{column}" for column in mailbox))
    rows = list(Account.objects.visible_to(actor).filter(pk__in=ids).order_by().values_list(*columns))
    shares = {}
    if change.verb is Verb.QUOTA:
        for pk, _name, _active, _address, present, _follows, domain, limit, of_domain, owner in rows:
            wanted = of_domain if change.quota is None else change.quota
            if present is not None and pk not in above:
                shares[pk] = Share(pk, domain, limit, wanted, present, owner)
    unlimited = {share.position for share in unlawfully_unlimited(actor, shares.values())}
    found = {}
    for pk, name, is_active, address, present, follows, *_domain in rows:
        found[pk] = line = Line(Kind.ACCOUNT, pk, name)
        if pk in above:
            heaps.block(ABOVE, line)
        elif pk == actor.pk and change.verb in {Verb.DISABLE, Verb.DELETE}:
            heaps.block(YOURSELF, line)
        elif change.verb is not Verb.QUOTA:
            _switch(change, line, heaps, is_on=is_active)
        elif present is None:
            heaps.block(NO_MAILBOX, line)
        else:
            share = shares[pk]
            if pk in unlimited:
                heaps.block(MAILBOX_NEEDS_QUOTA, line)
                continue
            is_so = (present, follows) == (share.quota, change.quota is None)
            heaps.shares |= {address: share} if share.more else {}
            note = _steps(_limit(present, follows=follows), _limit(share.quota, follows=change.quota is None))
            _file(Line(Kind.ACCOUNT, pk, name, note), heaps, is_so=is_so)
    _missing(Kind.ACCOUNT, ids, found, heaps)


def _aliases(actor: Actor, change: BulkChange, ids: Sequence[int], heaps: _Sorted) -> None:
    rows = list(
        Alias.objects.visible_to(actor).filter(pk__in=ids).order_by().values_list("pk", "address", "enabled")
    )
    addresses = [address for _pk, address, _enabled in rows]
    # A forward of somebody above: it diverts his mail.
    above = Account.objects.beyond_reach_of(actor).filter(email__in=addresses)
    forwards = set(above.values_list("email", flat=True))
    for pk, address, enabled in rows:
        line = Line(Kind.ALIAS, pk, address)
        if change.verb is Verb.QUOTA:
            heaps.block(ALIASES_HAVE_NONE, line)
        elif address in forwards:
            heaps.block(ABOVE, line)
        else:
            _switch(change, line, heaps, is_on=enabled)
    _missing(Kind.ALIAS, ids, {pk for pk, *_rest in rows}, heaps)


def _domains(actor: Actor, change: BulkChange, ids: Sequence[int], heaps: _Sorted) -> None:
    own, protected = _kept_domains(actor, ids) if change.verb is Verb.DELETE else (set(), set())
    rows = Domain.objects.visible_to(actor).filter(pk__in=ids).order_by()
    found = set()
    for pk, name, enabled, owner, *quotas in rows.values_list(
        "pk", "name", "enabled", "owner", "quota", "default_mailbox_quota"
    ):
        found.add(pk)
        line = Line(Kind.DOMAIN, pk, name)
        if pk in own:
            heaps.block(OWN_MAILBOX, line)
        elif pk in protected:
            heaps.block(PEOPLE_ABOVE, line)
        elif change.verb is not Verb.QUOTA:
            _switch(change, line, heaps, is_on=enabled)
        else:
            _domain_quotas(change, line, owner, quotas, heaps)
    _missing(Kind.DOMAIN, ids, found, heaps)


def _orders(actor: Actor, change: BulkChange, ids: Sequence[int], heaps: _Sorted) -> None:
    found = set()
    for order in MailboxOperation.objects.visible_to(actor).orders().filter(pk__in=ids).order_by():
        found.add(order.pk)
        line = Line(Kind.ORDER, order.pk, directories.order_name(order), _note_on(change, order))
        if change.verb in directories.verbs_for(order):
            heaps.changing.append(line)
        else:
            heaps.block(NOT_IN_TRASH if change.verb is Verb.RESTORE else NOT_WAITING, line)
    _missing(Kind.ORDER, ids, found, heaps)


def _note_on(change: BulkChange, order: MailboxOperation) -> str:
    """Why it failed, where the directory stays, or what comes back."""
    if change.verb is Verb.RETRY:
        return order.last_error
    return order.trash_path if change.verb is Verb.RESTORE else order.source


_SORTERS: Final = {
    Kind.ACCOUNT: _accounts,
    Kind.ALIAS: _aliases,
    Kind.DOMAIN: _domains,
    Kind.ORDER: _orders,
}


def _kept_domains(actor: Actor, ids: Sequence[int]) -> tuple[set[int], set[int]]:
    """Domains with the actor's own mailbox, and with mailboxes of people above him."""
    boxes = Mailbox.objects.filter(domain__in=ids).order_by()
    own = boxes.filter(user=actor.pk).values_list("domain_id", flat=True)
    beyond = boxes.filter(user__in=Account.objects.beyond_reach_of(actor).values("pk"))
    return set(own), set(beyond.values_list("domain_id", flat=True))


def _domain_quotas(
    change: BulkChange, line: Line, owner: int | None, present: Sequence[int], heaps: _Sorted
) -> None:
    asked = (change.quota, change.default_mailbox_quota)
    quota, default = (old if new is None else new for old, new in zip(present, asked, strict=True))
    names = ("quota", "default_mailbox_quota")
    words = (_("domain: %(steps)s"), _("new mailboxes: %(steps)s"))
    notes = {
        name: word % {"steps": _steps(_limit(old), _limit(new))}
        for name, word, old, new in zip(names, words, present, (quota, default), strict=True)
        if old != new
    }
    if notes:
        heaps.quotas[line.pk] = DomainQuotas(
            domain=line.pk,
            owner=owner,
            quota=quota,
            default=default,
            old_quota=present[0],
            changed=notes.keys(),
        )
    _file(Line(line.kind, line.pk, line.name, ", ".join(notes.values())), heaps, is_so=not notes)


def _block_without_room(heaps: _Sorted) -> None:
    """Mailboxes for which their domains have no room left, once the others have got what they would get."""
    refused = without_room(heaps.shares.values())
    for line in heaps.changing if refused else ():
        if line.kind is Kind.ACCOUNT and line.pk in refused:
            heaps.block(NO_ROOM, line)
    heaps.changing = [
        each for each in heaps.changing if each.kind is not Kind.ACCOUNT or each.pk not in refused
    ]
    heaps.shares = {a: share for a, share in heaps.shares.items() if share.position not in refused}


def _block_refused_domains(actor: Actor, heaps: _Sorted) -> None:
    """Domains that would be refused, or for which the quota of their owners has no room left."""
    refused = refused_quotas(actor, list(heaps.quotas.values()))
    staying = []
    for line in heaps.changing:
        if line.kind is Kind.DOMAIN and line.pk in refused:
            code = refused[line.pk]
            reason = _REASONS.get((Kind.DOMAIN, code), _REASONS.get((None, code), ""))
            heaps.block(reason, Line(line.kind, line.pk, line.name))
            del heaps.quotas[line.pk]
        else:
            staying.append(line)
    heaps.changing = staying


def _crowded(heaps: _Sorted) -> Iterator[Line]:
    """Mailboxes that would get less than they use."""
    quotas = {address: share.quota for address, share in heaps.shares.items()}
    for address, used in overfull(quotas).items():
        yield Line(Kind.ACCOUNT, 0, address, _steps(size_text(used), _limit(quotas[address])))
    defaults = {
        pk: each.default for pk, each in heaps.quotas.items() if "default_mailbox_quota" in each.changed
    }
    for pk, addresses in overfull_followers(defaults).items():
        for address in addresses:
            yield Line(Kind.DOMAIN, pk, address, _limit(defaults[pk]))


def _switch(change: BulkChange, line: Line, heaps: _Sorted, *, is_on: bool) -> None:
    _file(line, heaps, is_so=change.verb is not Verb.DELETE and is_on is (change.verb is Verb.ENABLE))


def _file(line: Line, heaps: _Sorted, *, is_so: bool) -> None:
    (heaps.unchanged if is_so else heaps.changing).append(line)


def _missing(kind: Kind, ids: Sequence[int], found: Iterable[int], heaps: _Sorted) -> None:
    for pk in set(ids).difference(found):
        heaps.block(GONE, Line(kind, pk, ""))


def _steps(old: str, new: str) -> str:
    return _("%(old)s → %(new)s") % {"old": old, "new": new}


def _limit(quota: int, *, follows: bool = False) -> str:
    text = size_text(quota * MIB) if quota else _("no limit")
    return _("%(quota)s (the domain's value)") % {"quota": text} if follows else text


def _of(lines: Iterable[Line], kind: Kind) -> tuple[int, ...]:
    return tuple(sorted(line.pk for line in lines if line.kind is kind))


def _group(lines: list[Line], title: _StrOrPromise = "") -> Group:
    """The first by name; what has no name for the reader is only counted."""
    return Group(len(lines), first_by_name(lines, lambda line: line.name), title)


def first_by_name(things: Iterable[T], name: Callable[[T], str]) -> list[T]:
    """As many as a page shows, without those that have no name."""
    return sorted((each for each in things if name(each)), key=name)[:_SHOWN]


def _consequences(change: BulkChange, ids: Ids) -> list[str]:
    if not number_of(ids):
        return []
    says = {
        Verb.DELETE: of_deletion,
        Verb.DISABLE: of_disabling,
        Verb.RETRY: of_retrying,
        Verb.GIVE_UP: of_giving_up,
        Verb.RESTORE: of_restoring,
    }
    return says[change.verb](ids) if change.verb in says else []


def reported(skipped: Iterable[tuple[Kind, str, str, _StrOrPromise]]) -> list[Group]:
    """What an operation left out (kind, name, code, sentence), by reason; reasons foreseen here keep their words."""
    heaps = _Sorted()
    for kind, name, code, sentence in skipped:
        heaps.block(_REASONS.get((kind, code), _REASONS.get((None, code), sentence)), Line(kind, 0, name))
    return [_group(lines, reason) for reason, lines in heaps.blocked.items()]


# --- words -----------------------------------------------------------------------------------------------------


def in_words(ids: Ids) -> str:
    """``12 accounts and 3 aliases``."""
    phrases = list(_phrases({kind: len(ids[kind]) for kind in Kind if ids.get(kind)}))
    if len(phrases) > 1:
        return _("%(one)s and %(other)s") % {"one": phrases[0], "other": phrases[1]}
    return phrases[0] if phrases else ""


def _phrases(numbers: Mapping[Kind, int]) -> Iterator[str]:
    for kind, n in numbers.items():
        shown = {"number": number_format(n, use_l10n=True, force_grouping=True)}
        words = {
            Kind.ACCOUNT: ngettext("%(number)s account", "%(number)s accounts", n),
            Kind.ALIAS: ngettext("%(number)s alias", "%(number)s aliases", n),
            Kind.DOMAIN: ngettext("%(number)s domain", "%(number)s domains", n),
            Kind.ORDER: ngettext("%(number)s order", "%(number)s orders", n),
        }
        yield words[kind] % shown
