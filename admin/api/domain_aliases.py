"""``/api/v1/domainaliases/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from admin import policies
from admin.api.narrowing import by_text
from admin.models import Domain, DomainAlias
from admin.models.domain import NAME_LENGTH
from admin.operations import (
    DomainAliasChange,
    DomainAliasSpec,
    create_domain_aliases,
    delete_domain_aliases,
    update_domain_aliases,
)
from core.api.endpoints import LARGEST_KEY, ItemEndpoint, ListEndpoint, Resource
from core.api.listing import Listing, Row, by_flag


class DomainAliasShape(serializers.Serializer[Any]):
    """Another name for a domain."""

    pk = serializers.IntegerField(read_only=True)
    name = serializers.CharField(max_length=NAME_LENGTH, help_text="Name, unique on this server.")
    target = serializers.IntegerField(min_value=1, max_value=LARGEST_KEY, help_text="pk of the domain.")
    enabled = serializers.BooleanField(required=False, help_text="Off: mail under this name is refused.")


class DomainAliasResource(Resource):
    """Domain aliases of the actor."""

    areas = ("domains",)
    kind = "domainalias"
    shape = DomainAliasShape
    example = {"name": "example.net", "target": 1, "enabled": True}
    # Old clients look for limits there.
    beside_codes = {"limit_reached": "domain", "domain_limit_reached": "domain"}

    def rows(self) -> QuerySet[DomainAlias]:
        """What the actor sees."""
        return DomainAlias.objects.visible_to(self.actor)

    def present(self, rows: Sequence[DomainAlias]) -> list[Row]:
        """Domain aliases as they are answered."""
        return [
            {"pk": row.pk, "name": row.name, "target": row.target_id, "enabled": row.enabled} for row in rows
        ]

    def may_write(self) -> bool:
        """Super administrators and resellers."""
        return policies.may_manage_domains(self.actor)

    def named(self, batch: Sequence[Row]) -> list[Row]:
        """Names of the targets in place of their keys; all that are strange are refused at once."""
        ids = {each["target"] for each in batch if "target" in each}
        visible = Domain.objects.visible_to(self.actor).filter(pk__in=ids)
        names = dict(visible.values_list("pk", "name"))
        errors = [
            {"target": [serializers.ErrorDetail("There is no such domain.", code="unknown_domain")]}
            if "target" in each and each["target"] not in names
            else {}
            for each in batch
        ]
        if any(errors):
            raise serializers.ValidationError(errors if isinstance(self.request.data, list) else errors[0])
        return [each | ({"target": names[each["target"]]} if "target" in each else {}) for each in batch]


class DomainAliasList(DomainAliasResource, ListEndpoint):
    """Domain aliases that you see."""

    listing = Listing(
        orders={"name": ("name",), "pk": ("pk",), "target": ("target__name",)},
        filters={"domain": by_text("target__name"), "enabled": by_flag("enabled")},
        search=lambda rows, text: rows.filter(name__startswith=text.strip().lower()),
        fields=("pk", "name", "target", "enabled"),
    )

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """Further names."""
        specs = [DomainAliasSpec(**values) for values in self.named(batch)]
        return create_domain_aliases(self.actor, specs)


class DomainAliasDetail(DomainAliasResource, ItemEndpoint):
    """One domain alias."""

    def change(self, target: DomainAlias, values: Row, seen: int | None) -> None:
        """What was sent, and nothing else."""
        [named] = self.named([values])
        update_domain_aliases(self.actor, [DomainAliasChange(alias=target, **named, seen=seen)])

    def remove(self, target: DomainAlias) -> None:
        """Give the name up."""
        delete_domain_aliases(self.actor, [target])
