"""Every change of allowances."""

from limits.operations.granting import Grant, grant, set_limits
from limits.operations.recounting import Drift, count_by, recount
from limits.operations.spending import (
    Demand,
    Owned,
    end_allowances,
    give_back,
    open_allowances,
    spend,
    spend_of,
    take_over,
)
from limits.operations.vetoes import ask_plugins, things_are

__all__ = [
    "Demand",
    "Drift",
    "Grant",
    "Owned",
    "ask_plugins",
    "count_by",
    "end_allowances",
    "give_back",
    "grant",
    "open_allowances",
    "recount",
    "set_limits",
    "spend",
    "spend_of",
    "take_over",
    "things_are",
]
