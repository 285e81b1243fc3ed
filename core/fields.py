"""Columns that hold what mail servers compare."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Combinable
from django.db.models.lookups import In, Lookup
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    _CharField = models.CharField[str | Combinable, str]
    _Lookup = Lookup[Any]
else:
    # Generic only in the stubs.
    _CharField = models.CharField
    _Lookup = Lookup

# Collations that compare byte for byte, blanks at the end included. SQLite's own default already does.
_EXACT = {"postgresql": "C", "mysql": "utf8mb4_bin"}
_EXACT_MARIADB = "utf8mb4_nopad_bin"
_LONG_CHAIN = 50


class ExactCharField(_CharField):
    """Text compared byte for byte on every engine: no case, no accents, no padding (docs/adr/0003)."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Column type with the engine's exact collation."""
        parameters = super().db_parameters(connection)
        mariadb = getattr(connection, "mysql_is_mariadb", False)
        parameters["collation"] = _EXACT_MARIADB if mariadb else _EXACT.get(connection.vendor)
        return parameters


@models.BigAutoField.register_lookup
@models.OneToOneField.register_lookup
@ExactCharField.register_lookup
class Among(In):
    """``IN`` for thousands of texts or keys: one array for PostgreSQL instead of as many parameters."""

    lookup_name = "among"

    def get_prep_lookup(self) -> Any:
        """They are what the column holds: nothing to prepare one by one."""
        return self.rhs

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any] | tuple[Any, ...]]:
        """The column equals one of the array."""
        values = list(self.rhs)
        if not values:
            raise EmptyResultSet
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*parameters, values]


@ExactCharField.register_lookup
class Extending(_Lookup):
    """Addresses whose local part extends that of one of many: ``jo+…@…`` for ``jo@…``, whatever their domains.

    A range of the index for each: the comma comes next to the plus.
    """

    lookup_name = "extending"
    prepare_rhs = False

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[str | int, ...]]:
        """A chain of ranges."""
        local_parts = {address.rpartition("@")[0] for address in self.rhs}
        if not local_parts:
            raise EmptyResultSet
        column, parameters = self.process_lhs(compiler, connection)
        ranges = " OR ".join([f"({column} > %s AND {column} < %s)"] * len(local_parts))
        values: list[Any] = []
        for local_part in local_parts:
            values += [*parameters, f"{local_part}+", *parameters, f"{local_part},"]
        return f"({ranges})", tuple(values)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        """For many, an array of what a loop over their ranges finds: long chains take long to plan.

        OFFSET keeps the loop: of a plain join PostgreSQL would look at every row that any range might hold.
        """
        local_parts = {address.rpartition("@")[0] for address in self.rhs}
        if len(local_parts) < _LONG_CHAIN:
            return self.as_sql(compiler, connection)
        column, parameters = self.process_lhs(compiler, connection)
        field = self.lhs.output_field
        name, table = map(connection.ops.quote_name, (field.column, field.model._meta.db_table))
        found = f"SELECT {name} FROM {table} WHERE {name} > part || '+' AND {name} < part || ',' OFFSET 0"  # noqa: S608  our own names
        ranges = f"SELECT {name} FROM UNNEST(%s) AS parts(part) CROSS JOIN LATERAL ({found}) AS found"  # noqa: S608  as above
        return f"{column} = ANY(ARRAY({ranges}))", (*parameters, list(local_parts))


def extending_at_once() -> int:
    """How many addresses ``extending`` takes: SQLite, a chain of 1,000 conditions."""
    return 5_000 if connection.vendor == "postgresql" else 300
