"""What the cells of a line are called where a person looks for them: in the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _

from admin.imports.files import plain_name
from admin.imports.row_types import row_types

_TYPE: Final = 1


class Places:
    """*header*: names in the first line, if it has some; *meanings*: what somebody said that the columns mean."""

    def __init__(self, header: Sequence[str], meanings: Sequence[str]) -> None:
        self._header = header
        self._meanings = meanings or [plain_name(name) for name in header]

    def column(self, kind: str, cell: int) -> str:
        """``Column 3 (password)``; "" for the line as a whole. *cell* counts from the type, which is 1."""
        if not cell:
            return ""
        name, nth = _meaning(kind, cell)
        if not self._meanings:
            return _words(cell, name)
        found = [at for at, meaning in enumerate(self._meanings) if meaning == name]
        if nth < len(found):
            return _words(found[nth] + 1, self._header[found[nth]] if self._header else name)
        return _("Column “%(name)s”") % {"name": name}


def _meaning(kind: str, cell: int) -> tuple[str, int]:
    """The column that a cell belongs to, and the how manieth of this name it is, from 0."""
    if cell == _TYPE:
        return "type", 0
    known = row_types().get(kind)
    columns = known.columns if known else ()
    at = cell - _TYPE - 1
    if at < len(columns):
        return columns[at].name, 0
    if columns and columns[-1].repeats:
        return columns[-1].name, at - len(columns) + 1
    return "", 0


def _words(number: int, name: str) -> str:
    if not name:
        return _("Column %(number)d") % {"number": number}
    return _("Column %(number)d (%(name)s)") % {"number": number, "name": name}
