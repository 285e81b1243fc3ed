"""A plan, and what came of it, as pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from admin.gateways.import_files import ImportFiles
from admin.imports.jobs import Job, State, places_of
from admin.imports.report import Line, Outcome, Report
from admin.imports.row_types import row_types
from admin.queries.listing import page_at
from core.paging import Page

LINES_ON_A_PAGE: Final = 100
_WARNINGS_SHOWN: Final = 50
_TO_BE: Final = {
    Outcome.CREATED: gettext_lazy("Create"),
    Outcome.SKIPPED: gettext_lazy("Skip"),
    Outcome.REFUSED: gettext_lazy("Refused"),
}
_BEEN: Final = {
    **_TO_BE,
    Outcome.CREATED: gettext_lazy("Created"),
    Outcome.SKIPPED: gettext_lazy("Skipped"),
}
_TONES: Final = {Outcome.CREATED: "good", Outcome.SKIPPED: "plain", Outcome.REFUSED: "bad"}
_NUMBERS: Final = {
    "domain": ngettext_lazy("%(number)s domain", "%(number)s domains", "count"),
    "domainalias": ngettext_lazy("%(number)s domain alias", "%(number)s domain aliases", "count"),
    "relaydomain": ngettext_lazy("%(number)s relay domain", "%(number)s relay domains", "count"),
    "account": ngettext_lazy("%(number)s account", "%(number)s accounts", "count"),
    "alias": ngettext_lazy("%(number)s alias", "%(number)s aliases", "count"),
}
_ALIKE: Final = {"forward": "alias", "dlist": "alias"}


@dataclass(frozen=True, slots=True)
class Chip:
    """A link that leaves lines of one outcome; *value* "" for all."""

    value: str
    label: str
    number: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """What is wrong, strange or just so: where in the line (or ""), and a sentence."""

    place: str
    message: str


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A line of the file and what becomes of it."""

    number: int
    shown: str
    kind: str
    outcome: str
    tone: str
    reasons: list[Reason]


@dataclass(frozen=True, slots=True)
class Plan:
    """One page of lines, with numbers about all of them."""

    lines: list[PlanLine]
    page: Page
    chips: list[Chip]
    created: int
    skipped: int
    refused: int
    created_words: str
    warnings: list[tuple[int, Reason]]
    more_warnings: int


def plan_of(job: Job, given: Mapping[str, str]) -> Plan | None:
    """What stands in the report; *given* is the query of the page. None when it is gone."""
    wanted = given.get("outcome", "")
    outcome = Outcome(wanted) if wanted in set(Outcome) else None
    totals = {each: job.number(each) for each in Outcome}
    page = page_at(
        given.get("page", ""), totals[outcome] if outcome else sum(totals.values()), LINES_ON_A_PAGE
    )
    path = ImportFiles(job.token).report
    if not path.exists():
        return None
    with Report(path, read_only=True) as report:
        found = report.lines(outcome, skip=max(page.first - 1, 0), most=LINES_ON_A_PAGE)
        lines = [_line(job, report, line) for line in list(found)]
        warnings = [_warning(job, report, each) for each in report.warnings(most=_WARNINGS_SHOWN)]
    return Plan(
        lines,
        page,
        _chips(job, totals, outcome),
        totals[Outcome.CREATED],
        totals[Outcome.SKIPPED],
        totals[Outcome.REFUSED],
        in_words(job.numbers.get(Outcome.CREATED, {})),
        warnings,
        job.warnings - len(warnings),
    )


def _line(job: Job, report: Report, line: Line) -> PlanLine:
    known = row_types().get(line.kind)
    words = _BEEN if job.state == State.APPLIED else _TO_BE
    if line.outcome is Outcome.REFUSED:
        places = places_of(job)
        reasons = [
            Reason(places.column(line.kind, cell), message) for cell, _code, message in report.reasons(line)
        ]
    else:
        reasons = [Reason("", line.message)] if line.message else []
    return PlanLine(
        line.line,
        line.shown,
        str(known.label) if known else line.kind,
        str(words[line.outcome]),
        _TONES[line.outcome],
        reasons,
    )


def _warning(job: Job, report: Report, warning: tuple[int, int, str, str]) -> tuple[int, Reason]:
    number, cell, _code, message = warning
    return number, Reason(places_of(job).column(report.kind_of(number), cell), message)


def _chips(job: Job, totals: Mapping[Outcome, int], chosen: Outcome | None) -> list[Chip]:
    words = _BEEN if job.state == State.APPLIED else _TO_BE
    chips = [Chip("", _("All"), sum(totals.values()), chosen is None)]
    return chips + [
        Chip(each.value, str(words[each]), totals[each], chosen is each) for each in Outcome if totals[each]
    ]


def in_words(kinds: Mapping[str, int]) -> str:
    """``1,020 accounts, 184 aliases``."""
    numbers = dict.fromkeys(_NUMBERS, 0)
    for kind, number in kinds.items():
        word = _ALIKE.get(kind, kind)
        numbers[word] = numbers.get(word, 0) + number
    return ", ".join(_counted(kind, number) for kind, number in numbers.items() if number)


def _counted(kind: str, number: int) -> str:
    shown = number_format(number, use_l10n=True, force_grouping=True)
    if kind in _NUMBERS:
        return _NUMBERS[kind] % {"number": shown, "count": number}
    return f"{kind}: {shown}"
