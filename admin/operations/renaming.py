"""Carrying a new name to everything that holds the old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Concat, Left, Length

from admin import publication
from admin.models import Alias, AliasRecipient, Quota, SenderAddress
from admin.operations.homes import Move, settle_domain
from core.addresses import ADDRESS_OCTETS, LOCAL_PART_OCTETS, split_address
from core.models import User
from core.roles import Role

if TYPE_CHECKING:
    from admin.models import Domain


# --- a domain --------------------------------------------------------------------------------------------------


def logins_taken_under(domain: Domain, old: str, new: str) -> bool:
    """True when somebody signs in with a name that a login or a mailbox under *old* would get under *new*."""
    # No mailbox lies under a new name, so no simple user signs in there.
    there = _logins_under(new).values_list("username", "pk")
    before = {f"{split_address(name)[0]}@{old}": pk for name, pk in there}
    if not before:
        return False
    logins = _logins_under(old).filter(username__in=before).values_list("username", "pk")
    boxes = User.objects.filter(mailbox__domain=domain, email__in=before).values_list("email", "pk")
    return any(before[name] != pk for name, pk in chain(logins, boxes))


def too_long_under(domain: Domain, old: str, new: str) -> bool:
    """True when an address would have more bytes than addresses may have; hardly ever asks the database."""
    if len(new) + len("@") + LOCAL_PART_OCTETS <= ADDRESS_OCTETS:
        return False
    limit = ADDRESS_OCTETS - len(new) + len(old)
    under = f"@{old}"
    addresses = chain(
        User.objects.filter(mailbox__domain=domain).values_list("email", flat=True),
        _logins_under(old).values_list("username", flat=True),
        Alias.objects.filter(domain=domain).values_list("address", flat=True),
        AliasRecipient.objects.filter(address__endswith=under).values_list("address", flat=True),
        SenderAddress.objects.filter(address__endswith=under).values_list("address", flat=True),
    )
    return any(len(address.encode()) > limit for address in addresses)


def carry_domain_name(domain: Domain, old: str, new: str) -> publication.Keys:
    """Addresses, logins, recipients, usage rows and sender addresses follow a domain to its new name.

    Set-based: the number of statements does not depend on the number of mailboxes. The row of the domain itself and
    its place in the name space are the caller's. Returns the keys under which this was published.
    """
    keys = publication.keys_of_domains([domain.pk])
    people = User.objects.filter(mailbox__domain=domain)
    settle_domain(domain, old, new)
    addresses = people.annotate(moved=_moved("email", old, new)).values("moved")
    Quota.objects.filter(username__in=addresses).delete()  # of somebody who had the address long ago
    Quota.objects.filter(username__in=people.values("email")).update(username=_moved("username", old, new))
    _logins_under(old).update(username=_moved("username", old, new))
    moved = _moved("username", old, new)
    login = Case(When(username=F("email"), then=moved), default=F("username"), output_field=CharField())
    # In this order: MariaDB reads what it has set.
    people.update(username=login, email=_moved("email", old, new))
    Alias.objects.filter(domain=domain).update(address=_moved("address", old, new))
    recipients = AliasRecipient.objects.filter(address__endswith=f"@{old}")
    waiting = recipients.filter(mailbox__isnull=True, target_alias__isnull=True)
    keys.addresses.update(waiting.values_list("alias__address", flat=True))
    recipients.update(address=_moved("address", old, new))
    senders = SenderAddress.objects.filter(address__endswith=f"@{old}")
    same = SenderAddress.objects.filter(
        mailbox=OuterRef("mailbox"), address=_moved(OuterRef("address"), old, new)
    )
    under = list(senders.values_list("pk", "address", Exists(same)))
    keys.addresses.update(address for _pk, address, _twice in under)
    SenderAddress.objects.filter(pk__in=[pk for pk, _address, twice in under if twice]).delete()
    senders.update(address=_moved("address", old, new))
    return keys


def people_under(domain: Domain, name: str) -> Q:
    """Accounts with a mailbox in the domain, or with a login under its *name*."""
    return Q(pk__in=User.objects.filter(mailbox__domain=domain).values("pk")) | Q(
        pk__in=_logins_under(name).values("pk")
    )


def _logins_under(name: str) -> QuerySet[User]:
    """Administrators whose login lies under the domain, wherever their mailbox is; simple users sign in by address."""
    return User.objects.exclude(role=Role.SIMPLE_USER).filter(username__endswith=f"@{name}")


def _moved(column: str | OuterRef, old: str, new: str) -> Concat:
    """The address in *column* with the domain *new* instead of *old*."""
    return Concat(Left(column, Length(column) - len(f"@{old}")), Value(f"@{new}"))


# --- mailboxes -------------------------------------------------------------------------------------------------


def carry_addresses(moves: Sequence[Move], domains: Mapping[str, Domain]) -> None:
    """What holds the old addresses of mailboxes follows: forwards, recipients, sender addresses, usage rows.

    The rows of the accounts and mailboxes themselves are the caller's. Flat in the number of moves.
    """
    new_of = {move.old_address: move.new_address for move in moves}
    forwards = list(Alias.objects.filter(address__in=new_of))
    for forward in forwards:
        forward.address = new_of[forward.address]
        forward.domain = domains[split_address(forward.address)[1]]
    Alias.objects.bulk_update(forwards, ["address", "domain"])
    by_mailbox = {move.mailbox.pk: move.new_address for move in moves}
    recipients = list(AliasRecipient.objects.filter(mailbox__in=by_mailbox))
    for recipient in recipients:
        extension = recipient.address.partition("@")[0].partition("+")[1:]
        local_part, name = split_address(by_mailbox[recipient.mailbox_id or 0])
        recipient.address = f"{local_part}{''.join(extension)}@{name}"
    # What waited in the same alias under the new address is the same recipient now.
    new_rows = {(recipient.alias_id, recipient.address) for recipient in recipients}
    waiting = AliasRecipient.objects.filter(
        alias__in={alias for alias, _address in new_rows},
        address__in={address for _alias, address in new_rows},
    ).values_list("pk", "alias_id", "address")
    twice_there = [pk for pk, *row in waiting if tuple(row) in new_rows]
    AliasRecipient.objects.filter(pk__in=twice_there).delete()
    AliasRecipient.objects.bulk_update(recipients, ["address"])
    senders = list(SenderAddress.objects.filter(address__in=[*new_of, *new_of.values()]))
    present = {(sender.mailbox_id, sender.address) for sender in senders}
    old = [sender for sender in senders if sender.address in new_of]
    twice = {sender.pk for sender in old if (sender.mailbox_id, new_of[sender.address]) in present}
    SenderAddress.objects.filter(pk__in=twice).delete()
    kept = [sender for sender in old if sender.pk not in twice]
    for sender in kept:
        sender.address = new_of[sender.address]
    SenderAddress.objects.bulk_update(kept, ["address"])
    _carry_usage(new_of)


def _carry_usage(new_of: Mapping[str, str]) -> None:
    """Usage rows keep their numbers: the key changes in place."""
    # Of somebody who had the address long ago.
    Quota.objects.filter(username__in=list(new_of.values())).delete()
    renamed = Case(*(When(username=old, then=Value(new)) for old, new in new_of.items()))
    Quota.objects.filter(username__in=list(new_of)).update(username=renamed)
