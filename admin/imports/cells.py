"""What stands in cells: words, numbers, yes and no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext as _

_TRUE: Final = frozenset({"true", "1", "yes", "y"})
_FALSE: Final = frozenset({"false", "0", "no", "n", ""})
_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Column:
    """A cell of a type; *optional* ones come last, and the last one of all may repeat.

    *default*: what stands there where the header of a file has no such column (None: it must have it).
    """

    name: str
    default: str | None = None
    optional: bool = False
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, or strange: the cell (from 1, the type is the first; 0: all of it), code, sentence."""

    cell: int
    code: str
    message: str


@dataclass(slots=True)
class Cells:
    """The cells of one line, by the names of their columns, and what is wrong with them.

    *strict*: a word that is neither yes nor no is refused; otherwise it means no, as the documentation says, with a
    warning.
    """

    columns: Sequence[Column]
    # Where each column stands, by name.
    places: Mapping[str, int]
    values: Sequence[str]
    strict: bool = False
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def text(self, name: str) -> str:
        """As it stands there."""
        at, values = self.places[name], self.values
        return values[at] if at < len(values) else ""

    def has(self, name: str) -> bool:
        """The line is long enough, and something stands there."""
        return bool(self.text(name))

    def truth(self, name: str) -> bool:
        """One of the documented words."""
        cell, word = self._at(name)
        folded = word.lower()
        if folded not in _TRUE and folded not in _FALSE:
            if self.strict:
                message = _("“%(word)s” is neither yes nor no. Write true or false.")
                self.problems.append(Problem(cell, "not_a_boolean", message % {"word": word[:50]}))
            else:
                message = _("“%(word)s” is neither yes nor no; it was taken for no.")
                self.warnings.append(Problem(cell, "not_a_boolean", message % {"word": word[:50]}))
        return folded in _TRUE

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number; *default* where nothing stands, unless it is None."""
        cell, word = self._at(name)
        if not word and default is not None:
            return default
        if word.isascii() and word.isdigit() and len(word) <= _DIGITS:
            return int(word)
        message = _("“%(word)s” is not a whole number.") if word else _("Enter a whole number.")
        self.problems.append(
            Problem(cell, "not_a_number", message % {"word": word[:50]} if word else message)
        )
        return 0

    def rest(self, name: str) -> tuple[str, ...]:
        """Everything from this column on that is not blank."""
        return tuple(filter(None, self.values[self.places[name] :]))

    def refuse(self, name: str, code: str, message: str) -> None:
        """Note what is wrong with the cell."""
        self.problems.append(Problem(self.places[name] + 2, code, message))

    def warn(self, name: str, code: str, message: str) -> None:
        """Note what is strange about the cell."""
        self.warnings.append(Problem(self.places[name] + 2, code, message))

    def check_number(self) -> None:
        """There are as many cells as the type has: none is missing, none is too much."""
        number, needed = len(self.values), sum(not column.optional for column in self.columns)
        if number < needed:
            message = _("This line ends before the column “%(column)s”.") % {
                "column": self.columns[number].name
            }
            self.problems.append(Problem(number + 2, "cell_missing", message))
        if self.columns[-1].repeats:
            return
        for at, word in enumerate(self.values[len(self.columns) :], len(self.columns)):
            if word:
                message = _("This line has more cells than its type: “%(word)s”.") % {"word": word[:50]}
                self.problems.append(Problem(at + 2, "cell_unknown", message))
                return

    def _at(self, name: str) -> tuple[int, str]:
        return self.places[name] + 2, self.text(name)
