"""Creating, changing and deleting accounts, with or without a mailbox."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Case, Q, Value, When
from django.utils.translation import gettext_lazy as _
from reversion.models import Revision

from admin import policies, publication
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    Mailbox,
    Quota,
    SenderAddress,
)
from admin.operations.account_aliases import AliasWish, edit_aliases
from admin.operations.aliases import left_without, link_recipients, remove_aliases
from admin.operations.allowances import check_room, owned_by
from admin.operations.ground import (
    addresses_above,
    check_quota,
    duplicates,
    foreign_names,
    grammatical,
    grammatical_list,
    lock_domains,
    out_of_reach,
    refuse_above,
    refuse_foreign_name,
    refuse_unknown_domain,
    utf8_local_parts,
)
from admin.operations.homes import home_for_new, occupied, settle_deletions
from admin.operations.quotas import check_shares, new_shares
from admin.operations.saving import delete_rows
from admin.roles_on_offer import is_unopposed
from core import signals
from core.addresses import (
    canonical_alias_address,
    canonical_domain,
    canonical_login_name,
    canonical_mailbox_address,
    canonical_sender_address,
    split_address,
)
from core.insertion import Draft, create, insert
from core.models import User
from core.operation import operation, record
from core.operations.passwords import Secret, check_secret, hashed_secrets, tell_plugins_of_password
from core.operations.profile import check_profile
from core.operations.tokens import remove_tokens_of
from core.refusals import Refusals
from core.roles import Role
from limits.kinds import Kind
from limits.operations import (
    Demand,
    Grant,
    Owned,
    end_allowances,
    give_back,
    open_allowances,
    set_limits,
    spend,
)
from parameters.operations import remove_preferences_of

if TYPE_CHECKING:
    from core.actor import Actor


S = TypeVar("S", "AccountSpec", "MailboxSpec")

# Roles that may own domains.
_OWNERS = (Role.SUPER_ADMIN, Role.RESELLER)
MAX_SENDER_ADDRESSES = 500
MAX_ALIASES = 500
MAX_ADMINISTERED = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSpec:
    """The mailbox of an account. *quota* in MB (0 = no limit); None follows the domain's default."""

    address: str
    quota: int | None = None
    sender_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpec:
    """An account to create. A simple user signs in with the address of his mailbox.

    *password* None makes a random one, which the result carries. *administers* names domains. *limits* None: those that
    the parameters name.
    """

    username: str
    role: Role = Role.SIMPLE_USER
    password: str | None = None
    first_name: str = ""
    last_name: str = ""
    is_active: bool = True
    language: str = ""
    phone_number: str = ""
    secondary_email: str = ""
    master_user: bool = False
    mailbox: MailboxSpec | None = None
    aliases: tuple[str, ...] = ()
    administers: tuple[str, ...] = ()
    limits: Mapping[Kind, int] | None = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A created account; *password* only when it was made at random, to be shown once."""

    account: Account
    password: str | None


# --- create ----------------------------------------------------------------------------------------------------


def create_accounts(actor: Actor, /, specs: Sequence[AccountSpec]) -> list[NewAccount]:
    """New accounts, owned by the actor.

    Codes: those of the grammar, ``role_not_yours``, ``name_taken``, ``address_taken``, ``repeated``,
    ``unknown_domain``, ``mailbox_needed``, ``name_is_not_address``, ``name_not_allowed``, ``quota_out_of_range``,
    ``quota_required``, ``quota_exceeds_domain``,
    those of the password validators, ``invalid_email``, ``unknown_language``, ``too_long``,
    ``administers_nothing``, ``limit_reached``, ``domain_limit_reached``, those of :func:`limits.operations.grant`.
    """
    return create_hashed_accounts(actor, specs, hashed_secrets([spec.password for spec in specs]))


def create_account(actor: Actor, /, **values: Any) -> NewAccount:
    """One account; *values* are the fields of :class:`AccountSpec`."""
    return create_accounts(actor, [AccountSpec(**values)])[0]


@operation("account.create", allow=policies.may_manage_accounts)
def create_hashed_accounts(
    actor: Actor, /, specs: Sequence[AccountSpec], secrets: Sequence[Secret]
) -> list[NewAccount]:
    """As :func:`create_accounts`, with passwords that are hashed already, one for each account."""
    refusals = Refusals()
    drafts = [_canonical_spec(spec, position, refusals) for position, spec in enumerate(specs)]
    domains = lock_domains(actor, names=_domain_names(drafts))
    homes = check_claims(
        [
            Claim(position, draft.username, draft.mailbox.address if draft.mailbox else "")
            for position, draft in enumerate(drafts)
        ],
        domains,
        refusals,
    )
    boxes = [draft.mailbox.address if draft.mailbox else "" for draft in drafts]
    # The address of the mailbox as a login is judged as an address.
    logins = {
        p: d.username for p, (d, box) in enumerate(zip(drafts, boxes, strict=True)) if d.username != box
    }
    senders = {p: draft.mailbox.sender_addresses for p, draft in enumerate(drafts) if draft.mailbox}
    check_foreign(actor, logins, senders, domains, refusals)
    blank = Draft(Account, owner_id=actor.pk)
    accounts = [_unsaved(blank, draft, secret, actor) for draft, secret in zip(drafts, secrets, strict=True)]
    for position, (draft, account, secret) in enumerate(zip(drafts, accounts, secrets, strict=True)):
        check_role(actor, draft.role, refusals, position)
        check_role_with_plugins(actor, draft.role, None, refusals, position)
        check_master(actor, account, refusals, position, wanted=draft.master_user)
        if draft.mailbox is None or draft.mailbox.address:
            address = draft.mailbox.address if draft.mailbox else ""
            check_simple_user(draft.role, draft.username, address, refusals, position)
        if draft.mailbox is None and draft.aliases:
            refusals.add(position, "aliases", "no_mailbox", _("This account has no mailbox."))
        check_profile(account, refusals, position)
        check_administered(draft.role, draft.administers, domains, refusals, position)
        check_secret(account, secret, refusals, position)
        if draft.mailbox is not None:
            check_quota(draft.mailbox.quota or 0, refusals, position, "quota")
    wanted = [(p, d.mailbox.address, d.mailbox.quota) for p, d in enumerate(drafts) if d.mailbox is not None]
    check_shares(actor, new_shares(wanted, domains), refusals)
    _spend(actor, drafts, domains, refusals)
    refusals.raise_if_any()
    create(accounts, key="username")
    open_allowances(actor, accounts)
    pairs = [(a, d.mailbox) for a, d in zip(accounts, drafts, strict=True) if d.mailbox is not None]
    mailboxes = save_mailboxes(actor, pairs, domains, homes)
    grant([(account.pk, draft.administers) for account, draft in zip(accounts, drafts, strict=True)], domains)
    arrived = {account.email: mailboxes[account.pk].pk for account, _spec in pairs}
    keys = _keys_of_new(drafts) | link_recipients("mailbox", arrived)
    publication.publish(keys, locked=domains)
    set_limits(
        actor, [Grant(account=a, limits=d.limits or {}) for a, d in zip(accounts, drafts, strict=True)]
    )
    for account, secret in zip(accounts, secrets, strict=True):
        tell_plugins_of_password(account, secret, created=True)
        mailbox = mailboxes.get(account.pk)
        record(account, versions=[account] if mailbox is None else [account, mailbox])
    wishes = [AliasWish(p, accounts[p], d.aliases, ()) for p, d in enumerate(drafts) if d.aliases]
    edit_aliases(actor, wishes)
    return [
        NewAccount(account, secret.clear if secret.is_random else None)
        for account, secret in zip(accounts, secrets, strict=True)
    ]


def _spend(
    actor: Actor, drafts: Sequence[AccountSpec], domains: Mapping[str, Domain], refusals: Refusals
) -> None:
    """Take mailboxes and domain administrators out of what the actor and the domains may have."""
    boxes = [(p, d.mailbox.address) for p, d in enumerate(drafts) if d.mailbox and d.mailbox.address]
    possible = Role.DOMAIN_ADMIN in policies.roles_to_give(actor)
    admins = [p for p, draft in enumerate(drafts) if possible and draft.role is Role.DOMAIN_ADMIN]
    demands = [
        Demand(Kind.MAILBOXES, [position for position, _address in boxes], "address"),
        Demand(Kind.DOMAIN_ADMINS, admins, "role"),
    ]
    spend(actor, demands, refusals)
    check_homes(boxes, domains, refusals)
    check_appointments([(p, name) for p, d in enumerate(drafts) for name in d.administers], domains, refusals)


def check_homes(boxes: Iterable[tuple[int, str]], domains: Mapping[str, Domain], refusals: Refusals) -> None:
    """New mailboxes (position, address) fit into their domains."""
    named = [(position, split_address(address)[1]) for position, address in boxes]
    homes = [(position, domains[name]) for position, name in named if name in domains]
    check_room(Kind.MAILBOXES, homes, refusals, "address")


def check_appointments(
    named: Iterable[tuple[int, str]], domains: Mapping[str, Domain], refusals: Refusals
) -> None:
    """Domains have room for further administrators (position, name of the domain)."""
    wanted = [(position, domains[name]) for position, name in named if name in domains]
    check_room(Kind.DOMAIN_ADMINS, wanted, refusals, "administers")


def _canonical_spec(spec: AccountSpec, position: int, refusals: Refusals) -> AccountSpec:
    where, utf8 = (refusals, position), utf8_local_parts()
    canonical: dict[str, Any] = {
        "username": grammatical(canonical_login_name, spec.username, *where, "username", utf8=utf8),
        "mailbox": spec.mailbox and _canonical_mailbox(spec.mailbox, *where, utf8=utf8),
        "aliases": canonical_account_aliases(spec.aliases, position, refusals),
        "administers": canonical_administered(spec.administers, position, refusals),
        "secondary_email": spec.secondary_email.strip(),
        "phone_number": spec.phone_number.strip(),
    }
    return _with(spec, canonical)


def _canonical_mailbox(spec: MailboxSpec, refusals: Refusals, position: int, *, utf8: bool) -> MailboxSpec:
    address = grammatical(canonical_mailbox_address, spec.address, refusals, position, "address", utf8=utf8)
    senders = canonical_senders(spec.sender_addresses, position, refusals)
    return _with(spec, {"address": address, "sender_addresses": senders})


def _with(spec: S, values: Mapping[str, Any]) -> S:
    """*spec* with *values*: itself, which takes no time, when it has them already."""
    changed = {name: value for name, value in values.items() if getattr(spec, name) != value}
    return replace(spec, **changed) if changed else spec


def canonical_senders(texts: Sequence[str], position: int, refusals: Refusals) -> tuple[str, ...]:
    """Sender addresses, without blanks and repetitions."""
    where, utf8 = (refusals, position, "sender_addresses"), utf8_local_parts()
    return grammatical_list(canonical_sender_address, texts, MAX_SENDER_ADDRESSES, *where, utf8=utf8)


def canonical_account_aliases(texts: Sequence[str], position: int, refusals: Refusals) -> tuple[str, ...]:
    """Aliases of an account, without blanks and repetitions."""
    where, utf8 = (refusals, position, "aliases"), utf8_local_parts()
    return grammatical_list(canonical_alias_address, texts, MAX_ALIASES, *where, utf8=utf8)


def canonical_administered(names: Sequence[str], position: int, refusals: Refusals) -> tuple[str, ...]:
    """Names of domains to administer, without blanks and repetitions."""
    return grammatical_list(canonical_domain, names, MAX_ADMINISTERED, refusals, position, "administers")


def _domain_names(drafts: Sequence[AccountSpec]) -> set[str]:
    """Domains that a batch touches: those of the mailboxes and of the logins, and those to administer."""
    addresses = [draft.mailbox.address for draft in drafts if draft.mailbox and draft.mailbox.address]
    addresses += [draft.username for draft in drafts if "@" in draft.username]
    addresses += [address for draft in drafts for address in draft.aliases]
    return {split_address(address)[1] for address in addresses} | {
        name for draft in drafts for name in draft.administers
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """Names that an account wants to have: its login and the address of its mailbox ("" = none, or none that is new).

    *pk* is None for an account that does not exist yet.
    """

    position: int
    username: str
    address: str
    pk: int | None = None


def check_claims(claims: Sequence[Claim], domains: Mapping[str, Domain], refusals: Refusals) -> set[str]:
    """Login names and addresses are free; addresses lie in a domain that the actor sees.

    Nobody signs in to the panel under the address of somebody else's mailbox. Returns the directories of the claimed
    addresses that renamed mailboxes kept.
    """
    own = [{claim.username, claim.address} - {""} for claim in claims]
    repeated = duplicates(name for names in own for name in names)
    asked = set().union(*own)
    # An account's e-mail address is that of its mailbox, and blank without one.
    present = User.objects.filter(Q(username__among=asked) | Q(email__among=asked)).values_list(
        "pk", "username", "email"
    )
    holders = {name: pk for pk, *names in present for name in names if name}
    boxes = {email for _pk, _name, email in present}
    aliases, homes = _aliases_and_homes({claim.address for claim in claims if claim.address})
    for claim in claims:
        position, name, address = claim.position, claim.username, claim.address
        if name and name in repeated:
            message = _("“%(name)s” is asked for more than once.")
            refusals.add(position, "username", "repeated", message % {"name": name})
        elif name and name != address and holders.get(name, claim.pk) != claim.pk:
            message = _("The user name “%(name)s” is taken.")
            refusals.add(position, "username", "name_taken", message % {"name": name})
        if not address:
            continue
        shown = {"address": address}
        if (domain := split_address(address)[1]) not in domains:
            refuse_unknown_domain(refusals, position, "address", domain)
        elif address in boxes or holders.get(address, claim.pk) != claim.pk:
            message = _("The mailbox “%(address)s” exists already. Choose another address.")
            refusals.add(position, "address", "address_taken", message % shown)
        elif address in aliases:
            message = _("“%(address)s” is an alias already. Choose another address, or delete the alias.")
            refusals.add(position, "address", "address_taken", message % shown)
        elif address in repeated and name != address:
            message = _("“%(address)s” is asked for more than once.")
            refusals.add(position, "address", "repeated", message % shown)
    return homes


def _aliases_and_homes(addresses: Collection[str]) -> tuple[set[str], set[str]]:
    """Aliases at *addresses*, and directories of theirs that are somebody's already; one query tells both."""
    there = Alias.objects.order_by().filter(address__among=addresses).values_list("address")
    texts = {text for (text,) in there.union(occupied(addresses), all=True)}
    aliases = {text for text in texts if "@" in text}
    return aliases, texts - aliases


