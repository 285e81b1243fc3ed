"""``modo NAME``: the commands that people run by hand, found in the ``subcommands`` of every app."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser

from core import plugins


def subcommands() -> dict[str, type[BaseCommand]]:
    """Classes ``Command`` of ``<app>.management.subcommands.<name>``, by name; the panel's own first."""
    found: dict[str, type[BaseCommand]] = {}
    for config in apps.get_app_configs():
        if plugins.is_disabled(config.name):
            continue
        package = f"{config.name}.management.subcommands"
        if find_spec(f"{config.name}.management") is None or (spec := find_spec(package)) is None:
            continue
        for module in iter_modules(spec.submodule_search_locations):
            command = _command(config.name, f"{package}.{module.name}")
            if command is not None:
                found.setdefault(module.name, command)
    return found


def _command(app: str, module: str) -> type[BaseCommand] | None:
    """None for one of a plugin that fails."""
    try:
        command: type[BaseCommand] = import_module(module).Command
    except Exception as error:
        if not plugins.is_plugin(app):
            raise
        plugins.report(app, module, error)
        return None
    return command


class Command(BaseCommand):
    """Dispatch to a subcommand."""

    help = "Run one of the panel's tools."

    def add_arguments(self, parser: CommandParser) -> None:
        """One parser for each subcommand."""
        chosen = parser.add_subparsers(dest="subcommand", required=True, metavar="NAME")
        for name, command_class in sorted(subcommands().items()):
            command = command_class()
            command.add_arguments(chosen.add_parser(name, help=command.help, description=command.help))

    def handle(self, **options: Any) -> str | None:
        """Run the chosen one with the options that argparse read."""
        command = subcommands()[options.pop("subcommand")]()
        command.stdout, command.stderr = self.stdout, self.stderr
        return command.execute(**options)
