"""``request.localconfig``, where plugins read parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from parameters import tools


class LocalConfig:
    """What is configured in the panel."""

    parameters: Final = tools.SiteValues()


class LocalConfigMiddleware:
    """Sets ``request.localconfig``, and brings Django's settings up to date where parameters are among them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Before any view."""
        tools.keep_settings()
        request.localconfig = LocalConfig()  # type: ignore[attr-defined]  # documented for plugins
        return self.get_response(request)
