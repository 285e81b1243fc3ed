"""Creating, changing and deleting domains and domain aliases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import policies, publication
from admin.allocation import DomainQuotas, storable
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    DomainName,
    Mailbox,
    SenderAddress,
)
from admin.models.domain import DomainKind
from admin.operations.accounts import (
    lock_super_admins,
    refuse_last_super_admin,
    remove_accounts,
    remove_mailboxes,
    super_admins_without,
)
from admin.operations.aliases import remove_aliases
from admin.operations.allowances import check_room, owned_by
from admin.operations.authorized_mx import Objection, canonical_names, unauthorized
from admin.operations.domain_limits import LIMIT_COLUMNS, limits_of_new, possessions, settle_limits
from admin.operations.ground import (
    UNSET,
    Unset,
    duplicates,
    grammatical,
    grammatical_list,
    lock_domains,
    out_of_reach,
    refuse_repetitions,
    refuse_unknown_domain,
)
from admin.operations.quotas import check_domain_quotas, check_followers_usage, check_within_pool
from admin.operations.renaming import carry_domain_name, logins_taken_under, people_under, too_long_under
from admin.operations.saving import delete_rows, save_columns
from admin.reserved_names import is_reserved
from core.addresses import canonical_domain, display_domain, split_address
from core.operation import operation, record
from core.operations.seen import check_seen
from core.refusals import Refusals
from core.roles import Role
from limits.kinds import Kind
from limits.operations import Demand, give_back, spend
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from core.actor import Actor

MAX_ALIASES = 1_000
_NAMES_IN_A_QUERY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSpec:
    """A domain to create. Quotas in MB, 0 = no limit; *aliases* are further names of the domain.

    Limits: how many of each it may hold, -1 = no limit, None the value of the parameters.
    """

    name: str
    quota: int = 0
    default_mailbox_quota: int = 0
    enabled: bool = True
    enable_dns_checks: bool = True
    domain_aliases_limit: int | None = None
    mailboxes_limit: int | None = None
    mailbox_aliases_limit: int | None = None
    domain_admins_limit: int | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainAliasSpec:
    """Another name for the domain *target*."""

    name: str
    target: str
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainAliasChange:
    """New values of a domain alias; what is UNSET stays. *target* is the name of a domain."""

    alias: DomainAlias
    name: str | Unset = UNSET
    target: str | Unset = UNSET
    enabled: bool | Unset = UNSET
    seen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainChange:
    """New values of a domain; what is UNSET stays. *aliases* replaces the list of further names.

    With *keep_old_name* a renamed domain keeps its old name as an alias. A default below what a mailbox that follows it
    uses needs *confirm_below_usage*. *seen* is the last event about the domain that the caller knows (None: he does not
    ask to be told of changes meanwhile).
    """

    domain: Domain
    name: str | Unset = UNSET
    keep_old_name: bool = False
    quota: int | Unset = UNSET
    default_mailbox_quota: int | Unset = UNSET
    confirm_below_usage: bool = False
    enabled: bool | Unset = UNSET
    enable_dns_checks: bool | Unset = UNSET
    domain_aliases_limit: int | Unset = UNSET
    mailboxes_limit: int | Unset = UNSET
    mailbox_aliases_limit: int | Unset = UNSET
    domain_admins_limit: int | Unset = UNSET
    aliases: tuple[str, ...] | Unset = UNSET
    seen: int | None = None


# --- create ----------------------------------------------------------------------------------------------------


def create_domains(actor: Actor, /, specs: Sequence[DomainSpec]) -> list[Domain]:
    """New domains, owned by the actor, with their aliases.

    Codes: those of the grammar, ``name_taken``, ``repeated``, ``reserved_name``, ``quota_out_of_range``,
    ``default_quota_too_big``, ``quota_required``, ``default_quota_required``, ``recipients_there``, ``too_many``,
    ``mx_not_authorized``, ``mx_missing``, ``mx_unknown``, ``limit_reached``, ``domain_limit_reached``,
    ``limit_out_of_range``.
    """
    names = [name for spec in specs for name in (spec.name, *spec.aliases)]
    return create_checked_domains(actor, specs, unauthorized(actor, names))


@operation("domain.create", allow=policies.may_manage_domains)
def create_checked_domains(
    actor: Actor,
    /,
    specs: Sequence[DomainSpec],
    objections: Mapping[str, Objection],
    *,
    kind: DomainKind = DomainKind.DOMAIN,
    complete: Callable[[Sequence[Domain]], object] | None = None,
) -> list[Domain]:
    """As :func:`create_domains`, when the DNS has been asked already.

    Those of another *kind* belong to an app above: *complete* adds what it keeps of them, before they are published.
    """
    refusals = Refusals()
    drafts = [_canonical_spec(spec, position, refusals) for position, spec in enumerate(specs)]
    _check_names(actor, [(d.name, *d.aliases) for d in drafts], objections, refusals)
    further = [(position, "aliases", name) for position, d in enumerate(drafts) for name in d.aliases]
    _check_recipients_there(further, refusals)
    _check_new_quotas(actor, drafts, refusals)
    limits = limits_of_new(drafts, refusals)
    places = list(range(len(drafts)))
    demands = [
        Demand(Kind.DOMAINS, places, "name"),
        Demand(Kind.DOMAIN_ALIASES, [position for position, _field, _name in further], "aliases"),
        Demand(Kind.QUOTA, places, "quota", [d.quota if storable(d.quota) else 0 for d in drafts]),
    ]
    spend(actor, demands, refusals)
    refusals.raise_if_any()
    domains = Domain.objects.bulk_create(
        Domain(
            name=draft.name,
            type=kind,
            quota=draft.quota,
            default_mailbox_quota=draft.default_mailbox_quota,
            enabled=draft.enabled,
            enable_dns_checks=draft.enable_dns_checks,
            owner=actor.user,
            **own,
        )
        for draft, own in zip(drafts, limits, strict=True)
    )
    DomainName.objects.bulk_create(DomainName(name=domain.name, domain=domain) for domain in domains)
    aliases = _save_domain_aliases(
        [
            DomainAlias(name=name, target=domain, owner=actor.user)
            for domain, draft in zip(domains, drafts, strict=True)
            for name in draft.aliases
        ]
    )
    if complete is not None:
        complete(domains)
    keys = publication.keys_of_names([*(d.name for d in domains), *(alias.name for alias in aliases)])
    publication.publish(keys | _drop_foreign_senders(dict.fromkeys(keys.names)))
    for domain in domains:
        record(domain)
    for alias in aliases:
        record(alias)
    return domains


def create_domain(actor: Actor, /, **values: Any) -> Domain:
    """One domain; *values* are the fields of :class:`DomainSpec`."""
    return create_domains(actor, [DomainSpec(**values)])[0]


def create_domain_aliases(actor: Actor, /, specs: Sequence[DomainAliasSpec]) -> list[DomainAlias]:
    """Further names for existing domains.

    Codes: as for domains as far as they are about names, ``unknown_domain``, ``limit_reached``,
    ``domain_limit_reached``.
    """
    return create_checked_domain_aliases(actor, specs, unauthorized(actor, [spec.name for spec in specs]))


@operation("domain_alias.create", allow=policies.may_manage_domains)
def create_checked_domain_aliases(
    actor: Actor, /, specs: Sequence[DomainAliasSpec], objections: Mapping[str, Objection]
) -> list[DomainAlias]:
    """As :func:`create_domain_aliases`, when the DNS has been asked already."""
    refusals = Refusals()
    drafts = [
        replace(
            spec,
            name=grammatical(canonical_domain, spec.name, refusals, position, "name"),
            target=grammatical(canonical_domain, spec.target, refusals, position, "target"),
        )
        for position, spec in enumerate(specs)
    ]
    domains = lock_domains(actor, names=[draft.target for draft in drafts])
    for position, draft in enumerate(drafts):
        if draft.target and draft.target not in domains:
            refuse_unknown_domain(refusals, position, "target", draft.target)
    _check_names(actor, [(draft.name,) for draft in drafts], objections, refusals)
    _check_recipients_there(
        [(position, "name", draft.name) for position, draft in enumerate(drafts)], refusals
    )
    spend(actor, [Demand(Kind.DOMAIN_ALIASES, range(len(drafts)), "name")], refusals)
    homes = [(p, domains[draft.target]) for p, draft in enumerate(drafts) if draft.target in domains]
    check_room(Kind.DOMAIN_ALIASES, homes, refusals, "name")
    refusals.raise_if_any()
    aliases = _save_domain_aliases(
        [
            DomainAlias(name=d.name, target=domains[d.target], enabled=d.enabled, owner=actor.user)
            for d in drafts
        ]
    )
    keys = publication.keys_of_names(alias.name for alias in aliases)
    publication.publish(keys | _drop_foreign_senders({alias.name: alias.target_id for alias in aliases}))
    for alias in aliases:
        record(alias)
    return aliases


def _canonical_spec(spec: DomainSpec, position: int, refusals: Refusals) -> DomainSpec:
    return replace(
        spec,
        name=grammatical(canonical_domain, spec.name, refusals, position, "name"),
        aliases=_canonical_aliases(spec.aliases, position, refusals),
    )


def _canonical_aliases(names: Sequence[str], position: int, refusals: Refusals) -> tuple[str, ...]:
    return grammatical_list(canonical_domain, names, MAX_ALIASES, refusals, position, "aliases")


def _check_names(
    actor: Actor,
    batch: Sequence[tuple[str, ...]],
    objections: Mapping[str, Objection],
    refusals: Refusals,
) -> None:
    """One name space: the first name of each entry goes to the field ``name``, the others to ``aliases``."""
    every = [name for names in batch for name in names if name]
    repeated = duplicates(every)
    taken = {
        entry.name: entry
        for entry in DomainName.objects.filter(name__in=every).select_related("domain", "alias__target")
    }
    for position, names in enumerate(batch):
        for field, name in _named_fields(names):
            if not name:
                continue
            if name in repeated:
                message = _("“%(name)s” is asked for more than once.") % {"name": display_domain(name)}
                refusals.add(position, field, "repeated", message)
            elif name in taken:
                refusals.add(position, field, "name_taken", _taken_message(actor, taken[name]))
            elif not actor.is_super and is_reserved(name, settings.MODOBOA_RESERVED_DOMAINS):
                message = _(
                    "“%(name)s” cannot be added by yourself; ask the administrator of this server."
                ) % {"name": display_domain(name)}
                refusals.add(position, field, "reserved_name", message)
            elif name in objections:
                refusals.add(position, field, objections[name].code, objections[name].message)


def _check_recipients_there(asked: Iterable[tuple[int, str, str]], refusals: Refusals) -> None:
    """Refuse (position, field, name) of a domain alias that recipients of aliases lie under.

    They were outside until now. As addresses of the target they could lead mail in a circle, or to nobody.
    """
    named = [(position, field, name) for position, field, name in asked if name]
    used: set[str] = set()
    for some in publication.chunks((name for _position, _field, name in named), size=_NAMES_IN_A_QUERY):
        rows = AliasRecipient.objects.filter(_under(some)).values_list("address", flat=True)
        used.update(split_address(address)[1] for address in rows)
    for position, field, name in named:
        if name in used:
            message = _("Aliases deliver to addresses under “%(name)s”. Change these recipients first.")
            refusals.add(position, field, "recipients_there", message % {"name": display_domain(name)})


def _drop_foreign_senders(keepers: Mapping[str, int | None]) -> publication.Keys:
    """Take back sender addresses under names, except those of mailboxes in the domain (by id) that has the name.

    They were given while the name was nobody's here; now only its administrators give them. Keys of what went.
    """
    keys = publication.Keys()
    for some in publication.chunks(keepers, size=_NAMES_IN_A_QUERY):
        rows = SenderAddress.objects.filter(_under(some)).select_related("mailbox")
        gone = [row for row in rows if row.mailbox.domain_id != keepers[split_address(row.address)[1]]]
        keys.addresses.update(row.address for row in gone)
        for account in Account.objects.filter(pk__in={row.mailbox.user_id for row in gone}):
            record(account, changed=["sender_addresses"], versions=())
        SenderAddress.objects.filter(pk__in=[row.pk for row in gone]).delete()
    return keys


def _under(names: Iterable[str]) -> Q:
    """Addresses in one of the domains."""
    return reduce(or_, (Q(address__endswith=f"@{name}") for name in names))


def _named_fields(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [("aliases" if index else "name", name) for index, name in enumerate(names)]


def _taken_message(actor: Actor, entry: DomainName) -> Any:
    """What holds the name; who may not see it learns only that it is taken."""
    shown = {"name": display_domain(entry.name)}
    if actor.is_super and entry.alias is not None:
        shown["target"] = display_domain(entry.alias.target.name)
        return _("“%(name)s” is an alias of %(target)s already. Remove it there first.") % shown
    if actor.is_super:
        return _("The domain “%(name)s” exists already.") % shown
    return _("“%(name)s” is taken already. Choose another name.") % shown


_QUOTAS = ("quota", "default_mailbox_quota")


def _check_new_quotas(actor: Actor, drafts: Sequence[DomainSpec], refusals: Refusals) -> None:
    for position, draft in enumerate(drafts):
        check_domain_quotas(draft.quota, draft.default_mailbox_quota, refusals, position)
    asked = {
        position: DomainQuotas(
            domain=None,
            owner=actor.pk,
            quota=draft.quota,
            default=draft.default_mailbox_quota,
            changed=_QUOTAS,
        )
        for position, draft in enumerate(drafts)
    }
    check_within_pool(actor, asked, refusals)


def _save_domain_aliases(aliases: list[DomainAlias]) -> list[DomainAlias]:
    saved = DomainAlias.objects.bulk_create(aliases)
    DomainName.objects.bulk_create(DomainName(name=alias.name, alias=alias) for alias in saved)
    return saved


# --- change ----------------------------------------------------------------------------------------------------

_PLAIN_FIELDS = ("quota", "default_mailbox_quota", "enabled", "enable_dns_checks", *LIMIT_COLUMNS)


@dataclass(slots=True)
class DomainDraft:
    """A locked domain with its new values, not saved yet; *aliases* is None when they stay."""

    domain: Domain
    changed: list[str]
    present: dict[str, DomainAlias]
    aliases: tuple[str, ...] | None
    old_quota: int = 0
    old_name: str = ""
    keeps_old_name: bool = False

    @property
    def is_renamed(self) -> bool:
        """The domain gets another name."""
        return bool(self.old_name)

    @property
    def claimed(self) -> str:
        """The new name, unless the domain has it as an alias already."""
        return self.domain.name if self.is_renamed and self.domain.name not in self.present else ""

    @property
    def new_aliases(self) -> list[str]:
        """Names to add."""
        own = [self.old_name] if self.keeps_old_name else []
        names = {self.domain.name, self.old_name} if self.is_renamed else set()
        asked = [name for name in self.aliases or () if name not in self.present and name not in names]
        return own + asked

    @property
    def lost_aliases(self) -> list[DomainAlias]:
        """Aliases to remove."""
        wanted = self.present.keys() if self.aliases is None else set(self.aliases)
        return [a for name, a in self.present.items() if name not in wanted or name == self.domain.name]


def update_domains(
    actor: Actor,
    /,
    changes: Sequence[DomainChange],
    *,
    complete: Callable[[Sequence[Domain]], object] | None = None,
) -> list[Domain]:
    """Change domains. A new default mailbox quota reaches every mailbox that uses it.

    *complete* is called with them at the end of the transaction.

    A new name carries everything under the old one with it: addresses, logins, recipients, usage, sender addresses.
    A quota below what the mailboxes have together is accepted where the owner's is not limited: they keep theirs, and
    get no more. Codes: as for creation, ``below_allocated``, ``quota_exceeds_domain``, ``below_usage``, ``gone`` for a
    domain that was deleted meanwhile, ``logins_there``, ``address_too_long``, ``above_you``, ``below_use``,
    ``changed_meanwhile``.
    """
    asked = {
        name
        for change in changes
        for name in (change.name, *(() if isinstance(change.aliases, Unset) else change.aliases))
        if not isinstance(name, Unset)
    }
    return _update_domains(actor, changes, unauthorized(actor, _unknown(asked)), complete=complete)


def _unknown(asked: Iterable[str]) -> list[str]:
    """Names that are not here yet, in canonical form; the grammar has its say later."""
    names = canonical_names(asked)
    known = DomainName.objects.filter(name__in=names).values_list("name", flat=True) if names else ()
    return sorted(names.difference(known))


@operation("domain.update", allow=policies.may_manage_domains)
def _update_domains(
    actor: Actor,
    /,
    changes: Sequence[DomainChange],
    objections: Mapping[str, Objection],
    *,
    complete: Callable[[Sequence[Domain]], object] | None,
) -> list[Domain]:
    refusals = Refusals()
    locked = {d.pk: d for d in lock_domains(actor, ids=[c.domain.pk for c in changes]).values()}
    present: dict[int, dict[str, DomainAlias]] = {pk: {} for pk in locked}
    for alias in DomainAlias.objects.filter(target__in=locked).select_for_update():
        present[alias.target_id][alias.name] = alias
    drafts: dict[int, DomainDraft] = {}
    new_names: list[tuple[str, ...]] = []
    repeated = refuse_repetitions([(c.domain.pk, display_domain(c.domain.name)) for c in changes], refusals)
    for position, change in enumerate(changes):
        new_names.append(())
        if change.domain.pk not in locked:
            refusals.add(position, "", "gone", _("This domain does not exist any more."))
            continue
        if position in repeated:
            continue
        domain = locked[change.domain.pk]
        draft = _draft_change(change, domain, present[domain.pk], position, refusals)
        drafts[position] = draft
        new_names[position] = (draft.claimed, *(name for name in draft.new_aliases if name != draft.old_name))
        if draft.is_renamed:
            _check_new_name(actor, draft, refusals, position)
    _check_changed_quotas(actor, changes, drafts, refusals)
    check_seen("domain", {p: (c.domain.pk, c.seen) for p, c in enumerate(changes)}, refusals)
    _check_names(actor, new_names, objections, refusals)
    named = [(position, *each) for position, names in enumerate(new_names) for each in _named_fields(names)]
    _check_recipients_there(named, refusals)
    settle_limits(actor, drafts, refusals)
    refusals.raise_if_any()
    _apply(actor, list(drafts.values()))
    changed = [draft.domain for draft in drafts.values()]
    if complete is not None:
        complete(changed)
    return changed


def _check_changed_quotas(
    actor: Actor, changes: Sequence[DomainChange], drafts: Mapping[int, DomainDraft], refusals: Refusals
) -> None:
    """Stored values are never judged again, whatever else changes."""
    asked = {
        position: DomainQuotas(
            domain=draft.domain.pk,
            owner=draft.domain.owner_id,
            quota=draft.domain.quota,
            default=draft.domain.default_mailbox_quota,
            old_quota=draft.old_quota,
            changed=draft.changed,
        )
        for position, draft in drafts.items()
    }
    check_within_pool(actor, asked, refusals)
    new_defaults = {
        position: (draft.domain.pk, draft.domain.default_mailbox_quota)
        for position, draft in drafts.items()
        if "default_mailbox_quota" in draft.changed and not changes[position].confirm_below_usage
    }
    check_followers_usage(new_defaults, refusals)


def _check_new_name(actor: Actor, draft: DomainDraft, refusals: Refusals, position: int) -> None:
    """Everybody's address and login may follow: it stays possible, unique, and within the actor's reach."""
    domain, old = draft.domain, draft.old_name
    shown = {"name": display_domain(domain.name), "old": display_domain(old)}
    if too_long_under(domain, old, domain.name):
        message = _("An address under “%(name)s” would be longer than addresses can be.")
        refusals.add(position, "name", "address_too_long", message % shown)
    if logins_taken_under(domain, old, domain.name):
        message = _(
            "Somebody signs in with a name under “%(name)s” that would be given twice. Rename the account first."
        )
        refusals.add(position, "name", "logins_there", message % shown)
    above = Account.objects.beyond_reach_of(actor)
    if not actor.is_super and above.filter(people_under(domain, old)).exists():
        message = _(
            "Under “%(old)s” is the mailbox or the login of an account that is not yours to administer."
        )
        refusals.add(position, "name", "above_you", message % shown)


def update_domain(actor: Actor, /, domain: Domain, **values: Any) -> Domain:
    """One domain; *values* are the fields of :class:`DomainChange`."""
    return update_domains(actor, [DomainChange(domain=domain, **values)])[0]


def _draft_change(
    change: DomainChange,
    domain: Domain,
    present: dict[str, DomainAlias],
    position: int,
    refusals: Refusals,
) -> DomainDraft:
    changed, old_quota = [], domain.quota
    for column in _PLAIN_FIELDS:
        value = getattr(change, column)
        if not isinstance(value, Unset) and value != getattr(domain, column):
            setattr(domain, column, value)
            changed.append(column)
    check_domain_quotas(domain.quota, domain.default_mailbox_quota, refusals, position)
    aliases = None
    if not isinstance(change.aliases, Unset):
        aliases = _canonical_aliases(change.aliases, position, refusals)
    draft = DomainDraft(domain, changed, present, aliases, old_quota)
    if not isinstance(change.name, Unset):
        name = grammatical(canonical_domain, change.name, refusals, position, "name")
        if name and name != domain.name:
            draft.keeps_old_name = change.keep_old_name or domain.name in (aliases or ())
            draft.old_name, domain.name = domain.name, name
            changed.append("name")
    return draft


def _apply(actor: Actor, drafts: Sequence[DomainDraft]) -> None:
    """Write the checked changes and publish what they touch."""
    lost = [alias for draft in drafts for alias in draft.lost_aliases]
    _remove_domain_aliases(lost)
    renamed = [draft for draft in drafts if draft.is_renamed]
    keys, fresh = _rename(renamed)
    new = _save_domain_aliases(
        [
            DomainAlias(name=name, target=draft.domain, owner=actor.user)
            for draft in drafts
            for name in draft.new_aliases
        ]
    )
    for draft in drafts:
        draft.changed += ["aliases"] if draft.new_aliases or draft.lost_aliases else []
    altered = [draft for draft in drafts if draft.changed]
    now = timezone.now()
    for draft in altered:
        draft.domain.last_modification = now
    changed = {column for draft in altered for column in draft.changed}
    columns = [column for column in (*_PLAIN_FIELDS, "name") if column in changed]
    save_columns([draft.domain for draft in altered], [*columns, "last_modification"])
    keys |= publication.keys_of_names(alias.name for alias in (*new, *lost))
    keys |= _drop_foreign_senders({alias.name: alias.target_id for alias in new})
    keys |= _follow_defaults([d.domain.pk for d in altered if "default_mailbox_quota" in d.changed])
    if switched := [draft.domain.pk for draft in altered if "enabled" in draft.changed]:
        keys |= publication.keys_of_domains(switched)
    publication.publish(keys, gone=_addresses_under({draft.old_name for draft in renamed}, keys), fresh=fresh)
    for draft in altered:
        record(draft.domain, changed=draft.changed)


def _addresses_under(names: Collection[str], keys: publication.Keys) -> set[str]:
    """Addresses of *keys* that lie under names which are nobody's any more; ``@name`` may still lead elsewhere."""
    parts = ((address, *address.partition("@")) for address in keys.addresses) if names else ()
    return {address for address, local_part, _at, name in parts if local_part and name in names}


