"""The event log: what was done, by whom, from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.actor import Credential

if TYPE_CHECKING:
    from core.actor import Actor


class Level(models.TextChoices):
    """Severity, under the names of the documentation."""

    INFO = "INFO", _("Information")
    WARNING = "WARNING", _("Warning")
    CRITICAL = "CRITICAL", _("Critical")


class LogQuerySet(models.QuerySet["Log"]):
    """Named selections of events."""

    def visible_to(self, actor: Actor) -> Self:
        """The log as a whole is for super administrators."""
        return self if actor.is_super else self.none()


class Log(models.Model):
    """One event. Names are copied: an entry says the same when its account and its object are long gone."""

    date_created = models.DateTimeField(_("date"), default=timezone.now, db_index=True)
    level = models.CharField(_("level"), max_length=15, choices=Level.choices)
    logger = models.CharField(_("logger"), max_length=30)
    message = models.CharField(_("message"), max_length=255)
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField(_("actor"), max_length=254, blank=True, default="", db_default="")
    credential = models.CharField(
        _("credential"), max_length=10, choices=Credential.choices, blank=True, default="", db_default=""
    )
    address = models.GenericIPAddressField(_("client address"), null=True, blank=True)
    verb = models.CharField(_("operation"), max_length=60, blank=True, default="", db_default="")
    kind = models.CharField(_("kind of object"), max_length=40, blank=True, default="", db_default="")
    object_id = models.BigIntegerField(null=True, blank=True)
    object_name = models.CharField(_("object"), max_length=254, blank=True, default="", db_default="")
    changed = models.JSONField(_("changed fields"), default=list, blank=True)

    objects = LogQuerySet.as_manager()

    class Meta:
        db_table = "core_log"
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-date_created", "-pk")
        indexes = (models.Index(fields=["kind", "object_id", "-date_created"], name="core_log_object"),)

    def __str__(self) -> str:
        return self.message
