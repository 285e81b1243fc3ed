"""Accounts and aliases in one list."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from admin import policies
from admin.bulk_changes import TO_THINGS
from admin.queries.identities import identity_list as list_identities
from admin.queries.resources import limited_resources_of
from admin.views.access import only
from admin.views.answers import answer_list, content_of_plugins
from core.middleware import AuthedRequest


@only(policies.may_see_identities)
@require_safe
def identity_list(request: AuthedRequest) -> HttpResponse:
    """Accounts and aliases that the actor sees."""
    return answer_list(
        request,
        "admin/identity_list.html",
        list_identities(request.actor, request.GET),
        bulk_verbs=TO_THINGS,
        resources=partial(limited_resources_of, request.actor),
        plugin_content=partial(content_of_plugins, request.actor, "identities"),
        may_create_account=policies.may_manage_accounts(request.actor),
        may_create_alias=policies.may_manage_aliases(request.actor),
    )
