"""Creating, changing and deleting accounts, with or without a mailbox."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import Case, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import policies, publication
from admin.models import Account, Alias, AliasRecipient, Domain, Mailbox, Quota, SenderAddress
from admin.operations.aliases import left_without, link_recipients, remove_aliases
from admin.operations.ground import (
    UNSET,
    Unset,
    addresses_above,
    check_quota,
    duplicates,
    foreign_names,
    grammatical,
    lock_domains,
    refuse_above,
    refuse_foreign_name,
    refuse_unknown_domain,
    utf8_local_parts,
    within,
)
from core.addresses import (
    canonical_domain,
    canonical_login_name,
    canonical_mailbox_address,
    canonical_sender_address,
    split_address,
)
from core.models import User
from core.operation import operation, record
from core.operations.passwords import Secret, check_secret, hashed_secrets
from core.operations.profile import check_profile
from core.refusals import Refusals
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor


MAX_SENDER_ADDRESSES = 500
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

    *password* None makes a random one, which the result carries. *administers* names domains.
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
    mailbox: MailboxSpec | None = None
    administers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """New values of an account; what is UNSET stays. *quota* None follows the domain's default."""

    account: Account
    role: Role | Unset = UNSET
    password: str | Unset = UNSET
    first_name: str | Unset = UNSET
    last_name: str | Unset = UNSET
    is_active: bool | Unset = UNSET
    language: str | Unset = UNSET
    phone_number: str | Unset = UNSET
    secondary_email: str | Unset = UNSET
    quota: int | Unset | None = UNSET
    sender_addresses: tuple[str, ...] | Unset = UNSET
    administers: tuple[str, ...] | Unset = UNSET


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
    those of the password validators, ``invalid_email``, ``unknown_language``, ``too_long``,
    ``administers_nothing``.
    """
    return _create_accounts(actor, specs, hashed_secrets([spec.password for spec in specs]))


def create_account(actor: Actor, /, **values: Any) -> NewAccount:
    """One account; *values* are the fields of :class:`AccountSpec`."""
    return create_accounts(actor, [AccountSpec(**values)])[0]


@operation("account.create", allow=policies.may_manage_accounts)
def _create_accounts(
    actor: Actor, /, specs: Sequence[AccountSpec], secrets: Sequence[Secret]
) -> list[NewAccount]:
    refusals = Refusals()
    drafts = [_canonical_spec(spec, position, refusals) for position, spec in enumerate(specs)]
    domains = lock_domains(actor, names=_domain_names(drafts))
    _check_names(drafts, domains, refusals)
    _check_foreign_names(actor, drafts, refusals)
    accounts = [_unsaved(draft, secret, actor) for draft, secret in zip(drafts, secrets, strict=True)]
    for position, (draft, account, secret) in enumerate(zip(drafts, accounts, secrets, strict=True)):
        _check_role(actor, draft.role, refusals, position)
        check_profile(account, refusals, position)
        _check_administered(draft.role, draft.administers, domains, refusals, position)
        check_secret(account, secret, refusals, position)
        if draft.mailbox is not None:
            check_quota(draft.mailbox.quota or 0, refusals, position, "quota")
    refusals.raise_if_any()
    Account.objects.bulk_create(accounts)
    mailboxes = _save_mailboxes(accounts, drafts, domains)
    _grant(
        [(account.pk, draft.administers) for account, draft in zip(accounts, drafts, strict=True)], domains
    )
    arrived = {account.email: mailboxes[account.pk].pk for account in accounts if account.pk in mailboxes}
    keys = _keys_of_new(drafts) | link_recipients("mailbox", arrived)
    publication.publish(keys, locked=domains)
    for account in accounts:
        mailbox = mailboxes.get(account.pk)
        record(account, versions=[account] if mailbox is None else [account, mailbox])
    return [
        NewAccount(account, secret.clear if secret.is_random else None)
        for account, secret in zip(accounts, secrets, strict=True)
    ]


def _canonical_spec(spec: AccountSpec, position: int, refusals: Refusals) -> AccountSpec:
    mailbox = spec.mailbox
    if mailbox is not None:
        mailbox = replace(
            mailbox,
            address=grammatical(
                canonical_mailbox_address,
                mailbox.address,
                refusals,
                position,
                "address",
                utf8=utf8_local_parts(),
            ),
            sender_addresses=_canonical_senders(mailbox.sender_addresses, position, refusals),
        )
    return replace(
        spec,
        username=grammatical(
            canonical_login_name, spec.username, refusals, position, "username", utf8=utf8_local_parts()
        ),
        mailbox=mailbox,
        administers=_canonical_administered(spec.administers, position, refusals),
        secondary_email=spec.secondary_email.strip(),
        phone_number=spec.phone_number.strip(),
    )


def _canonical_senders(texts: Sequence[str], position: int, refusals: Refusals) -> tuple[str, ...]:
    utf8 = utf8_local_parts()
    texts = within(texts, MAX_SENDER_ADDRESSES, refusals, position, "sender_addresses")
    canonical = (
        grammatical(canonical_sender_address, text, refusals, position, "sender_addresses", utf8=utf8)
        for text in texts
        if text.strip()
    )
    return tuple(dict.fromkeys(address for address in canonical if address))


def _canonical_administered(names: Sequence[str], position: int, refusals: Refusals) -> tuple[str, ...]:
    names = within(names, MAX_ADMINISTERED, refusals, position, "administers")
    canonical = (
        grammatical(canonical_domain, name, refusals, position, "administers")
        for name in names
        if name.strip()
    )
    return tuple(dict.fromkeys(name for name in canonical if name))


def _domain_names(drafts: Sequence[AccountSpec]) -> set[str]:
    """Domains that a batch touches: those of the mailboxes and of the logins, and those to administer."""
    addresses = [draft.mailbox.address for draft in drafts if draft.mailbox and draft.mailbox.address]
    addresses += [draft.username for draft in drafts if "@" in draft.username]
    return {split_address(address)[1] for address in addresses} | {
        name for draft in drafts for name in draft.administers
    }


def _check_names(drafts: Sequence[AccountSpec], domains: dict[str, Domain], refusals: Refusals) -> None:
    """Login names and addresses are free and belong together; addresses lie in a domain that the actor sees.

    Nobody signs in to the panel under the address of somebody else's mailbox.
    """
    addresses = [draft.mailbox.address if draft.mailbox else "" for draft in drafts]
    own = [{draft.username, address} - {""} for draft, address in zip(drafts, addresses, strict=True)]
    repeated = duplicates(name for names in own for name in names)
    asked = set().union(*own)
    # An account's e-mail address is that of its mailbox, and blank without one.
    present = User.objects.filter(Q(username__in=asked) | Q(email__in=asked)).values_list("username", "email")
    taken, boxes = {name for name, _email in present}, {email for _name, email in present}
    aliases = set(
        Alias.objects.filter(address__in=[a for a in addresses if a]).values_list("address", flat=True)
    )
    for position, (draft, address) in enumerate(zip(drafts, addresses, strict=True)):
        name = draft.username
        if name and name in repeated:
            refusals.add(
                position,
                "username",
                "repeated",
                _("“%(name)s” is asked for more than once.") % {"name": name},
            )
        elif (name in taken or name in boxes) and name != address:
            refusals.add(
                position, "username", "name_taken", _("The user name “%(name)s” is taken.") % {"name": name}
            )
        _check_simple_user(draft, address, refusals, position)
        if not address:
            continue
        shown = {"address": address}
        if (domain := split_address(address)[1]) not in domains:
            refuse_unknown_domain(refusals, position, "address", domain)
        elif address in boxes or address in taken:
            message = _("The mailbox “%(address)s” exists already. Choose another address.")
            refusals.add(position, "address", "address_taken", message % shown)
        elif address in aliases:
            message = _("“%(address)s” is an alias already. Choose another address, or delete the alias.")
            refusals.add(position, "address", "address_taken", message % shown)
        elif address in repeated and name != address:
            message = _("“%(address)s” is asked for more than once.")
            refusals.add(position, "address", "repeated", message % shown)


def _check_simple_user(draft: AccountSpec, address: str, refusals: Refusals, position: int) -> None:
    if draft.role is not Role.SIMPLE_USER:
        return
    if draft.mailbox is None:
        message = _("A simple user needs a mailbox. Enter its address.")
        refusals.add(position, "address", "mailbox_needed", message)
    elif draft.username and address and draft.username != address:
        message = _("A simple user signs in with the address of his mailbox.")
        refusals.add(position, "username", "name_is_not_address", message)


def _check_foreign_names(actor: Actor, drafts: Sequence[AccountSpec], refusals: Refusals) -> None:
    """Neither login names nor sender addresses reach into domains of others, nor above the actor."""
    boxes = [draft.mailbox.address if draft.mailbox else "" for draft in drafts]
    logins = [
        draft.username if draft.username != box else "" for draft, box in zip(drafts, boxes, strict=True)
    ]
    senders = [draft.mailbox.sender_addresses if draft.mailbox else () for draft in drafts]
    used = chain(logins, chain.from_iterable(senders))
    foreign = foreign_names(actor, {split_address(each)[1] for each in used if "@" in each})
    above = addresses_above(actor, chain.from_iterable(senders))
    for position, (login, addresses) in enumerate(zip(logins, senders, strict=True)):
        if (name := login.partition("@")[2]) in foreign:
            refuse_foreign_name(refusals, position, "username", name)
        _check_senders(addresses, foreign, above, refusals, position)


def _check_senders(
    addresses: Sequence[str], foreign: set[str], above: set[str], refusals: Refusals, position: int
) -> None:
    for name in sorted({split_address(address)[1] for address in addresses} & foreign):
        refuse_foreign_name(refusals, position, "sender_addresses", name)
    for address in addresses:
        if address in above:
            refuse_above(refusals, position, "sender_addresses", address)


def _check_role(actor: Actor, role: Role, refusals: Refusals, position: int) -> None:
    if role not in policies.roles_to_give(actor):
        message = _("You cannot give the role “%(role)s”.") % {"role": role.label}
        refusals.add(position, "role", "role_not_yours", message)


def _check_administered(
    role: Role, names: Sequence[str], domains: dict[str, Domain], refusals: Refusals, position: int
) -> None:
    if names and not role.administers:
        message = _("Only domain administrators and resellers administer domains.")
        refusals.add(position, "administers", "administers_nothing", message)
    for name in names:
        if name not in domains:
            refuse_unknown_domain(refusals, position, "administers", name)


def _unsaved(draft: AccountSpec, secret: Secret, actor: Actor) -> Account:
    return Account(
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
        owner=actor.user,
    )


def _save_mailboxes(
    accounts: Sequence[Account], drafts: Sequence[AccountSpec], domains: dict[str, Domain]
) -> dict[int, Mailbox]:
    """Mailboxes, their usage rows and sender addresses; by account."""
    pairs = [(a, d.mailbox) for a, d in zip(accounts, drafts, strict=True) if d.mailbox is not None]
    mailboxes = Mailbox.objects.bulk_create(
        _unsaved_mailbox(account, spec, domains) for account, spec in pairs
    )
    SenderAddress.objects.bulk_create(
        SenderAddress(mailbox=mailbox, address=address)
        for mailbox, (_account, spec) in zip(mailboxes, pairs, strict=True)
        for address in spec.sender_addresses
    )
    # A row may be there already: Dovecot writes it for whoever receives mail, and never waits for us.
    Quota.objects.bulk_create(
        (Quota(username=spec.address) for _account, spec in pairs), ignore_conflicts=True
    )
    return {mailbox.user_id: mailbox for mailbox in mailboxes}


def _unsaved_mailbox(account: Account, spec: MailboxSpec, domains: dict[str, Domain]) -> Mailbox:
    local_part, name = split_address(spec.address)
    domain = domains[name]
    follows = spec.quota is None
    return Mailbox(
        address=local_part,
        domain=domain,
        user=account,
        quota=domain.default_mailbox_quota if spec.quota is None else spec.quota,
        use_domain_quota=follows,
    )


def _grant(batch: Iterable[tuple[int, Sequence[str]]], domains: dict[str, Domain]) -> None:
    through = Domain.administrators.through
    through.objects.bulk_create(
        through(domain_id=domains[name].pk, user_id=user_id) for user_id, names in batch for name in names
    )


def _keys_of_new(drafts: Sequence[AccountSpec]) -> publication.Keys:
    """Their own and their sender addresses; recipients that waited for them are linked apart."""
    boxes = [draft.mailbox for draft in drafts if draft.mailbox is not None]
    return publication.Keys(
        addresses={address for box in boxes for address in (box.address, *box.sender_addresses)}
    )


# --- change ----------------------------------------------------------------------------------------------------

_PROFILE = ("role", "first_name", "last_name", "is_active", "language", "phone_number", "secondary_email")


@dataclass(slots=True)
class _Draft:
    """A stored account with its new values, not saved yet."""

    change: AccountChange
    account: Account
    mailbox: Mailbox | None
    changed: list[str]
    # Before the change: sender addresses, and administered domains that the actor sees.
    present_senders: dict[str, int]
    present_domains: set[str]
    sender_addresses: tuple[str, ...] | None = None
    administers: tuple[str, ...] | None = None


def update_accounts(actor: Actor, /, changes: Sequence[AccountChange]) -> list[Account]:
    """Change accounts.

    Codes: as for creation, ``gone``, ``no_mailbox``, ``not_yourself`` (role, disabling), ``last_super_admin``.
    """
    given = [None if isinstance(change.password, Unset) else change.password for change in changes]
    wanted = [password for password in given if password is not None]
    hashed = iter(hashed_secrets(wanted) if wanted else [])
    return _update_accounts(actor, changes, [None if p is None else next(hashed) for p in given])


def update_account(actor: Actor, /, account: Account, **values: Any) -> Account:
    """One account; *values* are the fields of :class:`AccountChange`."""
    return update_accounts(actor, [AccountChange(account=account, **values)])[0]


@operation("account.update", allow=policies.may_manage_accounts)
def _update_accounts(
    actor: Actor, /, changes: Sequence[AccountChange], secrets: Sequence[Secret | None]
) -> list[Account]:
    refusals = Refusals()
    ids = [change.account.pk for change in changes]
    administered = {
        position: _canonical_administered(change.administers, position, refusals)
        for position, change in enumerate(changes)
        if not isinstance(change.administers, Unset)
    }
    domains = lock_domains(
        actor,
        names=set(chain.from_iterable(administered.values())),
        ids=Mailbox.objects.filter(user__in=ids).values_list("domain_id", flat=True),
    )
    accounts = _locked_accounts(actor, ids)
    mailboxes = {
        box.user_id: box for box in Mailbox.objects.filter(user__in=accounts).select_related("domain")
    }
    drafts: dict[int, _Draft] = {}
    for position, (change, secret) in enumerate(zip(changes, secrets, strict=True)):
        account = accounts.get(change.account.pk)
        if account is None:
            refusals.add(position, "", "gone", _("This account does not exist any more."))
            continue
        draft = _draft(change, account, mailboxes.get(account.pk))
        draft.administers = administered.get(position)
        _check_change(actor, draft, domains, refusals, position)
        if secret is not None:
            check_secret(account, secret, refusals, position)
            account.password = secret.hashed
            draft.changed.append("password")
        drafts[position] = draft
    _load_present(actor, list(drafts.values()))
    _check_new_senders(actor, drafts, domains, refusals)
    _check_super_admins_remain(drafts, refusals)
    refusals.raise_if_any()
    _save_changes(list(drafts.values()), domains)
    keys = publication.keys_of_mailboxes([box.pk for box in mailboxes.values()])
    publication.publish(keys | _replace_senders(list(drafts.values())))
    for draft in drafts.values():
        if draft.changed:
            record(
                draft.account,
                changed=draft.changed,
                versions=[v for v in (draft.account, draft.mailbox) if v],
            )
    return [draft.account for draft in drafts.values()]


def _locked_accounts(actor: Actor, ids: Sequence[int]) -> dict[int, Account]:
    """Accounts by id, locked; nobody reaches one above him."""
    visible = Account.objects.visible_to(actor).filter(pk__in=ids)
    accounts = {a.pk: a for a in visible.select_for_update().order_by("pk")}
    if not all(policies.may_edit_account(actor, account) for account in accounts.values()):
        raise PermissionDenied
    if _look_after_others(actor, accounts.values()):
        raise PermissionDenied  # who takes over the account takes over their domains
    if any(account.role == Role.SUPER_ADMIN for account in accounts.values()):
        # Two of them acting on each other must not both succeed: the count below holds until the end.
        list(User.objects.super_admins().select_for_update().order_by("pk").values_list("pk"))
    return accounts


def _look_after_others(actor: Actor, accounts: Iterable[Account]) -> bool:
    """True when one of the accounts, not the actor's own, administers or owns a domain that he does not see."""
    people = [account.pk for account in accounts if account.pk != actor.pk and Role(account.role).administers]
    if actor.is_super or not people:
        return False
    theirs = Domain.objects.filter(Q(owner__in=people) | Q(administrators__in=people))
    return theirs.exclude(pk__in=Domain.objects.visible_to(actor).values("pk")).exists()


