"""``/api/v1/domains/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from admin import policies
from admin.api.fields import QuotaField
from admin.api.narrowing import by_text
from admin.models import Domain
from admin.models.domain import NAME_LENGTH, DomainKind
from admin.operations import DomainSpec, create_domains, delete_domains, update_domain
from core.api.endpoints import ItemEndpoint, ListEndpoint, Resource
from core.api.listing import Listing, Row, by_flag

_PLAIN = ("name", "quota", "default_mailbox_quota", "enabled")


class DomainShape(serializers.Serializer[Any]):
    """A domain. Quotas in MB, 0: no limit."""

    pk = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=NAME_LENGTH, help_text="Name, unique on this server.")
    quota = QuotaField(
        required=False,
        help_text="MB of all mailboxes together; 0: no limit.",
    )
    default_mailbox_quota = QuotaField(required=False, help_text="MB of a mailbox; 0: no limit.")
    enabled = serializers.BooleanField(required=False, help_text="Off: no mail, nobody signs in.")
    type = serializers.ChoiceField(
        choices=DomainKind.choices, required=False, help_text="Only read; see relaydomains."
    )

    def validate_type(self, value: str) -> str:
        """What a domain is, is changed elsewhere."""
        target = self.context["target"]
        present = target.type if target is not None else DomainKind.DOMAIN
        if value != present:
            message = "The type is changed by /api/v1/relaydomains/."
            raise serializers.ValidationError(message, code="type_stays")
        return value


class DomainResource(Resource):
    """Domains of the actor."""

    areas = ("domains",)
    kind = "domain"
    shape = DomainShape
    example = {"name": "example.org", "quota": 10240, "default_mailbox_quota": 1024}

    def rows(self) -> QuerySet[Domain]:
        """What the actor sees."""
        return Domain.objects.visible_to(self.actor)

    def present(self, rows: Sequence[Domain]) -> list[Row]:
        """Domains as they are answered."""
        return [{"pk": row.pk, **{name: getattr(row, name) for name in (*_PLAIN, "type")}} for row in rows]

    def may_write(self) -> bool:
        """Super administrators and resellers."""
        return policies.may_manage_domains(self.actor)


class DomainList(DomainResource, ListEndpoint):
    """Domains that you see."""

    # Old clients know 403 for what a reseller has no more of.
    statuses = {"limit_reached": 403}
    listing = Listing(
        orders={"name": ("name",), "pk": ("pk",), "quota": ("quota",), "creation": ("creation",)},
        filters={"name": by_text("name"), "enabled": by_flag("enabled"), "type": by_text("type")},
        search=lambda rows, text: rows.filter(name__startswith=text.strip().lower()),
        fields=("pk", *_PLAIN, "type"),
    )

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """New domains of the actor."""
        specs = [DomainSpec(**{name: each[name] for name in _PLAIN if name in each}) for each in batch]
        return create_domains(self.actor, specs)


class DomainDetail(DomainResource, ItemEndpoint):
    """One domain."""

    def change(self, target: Domain, values: Row, seen: int | None) -> None:
        """What was sent, and nothing else."""
        given = {name: values[name] for name in _PLAIN if name in values}
        update_domain(self.actor, target, **given, seen=seen)

    def remove(self, target: Domain) -> None:
        """With all that is in it."""
        delete_domains(self.actor, [target])
