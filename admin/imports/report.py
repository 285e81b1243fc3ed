"""What becomes of every line: kept on disk, because a file may have a million lines and each of them a fault."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

_LINES_AT_ONCE = 500


class Outcome(StrEnum):
    """What becomes of a line."""

    CREATED = "created"
    SKIPPED = "skipped"
    REFUSED = "refused"


class Line(NamedTuple):
    """A line and what became of it.

    *cell*: from 1, 0 for the line as a whole; *message*: why it was refused or skipped, or what is created.
    """

    line: int
    kind: str
    shown: str
    outcome: Outcome
    cell: int
    code: str
    message: str


_TABLES = """
CREATE TABLE IF NOT EXISTS outcome (
    line INTEGER PRIMARY KEY, kind TEXT NOT NULL, shown TEXT NOT NULL, outcome TEXT NOT NULL, cell INTEGER NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS further (
    line INTEGER NOT NULL, cell INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS further_line ON further (line);
CREATE TABLE IF NOT EXISTS warning (
    line INTEGER NOT NULL, cell INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (line, cell, code)
) STRICT;
CREATE TABLE IF NOT EXISTS hash (line INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
"""


class Report:
    """Outcomes by line. To be closed; without a path it vanishes then."""

    def __init__(self, path: Path | None = None, *, read_only: bool = False) -> None:
        if read_only and path is not None:
            self._database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            return
        # "" is a database in a temporary file.
        self._database = sqlite3.connect("" if path is None else path, isolation_level=None)
        # Nothing here outlives a crash: then the whole import is begun anew.
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Keep what was noted, if there is a path."""
        self._database.commit()
        self._database.close()

    def clear(self) -> None:
        """Forget the outcomes, not the hashes."""
        for table in ("outcome", "further", "warning"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608  names of our own

    # --- writing -------------------------------------------------------------------------------------------------

    def note(self, lines: Iterable[Line]) -> None:
        """What became of lines, in the place of what was noted before; several of one line are several reasons."""
        firsts: dict[int, Line] = {}
        others: list[tuple[int, int, str, str]] = []
        for line in lines:
            if line.line in firsts:
                others.append((line.line, line.cell, line.code, line.message))
            else:
                firsts[line.line] = line
        self._database.executemany("DELETE FROM further WHERE line = ?", ((number,) for number in firsts))
        self._database.executemany(
            "INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?)", firsts.values()
        )
        self._database.executemany("INSERT INTO further VALUES (?, ?, ?, ?)", others)

    def warn(self, warnings: Iterable[tuple[int, int, str, str]]) -> None:
        """What is strange about lines that are carried out all the same: line, cell, code, sentence."""
        self._database.executemany("INSERT OR IGNORE INTO warning VALUES (?, ?, ?, ?)", warnings)

    def keep_hashes(self, hashes: Mapping[int, str]) -> None:
        """Hashes of passwords, by line."""
        self._database.executemany("INSERT OR REPLACE INTO hash VALUES (?, ?)", hashes.items())

    def forget_hashes(self) -> None:
        """They are stored where they belong, or will not be. Nothing of them stays in the file."""
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.execute("DELETE FROM hash")

    # --- reading -------------------------------------------------------------------------------------------------

    def hashes(self, lines: Iterable[int]) -> dict[int, str]:
        """Hashes by line, of those lines that have one."""
        numbers = list(lines)
        found: dict[int, str] = {}
        for start in range(0, len(numbers), _LINES_AT_ONCE):
            some = numbers[start : start + _LINES_AT_ONCE]
            marks = ", ".join("?" * len(some))
            found.update(self._database.execute(f"SELECT line, hash FROM hash WHERE line IN ({marks})", some))  # noqa: S608  question marks
        return found

    def numbers(self) -> dict[tuple[Outcome, str], int]:
        """How many lines of each outcome and type."""
        rows = self._database.execute("SELECT outcome, kind, COUNT(*) FROM outcome GROUP BY outcome, kind")
        return {(Outcome(outcome), kind): number for outcome, kind, number in rows}

    def total(self, outcome: Outcome) -> int:
        """How many lines of one outcome."""
        return sum(number for (each, _kind), number in self.numbers().items() if each is outcome)

    def kind_of(self, line: int) -> str:
        """The type of one line."""
        row = self._database.execute("SELECT kind FROM outcome WHERE line = ?", (line,)).fetchone()
        return str(row[0]) if row else ""

    def outcome_of(self, line: int) -> Outcome | None:
        """What became of one line."""
        row = self._database.execute("SELECT outcome FROM outcome WHERE line = ?", (line,)).fetchone()
        return Outcome(row[0]) if row else None

    def lines(self, outcome: Outcome | None = None, *, skip: int = 0, most: int = -1) -> Iterator[Line]:
        """Outcomes in the order of the lines."""
        chosen = "" if outcome is None else "WHERE outcome = :outcome"
        query = f"SELECT * FROM outcome {chosen} ORDER BY line LIMIT :most OFFSET :skip"  # noqa: S608  as above
        for row in self._database.execute(query, {"outcome": outcome, "most": most, "skip": skip}):
            line: Line = Line._make(row)
            yield line._replace(outcome=Outcome(line.outcome))

    def reasons(self, line: Line) -> list[tuple[int, str, str]]:
        """Cell, code and sentence of everything that is wrong with a refused line."""
        rows = self._database.execute("SELECT cell, code, message FROM further WHERE line = ?", (line.line,))
        return sorted([(line.cell, line.code, line.message), *rows], key=itemgetter(0))

    def warnings(self, *, most: int = -1) -> list[tuple[int, int, str, str]]:
        """Line, cell, code and sentence, in the order of the lines."""
        return list(self._database.execute("SELECT * FROM warning ORDER BY line, cell LIMIT ?", (most,)))

    def warned(self) -> int:
        """How many warnings there are."""
        return int(self._database.execute("SELECT COUNT(*) FROM warning").fetchone()[0])

    def digest(self) -> str:
        """The same for two reports that tell the same of every line."""
        seal = hashlib.sha256()
        for row in self._database.execute("SELECT line, outcome, code FROM outcome ORDER BY line"):
            seal.update(repr(row).encode())
        return seal.hexdigest()