def check_simple_user(
    role: Role, username: str, address: str, refusals: Refusals, position: int, *, field: str = "username"
) -> None:
    """A simple user has a mailbox and signs in with its address. *field*: beside which the second is said."""
    if role is not Role.SIMPLE_USER:
        return
    if not address:
        message = _("A simple user needs a mailbox. Enter its address.")
        refusals.add(position, "address", "mailbox_needed", message)
    elif username and username != address:
        message = _("A simple user signs in with the address of his mailbox.")
        refusals.add(position, field, "name_is_not_address", message)


def check_foreign(
    actor: Actor,
    logins: Mapping[int, str],
    senders: Mapping[int, Sequence[str]],
    domains: Mapping[str, Domain],
    refusals: Refusals,
) -> None:
    """Neither logins nor sender addresses, by position, reach into domains of others, nor above the actor.

    A login that looks like an address lies under a domain of the actor: others may want to add theirs one day.
    """
    every = list(chain.from_iterable(senders.values()))
    used = {split_address(each)[1] for each in chain(every, logins.values()) if "@" in each}
    foreign, above = foreign_names(actor, used), addresses_above(actor, every)
    for position, login in logins.items():
        name = login.partition("@")[2]
        if name in foreign:
            refuse_foreign_name(refusals, position, "username", name)
        elif name and not actor.is_super and name not in domains:
            refuse_unknown_domain(refusals, position, "username", name)
    for position, addresses in senders.items():
        for name in sorted({split_address(address)[1] for address in addresses} & foreign):
            refuse_foreign_name(refusals, position, "sender_addresses", name)
        for address in addresses:
            # Of a domain of others nobody learns which addresses exist.
            if address in above and split_address(address)[1] not in foreign:
                refuse_above(refusals, position, "sender_addresses", address)


