"""Forms about domains."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.forms.controls import QuotaField, WordListField
from admin.models import Domain
from core.form_rendering import FieldGroup, PanelForm, Switch, ValueListWidget

_QUOTA_HELP = _("For example 500 MB or 20 GB; a number alone means MB. Blank or 0: no limit.")


class DomainUpdateForm(PanelForm):
    """What can be changed of a domain."""

    halves: ClassVar[frozenset[str]] = frozenset({"quota", "default_mailbox_quota"})
    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Domain aliases"), "signpost-split", ("aliases",)),
    )

    quota = QuotaField(label=_("Quota of the domain"), required=False, help_text=_QUOTA_HELP)
    default_mailbox_quota = QuotaField(
        label=_("Quota of new mailboxes"),
        required=False,
        help_text=_("What a mailbox gets that has no value of its own."),
    )
    enabled = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Off: mail is refused, and no mail program signs in."),
    )
    aliases = WordListField(
        label=_("Domain aliases"),
        required=False,
        widget=ValueListWidget(item=_("Domain alias"), add=_("Add a domain alias")),
        help_text=_("Further names of the domain: anybody@alias is anybody@domain."),
    )

    def values(self) -> dict[str, Any]:
        """What the operation takes."""
        given = self.cleaned_data
        return given | {
            "quota": given["quota"] or 0,
            "default_mailbox_quota": given["default_mailbox_quota"] or 0,
            "aliases": tuple(given["aliases"]),
        }


class DomainCreateForm(DomainUpdateForm):
    """A new domain: its name besides."""

    field_order = ("name",)

    name = forms.CharField(
        label=_("Name"),
        help_text=_("For example example.com; names in other scripts are welcome."),
        widget=forms.TextInput(
            {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )


def domain_values(domain: Domain, aliases: list[str]) -> dict[str, Any]:
    """Values that the form begins with."""
    return {
        "quota": domain.quota,
        "default_mailbox_quota": domain.default_mailbox_quota,
        "enabled": domain.enabled,
        "aliases": aliases,
    }
