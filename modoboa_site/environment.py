"""Typed readers of environment variables: the only place that looks at ``os.environ``."""

import os

from django.core.exceptions import ImproperlyConfigured

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


def text(name: str, default: str | None = None) -> str:
    """Value of *name*; :class:`ImproperlyConfigured` when it is missing and has no default."""
    value = os.environ.get(name, default)
    if value is None:
        msg = f"The environment variable {name} must be set."
        raise ImproperlyConfigured(msg)
    return value


def boolean(name: str, *, default: bool) -> bool:
    """Yes or no; a misspelt word is an error, never a silent "no"."""
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    msg = f"{name}={value!r} is neither yes nor no."
    raise ImproperlyConfigured(msg)


def integer(name: str, *, default: int) -> int:
    """Whole number."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        msg = f"{name}={value!r} is not a whole number."
        raise ImproperlyConfigured(msg) from None


def words(name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    """Values separated by commas or spaces."""
    value = os.environ.get(name)
    if value is None:
        return list(default)
    return value.replace(",", " ").split()
