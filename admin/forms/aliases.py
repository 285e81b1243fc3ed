"""Forms about aliases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.forms.controls import WordListField, address_field
from admin.models import Alias
from admin.operations import random_alias_address
from core.editing import EditForm
from core.form_rendering import FieldGroup, PanelForm, Switch, ValueListWidget

# What <input type="datetime-local"> shows and sends.
_INSTANT = "%Y-%m-%dT%H:%M"


class _AliasForm(PanelForm):
    """What creation and change have in common."""

    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Expiry"), "calendar-event", ("expire_at",)),
        FieldGroup(_("Description"), "journal-text", ("description",)),
    )

    recipients = WordListField(
        label=_("Recipients"),
        widget=ValueListWidget(item=_("Recipient"), add=_("Add a recipient")),
        help_text=_("Addresses here or elsewhere, one per line."),
    )
    enabled = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Off: mail to this address is refused."),
    )
    expire_at = forms.DateTimeField(
        label=_("Works until"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format=_INSTANT),
        input_formats=[_INSTANT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"],
    )
    description = forms.CharField(label=_("Description"), required=False, widget=forms.Textarea({"rows": 3}))

    def clean_expire_at(self) -> datetime | None:
        """An instant that exists in UTC too, where it is stored: the calendar ends on both sides."""
        instant: datetime | None = self.cleaned_data["expire_at"]
        try:
            return instant and instant.astimezone(UTC)
        except OverflowError as error:
            message = self.fields["expire_at"].error_messages["invalid"]
            raise forms.ValidationError(message, code="invalid") from error


class AliasUpdateForm(EditForm, _AliasForm):
    """What can be changed of an alias."""

    def values(self) -> dict[str, Any]:
        """What the operation takes: only what was changed here."""
        values = {name: value for name, value in self.cleaned_data.items() if self.changes(name)}
        if "recipients" in values:
            values["recipients"] = tuple(values["recipients"])
        return values


class AliasCreateForm(_AliasForm):
    """A new alias: its address besides, typed or made at random in the domain that is chosen."""

    field_order = ("address", "random_address")

    address = forms.Field()
    random_address = forms.BooleanField(
        label=_("Random address"),
        required=False,
        widget=Switch,
        help_text=_(
            "The panel writes 20 characters before the “@”, whatever stands there: an address for one purpose."
        ),
    )

    def __init__(self, *args: Any, domains: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["address"] = address_field(
            domains,
            local_required=False,
            label=_("Address"),
            help_text=_("Nothing before the “@” makes a catch-all: it takes what nobody else has."),
        )

    def values(self) -> dict[str, Any]:
        """What the operation takes."""
        given = dict(self.cleaned_data)
        if given.pop("random_address"):
            given["address"] = random_alias_address(given["address"].rpartition("@")[2])
        return given | {"recipients": tuple(given["recipients"])}


def alias_values(alias: Alias, recipients: list[str]) -> dict[str, Any]:
    """Values that the form begins with."""
    return {
        "recipients": recipients,
        "enabled": alias.enabled,
        "expire_at": alias.expire_at,
        "description": alias.description,
    }
