"""Plugins as the plugin API describes them: a class, and the pool that loads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.checks import ERROR
from django.core.checks.urls import check_resolver
from django.db import transaction
from django.urls import URLPattern, URLResolver, include, path

from core import plugins, signals
from core.hooks import guarded
from core.plugins import Plugin

if TYPE_CHECKING:
    from types import ModuleType

    from django.utils.functional import _StrOrPromise

Route = URLPattern | URLResolver


class ModoExtension:
    """What a plugin says about itself, and what it does when it is loaded."""

    # The name of the plugin's package.
    name: ClassVar[str | None] = None
    label: ClassVar[_StrOrPromise | None] = None
    version: ClassVar[str] = "NA"
    description: ClassVar[_StrOrPromise] = ""
    # Where its pages begin; the name when it is None.
    url: ClassVar[str | None] = None
    topredirection_url: ClassVar[str | None] = None
    needs_media: ClassVar[bool] = False
    always_active: ClassVar[bool] = False

    def load(self) -> None:
        """Declare parameters and connect receivers; called once in each process."""

    def load_initial_data(self) -> None:
        """Create what the plugin needs in the database; called by ``load_initial_data``, again and again."""

    def get_url(self) -> str:
        """Where its pages begin."""
        return (self.url or self.name or "").strip("/")

    def infos(self) -> dict[str, Any]:
        """What is known about it."""
        return {
            "name": self.name,
            "label": self.label,
            "version": self.version,
            "description": self.description,
            "url": self.get_url(),
            "topredirection_url": self.topredirection_url,
            "always_active": self.always_active,
        }


class ExtensionsPool:
    """The extensions of all plugins, by name."""

    def __init__(self) -> None:
        self._loading: list[tuple[type[ModoExtension], bool]] = []
        self._loaded: set[str] = set()
        self._extensions: dict[str, ModoExtension] = {}
        self._owners: dict[str, Plugin] = {}
        self._hidden: set[str] = set()

    def register_extension(self, ext: type[ModoExtension], show: bool = True) -> type[ModoExtension]:  # noqa: FBT001, FBT002  documented
        """Called at the end of ``modo_extension.py``; with *show* False no list names it."""
        self._loading.append((ext, show))
        return ext

    def load_all(self) -> None:
        """Import ``modo_extension`` of every plugin and load what it registers; once for each."""
        for plugin in plugins.plugins():
            if plugin.name not in self._loaded:
                self._loaded.add(plugin.name)
                self._load(plugin)

    def _load(self, plugin: Plugin) -> None:
        self._loading.clear()
        module = plugins.submodule(plugin, "modo_extension")
        if plugin.fault:
            return
        if module is None or not self._loading:
            plugin.remark = (
                "It has no modo_extension.py." if module is None else "modo_extension.py registers nothing."
            )
            return
        for kind, show in self._loading:
            try:
                self._add(plugin, kind(), show=show)
            except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
                plugins.disable(plugin.name, "load", error)
                return

    def _add(self, plugin: Plugin, extension: ModoExtension, *, show: bool) -> None:
        name = extension.name
        if not name or name in self._extensions:
            msg = f"two extensions are called {name}" if name else f"{type(extension).__name__} has no name"
            raise ValueError(msg)
        extension.load()
        self._extensions[name] = extension
        self._owners[name] = plugin
        if not show:
            self._hidden.add(name)

    # --- asking ---------------------------------------------------------------------------------------------------

    def get_extension(self, name: str) -> ModoExtension | None:
        """An extension that works; None when there is none of this name."""
        found = self._extensions.get(name)
        return None if found is None or self._owners[name].fault else found

    def get_extension_infos(self, name: str) -> dict[str, Any] | None:
        """What is known about an extension that works."""
        extension = self.get_extension(name)
        return None if extension is None else extension.infos()

    def list_all(self) -> list[dict[str, Any]]:
        """Infos, with their ``id``, of all that work and want to be shown, by name."""
        shown = (each for name, each in sorted(self._working()) if name not in self._hidden)
        told = ((each, guarded(type(each), "infos", each.infos)) for each in shown)
        return [{"id": each.name, **infos} for each, infos in told if infos is not None]

    def _working(self) -> Iterator[tuple[str, ModoExtension]]:
        return ((name, each) for name, each in self._extensions.items() if not self._owners[name].fault)

    def extension_of(self, plugin: Plugin) -> ModoExtension | None:
        """The extension that a plugin registered, broken or not."""
        return next((self._extensions[name] for name, each in self._owners.items() if each is plugin), None)

    # --- addresses ------------------------------------------------------------------------------------------------

    def get_urls(self, category: str = "app") -> list[Route]:
        """Addresses of pages ("app": below ``<url>/``, namespace the name) or of the API ("api": ``urls_api``)."""
        return [
            route
            for name, extension in list(self._working())
            for route in self._routes(self._owners[name], extension, category)
        ]

    def _routes(self, plugin: Plugin, extension: ModoExtension, category: str) -> list[Route]:
        name = "urls" if category == "app" else "urls_api"
        module = plugins.submodule(plugin, name)
        if module is None:
            return []
        try:
            if category == "app":
                pages = include((module, str(extension.name)), namespace=extension.name)
                return _sound([path(f"{extension.get_url()}/", pages)])
            return _sound([path("", include(module))])
        except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
            plugins.disable(plugin.name, name, error)
            return []

    # --- initial data and repairs ---------------------------------------------------------------------------------

    def load_initial_data(self) -> Iterator[str]:
        """Let every extension make its data, each in a transaction of its own; sentences about what failed."""
        for name, extension in list(self._working()):
            try:
                with transaction.atomic():
                    extension.load_initial_data()
            except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
                plugins.report(type(extension).__module__, "load_initial_data", error)
                yield f"{name}: {plugins.last_line(error)}"
            else:
                signals.initial_data_loaded.tell(extname=name)

    def known_problems(self) -> list[ModuleType]:
        """The modules ``known_problems`` of plugins."""
        found = [plugins.submodule(plugin, "known_problems") for plugin in plugins.plugins()]
        return [module for module in found if module is not None]


def uprefs_routes() -> list[Route]:
    """Addresses that plugins add to those of one's own account, as they give them."""
    return [
        route
        for receiver, given in signals.extra_uprefs_routes.answered()
        for route in guarded(receiver, "extra_uprefs_routes", partial(_sound, given)) or ()
    ]


def _sound(given: Iterable[Route]) -> list[Route]:
    """The routes, if Django finds no error in them."""
    routes = list(given)
    errors = [each for route in routes for each in check_resolver(route) if each.level >= ERROR]
    if errors:
        raise ValueError(errors[0].msg)
    return routes


exts_pool = ExtensionsPool()
