"""Per-request facts: who acts, and what must not be kept."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from core.actor import Actor, Credential
from core.current_request import answering
from core.exceptions import ModoboaException
from core.failures import told_error

if TYPE_CHECKING:
    from core.models import User

GetResponse = Callable[[HttpRequest], HttpResponse]


class AuthedRequest(HttpRequest):
    """A request of somebody who is signed in (for annotations)."""

    user: User
    actor: Actor


class ActorMiddleware:
    """Sets ``request.actor`` for whoever is signed in, and speaks his language."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look at the user that the session names."""
        user = request.user
        if user.is_authenticated:
            request.actor = Actor(user, Credential.SESSION, client_address(request))  # type: ignore[attr-defined]  # see AuthedRequest
            if user.language:
                translation.activate(user.language)
                request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)


class PluginMiddleware:
    """What views and receivers of plugins rely on: the present request, and errors that say what they are."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Remember the request while it is answered."""
        with answering(request):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a plugin raised with its sentence and status."""
        if isinstance(exception, ModoboaException):
            return told_error(request, exception)
        return None


class NoStoreMiddleware:
    """Pages of somebody who is signed in stay out of every cache."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the header, unless the view chose one."""
        response = self.get_response(request)
        if request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def client_address(request: HttpRequest) -> str | None:
    """Address of the client: the socket's peer, or what a proxy that we trust says it saw."""
    peer = request.META.get("REMOTE_ADDR", "")
    if peer in settings.MODOBOA_TRUSTED_PROXIES:
        peer = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or peer
    try:
        return str(ipaddress.ip_address(peer))
    except ValueError:
        return None
