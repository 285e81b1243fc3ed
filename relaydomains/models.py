"""Domains whose mail is handed to another host, and the services of Postfix that hand it over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin.models.domain import Domain
from admin.models.published import SERVICE_LENGTH
from core import shapes
from core.fields import ExactCharField
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor

DEFAULT_PORT = 25
HIGHEST_PORT = 65_535
HOST_LENGTH = 255

# Who manages domains.
_CHOOSE_SERVICES = frozenset({Role.SUPER_ADMIN, Role.RESELLER})


class ServiceQuerySet(models.QuerySet["Service"]):
    """Named selections of services."""

    def visible_to(self, actor: Actor) -> Self:
        """All of them, for whoever manages domains."""
        return self if actor.role in _CHOOSE_SERVICES else self.none()


class Service(models.Model):
    """A service of Postfix's master.cf that runs its SMTP client: ``relay``, ``smtp``, or one with its own settings."""

    name = ExactCharField(_("name"), max_length=SERVICE_LENGTH, unique=True)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        db_table = "postfix_relay_domains_service"
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=shapes.service_name("name", octets=SERVICE_LENGTH),
                name="relaydomains_service_name_is_canonical",
            ),
        )

    def __str__(self) -> str:
        return self.name


class RelayDomainQuerySet(models.QuerySet["RelayDomain"]):
    """Named selections of relay domains."""

    def visible_to(self, actor: Actor) -> Self:
        """Those whose domain *actor* sees."""
        if actor.is_super:
            return self
        return self.filter(domain__in=Domain.objects.visible_to(actor))


class RelayDomain(models.Model):
    """Where the mail of a domain of the type ``relaydomain`` goes. Such a domain always has one, no other ever has."""

    # Also the key, so that the history goes on when a domain is relayed a second time.
    domain = models.OneToOneField(
        Domain, on_delete=models.DO_NOTHING, primary_key=True, related_name="relay", verbose_name=_("domain")
    )
    # A host name in A-labels, or an IP address in its shortest form.
    target_host = ExactCharField(_("target host"), max_length=HOST_LENGTH)
    target_port = models.IntegerField(_("target port"), default=DEFAULT_PORT, db_default=DEFAULT_PORT)
    service = models.ForeignKey(
        Service, on_delete=models.DO_NOTHING, related_name="relay_domains", verbose_name=_("service")
    )
    verify_recipients = models.BooleanField(_("verify recipients"), default=False, db_default=False)
    creation = models.DateTimeField(_("created"), default=timezone.now)
    last_modification = models.DateTimeField(_("modified"), default=timezone.now)

    objects = RelayDomainQuerySet.as_manager()

    class Meta:
        db_table = "postfix_relay_domains_relaydomain"
        verbose_name = _("relay domain")
        verbose_name_plural = _("relay domains")
        ordering = ("domain__name",)
        constraints = (
            # Nothing but a host can stand between the brackets of a transport.
            models.CheckConstraint(
                condition=shapes.host("target_host"), name="relaydomains_relaydomain_target_host_is_canonical"
            ),
            models.CheckConstraint(
                condition=Q(target_port__gte=1, target_port__lte=HIGHEST_PORT),
                name="relaydomains_relaydomain_target_port_in_range",
            ),
        )

    def __str__(self) -> str:
        return self.domain.name
