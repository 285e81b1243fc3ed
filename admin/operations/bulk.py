"""One change for many accounts, aliases, domains or orders: one batch of the operation in question for each kind.

Everything happens in one transaction. What an operation refuses is taken out of its batch and the others are tried
again, so that one thing that changed since the preview does not stop the rest. A change that was made already is no
change: sending a plan twice does nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from admin import policies
from admin.allocation import (
    NO_ROOM,
    NO_ROOM_IN_POOL,
    DomainQuotas,
    Share,
    overfull,
    overfull_followers,
    refused_quotas,
    without_room,
)
from admin.bulk_changes import BulkChange, Ids, Kind, Verb, number_of
from admin.models import Account, Alias, Domain, Mailbox, MailboxOperation
from admin.operations import (
    AccountChange,
    AliasChange,
    DomainChange,
    Restoration,
    delete_accounts,
    delete_aliases,
    delete_domains,
    give_up_directory_orders,
    restore_directories,
    retry_directory_orders,
    update_accounts,
    update_aliases,
    update_domains,
)
from admin.operations.ground import lock_domains, out_of_reach
from admin.publication import chunks
from core.operation import operation
from core.refusals import Reason, Refusal

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor

# Reasons come in layers: an operation that refuses early has not looked at everything yet.
_ROUNDS: Final = 5
# A refusal of the batch as such, reported at one of its positions.
_OF_THE_WHOLE: Final = frozenset({"last_super_admin"})


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What is to be done to exactly these. *keep_directories* counts for deletions.

    Without *confirm_below_usage* a mailbox that uses more than it would get is left as it is. A single directory may be
    restored for the *mailbox* of that address, instead of the one that has its own now.
    """

    change: BulkChange
    ids: Ids
    keep_directories: bool = False
    confirm_below_usage: bool = False
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left as it is; *name* is blank for what the actor does not see."""

    kind: Kind
    name: str
    code: str
    reason: _StrOrPromise


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What came of a plan: ids that were changed or deleted, what was so already, and the rest."""

    done: Ids
    unchanged: Ids
    skipped: tuple[Skipped, ...]


@operation("identity.bulk", allow=policies.may_manage_accounts)
def change_identities(actor: Actor, /, plan: BulkPlan) -> BulkReport:
    """Carry out a plan for accounts and aliases. Codes of what is skipped: those of the operations."""
    aliases = _Batch(Kind.ALIAS, Alias.objects.visible_to(actor), plan)
    accounts = _Batch(Kind.ACCOUNT, Account.objects.visible_to(actor), plan)
    # In one order for both kinds, before the operations lock their own.
    boxes = Mailbox.objects.filter(user__in=[account.pk for account in accounts.members])
    lock_domains(
        actor,
        ids={alias.domain_id for alias in aliases.members}.union(boxes.values_list("domain", flat=True)),
    )
    # Aliases first: an account takes its forward with it, which would then be missing in its own batch.
    return _joined([_change_aliases(actor, plan, aliases), _change_accounts(actor, plan, accounts)])


@operation("domain.bulk", allow=policies.may_manage_domains)
def change_domains(actor: Actor, /, plan: BulkPlan) -> BulkReport:
    """Carry out a plan for domains. Codes of what is skipped: those of the operations."""
    change, batch = plan.change, _Batch(Kind.DOMAIN, Domain.objects.visible_to(actor), plan)
    if change.verb is Verb.DELETE:
        return batch.run(lambda some: delete_domains(actor, some, keep_directories=plan.keep_directories))
    wanted: dict[str, Any] = {"enabled": change.verb is Verb.ENABLE}
    values: dict[str, Any] = {}
    if change.verb is Verb.QUOTA:
        quotas = {"quota": change.quota, "default_mailbox_quota": change.default_mailbox_quota}
        wanted = {name: value for name, value in quotas.items() if value is not None}
        values["confirm_below_usage"] = plan.confirm_below_usage
    batch.leave(lambda domain: all(getattr(domain, name) == value for name, value in wanted.items()))
    if change.verb is Verb.QUOTA:
        batch.skip(_beyond_pools(actor, plan, batch.members, wanted), "limit_reached", NO_ROOM_IN_POOL)
    return batch.run(
        lambda some: update_domains(
            actor, [DomainChange(domain=domain, **wanted, **values) for domain in some]
        )
    )


