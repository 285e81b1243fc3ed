"""API tokens: credentials of programs that act for an account."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import ExactCharField
from core.models.user import User

if TYPE_CHECKING:
    from core.actor import Actor


class Scope(models.TextChoices):
    """What a token may do; never more than its account."""

    READ_DOMAINS = "domains:read", _("Read domains")
    WRITE_DOMAINS = "domains:write", _("Change domains")
    READ_ACCOUNTS = "accounts:read", _("Read accounts")
    WRITE_ACCOUNTS = "accounts:write", _("Change accounts")
    READ_ALIASES = "aliases:read", _("Read aliases")
    WRITE_ALIASES = "aliases:write", _("Change aliases")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Named selections of tokens."""

    def visible_to(self, actor: Actor) -> Self:
        """One's own; nobody sees those of others, whatever he administers."""
        return self.filter(owner=actor.pk)


class ApiToken(models.Model):
    """A token; only its keyed hash is stored, and its first characters, by which its owner knows it again."""

    owner = models.ForeignKey(User, on_delete=models.DO_NOTHING, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=100)
    digest = ExactCharField(_("keyed hash"), max_length=64, unique=True)
    beginning = models.CharField(_("first characters"), max_length=12)
    scopes = models.JSONField(_("scopes"), default=list)
    # Networks in CIDR notation that the token works from; empty means everywhere.
    networks = models.JSONField(_("networks"), default=list)
    # Ids of the domains in which alone it works, or nothing; one that was deleted leaves its id, which no other gets.
    domains = models.JSONField(_("domains"), null=True, blank=True, default=None)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last use"), null=True, blank=True)
    last_used_from = models.GenericIPAddressField(_("address of the last use"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    event_kind = "token"

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "core_apitoken"
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.name

    def is_expired(self, now: datetime | None = None) -> bool:
        """True from the instant ``expires_at`` on."""
        return self.expires_at is not None and self.expires_at <= (now or timezone.now())

    @property
    def scope_labels(self) -> list[str]:
        """The scopes in words."""
        return [str(Scope(scope).label) for scope in self.scopes if scope in Scope.values]
