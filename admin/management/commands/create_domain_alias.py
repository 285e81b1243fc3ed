"""Create a domain alias."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from admin.operations import DomainAliasSpec, create_domain_aliases
from core.commands import ActingCommand


class Command(ActingCommand):
    """``create_domain_alias NAME TARGET [--disabled]``."""

    help = "Give a domain another name."

    def add_arguments(self, parser: CommandParser) -> None:
        """Both names."""
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("target", help="the domain that it stands for")
        parser.add_argument("--disabled", action="store_true")

    def handle(self, **options: Any) -> None:
        """Create it."""
        spec = DomainAliasSpec(
            name=options["name"], target=options["target"], enabled=not options["disabled"]
        )
        create_domain_aliases(self.actor(options), [spec])
