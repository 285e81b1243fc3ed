"""Values of parameters, kept only where they differ from the default or were saved once."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.models import User


class Parameter(models.Model):
    """One site-wide value; ``value`` is what the form field cleaned, as JSON."""

    app = models.CharField(max_length=60)
    name = models.CharField(max_length=100)
    value = models.JSONField()

    class Meta:
        verbose_name = _("parameter")
        verbose_name_plural = _("parameters")
        constraints = (models.UniqueConstraint(fields=["app", "name"], name="parameters_one_value_per_name"),)

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


class UserParameter(models.Model):
    """One value that an account chose for itself; otherwise as :class:`Parameter`."""

    owner = models.ForeignKey(User, on_delete=models.DO_NOTHING, related_name="+")
    app = models.CharField(max_length=60)
    name = models.CharField(max_length=100)
    value = models.JSONField()

    class Meta:
        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        constraints = (
            models.UniqueConstraint(fields=["owner", "app", "name"], name="parameters_one_value_per_owner"),
        )

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"