def _load_present(actor: Actor, drafts: Sequence[_Draft]) -> None:
    """What the changes replace: sender addresses, and administered domains that the actor sees."""
    boxes = {d.mailbox.pk: d for d in drafts if d.mailbox is not None and d.sender_addresses is not None}
    if boxes:
        for row in SenderAddress.objects.filter(mailbox__in=boxes):
            boxes[row.mailbox_id].present_senders[row.address] = row.pk
    people = {draft.account.pk: draft for draft in drafts if draft.administers is not None}
    if people:
        through = Domain.administrators.through.objects.filter(user_id__in=people)
        visible = through.filter(domain__in=Domain.objects.visible_to(actor))
        for user_id, name in visible.values_list("user_id", "domain__name"):
            people[user_id].present_domains.add(name)


def _check_new_senders(
    actor: Actor, drafts: dict[int, _Draft], domains: dict[str, Domain], refusals: Refusals
) -> None:
    """New sender addresses do not reach into domains of others; what somebody else allowed may stay."""
    new = {
        position: [each for each in draft.sender_addresses or () if each not in draft.present_senders]
        for position, draft in drafts.items()
    }
    every = list(chain.from_iterable(new.values()))
    foreign = foreign_names(actor, {split_address(each)[1] for each in every})
    above = addresses_above(actor, every)
    for position, addresses in new.items():
        _check_senders(addresses, foreign, above, refusals, position)
        mailbox = drafts[position].mailbox
        if addresses and mailbox is not None and mailbox.domain.name not in domains:
            refuse_foreign_name(refusals, position, "sender_addresses", mailbox.domain.name)


