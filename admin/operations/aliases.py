"""Creating, changing and deleting aliases."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal
from unicodedata import category

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import policies, publication
from admin.models import Alias, AliasRecipient, Domain, DomainAlias, DomainName, Mailbox
from admin.models.domain import DomainKind
from admin.operations.allowances import check_room, owned_by
from admin.operations.ground import (
    UNSET,
    Unset,
    addresses_above,
    duplicates,
    grammatical,
    grammatical_list,
    lock_domains,
    refuse_above,
    refuse_repetitions,
    refuse_unknown_domain,
    utf8_local_parts,
)
from admin.operations.saving import save_columns
from admin.signals import use_external_recipients
from core.addresses import (
    canonical_alias_address,
    canonical_recipient,
    split_address,
    without_extension,
)
from core.fields import extending_at_once
from core.operation import operation, record
from core.operations.seen import check_seen
from core.refusals import Refusals
from limits.kinds import Kind
from limits.operations import Demand, Owned, give_back, spend

if TYPE_CHECKING:
    from core.actor import Actor

MAX_RECIPIENTS = 2_000
MAX_DESCRIPTION = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasSpec:
    """An alias to create; ``@domain`` is a catch-all, a mailbox's own address makes a forward."""

    address: str
    recipients: tuple[str, ...]
    enabled: bool = True
    description: str = ""
    expire_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """New values of an alias; what is UNSET stays. *recipients* replaces the list.

    *seen* is the last event about the alias that the caller knows (None: no question whether it changed meanwhile).
    """

    alias: Alias
    recipients: tuple[str, ...] | Unset = UNSET
    enabled: bool | Unset = UNSET
    description: str | Unset = UNSET
    expire_at: datetime | Unset | None = UNSET
    seen: int | None = None


# --- create ----------------------------------------------------------------------------------------------------


@operation("alias.create", allow=policies.may_manage_aliases)
def create_aliases(actor: Actor, /, specs: Sequence[AliasSpec]) -> list[Alias]:
    """New aliases. Recipients in local domains must exist, if only in the same batch.

    Codes: those of the grammar, ``unknown_domain``, ``address_taken``, ``repeated``, ``no_recipient``,
    ``too_many``, ``above_you``, ``unknown_recipient``, ``points_to_itself``, ``loop``, ``expiry_past``,
    ``forward_cannot_expire``, ``description_too_long``, ``hidden_character``, ``limit_reached``,
    ``domain_limit_reached``. The forward of a mailbox is nobody's, and not counted.
    """
    refusals = Refusals()
    drafts = _canonical_specs(specs, refusals)
    touched = [a for draft in drafts for a in (draft.address, *draft.recipients) if a]
    domains = lock_domains(actor, names=map(_domain_of, touched))
    local = LocalAddresses.behind(touched)
    _check_addresses(drafts, domains, set(local.aliases), refusals)
    mailboxes = set(local.mailboxes)
    boxed = [d.address for d in drafts if mailboxes & {d.address, without_extension(d.address)}]
    above = addresses_above(actor, boxed)
    for position, draft in enumerate(drafts):
        if draft.address in above and _domain_of(draft.address) in domains:
            refuse_above(refusals, position, "address", draft.address)
        _check_details(draft, refusals, position, is_forward=draft.address in mailboxes)
    local.announce(draft.address for draft in drafts)
    for position, draft in enumerate(drafts):
        check_recipients(draft.address, draft.recipients, local, mailboxes, refusals, position)
    ways = [(position, draft.address, draft.recipients) for position, draft in enumerate(drafts)]
    check_loops(ways, local, refusals)
    counted = [(p, d.address) for p, d in enumerate(drafts) if d.address and d.address not in mailboxes]
    spend(actor, [Demand(Kind.MAILBOX_ALIASES, [p for p, _address in counted], "address")], refusals)
    homes = [(p, domains[_domain_of(address)]) for p, address in counted if _domain_of(address) in domains]
    check_room(Kind.MAILBOX_ALIASES, homes, refusals, "address")
    refusals.raise_if_any()
    aliases = Alias.objects.bulk_create(
        Alias(
            address=draft.address,
            domain=domains[_domain_of(draft.address)],
            enabled=draft.enabled,
            description=draft.description,
            expire_at=draft.expire_at,
            owner=None if draft.address in mailboxes else actor.user,
        )
        for draft in drafts
    )
    local.learn(aliases)
    save_recipients([(a, d.recipients) for a, d in zip(aliases, drafts, strict=True)], local)
    keys = publication.Keys(addresses={alias.address for alias in aliases})
    keys |= link_recipients("target_alias", {alias.address: alias.pk for alias in aliases})
    publication.publish(keys, locked=domains)
    for alias in aliases:
        record(alias)
    return aliases


