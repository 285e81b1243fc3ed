"""The form "Preferences": the language, and what apps let everybody choose."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.form_rendering import PanelForm
from core.forms import AskedField


class PreferencesForm(PanelForm):
    """The language."""

    # Text, so that a language that we do not speak is refused by the operation.
    language = AskedField(
        label=_("Language"),
        widget=forms.Select(choices=[("", _("As the browser asks")), *settings.LANGUAGES]),
    )

    def values(self) -> dict[str, Any]:
        """What the operation takes."""
        return self.cleaned_data
