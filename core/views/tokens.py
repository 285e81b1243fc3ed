"""Screens about one's own API tokens."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from core import policies, token_domains
from core.answering import answer_form, answer_throttled, posted
from core.forms import ApiAccessForm, TokenForm
from core.middleware import AuthedRequest
from core.models import ApiToken, Scope
from core.operations.tokens import NewToken, create_token, revoke_token, revoke_tokens
from core.refusals import Refusal
from core.refusing import refuse
from core.throttling import Throttled


@require_safe
def user_token_list(request: AuthedRequest) -> HttpResponse:
    """One's own tokens."""
    tokens = list(ApiToken.objects.visible_to(request.actor))
    names = token_domains.names_of({pk for token in tokens for pk in token.domains or ()})
    lines = [
        (token, [names.get(pk, _("a deleted domain")) for pk in token.domains or ()]) for token in tokens
    ]
    return render(request, "core/user_token_list.html", {"lines": lines})


@sensitive_post_parameters("current_password")
@require_http_methods(["GET", "HEAD", "POST"])
def user_token_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New token"; the answer is the only page that shows it."""
    form = TokenForm(posted(request), for_domains=request.actor.administers)
    if form.is_valid():
        try:
            created = create_token(request.actor, **form.values())
        except Refusal as refusal:
            refuse(form, refusal, beside={"expires_at": "expires_on"})
        except Throttled as throttled:
            return answer_throttled(request, "core/user_token_create.html", form, throttled)
        else:
            return _shown_once(request, created)
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


@require_http_methods(["GET", "HEAD", "POST"])
def user_token_delete_all(request: AuthedRequest) -> HttpResponse:
    """Ask once more, and revoke all of one's own tokens."""
    count = ApiToken.objects.visible_to(request.actor).count()
    if request.method == "POST":
        _tell_of_revoked(request, revoke_tokens(request.actor))
        return redirect("core:user_token_list")
    return render(request, "core/user_token_delete_all.html", {"count": count})


@sensitive_post_parameters("current_password")
@require_http_methods(["GET", "HEAD", "POST"])
def settings_api(request: AuthedRequest) -> HttpResponse:
    """Turn one's own access to the API on and off: a token that may do everything, or none at all."""
    if not policies.may_open_api_settings(request.actor):
        raise PermissionDenied
    count = ApiToken.objects.visible_to(request.actor).count()
    form = ApiAccessForm(posted(request), is_on=bool(count))
    if form.is_valid():
        wanted = form.cleaned_data["enable_api_access"]
        if wanted and not count:
            return _turn_on(request, form)
        if count and not wanted:
            _tell_of_revoked(request, revoke_tokens(request.actor))
        else:
            messages.info(request, _("Nothing was changed."))
        return redirect("core:settings_api")
    return answer_form(request, "core/settings_api.html", form, count=count)


def _turn_on(request: AuthedRequest, form: ApiAccessForm) -> HttpResponse:
    password = form.cleaned_data["current_password"]
    try:
        created = create_token(
            request.actor, name=_("API access"), scopes=Scope.values, current_password=password
        )
    except Refusal as refusal:
        refuse(form, refusal)
    except Throttled as throttled:
        return answer_throttled(request, "core/settings_api.html", form, throttled)
    else:
        return _shown_once(request, created)
    return answer_form(request, "core/settings_api.html", form)


def _shown_once(request: AuthedRequest, created: NewToken) -> HttpResponse:
    facts = {"token": created.token, "clear": created.clear}
    return render(request, "core/user_token_created.html", facts, status=201)


def _tell_of_revoked(request: AuthedRequest, count: int) -> None:
    messages.success(
        request,
        ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count) % {"count": count},
    )
