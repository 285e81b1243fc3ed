"""Version history: the rows of django-reversion, written for a whole batch with two statements.

``reversion.create_revision`` copies its collection for every object that is added to it, which is quadratic, and
looks every object up again; an operation knows what it wrote, so it stores the same rows directly. Reading uses
django-reversion as it is (``Version.objects.get_for_object``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import reversion
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.encoding import is_protected_type
from reversion.models import Revision, Version
from reversion.revisions import _get_options  # the registered field list has no public reader

from core.insertion import insert, values_of
from core.models import User

if TYPE_CHECKING:
    from django.db.models import Field, Model

_COLUMNS = ("revision_id", "object_id", "content_type_id", "db", "format", "serialized_data", "object_repr")
_ENCODER = DjangoJSONEncoder(ensure_ascii=False)
_PLAIN = frozenset({str, int, bool, float, type(None)})

# Hashes are secrets and sign-ins are not changes.
reversion.register(User, exclude=("password", "last_login"))


def keep(instances: Sequence[Model], *, actor: User, comment: str, at: datetime) -> None:
    """Store the present state of *instances* as one revision, at the instant that the event log has."""
    if not instances:
        return
    models = {type(instance): instance._meta.concrete_model or type(instance) for instance in instances}
    types = {kind: ContentType.objects.get_for_model(model).pk for kind, model in models.items()}
    # Before the revision, whose key has to be waited for.
    contents = [_content(instance, models, types) for instance in instances]
    revision = Revision.objects.create(date_created=at, user=actor, comment=comment)
    insert(Version, _COLUMNS, ((revision.pk, *content) for content in contents))


def _content(
    instance: Model, models: Mapping[type[Model], type[Model]], types: Mapping[type[Model], int]
) -> tuple[object, ...]:
    """Columns of a version, but the first; the JSON is what Django's serializer writes, in a tenth of the time."""
    kind = type(instance)
    fields, names, read = _kept_fields(models[kind])
    pk, *kept = read(instance)
    values = [
        value if type(value) in _PLAIN else _plain(field, value, instance)
        for field, value in zip(fields, kept, strict=True)
    ]
    told = {"model": instance._meta.label_lower, "pk": pk, "fields": dict(zip(names, values, strict=True))}
    return str(pk), types[kind], "default", "json", _ENCODER.encode([told]), str(instance)


@cache
def _kept_fields(
    model: type[Model],
) -> tuple[list[Field[Any, Any]], list[str], Callable[[Model], tuple[object, ...]]]:
    """Fields of a registered model, their names, and what reads all of them."""
    kept = set(_get_options(model).fields)
    fields = [
        field
        for field in model._meta.local_fields
        if getattr(field, "serialize", True) and kept & {field.name, field.attname}
    ]
    return (
        fields,
        [field.name for field in fields],
        values_of(model._meta.pk.attname, *(field.attname for field in fields)),
    )


def _plain(field: Field[Any, Any], value: Any, instance: Model) -> object:
    """What JSON has a form for."""
    is_native: bool = is_protected_type(value)
    return _written(value) if is_native else field.value_to_string(instance)


@lru_cache(maxsize=100)
def _written(value: Any) -> object:
    """Dates are the same in many rows."""
    return int(value) if isinstance(value, int) else _ENCODER.default(value)