def check_role(actor: Actor, role: Role, refusals: Refusals, position: int) -> None:
    """A role is within what the actor may give."""
    if role not in policies.roles_to_give(actor):
        _refuse_role(role, refusals, position)


def check_role_with_plugins(
    actor: Actor, role: Role, account: Account | None, refusals: Refusals, position: int
) -> None:
    """No plugin is against the role that an account gets (None: a new one)."""
    if not is_unopposed(actor, role, account):
        _refuse_role(role, refusals, position)


def _refuse_role(role: Role, refusals: Refusals, position: int) -> None:
    message = _("You cannot give the role “%(role)s”.") % {"role": role.label}
    refusals.add(position, "role", "role_not_yours", message)


def check_master(actor: Actor, account: Account, refusals: Refusals, position: int, *, wanted: bool) -> None:
    """Opening every mailbox is for super administrators, and theirs to give."""
    if not wanted:
        return
    if not policies.may_make_master_users(actor):
        message = _("Only super administrators make somebody a master user.")
        refusals.add(position, "master_user", "master_not_yours", message)
    elif account.role != Role.SUPER_ADMIN:
        message = _("Only a super administrator can be a master user.")
        refusals.add(position, "master_user", "master_needs_super_admin", message)


def check_administered(
    role: Role, names: Sequence[str], domains: Mapping[str, Domain], refusals: Refusals, position: int
) -> None:
    """Only who may administer domains gets some, and only those that the actor sees."""
    if names and not role.administers:
        message = _("Only domain administrators and resellers administer domains.")
        refusals.add(position, "administers", "administers_nothing", message)
    for name in names:
        if name not in domains:
            refuse_unknown_domain(refusals, position, "administers", name)


