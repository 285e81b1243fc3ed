"""Who acts with a token: the account behind it, as long as token and account are good."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from core import throttling
from core.actor import Actor, Credential
from core.models import ApiToken
from core.operations.tokens import digest_of

# The last use of a token is noted no more often.
_NOTED_EVERY: Final = timedelta(minutes=1)
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class TokenUse:
    """A token in use, and who acts with it."""

    actor: Actor
    token: ApiToken

    def has(self, scope: str) -> bool:
        """Whether the token may do this."""
        return scope in self.token.scopes


def use_token(clear: str, address: str | None) -> TokenUse | None:
    """The use of a token from *address*; None when it is unknown, expired, elsewhere or its owner disabled.

    Raises :class:`core.throttling.Throttled` when too many wrong ones came from that network. Right ones never wait.
    """
    token = _found(clear, address) if len(clear) <= _LONGEST else None
    if token is None:
        network = throttling.network_of(address)
        throttling.count(throttling.Thing.TOKEN, network, address)
        return None
    _note_use(token, address)
    domains = None if token.domains is None else frozenset(token.domains)
    return TokenUse(Actor(token.owner, Credential.TOKEN, address, domains), token)


def _found(clear: str, address: str | None) -> ApiToken | None:
    token = ApiToken.objects.select_related("owner").filter(digest=digest_of(clear)).first()
    if token is None or token.is_expired() or not token.owner.is_active:
        return None
    return token if _is_within(address, token.networks) else None


def _is_within(address: str | None, networks: list[str]) -> bool:
    if not networks:
        return True
    if address is None:
        return False
    client = ipaddress.ip_address(address)
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return any(client in ipaddress.ip_network(network) for network in networks)


def _note_use(token: ApiToken, address: str | None) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - _NOTED_EVERY:
        unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _NOTED_EVERY)
        ApiToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now, last_used_from=address)
