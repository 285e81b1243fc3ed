"""Domains as rows of a CSV file, each followed by its domain aliases. The file can be read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from admin.bulk_changes import Ids, Kind
from admin.models import Domain, DomainAlias
from admin.queries import domains
from core.streaming import in_order_of

if TYPE_CHECKING:
    from core.actor import Actor
    from core.spreadsheets import Row

# Rows by id of domain, for those of the domains handed in that the app knows more about.
Describe: TypeAlias = "Callable[[Sequence[Domain]], Mapping[int, Row]]"

_COLUMNS = ("name", "quota", "default_mailbox_quota", "enabled")
_describers: list[Describe] = []


def describe_by(describe: Describe) -> None:
    """Let an app write the rows of its own domains; it may ask the database once."""
    if describe not in _describers:
        _describers.append(describe)


def domain_rows(
    actor: Actor, given: Mapping[str, str] | None = None, ids: Ids | None = None
) -> Iterator[Row]:
    """Domains that *actor* sees, by name: all, those that the filters *given* to the list leave, or those of *ids*."""
    found = domains.matching(actor, given or {})
    if ids is not None:
        found = found.filter(pk__among=ids.get(Kind.DOMAIN, ()))
    for some in in_order_of("name", found.only(*_COLUMNS)):
        rows = {domain.pk: _row(domain) for domain in some}
        for describe in _describers:
            rows |= describe(some)
        aliases = _aliases(some)
        for domain in some:
            yield rows[domain.pk]
            yield from aliases.get(domain.pk, ())


def _row(domain: Domain) -> Row:
    return (
        "domain",
        domain.name,
        str(domain.quota),
        str(domain.default_mailbox_quota),
        str(domain.enabled),
    )


def _aliases(some: Sequence[Domain]) -> dict[int, list[Row]]:
    names = {domain.pk: domain.name for domain in some}
    rows: dict[int, list[Row]] = {}
    found = DomainAlias.objects.filter(target__in=names).order_by("name")
    for target, name, enabled in found.values_list("target_id", "name", "enabled"):
        rows.setdefault(target, []).append(("domainalias", name, names[target], str(enabled)))
    return rows
