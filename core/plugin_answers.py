"""Answers of plugins' views, under their documented names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

_SIZE = re.compile(r"\s*(\d+)\s*([kmg]?)\s*", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3}


def render_to_json_response(context: Any, status: int = 200) -> HttpResponse:
    """*context* as JSON, also a text or a list."""
    return JsonResponse(context, status=status, safe=False)


def render_error(
    request: HttpRequest, errortpl: str = "error", user_context: Mapping[str, Any] | None = None
) -> HttpResponse:
    """A page that says what happened: ``message`` and ``status`` of *user_context*."""
    context = {"status": 500, **(user_context or {})}
    return render(request, f"{errortpl}.html", context, status=context["status"])


def size2integer(value: str) -> int:
    """Bytes: ``10K``, ``2M``, ``1G``; raises :class:`ValueError` for anything else."""
    match = _SIZE.fullmatch(value)
    if match is None:
        msg = f"{value!r} is not a size."
        raise ValueError(msg)
    return int(match[1]) << 10 * _POWER[match[2].lower()]
