"""Tables as they are stored, without the ORM: what tests do hundreds of times may not take its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Model

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """Name, columns and all rows."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Row]

    @classmethod
    def read(cls, model: type[Model]) -> Table:
        """What is stored now, without what the database makes itself."""
        name = model._meta.db_table
        columns = tuple(str(each.column) for each in model._meta.concrete_fields if not each.generated)
        with connection.cursor() as cursor:
            listed = ", ".join(map(_quoted, columns))
            cursor.execute(f"SELECT {listed} FROM {_quoted(name)}")  # noqa: S608  names of a model's own
            return cls(name, columns, [tuple(row) for row in cursor.fetchall()])

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
