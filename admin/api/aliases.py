"""``/api/v1/aliases/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from admin import policies
from admin.api.narrowing import by_text
from admin.models import Alias
from admin.operations import AliasSpec, create_aliases, delete_aliases, update_alias
from admin.queries.aliases import recipients_by_alias
from admin.queries.searching import a_labels, beginning_with, search_text
from core.addresses import AddressError, canonical_alias_address
from core.api.endpoints import ItemEndpoint, ListEndpoint, Resource
from core.api.listing import Listing, Row, by_flag

_PLAIN = ("enabled", "description", "expire_at")
_FIELDS = ("pk", "address", "enabled", "internal", "recipients", "description", "expire_at")


class AliasShape(serializers.Serializer[Any]):
    """An alias; ``@domain`` takes what nobody else has."""

    pk = serializers.IntegerField(read_only=True)
    address = serializers.CharField(max_length=254, help_text="Address, or @domain; it stays.")
    enabled = serializers.BooleanField(required=False, help_text="Off: mail to this address is refused.")
    internal = serializers.BooleanField(required=False, help_text="Always false.")
    recipients = serializers.ListField(
        child=serializers.CharField(max_length=254),
        allow_empty=False,
        help_text="Addresses here or elsewhere.",
    )
    description = serializers.CharField(required=False, allow_blank=True)
    expire_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Until then it works; null: for ever."
    )

    def validate_internal(self, value: bool) -> bool:  # noqa: FBT001  the library's signature
        """No bookkeeping among people's aliases."""
        if value:
            message = "There are no internal aliases."
            raise serializers.ValidationError(message, code="internal_not_possible")
        return value

    def validate_address(self, value: str) -> str:
        """An alias keeps its address."""
        target = self.context["target"]
        if target is not None and _canonical(value) != target.address:
            message = "An alias keeps its address. Create another one, and delete this."
            raise serializers.ValidationError(message, code="address_stays")
        return value


def _canonical(text: str) -> str:
    try:
        return canonical_alias_address(text, utf8=True)
    except AddressError:
        return ""


class AliasResource(Resource):
    """Aliases of the actor."""

    areas = ("aliases",)
    kind = "alias"
    shape = AliasShape
    example = {"address": "info@example.org", "recipients": ["jo@example.org"]}
    statuses = {"unknown_recipient": 404, "points_to_itself": 409}

    def rows(self) -> QuerySet[Alias]:
        """What the actor sees."""
        return Alias.objects.visible_to(self.actor)

    def present(self, rows: Sequence[Alias]) -> list[Row]:
        """Aliases as they are answered: one statement for the recipients of all of them."""
        recipients = recipients_by_alias([row.pk for row in rows])
        return [
            {
                "pk": row.pk,
                "address": row.address,
                "enabled": row.enabled,
                "internal": False,
                "recipients": recipients.get(row.pk, []),
                "description": row.description,
                "expire_at": row.expire_at and row.expire_at.isoformat(),
            }
            for row in rows
        ]

    def may_write(self) -> bool:
        """Everybody but simple users."""
        return policies.may_manage_aliases(self.actor)


def _found(rows: QuerySet[Alias], text: str) -> QuerySet[Alias]:
    return rows.filter(beginning_with("address", a_labels(search_text(text))))


class AliasList(AliasResource, ListEndpoint):
    """Aliases that you see."""

    listing = Listing(
        orders={"address": ("address",), "pk": ("pk",), "creation": ("creation",)},
        filters={"domain": by_text("domain__name"), "enabled": by_flag("enabled")},
        search=_found,
        fields=_FIELDS,
    )

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """New aliases."""
        specs = [
            AliasSpec(
                address=values["address"],
                recipients=tuple(values["recipients"]),
                **{name: values[name] for name in _PLAIN if name in values},
            )
            for values in batch
        ]
        return create_aliases(self.actor, specs)


class AliasDetail(AliasResource, ItemEndpoint):
    """One alias."""

    def change(self, target: Alias, values: Row, seen: int | None) -> None:
        """What was sent, and nothing else."""
        given = {name: values[name] for name in _PLAIN if name in values}
        if "recipients" in values:
            given["recipients"] = tuple(values["recipients"])
        update_alias(self.actor, target, **given, seen=seen)

    def remove(self, target: Alias) -> None:
        """Also as a recipient of others."""
        delete_aliases(self.actor, [target])
