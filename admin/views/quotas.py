"""Usage of all mailboxes."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from admin import policies
from admin.queries.quotas import quota_list as list_quotas
from admin.views.access import only
from admin.views.answers import answer_list
from core.middleware import AuthedRequest


@only(policies.may_see_identities)
@require_safe
def quota_list(request: AuthedRequest) -> HttpResponse:
    """Mailboxes that the actor sees, with what they use."""
    return answer_list(request, "admin/quota_list.html", list_quotas(request.actor, request.GET))