def _rename(drafts: Sequence[DomainDraft]) -> tuple[publication.Keys, set[str]]:
    """Carry everything under the old names to the new ones; the rows of the domains themselves come later.

    Returns the keys that this touches, and those of the addresses that came into being.
    """
    dropped = _drop_foreign_senders({draft.domain.name: draft.domain.pk for draft in drafts})
    keys, fresh = dropped, set[str]()
    for draft in drafts:
        old, new = draft.old_name, draft.domain.name
        before = carry_domain_name(draft.domain, old, new)
        DomainName.objects.filter(domain=draft.domain).update(name=new)
        after = publication.renamed_keys(before, old, new)
        fresh |= _addresses_under({new}, after) - before.addresses
        keys |= before | after
    return keys, fresh - dropped.addresses


def _follow_defaults(ids: Sequence[int]) -> publication.Keys:
    """Give the mailboxes that follow the default quota of their domains its new value."""
    if not ids:
        return publication.Keys()
    followers = Mailbox.objects.filter(domain__in=ids, use_domain_quota=True)
    default = Domain.objects.filter(pk=OuterRef("domain_id")).values("default_mailbox_quota")
    followers.update(quota=Subquery(default))
    return publication.Keys(addresses=set(followers.values_list("user__email", flat=True)))


def _remove_domain_aliases(aliases: Sequence[DomainAlias]) -> None:
    ids = [alias.pk for alias in aliases]
    if ids:
        DomainName.objects.filter(alias__in=ids).delete()
        DomainAlias.objects.filter(pk__in=ids).delete()


