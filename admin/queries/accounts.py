"""One account as its page, its form and its owner's first page show it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, QuerySet

from admin import policies
from admin.models import Account, Alias, Domain, Mailbox, Quota, SenderAddress
from admin.queries.directories import MovingNotice, moving_notice
from admin.queries.events import Event, recent_events
from admin.queries.mail_settings import MailSetting, mail_settings
from admin.queries.resources import Resource, resources_of
from admin.signals import extra_account_dashboard_widgets
from core.parts import Columns, MenuItem, menu_items, widgets
from core.roles import Role
from core.signals import extra_account_actions
from limits.policies import may_see_limits

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor
    from core.models import User

_ALIASES_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Forward:
    """Where mail of a mailbox goes on to."""

    pk: int
    recipients: list[str]
    keeps_copy: bool


@dataclass(frozen=True)
class MailboxFacts:
    """A mailbox, if there is one, with what leads to it and away from it."""

    mailbox: Mailbox | None
    used_bytes: int
    aliases: list[Alias]
    forward: Forward | None
    mail_settings: list[MailSetting]
    moving: MovingNotice | None = None


@dataclass(frozen=True)
class AccountFacts:
    """What an account is besides its mailbox."""

    person: Account
    role_label: _StrOrPromise
    sender_addresses: list[SenderAddress]
    domains: list[Domain]
    resources: list[Resource]
    events: list[Event]
    actions: list[MenuItem]
    widgets: Columns


def mailbox_of(user: User) -> Mailbox | None:
    """The mailbox of an account, with its domain."""
    return Mailbox.objects.filter(user=user.pk).select_related("domain").first()


def own_mailbox(user: User) -> MailboxFacts:
    """The mailbox as its owner sees it: every address that leads to it is his business."""
    return _mailbox_facts(None, mailbox_of(user), Alias.objects.all())


def account_mailbox(actor: Actor, account: Account) -> MailboxFacts:
    """The mailbox as an administrator sees it, with the aliases in his domains."""
    return _mailbox_facts(actor, mailbox_of(account), Alias.objects.visible_to(actor))


def account_facts(actor: Actor, account: Account) -> AccountFacts:
    """Profile, rights and history of one account."""
    return AccountFacts(
        person=account,
        role_label=Role(account.role).label,
        sender_addresses=list(SenderAddress.objects.filter(mailbox__user=account.pk).order_by("address")),
        domains=administered_domains(actor, account),
        resources=resources_of(account) if may_see_limits(actor, account) else [],
        events=recent_events("account", account.pk),
        actions=menu_items(extra_account_actions, account=account),
        widgets=widgets(extra_account_dashboard_widgets, user=actor.user, account=account),
    )


def is_within_reach(actor: Actor, account: Account) -> bool:
    """Whether *actor* may edit an account that he sees."""
    return actor.is_super or Account.objects.within_reach_of(actor).filter(pk=account.pk).exists()


def marked_by_reach(actor: Actor, accounts: QuerySet[Account]) -> QuerySet[Account]:
    """*accounts* as :func:`may_edit_marked` reads them: whether each is beyond *actor*, in the same statement."""
    beyond = Account.objects.beyond_reach_of(actor).filter(pk=OuterRef("pk"))
    return accounts.annotate(is_beyond=Exists(beyond))


def may_edit_marked(actor: Actor, account: Account) -> bool:
    """As :func:`is_within_reach`, for a visible account of :func:`marked_by_reach`: no statement."""
    return policies.may_edit_account(actor, account) and not getattr(account, "is_beyond", True)


def aliases_of(actor: Actor, mailbox: Mailbox) -> list[str]:
    """Other addresses whose mail reaches the mailbox, as far as *actor* sees them."""
    leading_here = _leading_to(mailbox, Alias.objects.visible_to(actor))
    return list(leading_here.values_list("address", flat=True))


def administered_domains(actor: Actor, account: Account) -> list[Domain]:
    """Domains that the account administers, as far as *actor* sees them."""
    return list(Domain.objects.visible_to(actor).filter(administrators=account.pk).order_by("name"))


def _mailbox_facts(actor: Actor | None, mailbox: Mailbox | None, aliases: QuerySet[Alias]) -> MailboxFacts:
    if mailbox is None:
        return MailboxFacts(None, 0, [], None, [])
    address = mailbox.full_address
    usage = Quota.objects.filter(username=address).values_list("bytes", flat=True).first()
    return MailboxFacts(
        mailbox=mailbox,
        used_bytes=usage or 0,
        aliases=list(_leading_to(mailbox, aliases)[:_ALIASES_SHOWN]),
        forward=_forward(aliases, address),
        mail_settings=mail_settings(address),
        moving=moving_notice(actor, address),
    )


def _leading_to(mailbox: Mailbox, aliases: QuerySet[Alias]) -> QuerySet[Alias]:
    """Those of *aliases* whose mail reaches the mailbox, without its forward."""
    leading_here = aliases.filter(recipients__mailbox=mailbox).exclude(address=mailbox.full_address)
    return leading_here.distinct().order_by("address")


def _forward(aliases: QuerySet[Alias], address: str) -> Forward | None:
    """The alias at the address of the mailbox itself."""
    alias = aliases.filter(address=address, enabled=True).first()
    if alias is None:
        return None
    recipients = list(alias.recipients.order_by("address").values_list("address", flat=True))
    others = [recipient for recipient in recipients if recipient != address]
    return Forward(alias.pk, others, keeps_copy=len(others) < len(recipients))


def administered_names(actor: Actor, accounts: Collection[int]) -> dict[int, list[str]]:
    """Names of the domains that the accounts (ids) administer, as far as *actor* sees them, in one statement."""
    if not accounts:
        return {}
    found: dict[int, list[str]] = {}
    rows = Domain.objects.visible_to(actor).filter(administrators__in=accounts).order_by("name")
    for account, name in rows.values_list("administrators__pk", "name"):
        found.setdefault(account, []).append(name)
    return found


def email_exists(address: str) -> bool:
    """Whether a mailbox has this address, whoever looks after it."""
    return Account.objects.filter(email=address).exists()
