"""Screens for whoever forgot his password. Nobody is signed in here."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from core.answering import answer_form, answer_throttled, posted
from core.forms import NewPasswordForm, ResetRequestForm
from core.middleware import client_address
from core.operations.resets import account_of_link, actor_of_link, request_reset, reset_password
from core.refusals import Refusal
from core.refusing import refuse
from core.throttling import Throttled

# Stands in the address for the token, which the browser keeps in a cookie: an address is shown, logged and sent on.
IN_COOKIE = "new-password"
_COOKIE = "reset"


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def password_reset(request: HttpRequest) -> HttpResponse:
    """Ask for a link. The answer is the same for everybody, and so is the time that it takes."""
    form = ResetRequestForm(posted(request))
    if form.is_valid():
        try:
            request_reset(form.cleaned_data["username"], client_address(request))
        except Throttled as throttled:
            return answer_throttled(request, "core/password_reset.html", form, throttled)
        return redirect("core:password_reset_done")
    return answer_form(request, "core/password_reset.html", form)


@login_not_required
@never_cache
@require_safe
def password_reset_done(request: HttpRequest) -> HttpResponse:
    """Say what happens next."""
    minutes = settings.PASSWORD_RESET_TIMEOUT // 60
    return render(request, "core/password_reset_done.html", {"minutes": minutes})


@login_not_required
@never_cache
@sensitive_variables("token")
@sensitive_post_parameters("password", "repeated")
@require_http_methods(["GET", "HEAD", "POST"])
def password_reset_confirm(request: HttpRequest, uidb64: str, token: str) -> HttpResponse:
    """Take the token out of the address, then show and accept the form "New password"."""
    if token != IN_COOKIE:
        return _with_cookie(uidb64, token)
    token = request.COOKIES.get(_COOKIE, "")
    account = account_of_link(uidb64, token)
    if account is None:
        return render(request, "core/password_reset_dead.html", status=410)
    form = NewPasswordForm(posted(request))
    if form.is_valid():
        actor = actor_of_link(account, client_address(request))
        try:
            reset_password(actor, token=token, password=form.cleaned_data["password"])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            return _without_cookie(uidb64)
    return answer_form(request, "core/password_reset_confirm.html", form, person=account)


@login_not_required
@never_cache
@require_safe
def password_reset_complete(request: HttpRequest) -> HttpResponse:
    """Say that the new password counts from now on."""
    return render(request, "core/password_reset_complete.html")


def _form_url(uidb64: str) -> str:
    return reverse("core:password_reset_confirm", args=[uidb64, IN_COOKIE])


def _with_cookie(uidb64: str, token: str) -> HttpResponse:
    """To the form. Whether the link is good is looked at there: here every token is treated alike."""
    answer = redirect(_form_url(uidb64))
    answer.set_cookie(
        _COOKIE,
        token,
        max_age=settings.PASSWORD_RESET_TIMEOUT,
        path=_form_url(uidb64),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _without_cookie(uidb64: str) -> HttpResponse:
    answer = redirect("core:password_reset_complete")
    answer.delete_cookie(_COOKIE, path=_form_url(uidb64), samesite="Lax")
    return answer