@operation("mailboxoperation.bulk", allow=policies.may_decide_about_directories)
def decide_about_directories(actor: Actor, /, plan: BulkPlan) -> BulkReport:
    """Retry, give up or restore. Codes of what is skipped: those of the operations.

    One restoration alone is refused instead, so that another mailbox can be chosen; also with ``no_such_mailbox``.
    """
    orders = MailboxOperation.objects.visible_to(actor).orders()
    batch = _Batch(Kind.ORDER, orders, plan, name=lambda order: " → ".join(order.addresses))
    if plan.change.verb is Verb.RESTORE and number_of(plan.ids) == 1:
        box = _mailbox_at(actor, plan.mailbox)
        restore_directories(actor, [Restoration(order, box) for order in batch.members])
        batch.done = [order.pk for order in batch.members]
        return batch.report()
    work = {
        Verb.RETRY: retry_directory_orders,
        Verb.GIVE_UP: give_up_directory_orders,
        Verb.RESTORE: _restore,
    }[plan.change.verb]
    return batch.run(lambda some: work(actor, some))


def _restore(actor: Actor, orders: Sequence[MailboxOperation]) -> None:
    """Each for the mailbox that has its address now."""
    restore_directories(actor, [Restoration(order) for order in orders])


def _mailbox_at(actor: Actor, address: str) -> Mailbox | None:
    """The mailbox with this address; None for no address."""
    if not address:
        return None
    box = Mailbox.objects.visible_to(actor).filter(user__email=address).first()
    if box is None:
        message = _("There is no mailbox %(address)s.") % {"address": address}
        raise Refusal.single("mailbox", "no_such_mailbox", message)
    return box


def _change_accounts(actor: Actor, plan: BulkPlan, batch: _Batch) -> BulkReport:
    change = plan.change
    batch.skip(
        out_of_reach(actor, [account.pk for account in batch.members]),
        "above_you",
        _("This account is not yours to administer."),
    )
    if change.verb is Verb.DELETE:
        return batch.run(lambda some: delete_accounts(actor, some, keep_directories=plan.keep_directories))
    if change.verb is Verb.QUOTA:
        present = _quotas(batch.members)
        batch.leave(lambda account: _has_quota(present.get(account.pk), change.quota))
        batch.skip(_without_room(plan, batch.members), "quota_exceeds_domain", NO_ROOM)
        values: dict[str, Any] = {"quota": change.quota, "confirm_below_usage": plan.confirm_below_usage}
    else:
        values = {"is_active": change.verb is Verb.ENABLE}
        batch.leave(lambda account: account.is_active is values["is_active"])
    return batch.run(
        lambda some: update_accounts(actor, [AccountChange(account=account, **values) for account in some])
    )


def _change_aliases(actor: Actor, plan: BulkPlan, batch: _Batch) -> BulkReport:
    change = plan.change
    if change.verb is Verb.DELETE:
        return batch.run(lambda some: delete_aliases(actor, some))
    if change.verb is Verb.QUOTA:
        batch.skip({alias.pk for alias in batch.members}, "no_quota", _("An alias has no quota."))
        return batch.report()
    enabled = change.verb is Verb.ENABLE
    batch.leave(lambda alias: alias.enabled is enabled)
    return batch.run(
        lambda some: update_aliases(actor, [AliasChange(alias=alias, enabled=enabled) for alias in some])
    )


def _quotas(accounts: Sequence[Account]) -> dict[int, tuple[int, bool, int]]:
    """By account: quota of the mailbox, whether it follows the domain, and the domain's value."""
    columns = ("user_id", "quota", "use_domain_quota", "domain__default_mailbox_quota")
    return {
        pk: (quota, follows, default)
        for some in chunks(account.pk for account in accounts)
        for pk, quota, follows, default in Mailbox.objects.filter(user__in=some).values_list(*columns)
    }


def _without_room(plan: BulkPlan, accounts: Sequence[Account]) -> set[int]:
    """Accounts (ids) whose mailboxes find no room left in their domains, once the others have got what they ask for."""
    wanted = plan.change.quota
    columns = (
        "user_id",
        "user__email",
        "quota",
        "domain_id",
        "domain__quota",
        "domain__default_mailbox_quota",
    )
    shares: dict[str, Share] = {}
    for some in chunks(account.pk for account in accounts):
        rows = Mailbox.objects.filter(user__in=some).values_list(*columns)
        for pk, address, present, domain, limit, default in rows:
            shares[address] = Share(pk, domain, limit, default if wanted is None else wanted, present)
    if not plan.confirm_below_usage:
        for address in overfull({a: share.quota for a, share in shares.items() if share.more}):
            del shares[address]
    return without_room(shares.values())


