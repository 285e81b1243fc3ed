"""The form about one's own forward."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.queries.forwards import OwnForward
from core.form_rendering import PanelForm, Switch
from core.presentation import unicode_domain

_SEPARATORS: Final = re.compile(r"[\s,;]+")


class ForwardForm(PanelForm):
    """Where one's mail goes on to."""

    recipients = forms.CharField(
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
        """What the operation takes; commas, semicolons, spaces and lines divide the addresses."""
        words = _SEPARATORS.split(self.cleaned_data["recipients"])
        return {
            "recipients": tuple(word for word in words if word),
            "keep_copy": self.cleaned_data["keep_copy"],
        }


def forward_values(forward: OwnForward) -> dict[str, Any]:
    """Values that the form begins with: one address per line."""
    return {
        "recipients": "\n".join(map(unicode_domain, forward.recipients)),
        "keep_copy": forward.keeps_copy,
    }
