"""Checking a name and a password, and upgrading old hashes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from core import passwords
from core.addresses import AddressError, canonical_domain
from core.hashing_policy import hashing_policy
from core.models import User


class PanelBackend(BaseBackend):
    """Local accounts. A wrong name costs as much time as a wrong password."""

    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002  Django names it
        username: str | None = None,
        password: str | None = None,
        **_kwargs: Any,
    ) -> User | None:
        """Account with this login name and password, None when they do not belong together or it is disabled."""
        if username is None or password is None:
            return None
        user = User.objects.filter(username=canonical_login(username)).first()
        if user is None:
            policy = hashing_policy()
            passwords.dummy_verify(password, policy.scheme, policy.rounds)
            return None
        if not user.check_password(password) or not user.is_active:
            return None
        return user

    def get_user(self, user_id: int) -> User | None:
        """Account of a session; a disabled one is signed out at its next request."""
        return User.objects.active().filter(pk=user_id).first()


def canonical_login(text: str) -> str:
    """Login name as it is stored: lower case, the domain of an address as an A-label."""
    name = text.strip().lower()
    local_part, at, domain = name.rpartition("@")
    if not at:
        return name
    try:
        return f"{local_part}@{canonical_domain(domain)}"
    except AddressError:
        return name
