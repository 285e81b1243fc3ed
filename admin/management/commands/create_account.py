"""Create an account."""

from __future__ import annotations

import os
from getpass import getpass
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from admin.operations import MailboxSpec, create_account
from core.commands import ActingCommand
from core.roles import Role


class Command(ActingCommand):
    """``create_account NAME [--role ROLE] [--quota MB] …``: with an address as its name, it gets that mailbox."""

    help = "Create an account, with its mailbox when its name is an address."

    def add_arguments(self, parser: CommandParser) -> None:
        """The fields of an account; the password never stands on the command line."""
        super().add_arguments(parser)
        parser.add_argument("name", help="login name; an address also makes the mailbox")
        parser.add_argument("--role", choices=Role.values, default=Role.SIMPLE_USER.value)
        parser.add_argument("--first-name", default="")
        parser.add_argument("--last-name", default="")
        parser.add_argument("--secondary-email", default="")
        parser.add_argument("--no-mailbox", action="store_true", help="an administrator without a mailbox")
        parser.add_argument("--quota", type=int, help="MB, 0 = no limit (default: the domain's value)")
        parser.add_argument(
            "--sender", action="append", default=[], dest="senders", help="extra sender address"
        )
        parser.add_argument(
            "--administers", action="append", default=[], help="domain to administer; repeatable"
        )
        parser.add_argument("--disabled", action="store_true")
        parser.add_argument(
            "--ask-password",
            action="store_true",
            help="ask for the password (default: MODOBOA_ACCOUNT_PASSWORD, else a random one, shown once)",
        )

    def handle(self, **options: Any) -> None:
        """Create it; print a random password."""
        name = options["name"]
        password = os.environ.get("MODOBOA_ACCOUNT_PASSWORD")
        if options["ask_password"]:
            password = getpass(_("Password: "))
        mailbox = MailboxSpec(
            address=name, quota=options["quota"], sender_addresses=tuple(options["senders"])
        )
        new = create_account(
            self.actor(options),
            username=name,
            role=Role(options["role"]),
            password=password,
            first_name=options["first_name"],
            last_name=options["last_name"],
            secondary_email=options["secondary_email"],
            is_active=not options["disabled"],
            mailbox=mailbox if "@" in name and not options["no_mailbox"] else None,
            administers=tuple(options["administers"]),
        )
        if new.password is not None:
            self.stdout.write(new.password)
