"""What was tried too often: counters that every process of the panel shares."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import ExactCharField


class Throttle(models.Model):
    """Failures of one thing, by one key (core.throttling): a digest, so that no name or address is kept here."""

    key = ExactCharField(_("key"), max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(_("failures"))
    last_at = models.DateTimeField(_("last failure"), db_index=True)

    class Meta:
        db_table = "core_throttle"
        verbose_name = _("throttle")
        verbose_name_plural = _("throttles")

    def __str__(self) -> str:
        return self.key
