"""Mailboxes with their usage, in every order that its columns offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import (
    BigIntegerField,
    Case,
    F,
    FloatField,
    IntegerField,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from admin.models import Account, Mailbox
from admin.queries.accounts import marked_by_reach, may_edit_marked
from admin.queries.identities import domain_filter
from admin.queries.listing import Filter, Listing, chip, chosen_order, page_at, rows_on
from admin.queries.searching import containing, search_text
from admin.queries.usage import used_bytes
from core.presentation import MIB

if TYPE_CHECKING:
    from core.actor import Actor

_FULL_FROM: Final = {"over80": 80, "over95": 95}


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """A mailbox: quota in MB, 0 = no limit; *percent* is None without a limit."""

    address: str
    name: str
    enabled: bool
    used_bytes: int
    quota: int
    percent: int | None
    url: str
    update_url: str


# "No limit" is the largest limit, and the smallest share of one.
_UNLIMITED_LAST: Final = Case(When(quota=0, then=Value(1)), default=Value(0), output_field=IntegerField())
_SORTS: Final[Mapping[str, Sequence[str]]] = {
    "address": ("user__email",),
    "used": ("used", "user__email"),
    "limit": ("unlimited", "quota", "user__email"),
    "usage": ("share", "user__email"),
}


def quota_list(actor: Actor, given: Mapping[str, str]) -> Listing[QuotaRow]:
    """One page of the mailboxes that *actor* sees. *given*: q, domain, status, usage, sort, page."""
    query = search_text(given.get("q", ""))
    filters = _filters(actor, given)
    found = _filtered(Mailbox.objects.visible_to(actor), {one.name: one.value for one in filters}, query)
    sort, order = chosen_order(given.get("sort", ""), _SORTS, "address")
    page = page_at(given.get("page", ""), found.count())
    ids = rows_on(page, _sortable(found, order).values_list("pk", flat=True), order)
    return Listing(_rows(actor, ids), page, query, filters, sort, lambda: _facts(page.total))


def _filters(actor: Actor, given: Mapping[str, str]) -> list[Filter]:
    states = [("enabled", _("Enabled")), ("disabled", _("Disabled"))]
    usages = [("over80", _("over 80 %")), ("over95", _("over 95 %")), ("unlimited", _("no limit"))]
    return [
        chip("usage", _("Usage"), usages, given),
        chip("status", _("Status"), states, given),
        domain_filter(actor, given),
    ]


def _filtered(found: QuerySet[Mailbox], chosen: Mapping[str, str], query: str) -> QuerySet[Mailbox]:
    if chosen["domain"]:
        found = found.filter(domain__name=chosen["domain"])
    if chosen["status"]:
        found = found.filter(user__is_active=chosen["status"] == "enabled")
    if chosen["usage"] == "unlimited":
        found = found.filter(quota=0)
    elif chosen["usage"]:
        found = found.filter(quota__gt=0).annotate(used=used_bytes("user__email"))
        # Whole numbers: 100 times the largest quota still fits into 64 bits.
        hundredfold = F("used") * Value(100, BigIntegerField())
        limit = F("quota") * Value(MIB * _FULL_FROM[chosen["usage"]], BigIntegerField())
        found = found.annotate(hundredfold=hundredfold).filter(hundredfold__gte=limit)
    return found.filter(containing(query, exact=("user__email",))) if query else found


def _sortable(found: QuerySet[Mailbox], order: Sequence[str]) -> QuerySet[Mailbox]:
    columns = {column.removeprefix("-") for column in order}
    if columns & {"used", "share"}:
        found = found.annotate(used=used_bytes("user__email"))
    if "share" in columns:
        share = Cast(F("used"), FloatField()) / Cast(F("quota"), FloatField())
        found = found.annotate(
            share=Case(When(quota__gt=0, then=share), default=Value(-1.0), output_field=FloatField())
        )
    return found.annotate(unlimited=_UNLIMITED_LAST) if "unlimited" in columns else found


def _rows(actor: Actor, ids: Sequence[int]) -> list[QuotaRow]:
    """Rows for exactly these mailboxes, in that order: two statements."""
    mailboxes = Mailbox.objects.filter(pk__in=ids).select_related("user").order_by()
    rows = {mailbox.pk: mailbox for mailbox in mailboxes.annotate(used=used_bytes("user__email"))}
    people = [mailbox.user_id for mailbox in rows.values()]
    visible = Account.objects.visible_to(actor).filter(pk__in=people)
    accounts = {account.pk: account for account in marked_by_reach(actor, visible)}
    return [
        _row(actor, rows[pk], accounts[rows[pk].user_id])
        for pk in ids
        if pk in rows and rows[pk].user_id in accounts  # nothing changed meanwhile
    ]


def _row(actor: Actor, mailbox: Mailbox, account: Account) -> QuotaRow:
    used: int = getattr(mailbox, "used", 0)
    args = [mailbox.user_id]
    return QuotaRow(
        address=mailbox.user.email,
        name=account.full_name,
        enabled=mailbox.user.is_active,
        used_bytes=used,
        quota=mailbox.quota,
        percent=used * 100 // (mailbox.quota * MIB) if mailbox.quota else None,
        url=reverse("admin:account_detail", args=args),
        update_url=reverse("admin:account_update", args=args) if may_edit_marked(actor, account) else "",
    )


def _facts(mailboxes: int) -> str:
    shown = {"number": number_format(mailboxes, use_l10n=True, force_grouping=True)}
    return ngettext("%(number)s mailbox", "%(number)s mailboxes", mailboxes) % shown