# --- domain aliases by themselves ------------------------------------------------------------------------------


def update_domain_aliases(actor: Actor, /, changes: Sequence[DomainAliasChange]) -> list[DomainAlias]:
    """Change domain aliases. Codes: as for creation, ``gone``, ``changed_meanwhile``."""
    asked = [change.name for change in changes if not isinstance(change.name, Unset)]
    return _update_domain_aliases(actor, changes, unauthorized(actor, _unknown(asked)))


@operation("domain_alias.update", allow=policies.may_manage_domains)
def _update_domain_aliases(
    actor: Actor, /, changes: Sequence[DomainAliasChange], objections: Mapping[str, Objection]
) -> list[DomainAlias]:
    refusals = Refusals()
    asked = [change.alias for change in changes]
    targets = {
        position: grammatical(canonical_domain, change.target, refusals, position, "target")
        for position, change in enumerate(changes)
        if not isinstance(change.target, Unset)
    }
    domains = lock_domains(actor, names=targets.values(), ids=[alias.target_id for alias in asked])
    stored = _locked_aliases(actor, asked, refusals)
    keys = publication.keys_of_names(alias.name for alias in stored.values())
    changed: dict[int, list[str]] = {}
    new_names: list[tuple[str, ...]] = [()] * len(changes)
    for position, change in enumerate(changes):
        alias, target = stored.get(change.alias.pk), targets.get(position, "")
        if alias is None:
            continue
        if target and target not in domains:
            refuse_unknown_domain(refusals, position, "target", target)
        changed[position] = _set_alias(alias, change, domains.get(target), position, refusals)
        new_names[position] = (alias.name,) if "name" in changed[position] else ()
    check_seen("domainalias", {p: (c.alias.pk, c.seen) for p, c in enumerate(changes)}, refusals)
    _check_names(actor, new_names, objections, refusals)
    _check_recipients_there(
        [(p, "name", name) for p, names in enumerate(new_names) for name in names], refusals
    )
    moved = [(p, stored[asked[p].pk].target) for p, names in changed.items() if "target" in names]
    check_room(Kind.DOMAIN_ALIASES, moved, refusals, "target")
    refusals.raise_if_any()
    altered = [stored[asked[p].pk] for p, names in changed.items() if names]
    now = timezone.now()
    for alias in altered:
        alias.last_modification = now
    columns = sorted({name for names in changed.values() for name in names})
    save_columns(altered, [*columns, "last_modification"])
    for position, names in changed.items():
        if "name" in names:
            alias = stored[asked[position].pk]
            DomainName.objects.filter(alias=alias).update(name=alias.name)
    keys |= publication.keys_of_names(alias.name for alias in altered)
    keys |= _drop_foreign_senders({alias.name: alias.target_id for alias in altered})
    publication.publish(keys)
    for position, names in changed.items():
        if names:
            record(stored[asked[position].pk], changed=names)
    return [stored[alias.pk] for alias in asked]


