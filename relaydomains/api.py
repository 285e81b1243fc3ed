"""``/api/v1/relaydomains/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import serializers

from admin.api.fields import QuotaField
from admin.api.narrowing import by_text
from admin.models.domain import NAME_LENGTH
from admin.operations import delete_domains, update_domain
from core.api.endpoints import ItemEndpoint, ListEndpoint, Resource
from core.api.listing import Listing, Row, by_flag
from relaydomains import policies
from relaydomains.models import HIGHEST_PORT, HOST_LENGTH, RelayDomain
from relaydomains.operations import RelayDomainSpec, create_relay_domains, update_relay_domain

_OF_DOMAIN = ("name", "enabled", "quota", "default_mailbox_quota")
_OF_RELAY = ("target_host", "target_port", "service", "verify_recipients")


class RelayDomainShape(serializers.Serializer[Any]):
    """A domain whose mail goes to another host."""

    pk = serializers.IntegerField(read_only=True, help_text="That of the domain.")
    name = serializers.CharField(max_length=NAME_LENGTH, help_text="Name, unique on this server.")
    target_host = serializers.CharField(max_length=HOST_LENGTH, help_text="Name or address of the host.")
    target_port = serializers.IntegerField(min_value=1, max_value=HIGHEST_PORT, required=False)
    service = serializers.CharField(max_length=100, required=False, help_text="Service of Postfix; relay.")
    verify_recipients = serializers.BooleanField(required=False, help_text="Ask the host whom it knows.")
    enabled = serializers.BooleanField(required=False)
    quota = QuotaField(required=False, help_text="MB of mailboxes here; 0: no limit.")
    default_mailbox_quota = QuotaField(required=False, help_text="MB of a mailbox; 0: no limit.")


class RelayDomainResource(Resource):
    """Relay domains of the actor."""

    areas = ("domains",)
    kind = "relaydomain"
    shape = RelayDomainShape
    example = {"name": "example.org", "target_host": "mail.example.net", "target_port": 25}
    statuses = {"limit_reached": 403}

    def rows(self) -> QuerySet[RelayDomain]:
        """What the actor sees."""
        return RelayDomain.objects.visible_to(self.actor).select_related("domain", "service")

    def present(self, rows: Sequence[RelayDomain]) -> list[Row]:
        """Relay domains as they are answered."""
        return [
            {
                "pk": row.pk,
                "name": row.domain.name,
                "target_host": row.target_host,
                "target_port": row.target_port,
                "service": row.service.name,
                "verify_recipients": row.verify_recipients,
                **{name: getattr(row.domain, name) for name in _OF_DOMAIN if name != "name"},
            }
            for row in rows
        ]

    def may_write(self) -> bool:
        """Super administrators and resellers."""
        return policies.may_manage_relay_domains(self.actor)


class RelayDomainList(RelayDomainResource, ListEndpoint):
    """Relay domains that you see."""

    listing = Listing(
        orders={"name": ("domain__name",), "pk": ("pk",), "target_host": ("target_host",)},
        filters={
            "target_host": by_text("target_host"),
            "enabled": by_flag("domain__enabled"),
            "service": by_text("service__name"),
        },
        search=lambda rows, text: rows.filter(domain__name__startswith=text.strip().lower()),
        fields=("pk", *_OF_DOMAIN, *_OF_RELAY),
    )

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """New relay domains of the actor."""
        return create_relay_domains(self.actor, [RelayDomainSpec(**values) for values in batch])


class RelayDomainDetail(RelayDomainResource, ItemEndpoint):
    """One relay domain."""

    def change(self, target: RelayDomain, values: Row, seen: int | None) -> None:
        """What was sent, and nothing else: of the domain, and of where its mail goes."""
        of_domain = {name: values[name] for name in _OF_DOMAIN if name in values}
        of_relay = {name: values[name] for name in _OF_RELAY if name in values}
        with transaction.atomic():
            update_relay_domain(self.actor, target.domain, **of_relay, seen=seen)
            if of_domain:
                update_domain(self.actor, target.domain, **of_domain)

    def remove(self, target: RelayDomain) -> None:
        """With all that is in it."""
        delete_domains(self.actor, [target.domain])