def create_alias(actor: Actor, /, **values: Any) -> Alias:
    """One alias; *values* are the fields of :class:`AliasSpec`."""
    return create_aliases(actor, [AliasSpec(**values)])[0]


def random_alias_address(domain: str) -> str:
    """An address that nobody guesses: 20 hexadecimal digits."""
    return f"{secrets.token_hex(10)}@{domain}"


def _canonical_specs(specs: Sequence[AliasSpec], refusals: Refusals) -> list[AliasSpec]:
    utf8 = utf8_local_parts()
    addresses = [
        grammatical(canonical_alias_address, spec.address, refusals, position, "address", utf8=utf8)
        for position, spec in enumerate(specs)
    ]
    recipients = canonical_recipients(dict(enumerate(spec.recipients for spec in specs)), refusals)
    return [
        replace(spec, address=address, recipients=recipients[position])
        for position, (spec, address) in enumerate(zip(specs, addresses, strict=True))
    ]


def canonical_recipients(
    batch: Mapping[int, Sequence[str]], refusals: Refusals
) -> dict[int, tuple[str, ...]]:
    """Recipients by position, without blanks and repetitions; an address in a domain alias becomes its target's."""
    utf8 = utf8_local_parts()
    canonical = {
        position: grammatical_list(
            canonical_recipient, texts, MAX_RECIPIENTS, refusals, position, "recipients", utf8=utf8
        )
        for position, texts in batch.items()
    }
    names = {_domain_of(address) for addresses in canonical.values() for address in addresses}
    targets = dict(DomainAlias.objects.filter(name__in=names).values_list("name", "target__name"))
    return {
        position: tuple(
            dict.fromkeys(
                f"{local_part}@{targets.get(domain, domain)}"
                for local_part, domain in map(split_address, addresses)
            )
        )
        for position, addresses in canonical.items()
    }


def _domain_of(address: str) -> str:
    return split_address(address)[1]


def _check_addresses(
    drafts: Sequence[AliasSpec], domains: dict[str, Domain], taken: set[str], refusals: Refusals
) -> None:
    repeated = duplicates(draft.address for draft in drafts)
    for position, draft in enumerate(drafts):
        if not draft.address:
            continue
        shown = {"address": draft.address}
        if _domain_of(draft.address) not in domains:
            refuse_unknown_domain(refusals, position, "address", _domain_of(draft.address))
        elif draft.address in repeated:
            message = _("“%(address)s” is asked for more than once.") % shown
            refusals.add(position, "address", "repeated", message)
        elif draft.address in taken:
            message = _("The alias “%(address)s” exists already. Change its recipients instead.") % shown
            refusals.add(position, "address", "address_taken", message)


def _mailboxes_at(addresses: Sequence[str]) -> set[str]:
    """Those of *addresses* that are mailboxes."""
    return set(Mailbox.objects.filter(user__email__in=addresses).values_list("user__email", flat=True))


