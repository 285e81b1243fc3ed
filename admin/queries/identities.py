"""Accounts and aliases in one list.

The order of the whole is found over (key, kind, id) alone, in one UNION ALL whose parts are ordered by a unique
index; only the rows of the page are then fetched, by their ids. Pages in the second half are reached from the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import Cast, Concat, RowNumber, Substr
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from admin import policies
from admin.models import Account, Alias, AliasRecipient, Domain, Mailbox
from admin.queries.accounts import marked_by_reach, may_edit_marked
from admin.queries.listing import Filter, Listing, chip, chosen_order, page_at, rows_on
from admin.queries.searching import a_labels, containing, search_text
from admin.queries.usage import used_bytes
from core.models import User
from core.parts import MenuItem, menu_items
from core.presentation import unicode_domain
from core.roles import Role
from core.signals import extra_account_actions

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor

_RECIPIENTS_SHOWN: Final = 3
_DOMAINS_OFFERED: Final = 25
_NAME_COMPARED: Final = 100


class _Kind(IntEnum):
    ACCOUNT = 0
    ALIAS = 1


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One line: an account (quota in MB, 0 = no limit) or an alias; pages that may not be opened have no address."""

    kind: str
    kind_label: _StrOrPromise
    pk: int
    address: str
    name: str
    note: str
    enabled: bool
    url: str
    update_url: str
    delete_url: str
    expired: bool = False
    has_mailbox: bool = False
    used_bytes: int = 0
    quota: int = 0
    last_login: datetime | None = None
    # What plugins offer to do with it.
    actions: Sequence[MenuItem] = ()

    @property
    def key(self) -> str:
        """What a selection calls it."""
        return f"{self.kind}:{self.pk}"


# --- list ------------------------------------------------------------------------------------------------------

_SORTS: Final[Mapping[str, Sequence[str]]] = {
    "address": ("key", "kind"),
    "kind": ("kind", "key"),
    "name": ("second", "key", "kind"),
    "storage": ("second", "key", "kind"),
}


def identity_list(actor: Actor, given: Mapping[str, str]) -> Listing[IdentityRow]:
    """One page of what *actor* sees. *given*: q, kind, role, status, domain, sort, page.

    The orders by name and by storage sort everything found; the others follow indexes.
    """
    query, filters = search_text(given.get("q", "")), _filters(actor, given)
    accounts, aliases = _found(actor, filters, query)
    sort, order = chosen_order(given.get("sort", ""), _SORTS, "address")
    counts = _numbers(accounts, aliases)
    page = page_at(given.get("page", ""), sum(counts))
    both = _in_one_order(accounts, aliases, sort.removeprefix("-"))
    rows = _rows(actor, [(kind, pk) for _key, kind, pk, *_second in rows_on(page, both, order)])
    return Listing(rows, page, query, filters, sort, partial(_facts, *counts))


def matching(actor: Actor, given: Mapping[str, str]) -> tuple[QuerySet[Account], QuerySet[Alias]]:
    """Accounts and aliases on all pages of the list that *given* describes."""
    return _found(actor, _filters(actor, given), search_text(given.get("q", "")))


def _found(actor: Actor, filters: Sequence[Filter], query: str) -> tuple[QuerySet[Account], QuerySet[Alias]]:
    chosen = {one.name: one.value for one in filters}
    return _accounts(actor, chosen, query), _aliases(actor, chosen, query)


def _filters(actor: Actor, given: Mapping[str, str]) -> list[Filter]:
    kinds = [
        ("account", _("Account")),
        ("alias", _("Alias")),
        ("forward", _("Forward")),
        ("catchall", _("Catch-all")),
        ("aliases", _("Aliases of every kind")),
    ]
    roles = [(role.value, role.label) for role in reversed(actor.role.up_to_here())]
    states = [("enabled", _("Enabled")), ("disabled", _("Disabled"))]
    return [
        chip("kind", _("Kind"), kinds, given),
        chip("role", _("Role"), roles, given),
        chip("status", _("Status"), states, given),
        domain_filter(actor, given),
    ]


def domain_filter(actor: Actor, given: Mapping[str, str]) -> Filter:
    """The first domains to choose from; any other one can stand in the URL (links from its page lead here)."""
    names = list(
        Domain.objects.visible_to(actor).order_by("name").values_list("name", flat=True)[:_DOMAINS_OFFERED]
    )
    wanted = a_labels(search_text(given.get("domain", "")))
    offered = [*names, wanted] if wanted and wanted not in names else names
    options = [(name, unicode_domain(name)) for name in offered]
    return chip("domain", _("Domain"), options, {"domain": wanted})


