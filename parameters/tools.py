"""Reading parameters.

A read costs no query: all values of the site are loaded once per request, and at most some seconds old elsewhere (in a
command that runs for long). Those of an account are loaded once per object ``user``.
"""

from __future__ import annotations

import inspect
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from asgiref.local import Local
from django.core.signals import request_finished, request_started

from parameters.forms import AdminParametersForm
from parameters.models import Preferences, SiteParameters, Values
from parameters.registry import NotDefined, default_of, registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.forms import Field

    from core.models import User

__all__ = [
    "NotDefined",
    "forget",
    "get_global_parameter",
    "get_global_parameters",
    "get_user_parameters",
    "registry",
]

# Age at which values are loaded again outside of requests.
RELOAD_AFTER_S = 5.0
_MISSING: Final = object()
_log = logging.getLogger("modoboa")


@dataclass(slots=True)
class _Snapshot:
    stored: Values
    loaded_at: float
    typed: dict[tuple[str, str], Any] = field(default_factory=dict)


_loaded = Local()
# What to_django_settings() of all forms has seen in this process: the values, and how many forms there were.
_applied: tuple[int, Values] | None = None


def _snapshot() -> _Snapshot:
    known: _Snapshot | None = getattr(_loaded, "snapshot", None)
    if known is None or _is_stale(known):
        known = _loaded.snapshot = _Snapshot(_site_values(), time.monotonic())
        _apply_settings(known.stored)
    return known


def _is_stale(snapshot: _Snapshot) -> bool:
    return (
        not getattr(_loaded, "in_request", False) and time.monotonic() - snapshot.loaded_at > RELOAD_AFTER_S
    )


def _site_values() -> Values:
    rows = SiteParameters.objects.filter(pk=SiteParameters.THE_ROW)
    return next(iter(rows.values_list("parameters", flat=True)), {})


def forget(**_signal: object) -> None:
    """Drop the loaded values: the next read sees what the database says."""
    _loaded.snapshot = None


def _begin_request(**_signal: object) -> None:
    forget()
    _loaded.in_request = True


def _end_request(**_signal: object) -> None:
    forget()
    _loaded.in_request = False


request_started.connect(_begin_request)
request_finished.connect(_end_request)


def typed(field: Field, stored: Mapping[str, Any], name: str, app: str) -> Any:
    """Value of a parameter among the stored ones of its app: the default if there is none, or none that still fits."""
    if name not in stored:
        return default_of(field)
    try:
        return field.clean(stored[name])
    except Exception:  # noqa: BLE001  a field that expects another kind of value fails as it likes
        _log.warning("The stored value of %s.%s does not fit any more; its default counts.", app, name)
        return default_of(field)


def get_global_parameter(name: str, app: str | None = None, *, raise_exception: bool = True) -> Any:
    """Site-wide value of a parameter, its default when it was never saved.

    *app* is guessed from the module of the caller. An unknown parameter raises :class:`NotDefined`, or gives None
    with ``raise_exception=False``.
    """
    app = app or _app_of_caller()
    try:
        field = registry.field("global", app, name)
    except NotDefined:
        if raise_exception:
            raise
        return None
    snapshot = _snapshot()
    value = snapshot.typed.get((app, name), _MISSING)
    if value is _MISSING:
        value = snapshot.typed[app, name] = typed(field, snapshot.stored.get(app, {}), name, app)
    return value


def get_global_parameters(app: str) -> dict[str, Any]:
    """All site-wide values of one app."""
    return {name: get_global_parameter(name, app) for name in registry.names("global", app)}


class SiteValues:
    """``request.localconfig.parameters``."""

    def get_value(self, name: str, app: str | None = None, *, raise_exception: bool = True) -> Any:
        """As :func:`get_global_parameter`."""
        return get_global_parameter(name, app or _app_of_caller(), raise_exception=raise_exception)


class OwnValues:
    """``user.parameters``: what an account chose, loaded at the first read."""

    def __init__(self, user: User) -> None:
        self._owner = user.pk
        self._stored: Values | None = None

    def get_value(self, name: str, app: str | None = None, *, raise_exception: bool = True) -> Any:
        """Value of a parameter of the level ``user``; otherwise as :func:`get_global_parameter`."""
        app = app or _app_of_caller()
        try:
            field = registry.field("user", app, name)
        except NotDefined:
            if raise_exception:
                raise
            return None
        return typed(field, self._values().get(app, {}), name, app)

    def of(self, app: str) -> dict[str, Any]:
        """All values of one app."""
        return {name: self.get_value(name, app) for name in registry.names("user", app)}

    def _values(self) -> Values:
        if self._stored is None:
            rows = Preferences.objects.filter(owner=self._owner)
            self._stored = next(iter(rows.values_list("parameters", flat=True)), {})
        return self._stored


def get_user_parameters(user: User, app: str) -> dict[str, Any]:
    """All values of one app that *user* chose, defaults for the others, as they are now; one query."""
    return OwnValues(user).of(app)


# --- Django's settings -----------------------------------------------------------------------------------------


def keep_settings() -> None:
    """Let forms with ``to_django_settings()`` follow their parameters; costs nothing while there is none."""
    if any(map(_sets_something, registry.declarations("global"))):
        _snapshot()


def _sets_something(declaration: Any) -> bool:
    form_class = declaration.form_class
    return form_class.to_django_settings is not AdminParametersForm.to_django_settings


def _apply_settings(stored: Values) -> None:
    global _applied  # noqa: PLW0603  one for the process, like the settings themselves
    declarations = [each for each in registry.declarations("global") if _sets_something(each)]
    if _applied == (len(declarations), stored):
        return
    _applied = (len(declarations), stored)
    for declaration in declarations:
        try:
            values = get_global_parameters(declaration.app)
            form: Any = declaration.form_class(initial=values, prefix=declaration.app)
            form.to_django_settings()
        except Exception:  # noqa: BLE001  a plugin's: whatever it is, the panel goes on
            _log.exception("to_django_settings() of %s failed.", declaration.app)


def _app_of_caller() -> str:
    frame = inspect.currentframe()
    caller = frame and frame.f_back and frame.f_back.f_back
    if caller is None:
        msg = "Cannot tell which app asks: name it."
        raise RuntimeError(msg)
    module: str = caller.f_globals["__name__"]
    return module.partition(".")[0]
