"""What runs here."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from admin import policies
from admin.queries.information import information_page
from admin.views.access import only
from admin.views.answers import answer_page
from core.middleware import AuthedRequest


@only(policies.may_see_system)
@require_safe
def information(request: AuthedRequest) -> HttpResponse:
    """Versions, and when the command about directories was last at work."""
    return answer_page(request, "admin/information.html", information_page())
