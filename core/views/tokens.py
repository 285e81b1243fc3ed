"""Screens about one's own API tokens."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from core.answering import answer_form, answer_throttled, posted
from core.forms import TokenForm
from core.middleware import AuthedRequest
from core.models import ApiToken
from core.operations.tokens import create_token, revoke_token
from core.refusals import Refusal
from core.refusing import refuse
from core.throttling import Throttled


@require_safe
def user_token_list(request: AuthedRequest) -> HttpResponse:
    """One's own tokens."""
    tokens = ApiToken.objects.visible_to(request.actor)
    return render(request, "core/user_token_list.html", {"tokens": tokens})


@sensitive_post_parameters("current_password")
@require_http_methods(["GET", "HEAD", "POST"])
def user_token_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New token"; the answer is the only page that shows it."""
    form = TokenForm(posted(request))
    if form.is_valid():
        try:
            created = create_token(request.actor, **form.values())
        except Refusal as refusal:
            refuse(form, refusal, beside={"expires_at": "expires_on"})
        except Throttled as throttled:
            return answer_throttled(request, "core/user_token_create.html", form, throttled)
        else:
            facts = {"token": created.token, "clear": created.clear}
            return render(request, "core/user_token_created.html", facts, status=201)
    return answer_form(request, "core/user_token_create.html", form)


@require_http_methods(["GET", "HEAD", "POST"])
def user_token_delete(request: AuthedRequest, pk: int) -> HttpResponse:
    """Ask once more, and revoke."""
    token = get_object_or_404(ApiToken.objects.visible_to(request.actor), pk=pk)
    if request.method == "POST":
        try:
            revoke_token(request.actor, token)
        except Refusal:
            messages.info(request, _("This token was revoked already."))
        else:
            messages.success(request, _("The token %(name)s was revoked.") % {"name": token.name})
        return redirect("core:user_token_list")
    return render(request, "core/user_token_delete.html", {"token": token})