def _draft(change: AccountChange, account: Account, mailbox: Mailbox | None) -> _Draft:
    changed = []
    for column in _PROFILE:
        value = getattr(change, column)
        value = value.strip() if isinstance(value, str) and not isinstance(value, Role) else value
        if not isinstance(value, Unset) and value != getattr(account, column):
            setattr(account, column, value)
            changed.append(column)
    if account.role != Role.SUPER_ADMIN:
        account.master_user = False  # only super administrators may open every mailbox
    if mailbox is not None and not isinstance(change.quota, Unset):
        follows = change.quota is None
        quota = mailbox.domain.default_mailbox_quota if change.quota is None else change.quota
        if (quota, follows) != (mailbox.quota, mailbox.use_domain_quota):
            mailbox.quota, mailbox.use_domain_quota = quota, follows
            changed.append("quota")
    return _Draft(change, account, mailbox, changed, {}, set())


def _check_change(
    actor: Actor, draft: _Draft, domains: dict[str, Domain], refusals: Refusals, position: int
) -> None:
    change, account = draft.change, draft.account
    own = account.pk == actor.pk
    if "role" in draft.changed:
        _check_role(actor, Role(account.role), refusals, position)
        if own:
            message = _("You cannot change your own role; ask another administrator.")
            refusals.add(position, "role", "not_yourself", message)
        if account.role == Role.SIMPLE_USER and account.username != account.email:
            message = _("A simple user signs in with the address of his mailbox; this account does not.")
            refusals.add(position, "role", "name_is_not_address", message)
    if own and not account.is_active:
        message = _("You cannot disable your own account; ask another administrator.")
        refusals.add(position, "is_active", "not_yourself", message)
    check_profile(account, refusals, position)
    if draft.administers is not None:
        _check_administered(Role(account.role), draft.administers, domains, refusals, position)
    wants_mailbox = [
        field for field in ("quota", "sender_addresses") if not isinstance(getattr(change, field), Unset)
    ]
    if draft.mailbox is None and wants_mailbox:
        refusals.add(position, wants_mailbox[0], "no_mailbox", _("This account has no mailbox."))
        return
    if draft.mailbox is not None:
        check_quota(draft.mailbox.quota, refusals, position, "quota")
        if "quota" in draft.changed and draft.mailbox.domain.name not in domains:
            refuse_foreign_name(refusals, position, "quota", draft.mailbox.domain.name)
    if not isinstance(change.sender_addresses, Unset):
        draft.sender_addresses = _canonical_senders(change.sender_addresses, position, refusals)


