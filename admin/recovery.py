"""Who could read the mail that recovers an account."""

from __future__ import annotations

from django.db.models import Q

from admin.models import Account, Domain
from core.actor import Actor, Credential
from core.addresses import AddressError, canonical_recipient, split_address
from core.models import User


def secondary_address_is_trusted(account: User) -> bool:
    """False when it lies in a domain here whose owner or administrators may not act on the account.

    They could read the link: the domain may have been added for that purpose.
    """
    try:
        _local_part, name = split_address(canonical_recipient(account.secondary_email, utf8=True))
    except AddressError:
        return False
    domain = Domain.objects.filter(Q(name=name) | Q(aliases__name=name)).first()
    if domain is None:
        return True
    keepers = User.objects.filter(Q(owned_domains=domain) | Q(administered_domains=domain)).distinct()
    return all(
        Account.objects.within_reach_of(Actor(keeper, Credential.COMMAND)).filter(pk=account.pk).exists()
        for keeper in keepers
    )
