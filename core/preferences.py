"""What an account chose for itself. The choices are kept above the core: the app ``parameters`` hands its reader in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from core.models import User


class Chosen(Protocol):
    """Values of parameters of one account."""

    def get_value(self, name: str, app: str | None = None, *, raise_exception: bool = True) -> Any:
        """Value of one parameter."""


_source: Callable[[User], Chosen] | None = None


def read_from(source: Callable[[User], Chosen]) -> None:
    """Ask *source* for the choices of an account from now on."""
    global _source  # noqa: PLW0603  set once, when the apps are ready
    _source = source


def chosen_by(user: User) -> Chosen:
    """The choices of an account."""
    if _source is None:
        msg = "Nothing reads preferences before the apps are ready."
        raise RuntimeError(msg)
    return _source(user)
