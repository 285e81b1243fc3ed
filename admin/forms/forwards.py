"""The form about one's own forward."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.queries.forwards import OwnForward
from core.editing import EditForm
from core.form_rendering import Switch
from core.presentation import unicode_domain

_SEPARATORS: Final = re.compile(r"[\s,;]+")


class _AddressesField(forms.CharField):
    """Addresses with anything between them, one per line."""

    def to_python(self, value: object) -> str:
        """Browsers end lines in their own way."""
        return "\n".join(filter(None, _SEPARATORS.split(super().to_python(value) or "")))


class ForwardForm(EditForm):
    """Where one's mail goes on to."""

    logged_as: ClassVar[Mapping[str, str]] = {"keep_copy": "recipients"}

    recipients = _AddressesField(
        label=_("Forward to"),
        required=False,
        widget=forms.Textarea({"rows": 4, "autocapitalize": "none", "spellcheck": "false", "dir": "ltr"}),
        help_text=_("One or more addresses. Empty: no forward."),
    )
    keep_copy = forms.BooleanField(
        label=_("Keep a copy here"),
        required=False,
        widget=Switch,
        help_text=_("Off: mail is only sent on, and nothing arrives in this mailbox."),
    )

    def values(self) -> dict[str, Any]:
        """What the operation takes; what was not changed here is as it is now."""
        given = {
            name: self.cleaned_data[name] if self.changes(name) else self.initial[name]
            for name in ("recipients", "keep_copy")
        }
        return given | {"recipients": tuple(given["recipients"].split())}


def forward_values(forward: OwnForward) -> dict[str, Any]:
    """Values that the form begins with: one address per line."""
    return {
        "recipients": "\n".join(map(unicode_domain, forward.recipients)),
        "keep_copy": forward.keeps_copy,
    }
