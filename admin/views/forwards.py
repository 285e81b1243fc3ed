"""The screen about the forward of one's own mailbox."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from admin import policies
from admin.forms.forwards import ForwardForm, forward_values
from admin.operations.forwards import set_own_forward
from admin.queries.forwards import OwnForward, own_forward
from admin.views.access import only
from admin.views.answers import answer_form, posted, refuse_edit, tell_what_was_kept
from core.middleware import AuthedRequest
from core.refusals import Refusal


@only(policies.may_set_own_forward)
@require_http_methods(["GET", "HEAD", "POST"])
def user_forward(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "Forward"."""
    forward, form = _forward_form(request)
    if form.is_valid():
        try:
            alias = set_own_forward(request.actor, **form.values(), seen=form.edited.seen)
        except Refusal as refusal:
            forward, form = _forward_form(request)  # perhaps it changed a moment ago: look at it again
            refuse_edit(request, form, refusal)
        else:
            tell_what_was_kept(request, form)
            said = _("Your mail is forwarded.") if alias else _("Your mail is not forwarded.")
            messages.success(request, said)
            return redirect("admin:user_forward")
    context = {"forward": forward, "address": request.actor.user.email}
    return answer_form(request, "admin/user_forward.html", form, **context)


def _forward_form(request: AuthedRequest) -> tuple[OwnForward, ForwardForm]:
    forward = own_forward(request.actor.user)
    return forward, ForwardForm(posted(request), initial=forward_values(forward), edited=forward.edited)
