"""Version history: the rows of django-reversion, written for a whole batch with two statements.

``reversion.create_revision`` copies its collection for every object that is added to it, which is quadratic, and
looks every object up again; an operation knows what it wrote, so it stores the same rows directly. Reading uses
django-reversion as it is (``Version.objects.get_for_object``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
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
    values = {name: value(instance) for name, value in _values(model)}
    data = _ENCODER.encode([{"model": instance._meta.label_lower, "pk": instance.pk, "fields": values}])
    return (revision, str(instance.pk), content_type, "default", "json", data, str(instance))


@cache
def _values(model: type[Model]) -> list[tuple[str, Callable[[Model], object]]]:
    """Fields of a registered model and how to read them, as the serializer of Django writes them to JSON."""
    kept = set(_get_options(model).fields)
    fields = (field for field in model._meta.local_fields if getattr(field, "serialize", True))
    return [(field.name, _reader(field)) for field in fields if kept & {field.name, field.attname}]


def _reader(field: Field[Any, Any]) -> Callable[[Model], object]:
    def value(instance: Model) -> object:
        held = getattr(instance, field.attname)
        return held if type(held) is str or is_protected_type(held) else field.value_to_string(instance)

    return value
