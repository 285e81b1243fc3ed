"""Writing thousands of rows whose values are at hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from io import StringIO
from itertools import chain, islice
from operator import attrgetter, itemgetter, methodcaller
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.db import DataError, connection
from django.db.models import BooleanField, CharField, ForeignKey, IntegerField, JSONField, Model, TextField
from django.db.models.base import ModelState
from django.db.models.constants import OnConflict

from core import behind

if TYPE_CHECKING:
    from django.db.models import Field

M = TypeVar("M", bound=Model)

# The widest rows have 16 columns, and SQLite takes 32,766 parameters.
_CHUNK = 2_000
_MANY = 50
# The backslash first: the others bring new ones.
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))
# What drivers take as it is: text, whole numbers, yes and no.
_PLAIN = (CharField, TextField, IntegerField, BooleanField, ForeignKey)


def insert(
    model: type[Model],
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    *,
    leave_present: bool = False,
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """As ``bulk_create``, without an instance and a dozen calls for every row; defaults are not filled in.

    What stands in many rows is made ready for the database once. Values are hashable. *leave_present*: a row that
    violates a unique key is left out. Gives back the columns *returning*, where the database can. Many rows are copied
    into PostgreSQL, past what wraps statements.
    """
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    fields = [by_name[column] for column in columns]
    names = ", ".join(map(connection.ops.quote_name, columns))
    conflict = OnConflict.IGNORE if leave_present else None
    statement = connection.ops.insert_statement(on_conflict=conflict)
    into = f"{statement} {connection.ops.quote_name(model._meta.db_table)} ({names})"
    end = connection.ops.on_conflict_suffix_sql(fields, conflict, [], [])
    if returning:
        end += f" RETURNING {', '.join(map(connection.ops.quote_name, returning))}"
    ready = [None if isinstance(field, _PLAIN) else cache(partial(_ready, field)) for field in fields]
    left = iter(rows)
    told: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        while some := list(islice(left, _CHUNK)):
            prepared = [
                list(column) if make is None else list(map(make, column))
                for make, column in zip(ready, zip(*some, strict=True), strict=True)
            ]
            if connection.vendor == "postgresql" and len(some) >= _MANY and not (leave_present or returning):
                _copy(model, names, prepared)
                continue
            if connection.vendor == "postgresql" and len(some) > 1:
                source, values = _arrays(fields, prepared)
            else:
                row = f"({', '.join(['%s'] * len(fields))})"
                source = f"VALUES {', '.join([row] * len(some))}"
                values = list(chain.from_iterable(zip(*prepared, strict=True)))
            if behind.is_on() and not returning:
                behind.send(methodcaller("execute", f"{into} {source} {end}", values))
                continue
            cursor.execute(f"{into} {source} {end}", values)
            if returning:
                told += cursor.fetchall()
    return told


def create(instances: Iterable[M], *, key: str) -> list[M]:
    """Insert *instances* and give them their primary keys; *key* is a unique column of theirs that has a value.

    As ``bulk_create``, without its dozen calls for every value. Few are one statement, many one more for their keys;
    the first of many are on their way while the last are being made.
    """
    left = iter(instances)
    made = list(islice(left, _MANY))
    if not made:
        return made
    model = type(made[0])
    rows = model._default_manager
    if len(made) < _MANY:
        return rows.bulk_create(made)
    name = model._meta.pk.attname
    columns = [field.attname for field in model._meta.concrete_fields if not field.generated]
    columns.remove(name)
    contents = map(values_of(*columns), chain(tuple(made), _noting(left, made)))
    if connection.features.can_return_rows_from_bulk_insert and connection.vendor != "postgresql":
        found = dict(insert(model, columns, contents, returning=(key, name)))
    else:
        insert(model, columns, contents)
        keys = {getattr(instance, key) for instance in made}
        found = dict(rows.order_by().filter(**{f"{key}__among": keys}).values_list(key, "pk"))
    for instance in made:
        setattr(instance, name, found[getattr(instance, key)])
        instance._state.adding = False
        instance._state.db = connection.alias
    return made


def _noting(items: Iterable[M], noted: list[M]) -> Iterator[M]:
    for item in items:
        noted.append(item)
        yield item


def values_of(*columns: str) -> Callable[[Model], tuple[Any, ...]]:
    """What reads several columns of an instance: ``attrgetter``, in half the time where all of them are loaded."""
    loaded, every = itemgetter(*columns), attrgetter(*columns)

    def read(instance: Model) -> tuple[Any, ...]:
        try:
            found: tuple[Any, ...] = loaded(instance.__dict__)
        except KeyError:
            found = every(instance)
        return found

    return read


class Draft(Generic[M]):
    """Makes unsaved instances of a model for one batch: as calling the model, in a tenth of the time.

    Defaults are asked for once, so all instances were made at the same instant. Values are given by column
    (``owner_id``), related instances beside them; nothing is checked, and signals about single instances are not sent.
    """

    def __init__(self, model: type[M], **values: object) -> None:
        self._model = model
        fields = model._meta.concrete_fields
        self._values = {field.attname: field.get_default() for field in fields} | values
        # What the other side of a one-to-one relation is told.
        self._only = {f.name: f.remote_field for f in fields if f.one_to_one and f.remote_field}

    def __call__(self, *, related: Mapping[str, Model] | None = None, **values: object) -> M:
        """An instance with these values."""
        instance = self._model.__new__(self._model)
        state = instance._state = ModelState()
        instance.__dict__.update(self._values)
        instance.__dict__.update(values)
        if related:
            state.fields_cache.update(related)
            for name in self._only.keys() & related.keys():
                self._only[name].set_cached_value(related[name], instance)
        return instance


def _copy(model: type[Model], names: str, columns: Sequence[list[Any]]) -> None:
    """Send rows as PostgreSQL's own format of text: nothing has to be quoted value by value."""
    text = "\n".join(map("\t".join, zip(*map(_texts, columns), strict=True)))
    statement = f"COPY {connection.ops.quote_name(model._meta.db_table)} ({names}) FROM STDIN"
    # In one piece: for each, the thread that sends waits until Python lets it go on.
    behind.send(lambda cursor: cursor.copy_expert(statement, StringIO(text), len(text) or 1))
    if connection.queries_logged:
        connection.queries_log.append({"sql": statement, "time": "0.000"})


