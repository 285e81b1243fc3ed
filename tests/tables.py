"""Tables as they are stored, without the ORM: what tests do hundreds of times may not take its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """Name, columns and all rows."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Row]

    @classmethod
    def read(cls, name: str) -> Table:
        """What is stored now."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {_quoted(name)}")  # noqa: S608  the name of a model's table
            rows = [tuple(row) for row in cursor.fetchall()]
            return cls(name, tuple(column[0] for column in cursor.description), rows)

    def write(self) -> None:
        """Add the rows, primary keys included."""
        columns = ", ".join(map(_quoted, self.columns))
        row = f"({', '.join(['%s'] * len(self.columns))})"
        values = ", ".join([row] * len(self.rows))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {_quoted(self.name)} ({columns}) VALUES {values}",  # noqa: S608  as above
                [value for stored in self.rows for value in stored],
            )


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