def _check_super_admins_remain(drafts: dict[int, _Draft], refusals: Refusals) -> None:
    """Somebody must be able to do everything."""
    losing = {
        position: draft.account.pk
        for position, draft in drafts.items()
        if {"role", "is_active"} & set(draft.changed)
        and (draft.account.role != Role.SUPER_ADMIN or not draft.account.is_active)
    }
    if losing and not _super_admins_without(losing.values()):
        _refuse_last_super_admin(refusals, min(losing), "role")


def _super_admins_without(ids: Iterable[int]) -> bool:
    return User.objects.active().super_admins().exclude(pk__in=list(ids)).exists()


def _refuse_last_super_admin(refusals: Refusals, position: int, field_name: str) -> None:
    message = _("This is the last active super administrator. Appoint another one first.")
    refusals.add(position, field_name, "last_super_admin", message)


def _save_changes(drafts: Sequence[_Draft], domains: dict[str, Domain]) -> None:
    now = timezone.now()
    Account.objects.bulk_update(
        [d.account for d in drafts if d.changed], [*_PROFILE, "master_user", "password"]
    )
    boxes = [d.mailbox for d in drafts if d.mailbox is not None and "quota" in d.changed]
    for mailbox in boxes:
        mailbox.last_modification = now
    Mailbox.objects.bulk_update(boxes, ["quota", "use_domain_quota", "last_modification"])
    through = Domain.administrators.through
    demoted = [d.account.pk for d in drafts if "role" in d.changed and not Role(d.account.role).administers]
    through.objects.filter(user_id__in=demoted).delete()
    lost = {
        (draft.account.pk, name)
        for draft in drafts
        if draft.administers is not None
        for name in draft.present_domains.difference(draft.administers)
    }
    if lost:
        rows = through.objects.filter(
            user_id__in={pk for pk, _name in lost}, domain__name__in={name for _pk, name in lost}
        )
        pairs = rows.values_list("pk", "user_id", "domain__name")
        through.objects.filter(pk__in=[pk for pk, *pair in pairs if tuple(pair) in lost]).delete()
    new = [
        (d.account.pk, [name for name in d.administers or () if name not in d.present_domains])
        for d in drafts
    ]
    _grant(new, domains)
    for draft, (_pk, names) in zip(drafts, new, strict=True):
        if names or any(pk == draft.account.pk for pk, _name in lost):
            draft.changed.append("administers")


