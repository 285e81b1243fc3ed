"""Sender addresses one by one; an account takes them as a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from admin import policies
from admin.models import Account, SenderAddress
from admin.operations.account_changes import AccountChange, update_accounts
from admin.operations.ground import grammatical, utf8_local_parts
from core.addresses import canonical_mailbox_address, canonical_sender_address
from core.operation import operation
from core.refusals import Reason, Refusal, Refusals

if TYPE_CHECKING:
    from core.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderAddressSpec:
    """An extra address, or ``@domain``, for the mailbox with an address."""

    address: str
    mailbox: str


@operation("account.update", allow=policies.may_manage_accounts)
def add_sender_addresses(actor: Actor, /, specs: Sequence[SenderAddressSpec]) -> list[SenderAddress]:
    """Let mailboxes send from further addresses, too.

    Codes: those of the grammar, ``unknown_mailbox``, ``repeated``, those of :func:`update_accounts`.
    """
    refusals = Refusals()
    utf8 = utf8_local_parts()
    pairs = [
        (
            grammatical(canonical_mailbox_address, spec.mailbox, refusals, position, "mailbox", utf8=utf8),
            grammatical(canonical_sender_address, spec.address, refusals, position, "address", utf8=utf8),
        )
        for position, spec in enumerate(specs)
    ]
    accounts = _accounts(actor, {mailbox for mailbox, _address in pairs if mailbox})
    present = _present(accounts)
    wanted: dict[str, dict[str, int]] = {}
    for position, (mailbox, address) in enumerate(pairs):
        if mailbox and mailbox not in accounts:
            message = _("There is no mailbox “%(address)s” that you administer.") % {"address": mailbox}
            refusals.add(position, "mailbox", "unknown_mailbox", message)
        elif address in wanted.setdefault(mailbox, {}) or address in present.get(mailbox, ()):
            message = _("“%(address)s” is a sender address of this mailbox already.") % {"address": address}
            refusals.add(position, "address", "repeated", message)
        else:
            wanted[mailbox][address] = position
    refusals.raise_if_any()
    lists = {mailbox: (*present.get(mailbox, ()), *new) for mailbox, new in wanted.items()}
    _replace(actor, accounts, lists, {mailbox: list(new.values()) for mailbox, new in wanted.items()})
    rows = SenderAddress.objects.filter(mailbox__user__email__in=wanted).select_related("mailbox__user")
    saved = {(row.mailbox.user.email, row.address): row for row in rows}
    return [saved[pair] for pair in pairs]


@operation("account.update", allow=policies.may_manage_accounts)
def remove_sender_addresses(actor: Actor, /, rows: Sequence[SenderAddress]) -> None:
    """Take sender addresses back. Codes: ``gone``, those of :func:`update_accounts`."""
    refusals = Refusals()
    visible = SenderAddress.objects.visible_to(actor).filter(pk__in=[row.pk for row in rows])
    stored = {row.pk: row for row in visible.select_related("mailbox__user")}
    for position, row in enumerate(rows):
        if row.pk not in stored:
            refusals.add(position, "", "gone", _("This sender address does not exist any more."))
    refusals.raise_if_any()
    accounts = _accounts(actor, {row.mailbox.user.email for row in stored.values()})
    lost: dict[str, dict[str, int]] = {}
    for position, row in enumerate(rows):
        each = stored[row.pk]
        lost.setdefault(each.mailbox.user.email, {})[each.address] = position
    present = _present(accounts)
    lists = {mailbox: tuple(a for a in present[mailbox] if a not in gone) for mailbox, gone in lost.items()}
    _replace(actor, accounts, lists, {mailbox: list(gone.values()) for mailbox, gone in lost.items()})


def _accounts(actor: Actor, mailboxes: set[str]) -> dict[str, Account]:
    """Locked, in the order of their ids: nobody changes the lists meanwhile."""
    rows = Account.objects.visible_to(actor).filter(email__in=mailboxes).order_by("pk").select_for_update()
    return {account.email: account for account in rows}


def _present(accounts: Mapping[str, Account]) -> dict[str, list[str]]:
    present: dict[str, list[str]] = {mailbox: [] for mailbox in accounts}
    rows = SenderAddress.objects.filter(mailbox__user__in=[account.pk for account in accounts.values()])
    for mailbox, address in rows.order_by("address").values_list("mailbox__user__email", "address"):
        present[mailbox].append(address)
    return present


def _replace(
    actor: Actor,
    accounts: Mapping[str, Account],
    lists: Mapping[str, tuple[str, ...]],
    positions: Mapping[str, list[int]],
) -> None:
    """Give the mailboxes their new lists; a refusal is said of the first position that asked."""
    mailboxes = list(lists)
    try:
        changes = [AccountChange(account=accounts[box], sender_addresses=lists[box]) for box in mailboxes]
        update_accounts(actor, changes)
    except Refusal as refusal:
        reasons = [
            Reason(positions[mailboxes[r.position]][0], r.field, r.code, r.message) for r in refusal.reasons
        ]
        raise Refusal(reasons) from refusal
