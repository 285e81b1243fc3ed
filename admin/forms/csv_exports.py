"""How a file is called that goes to the browser, and what stands between its cells."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from core.form_rendering import VERBATIM, PanelForm
from core.spreadsheets import DEFAULT_SEPARATOR, separator_of


class CsvExportForm(PanelForm):
    """Name and separator, and what is exported: a sealed *selection*, else what the *filter* leaves."""

    halves: ClassVar[frozenset[str]] = frozenset({"filename", "sepchar"})

    filename = forms.CharField(
        label=_("File name"),
        max_length=100,
        validators=[
            RegexValidator(
                r"\A\w[\w ()+.-]*\.csv\Z",
                _("Use letters, digits, spaces, dots, hyphens and underscores, and “.csv” at the end."),
                code="unsafe_name",
            )
        ],
        widget=forms.TextInput(VERBATIM),
    )
    sepchar = forms.CharField(
        label=_("Separator"),
        max_length=2,
        strip=False,
        initial=DEFAULT_SEPARATOR,
        help_text=_("Stands between two cells; \\t means a tab."),
        widget=forms.TextInput(VERBATIM),
    )
    selection = forms.CharField(required=False, widget=forms.HiddenInput)
    filter = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_sepchar(self) -> str:
        """What was meant."""
        try:
            return separator_of(self.cleaned_data["sepchar"])
        except ValueError as error:
            raise forms.ValidationError(str(error), code="no_separator") from error
