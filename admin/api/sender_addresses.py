"""``/api/v1/senderaddresses/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from admin import policies
from admin.api.narrowing import by_text
from admin.models import SenderAddress
from admin.operations import SenderAddressSpec, add_sender_addresses, remove_sender_addresses
from admin.queries.searching import a_labels, beginning_with, search_text
from core.api.endpoints import ItemEndpoint, ListEndpoint, Resource
from core.api.listing import Listing, Row


class SenderAddressShape(serializers.Serializer[Any]):
    """An extra address that the owner of a mailbox may send from."""

    pk = serializers.IntegerField(read_only=True)
    address = serializers.CharField(max_length=254, help_text="Address, or @domain.")
    mailbox = serializers.CharField(max_length=254, help_text="Address of the mailbox.")


class SenderAddressResource(Resource):
    """Sender addresses of mailboxes that the actor sees."""

    areas = ("accounts",)
    kind = "senderaddress"
    shape = SenderAddressShape
    example = {"address": "info@example.org", "mailbox": "jo@example.org"}
    beside = {"sender_addresses": "address"}

    def rows(self) -> QuerySet[SenderAddress]:
        """What the actor sees; simple users have no list."""
        if not policies.may_see_identities(self.actor):
            return SenderAddress.objects.none()
        return SenderAddress.objects.visible_to(self.actor).select_related("mailbox__user")

    def present(self, rows: Sequence[SenderAddress]) -> list[Row]:
        """Sender addresses as they are answered."""
        return [{"pk": row.pk, "address": row.address, "mailbox": row.mailbox.user.email} for row in rows]

    def may_write(self) -> bool:
        """Everybody but simple users."""
        return policies.may_manage_accounts(self.actor)


class SenderAddressList(SenderAddressResource, ListEndpoint):
    """Sender addresses that you see."""

    listing = Listing(
        orders={"address": ("address",), "mailbox": ("mailbox__user__email",), "pk": ("pk",)},
        filters={"mailbox": by_text("mailbox__user__email"), "domain": by_text("mailbox__domain__name")},
        search=lambda rows, text: rows.filter(beginning_with("address", a_labels(search_text(text)))),
        fields=("pk", "address", "mailbox"),
    )

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """Further addresses."""
        return add_sender_addresses(self.actor, [SenderAddressSpec(**values) for values in batch])


class SenderAddressDetail(SenderAddressResource, ItemEndpoint):
    """One sender address; another one is a new one."""

    http_method_names = ("get", "head", "delete")

    def remove(self, target: SenderAddress) -> None:
        """Take it back."""
        remove_sender_addresses(self.actor, [target])
