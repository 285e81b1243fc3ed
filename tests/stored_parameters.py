"""Parameters as somebody has set them before a test."""

from __future__ import annotations

from typing import Any

from parameters import tools
from parameters.models import SiteParameters


def store(app: str, **values: Any) -> None:
    """Set site-wide values, without the form that would check them."""
    row, _created = SiteParameters.objects.get_or_create(pk=SiteParameters.THE_ROW)
    row.parameters.setdefault(app, {}).update(values)
    row.save()
    tools.forget()


def unset(app: str) -> None:
    """Let the defaults of an app hold."""
    row = SiteParameters.objects.get(pk=SiteParameters.THE_ROW)
    row.parameters.pop(app, None)
    row.save()
    tools.forget()


def posted(**changed: Any) -> dict[str, Any]:
    """The form "Parameters" as a browser sends it; *changed* by ``app__name``, None for a box that is not ticked."""
    values: dict[str, Any] = {}
    for declaration in tools.registry.declarations("global"):
        for name, value in tools.get_global_parameters(declaration.app).items():
            if name not in declaration.secrets and value is not False:
                values[f"{declaration.app}-{name}"] = "on" if value is True else value
    values |= {name.replace("__", "-", 1): value for name, value in changed.items()}
    return {name: value for name, value in values.items() if value is not None}