def _check_details(
    details: AliasSpec, refusals: Refusals, position: int, *, is_forward: bool, expiry_is_new: bool = True
) -> None:
    if len(details.description) > MAX_DESCRIPTION:
        message = _("A description has at most %(limit)d characters.") % {"limit": MAX_DESCRIPTION}
        refusals.add(position, "description", "description_too_long", message)
    if any(category(each) in {"Cc", "Cs"} and each not in "\t\n\r" for each in details.description):
        refusals.add(
            position,
            "description",
            "hidden_character",
            _("This contains an invisible character; remove it."),
        )
    if details.expire_at is None:
        return
    if is_forward:
        refusals.add(
            position,
            "expire_at",
            "forward_cannot_expire",
            _("The forward of a mailbox does not expire; disable it when it is no longer wanted."),
        )
    elif expiry_is_new and details.expire_at <= timezone.now():
        refusals.add(
            position,
            "expire_at",
            "expiry_past",
            _("This instant is in the past. Choose a later one, or disable the alias."),
        )


# --- recipients ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class LocalAddresses:
    """Who stands behind addresses in local domains: mailboxes and aliases by address."""

    domains: set[str]
    # Domains of which another host knows the other addresses.
    relayed: set[str]
    # Names that lead to a domain; recipients under them are written as that domain's.
    other_names: set[str]
    mailboxes: dict[str, int]
    aliases: dict[str, int | None]

    @classmethod
    def behind(cls, addresses: Sequence[str]) -> LocalAddresses:
        """Look all of them up with three queries; an extension does not count."""
        plain = {each for address in addresses for each in (address, without_extension(address))}
        names = DomainName.objects.filter(name__in=set(map(_domain_of, addresses)))
        kinds: dict[str, str | None] = dict(names.values_list("name", "domain__type"))
        return cls(
            domains={name for name, kind in kinds.items() if kind == DomainKind.DOMAIN},
            relayed={name for name, kind in kinds.items() if kind == DomainKind.RELAY},
            other_names={name for name, kind in kinds.items() if kind is None},
            mailboxes=dict(Mailbox.objects.filter(user__email__in=plain).values_list("user__email", "pk")),
            aliases=dict(Alias.objects.filter(address__in=plain).values_list("address", "pk")),
        )

    def announce(self, addresses: Iterable[str]) -> None:
        """Aliases that this batch will create."""
        for address in addresses:
            self.aliases.setdefault(address, None)

    def learn(self, aliases: Iterable[Alias]) -> None:
        """Aliases that were just created."""
        self.aliases.update((alias.address, alias.pk) for alias in aliases)

    def is_missing(self, recipient: str) -> bool:
        """True for an address in a local domain that nobody has."""
        if _domain_of(recipient) not in self.domains:
            return False
        holder = self.holder(recipient)
        return holder not in self.mailboxes and holder not in self.aliases

    def holder(self, recipient: str) -> str:
        """The local address that takes mail for a recipient, else the recipient itself."""
        both = (recipient, without_extension(recipient))
        return next((each for each in both if each in self.mailboxes or each in self.aliases), recipient)

    def links(self, recipient: str, *, alias_address: str) -> dict[str, int | None]:
        """Foreign keys of a recipient: its mailbox, else its alias; a forward's own copy is the mailbox."""
        for address in (recipient, without_extension(recipient)):
            if address != alias_address and address in self.aliases and address not in self.mailboxes:
                return {"target_alias_id": self.aliases[address]}
            if address in self.mailboxes:
                return {"mailbox_id": self.mailboxes[address]}
        return {}