def _accounts(actor: Actor, chosen: Mapping[str, str], query: str) -> QuerySet[Account]:
    if chosen["kind"] not in {"", "account"}:
        return Account.objects.none()
    found = Account.objects.visible_to(actor)
    if chosen["role"]:
        found = found.filter(role=chosen["role"])
    if chosen["status"]:
        found = found.filter(is_active=chosen["status"] == "enabled")
    if chosen["domain"]:
        found = found.filter(mailbox__domain__name=chosen["domain"])
    names = ("first_name", "last_name")
    return found.filter(containing(query, exact=("username", "email"), loose=names)) if query else found


def _aliases(actor: Actor, chosen: Mapping[str, str], query: str) -> QuerySet[Alias]:
    if chosen["kind"] == "account" or chosen["role"]:
        return Alias.objects.none()
    found = Alias.objects.visible_to(actor)
    if chosen["kind"] == "catchall":
        found = found.filter(address__startswith="@")
    elif chosen["kind"] in {"alias", "forward"}:
        found = found.exclude(address__startswith="@")
        found = found.filter(_is_forward() if chosen["kind"] == "forward" else ~_is_forward())
    if chosen["status"]:
        found = found.filter(enabled=chosen["status"] == "enabled")
    if chosen["domain"]:
        found = found.filter(domain__name=chosen["domain"])
    if not query:
        return found
    recipients = AliasRecipient.objects.filter(containing(query, exact=("address",)))
    words = containing(query, exact=("address",), loose=("description",))
    return found.filter(words | Q(pk__in=recipients.values("alias_id")))


def _is_forward() -> Q:
    """Mail leaves a mailbox (an account has the address), or leaves this server."""
    own = User.objects.filter(email=OuterRef("address"))
    outside = AliasRecipient.objects.filter(
        alias=OuterRef("pk"), mailbox__isnull=True, target_alias__isnull=True
    )
    return Q(Exists(own)) | Q(Exists(outside))


def _in_one_order(
    accounts: QuerySet[Any], aliases: QuerySet[Alias], sort: str
) -> QuerySet[Any, tuple[Any, ...]]:
    """(key, kind, id) of both, with the column ``second`` where the order needs one."""
    seconds: dict[str, tuple[Any, Any]] = {
        "name": (
            Cast(Concat("first_name", Value(" "), "last_name"), CharField(max_length=_NAME_COMPARED)),
            Cast(Substr("description", 1, _NAME_COMPARED), CharField(max_length=_NAME_COMPARED)),
        ),
        "storage": (used_bytes("email"), Value(-1, output_field=BigIntegerField())),
    }
    columns = ["key", "kind", "pk"]
    of_account: dict[str, Any] = {"key": F("username"), "kind": _constant(_Kind.ACCOUNT)}
    of_alias: dict[str, Any] = {"key": F("address"), "kind": _constant(_Kind.ALIAS)}
    if sort in seconds:
        columns.append("second")
        of_account["second"], of_alias["second"] = seconds[sort]
    first: QuerySet[Any, tuple[Any, ...]] = accounts.order_by().annotate(**of_account).values_list(*columns)
    return first.union(aliases.order_by().annotate(**of_alias).values_list(*columns), all=True)


def _numbers(accounts: QuerySet[Any], aliases: QuerySet[Any]) -> tuple[int, int]:
    """How many of each, in one statement; of a UNION, PostgreSQL would leave each part to one process."""
    if accounts.query.is_empty() or aliases.query.is_empty():  # which cost nothing
        return accounts.count(), aliases.count()
    both = _counted(accounts).annotate(of_aliases=Subquery(_counted(aliases).values("number")))
    of_accounts, of_aliases = both.values_list("number", "of_aliases").get()
    return of_accounts, of_aliases


def _counted(found: QuerySet[Any]) -> QuerySet[Any, Any]:
    """Their number as a query: without a column to group by there is one row, if of 0."""
    counted: QuerySet[Any, Any] = found.order_by().values(one=Value(1)).annotate(number=Count("*"))
    return counted


def _constant(kind: _Kind) -> Value:
    return Value(int(kind), output_field=IntegerField())


def _facts(accounts: int, aliases: int) -> str:
    shown = {"number": number_format(accounts, use_l10n=True, force_grouping=True)}
    words = ngettext("%(number)s account", "%(number)s accounts", accounts) % shown
    shown = {"number": number_format(aliases, use_l10n=True, force_grouping=True)}
    return f"{words}, {ngettext('%(number)s alias', '%(number)s aliases', aliases) % shown}"


# --- rows ------------------------------------------------------------------------------------------------------


