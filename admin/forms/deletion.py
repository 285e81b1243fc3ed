"""The form in front of every deletion."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.presentation import unicode_domain


class DeletionForm(forms.Form):
    """Asks for the name of what is to be deleted, in either spelling of its domain."""

    confirmation = forms.CharField(label=_("Name"), required=False)

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name

    def clean_confirmation(self) -> str:
        """The typed name, when it is the right one."""
        typed: str = self.cleaned_data["confirmation"].strip()
        if typed.lower() not in {self.name.lower(), unicode_domain(self.name).lower()}:
            message = _("This is not the name. Type “%(name)s” to confirm.")
            raise forms.ValidationError(
                message, code="not_confirmed", params={"name": unicode_domain(self.name)}
            )
        return typed