def check_recipients(
    address: str,
    recipients: Sequence[str],
    local: LocalAddresses,
    forwards: set[str],
    refusals: Refusals,
    position: int,
) -> None:
    """There is one, those in local domains exist, and nothing leads to the address itself but the copy of a forward.

    In a relay domain everybody exists, and mail can be copied on its way to the address itself.
    """
    if not recipients and not any(r.position == position and r.field == "recipients" for r in refusals):
        refusals.add(position, "recipients", "no_recipient", _("Enter at least one recipient."))
    for recipient in recipients:
        shown = {"recipient": recipient}
        copied = recipient == address and _domain_of(address) in local.relayed
        if without_extension(recipient) == address and address not in forwards and not copied:
            message = _("“%(recipient)s” is this alias itself. Choose another recipient.") % shown
            refusals.add(position, "recipients", "points_to_itself", message)
        elif _domain_of(recipient) in local.other_names:  # since the recipients were written down: a race
            message = _("The domain of “%(recipient)s” changed at this moment. Repeat your change.") % shown
            refusals.add(position, "recipients", "conflict", message)
        elif local.is_missing(recipient) and not _is_somebody_elses(recipient):
            message = (
                _("Nobody has the address “%(recipient)s” here. Create it first, or correct it.") % shown
            )
            refusals.add(position, "recipients", "unknown_recipient", message)


def _is_somebody_elses(recipient: str) -> bool:
    """A plugin says that an address which nobody has here is known elsewhere."""
    return any(answer is True for answer in use_external_recipients.answers(recipients=recipient))


def check_loops(
    ways: Sequence[tuple[int, str, Sequence[str]]], local: LocalAddresses, refusals: Refusals
) -> None:
    """Refuse (position, address, recipients) from which mail comes back to the address.

    A mailbox that keeps a copy ends the way, as it does in Postfix.
    """
    graph = {address: set(map(local.holder, recipients)) for _position, address, recipients in ways}
    _follow(graph)
    for position, address, _recipients in ways:
        if address not in graph[address] and address in _reached(address, graph):
            message = _("Mail would go round in circles: a recipient leads back to “%(address)s”.")
            refusals.add(position, "recipients", "loop", message % {"address": address})


def _follow(graph: dict[str, set[str]]) -> None:
    """Add where the recipients in *graph* lead; one query per step of the longest way."""
    front = set(chain.from_iterable(graph.values())) - graph.keys()
    while front:
        graph |= {address: set() for address in front}
        rows = AliasRecipient.objects.filter(alias__address__in=front)
        # The text counts where nothing local is meant yet: the address may be about to come into being.
        for address, text, *targets in rows.values_list(
            "alias__address", "address", "target_alias__address", "mailbox__user__email"
        ):
            known = next((each for each in (text, without_extension(text)) if each in graph), "")
            graph[address].update([known] if known else [each for each in targets if each] or [text])
        front = set(chain.from_iterable(graph[address] for address in front)) - graph.keys()


