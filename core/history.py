"""Version history: the rows of django-reversion, written for a whole batch with two statements.

``reversion.create_revision`` copies its collection for every object that is added to it, which is quadratic, and
looks every object up again; an operation knows what it wrote, so it stores the same rows directly. Reading uses
django-reversion as it is (``Version.objects.get_for_object``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from json.encoder import encode_basestring
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import reversion
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.encoding import is_protected_type
from reversion.models import Revision, Version
from reversion.revisions import _get_options  # the registered field list has no public reader

from core.insertion import insert
from core.models import User

if TYPE_CHECKING:
    from django.db.models import Field, Model

_COLUMNS = ("revision_id", "object_id", "content_type_id", "db", "format", "serialized_data", "object_repr")
_ENCODER = DjangoJSONEncoder(ensure_ascii=False)

# Hashes are secrets and sign-ins are not changes.
reversion.register(User, exclude=("password", "last_login"))


def keep(instances: Sequence[Model], *, actor: User, comment: str) -> None:
    """Store the present state of *instances* as one revision."""
    if not instances:
        return
    revision = Revision.objects.create(date_created=timezone.now(), user=actor, comment=comment)
    insert(Version, _COLUMNS, [_version(revision.pk, instance) for instance in instances])


def _version(revision: int, instance: Model) -> tuple[object, ...]:
    model = instance._meta.concrete_model or type(instance)
    content_type = ContentType.objects.get_for_model(model).pk
    return (
        revision,
        str(instance.pk),
        content_type,
        "default",
        "json",
        _serialized(model, instance),
        str(instance),
    )


def _serialized(model: type[Model], instance: Model) -> str:
    """What the serializer of Django writes to JSON, in a tenth of the time."""
    fields, read = _kept_fields(model)
    pk, *kept = read(instance)
    values = zip(fields, kept, strict=True)
    pairs = [f'"{field.name}": {_json(field, value, instance)}' for field, value in values]
    label = instance._meta.label_lower
    return f'[{{"model": "{label}", "pk": {_ENCODER.encode(pk)}, "fields": {{{", ".join(pairs)}}}}}]'


@cache
def _kept_fields(model: type[Model]) -> tuple[list[Field[Any, Any]], Callable[[Model], tuple[object, ...]]]:
    """Fields of a registered model, and what reads all of them."""
    kept = set(_get_options(model).fields)
    fields = [
        field
        for field in model._meta.local_fields
        if getattr(field, "serialize", True) and kept & {field.name, field.attname}
    ]
    # With one name alone it would not give a tuple.
    return fields, attrgetter("pk", *(field.attname for field in fields))


def _json(field: Field[Any, Any], value: Any, instance: Model) -> str:
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is int:
        return str(value)
    is_native: bool = is_protected_type(value)
    return _encoded(kind.__name__, value) if is_native else encode_basestring(field.value_to_string(instance))


@lru_cache(maxsize=100)
def _encoded(_kind: str, value: object) -> str:
    """Dates, yes and no: the same for many rows. True is not 1 here."""
    return _ENCODER.encode(value)