def _unsaved(blank: Draft[Account], draft: AccountSpec, secret: Secret, actor: Actor) -> Account:
    return blank(
        related={"owner": actor.user},
        username=draft.username,
        email=draft.mailbox.address if draft.mailbox else "",
        password=secret.hashed,
        role=draft.role,
        first_name=draft.first_name.strip(),
        last_name=draft.last_name.strip(),
        is_active=draft.is_active,
        language=draft.language,
        phone_number=draft.phone_number,
        secondary_email=draft.secondary_email,
        master_user=draft.master_user,
    )


def save_mailboxes(
    actor: Actor,
    pairs: Sequence[tuple[Account, MailboxSpec]],
    domains: Mapping[str, Domain],
    homes: set[str],
) -> dict[int, Mailbox]:
    """Mailboxes, owned by the actor, their usage rows and sender addresses; by account."""
    # A row may be there already: Dovecot writes it for whoever receives mail, and never waits for us.
    unused = ((spec.address, 0, 0) for _account, spec in pairs)
    insert(Quota, ("username", "bytes", "messages"), unused, leave_present=True)
    blank = Draft(Mailbox, owner_id=actor.pk)
    unsaved = (_unsaved_mailbox(blank, account, spec, domains, homes) for account, spec in pairs)
    mailboxes = create(unsaved, key="user_id")
    SenderAddress.objects.bulk_create(
        SenderAddress(mailbox=mailbox, address=address)
        for mailbox, (_account, spec) in zip(mailboxes, pairs, strict=True)
        for address in spec.sender_addresses
    )
    return {mailbox.user_id: mailbox for mailbox in mailboxes}


