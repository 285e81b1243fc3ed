"""``/api/v1/quotas/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request

from admin import policies
from admin.api.narrowing import by_text
from admin.models import Mailbox
from admin.queries.searching import a_labels, beginning_with, search_text
from admin.queries.usage import used_bytes, used_messages
from core.api.endpoints import Endpoint
from core.api.listing import Listing, Row, answer_list

_FIELDS = ("pk", "address", "quota", "used_bytes", "messages")


class QuotaShape(serializers.Serializer[Any]):
    """What a mailbox may hold, and holds."""

    pk = serializers.IntegerField(help_text="Of the account.")
    address = serializers.CharField()
    quota = serializers.IntegerField(help_text="MB; 0: no limit.")
    used_bytes = serializers.IntegerField(help_text="Bytes, as Dovecot counted them.")
    messages = serializers.IntegerField()


class QuotaList(Endpoint):
    """Mailboxes that you see, with their usage."""

    http_method_names = ("get", "head")
    shape = QuotaShape
    areas = ("accounts",)
    listing = Listing(
        orders={"address": ("user__email",), "quota": ("quota",), "used_bytes": ("used",)},
        filters={"domain": by_text("domain__name")},
        search=lambda rows, text: rows.filter(beginning_with("user__email", a_labels(search_text(text)))),
        fields=_FIELDS,
    )

    def get(self, request: Request) -> HttpResponseBase:
        """A plain array."""
        return answer_list(request, self.rows(), self.listing, self.present)

    def rows(self) -> QuerySet[Mailbox]:
        """What the actor sees; simple users have no list."""
        rows = Mailbox.objects.visible_to(self.actor).select_related("user")
        rows = rows.annotate(used=used_bytes("user__email"), counted=used_messages("user__email"))
        return rows if policies.may_see_identities(self.actor) else rows.none()

    def present(self, rows: Sequence[Any]) -> list[Row]:
        """Mailboxes as they are answered."""
        return [
            {
                "pk": row.user_id,
                "address": row.user.email,
                "quota": row.quota,
                "used_bytes": row.used,
                "messages": row.counted,
            }
            for row in rows
        ]