def _texts(column: Sequence[Any]) -> Sequence[str]:
    """Values of a column as COPY reads them: a tab ends a value, a line end a row, and a backslash escapes them."""
    count = len(column)
    if count > 1 and column.count(column[0]) == count:
        return [*_texts(column[:1])] * count
    try:
        joined = "\0".join(column)
    except TypeError:
        joined = "\0".join(["" if value is None else str(value) for value in column])
    for plain, escaped in _ESCAPES:
        if plain in joined:
            joined = joined.replace(plain, escaped)
    texts = joined.split("\0")
    if len(texts) != count:
        raise DataError("NUL")
    if None in column:
        return ["\\N" if value is None else text for value, text in zip(column, texts, strict=True)]
    return texts


def _arrays(fields: Sequence[Field[Any, Any]], columns: Sequence[list[Any]]) -> tuple[str, list[Any]]:
    """One array for each column, and one value where it is the same everywhere: little to write and to read."""
    count = len(columns[0])
    chosen, arrays, fixed, values = [], [], [], []
    for number, (field, column) in enumerate(zip(fields, columns, strict=True)):
        # Without the length: a cast would cut what is too long, where the column refuses it.
        kind = (field.db_type(connection) or "").partition("(")[0]
        if column.count(column[0]) == count:
            chosen.append(f"(%s)::{kind}")
            fixed.append(column[0])
        else:
            chosen.append(f"c{number}")
            arrays.append((f"c{number}", f"(%s)::{kind}[]"))
            values.append(column)
    listed = ", ".join(array for _name, array in [*arrays, ("n", "(%s)::int[]")])
    names = ", ".join(name for name, _array in [*arrays, ("n", "")])
    rows = f"SELECT {', '.join(chosen)} FROM UNNEST({listed}) AS u({names})"  # noqa: S608  columns of our own
    return rows, [*fixed, *values, list(range(count))]


def _ready(field: Field[Any, Any], value: Any) -> Any:
    if isinstance(field, JSONField):
        return json.dumps(value, cls=field.encoder)  # the driver would wrap it for every row
    return field.get_db_prep_save(value, connection)
