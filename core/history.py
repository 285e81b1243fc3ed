"""Version history: the rows of django-reversion, written for a whole batch with two statements.

``reversion.create_revision`` copies its collection for every object that is added to it, which is quadratic, and
looks every object up again; an operation knows what it wrote, so it stores the same rows directly. Reading uses
django-reversion as it is (``Version.objects.get_for_object``).
"""

from collections.abc import Sequence

import reversion
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.db.models import Model
from django.utils import timezone
from reversion.models import Revision, Version
from reversion.revisions import _get_options  # the registered field list has no public reader

from core.models import User

_CHUNK = 2_000

# Hashes are secrets and sign-ins are not changes.
reversion.register(User, exclude=("password", "last_login"))


def keep(instances: Sequence[Model], *, actor: User, comment: str) -> None:
    """Store the present state of *instances* as one revision."""
    if not instances:
        return
    revision = Revision.objects.create(date_created=timezone.now(), user=actor, comment=comment)
    Version.objects.bulk_create((_version(revision, instance) for instance in instances), batch_size=_CHUNK)


def _version(revision: Revision, instance: Model) -> Version:
    model = instance._meta.concrete_model or type(instance)
    options = _get_options(model)
    return Version(
        revision=revision,
        content_type=ContentType.objects.get_for_model(model),
        object_id=str(instance.pk),
        db="default",
        format=options.format,
        serialized_data=serializers.serialize(options.format, (instance,), fields=options.fields),
        object_repr=str(instance),
    )
