"""API tokens: made by their owner, shown once, revoked by their owner."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from core import policies, token_domains
from core.actor import Credential
from core.models import ApiToken, Scope, User
from core.operation import operation, record
from core.operations.own_account import confirm_password
from core.refusals import WHOLE_OBJECT, Refusal, Refusals

if TYPE_CHECKING:
    from core.actor import Actor

MAX_TOKENS: Final = 50
MAX_NETWORKS: Final = 50
MAX_DOMAINS: Final = 500
_MAX_NAME: Final = 100
# So that people, and programs that look for leaked secrets, know what it is.
PREFIX: Final = "modoboa_"
_SHOWN_CHARACTERS: Final = len(PREFIX) + 4


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its only clear text, to be shown once."""

    token: ApiToken
    clear: str


def digest_of(clear: str) -> str:
    """What is stored of a token: without the secret key it can neither be guessed at nor made."""
    return salted_hmac("core.api_token", clear, algorithm="sha256").hexdigest()


def create_token(
    actor: Actor,
    /,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    networks: Sequence[str] = (),
    domains: Sequence[str] = (),
    current_password: str = "",
) -> NewToken:
    """A new token of one's own. In a browser the current password is asked for: a token outlives the session.

    *domains*: names of those in which alone it works. Codes: ``wrong_password``, ``required``, ``too_long``,
    ``hidden_character``, ``no_scope``, ``unknown_scope``, ``expiry_past``, ``invalid_network``, ``unknown_domain``,
    ``too_many``.
    """
    if actor.credential is Credential.SESSION:
        confirm_password(actor, current_password)
    clear = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        owner=actor.user,
        name=name.strip(),
        digest=digest_of(clear),
        beginning=clear[:_SHOWN_CHARACTERS],
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    return NewToken(_create_token(actor, token, networks, domains), clear)


@operation("token.create", allow=policies.may_manage_own_tokens)
def _create_token(
    actor: Actor, /, token: ApiToken, networks: Sequence[str], domains: Sequence[str]
) -> ApiToken:
    User.objects.select_for_update().get(pk=actor.pk)  # so that the count below holds
    refusals = Refusals()
    _check_name(token.name, refusals)
    if not token.scopes:
        refusals.add(0, "scopes", "no_scope", _("Choose at least one thing that the token may do."))
    elif not set(token.scopes) <= set(Scope.values):
        refusals.add(0, "scopes", "unknown_scope", _("There is no such permission for tokens."))
    if token.is_expired():
        refusals.add(0, "expires_at", "expiry_past", _("This instant is in the past. Choose a later one."))
    token.networks = _canonical_networks(networks, refusals)
    token.domains = _ids_of_domains(actor, domains, refusals) if domains else None
    if ApiToken.objects.filter(owner=actor.pk).count() >= MAX_TOKENS:
        message = _("You have %(limit)d tokens. Revoke one that is not needed any more.")
        refusals.add(0, WHOLE_OBJECT, "too_many", message % {"limit": MAX_TOKENS})
    refusals.raise_if_any()
    token.created_at = timezone.now()
    token.save(force_insert=True)
    record(token, versions=())
    return token


def _check_name(name: str, refusals: Refusals) -> None:
    if not name:
        refusals.add(0, "name", "required", _("Give the token a name that says what it is for."))
    elif len(name) > _MAX_NAME:
        message = _("At most %(limit)d characters fit here.") % {"limit": _MAX_NAME}
        refusals.add(0, "name", "too_long", message)
    elif not name.isprintable():
        refusals.add(0, "name", "hidden_character", _("This contains an invisible character; remove it."))


def _canonical_networks(texts: Sequence[str], refusals: Refusals) -> list[str]:
    if _are_too_many(texts, MAX_NETWORKS, "networks", refusals):
        return []
    networks = []
    for text in texts:
        try:
            networks.append(str(ipaddress.ip_network(text.strip())))
        except ValueError:
            _refuse_network(text[:60], refusals)
    return list(dict.fromkeys(networks))


def _ids_of_domains(actor: Actor, names: Sequence[str], refusals: Refusals) -> list[int]:
    if _are_too_many(names, MAX_DOMAINS, "domains", refusals):
        return []
    ids = token_domains.ids_of(actor, names)
    for name in names:
        if name not in ids:
            message = _("You have no domain “%(name)s”.") % {"name": name[:60]}
            refusals.add(0, "domains", "unknown_domain", message)
    return sorted(set(ids.values()))


def _are_too_many(lines: Sequence[str], limit: int, field: str, refusals: Refusals) -> bool:
    if len(lines) <= limit:
        return False
    refusals.add(0, field, "too_many", _("At most %(limit)d lines fit here.") % {"limit": limit})
    return True


def _refuse_network(text: str, refusals: Refusals) -> None:
    message = _("“%(network)s” is neither an address nor a network such as 192.0.2.0/24.")
    refusals.add(0, "networks", "invalid_network", message % {"network": text})


@operation("token.delete", allow=policies.may_manage_own_tokens)
def revoke_token(actor: Actor, /, token: ApiToken) -> None:
    """End a token of one's own. Code: ``gone``."""
    stored = ApiToken.objects.visible_to(actor).select_for_update().filter(pk=token.pk).first()
    if stored is None:
        raise Refusal.single(WHOLE_OBJECT, "gone", _("This token does not exist any more."))
    record(stored, versions=())
    ApiToken.objects.filter(pk=stored.pk).delete()


@operation("token.delete", allow=policies.may_manage_own_tokens)
def revoke_tokens(actor: Actor, /) -> int:
    """End all tokens of one's own; how many there were."""
    tokens = list(ApiToken.objects.visible_to(actor).select_for_update())
    for token in tokens:
        record(token, versions=())
    ApiToken.objects.filter(pk__in=[token.pk for token in tokens]).delete()
    return len(tokens)


def remove_tokens_of(owners: Iterable[int]) -> None:
    """Part of the deletion of accounts, and of new passwords that others give."""
    if ids := list(owners):
        ApiToken.objects.filter(owner__id__among=ids).delete()