def _unsaved_mailbox(
    blank: Draft[Mailbox],
    account: Account,
    spec: MailboxSpec,
    domains: Mapping[str, Domain],
    homes: set[str],
) -> Mailbox:
    local_part, name = split_address(spec.address)
    domain = domains[name]
    follows = spec.quota is None
    return blank(
        related={"domain": domain, "user": account},
        address=local_part,
        domain_id=domain.pk,
        user_id=account.pk,
        quota=domain.default_mailbox_quota if spec.quota is None else spec.quota,
        use_domain_quota=follows,
        home=home_for_new(spec.address, homes) if homes else "",
    )


def grant(batch: Iterable[tuple[int, Sequence[str]]], domains: Mapping[str, Domain]) -> None:
    """Make accounts (ids) administrators of domains by name."""
    through = Domain.administrators.through
    through.objects.bulk_create(
        (through(domain_id=domains[name].pk, user_id=user_id) for user_id, names in batch for name in names),
        ignore_conflicts=True,  # a domain that somebody just stopped owning is administered already
    )


def _keys_of_new(drafts: Sequence[AccountSpec]) -> publication.Keys:
    """Their own and their sender addresses; recipients that waited for them are linked apart."""
    boxes = [draft.mailbox for draft in drafts if draft.mailbox is not None]
    return publication.Keys(
        addresses={address for box in boxes for address in (box.address, *box.sender_addresses)}
    )


