"""What was ordered about mail directories."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from admin import policies
from admin.bulk_changes import TO_ORDERS
from admin.queries.directories import directory_list as list_orders
from admin.queries.directories import standstills
from admin.views.access import only
from admin.views.answers import answer_list
from core.middleware import AuthedRequest


@only(policies.may_decide_about_directories)
@require_safe
def directory_list(request: AuthedRequest) -> HttpResponse:
    """Orders, and what keeps them from being carried out."""
    return answer_list(
        request,
        "admin/directory_list.html",
        list_orders(request.actor, request.GET),
        bulk_verbs=TO_ORDERS,
        standstills=partial(standstills, request.actor),
    )