def _beyond_pools(
    actor: Actor, plan: BulkPlan, domains: Sequence[Domain], wanted: Mapping[str, int]
) -> set[int]:
    """Domains (ids) for which the quota of their owners has no room, once the others have got what they ask for."""
    asked = [
        DomainQuotas(
            domain=domain.pk,
            owner=domain.owner_id,
            quota=wanted.get("quota", domain.quota),
            default=wanted.get("default_mailbox_quota", domain.default_mailbox_quota),
            old_quota=domain.quota,
            changed=[name for name, value in wanted.items() if getattr(domain, name) != value],
        )
        for domain in domains
    ]
    if not plan.confirm_below_usage and not actor.is_super:
        defaults = {
            domain.pk: each.default
            for domain, each in zip(domains, asked, strict=True)
            if "default_mailbox_quota" in each.changed
        }
        crowded = overfull_followers(defaults)
        asked = [each for each in asked if each.domain not in crowded]
    return {pk for pk, code in refused_quotas(actor, asked).items() if code == "limit_reached"}


def _has_quota(present: tuple[int, bool, int] | None, wanted: int | None) -> bool:
    if present is None:
        return False
    quota, follows, default = present
    return (quota, follows) == ((default, True) if wanted is None else (wanted, False))


class _Batch:
    """Things of one kind on their way: those that are left in it, and what became of the others."""

    def __init__(self, kind: Kind, visible: Any, plan: BulkPlan, *, name: Callable[[Any], str] = str) -> None:
        """Load what *visible* (a queryset) holds of the plan; the rest is gone, for this actor at least."""
        ids = plan.ids.get(kind, ())
        self.kind = kind
        self.name = name
        self.members: list[Any] = [each for some in chunks(ids) for each in visible.filter(pk__in=some)]
        self.unchanged: list[int] = []
        self.done: list[int] = []
        self.skipped: list[Skipped] = []
        missing = len(ids) - len(self.members)
        self.skipped += [Skipped(kind, "", "gone", _("This is not there any more."))] * missing

    def skip(self, ids: set[int], code: str, reason: _StrOrPromise) -> None:
        """Take some out."""
        self.skipped += [
            Skipped(self.kind, self.name(each), code, reason) for each in self.members if each.pk in ids
        ]
        self.members = [each for each in self.members if each.pk not in ids]

    def leave(self, is_so: Callable[[Any], bool]) -> None:
        """Take out what is so already."""
        self.unchanged += [each.pk for each in self.members if is_so(each)]
        self.members = [each for each in self.members if not is_so(each)]

    def run(self, work: Callable[[list[Any]], object]) -> BulkReport:
        """Do the work; what it refuses is taken out, and the others are tried again."""
        for _round in range(_ROUNDS):
            if not self.members:
                break
            try:
                with transaction.atomic():  # a refused batch is undone alone
                    work(self.members)
            except Refusal as refusal:
                self._take_out(refusal)
            else:
                self.done = [each.pk for each in self.members]
                break
        else:
            if self.members:
                raise Refusal.single(
                    "", "conflict", _("This changes at the moment. Look at it again and repeat your change.")
                )
        return self.report()

    def _take_out(self, refusal: Refusal) -> None:
        reasons: dict[int, Reason] = {}
        for reason in refusal.reasons:
            reasons.setdefault(reason.position, reason)
        single = {p: reason for p, reason in reasons.items() if reason.code not in _OF_THE_WHOLE}
        out = single or reasons
        if "conflict" in {reason.code for reason in out.values()}:
            raise refusal  # a lost race is nobody's position
        self.skipped += [
            Skipped(self.kind, self.name(each), out[position].code, out[position].message)
            for position, each in enumerate(self.members)
            if position in out
        ]
        self.members = [each for position, each in enumerate(self.members) if position not in out]

    def report(self) -> BulkReport:
        """What became of all of them."""
        return BulkReport(
            {self.kind: tuple(self.done)}, {self.kind: tuple(self.unchanged)}, tuple(self.skipped)
        )


def _joined(reports: Sequence[BulkReport]) -> BulkReport:
    return BulkReport(
        {kind: ids for report in reports for kind, ids in report.done.items()},
        {kind: ids for report in reports for kind, ids in report.unchanged.items()},
        tuple(skipped for report in reports for skipped in report.skipped),
    )
