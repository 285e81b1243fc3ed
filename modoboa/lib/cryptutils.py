"""Stable import path for plugins: encrypting what has to be read again."""

from core.encryption import decrypt, encrypt, get_password

__all__ = ["decrypt", "encrypt", "get_password"]
