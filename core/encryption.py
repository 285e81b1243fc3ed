"""Encrypting what a plugin has to keep and to read again. The keys are in the environment, never in the database."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from core.exceptions import InternalError

if TYPE_CHECKING:
    from django.http import HttpRequest


def encrypt(clear: str) -> str:
    """A text that only this installation reads, as letters and digits of a URL."""
    return _box().encrypt(clear.encode()).decode("ascii")


def decrypt(encrypted: str) -> str:
    """The text again; :class:`InternalError` for one that was changed or made with a key that is gone."""
    try:
        return _box().decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        msg = "This was encrypted with another key."
        raise InternalError(msg) from error


def _box() -> MultiFernet:
    """The first secret encrypts, the others read what was encrypted before it was there."""
    return MultiFernet([_key(secret) for secret in (*settings.MODOBOA_ENCRYPTION_KEYS, settings.SECRET_KEY)])


@cache
def _key(secret: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=b"modoboa plugins").derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def get_password(request: HttpRequest) -> str:
    """Raise :class:`InternalError`: this panel keeps no password that can be read again, not in the session either."""
    del request
    msg = "The panel does not keep the password of whoever is signed in."
    raise InternalError(msg)