def _set_alias(
    alias: DomainAlias, change: DomainAliasChange, target: Domain | None, position: int, refusals: Refusals
) -> list[str]:
    """Give *alias* its new values; the names of those that are new."""
    new: dict[str, Any] = {}
    if not isinstance(change.name, Unset):
        new["name"] = grammatical(canonical_domain, change.name, refusals, position, "name") or alias.name
    if target is not None:
        new["target"] = target
    if not isinstance(change.enabled, Unset):
        new["enabled"] = change.enabled
    changed = [name for name, value in new.items() if value != getattr(alias, name)]
    for name in changed:
        setattr(alias, name, new[name])
    return changed


@operation("domain_alias.delete", allow=policies.may_manage_domains)
def delete_domain_aliases(actor: Actor, /, aliases: Sequence[DomainAlias]) -> None:
    """Give names up. Code: ``gone``."""
    refusals = Refusals()
    lock_domains(actor, ids=[alias.target_id for alias in aliases])
    stored = _locked_aliases(actor, aliases, refusals)
    refusals.raise_if_any()
    lost = list(stored.values())
    for alias in lost:
        record(alias, versions=())
    keys = publication.keys_of_names(alias.name for alias in lost)
    _remove_domain_aliases(lost)
    give_back(owned_by(Kind.DOMAIN_ALIASES, [alias.owner_id for alias in lost]))
    publication.publish(keys)


