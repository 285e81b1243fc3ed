"""Answers of the API to requests that may be repeated (``Idempotency-Key``)."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import ExactCharField


class StoredAnswer(models.Model):
    """What a request was answered; written in the transaction of its operation."""

    # Digest of whoever asked, where, and his key.
    key = ExactCharField(_("key"), max_length=64, primary_key=True)
    # Digest of the body that was sent.
    body = ExactCharField(_("body"), max_length=64)
    status = models.PositiveIntegerField(_("status"))
    answer = models.TextField(_("answer"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)

    class Meta:
        db_table = "core_storedanswer"
        verbose_name = _("stored answer")
        verbose_name_plural = _("stored answers")

    def __str__(self) -> str:
        return self.key
