"""Write domains, or accounts and aliases, as a CSV file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import CommandError, CommandParser

from admin import policies
from admin.exports.credentials import ExportError
from admin.exports.domain_rows import domain_rows
from admin.exports.identity_rows import identity_rows
from admin.exports.private_file import write_private_file
from core.commands import ActingCommand
from core.spreadsheets import DEFAULT_SEPARATOR, ENCODING, csv_bytes, separator_of

_KINDS = {
    "domains": (domain_rows, policies.may_see_domains),
    "identities": (identity_rows, policies.may_see_identities),
}


class Command(ActingCommand):
    """``modo export domains | identities [--sepchar C] [--output FILE]``."""

    help = "Write domains, or accounts and aliases, as a CSV file that can be imported."

    def add_arguments(self, parser: CommandParser) -> None:
        """What, how and where to."""
        super().add_arguments(parser)
        parser.add_argument("what", choices=sorted(_KINDS))
        parser.add_argument(
            "--sepchar",
            default=DEFAULT_SEPARATOR,
            metavar="CHARACTER",
            help=rf"stands between two cells, \t for a tab (default: {DEFAULT_SEPARATOR})",
        )
        parser.add_argument(
            "--output", metavar="FILE", help="only its owner can read it (default: standard output)"
        )

    def handle(self, **options: Any) -> None:
        """Write it."""
        actor = self.actor(options)
        rows, may_see = _KINDS[options["what"]]
        if not may_see(actor):
            raise PermissionDenied
        try:
            separator = separator_of(options["sepchar"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        pieces = csv_bytes(rows(actor), separator)
        if options["output"]:
            try:
                write_private_file(options["output"], pieces)
            except ExportError as error:
                raise CommandError(str(error)) from error
        else:
            self._print(pieces)

    def _print(self, pieces: Iterable[bytes]) -> None:
        """UTF-8 whatever the terminal speaks; whoever reads only the beginning (``| head``) has what he wanted."""
        binary = getattr(self.stdout, "buffer", None)
        try:
            for piece in pieces:
                if binary is None:
                    self.stdout.write(piece.decode(ENCODING), ending="")
                else:
                    binary.write(piece)
            self.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer must go somewhere when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
