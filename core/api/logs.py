"""``/api/v1/logs/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request

from core.api.endpoints import Endpoint
from core.api.listing import Listing, Row, answer_list, by_choice, by_number
from core.models import Log

_PLAIN = ("level", "logger", "message", "credential", "address", "verb", "kind", "object_id", "object_name")
_FIELDS = ("pk", "date_created", *_PLAIN, "actor_id", "actor", "changed")


class LogShape(serializers.Serializer[Any]):
    """An event."""

    pk = serializers.IntegerField()
    date_created = serializers.DateTimeField()
    level = serializers.CharField()
    logger = serializers.CharField()
    message = serializers.CharField()
    actor_id = serializers.IntegerField(allow_null=True)
    actor = serializers.CharField(help_text="User name at that time.")
    credential = serializers.CharField()
    address = serializers.CharField(allow_null=True, help_text="Network address of the client.")
    verb = serializers.CharField(help_text="Such as domain.create.")
    kind = serializers.CharField()
    object_id = serializers.IntegerField(allow_null=True)
    object_name = serializers.CharField()
    changed = serializers.ListField(child=serializers.CharField(), help_text="Names of fields.")


class LogList(Endpoint):
    """The event log, newest first; super administrators see it."""

    http_method_names = ("get", "head")
    shape = LogShape
    areas = ("domains", "accounts", "aliases")
    listing = Listing(
        orders={"date_created": ("date_created",), "pk": ("pk",)},
        default="-date_created",
        filters={
            **{name: by_choice(name) for name in ("level", "verb", "kind", "object_name", "credential")},
            "actor": by_choice("actor_name"),
            "object_id": by_number("object_id"),
        },
        search=lambda rows, text: rows.filter(message__icontains=text),
        fields=_FIELDS,
    )

    def get(self, request: Request) -> HttpResponseBase:
        """A plain array."""
        return answer_list(request, self.rows(), self.listing, self.present)

    def rows(self) -> QuerySet[Log]:
        """What the actor sees."""
        return Log.objects.visible_to(self.actor)

    def present(self, rows: Sequence[Log]) -> list[Row]:
        """Events as they are answered."""
        return [
            {
                "pk": row.pk,
                "date_created": row.date_created.isoformat(),
                **{name: getattr(row, name) for name in _PLAIN},
                "actor_id": row.actor_id,
                "actor": row.actor_name,
                "changed": list(row.changed),
            }
            for row in rows
        ]
