"""Aliases as a part of an account: the other addresses whose mail reaches its mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from admin.models import Alias, AliasRecipient
from admin.operations.aliases import (
    AliasChange,
    AliasSpec,
    create_aliases,
    delete_aliases,
    update_aliases,
)
from core.models import User
from core.refusals import Refusal, Refusals

if TYPE_CHECKING:
    from admin.models import Account
    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class AliasWish:
    """Addresses that are to lead to the mailbox of *account*, and aliases (ids) that are not to any more."""

    position: int
    account: Account
    new: tuple[str, ...]
    lost: tuple[int, ...]


def edit_aliases(actor: Actor, wishes: Sequence[AliasWish]) -> None:
    """Fulfil the wishes, inside the operation on the accounts, whose mailboxes are saved.

    A new address becomes an alias, enabled like the account; an alias that is there gets the mailbox as a further
    recipient. An alias that loses its last recipient goes. What is refused is said beside ``aliases``.
    """
    if not any(wish.new or wish.lost for wish in wishes):
        return
    asked = {address for wish in wishes for address in wish.new}
    _check_no_mailboxes(wishes, asked)
    visible = Alias.objects.visible_to(actor)
    there = {alias.address: alias for alias in visible.filter(address__in=asked)}
    lost = visible.in_bulk({pk for wish in wishes for pk in wish.lost})
    aliases = lost | {alias.pk: alias for alias in there.values()}
    recipients: dict[int, list[str]] = {pk: [] for pk in aliases}
    dropped = {(pk, wish.account.pk) for wish in wishes for pk in wish.lost}
    rows = AliasRecipient.objects.filter(alias__in=aliases)
    for alias_id, address, user_id in rows.values_list("alias_id", "address", "mailbox__user_id"):
        if (alias_id, user_id) not in dropped:
            recipients[alias_id].append(address)
    specs: dict[str, AliasSpec] = {}
    place: dict[int | str, int] = {pk: wish.position for wish in wishes for pk in wish.lost}
    for wish in wishes:
        for address in wish.new:
            if address in there:
                recipients[there[address].pk].append(wish.account.email)
                place[there[address].pk] = wish.position
            else:
                before = specs[address].recipients if address in specs else ()
                specs[address] = AliasSpec(
                    address=address,
                    recipients=(*before, wish.account.email),
                    enabled=wish.account.is_active,
                )
                place[address] = wish.position
    ending = [pk for pk, addresses in recipients.items() if not addresses]
    changes = [
        AliasChange(alias=aliases[pk], recipients=tuple(addresses))
        for pk, addresses in recipients.items()
        if addresses
    ]
    positions: list[int] = []
    try:
        positions = [place[change.alias.pk] for change in changes]
        update_aliases(actor, changes)
        positions = [place[pk] for pk in ending]
        delete_aliases(actor, [aliases[pk] for pk in ending])
        positions = [place[address] for address in specs]
        create_aliases(actor, list(specs.values()))
    except Refusal as refusal:
        raise refusal.beside(positions, "aliases") from refusal


def _check_no_mailboxes(wishes: Sequence[AliasWish], asked: set[str]) -> None:
    """An alias at the address of a mailbox would be its forward."""
    boxes = set(User.objects.filter(email__in=asked).values_list("email", flat=True))
    refusals = Refusals()
    for wish in wishes:
        for address in wish.new:
            if address in boxes:
                message = _("“%(address)s” is a mailbox already. Choose another address.")
                refusals.add(wish.position, "aliases", "address_taken", message % {"address": address})
    refusals.raise_if_any()
