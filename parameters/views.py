"""The screens "Parameters" and "Preferences", and what was changed there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from core import plugins
from core.answering import posted, tell_what_was_kept
from core.form_rendering import is_valid_of_plugin
from core.hooks import guarded
from core.middleware import AuthedRequest
from core.refusals import WHOLE_OBJECT, Reason, Refusal
from core.refusing import refuse
from parameters import policies, tools
from parameters.edit_forms import ParametersEdit, edit_form_of, plain_tab
from parameters.operations import update_own_preferences, update_parameters
from parameters.preferences_form import PreferencesForm
from parameters.queries import edited_parameters, history, may_see, recent_changes

if TYPE_CHECKING:
    from django import forms

    from parameters.registry import Declaration, Level

_RECENT: Final = 6


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def site_parameters(request: AuthedRequest) -> HttpResponse:
    """Show and accept the parameters of the site."""
    _require_super(request)
    parts = _parts(request, "global")
    if _are_valid(*parts):
        try:
            update_parameters(request.actor, _values(parts))
        except Refusal as refusal:
            _refuse(parts, refusal)
        else:
            return _saved(request, parts, _("The parameters were saved."), "parameters:site_parameters")
    facts = {
        "tabs": [part.tab() for part in parts],
        "changes": recent_changes(request.actor, "global", _RECENT),
    }
    return _answer(request, "parameters/site_parameters.html", parts, facts)


@require_safe
def parameter_history(request: AuthedRequest) -> HttpResponse:
    """Who changed which parameter of the site."""
    _require_super(request)
    found = history(request.actor, "global", request.GET.dict())
    return render(request, "parameters/parameter_history.html", vars(found))


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def user_preferences(request: AuthedRequest) -> HttpResponse:
    """Show and accept the language and the parameters of the user level."""
    form = PreferencesForm(posted(request), initial={"language": request.actor.user.language})
    parts = _parts(request, "user")
    if _are_valid(form, *parts):
        try:
            account = update_own_preferences(request.actor, **form.values(), values=_values(parts))
        except Refusal as refusal:
            _refuse(parts, refusal, otherwise=form)
        else:
            translation.activate(account.language or translation.get_language_from_request(request))
            return _saved(request, parts, _("Your preferences were saved."), "parameters:user_preferences")
    facts = {
        "form": form,
        "tabs": [plain_tab(_("Language"), form), *(part.tab() for part in parts)] if parts else [],
        "changes": recent_changes(request.actor, "user", _RECENT) if parts else [],
    }
    return _answer(request, "parameters/user_preferences.html", [form, *parts], facts)


@require_safe
def preference_history(request: AuthedRequest) -> HttpResponse:
    """What somebody changed of the own preferences."""
    found = history(request.actor, "user", request.GET.dict())
    return render(request, "parameters/preference_history.html", vars(found))


def _require_super(request: AuthedRequest) -> None:
    if not policies.may_change_parameters(request.actor):
        raise PermissionDenied


def _parts(request: AuthedRequest, level: Level) -> list[ParametersEdit]:
    """A form for each app whose parameters this person may see."""
    user = request.actor.user
    declarations = [each for each in tools.registry.declarations(level) if may_see(each, user)]
    if not declarations:
        return []
    edited, own = edited_parameters(request.actor, level), tools.OwnValues(user)

    def part_of(declaration: Declaration) -> ParametersEdit:
        app = declaration.app
        present = tools.get_global_parameters(app) if level == "global" else own.of(app)
        make = partial(edit_form_of(declaration), present=present, edited=edited(app), prefix=app)
        if not plugins.is_ours(declaration.form_class):
            for field in make(None):
                field.as_field_group()  # fails here or not at all
        return make(posted(request))

    made = (guarded(each.form_class, "parameters", partial(part_of, each)) for each in declarations)
    return [part for part in made if part is not None]


def _are_valid(*parts: forms.Form) -> bool:
    """All of them, and every one is looked at."""
    found = [_is_valid(part) for part in parts]
    return all(found)


def _is_valid(part: forms.Form) -> bool:
    if isinstance(part, ParametersEdit) and not plugins.is_ours(part.declaration.form_class):
        return is_valid_of_plugin(part, part.declaration.form_class.__module__)
    return part.is_valid()


def _values(parts: Sequence[ParametersEdit]) -> dict[str, dict[str, Any]]:
    return {part.declaration.app: values for part in parts if (values := part.values())}


def _refuse(
    parts: Sequence[ParametersEdit], refusal: Refusal, *, otherwise: forms.Form | None = None
) -> None:
    """Every reason beside its field, in the form that has it: fields of apps are named ``app-field``."""
    forms_by_app: dict[str, forms.Form] = {part.declaration.app: part for part in parts}
    rest: list[Reason] = []
    for reason in refusal.reasons:
        app, _dash, field = reason.field.partition("-")
        owner = forms_by_app.get(app)
        if owner is None:
            rest.append(reason)
        else:
            refuse(owner, Refusal.single(field or WHOLE_OBJECT, reason.code, reason.message))
    refuse(otherwise or parts[0], Refusal(rest))


def _saved(
    request: AuthedRequest, parts: Sequence[ParametersEdit], words: str, url_name: str
) -> HttpResponse:
    for part in parts:
        tell_what_was_kept(request, part)
    messages.success(request, words)
    return redirect(url_name)


def _answer(
    request: AuthedRequest, template: str, parts: Sequence[forms.Form], facts: dict[str, Any]
) -> HttpResponse:
    wrong = any(part.errors for part in parts)
    return render(request, template, facts, status=422 if wrong else 200)
