"""Registering and reading parameters.

A read costs no query: all values are loaded once per request (and once per command) and dropped at its end.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asgiref.local import Local
from django.core.signals import request_finished, request_started

from parameters.forms import AdminParametersForm, UserParametersForm
from parameters.models import Parameter, UserParameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.utils.functional import _StrOrPromise

    from core.models import User

Level = Literal["global", "user"]
_BASES: dict[str, type[AdminParametersForm | UserParametersForm]] = {
    "global": AdminParametersForm,
    "user": UserParametersForm,
}


class NotDefined(LookupError):  # noqa: N818  documented name
    """No form declares this parameter."""

    def __init__(self, app: str, name: str) -> None:
        super().__init__(f"Parameter {name!r} of {app!r} is not defined.")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A registered form and the title of its tab."""

    form_class: type[AdminParametersForm | UserParametersForm]
    title: _StrOrPromise


class Registry:
    """Forms by level and app."""

    def __init__(self) -> None:
        self._declarations: dict[tuple[Level, str], Declaration] = {}

    def add(
        self, level: Level, form_class: type[AdminParametersForm | UserParametersForm], title: _StrOrPromise
    ) -> None:
        """Declare the parameters of ``form_class.app`` at *level*."""
        if not issubclass(form_class, _BASES[level]):
            msg = f"{form_class.__name__} must extend {_BASES[level].__name__}."
            raise TypeError(msg)
        self._declarations[level, form_class.app] = Declaration(form_class, title)

    def declarations(self, level: Level) -> Iterator[Declaration]:
        """Registered forms: the core first, then by title."""
        chosen = [entry for (of_level, _app), entry in self._declarations.items() if of_level == level]
        yield from sorted(chosen, key=lambda entry: (entry.form_class.app != "core", str(entry.title)))

    def default(self, level: Level, app: str, name: str) -> Any:
        """Default value; raises :class:`NotDefined`."""
        declaration = self._declarations.get((level, app))
        if declaration is None or name not in declaration.form_class.base_fields:
            raise NotDefined(app, name)
        return declaration.form_class.base_fields[name].initial

    def names(self, level: Level, app: str) -> list[str]:
        """Parameters of one app."""
        declaration = self._declarations.get((level, app))
        return [] if declaration is None else list(declaration.form_class.base_fields)


registry = Registry()
_loaded = Local()


def _values() -> dict[tuple[str, str], Any]:
    values: dict[tuple[str, str], Any] | None = getattr(_loaded, "values", None)
    if values is None:
        values = {(row.app, row.name): row.value for row in Parameter.objects.all()}
        _loaded.values = values
    return values


def forget(**_signal: object) -> None:
    """Drop the loaded values: the next read sees what the database says."""
    _loaded.values = None


request_started.connect(forget)
request_finished.connect(forget)


def get_global_parameter(name: str, app: str | None = None, *, raise_exception: bool = True) -> Any:
    """Site-wide value of a parameter, its default when it was never saved.

    *app* is guessed from the module of the caller. An unknown parameter raises :class:`NotDefined`, or gives None
    with ``raise_exception=False``.
    """
    app = app or _app_of_caller()
    try:
        default = registry.default("global", app, name)
    except NotDefined:
        if raise_exception:
            raise
        return None
    return _values().get((app, name), default)


def get_global_parameters(app: str) -> dict[str, Any]:
    """All site-wide values of one app."""
    return {name: get_global_parameter(name, app) for name in registry.names("global", app)}


def get_user_parameters(user: User, app: str) -> dict[str, Any]:
    """All values of one app that *user* chose, defaults for the others; one query."""
    values = {name: registry.default("user", app, name) for name in registry.names("user", app)}
    if values:
        chosen = UserParameter.objects.filter(owner=user.pk, app=app, name__in=values)
        values.update(chosen.values_list("name", "value"))
    return values


def _app_of_caller() -> str:
    frame = inspect.currentframe()
    caller = frame and frame.f_back and frame.f_back.f_back
    if caller is None:
        msg = "Cannot tell which app asks: name it."
        raise RuntimeError(msg)
    module: str = caller.f_globals["__name__"]
    return module.partition(".")[0]