def _locked_aliases(
    actor: Actor, aliases: Sequence[DomainAlias], refusals: Refusals
) -> dict[int, DomainAlias]:
    """Those that the actor still sees, by id."""
    refuse_repetitions([(alias.pk, display_domain(alias.name)) for alias in aliases], refusals)
    rows = DomainAlias.objects.visible_to(actor).select_for_update().order_by("pk")
    stored = rows.in_bulk([alias.pk for alias in aliases])
    for position, alias in enumerate(aliases):
        if alias.pk not in stored:
            refusals.add(position, "", "gone", _("This domain alias does not exist any more."))
    return stored


# --- delete ----------------------------------------------------------------------------------------------------

_dependants: list[Callable[[Sequence[int]], None]] = []


def on_deletion(delete_theirs: Callable[[Sequence[int]], None]) -> None:
    """Let an app above delete what it keeps of domains (ids), in the transaction that deletes them."""
    if delete_theirs not in _dependants:
        _dependants.append(delete_theirs)


@operation("domain.delete", allow=policies.may_manage_domains)
def delete_domains(actor: Actor, /, domains: Sequence[Domain], *, keep_directories: bool = False) -> None:
    """Delete domains with all that is in them: aliases, mailboxes, and the accounts of simple users.

    Accounts of administrators stay without their mailbox, unless the parameter ``auto_account_removal`` is on. Aliases
    elsewhere lose their recipients here. Mail directories go to the trash if the panel handles them, unless they are
    to be kept. Codes: ``gone``, ``own_mailbox``, ``above_you``, ``last_super_admin``.
    """
    refusals = Refusals()
    locked = {d.pk: d for d in lock_domains(actor, ids=[domain.pk for domain in domains]).values()}
    boxes = list(Mailbox.objects.filter(domain__in=locked).order_by("pk").select_for_update())
    people = {account.pk: account for account in Account.objects.filter(mailbox__domain__in=locked)}
    for box in boxes:
        box.user, box.domain = people[box.user_id], locked[box.domain_id]
    ending = _ending(people)
    _check_deletion(actor, domains, locked, boxes, refusals)
    _check_super_admin_remains(domains, boxes, ending, refusals)
    refusals.raise_if_any()
    ids = list(locked)
    keys = publication.keys_of_domains(ids)
    returned = possessions(locked.values())
    keys |= remove_aliases(Alias.objects.filter(domain__in=ids), returned)
    keys |= remove_mailboxes(boxes, returned, keep_directories=keep_directories, domains=ids)
    keys |= _drop_foreign_senders(dict.fromkeys(keys.names))
    give_back(returned)  # before anybody takes over what is left
    _remove_people(actor, people, ending)
    DomainName.objects.filter(name__in=keys.names).delete()
    DomainAlias.objects.filter(target__in=ids).delete()
    for domain in locked.values():
        record(domain, versions=())
    Domain.administrators.through.objects.filter(domain__in=ids).delete()
    for delete_theirs in _dependants:
        delete_theirs(ids)
    delete_rows(Domain.objects.filter(pk__in=ids))
    whole = publication.keys_of_names(keys.names).addresses
    publication.publish(keys, gone=_addresses_under(keys.names, keys) | whole)


