"""Saving parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from core.operation import operation, record
from core.operations.own_account import update_own_language
from core.policies import may_change_oneself
from core.refusals import Refusals
from parameters import policies, tools
from parameters.models import Parameter, UserParameter

if TYPE_CHECKING:
    from core.actor import Actor
    from core.models import User


@operation("parameter.update", allow=policies.may_change_parameters)
def update_parameters(_actor: Actor, /, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Set site-wide values, ``{app: {name: value}}``; each passes the field of the form that declares it."""
    refusals = Refusals()
    present = {app: tools.get_global_parameters(app) for app in values}
    cleaned = _clean("global", values, present, refusals)
    refusals.raise_if_any()
    stored = {(row.app, row.name): row.value for row in Parameter.objects.filter(app__in=values)}
    for (app, name), value in cleaned.items():
        if stored.get((app, name), ...) == value:
            continue
        parameter, _created = Parameter.objects.update_or_create(
            app=app, name=name, defaults={"value": value}
        )
        record(parameter, changed=["value"], versions=())
    tools.forget()


@operation("preferences.update", allow=may_change_oneself)
def update_own_preferences(
    actor: Actor, /, *, language: str, values: Mapping[str, Mapping[str, Any]] | None = None
) -> User:
    """One's own language and values of parameters, ``{app: {name: value}}``, as :func:`update_parameters`.

    Codes: ``unknown_language``, ``unknown_parameter``, those of the forms.
    """
    account = update_own_language(actor, language)
    refusals = Refusals()
    wanted = values or {}
    present = {app: tools.get_user_parameters(account, app) for app in wanted}
    cleaned = _clean("user", wanted, present, refusals)
    refusals.raise_if_any()
    stored = {
        (row.app, row.name): row.value for row in UserParameter.objects.filter(owner=account, app__in=wanted)
    }
    for (app, name), value in cleaned.items():
        if stored.get((app, name), ...) == value:
            continue
        preference, _created = UserParameter.objects.update_or_create(
            owner=account, app=app, name=name, defaults={"value": value}
        )
        record(preference, changed=["value"], versions=())
    return account


def remove_preferences_of(owners: Iterable[int]) -> None:
    """Part of the deletion of accounts."""
    UserParameter.objects.filter(owner__id__among=list(owners)).delete()


def _clean(
    level: tools.Level,
    values: Mapping[str, Mapping[str, Any]],
    present: Mapping[str, Mapping[str, Any]],
    refusals: Refusals,
) -> dict[tuple[str, str], Any]:
    """Values that passed their fields, by app and name."""
    declarations = {entry.form_class.app: entry for entry in tools.registry.declarations(level)}
    cleaned: dict[tuple[str, str], Any] = {}
    for app, named in values.items():
        known = tools.registry.names(level, app)
        for name in named:
            if name not in known:
                refusals.add(0, f"{app}-{name}", "unknown_parameter", _("There is no such parameter."))
        if app not in declarations:
            continue
        complete = {f"{app}-{name}": value for name, value in {**present[app], **named}.items()}
        form = declarations[app].form_class(complete, prefix=app)
        for field, errors in form.errors.get_json_data().items():
            for error in errors:
                refusals.add(0, f"{app}-{field}", error["code"] or "invalid", error["message"])
        cleaned.update(
            ((app, name), form.cleaned_data[name])
            for name in named
            if name in known and name in form.cleaned_data
        )
    return cleaned
