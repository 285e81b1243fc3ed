"""Saving parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from core.operation import operation, record
from core.operations.own_account import update_own_language
from core.policies import may_change_oneself
from core.refusals import Refusals
from parameters import policies, tools
from parameters.forms import ParametersForm
from parameters.models import Preferences, SiteParameters, StoredParameters, Values
from parameters.registry import Declaration, Level, NotYesOrNo, parsed, registry

if TYPE_CHECKING:
    from core.actor import Actor
    from core.models import User

Given = Mapping[str, Mapping[str, Any]]


@operation("parameter.update", allow=policies.may_change_parameters)
def update_parameters(actor: Actor, /, values: Given) -> None:
    """Set site-wide values, ``{app: {name: value}}``; each passes the field of the form that declares it.

    A value that equals its default is not kept, so that a later default holds. A parameter that is hidden keeps its
    value and need not have one. Codes: ``unknown_parameter``, those of the forms.
    """
    row, _created = SiteParameters.objects.select_for_update().get_or_create(pk=SiteParameters.THE_ROW)
    _change(actor, "global", row, values)
    tools.forget()


@operation("preferences.update", allow=may_change_oneself)
def update_own_preferences(actor: Actor, /, *, language: str, values: Given | None = None) -> User:
    """One's own language and values of parameters, as :func:`update_parameters`. Further code: ``unknown_language``."""
    account = update_own_language(actor, language)
    if values:
        # Nobody else makes it meanwhile: the row of the account is locked.
        row = Preferences.objects.select_for_update().filter(owner=account.pk).first()
        _change(actor, "user", row or Preferences(owner_id=account.pk), values)
    return account


def remove_preferences_of(owners: Iterable[int]) -> None:
    """Part of the deletion of accounts."""
    Preferences.objects.filter(owner__id__among=list(owners)).delete()


def _change(actor: Actor, level: Level, row: StoredParameters, values: Given) -> None:
    refusals = Refusals()
    after: Values = deepcopy(row.parameters)
    changed = []
    for app, given in values.items():
        declaration = registry.declaration(level, app)
        if declaration and not declaration.form_class.has_access(user=actor.user):
            declaration = None
        known = declaration.fields if declaration else {}
        for name in sorted(given.keys() - known):
            refusals.add(0, f"{app}-{name}", "unknown_parameter", _("There is no such parameter."))
        if declaration is None:
            continue
        present = {
            name: tools.typed(field, row.parameters.get(app, {}), name, app) for name, field in known.items()
        }
        ours = {name: value for name, value in given.items() if name in known}
        for name, value in _cleaned(declaration, present, ours, refusals).items():
            if value == present[name] and type(value) is type(present[name]):
                continue
            changed.append(f"{app}.{name}")
            if value == registry.default(level, app, name):
                after.get(app, {}).pop(name, None)
            else:
                after.setdefault(app, {})[name] = value
    refusals.raise_if_any()
    if not changed:
        return
    row.parameters = after
    row.save()
    told = registry.without_secrets(level, after)
    for number, name in enumerate(changed):
        subject = row.told(told, name)
        record(subject, changed=["value"], versions=() if number else [subject])


def _cleaned(
    declaration: Declaration, present: Mapping[str, Any], given: Mapping[str, Any], refusals: Refusals
) -> dict[str, Any]:
    """Values that passed the form of their app together with those that stay; all reasons why one did not."""
    app = declaration.app
    wanted = {}
    for name, value in given.items():
        try:
            wanted[name] = parsed(declaration.fields[name], value)
        except NotYesOrNo:
            refusals.add(0, f"{app}-{name}", "invalid", _("Say yes or no."))
    form = _form(declaration, {**present, **wanted})
    errors = form.errors.get_json_data()
    if not errors.keys() <= wanted.keys():
        # What was wrong before is no reason to refuse this change.
        before = _form(declaration, present).errors.get_json_data()
        errors = {
            field: [error for error in found if field in wanted or error not in before.get(field, ())]
            for field, found in errors.items()
        }
    for field, found in errors.items():
        for error in found:
            refusals.add(0, f"{app}-{field}", error["code"] or "invalid", error["message"])
    return {name: form.cleaned_data[name] for name in wanted if name in form.cleaned_data}


def _form(declaration: Declaration, values: Mapping[str, Any]) -> ParametersForm:
    app = declaration.app
    return declaration.form_class({f"{app}-{name}": value for name, value in values.items()}, prefix=app)
