"""Changing accounts: profile, role, names, mailbox, and what belongs to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import policies, publication
from admin.allocation import Share
from admin.models import Account, Alias, AliasRecipient, Domain, Mailbox, SenderAddress
from admin.operations.account_aliases import AliasWish, edit_aliases
from admin.operations.accounts import (
    Claim,
    MailboxSpec,
    canonical_account_aliases,
    canonical_administered,
    canonical_senders,
    check_administered,
    check_appointments,
    check_claims,
    check_foreign,
    check_homes,
    check_master,
    check_role,
    check_role_with_plugins,
    check_simple_user,
    grant,
    locked_accounts,
    pass_on,
    refuse_last_super_admin,
    save_mailboxes,
    super_admins_without,
)
from admin.operations.aliases import AliasSpec, create_aliases, link_recipients
from admin.operations.allowances import owned_by
from admin.operations.ground import (
    UNSET,
    Unset,
    check_quota,
    grammatical,
    lock_domains,
    refuse_foreign_name,
    refuse_repetitions,
    utf8_local_parts,
)
from admin.operations.homes import Move, settle_moves
from admin.operations.quotas import check_shares, check_usage, new_shares
from admin.operations.renaming import carry_addresses
from admin.operations.saving import save_columns
from core import signals, throttling
from core.addresses import canonical_login_name, canonical_mailbox_address, split_address
from core.operation import operation, record
from core.operations.notices import tell_about_new_password
from core.operations.own_account import change_own_password
from core.operations.passwords import (
    Secret,
    check_password_is_ours,
    check_secret,
    hashed_secrets,
    tell_plugins_of_password,
)
from core.operations.profile import check_profile
from core.operations.seen import check_seen
from core.operations.tokens import remove_tokens_of
from core.refusals import Refusal, Refusals
from core.roles import Role
from limits.kinds import Kind
from limits.operations import (
    Demand,
    Grant,
    end_allowances,
    give_back,
    open_allowances,
    set_limits,
    spend,
    take_over,
)

if TYPE_CHECKING:
    from core.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """New values of an account; what is UNSET stays. *quota* None follows the domain's default.

    *address* renames the mailbox, or gives one to an account that has none; a login that was the address follows. With
    *keep_old_address* the old one becomes an alias. *aliases* are all other addresses, in domains that the actor sees,
    whose mail reaches the mailbox. A quota below what the mailbox uses needs *confirm_below_usage*. *seen* is the last
    event about the account that the caller knows (None: he does not ask to be told of changes meanwhile).
    """

    account: Account
    username: str | Unset = UNSET
    address: str | Unset = UNSET
    keep_old_address: bool = False
    role: Role | Unset = UNSET
    password: str | Unset = UNSET
    first_name: str | Unset = UNSET
    last_name: str | Unset = UNSET
    is_active: bool | Unset = UNSET
    language: str | Unset = UNSET
    phone_number: str | Unset = UNSET
    secondary_email: str | Unset = UNSET
    quota: int | Unset | None = UNSET
    confirm_below_usage: bool = False
    sender_addresses: tuple[str, ...] | Unset = UNSET
    master_user: bool | Unset = UNSET
    aliases: tuple[str, ...] | Unset = UNSET
    administers: tuple[str, ...] | Unset = UNSET
    limits: Mapping[Kind, int] | Unset = UNSET
    seen: int | None = None


_PROFILE = ("role", "first_name", "last_name", "is_active", "language", "phone_number", "secondary_email")
_COLUMNS = (*_PROFILE, "username", "email", "master_user", "password", "owner")
_QUOTA_COLUMNS = ("quota", "use_domain_quota", "last_modification")
_MAILBOX_COLUMNS = ("address", "domain", "quota", "use_domain_quota", "home", "last_modification")


@dataclass(slots=True)
class _Draft:
    """A stored account with its new values, not saved yet. *change* is canonical."""

    position: int
    change: AccountChange
    account: Account
    mailbox: Mailbox | None
    # Before the change.
    old_role: Role
    old_username: str
    old_address: str
    old_quota: int = 0
    changed: list[str] = field(default_factory=list)
    present_senders: dict[str, int] = field(default_factory=dict)
    present_aliases: dict[str, int] = field(default_factory=dict)
    # Administered domains that the actor sees.
    present_domains: set[str] = field(default_factory=set)

    @property
    def new_address(self) -> str:
        """The address of the mailbox, if it gets another one or its first."""
        return self.account.email if self.account.email != self.old_address else ""

    @property
    def is_renamed(self) -> bool:
        """The mailbox moves from one address to another."""
        return bool(self.old_address and self.new_address)

    @property
    def is_demoted(self) -> bool:
        """The account steps down."""
        return Role(self.account.role).rank < self.old_role.rank


def update_accounts(
    actor: Actor,
    /,
    changes: Sequence[AccountChange],
    *,
    complete: Callable[[Sequence[Account]], object] | None = None,
) -> list[Account]:
    """Change accounts. *complete* is called with them at the end of the transaction.

    Codes: as for creation, ``gone``, ``no_mailbox``, ``mailbox_stays``, ``not_yourself`` (role, disabling,
    one's own password and secondary address), ``last_super_admin``, ``domain_not_yours``, ``recipients_there``,
    ``changed_meanwhile``, ``rights_not_yours``, ``below_usage``, those of :func:`limits.operations.grant`. Who makes
    somebody a domain administrator owns, and pays for, that account from then on.
    """
    given = [None if isinstance(change.password, Unset) else change.password for change in changes]
    wanted = [password for password in given if password is not None]
    hashed = iter(hashed_secrets(wanted) if wanted else [])
    secrets = [None if p is None else next(hashed) for p in given]
    accounts = _update_accounts(actor, changes, secrets, complete=complete)
    for account, password in zip(accounts, given, strict=True):
        if password is not None:
            tell_about_new_password(account)
    return accounts


def update_account(actor: Actor, /, account: Account, **values: Any) -> Account:
    """One account; *values* are the fields of :class:`AccountChange`."""
    return update_accounts(actor, [AccountChange(account=account, **values)])[0]


def replace_password(actor: Actor, /, account: Account, *, current_password: str, password: str) -> Account:
    """A new password for somebody whose present one the actor knows.

    Codes: ``wrong_password`` beside ``current_password``, those of the validators and of changes. Too many wrong ones
    raise :class:`core.throttling.Throttled`. Runs outside of operations: a refusal must not take back the count.
    """
    if account.pk == actor.pk:
        change_own_password(actor, current_password=current_password, password=password)
        return account
    wrong = Refusal.single("current_password", "wrong_password", _("This is not the current password."))
    if not current_password:
        raise wrong
    attempt = throttling.begin(throttling.Thing.PASSWORD, account.username, actor.address)
    if not account.check_password(current_password):
        attempt.failed()
        raise wrong
    attempt.succeeded()
    return update_account(actor, account, password=password)


@operation("account.update", allow=policies.may_manage_accounts)
def _update_accounts(
    actor: Actor,
    /,
    changes: Sequence[AccountChange],
    secrets: Sequence[Secret | None],
    *,
    complete: Callable[[Sequence[Account]], object] | None,
) -> list[Account]:
    refusals = Refusals()
    changes = [_canonical(change, position, refusals) for position, change in enumerate(changes)]
    ids = [change.account.pk for change in changes]
    domains = lock_domains(
        actor,
        names=_names_in(changes),
        ids=Mailbox.objects.filter(user__in=ids).values_list("domain_id", flat=True),
    )
    accounts = locked_accounts(actor, ids)
    mailboxes = {
        box.user_id: box for box in Mailbox.objects.filter(user__in=accounts).select_related("domain")
    }
    drafts: list[_Draft] = []
    repeated = refuse_repetitions([(c.account.pk, c.account.username) for c in changes], refusals)
    for position, change in enumerate(changes):
        account = accounts.get(change.account.pk)
        if account is None:
            refusals.add(position, "", "gone", _("This account does not exist any more."))
        elif position not in repeated:
            drafts.append(_draft(position, change, account, mailboxes.get(account.pk), domains))
    check_seen("account", {d.position: (d.account.pk, d.change.seen) for d in drafts}, refusals)
    homes = check_claims(
        [
            Claim(
                draft.position,
                draft.account.username if draft.account.username != draft.old_username else "",
                draft.new_address,
                draft.account.pk,
            )
            for draft in drafts
        ],
        domains,
        refusals,
    )
    for draft in drafts:
        _check_change(actor, draft, domains, refusals)
        if (secret := secrets[draft.position]) is not None:
            check_secret(draft.account, secret, refusals, draft.position)
            check_password_is_ours(draft.account, refusals, draft.position)
            draft.account.password = secret.hashed
            draft.changed.append("password")
    _check_quotas(actor, drafts, domains, refusals)
    _load_present(actor, drafts)
    _check_rights(actor, drafts, refusals)
    _check_foreign(actor, drafts, domains, refusals)
    _check_forwards_stay_clear(drafts, refusals)
    _check_super_admins_remain(drafts, refusals)
    _spend(actor, drafts, domains, refusals)
    refusals.raise_if_any()
    _tell_plugins(drafts, secrets)
    keys = publication.keys_of_mailboxes([box.pk for box in mailboxes.values()])
    keys |= _settle_mailboxes(actor, drafts, domains, homes)
    _save_changes(actor, drafts, domains)
    remove_tokens_of(draft.account.pk for draft in drafts if "password" in draft.changed)
    keys |= _replace_senders(drafts)
    publication.publish(keys)
    _set_limits(actor, changes, drafts)
    for draft in drafts:
        if _loses_or_gains_aliases(draft):
            draft.changed.append("aliases")
        if draft.changed:
            record(
                draft.account,
                changed=draft.changed,
                versions=[v for v in (draft.account, draft.mailbox) if v],
            )
    _follow_with_aliases(actor, drafts)
    changed = [draft.account for draft in drafts]
    if complete is not None:
        complete(changed)
    return changed


def _tell_plugins(drafts: Sequence[_Draft], secrets: Sequence[Secret | None]) -> None:
    for draft in drafts:
        if "role" in draft.changed:
            new, draft.account.role = draft.account.role, draft.old_role
            signals.account_role_changed.tell(account=draft.account, role=new)
            draft.account.role = new
        if (secret := secrets[draft.position]) is not None:
            tell_plugins_of_password(draft.account, secret, created=False)


def _canonical(change: AccountChange, position: int, refusals: Refusals) -> AccountChange:
    utf8 = utf8_local_parts()
    values: dict[str, Any] = {}
    if not isinstance(change.username, Unset):
        name = grammatical(canonical_login_name, change.username, refusals, position, "username", utf8=utf8)
        values["username"] = name or UNSET
    if change.address and not isinstance(change.address, Unset):
        address = grammatical(
            canonical_mailbox_address, change.address, refusals, position, "address", utf8=utf8
        )
        values["address"] = address or UNSET
    if not isinstance(change.sender_addresses, Unset):
        values["sender_addresses"] = canonical_senders(change.sender_addresses, position, refusals)
    if not isinstance(change.aliases, Unset):
        values["aliases"] = canonical_account_aliases(change.aliases, position, refusals)
    if not isinstance(change.administers, Unset):
        values["administers"] = canonical_administered(change.administers, position, refusals)
    return replace(change, **values)


def _names_in(changes: Sequence[AccountChange]) -> set[str]:
    """Domains that the changes name."""
    names: set[str] = set()
    for change in changes:
        addresses = [change.username, change.address, *_given(change.aliases)]
        names |= {each.rpartition("@")[2] for each in addresses if isinstance(each, str) and "@" in each}
        names |= set(_given(change.administers))
    return names


def _given(values: tuple[str, ...] | Unset) -> tuple[str, ...]:
    return () if isinstance(values, Unset) else values


def _draft(
    position: int,
    change: AccountChange,
    account: Account,
    mailbox: Mailbox | None,
    domains: Mapping[str, Domain],
) -> _Draft:
    draft = _Draft(position, change, account, mailbox, Role(account.role), account.username, account.email)
    _set_names(draft)
    for column in (*_PROFILE, "master_user"):
        value = getattr(change, column)
        value = value.strip() if isinstance(value, str) and not isinstance(value, Role) else value
        if not isinstance(value, Unset) and value != getattr(account, column):
            setattr(account, column, value)
            draft.changed.append(column)
    if draft.is_demoted and isinstance(change.master_user, Unset):
        account.master_user = False  # only super administrators may open every mailbox
    if mailbox is not None:
        _set_quota(draft, mailbox, domains)
    return draft


def _set_names(draft: _Draft) -> None:
    """The new address, and the login, which follows where it was the address or has to be."""
    change, account = draft.change, draft.account
    if change.address and not isinstance(change.address, Unset) and change.address != account.email:
        account.email = change.address
        draft.changed.append("email")
    role = account.role if isinstance(change.role, Unset) else change.role
    name = change.username
    if isinstance(name, Unset):
        follows = draft.new_address and (role == Role.SIMPLE_USER or account.username == draft.old_address)
        name = draft.new_address if follows else account.username
    if name != account.username:
        account.username = name
        draft.changed.append("username")


def _set_quota(draft: _Draft, mailbox: Mailbox, domains: Mapping[str, Domain]) -> None:
    domain, draft.old_quota = mailbox.domain, mailbox.quota
    if draft.is_renamed:
        domain = domains.get(split_address(draft.account.email)[1], domain)
    wanted = draft.change.quota
    if isinstance(wanted, Unset):
        wanted = None if mailbox.use_domain_quota else mailbox.quota
    follows = wanted is None
    quota = domain.default_mailbox_quota if wanted is None else wanted
    if (quota, follows) != (mailbox.quota, mailbox.use_domain_quota):
        mailbox.quota, mailbox.use_domain_quota = quota, follows
        draft.changed.append("quota")


def _load_present(actor: Actor, drafts: Sequence[_Draft]) -> None:
    """What the changes replace: sender addresses, aliases and administered domains, as far as the actor sees them."""
    boxes = {
        d.mailbox.pk: d for d in drafts if d.mailbox and not isinstance(d.change.sender_addresses, Unset)
    }
    if boxes:
        for row in SenderAddress.objects.filter(mailbox__in=boxes):
            boxes[row.mailbox_id].present_senders[row.address] = row.pk
    fed = {d.mailbox.pk: d for d in drafts if d.mailbox and not isinstance(d.change.aliases, Unset)}
    if fed:
        rows = AliasRecipient.objects.filter(mailbox__in=fed, alias__in=Alias.objects.visible_to(actor))
        for mailbox_id, alias_id, address in rows.values_list("mailbox_id", "alias_id", "alias__address"):
            if address != fed[mailbox_id or 0].old_address:  # the forward is no alias of the account
                fed[mailbox_id or 0].present_aliases[address] = alias_id
    people = {d.account.pk: d for d in drafts if not isinstance(d.change.administers, Unset)}
    if people:
        through = Domain.administrators.through.objects.filter(user_id__in=people)
        visible = through.filter(domain__in=Domain.objects.visible_to(actor))
        for user_id, name in visible.values_list("user_id", "domain__name"):
            people[user_id].present_domains.add(name)


# --- rules -----------------------------------------------------------------------------------------------------


def _check_change(actor: Actor, draft: _Draft, domains: Mapping[str, Domain], refusals: Refusals) -> None:
    change, account, position = draft.change, draft.account, draft.position
    own = account.pk == actor.pk
    if "role" in draft.changed:
        for role in {Role(account.role)} if own else {Role(account.role), draft.old_role}:
            check_role(actor, role, refusals, position)
        check_role_with_plugins(actor, Role(account.role), account, refusals, position)
        if own:
            message = _("You cannot change your own role; ask another administrator.")
            refusals.add(position, "role", "not_yourself", message)
    if own and not account.is_active:
        message = _("You cannot disable your own account; ask another administrator.")
        refusals.add(position, "is_active", "not_yourself", message)
    secrets = {"password"} if not isinstance(change.password, Unset) else set()
    for name in sorted(secrets | ({"secondary_email"} & set(draft.changed))) if own else ():
        message = _("Change this on the pages of your own account, where your present password is asked for.")
        refusals.add(position, name, "not_yourself", message)
    beside = "role" if "role" in draft.changed else "username"
    if {"role", "username", "email"} & set(draft.changed):
        check_simple_user(
            Role(account.role), account.username, account.email, refusals, position, field=beside
        )
    check_master(
        actor, account, refusals, position, wanted="master_user" in draft.changed or account.master_user
    )
    check_profile(account, refusals, position)
    if not isinstance(change.administers, Unset):
        check_administered(Role(account.role), change.administers, domains, refusals, position)
    _check_mailbox(draft, domains, refusals)


def _check_rights(actor: Actor, drafts: Sequence[_Draft], refusals: Refusals) -> None:
    """Who appoints no administrators elsewhere does not do it here."""
    if policies.may_manage_domains(actor):
        return
    told = {reason.position for reason in refusals if reason.field == "administers"}
    for draft in drafts:
        wanted = draft.change.administers
        if draft.position in told or isinstance(wanted, Unset):
            continue
        if set(wanted) != draft.present_domains:
            message = _("Only resellers and super administrators say who administers a domain.")
            refusals.add(draft.position, "administers", "rights_not_yours", message)


def _check_mailbox(draft: _Draft, domains: Mapping[str, Domain], refusals: Refusals) -> None:
    change, position = draft.change, draft.position
    if change.address == "" and draft.old_address:
        message = _("A mailbox is not taken from its account. Delete the account instead.")
        refusals.add(position, "address", "mailbox_stays", message)
    names = ("quota", "sender_addresses", "aliases")
    wanted = [name for name in names if not isinstance(getattr(change, name), Unset)]
    if not draft.account.email:
        if wanted:
            refusals.add(position, wanted[0], "no_mailbox", _("This account has no mailbox."))
        return
    if draft.mailbox is None:
        check_quota(_quota_of_new(change) or 0, refusals, position, "quota")
        return
    check_quota(draft.mailbox.quota, refusals, position, "quota")
    home = draft.mailbox.domain.name
    if home in domains:
        return
    if draft.is_renamed:
        refuse_foreign_name(refusals, position, "address", home)
    elif "quota" in draft.changed:
        refuse_foreign_name(refusals, position, "quota", home)


def _check_quotas(
    actor: Actor, drafts: Sequence[_Draft], domains: Mapping[str, Domain], refusals: Refusals
) -> None:
    """New and changed quotas fit into their domains; a mailbox that moves to another one is new there."""
    shares: list[Share] = []
    leaving = Counter[int]()
    used: list[tuple[int, str, int]] = []
    for draft in drafts:
        mailbox, position = draft.mailbox, draft.position
        if mailbox is None:
            if draft.new_address:
                wanted = (position, draft.account.email, _quota_of_new(draft.change))
                shares += new_shares([wanted], domains)
            continue
        home = mailbox.domain
        domain = domains.get(split_address(draft.account.email)[1]) if draft.is_renamed else home
        if domain is None or home.name not in domains:
            continue  # refused elsewhere, and none of the actor's business
        old = draft.old_quota if domain.pk == home.pk else None
        if old is None:
            leaving[home.pk] += draft.old_quota
        shares.append(Share(position, domain.pk, domain.quota, mailbox.quota, old, domain.owner_id))
        if mailbox.quota != draft.old_quota and not draft.change.confirm_below_usage:
            used.append((position, draft.old_address, mailbox.quota))
    check_shares(actor, shares, refusals, leaving=leaving)
    check_usage(used, refusals)


def _check_foreign(
    actor: Actor, drafts: Sequence[_Draft], domains: Mapping[str, Domain], refusals: Refusals
) -> None:
    """New logins and sender addresses do not reach into domains of others; what somebody else allowed may stay."""
    senders = {
        draft.position: [a for a in _given(draft.change.sender_addresses) if a not in draft.present_senders]
        for draft in drafts
    }
    logins = {
        draft.position: draft.account.username
        for draft in drafts
        if draft.account.username not in {draft.old_username, draft.new_address}
    }
    check_foreign(actor, logins, senders, domains, refusals)
    for draft in drafts:
        if draft.mailbox and senders[draft.position] and draft.mailbox.domain.name not in domains:
            refuse_foreign_name(refusals, draft.position, "sender_addresses", draft.mailbox.domain.name)


def _check_forwards_stay_clear(drafts: Sequence[_Draft], refusals: Refusals) -> None:
    """A mailbox with a forward does not move to where mail from outside is sent already: it could go in circles."""
    moving = {draft.account.email: draft for draft in drafts if draft.is_renamed}
    if not moving:
        return
    waiting = AliasRecipient.objects.filter(
        address__in=moving, mailbox__isnull=True, target_alias__isnull=True
    )
    awaited = set(waiting.values_list("address", flat=True))
    suspects = {moving[address].old_address: moving[address] for address in awaited}
    for address in Alias.objects.filter(address__in=suspects).values_list("address", flat=True):
        message = _("Aliases deliver to “%(name)s”. Change these recipients first.")
        draft = suspects[address]
        refusals.add(draft.position, "address", "recipients_there", message % {"name": draft.account.email})


def _check_super_admins_remain(drafts: Sequence[_Draft], refusals: Refusals) -> None:
    """Somebody must be able to do everything."""
    losing = {
        draft.position: draft.account.pk
        for draft in drafts
        if {"role", "is_active"} & set(draft.changed)
        and (draft.account.role != Role.SUPER_ADMIN or not draft.account.is_active)
    }
    if losing and not super_admins_without(losing.values()):
        refuse_last_super_admin(refusals, min(losing), "role")


def _spend(actor: Actor, drafts: Sequence[_Draft], domains: Mapping[str, Domain], refusals: Refusals) -> None:
    """Whoever gives a first mailbox, or makes a domain administrator, pays, and owns the account from then on."""
    moved = [draft for draft in drafts if "role" in draft.changed]
    ending = [draft.account.owner_id for draft in moved if draft.old_role is Role.DOMAIN_ADMIN]
    give_back(owned_by(Kind.DOMAIN_ADMINS, ending))
    becoming = [draft for draft in moved if draft.account.role == Role.DOMAIN_ADMIN]
    take_over(owned_by(Kind.DOMAIN_ADMINS, [d.account.owner_id for d in becoming if d.is_demoted]))
    possible = Role.DOMAIN_ADMIN in policies.roles_to_give(actor)
    appointed = [draft for draft in becoming if possible and not draft.is_demoted]
    first = [d.position for d in drafts if d.new_address and not d.old_address]
    demands = [
        Demand(Kind.MAILBOXES, first, "address"),
        Demand(Kind.DOMAIN_ADMINS, [draft.position for draft in appointed], "role"),
    ]
    spend(actor, demands, refusals)
    for draft in appointed:
        if draft.account.owner_id != actor.pk:
            draft.account.owner = actor.user
            draft.changed.append("owner")
    check_homes(_arriving(drafts), domains, refusals)
    new = [
        (d.position, n) for d in drafts for n in _given(d.change.administers) if n not in d.present_domains
    ]
    check_appointments(new, domains, refusals)


def _arriving(drafts: Sequence[_Draft]) -> list[tuple[int, str]]:
    """New mailboxes (position, address) of domains, beyond those that leave the same domain."""
    places = [(d, d.old_address.rpartition("@")[2], d.new_address.rpartition("@")[2]) for d in drafts]
    moving = [(draft, old, new) for draft, old, new in places if new and new != old]
    leaving = Counter(old for _draft, old, _new in moving)
    arriving = []
    for draft, _old, new in moving:
        leaving[new] -= 1
        if leaving[new] < 0:
            arriving.append((draft.position, draft.new_address))
    return arriving


# --- writing ---------------------------------------------------------------------------------------------------


def _settle_mailboxes(
    actor: Actor, drafts: Sequence[_Draft], domains: Mapping[str, Domain], homes: set[str]
) -> publication.Keys:
    """Bring mailboxes to new addresses, create the first ones; keys of what is there now. Saves no changed row."""
    renamed = [(draft, draft.mailbox) for draft in drafts if draft.mailbox is not None and draft.is_renamed]
    moves = [
        Move(mailbox, draft.old_address, draft.account.email, publication.home_of(mailbox))
        for draft, mailbox in renamed
    ]
    for draft, mailbox in renamed:
        mailbox.address, name = split_address(draft.account.email)
        mailbox.domain = domains[name]
    if moves:
        settle_moves(moves)
        carry_addresses(moves, domains)
    first = {d.account.pk: d for d in drafts if d.new_address and not d.old_address}
    created = save_mailboxes(
        actor,
        [
            (d.account, MailboxSpec(address=d.account.email, quota=_quota_of_new(d.change)))
            for d in first.values()
        ],
        domains,
        homes,
    )
    for pk, mailbox in created.items():
        first[pk].mailbox = mailbox
    arrived = {
        draft.account.email: draft.mailbox.pk for draft in drafts if draft.mailbox and draft.new_address
    }
    keys = publication.Keys(addresses=set(arrived))
    return keys | link_recipients("mailbox", arrived)


def _quota_of_new(change: AccountChange) -> int | None:
    return None if isinstance(change.quota, Unset) else change.quota


def _save_changes(actor: Actor, drafts: Sequence[_Draft], domains: Mapping[str, Domain]) -> None:
    changed = {column for draft in drafts for column in draft.changed}
    changed |= {"master_user"} if "role" in changed else set()
    moved = [draft for draft in drafts if "role" in draft.changed]
    _withdraw([draft.account.pk for draft in moved if not _administers(draft)])
    heirs = _step_down(actor, [draft for draft in moved if draft.is_demoted])
    for draft in drafts:  # whose owner steps down with them
        draft.account.owner_id = heirs.get(draft.account.owner_id or 0, draft.account.owner_id)
    ended = end_allowances([draft.account.pk for draft in moved], heirs)
    save_columns([d.account for d in drafts if d.changed], [c for c in _COLUMNS if c in changed])
    now = timezone.now()
    boxes = [d.mailbox for d in drafts if d.mailbox is not None and {"quota", "email"} & set(d.changed)]
    for mailbox in boxes:
        mailbox.last_modification = now
    save_columns(boxes, _MAILBOX_COLUMNS if "email" in changed else _QUOTA_COLUMNS)
    # Who rises keeps what he owns; whoever stepped down owns nothing.
    before = {pk: allowance for pk, allowance in ended.items() if pk not in heirs}
    open_allowances(actor, [draft.account for draft in moved], before)
    wanted = {d.account.pk: d for d in drafts if not isinstance(d.change.administers, Unset)}
    lost = {
        (pk, name)
        for pk, d in wanted.items()
        for name in d.present_domains.difference(_given(d.change.administers))
    }
    if lost:
        through = Domain.administrators.through.objects
        rows = through.filter(user_id__in=wanted, domain__name__in={name for _pk, name in lost})
        pairs = rows.values_list("pk", "user_id", "domain__name")
        through.filter(pk__in=[pk for pk, *pair in pairs if tuple(pair) in lost]).delete()
    new = {
        pk: [name for name in _given(d.change.administers) if name not in d.present_domains]
        for pk, d in wanted.items()
    }
    grant(new.items(), domains)
    for pk, draft in wanted.items():
        if new[pk] or any(each == pk for each, _name in lost):
            draft.changed.append("administers")


def _administers(draft: _Draft) -> bool:
    return Role(draft.account.role).administers


def _withdraw(ids: Sequence[int]) -> None:
    """Simple users look after nothing, super administrators after everything: neither is appointed."""
    if ids:
        Domain.administrators.through.objects.filter(user_id__in=ids).delete()


def _step_down(actor: Actor, drafts: Sequence[_Draft]) -> dict[int, int]:
    """Who steps down owns nothing any more; a reseller who becomes a domain administrator goes on looking after it.

    Returns the heirs.
    """
    if not drafts:
        return {}
    through = Domain.administrators.through
    caring = [
        d.account.pk for d in drafts if d.account.role == Role.DOMAIN_ADMIN and d.old_role is Role.RESELLER
    ]
    owned = Domain.objects.filter(owner__in=caring).values_list("pk", "owner_id")
    through.objects.bulk_create(
        (through(domain_id=domain_id, user_id=owner_id) for domain_id, owner_id in owned),
        ignore_conflicts=True,
    )
    accounts = {draft.account.pk: draft.account for draft in drafts}
    return pass_on(actor, accounts, {draft.account.pk: draft.old_role for draft in drafts})


def _set_limits(actor: Actor, changes: Sequence[AccountChange], drafts: Sequence[_Draft]) -> None:
    grants = [
        Grant(account=change.account, limits={} if isinstance(change.limits, Unset) else change.limits)
        for change in changes
    ]
    changed = {account.pk for account in set_limits(actor, grants)}
    for draft in drafts:
        draft.changed += ["limits"] if draft.account.pk in changed else []


def _replace_senders(drafts: Sequence[_Draft]) -> publication.Keys:
    """Bring the sender addresses up to date; keys of the new and the lost ones."""
    keys = publication.Keys()
    gone: list[int] = []
    new: list[SenderAddress] = []
    for draft in drafts:
        wanted = draft.change.sender_addresses
        if draft.mailbox is None or isinstance(wanted, Unset):
            continue
        lost = draft.present_senders.keys() - set(wanted)
        added = [each for each in wanted if each not in draft.present_senders]
        gone += [draft.present_senders[address] for address in lost]
        new += [SenderAddress(mailbox=draft.mailbox, address=address) for address in added]
        keys.addresses.update(lost, added)
        draft.changed += ["sender_addresses"] if lost or added else []
    SenderAddress.objects.filter(pk__in=gone).delete()
    SenderAddress.objects.bulk_create(new)
    return keys


def _loses_or_gains_aliases(draft: _Draft) -> bool:
    wanted = draft.change.aliases
    return not isinstance(wanted, Unset) and set(wanted) != draft.present_aliases.keys()


def _follow_with_aliases(actor: Actor, drafts: Sequence[_Draft]) -> None:
    """Aliases of the accounts, and those that keep an old address alive."""
    edit_aliases(
        actor,
        [
            AliasWish(
                draft.position,
                draft.account,
                tuple(a for a in draft.change.aliases if a not in draft.present_aliases),
                tuple(pk for a, pk in draft.present_aliases.items() if a not in draft.change.aliases),
            )
            for draft in drafts
            if not isinstance(draft.change.aliases, Unset)
        ],
    )
    kept = [
        draft
        for draft in drafts
        if draft.is_renamed
        and draft.change.keep_old_address
        and draft.old_address not in _given(draft.change.aliases)
    ]
    if not kept:
        return
    try:
        create_aliases(actor, [AliasSpec(address=d.old_address, recipients=(d.account.email,)) for d in kept])
    except Refusal as refusal:
        raise refusal.beside([draft.position for draft in kept], "keep_old_address") from refusal
