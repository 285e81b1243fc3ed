"""How a program proves who it is: a token in a header, or the session of a browser with its CSRF token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core import throttling
from core.actor import Actor
from core.middleware import client_address
from core.models import User
from core.token_use import TokenUse, use_token

if TYPE_CHECKING:
    from rest_framework.views import APIView

KEYWORD: Final = "Token"
_PARTS: Final = 2


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Token …``."""

    def authenticate(self, request: Request) -> tuple[User, TokenUse] | None:
        """The owner of the token, and the token; None when there is none."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != KEYWORD.lower().encode():
            return None
        clear = words[1].decode("latin-1") if len(words) == _PARTS else ""
        use = use_token(clear, client_address(request))
        if use is None:
            raise exceptions.AuthenticationFailed
        return use.actor.user, use

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  the library's signature
        """Make refusals 401."""
        return KEYWORD


class BrowserAuthentication(SessionAuthentication):
    """The session of the panel; what changes something needs the CSRF token."""


def actor_of(request: Request) -> Actor:
    """Who asks."""
    if isinstance(request.auth, TokenUse):
        return request.auth.actor
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by core.middleware.ActorMiddleware
    return actor


class WithinScopes(BasePermission):
    """Whoever is known; a token needs a scope of every area of the endpoint besides."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Reading asks for ``read``, all else for ``write``."""
        if not request.user.is_authenticated:
            return False
        if not isinstance(request.auth, TokenUse):
            return True
        verb = "read" if request.method in SAFE_METHODS else "write"
        missing = [
            f"{area}:{verb}" for area in getattr(view, "areas", ()) if not request.auth.has(f"{area}:{verb}")
        ]
        if missing:
            message = f"The token lacks the scope {', '.join(missing)}."
            raise exceptions.PermissionDenied(message, code="scope_missing")
        return True


class TokenRate(BaseThrottle):
    """So many requests per minute and token, counted over all processes; 0 counts nothing."""

    def __init__(self) -> None:
        self._wait_s = 0

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  the library's signature
        """Count the request."""
        per_minute: int = settings.MODOBOA_API_REQUESTS_PER_MINUTE
        if per_minute and isinstance(request.auth, TokenUse):
            self._wait_s = throttling.count_request(f"token {request.auth.token.pk}", per_minute)
        return not self._wait_s

    def wait(self) -> float | None:
        """For ``Retry-After``."""
        return self._wait_s
