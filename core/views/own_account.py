"""Screens about one's own profile and password."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from core.answering import answer_form, answer_throttled, posted, refuse_edit, tell_what_was_kept
from core.editing import edited
from core.forms import PasswordForm, ProfileForm, profile_values
from core.middleware import AuthedRequest
from core.models import User
from core.operations.own_account import change_own_password, update_own_profile
from core.operations.passwords import has_password_here
from core.refusals import Refusal
from core.refusing import refuse
from core.throttling import Throttled


@sensitive_post_parameters("current_password")
@require_http_methods(["GET", "HEAD", "POST"])
def user_profile(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "Profile"."""
    form = _profile_form(request)
    if form.is_valid():
        try:
            update_own_profile(request.actor, **form.values(), seen=form.edited.seen)
        except Refusal as refusal:
            form = _profile_form(request)  # perhaps it changed a moment ago: look at it again
            refuse_edit(request, form, refusal)
        except Throttled as throttled:
            return answer_throttled(request, "core/user_profile.html", form, throttled)
        else:
            tell_what_was_kept(request, form)
            messages.success(request, _("Your profile was saved."))
            return redirect("core:user_profile")
    return answer_form(request, "core/user_profile.html", form)


@sensitive_post_parameters("current_password", "password", "repeated")
@require_http_methods(["GET", "HEAD", "POST"])
def user_password(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "Password". This session goes on, the others end."""
    if not has_password_here(request.actor):
        raise PermissionDenied
    form = PasswordForm(posted(request))
    if form.is_valid():
        given = form.cleaned_data
        try:
            account = change_own_password(
                request.actor, current_password=given["current_password"], password=given["password"]
            )
        except Refusal as refusal:
            refuse(form, refusal)
        except Throttled as throttled:
            return answer_throttled(request, "core/user_password.html", form, throttled)
        else:
            update_session_auth_hash(request, account)
            messages.success(request, _("Your password was changed. Other sessions of yours have ended."))
            return redirect("core:user_password")
    return answer_form(request, "core/user_password.html", form)


def _profile_form(request: AuthedRequest) -> ProfileForm:
    pk = request.actor.pk
    what = edited("account", pk)  # before the values: what happens in between is refused by the operation
    return ProfileForm(posted(request), initial=profile_values(User.objects.get(pk=pk)), edited=what)
