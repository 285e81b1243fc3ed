"""Notices of plugins, for pages that are open."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from core import parts, signals
from core.middleware import AuthedRequest


@require_safe
def top_notifications_check(request: AuthedRequest) -> HttpResponse:
    """What plugins want somebody to look at now: the menu behind the bell for our pages, else a list in JSON."""
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return render(request, "components/notices_menu.html")
    news = parts.notice_news(signals.get_top_notifications, include_all=False)
    return JsonResponse(news, safe=False)
