"""Lines of types that a plugin knows: the documented signal ``import_object``.

A receiver is asked for the type and answers None, or a function that is called with the account that imports, the
whole line as a list of cells, and the options by their documented names. It raises what it likes to refuse the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from admin.signals import import_object

if TYPE_CHECKING:
    from core.models import User

ImportFunction = Callable[["User", Sequence[str], Mapping[str, Any]], object]


def function_for(kind: str) -> ImportFunction | None:
    """The function that the first plugin gives for lines of a type."""
    answers: Sequence[tuple[object, Any]] = import_object.send(sender=None, objtype=kind)
    return next((function for _receiver, function in answers if function is not None), None)
