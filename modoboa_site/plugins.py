"""What plugins add to the settings."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def add_to(settings: dict[str, Any]) -> None:
    """Install the apps of ``MODOBOA_APPS``, and let each that has a module ``settings`` add its own.

    That module has ``apply(settings)``, or plain settings, which are taken over as by a star import.
    """
    apps: list[str] = settings["MODOBOA_APPS"]
    settings["INSTALLED_APPS"] = list(dict.fromkeys([*settings["INSTALLED_APPS"], *apps]))
    for app in apps:
        if find_spec(f"{app}.settings") is None:
            continue
        module = import_module(f"{app}.settings")
        if hasattr(module, "apply"):
            module.apply(settings)
        else:
            public = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
            settings.update({name: getattr(module, name) for name in public})
