"""Who may open a screen. Signing in is asked for by the middleware; objects are loaded through the actor."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http.response import HttpResponseBase

from core.actor import Actor
from core.middleware import AuthedRequest

P = ParamSpec("P")
View = Callable[Concatenate[AuthedRequest, P], HttpResponseBase]


def only(policy: Callable[[Actor], bool]) -> Callable[[View[P]], View[P]]:
    """Close a view (403) to actors whose role lacks the feature, before anything is looked up."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: AuthedRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            require(policy(request.actor))
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def require(allowed: bool) -> None:  # noqa: FBT001  a condition, read in place
    """Answer 403 unless *allowed*."""
    if not allowed:
        raise PermissionDenied
