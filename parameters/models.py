"""Values of parameters that differ from their defaults: one row for the site, one for each account that chose some."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeAlias

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.models import User

# {app: {name: value}}, as the fields of the declaring forms cleaned them.
Values: TypeAlias = dict[str, dict[str, Any]]


class StoredParameters(models.Model):
    """What both levels share. Operations lock the row, so that changes of different parameters both survive."""

    # What the event log calls it, and the parameter that an event is about.
    event_kind: ClassVar[str]
    parameter: str = ""

    parameters = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.parameter or f"{self.event_kind} {self.pk}"

    def told(self, parameters: Values, parameter: str) -> Self:
        """This row for the event log and the history: without secrets, named after what was changed."""
        told = type(self)(pk=self.pk, parameters=parameters)
        told.parameter = parameter
        return told


class SiteParameters(StoredParameters):
    """What holds for everybody; its only row has the key 1."""

    event_kind = "parameter"
    THE_ROW: ClassVar[int] = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=THE_ROW)

    class Meta:
        verbose_name = _("parameter")
        verbose_name_plural = _("parameters")
        constraints = (models.CheckConstraint(condition=Q(id=1), name="parameters_one_site"),)


class Preferences(StoredParameters):
    """What an account chose for itself."""

    event_kind = "preference"

    owner = models.OneToOneField(User, on_delete=models.DO_NOTHING, primary_key=True, related_name="+")

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
