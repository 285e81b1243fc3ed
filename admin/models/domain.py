"""Domains, domain aliases and the one name space that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import shapes
from core.fields import ExactCharField
from core.roles import Role
from limits.kinds import MAX_LIMIT, OF_DOMAINS

if TYPE_CHECKING:
    from core.actor import Actor

# Quotas are whole megabytes; 2^33 MB keeps the bytes below 2^53, which every client of the tables can hold.
MAX_QUOTA_MB = 2**33
NAME_LENGTH = 253


class DomainKind(models.TextChoices):
    """What happens to mail for a domain."""

    DOMAIN = "domain", _("Domain")
    RELAY = "relaydomain", _("Relay domain")


class DomainQuerySet(models.QuerySet["Domain"]):
    """Named selections of domains."""

    def visible_to(self, actor: Actor) -> Self:
        """Domains that *actor* owns or administers, those of his token alone; all of them for a super admin."""
        if actor.is_super:
            return self
        if not actor.administers:
            return self.none()
        domains = self if actor.domains is None else self.filter(pk__in=actor.domains)
        if actor.user.role == Role.SUPER_ADMIN:
            return domains
        administered = Domain.administrators.through.objects.filter(user_id=actor.pk).values("domain_id")
        return domains.filter(Q(owner_id=actor.pk) | Q(pk__in=administered))

    def enabled(self) -> Self:
        """Domains that work."""
        return self.filter(enabled=True)


class Domain(models.Model):
    """A name whose mail is received here (or, type ``relaydomain``, handed to another host)."""

    name = ExactCharField(_("name"), max_length=NAME_LENGTH, unique=True)
    type = models.CharField(
        _("type"), max_length=20, choices=DomainKind.choices, default=DomainKind.DOMAIN, db_default="domain"
    )
    enabled = models.BooleanField(_("enabled"), default=True, db_default=True)
    # Megabytes; 0 = no limit.
    quota = models.BigIntegerField(_("quota"), default=0, db_default=0)
    default_mailbox_quota = models.BigIntegerField(_("default mailbox quota"), default=0, db_default=0)
    enable_dns_checks = models.BooleanField(_("DNS checks"), default=True, db_default=True)
    creation = models.DateTimeField(_("created"), default=timezone.now, db_index=True)
    last_modification = models.DateTimeField(_("modified"), default=timezone.now)
    # How many of each the domain may hold; -1 = no limit.
    domain_aliases_limit = models.BigIntegerField(default=-1, db_default=-1)
    mailboxes_limit = models.BigIntegerField(default=-1, db_default=-1)
    mailbox_aliases_limit = models.BigIntegerField(default=-1, db_default=-1)
    domain_admins_limit = models.BigIntegerField(default=-1, db_default=-1)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="owned_domains"
    )
    administrators = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        related_name="administered_domains",
        blank=True,
        verbose_name=_("administrators"),
    )

    objects = DomainQuerySet.as_manager()

    class Meta:
        db_table = "admin_domain"
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=shapes.domain_name("name"), name="admin_domain_name_is_canonical"
            ),
            models.CheckConstraint(
                condition=Q(quota__gte=0, quota__lte=MAX_QUOTA_MB), name="admin_domain_quota_in_range"
            ),
            models.CheckConstraint(
                condition=Q(default_mailbox_quota__gte=0, default_mailbox_quota__lte=MAX_QUOTA_MB),
                name="admin_domain_default_quota_in_range",
            ),
            models.CheckConstraint(
                condition=Q(quota=0) | Q(default_mailbox_quota__lte=models.F("quota")),
                name="admin_domain_default_quota_fits",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{kind}_limit__gte": -1, f"{kind}_limit__lte": MAX_LIMIT}),
                    name=f"admin_domain_{kind}_limit_in_range",
                )
                for kind in OF_DOMAINS
            ),
        )

    def __str__(self) -> str:
        return self.name


class DomainAliasQuerySet(models.QuerySet["DomainAlias"]):
    """Named selections of domain aliases."""

    def visible_to(self, actor: Actor) -> Self:
        """Domain aliases whose target *actor* may see."""
        if actor.is_super:
            return self
        return self.filter(target__in=Domain.objects.visible_to(actor))


class DomainAlias(models.Model):
    """Another name for a domain: mail for anybody@alias goes to anybody@target."""

    name = ExactCharField(_("name"), max_length=NAME_LENGTH, unique=True)
    target = models.ForeignKey(Domain, on_delete=models.DO_NOTHING, related_name="aliases")
    enabled = models.BooleanField(_("enabled"), default=True, db_default=True)
    creation = models.DateTimeField(_("created"), default=timezone.now)
    last_modification = models.DateTimeField(_("modified"), default=timezone.now)
    # Who created it, and pays for it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="+"
    )

    objects = DomainAliasQuerySet.as_manager()

    class Meta:
        db_table = "admin_domainalias"
        verbose_name = _("domain alias")
        verbose_name_plural = _("domain aliases")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=shapes.domain_name("name"), name="admin_domainalias_name_is_canonical"
            ),
        )

    def __str__(self) -> str:
        return self.name


class DomainName(models.Model):
    """A name that is taken: a domain, a domain alias or a relay domain, never two of them.

    Written by the operations together with the row that takes the name, so that a race between two kinds of
    object ends at the primary key.
    """

    name = ExactCharField(_("name"), max_length=NAME_LENGTH, primary_key=True)
    domain = models.OneToOneField(Domain, on_delete=models.DO_NOTHING, null=True, related_name="+")
    alias = models.OneToOneField(DomainAlias, on_delete=models.DO_NOTHING, null=True, related_name="+")

    class Meta:
        db_table = "admin_domainname"
        constraints = (
            models.CheckConstraint(
                condition=Q(domain__isnull=True, alias__isnull=False)
                | Q(domain__isnull=False, alias__isnull=True),
                name="admin_domainname_has_one_holder",
            ),
        )

    def __str__(self) -> str:
        return self.name
