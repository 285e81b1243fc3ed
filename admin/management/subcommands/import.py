"""Create what CSV files name; docs/csv.md describes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from admin.imports.files import CsvFile, FileError, Layout
from admin.imports.report import Report
from admin.imports.row_types import Options, columns
from admin.imports.running import Import
from admin.imports.telling import Bar, carry_out
from core.commands import ActingCommand


class Command(ActingCommand):
    """``modo import FILE…``: everything or nothing, unless ``--skip-errors`` is given."""

    help = "Create the domains, accounts and aliases that CSV files name: all of them, or none when a line is refused."

    def add_arguments(self, parser: CommandParser) -> None:
        """Files, and how they are written."""
        super().add_arguments(parser)
        parser.add_argument("files", nargs="+", metavar="FILE", help="CSV file; “-” is the standard input")
        parser.add_argument(
            "--sepchar", default="", help="what separates cells (default: found out, else “;”)"
        )
        parser.add_argument(
            "--encoding", default="", help="encoding of the files (default: UTF-8, or what a BOM says)"
        )
        parser.add_argument("--continue-if-exists", action="store_true", help="skip what exists already")
        parser.add_argument(
            "--crypt-password",
            action="store_true",
            help="passwords are clear text, to be hashed (default: they are hashes such as “{SHA512-CRYPT}$6$…”)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would happen, and change nothing"
        )
        parser.add_argument(
            "--skip-errors", action="store_true", help="create the good lines, report the others"
        )
        parser.add_argument("--strict", action="store_true", help="refuse words that are neither yes nor no")
        header = parser.add_mutually_exclusive_group()
        header.add_argument(
            "--header", action="store_true", default=None, help="the first line names the columns"
        )
        header.add_argument("--no-header", action="store_false", dest="header", help="it does not")
        parser.add_argument(
            "--type", default="", help="type of every line, for files with a header that say none"
        )
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="NAME=MEANING",
            help="what a column of the header means, where its name does not say it; can be repeated",
        )

    def handle(self, **options: Any) -> None:
        """Import them; raises :class:`CommandError` when a line was refused."""
        actor = self.actor(options)
        chosen = Options(
            continue_if_exists=options["continue_if_exists"],
            crypt_password=options["crypt_password"],
            strict=options["strict"],
        )
        with CsvFile(columns(), _layout(options)) as source, Report() as report:
            _add_all(source, options["files"])
            carry_out(self, options, Import(actor, source, chosen, report, Bar()))


def _layout(options: dict[str, Any]) -> Layout:
    given = [pair.partition("=") for pair in options["column"]]
    if any(not (name and meaning) for name, _sign, meaning in given):
        raise CommandError(_("--column takes NAME=MEANING."))
    return Layout(
        separator=options["sepchar"],
        encoding=options["encoding"],
        header=options["header"],
        kind=options["type"],
        columns={name: meaning for name, _sign, meaning in given},
    )


def _add_all(source: CsvFile, files: list[str]) -> None:
    for name in files:
        try:
            if name == "-":
                source.add(sys.stdin.buffer, _("standard input"))
            elif not Path(name).exists():
                raise CommandError(_("file not found: %(name)s") % {"name": name})
            else:
                source.add_path(Path(name))
        except FileError as error:
            raise CommandError(str(error)) from error