# --- both ------------------------------------------------------------------------------------------------------


def locked_accounts(actor: Actor, ids: Sequence[int]) -> dict[int, Account]:
    """Visible accounts by id, locked; nobody reaches one above him, or one that looks after domains of others."""
    visible = Account.objects.visible_to(actor).filter(pk__in=ids)
    accounts = {a.pk: a for a in visible.select_for_update().order_by("pk")}
    if out_of_reach(actor, accounts):
        raise PermissionDenied
    if any(account.role == Role.SUPER_ADMIN for account in accounts.values()):
        lock_super_admins()
    return accounts


def lock_super_admins() -> None:
    """Two of them acting on each other must not both succeed: how many there are holds until the end."""
    list(User.objects.super_admins().select_for_update().order_by("pk").values_list("pk"))


def super_admins_without(ids: Iterable[int]) -> bool:
    """Whether an active super admin is left."""
    return User.objects.active().super_admins().exclude(pk__in=list(ids)).exists()


def refuse_last_super_admin(refusals: Refusals, position: int, field_name: str) -> None:
    """Somebody must be able to do everything."""
    message = _("This is the last active super administrator. Appoint another one first.")
    refusals.add(position, field_name, "last_super_admin", message)


# --- delete ----------------------------------------------------------------------------------------------------


@operation("account.delete", allow=policies.may_manage_accounts)
def delete_accounts(actor: Actor, /, accounts: Sequence[Account], *, keep_directories: bool = False) -> None:
    """Delete accounts with their mailboxes, forwards and places in aliases.

    An alias that loses its last recipient goes too. What a domain administrator owned passes to the owner of the
    account; what a reseller owned, or nobody else can take, to a super administrator: the actor, else the first one.
    Mail directories go to the trash if the panel handles them, unless they are to be kept. Codes: ``gone``,
    ``not_yourself``, ``last_super_admin``.
    """
    refusals = Refusals()
    ids = [account.pk for account in accounts]
    lock_domains(actor, ids=Mailbox.objects.filter(user__in=ids).values_list("domain_id", flat=True))
    stored = locked_accounts(actor, ids)
    # Locked, as is whatever else is given back: its owner could change at this moment.
    boxes = list(Mailbox.objects.filter(user__in=stored).select_related("user", "domain").select_for_update())
    for position, account in enumerate(accounts):
        if account.pk not in stored:
            refusals.add(position, "", "gone", _("This account does not exist any more."))
        elif account.pk == actor.pk:
            message = _("You cannot delete your own account; ask another administrator.")
            refusals.add(position, "", "not_yourself", message)
    doomed = [
        p for p, each in enumerate(accounts) if each.pk in stored and stored[each.pk].role == Role.SUPER_ADMIN
    ]
    if doomed and not super_admins_without(stored):
        refuse_last_super_admin(refusals, doomed[0], "")
    refusals.raise_if_any()
    keys = publication.keys_of_mailboxes([box.pk for box in boxes])
    returned = Owned()
    keys |= remove_mailboxes(boxes, returned, keep_directories=keep_directories)
    give_back(returned)  # before anybody takes over what is left
    remove_accounts(actor, stored)
    publication.publish(keys)


