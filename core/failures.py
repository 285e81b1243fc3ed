"""Answers with a sentence and a status: pages for people, JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

if TYPE_CHECKING:
    from core.exceptions import ModoboaException

_PAGE, _DATA = "text/html", "application/json"


def is_for_programs(request: HttpRequest) -> bool:
    """The API, a script of a page, or whoever would rather have JSON."""
    return (
        request.path.startswith("/api/")
        or request.headers.get("X-Requested-With") == "XMLHttpRequest"
        or request.get_preferred_type([_PAGE, _DATA]) == _DATA
    )


def told(status: int, detail: object, code: str) -> HttpResponse:
    """The answer for a program."""
    return JsonResponse({"detail": str(detail), "code": code}, status=status)


def told_error(request: HttpRequest, error: ModoboaException) -> HttpResponse:
    """What a plugin raised."""
    if is_for_programs(request):
        return told(error.http_code, error, error.code)
    return render(
        request, "error.html", {"status": error.http_code, "message": str(error)}, status=error.http_code
    )
