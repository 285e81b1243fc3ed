"""Which plugins there are, and what is wrong with them. A broken plugin is told of and left out; the panel goes on.

Settings read this module before anything else is loaded, so it needs neither settings nor models at import time.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Final

from django.apps import AppConfig, apps
from django.db import transaction
from django.utils.module_loading import module_has_submodule

if TYPE_CHECKING:
    from types import ModuleType

logger = logging.getLogger("modoboa.plugins")

# Event of the log: something of a plugin failed. The object's name is the plugin's.
FAILED: Final = "plugin.fail"
_LONGEST: Final = 254


@dataclass(slots=True)
class Plugin:
    """An app of ``MODOBOA_APPS``; *fault* says why it is disabled, *remark* what is odd about it."""

    name: str
    config: AppConfig | None = None
    fault: str = ""
    remark: str = ""


_plugins: dict[str, Plugin] = {}
_told: set[tuple[str, str, type[BaseException]]] = set()


def plugins() -> Sequence[Plugin]:
    """Every app of ``MODOBOA_APPS``, in that order."""
    return list(_plugins.values())


def is_disabled(name: str) -> bool:
    """Whether *name*, an app or a module, belongs to a plugin that failed to load."""
    plugin = _owner(name)
    return plugin is not None and bool(plugin.fault)


def owner_of(module: str) -> str:
    """The plugin that a module belongs to, or the module's package."""
    plugin = _owner(module)
    return plugin.name if plugin is not None else module.partition(".")[0]


def _owner(module: str) -> Plugin | None:
    # Without a configuration it is not loaded, and may have the name of an app of the panel.
    fitting = [name for name, each in _plugins.items() if each.config and f"{module}.".startswith(f"{name}.")]
    return _plugins[max(fitting, key=len)] if fitting else None


def is_plugin(name: str) -> bool:
    """Whether *name* is an app of ``MODOBOA_APPS``."""
    return name in _plugins


def is_ours(thing: Any) -> bool:
    """Whether a class or function is the panel's or a library's, not a plugin's."""
    return _owner(getattr(thing, "__module__", None) or type(thing).__module__) is None


def last_line(error: BaseException) -> str:
    """The end of a traceback: type and message, as every database can keep it."""
    words = traceback.format_exception_only(error)[-1].strip()
    return words.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


# --- faults ----------------------------------------------------------------------------------------------------


def disable(name: str, place: str, error: BaseException | str) -> None:
    """Leave a plugin out from now on: *place* says what failed."""
    words = error if isinstance(error, str) else last_line(error)
    plugin = _plugins[name]
    plugin.fault = f"{place}: {words}"
    if plugin.config:
        # Template engines load the tags of every app, and stop at those that fail.
        sys.modules[f"{name}.templatetags"] = None  # type: ignore[assignment]  # how Python is told of no module
    logger.error(
        "The plugin %s is disabled. %s: %s",
        name,
        place,
        words,
        exc_info=error if isinstance(error, BaseException) else None,
    )


def report(module: str, place: str, error: BaseException) -> None:
    """Tell of a failure of a plugin that goes on: to the log of the server, and once to the event log."""
    name, words = owner_of(module), last_line(error)
    logger.error("The plugin %s failed in %s: %s", name, place, words, exc_info=error)
    if (name, place, type(error)) in _told:
        return
    _told.add((name, place, type(error)))
    message = f"{place}: {words}"
    try:
        with transaction.atomic():
            # By name: settings import this module, and models need settings.
            apps.get_model("core.Log")._default_manager.create(
                level="CRITICAL",
                logger=logger.name,
                message=message[:255],
                verb=FAILED,
                kind="plugin",
                object_name=name[:_LONGEST],
            )
    except Exception:  # whoever fails must not make the one fail who tells of it
        logger.exception("The event log could not be written.")


# --- settings --------------------------------------------------------------------------------------------------


class _Guarded(AppConfig):
    """A plugin's own configuration, whose faults are the plugin's alone."""

    def import_models(self) -> None:
        """Load the models; without them the app has neither tables nor migrations."""
        try:
            super().import_models()
        except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
            disable(self.name, "models", error)
            self.models = apps.all_models[self.label]
            self.models.clear()
            apps.clear_cache()
            self._without_migrations()

    def _without_migrations(self) -> None:
        from django.conf import settings  # noqa: PLC0415  it is being loaded when this module is

        settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, self.label: None}

    def ready(self) -> None:
        """Let the plugin prepare itself, and load what Django would stumble over later."""
        if is_disabled(self.name):
            return
        try:
            _import_all(f"{self.name}.migrations")
        except Exception as error:  # noqa: BLE001  as above
            self._without_migrations()
            disable(self.name, "migrations", error)
            return
        place = "templatetags"
        try:
            _import_all(f"{self.name}.templatetags")
            place = "ready"
            super().ready()
        except Exception as error:  # noqa: BLE001  as above
            disable(self.name, place, error)


def _import_all(package: str) -> None:
    """The modules of a package, if there is one."""
    if spec := find_spec(package):
        import_module(package)
        for module in iter_modules(spec.submodule_search_locations):
            import_module(f"{package}.{module.name}")


def installed(entries: Iterable[str], others: Iterable[str]) -> list[AppConfig]:
    """Configurations of the apps that ``MODOBOA_APPS`` names, to stand in ``INSTALLED_APPS`` beside *others*.

    What cannot be imported is left out, and what would take the label of another app.
    """
    labels = {name.partition(".apps.")[0].rpartition(".")[2] for name in others}
    found = []
    for entry in dict.fromkeys(entries):
        _plugins[entry] = Plugin(entry)
        try:
            config = AppConfig.create(entry)
        except Exception as error:  # noqa: BLE001  as above
            disable(entry, "import", error)
            continue
        del _plugins[entry]
        if config.label in labels:
            _plugins[config.name] = Plugin(config.name)
            disable(config.name, "import", f"another app has the label “{config.label}”.")
            continue
        _plugins[config.name] = Plugin(config.name, config)
        labels.add(config.label)
        kind = type(config)
        config.__class__ = type(kind.__name__, (_Guarded, kind), {"__module__": kind.__module__})
        found.append(config)
    return found


def apply_settings(space: MutableMapping[str, Any]) -> None:
    """Take over what modules ``settings`` of plugins say: by ``apply(globals())``, else by names in capitals."""
    for plugin in plugins():
        module = submodule(plugin, "settings")
        if module is None:
            continue
        try:
            values = dict(space)
            if hasattr(module, "apply"):
                module.apply(values)
            else:
                values |= {name: value for name, value in vars(module).items() if name.isupper()}
        except Exception as error:  # noqa: BLE001  as above
            disable(plugin.name, "settings", error)
        else:
            space.update(values)


def submodule(plugin: Plugin, name: str) -> ModuleType | None:
    """A module of a plugin; None when there is none. An import that fails disables the plugin."""
    if plugin.fault or plugin.config is None or plugin.config.module is None:
        return None
    if not module_has_submodule(plugin.config.module, name):
        return None
    try:
        return import_module(f"{plugin.name}.{name}")
    except Exception as error:  # noqa: BLE001  as above
        disable(plugin.name, name, error)
        return None