def _replace_senders(drafts: Sequence[_Draft]) -> publication.Keys:
    """Bring the sender addresses up to date; keys of the new and the lost ones."""
    keys = publication.Keys()
    gone: list[int] = []
    new: list[SenderAddress] = []
    for draft in drafts:
        if draft.mailbox is None or draft.sender_addresses is None:
            continue
        lost = draft.present_senders.keys() - set(draft.sender_addresses)
        added = [each for each in draft.sender_addresses if each not in draft.present_senders]
        gone += [draft.present_senders[address] for address in lost]
        new += [SenderAddress(mailbox=draft.mailbox, address=address) for address in added]
        keys.addresses.update(lost, added)
        draft.changed += ["sender_addresses"] if lost or added else []
    SenderAddress.objects.filter(pk__in=gone).delete()
    SenderAddress.objects.bulk_create(new)
    return keys


# --- delete ----------------------------------------------------------------------------------------------------


@operation("account.delete", allow=policies.may_manage_accounts)
def delete_accounts(actor: Actor, /, accounts: Sequence[Account]) -> None:
    """Delete accounts with their mailboxes, forwards and places in aliases.

    An alias that loses its last recipient goes too. What a deleted account owned passes to its owner, else to the
    actor. Codes: ``gone``, ``not_yourself``, ``last_super_admin``.
    """
    refusals = Refusals()
    ids = [account.pk for account in accounts]
    lock_domains(actor, ids=Mailbox.objects.filter(user__in=ids).values_list("domain_id", flat=True))
    stored = _locked_accounts(actor, ids)
    boxes = list(Mailbox.objects.filter(user__in=stored).select_related("user", "domain"))
    for position, account in enumerate(accounts):
        if account.pk not in stored:
            refusals.add(position, "", "gone", _("This account does not exist any more."))
        elif account.pk == actor.pk:
            message = _("You cannot delete your own account; ask another administrator.")
            refusals.add(position, "", "not_yourself", message)
    doomed = [
        p for p, each in enumerate(accounts) if each.pk in stored and stored[each.pk].role == Role.SUPER_ADMIN
    ]
    if doomed and not _super_admins_without(stored):
        _refuse_last_super_admin(refusals, doomed[0], "")
    refusals.raise_if_any()
    keys = publication.keys_of_mailboxes([box.pk for box in boxes])
    keys |= _remove_mailboxes(boxes)
    _pass_on(actor, stored)
    for account in stored.values():
        record(account, versions=())
    User.objects.filter(pk__in=list(stored)).delete()
    publication.publish(keys)