def newest_in(actor: Actor, domain: Domain, number: int) -> list[IdentityRow]:
    """The newest accounts and aliases of one domain."""
    accounts = Account.objects.visible_to(actor).filter(mailbox__domain=domain).order_by("-pk")
    aliases = Alias.objects.filter(domain=domain).order_by("-pk")
    ids = [(_Kind.ACCOUNT, pk) for pk in accounts.values_list("pk", flat=True)[:number]]
    return _rows(actor, [*ids, *((_Kind.ALIAS, pk) for pk in aliases.values_list("pk", flat=True)[:number])])


def _rows(actor: Actor, ids: Sequence[tuple[int, int]]) -> list[IdentityRow]:
    """Rows for (kind, id), in that order: one query for the accounts, two for the aliases."""
    rows: dict[tuple[int, int], IdentityRow] = {}
    accounts = Account.objects.filter(pk__in=[pk for kind, pk in ids if kind == _Kind.ACCOUNT])
    marked = marked_by_reach(actor, accounts).annotate(used=used_bytes("email"))
    for account in marked.select_related("mailbox").order_by():
        rows[_Kind.ACCOUNT, account.pk] = _account_row(actor, account)
    of_aliases = [pk for kind, pk in ids if kind == _Kind.ALIAS]
    recipients = _first_recipients(of_aliases)
    aliases = Alias.objects.filter(pk__in=of_aliases).annotate(is_forward=_is_forward()).order_by()
    for alias in aliases:
        rows[_Kind.ALIAS, alias.pk] = _alias_row(actor, alias, recipients.get(alias.pk, ""))
    return [rows[one] for one in ids if one in rows]  # deleted between two queries


def _account_row(actor: Actor, account: Account) -> IdentityRow:
    mailbox: Mailbox | None = getattr(account, "mailbox", None)
    may_edit = may_edit_marked(actor, account)
    return IdentityRow(
        kind="account",
        kind_label=Role(account.role).label,
        pk=account.pk,
        address=account.username,
        name=account.full_name,
        note="",
        enabled=account.is_active,
        url=reverse("admin:account_detail", args=[account.pk]),
        update_url=_url(may_edit, "admin:account_update", account.pk),
        delete_url=_url(may_edit and account.pk != actor.pk, "admin:account_delete", account.pk),
        has_mailbox=mailbox is not None,
        used_bytes=getattr(account, "used", 0),
        quota=mailbox.quota if mailbox else 0,
        last_login=account.last_login,
        actions=menu_items(extra_account_actions, account=account),
    )


def _alias_row(actor: Actor, alias: Alias, recipients: str) -> IdentityRow:
    allowed = policies.may_manage_aliases(actor)
    return IdentityRow(
        kind="alias",
        kind_label=kind_label(alias, is_forward=getattr(alias, "is_forward", False)),
        pk=alias.pk,
        address=alias.address,
        name=alias.description.partition("\n")[0].strip(),
        note=recipients,
        enabled=alias.enabled,
        url=reverse("admin:alias_detail", args=[alias.pk]),
        update_url=_url(allowed, "admin:alias_update", alias.pk),
        delete_url=_url(allowed, "admin:alias_delete", alias.pk),
        expired=alias.is_expired(),
    )


def kind_label(alias: Alias, *, is_forward: bool) -> _StrOrPromise:
    """The trade's word for an alias."""
    if alias.is_catch_all:
        return _("Catch-all")
    return _("Forward") if is_forward else _("Alias")


def _url(allowed: bool, name: str, pk: int) -> str:  # noqa: FBT001  a condition, read in place
    return reverse(name, args=[pk]) if allowed else ""


def _first_recipients(ids: Sequence[int]) -> dict[int, str]:
    """The first recipients of each alias, and how many follow: an alias may have thousands."""
    numbered = AliasRecipient.objects.filter(alias__in=ids).annotate(
        place=Window(RowNumber(), partition_by="alias_id", order_by="address"),
        number=Window(Count("pk"), partition_by="alias_id"),
    )
    found: dict[int, tuple[list[str], int]] = {}
    for alias_id, address, number in (
        numbered.filter(place__lte=_RECIPIENTS_SHOWN)
        .order_by("alias_id", "address")
        .values_list("alias_id", "address", "number")
    ):
        found.setdefault(alias_id, ([], number))[0].append(unicode_domain(address))
    return {pk: _and_more(shown, number) for pk, (shown, number) in found.items()}


def _and_more(shown: list[str], number: int) -> str:
    words = ", ".join(shown)
    more = number - len(shown)
    if not more:
        return words
    return ngettext("%(shown)s and %(more)d more", "%(shown)s and %(more)d more", more) % {
        "shown": words,
        "more": more,
    }
