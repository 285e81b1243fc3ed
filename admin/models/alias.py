"""Aliases: addresses whose mail goes to other addresses."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin.models.domain import Domain
from admin.models.mailbox import Mailbox
from core import shapes
from core.fields import ExactCharField

if TYPE_CHECKING:
    from core.actor import Actor


class AliasQuerySet(models.QuerySet["Alias"]):
    """Named selections of aliases."""

    def visible_to(self, actor: Actor, domains: Collection[int] | None = None) -> Self:
        """Aliases in domains that *actor* sees; *domains*: their ids, from whoever knows them already."""
        if actor.is_super:
            return self
        return self.filter(domain__in=Domain.objects.visible_to(actor) if domains is None else domains)


class Alias(models.Model):
    """An address with recipients; ``@domain`` is a catch-all; a mailbox's own address makes it a forward."""

    address = ExactCharField(_("address"), max_length=254, unique=True)
    domain = models.ForeignKey(Domain, on_delete=models.DO_NOTHING, related_name="mailbox_aliases")
    enabled = models.BooleanField(_("enabled"), default=True, db_default=True)
    description = models.TextField(_("description"), blank=True, default="")
    expire_at = models.DateTimeField(_("expires"), null=True, blank=True)
    creation = models.DateTimeField(_("created"), default=timezone.now)
    last_modification = models.DateTimeField(_("modified"), default=timezone.now)
    # Who created it, and pays for it; nobody for the forward of a mailbox.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="+"
    )

    objects = AliasQuerySet.as_manager()

    class Meta:
        db_table = "admin_alias"
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        ordering = ("address",)
        constraints = (
            models.CheckConstraint(
                condition=shapes.alias_address("address"), name="admin_alias_address_is_canonical"
            ),
        )

    def __str__(self) -> str:
        return self.address

    @property
    def is_catch_all(self) -> bool:
        """True for ``@domain``: it takes what nobody else in the domain takes."""
        return self.address.startswith("@")

    def is_expired(self, now: datetime | None = None) -> bool:
        """True from the instant ``expire_at`` on."""
        return self.expire_at is not None and self.expire_at <= (now or timezone.now())


class AliasRecipient(models.Model):
    """One recipient of an alias; it keeps its ``+extension`` and names the local object that it means."""

    alias = models.ForeignKey(Alias, on_delete=models.DO_NOTHING, related_name="recipients")
    address = ExactCharField(_("recipient"), max_length=254, db_index=True)
    mailbox = models.ForeignKey(
        Mailbox, on_delete=models.DO_NOTHING, null=True, blank=True, related_name="recipient_of"
    )
    target_alias = models.ForeignKey(
        Alias, on_delete=models.DO_NOTHING, null=True, blank=True, related_name="recipient_of"
    )

    class Meta:
        db_table = "modoboa_admin_aliasrecipient"
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering = ("address",)
        constraints = (
            models.UniqueConstraint(fields=["alias", "address"], name="admin_one_recipient_per_alias"),
            models.CheckConstraint(
                condition=shapes.recipient_address("address"), name="admin_recipient_is_canonical"
            ),
        )

    def __str__(self) -> str:
        return self.address
