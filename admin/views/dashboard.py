"""The first page of administrators."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from admin import policies
from admin.queries.dashboard import dashboard_page
from admin.views.access import only
from admin.views.answers import answer_page
from core.middleware import AuthedRequest


@only(policies.may_see_domains)
@require_safe
def dashboard(request: AuthedRequest) -> HttpResponse:
    """How much there is, the domains that one would look for, and what plugins show."""
    may_create = policies.may_manage_domains(request.actor)
    return answer_page(request, "admin/dashboard.html", dashboard_page(request.actor), may_create=may_create)
