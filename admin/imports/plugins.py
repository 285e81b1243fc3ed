"""Lines of types that a plugin knows, the documented signal ``import_object``, and its cells in lines of accounts.

A receiver is asked for the type and answers None, or a function that is called with the account that imports, the
whole line as a list of cells, and the options by their documented names. It raises what it likes to refuse the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from admin.signals import import_object
from core.signals import account_imported

if TYPE_CHECKING:
    from admin.imports.cells import Cells
    from core.models import User

ImportFunction = Callable[["User", Sequence[str], Mapping[str, Any]], object]


def function_for(kind: str) -> ImportFunction | None:
    """The function that the first plugin gives for lines of a type."""
    return next((answer for answer in import_object.answers(objtype=kind) if callable(answer)), None)


# --- further cells of accounts ---------------------------------------------------------------------------------


def is_theirs(cell: str) -> bool:
    """Whether a cell at the end of an account's line is a plugin's: ``name=value``, which no domain is called."""
    return "=" in cell and account_imported.has_listeners()


def further_cells(cells: Cells) -> Sequence[str]:
    """Those of an account after the role; none when nobody asks."""
    return cells.values[cells.places["address"] :] if account_imported.has_listeners() else ()


def tell_of_accounts(actor: User, accounts: Sequence[User], rows: Sequence[Sequence[str]]) -> None:
    """Accounts were created; *rows* are their further cells."""
    if account_imported.has_listeners():
        for account, row in zip(accounts, rows, strict=True):
            account_imported.tell(user=actor, account=account, row=list(row))
