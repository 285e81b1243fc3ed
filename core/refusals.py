"""Refusals are values: what was wrong, where, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

# Field name of a refusal that concerns the whole object.
WHOLE_OBJECT = ""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is wrong: place in the batch (from 0), field, stable code, sentence."""

    position: int
    field: str
    code: str
    message: _StrOrPromise


class Refusal(Exception):  # noqa: N818  the product's word; it is an answer, not a fault
    """A batch was refused as a whole; every reason is listed and nothing was written."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        self.reasons = tuple(reasons)
        shown = self.reasons[:_SHOWN]  # a batch may have thousands; doors read `reasons`
        super().__init__(*(f"{r.position}.{r.field}: {r.code}: {r.message}" for r in shown))

    @classmethod
    def single(cls, field: str, code: str, message: _StrOrPromise) -> Refusal:
        """Refusal of a batch of one, or of a batch as such."""
        return cls([Reason(0, field, code, message)])

    def beside(self, positions: Sequence[int], field: str) -> Refusal:
        """The refusal of a part in terms of the whole: *positions* there, and the *field* that asked for it."""
        return Refusal([replace(r, position=positions[r.position], field=field) for r in self.reasons])

    @property
    def codes(self) -> list[tuple[int, str, str]]:
        """(position, field, code) of every reason: what tests and doors compare."""
        return [(reason.position, reason.field, reason.code) for reason in self.reasons]


class Refusals:
    """Collects reasons while an operation looks at its batch."""

    def __init__(self) -> None:
        self._reasons: list[Reason] = []

    def add(self, position: int, field: str, code: str, message: _StrOrPromise) -> None:
        """Note one reason."""
        self._reasons.append(Reason(position, field, code, message))

    def __iter__(self) -> Iterator[Reason]:
        return iter(self._reasons)

    def raise_if_any(self) -> None:
        """Refuse the batch when anything is wrong with it."""
        if self._reasons:
            raise Refusal(sorted(self._reasons, key=lambda reason: reason.position))