def _check_deletion(
    actor: Actor,
    domains: Sequence[Domain],
    locked: Mapping[int, Domain],
    boxes: Sequence[Mailbox],
    refusals: Refusals,
) -> None:
    """Nobody loses his own mailbox this way, nor does anybody whom the actor cannot edit."""
    beyond = out_of_reach(actor, (box.user_id for box in boxes))
    own = {box.domain_id for box in boxes if box.user_id == actor.pk}
    protected = {box.domain_id for box in boxes if box.user_id in beyond}
    for position, domain in enumerate(domains):
        shown = {"name": display_domain(domain.name)}
        if domain.pk not in locked:
            refusals.add(position, "", "gone", _("This domain does not exist any more."))
        elif domain.pk in own:
            message = _("Your own mailbox is in “%(name)s”. Ask another administrator.")
            refusals.add(position, "", "own_mailbox", message % shown)
        elif domain.pk in protected:
            message = _("In “%(name)s” is the mailbox of an account that is not yours to administer.")
            refusals.add(position, "", "above_you", message % shown)


def _ending(people: Mapping[int, Account]) -> dict[int, Account]:
    """Accounts that end with their mailboxes."""
    everybody = bool(get_global_parameter("auto_account_removal", "admin"))
    return {pk: each for pk, each in people.items() if everybody or each.role == Role.SIMPLE_USER}


def _check_super_admin_remains(
    domains: Sequence[Domain], boxes: Sequence[Mailbox], ending: Mapping[int, Account], refusals: Refusals
) -> None:
    """Two of them who delete each other's domains at one moment must not both succeed."""
    doomed = {pk for pk, account in ending.items() if account.role == Role.SUPER_ADMIN}
    if not doomed:
        return
    lock_super_admins()
    if not super_admins_without(doomed):
        homes = {box.domain_id for box in boxes if box.user_id in doomed}
        position = next(position for position, domain in enumerate(domains) if domain.pk in homes)
        refuse_last_super_admin(refusals, position, "")


def _remove_people(actor: Actor, people: Mapping[int, Account], ending: Mapping[int, Account]) -> None:
    """Accounts end with their mailboxes; those of administrators may lose the address only."""
    staying = [each for pk, each in people.items() if pk not in ending]
    for account in staying:
        account.email = ""
        record(account, changed=["email"])
    Account.objects.filter(pk__in=[account.pk for account in staying]).update(email="")
    remove_accounts(actor, ending)
