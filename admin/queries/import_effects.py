"""What many new mailboxes leave of the storage of domains."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from admin.allocation import allocated
from admin.models import Domain
from core.presentation import MIB, unicode_domain, usage_text

if TYPE_CHECKING:
    from core.actor import Actor

_LOOKED_AT: Final = 1_000
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class DomainStorage:
    """A domain with a quota, and how much of it its mailboxes have; both in MB."""

    name: str
    given: int
    quota: int

    @property
    def percent(self) -> int:
        """Given of the quota."""
        return min(100, self.given * 100 // self.quota)

    @property
    def text(self) -> str:
        """``52 of 60 GB``."""
        return usage_text(self.given * MIB, self.quota * MIB)


def fullest(actor: Actor, names: Collection[str]) -> list[DomainStorage]:
    """Of the first thousand of *names*, those that have a quota, the fullest first."""
    some = list(islice(names, _LOOKED_AT))
    limited = Domain.objects.visible_to(actor).filter(name__in=some, quota__gt=0).order_by("name")
    domains = dict(limited.values_list("pk", "name"))
    quotas = dict(limited.values_list("pk", "quota"))
    given = allocated(domains)
    rows = [DomainStorage(unicode_domain(domains[pk]), given.get(pk, 0), quotas[pk]) for pk in domains]
    return sorted(rows, key=lambda row: -row.given / row.quota)[:_SHOWN]
