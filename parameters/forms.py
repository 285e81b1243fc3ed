"""Base classes with which an app declares its parameters: one form for one app and level."""

from typing import ClassVar

from django import forms


class AdminParametersForm(forms.Form):
    """Site-wide parameters of one app. The name of a field is the name of the parameter, its ``initial`` the default.

    ``visibility_rules`` maps a field to ``"other_field=value"``: it is shown only while that holds.
    """

    app: ClassVar[str]
    visibility_rules: ClassVar[dict[str, str]] = {}


class UserParametersForm(forms.Form):
    """Parameters that every account chooses for itself."""

    app: ClassVar[str]
    visibility_rules: ClassVar[dict[str, str]] = {}
