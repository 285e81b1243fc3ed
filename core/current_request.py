"""The request that is being answered, for plugins: signals do not carry it. The panel itself never asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def get_request() -> HttpRequest | None:
    """The present request; None in a command."""
    return _request.get()


@contextmanager
def answering(request: HttpRequest) -> Iterator[None]:
    """*request* is the present one."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)
