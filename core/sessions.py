"""Signing in and out: the session, the upgrade of old hashes, and what the event log says about it."""

from __future__ import annotations

from typing import Final

from django.contrib.auth import authenticate, login, logout
from django.db import OperationalError, transaction
from django.http import HttpRequest

from core import signals, throttling
from core.actor import Credential
from core.authentication import canonical_login
from core.hashing_policy import hash_secret, is_outdated
from core.middleware import client_address
from core.models import Log, User
from core.models.log import Level
from core.operations.passwords import replace_hash
from core.passwords import PasswordError

# No account has a longer name.
_NAME_COUNTED: Final = 254


def sign_in(request: HttpRequest, name: str, password: str, *, stay: bool) -> User | None:
    """Open a session; None (and a warning in the log) when name and password do not fit.

    Raises :class:`core.throttling.Throttled` after too many failures, whatever the password is.
    """
    attempt = throttling.begin(
        throttling.Thing.SIGN_IN, canonical_login(name)[:_NAME_COUNTED], client_address(request)
    )
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        attempt.failed()
        _note(request, Level.WARNING, "failed", name[:100], None)
        return None
    attempt.succeeded()
    _upgrade_hash(user, password)
    with transaction.atomic():
        login(request, user)
        request.session.set_expiry(None if stay else 0)
        _note(request, Level.INFO, "login", user.username, user)
    signals.user_login.tell(username=user.username, password=password)
    return user


def sign_out(request: HttpRequest) -> None:
    """Close the session."""
    user = request.user
    if isinstance(user, User):
        _note(request, Level.INFO, "logout", user.username, user)
        signals.user_logout.tell(request=request)
    logout(request)


def _upgrade_hash(user: User, password: str) -> None:
    """Replace a hash of another scheme or strength, unless somebody changed the password meanwhile."""
    stored = user.password
    if not is_outdated(stored):
        return
    try:
        hashed = hash_secret(password)
    except PasswordError:
        return  # the preferred scheme cannot take this password; the old hash keeps working
    try:
        if replace_hash(user, stored, hashed):
            user.password = hashed
    except OperationalError:
        return  # a deadlock with a change of the account: the next sign-in tries again


def _note(request: HttpRequest, level: Level, event: str, name: str, user: User | None) -> None:
    shown = "".join(character if character.isprintable() else "?" for character in name)
    words = {
        "login": f"User '{shown}' logged in",
        "logout": f"User '{shown}' logged out",
        "failed": f"Failed login as '{shown}' from {client_address(request)}",
    }
    Log.objects.create(
        level=level,
        logger="modoboa.auth",
        message=words[event][:255],
        actor_id=user.pk if user else None,
        actor_name=user.username if user else "",
        credential=Credential.SESSION,
        address=client_address(request),
        verb=f"session.{event}",
        kind="session",
        object_id=user.pk if user else None,
        object_name=shown[:254],
    )
