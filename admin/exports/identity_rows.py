"""Accounts and aliases as rows of a CSV file, in an order in which each finds what it needs already there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from django.db.models import F, QuerySet

from admin import policies
from admin.bulk_changes import Ids, Kind
from admin.models import Account, Alias, AliasRecipient, Domain, Mailbox
from admin.publication import chunks
from admin.queries import identities
from core.parts import made_of
from core.roles import Role
from core.signals import account_exported
from core.streaming import in_order_of, with_keys

if TYPE_CHECKING:
    from core.actor import Actor
    from core.spreadsheets import Row

_ACCOUNT = ("username", "first_name", "last_name", "is_active", "role", "email")
# Cells of an account without a mailbox.
_REQUIRED = 7
_WITH_QUOTA = 9
_ALIAS = ("address", "enabled", "expire_at")


def identity_rows(
    actor: Actor, given: Mapping[str, str] | None = None, ids: Ids | None = None
) -> Iterator[Row]:
    """What *actor* sees: everything, what the filters *given* to the list leave, or what *ids* name."""
    accounts, aliases = identities.matching(actor, given or {})
    if ids is not None:
        accounts = accounts.filter(pk__among=ids.get(Kind.ACCOUNT, ()))
        aliases = aliases.filter(pk__among=ids.get(Kind.ALIAS, ()))
    yield from _account_rows(actor, accounts)
    yield from _alias_rows(aliases)


# --- accounts --------------------------------------------------------------------------------------------------


def _account_rows(actor: Actor, found: QuerySet[Account]) -> Iterator[Row]:
    with_hashes = policies.may_export_hashes(actor)
    columns = (*_ACCOUNT, "password") if with_hashes else _ACCOUNT
    for some in in_order_of("username", found.only(*columns)):
        quotas, administered = _quotas(some), _administered(actor, some)
        for account in some:
            row = (
                "account",
                account.username,
                account.password if with_hashes else "",
                account.first_name,
                account.last_name,
                str(account.is_active),
                account.role,
                account.email,
                quotas.get(account.pk, ""),
                *administered.get(account.pk, ()),
            )
            row = row if any(row[_REQUIRED + 1 :]) else row[: _REQUIRED + bool(account.email)]
            yield with_cells_of_plugins(account, row)


def with_cells_of_plugins(account: Account, row: Row) -> Row:
    """The row of an account with what plugins add: cells ``name=value``, behind all of ours."""
    cells = made_of(account_exported, _cell, user=account)
    return (*row, *[""] * (_WITH_QUOTA - len(row)), *cells) if cells else row


def _cell(_receiver: object, given: object) -> str:
    """What an import would not know from the name of a domain is a fault of the plugin."""
    if "=" not in str(given):
        msg = f"{given!r} is not name=value"
        raise ValueError(msg)
    return str(given)


def _quotas(accounts: Sequence[Account]) -> dict[int, str]:
    """Of accounts (by id) whose mailboxes do not follow their domains."""
    own = Mailbox.objects.filter(user__in=[account.pk for account in accounts], use_domain_quota=False)
    return {pk: str(quota) for pk, quota in own.values_list("user_id", "quota")}


def _administered(actor: Actor, accounts: Sequence[Account]) -> dict[int, list[str]]:
    """Names of the domains to which they were appointed, as far as *actor* sees these; by id of account."""
    people = [account.pk for account in accounts if Role(account.role).administers]
    appointed = Domain.objects.visible_to(actor).filter(administrators__in=people).order_by("name")
    names: dict[int, list[str]] = {}
    for pk, name in appointed.values_list("administrators", "name"):
        names.setdefault(pk, []).append(name)
    return names


# --- aliases ---------------------------------------------------------------------------------------------------


def _alias_rows(found: QuerySet[Alias]) -> Iterator[Row]:
    """First those that deliver to no other alias, by address; then, step by step, those that deliver to these.

    Only what delivers to another alias is remembered, so that nothing comes twice, or never, that changes meanwhile.
    """
    found = found.only(*_ALIAS)
    last = _leading_to_aliases(found)
    come_last = frozenset(last)
    for some in in_order_of("address", found):
        yield from _rows_of([alias for alias in some if alias.pk not in come_last])
    for ids in chunks(last):
        yield from _rows_of(with_keys(found, ids))


def _leading_to_aliases(found: QuerySet[Alias]) -> list[int]:
    """Ids of aliases that deliver to other aliases, these before those that deliver to them."""
    links = AliasRecipient.objects.filter(alias__in=found.order_by().values("pk"), target_alias__isnull=False)
    graph: dict[int, set[int]] = {}
    for alias, target in links.exclude(target_alias=F("alias")).values_list("alias_id", "target_alias_id"):
        graph.setdefault(alias, set()).add(target)
    steps = _steps(graph)
    addresses: dict[int, str] = {}
    for some in chunks(graph):
        addresses.update(Alias.objects.filter(pk__in=some).values_list("pk", "address"))
    present = [pk for pk in graph if pk in addresses]
    return sorted(present, key=lambda pk: (steps[pk], addresses[pk]))


def _steps(graph: Mapping[int, set[int]]) -> dict[int, int]:
    """How many steps an alias is away from the last one; what goes round in circles comes last."""
    sorter = TopologicalSorter(graph)
    with suppress(CycleError):  # what is outside of the circle has its order all the same
        sorter.prepare()
    steps: dict[int, int] = {}
    step = 0
    while ready := sorter.get_ready():
        steps.update(dict.fromkeys(ready, step))
        sorter.done(*ready)
        step += 1
    return dict.fromkeys(graph, step) | steps


def _rows_of(aliases: Sequence[Alias]) -> Iterator[Row]:
    recipients: dict[int, list[str]] = {alias.pk: [] for alias in aliases}
    found = AliasRecipient.objects.filter(alias__in=recipients).order_by("address")
    for alias_id, address in found.values_list("alias_id", "address"):
        recipients[alias_id].append(address)
    for alias in aliases:
        if recipients[alias.pk]:  # else it was deleted a moment ago
            yield ("alias", alias.address, str(_works(alias)), *recipients[alias.pk])


def _works(alias: Alias) -> bool:
    """The format has no expiry: what has expired must not come to life again."""
    return alias.enabled and not alias.is_expired()
