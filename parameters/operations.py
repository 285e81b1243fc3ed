"""Saving parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from core.operation import operation, record
from core.refusals import Refusals
from parameters import policies, tools
from parameters.models import Parameter

if TYPE_CHECKING:
    from core.actor import Actor


@operation("parameter.update", allow=policies.may_change_parameters)
def update_parameters(_actor: Actor, /, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Set site-wide values, ``{app: {name: value}}``; each passes the field of the form that declares it."""
    refusals = Refusals()
    cleaned = [entry for app, named in values.items() for entry in _clean(app, named, refusals)]
    refusals.raise_if_any()
    present = {(row.app, row.name): row.value for row in Parameter.objects.filter(app__in=values)}
    for entry in cleaned:
        if present.get((entry.app, entry.name), ...) == entry.value:
            continue
        parameter, _created = Parameter.objects.update_or_create(
            app=entry.app, name=entry.name, defaults={"value": entry.value}
        )
        record(parameter, changed=["value"], versions=())
    tools.forget()


def _clean(app: str, named: Mapping[str, Any], refusals: Refusals) -> list[Parameter]:
    """Unsaved rows of the values of one app."""
    declarations = {entry.form_class.app: entry for entry in tools.registry.declarations("global")}
    known = tools.registry.names("global", app)
    for name in named:
        if name not in known:
            refusals.add(0, f"{app}-{name}", "unknown_parameter", _("There is no such parameter."))
    if app not in declarations:
        return []
    complete = {
        f"{app}-{name}": value for name, value in {**tools.get_global_parameters(app), **named}.items()
    }
    form = declarations[app].form_class(complete, prefix=app)
    for field, errors in form.errors.get_json_data().items():
        for error in errors:
            refusals.add(0, f"{app}-{field}", error["code"] or "invalid", error["message"])
    return [
        Parameter(app=app, name=name, value=form.cleaned_data[name])
        for name in named
        if name in known and name in form.cleaned_data
    ]