def remove_mailboxes(
    boxes: Sequence[Mailbox], returned: Owned, *, keep_directories: bool, domains: Collection[int] = ()
) -> publication.Keys:
    """Delete mailboxes and all that leads to them; keys of the aliases that ended with them.

    Part of other operations, which have locked the domains, will publish, and give back what is *returned*. *domains*
    (ids) tell that *boxes* are all that is left in these: then no statement has to name each of them.
    """
    if not boxes:
        return publication.Keys()
    settle_deletions(boxes, keep=keep_directories, domains=domains)
    addresses = frozenset(box.user.email for box in boxes)
    mailboxes = Mailbox.objects.order_by()
    doomed = (
        mailboxes.filter(domain__in=domains)
        if domains
        else mailboxes.filter(pk__in=[box.pk for box in boxes])
    )
    recipients = AliasRecipient.objects.filter(mailbox__in=doomed.values("pk"))
    feeding = set(recipients.values_list("alias_id", flat=True))
    recipients.delete()
    forwards = set[int]()
    if not domains:
        forwards.update(Alias.objects.filter(address__among=addresses).values_list("pk", flat=True))
    ending = Alias.objects.filter(pk__in=[*forwards, *left_without(feeding - forwards)])
    keys = remove_aliases(ending, returned)
    returned += owned_by(Kind.MAILBOXES, [box.owner_id for box in boxes])
    SenderAddress.objects.filter(mailbox__in=doomed.values("pk")).delete()
    doomed.delete()
    Quota.objects.filter(username__among=addresses).delete()
    return keys


def remove_accounts(actor: Actor, accounts: Mapping[int, Account]) -> None:
    """Delete accounts without mailboxes; what they own passes on. Part of other operations."""
    for account in accounts.values():
        signals.account_deleted.tell(user=account)
    admins = [account for account in accounts.values() if account.role == Role.DOMAIN_ADMIN]
    give_back(owned_by(Kind.DOMAIN_ADMINS, [account.owner_id for account in admins]))
    administrators = {pk: a for pk, a in accounts.items() if a.role != Role.SIMPLE_USER}
    roles = {pk: Role(account.role) for pk, account in administrators.items()}
    end_allowances(administrators, pass_on(actor, administrators, roles))
    remove_tokens_of(accounts)
    remove_preferences_of(accounts)
    for account in accounts.values():
        record(account, versions=())
    ids = frozenset(accounts)
    Domain.administrators.through.objects.filter(user__id__among=ids).delete()
    Revision.objects.filter(user__id__among=ids).update(user=None)
    delete_rows(User.objects.filter(id__among=ids))


def pass_on(actor: Actor, accounts: Mapping[int, Account], roles: Mapping[int, Role]) -> dict[int, int]:
    """What administrators, who had *roles*, own goes to their owners, else to a super administrator. Returns the heirs.

    What a reseller owned goes to super administrators always: it could be more than another reseller may have.
    """
    if not accounts:
        return {}
    owners = User.objects.filter(pk__in=[a.owner_id for a in accounts.values()], role__in=_OWNERS)
    able = dict(owners.exclude(pk__in=accounts).values_list("pk", "role"))
    heirs = {}
    for pk, account in accounts.items():
        owner, needs_super = account.owner_id or 0, roles[pk] is not Role.DOMAIN_ADMIN
        if owner in able and not (needs_super and able[owner] != Role.SUPER_ADMIN):
            heirs[pk] = owner
        else:
            heirs[pk] = actor.pk if actor.is_super else first_super_admin()
    heir = Case(*(When(owner=pk, then=Value(each)) for pk, each in heirs.items()))
    for domain in Domain.objects.filter(owner__in=heirs):
        record(domain, changed=["owner"], versions=())
    # Users: also those that are about to go, because MariaDB checks a foreign key row by row.
    for rows in (Domain.objects, DomainAlias.objects, Mailbox.objects, Alias.objects, User.objects):
        rows.filter(owner__in=heirs).update(owner=heir)
    return heirs


def first_super_admin() -> int:
    """Id of the one who gets what nobody else can take."""
    return User.objects.active().super_admins().order_by("pk").values_list("pk", flat=True)[0]
