"""The form in front of every deletion."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.presentation import unicode_domain


class DeletionForm(forms.Form):
    """Asks for the name of what is to be deleted, in either spelling of its domain."""

    confirmation = forms.CharField(label=_("Name"), required=False)
    keep_directories = forms.BooleanField(
        label=_("Keep the mail directories"),
        required=False,
        help_text=_("The mail stays on disk where it is; otherwise it goes to the trash."),
    )

    def __init__(self, *args: Any, name: str, has_directories: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        if not has_directories:
            del self.fields["keep_directories"]

    @property
    def keeps_directories(self) -> bool:
        """Whether mail stays on disk."""
        return bool(self.cleaned_data.get("keep_directories"))

    def clean_confirmation(self) -> str:
        """The typed name, when it is the right one."""
        typed: str = self.cleaned_data["confirmation"].strip()
        if typed.lower() not in {self.name.lower(), unicode_domain(self.name).lower()}:
            message = _("This is not the name. Type “%(name)s” to confirm.")
            raise forms.ValidationError(
                message, code="not_confirmed", params={"name": unicode_domain(self.name)}
            )
        return typed