def _remove_mailboxes(boxes: Sequence[Mailbox]) -> publication.Keys:
    """Delete mailboxes and all that leads to them; keys of the aliases that ended with them."""
    ids = [box.pk for box in boxes]
    if not ids:
        return publication.Keys()
    addresses = [box.user.email for box in boxes]
    recipients = AliasRecipient.objects.filter(mailbox__in=ids)
    feeding = set(recipients.values_list("alias_id", flat=True))
    recipients.delete()
    forwards = set(Alias.objects.filter(address__in=addresses).values_list("pk", flat=True))
    keys = remove_aliases([*forwards, *left_without(feeding - forwards)])
    SenderAddress.objects.filter(mailbox__in=ids).delete()
    Mailbox.objects.filter(pk__in=ids).delete()
    Quota.objects.filter(username__in=addresses).delete()
    return keys


def _pass_on(actor: Actor, accounts: dict[int, Account]) -> None:
    """What deleted accounts own goes to their owners; to the actor where the owner is deleted too."""
    heirs = {
        pk: actor.pk if account.owner_id is None or account.owner_id in accounts else account.owner_id
        for pk, account in accounts.items()
    }
    heir = Case(*(When(owner=pk, then=Value(heir)) for pk, heir in heirs.items()))
    if heirs:
        Domain.objects.filter(owner__in=heirs).update(owner=heir)
        # Also of those that are about to go: MariaDB checks a foreign key row by row.
        User.objects.filter(owner__in=heirs).update(owner=heir)
