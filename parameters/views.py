"""The screen "Preferences"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from core.answering import posted
from core.middleware import AuthedRequest
from core.refusals import WHOLE_OBJECT, Reason, Refusal
from core.refusing import refuse
from parameters import tools
from parameters.operations import update_own_preferences
from parameters.preferences_form import PreferencesForm

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True, slots=True)
class Part:
    """What one app lets everybody choose."""

    title: _StrOrPromise
    app: str
    form: forms.Form


@require_http_methods(["GET", "HEAD", "POST"])
def user_preferences(request: AuthedRequest) -> HttpResponse:
    """Show and accept the language and the parameters of the user level."""
    form = PreferencesForm(posted(request), initial={"language": request.actor.user.language})
    parts = _parts(request)
    if form.is_valid() and all(part.form.is_valid() for part in parts):
        values = {part.app: part.form.cleaned_data for part in parts}
        try:
            account = update_own_preferences(request.actor, **form.values(), values=values)
        except Refusal as refusal:
            _refuse(form, parts, refusal)
        else:
            translation.activate(account.language or translation.get_language_from_request(request))
            messages.success(request, _("Your preferences were saved."))
            return redirect("parameters:user_preferences")
    wrong = any(each.errors for each in (form, *(part.form for part in parts)))
    facts = {"form": form, "parts": parts}
    return render(request, "parameters/user_preferences.html", facts, status=422 if wrong else 200)


def _parts(request: AuthedRequest) -> list[Part]:
    parts = []
    for declaration in tools.registry.declarations("user"):
        app = declaration.form_class.app
        values = tools.get_user_parameters(request.actor.user, app)
        form = declaration.form_class(posted(request), initial=values, prefix=app)
        parts.append(Part(declaration.title, app, form))
    return parts


def _refuse(form: forms.Form, parts: Sequence[Part], refusal: Refusal) -> None:
    """Every reason beside its field, in the form that has it: fields of apps are named ``app-field``."""
    rest: list[Reason] = []
    for reason in refusal.reasons:
        app, dash, field = reason.field.partition("-")
        owner: Any = next((part.form for part in parts if dash and part.app == app), None)
        if owner is None:
            rest.append(reason)
            continue
        refuse(owner, Refusal.single(field or WHOLE_OBJECT, reason.code, reason.message))
    refuse(form, Refusal(rest))
