"""What the operations of this app share: locking in one order, the grammar with its refusals, partial changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Case, Q, When
from django.utils.translation import gettext_lazy as _

from admin.models import Account, Domain, DomainName
from admin.models.domain import MAX_QUOTA_MB
from core.addresses import AddressError, without_extension

if TYPE_CHECKING:
    from core.actor import Actor
    from core.refusals import Refusals


class Unset(Enum):
    """Mark of a field that a change leaves alone (None is a value)."""

    TOKEN = 0


UNSET: Final = Unset.TOKEN


def lock_domains(actor: Actor, *, names: Iterable[str] = (), ids: Iterable[int] = ()) -> dict[str, Domain]:
    """Domains by name that *actor* sees; all that are asked for are locked, by id, until the transaction ends.

    Every operation on something inside a domain takes this lock first, so that checks on several rows hold. What it
    shares with domains of others (a recipient, an account that moved out of sight) is locked as well.
    """
    chosen = Q(name__in=set(names)) | Q(pk__in=set(ids))
    locked = Domain.objects.select_for_update().filter(chosen).order_by("pk")
    if actor.is_super:
        return {domain.name: domain for domain in locked}
    sight = Case(When(pk__in=Domain.objects.visible_to(actor).values("pk"), then=True), default=False)
    return {
        domain.name: domain
        for domain in locked.annotate(in_sight=sight)
        if getattr(domain, "in_sight", False)
    }


def foreign_names(actor: Actor, names: Iterable[str]) -> set[str]:
    """Those of *names* that are domains or domain aliases of this server, but not for *actor*."""
    wanted = set(names)
    if actor.is_super or not wanted:
        return set()
    visible = Domain.objects.visible_to(actor)
    his_own = Q(domain__in=visible) | Q(alias__target__in=visible)
    taken = DomainName.objects.filter(name__in=wanted)
    return set(taken.exclude(his_own).values_list("name", flat=True))


def out_of_reach(actor: Actor, accounts: Iterable[int]) -> set[int]:
    """Those of *accounts* (ids) that *actor* does not see, or may not act on."""
    wanted = set(accounts)
    if actor.is_super or not wanted:
        return set()
    within = Account.objects.within_reach_of(actor).filter(pk__in=wanted)
    return wanted.difference(within.values_list("pk", flat=True))


def addresses_above(actor: Actor, addresses: Iterable[str]) -> set[str]:
    """Those of *addresses* that are mailboxes of accounts on which *actor* never acts, or extend one.

    Who could divert their mail or write in their name would stand where they stand.
    """
    plain = {address: without_extension(address) for address in addresses if address}
    if actor.is_super or not plain:
        return set()
    above = Account.objects.beyond_reach_of(actor).filter(email__in={*plain, *plain.values()})
    found = set(above.values_list("email", flat=True))
    return {address for address, box in plain.items() if address in found or box in found}


def refuse_repetitions(asked: Iterable[tuple[int, str]], refusals: Refusals) -> set[int]:
    """One thing is changed once in a batch. *asked*: id and name at each position; returns the positions refused."""
    seen: set[int] = set()
    repeated: set[int] = set()
    for position, (pk, name) in enumerate(asked):
        if pk in seen:
            message = _("“%(name)s” is asked for more than once.")
            refusals.add(position, "", "repeated", message % {"name": name})
            repeated.add(position)
        seen.add(pk)
    return repeated


def refuse_above(refusals: Refusals, position: int, field: str, address: str) -> None:
    """The mailbox belongs to an equal or to somebody above."""
    message = _("“%(address)s” is the mailbox of an account that is not yours to administer.")
    refusals.add(position, field, "above_you", message % {"address": address})


def within(texts: Sequence[str], limit: int, refusals: Refusals, position: int, field: str) -> Sequence[str]:
    """*texts*, or nothing and a refusal when there are more than *limit*: before any work is done on them."""
    if len(texts) <= limit:
        return texts
    message = _("At most %(limit)d lines fit here.") % {"limit": limit}
    refusals.add(position, field, "too_many", message)
    return ()


def refuse_foreign_name(refusals: Refusals, position: int, field: str, name: str) -> None:
    """Only who administers a domain says who signs in or sends under its name."""
    message = _("“%(name)s” is a domain of somebody else on this server.") % {"name": name}
    refusals.add(position, field, "domain_not_yours", message)


def grammatical(
    function: Callable[..., str], text: str, refusals: Refusals, position: int, field: str, **options: bool
) -> str:
    """Canonical form of *text*, or the empty string and a refusal."""
    try:
        return function(text, **options)
    except AddressError as error:
        refusals.add(position, field, error.code, error.message)
        return ""


def grammatical_list(
    function: Callable[..., str],
    texts: Sequence[str],
    limit: int,
    refusals: Refusals,
    position: int,
    field: str,
    **options: bool,
) -> tuple[str, ...]:
    """Canonical forms, at most *limit*, without blanks and repetitions."""
    if not texts:
        return ()
    texts = [text for text in within(texts, limit, refusals, position, field) if text.strip()]
    canonical = (grammatical(function, text, refusals, position, field, **options) for text in texts)
    return tuple(dict.fromkeys(text for text in canonical if text))


def utf8_local_parts() -> bool:
    """Whether local parts may use letters of every script."""
    return bool(settings.MODOBOA_UTF8_LOCAL_PARTS)


def check_quota(value: int, refusals: Refusals, position: int, field: str) -> None:
    """Whole megabytes within what every table and client can hold."""
    if not 0 <= value <= MAX_QUOTA_MB:
        message = _("A quota is between 0 (no limit) and %(maximum)d MB.") % {"maximum": MAX_QUOTA_MB}
        refusals.add(position, field, "quota_out_of_range", message)


def refuse_unknown_domain(refusals: Refusals, position: int, field: str, name: str) -> None:
    """The domain does not exist, or not for this actor: the same words for both."""
    refusals.add(
        position,
        field,
        "unknown_domain",
        _("There is no domain “%(name)s” here. Create it first, or choose another.") % {"name": name},
    )


def duplicates(values: Iterable[str]) -> set[str]:
    """Non-empty values that occur more than once."""
    seen: set[str] = set()
    twice: set[str] = set()
    for value in values:
        if value in seen and value:
            twice.add(value)
        seen.add(value)
    return twice
