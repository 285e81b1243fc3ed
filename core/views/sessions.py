"""Sign-in, sign-out and the first page."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import landing, sessions
from core.answering import answer_throttled
from core.forms import SignInForm
from core.middleware import AuthedRequest
from core.models import User
from core.signals import get_announcements
from core.throttling import Throttled


@require_safe
def root(request: AuthedRequest) -> HttpResponse:
    """Send everybody to where his work is."""
    return redirect(landing.page_of(request.actor))


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show and accept the sign-in form; a failure is 401, as the documentation has it."""
    form = SignInForm(request.POST or None)
    context = {
        "next": request.GET.get("next", ""),
        "forgotten_url": resolve_url("core:password_reset"),
        "announcements": get_announcements.html(location="loginpage"),
    }
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                user = _open_session(request, form)
            except Throttled as throttled:
                return answer_throttled(request, "core/login.html", form, throttled, **context)
            if user is not None:
                return redirect(_next_page(request))
            form.add_error(None, _("This name and this password do not belong together."))
        status = 401
    return render(request, "core/login.html", {"form": form, **context}, status=status)


def _open_session(request: HttpRequest, form: SignInForm) -> User | None:
    given = form.cleaned_data
    return sessions.sign_in(request, given["username"], given["password"], stay=given["rememberme"])


@require_POST
def sign_out(request: AuthedRequest) -> HttpResponse:
    """End the session."""
    sessions.sign_out(request)
    return redirect("core:sign_in")


def _next_page(request: HttpRequest) -> str:
    """Where the visitor wanted to go, when that is on this host."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else resolve_url(settings.LOGIN_REDIRECT_URL)
