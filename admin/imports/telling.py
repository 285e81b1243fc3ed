"""What commands print about an import."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from tqdm import tqdm

from admin.imports.report import Outcome, Report
from admin.imports.row_types import row_types
from admin.imports.running import Changed, Import, Incomplete

if TYPE_CHECKING:
    from django.core.management.base import BaseCommand, OutputWrapper

    from admin.imports.files import Source

DONE: Final = {Outcome.CREATED: "created", Outcome.SKIPPED: "skipped", Outcome.REFUSED: "refused"}
PLANNED: Final = {**DONE, Outcome.CREATED: "to be created"}


def list_lines(output: OutputWrapper, report: Report, source: Source) -> None:
    """What would become of every line that is not refused."""
    for line in report.lines():
        if line.outcome is not Outcome.REFUSED:
            words = [source.place(line.line), PLANNED[line.outcome], line.kind, line.shown, line.message]
            output.write(" ".join(filter(None, words)))


def tell(
    output: OutputWrapper, errors: OutputWrapper, report: Report, source: Source, words: Mapping[Outcome, str]
) -> None:
    """Warnings, every fault, and how many lines of each outcome and type."""
    for number, cell, _code, message in report.warnings():
        errors.write(_("warning: ") + place(source, number, cell) + message)
    for line in report.lines(Outcome.REFUSED):
        for cell, _code, message in report.reasons(line):
            errors.write(place(source, line.line, cell, line.kind) + message)
    for outcome, word in words.items():
        kinds = {kind: number for (each, kind), number in report.numbers().items() if each is outcome}
        if kinds:
            listed = ", ".join(f"{number} {kind or '?'}" for kind, number in sorted(kinds.items()))
            output.write(f"{word}: {listed}")


def place(source: Source, line: int, cell: int, kind: str = "") -> str:
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


def carry_out(command: BaseCommand, options: Mapping[str, Any], work: Import) -> None:
    """Plan or apply, as the options ``dry_run`` and ``skip_errors`` say, and tell; raises :class:`CommandError`."""
    is_plan, output, errors = options["dry_run"], command.stdout, command.stderr
    try:
        if is_plan:
            work.plan()
        else:
            work.apply(skip_errors=options["skip_errors"])
    except Incomplete:
        tell(output, errors, work.report, work.source, PLANNED)
        message = _("Nothing was imported. Correct these lines, or import the others with --skip-errors.")
        raise CommandError(message) from None
    except Changed:
        message = _("Others change the same things at this moment. Nothing was imported; try again.")
        raise CommandError(message) from None
    if is_plan:
        list_lines(output, work.report, work.source)
    tell(output, errors, work.report, work.source, PLANNED if is_plan else DONE)
    if refused := work.report.total(Outcome.REFUSED):
        message = ngettext("%(number)d line was refused.", "%(number)d lines were refused.", refused)
        raise CommandError(message % {"number": refused})


class Bar:
    """A bar on a terminal; nothing where the errors go elsewhere."""

    def __init__(self) -> None:
        self._quiet = not sys.stderr.isatty()
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
