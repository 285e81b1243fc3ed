"""Create what CSV files name; docs/csv.md describes them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from tqdm import tqdm

from admin.imports.files import CsvFile, FileError, Layout
from admin.imports.report import Outcome, Report
from admin.imports.row_types import Options, columns, row_types
from admin.imports.running import Import, Incomplete
from core.commands import ActingCommand

_DONE = {Outcome.CREATED: "created", Outcome.SKIPPED: "skipped", Outcome.REFUSED: "refused"}
_PLANNED = {**_DONE, Outcome.CREATED: "to be created"}


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
            work = Import(actor, source, chosen, report, _Bar(quiet=not sys.stderr.isatty()))
            try:
                if options["dry_run"]:
                    work.plan()
                else:
                    work.apply(skip_errors=options["skip_errors"])
            except Incomplete:
                self._tell(report, source, _PLANNED)
                message = _(
                    "Nothing was imported. Correct these lines, or import the others with --skip-errors."
                )
                raise CommandError(message) from None
            if options["dry_run"]:
                self._list(report, source)
            self._tell(report, source, _PLANNED if options["dry_run"] else _DONE)
            if refused := report.total(Outcome.REFUSED):
                message = ngettext("%(number)d line was refused.", "%(number)d lines were refused.", refused)
                raise CommandError(message % {"number": refused})

    def _list(self, report: Report, source: CsvFile) -> None:
        for line in report.lines():
            if line.outcome is not Outcome.REFUSED:
                words = [source.place(line.line), _PLANNED[line.outcome], line.kind, line.shown, line.message]
                self.stdout.write(" ".join(filter(None, words)))

    def _tell(self, report: Report, source: CsvFile, words: Mapping[Outcome, str]) -> None:
        for number, cell, _code, message in report.warnings():
            self.stderr.write(_("warning: ") + _place(source, number, cell) + message)
        for line in report.lines(Outcome.REFUSED):
            for cell, _code, message in report.reasons(line):
                self.stderr.write(_place(source, line.line, cell, line.kind) + message)
        for outcome, word in words.items():
            kinds = {kind: number for (each, kind), number in report.numbers().items() if each is outcome}
            if kinds:
                listed = ", ".join(f"{number} {kind or '?'}" for kind, number in sorted(kinds.items()))
                self.stdout.write(f"{word}: {listed}")


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


def _place(source: CsvFile, line: int, cell: int, kind: str = "") -> str:
    """``line 12, column 7 (address): ``."""
    if not cell:
        return f"{source.place(line)}: "
    known = row_types().get(kind)
    names = ["type", *(column.name for column in known.columns)] if known else []
    name = f" ({names[cell - 1]})" if cell <= len(names) else ""
    return _("%(place)s, column %(number)d%(name)s: ") % {
        "place": source.place(line),
        "number": cell,
        "name": name,
    }


class _Bar:
    """A bar on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None

    def begin(self, step: str, total: int) -> None:
        """Another bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = tqdm(total=total, desc=step, unit=_(" lines"), disable=self._quiet, file=sys.stderr)

    def advance(self, lines: int) -> None:
        """So many lines are done."""
        if self._bar is not None:
            self._bar.update(lines)
