"""Create a domain."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from admin.operations import create_domain
from core.commands import ActingCommand
from parameters.tools import get_global_parameter


class Command(ActingCommand):
    """``create_domain NAME [--quota MB] [--default-mailbox-quota MB] [--alias NAME]… [--disabled]``."""

    help = "Create a domain."

    def add_arguments(self, parser: CommandParser) -> None:
        """The fields of a domain."""
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--quota", type=int, help="MB for the whole domain, 0 = no limit")
        parser.add_argument("--default-mailbox-quota", type=int, help="MB for a mailbox, 0 = no limit")
        parser.add_argument(
            "--alias", action="append", default=[], dest="aliases", help="another name; repeatable"
        )
        parser.add_argument("--disabled", action="store_true")

    def handle(self, **options: Any) -> None:
        """Create it."""
        quotas = {
            name: get_global_parameter(parameter, "admin") if options[name] is None else options[name]
            for name, parameter in (
                ("quota", "default_domain_quota"),
                ("default_mailbox_quota", "default_mailbox_quota"),
            )
        }
        create_domain(
            self.actor(options),
            name=options["name"],
            aliases=tuple(options["aliases"]),
            enabled=not options["disabled"],
            **quotas,
        )
