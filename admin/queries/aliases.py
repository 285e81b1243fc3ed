"""One alias as its page shows it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse

from admin.models import Account, Alias, AliasRecipient, Mailbox
from admin.queries.events import Event, recent_events
from admin.queries.identities import kind_label

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient; *url* is blank outside, and where the reader may not look."""

    address: str
    url: str
    is_local: bool


@dataclass(frozen=True)
class AliasPage:
    """Context of the page of one alias."""

    alias: Alias
    kind_label: _StrOrPromise
    expired: bool
    recipients: list[Recipient]
    events: list[Event]


def alias_page(actor: Actor, alias: Alias) -> AliasPage:
    """One alias; recipients that *actor* may open are linked."""
    rows = list(AliasRecipient.objects.filter(alias=alias).select_related("mailbox").order_by("address"))
    owners = [row.mailbox.user_id for row in rows if row.mailbox is not None]
    targets = [row.target_alias_id for row in rows if row.target_alias_id is not None]
    accounts = set(Account.objects.visible_to(actor).filter(pk__in=owners).values_list("pk", flat=True))
    aliases = set(Alias.objects.visible_to(actor).filter(pk__in=targets).values_list("pk", flat=True))
    recipients = [_recipient(row, accounts, aliases) for row in rows]
    is_forward = (
        any(not recipient.is_local for recipient in recipients)
        or Mailbox.objects.filter(user__email=alias.address).exists()
    )
    return AliasPage(
        alias=alias,
        kind_label=kind_label(alias, is_forward=is_forward),
        expired=alias.is_expired(),
        recipients=recipients,
        events=recent_events("alias", alias.pk),
    )


def recipients_of(alias: Alias) -> list[str]:
    """Addresses, as the form lists them."""
    return list(alias.recipients.order_by("address").values_list("address", flat=True))


def _recipient(row: AliasRecipient, accounts: set[int], aliases: set[int]) -> Recipient:
    url = ""
    if row.mailbox is not None and row.mailbox.user_id in accounts:
        url = reverse("admin:account_detail", args=[row.mailbox.user_id])
    elif row.target_alias_id in aliases:
        url = reverse("admin:alias_detail", args=[row.target_alias_id])
    return Recipient(row.address, url, is_local=row.mailbox is not None or row.target_alias_id is not None)


def recipients_by_alias(aliases: Collection[int]) -> dict[int, list[str]]:
    """Addresses by the id of their alias, in one statement."""
    found: dict[int, list[str]] = {}
    rows = AliasRecipient.objects.filter(alias__id__in=aliases).order_by("address")
    for alias_id, address in rows.values_list("alias_id", "address"):
        found.setdefault(alias_id, []).append(address)
    return found
