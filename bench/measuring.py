"""What every benchmark says and counts in the same way."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connection


@dataclass(slots=True)
class Cost:
    """What a piece of work took: CPU of this process alone, and SQL statements through Django."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    statements: int = 0


@contextmanager
def cost() -> Iterator[Cost]:
    """Fill in the cost of the block at its end."""
    spent = Cost()

    def count(execute: Callable[..., Any], *args: Any) -> Any:
        spent.statements += 1
        return execute(*args)

    wall, cpu = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(count):
        yield spent
    spent.wall_s, spent.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def median_cost(costs: Sequence[Cost]) -> Cost:
    """The median of each figure by itself."""
    return Cost(
        wall_s=median(each.wall_s for each in costs),
        cpu_s=median(each.cpu_s for each in costs),
        statements=int(median(each.statements for each in costs)),
    )


@dataclass(slots=True)
class Table:
    """Rows for the terminal; the first column is text, the others are figures."""

    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """A row."""
        self.rows.append([str(cell) for cell in cells])

    def show(self) -> None:
        """Print it as Markdown, so that it can go into docs/performance.md as it is."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        rule = ["-" * width if place == 0 else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
        for line in (self.columns, rule, *self.rows):
            first, *others = zip(line, widths, strict=True)
            cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
            print(f"| {' | '.join(cells)} |", flush=True)


def heading(text: str) -> None:
    """Title of a measurement with the state of the machine: a busy one stretches wall times, not ratios."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"\n## {text}\n\n{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}\n"
    )


def met(value: float, goal: float, *, at_least: bool = False) -> str:
    """``yes`` or ``no``."""
    return "yes" if (value >= goal if at_least else value <= goal) else "no"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