def _reached(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Addresses behind *start*."""
    reached: set[str] = set()
    front = [start]
    while front:
        address = front.pop()
        onward = set() if address in graph[address] else graph[address] - reached
        reached |= onward
        front += onward
    return reached


def save_recipients(batch: Sequence[tuple[Alias, Sequence[str]]], local: LocalAddresses) -> None:
    """Add recipients, each linked to the local object that it means."""
    AliasRecipient.objects.bulk_create(
        AliasRecipient(alias=alias, address=recipient, **local.links(recipient, alias_address=alias.address))
        for alias, recipients in batch
        for recipient in recipients
    )


def link_recipients(link: Literal["mailbox", "target_alias"], arrived: Mapping[str, int]) -> publication.Keys:
    """Recipients that were outside until their address (by id) *arrived* here; keys of the aliases that have them.

    An alias at an extended address takes the mail from the mailbox that had it as its extension.
    """
    keys = publication.Keys()
    # In a relay domain an alias may lead to its own address, which is not here.
    copies = Q(alias__address=F("address")) if link == "target_alias" else Q(pk__in=())
    for some in publication.chunks(arrived, size=extending_at_once()):
        exact = Q(address__among=some) & (Q(mailbox__isnull=True) | ~Q(mailbox__user__email=F("address")))
        extended = Q(mailbox__isnull=True, address__extending=some)
        found = AliasRecipient.objects.filter(exact & ~copies | extended, target_alias__isnull=True)
        rows = []
        for row in found.select_related("alias"):
            target = arrived.get(row.address) or arrived.get(without_extension(row.address))
            if target is not None:
                row.mailbox_id = None
                setattr(row, f"{link}_id", target)
                rows.append(row)
        AliasRecipient.objects.bulk_update(rows, ["mailbox", "target_alias"])
        keys.addresses.update(row.alias.address for row in rows)
    return keys


# --- change ----------------------------------------------------------------------------------------------------

_PLAIN_FIELDS = ("enabled", "description", "expire_at")


@operation("alias.update", allow=policies.may_manage_aliases)
def update_aliases(actor: Actor, /, changes: Sequence[AliasChange]) -> list[Alias]:
    """Change aliases. Codes: as for creation, ``gone``, ``changed_meanwhile``."""
    refusals = Refusals()
    given = {
        position: change.recipients
        for position, change in enumerate(changes)
        if not isinstance(change.recipients, Unset)
    }
    canonical = canonical_recipients(given, refusals)
    _lock_around([change.alias for change in changes], canonical.values(), actor)
    stored = Alias.objects.visible_to(actor).in_bulk([change.alias.pk for change in changes])
    present: dict[int, dict[str, AliasRecipient]] = {pk: {} for pk in stored}
    for row in AliasRecipient.objects.filter(alias__in=stored):
        present[row.alias_id][row.address] = row
    forwards = _mailboxes_at([alias.address for alias in stored.values()])
    above = addresses_above(actor, forwards)
    refuse_repetitions([(change.alias.pk, change.alias.address) for change in changes], refusals)
    changed: dict[int, list[str]] = {}
    for position, change in enumerate(changes):
        alias = stored.get(change.alias.pk)
        if alias is None:
            refusals.add(position, "", "gone", _("This alias does not exist any more."))
            continue
        if alias.address in above:
            refuse_above(refusals, position, "", alias.address)
        changed[alias.pk] = _set_plain_fields(alias, change)
        details = AliasSpec(
            address=alias.address, recipients=(), description=alias.description, expire_at=alias.expire_at
        )
        _check_details(
            details,
            refusals,
            position,
            is_forward=alias.address in forwards,
            expiry_is_new="expire_at" in changed[alias.pk],
        )
    check_seen("alias", {p: (c.alias.pk, c.seen) for p, c in enumerate(changes)}, refusals)
    local = LocalAddresses.behind([r for recipients in canonical.values() for r in recipients])
    wanted: dict[int, tuple[str, ...]] = {}
    for position, recipients in canonical.items():
        if (alias := stored.get(changes[position].alias.pk)) is not None:
            wanted[alias.pk] = recipients
            check_recipients(alias.address, recipients, local, forwards, refusals, position)
    ways = [
        (position, stored[pk].address, recipients)
        for position, recipients in canonical.items()
        if (pk := changes[position].alias.pk) in stored
    ]
    check_loops(ways, local, refusals)
    refusals.raise_if_any()
    gone = [row for pk, rs in wanted.items() for address, row in present[pk].items() if address not in rs]
    new = [(stored[pk], [r for r in rs if r not in present[pk]]) for pk, rs in wanted.items()]
    AliasRecipient.objects.filter(pk__in=[row.pk for row in gone]).delete()
    save_recipients(new, local)
    for pk in {row.alias_id for row in gone} | {alias.pk for alias, recipients in new if recipients}:
        changed[pk].append("recipients")
    altered = [stored[pk] for pk, names in changed.items() if names]
    now = timezone.now()
    for alias in altered:
        alias.last_modification = now
    columns = [column for column in _PLAIN_FIELDS if any(column in names for names in changed.values())]
    save_columns(altered, [*columns, "last_modification"])
    publication.publish(publication.keys_of_aliases([alias.pk for alias in altered]))
    for alias in altered:
        record(alias, changed=changed[alias.pk])
    return list(stored.values())


def update_alias(actor: Actor, /, alias: Alias, **values: Any) -> Alias:
    """One alias; *values* are the fields of :class:`AliasChange`."""
    return update_aliases(actor, [AliasChange(alias=alias, **values)])[0]


def _set_plain_fields(alias: Alias, change: AliasChange) -> list[str]:
    changed = []
    for column in _PLAIN_FIELDS:
        value = getattr(change, column)
        if not isinstance(value, Unset) and value != getattr(alias, column):
            setattr(alias, column, value)
            changed.append(column)
    return changed


def _lock_around(aliases: Sequence[Alias], recipients: Iterable[Sequence[str]], actor: Actor) -> None:
    """Lock the domains of *aliases*, of what they deliver to, and of their new *recipients*."""
    rows = AliasRecipient.objects.filter(alias__in=[alias.pk for alias in aliases])
    pairs = rows.values_list("mailbox__domain", "target_alias__domain")  # None for outside: nothing to lock
    lock_domains(
        actor,
        ids={alias.domain_id for alias in aliases}.union(*pairs),
        names={_domain_of(address) for addresses in recipients for address in addresses},
    )


# --- delete ----------------------------------------------------------------------------------------------------


@operation("alias.delete", allow=policies.may_manage_aliases)
def delete_aliases(actor: Actor, /, aliases: Sequence[Alias]) -> None:
    """Delete aliases, also as recipients of others; an alias that loses its last recipient goes too.

    Codes: ``gone``, ``above_you``.
    """
    refusals = Refusals()
    lock_domains(actor, ids=[alias.domain_id for alias in aliases])
    stored = Alias.objects.visible_to(actor).in_bulk([alias.pk for alias in aliases])
    above = addresses_above(actor, [alias.address for alias in stored.values()])
    for position, alias in enumerate(aliases):
        if alias.pk not in stored:
            refusals.add(position, "", "gone", _("This alias does not exist any more."))
        elif alias.address in above:
            refuse_above(refusals, position, "", alias.address)
    refusals.raise_if_any()
    returned = Owned()
    publication.publish(remove_aliases(Alias.objects.filter(pk__in=stored), returned))
    give_back(returned)


def remove_aliases(aliases: QuerySet[Alias], returned: Owned) -> publication.Keys:
    """Delete aliases with their recipient rows, then those that are left without recipients; keys of all of them.

    Notes in *returned* what is to be given back. Part of other operations: no policy, no publication. One round per
    step of the longest chain of aliases. What goes, and what only loses a recipient, is recorded.
    """
    keys = publication.Keys()
    while ending := list(aliases.select_for_update()):  # the owner could change
        doomed = {alias.pk for alias in ending}
        for alias in ending:
            keys.addresses.add(alias.address)
            returned += owned_by(Kind.MAILBOX_ALIASES, [alias.owner_id])
            record(alias, versions=())
        leading = AliasRecipient.objects.filter(target_alias__in=doomed)
        feeding = dict(leading.values_list("alias_id", "alias__address"))
        keys.addresses.update(feeding.values())
        AliasRecipient.objects.filter(alias__in=doomed).delete()
        AliasRecipient.objects.filter(target_alias__in=doomed).delete()
        Alias.objects.filter(pk__in=doomed).delete()
        aliases = Alias.objects.filter(pk__in=left_without(feeding.keys() - doomed))
    return keys


def left_without(feeding: Iterable[int]) -> list[int]:
    """Of aliases that lost a recipient: ids of those that have none left; the others are recorded as changed."""
    aliases = Alias.objects.in_bulk(list(feeding))
    kept = set(AliasRecipient.objects.filter(alias__in=aliases).values_list("alias_id", flat=True))
    for pk in kept:
        record(aliases[pk], changed=["recipients"], versions=())
    return [pk for pk in aliases if pk not in kept]
