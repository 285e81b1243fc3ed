"""Forms of the core."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, ClassVar, Final

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.editing import EditForm
from core.form_rendering import (
    VERBATIM,
    FieldGroup,
    PanelForm,
    PasswordBox,
    Switch,
    ValueListField,
    ValueListWidget,
)
from core.models import Scope, User

_DAYS_END: Final = time(23, 59, 59)
_PROFILE: Final = ("first_name", "last_name", "phone_number", "secondary_email")


class SignInForm(forms.Form):
    """Name and password."""

    username = forms.CharField(
        label=_("User name or address"),
        max_length=320,
        widget=forms.TextInput(VERBATIM | {"autocomplete": "username", "autofocus": True}),
    )
    # Spaces are part of a password.
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    rememberme = forms.BooleanField(label=_("Stay signed in on this device"), required=False)


class AskedField(forms.CharField):
    """``required`` only marks the label: whether a blank is enough is said by the operation."""

    def validate(self, value: object) -> None:
        """Everything goes."""
        del value


class CurrentPasswordField(AskedField):
    """The password that the person has; a blank is refused by the operation like a wrong one."""

    widget = PasswordBox

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)


class ScopesField(forms.MultipleChoiceField):
    """What a token may do. Any text is a valid value: what does not exist, and nothing, is refused by the operation."""

    widget = forms.CheckboxSelectMultiple

    def validate(self, value: object) -> None:
        """Everything goes."""
        del value


class ProfileForm(EditForm):
    """What a person writes about himself."""

    halves: ClassVar[frozenset[str]] = frozenset({"first_name", "last_name"})

    first_name = forms.CharField(
        label=_("First name"), required=False, widget=forms.TextInput({"autocomplete": "given-name"})
    )
    last_name = forms.CharField(
        label=_("Last name"), required=False, widget=forms.TextInput({"autocomplete": "family-name"})
    )
    phone_number = forms.CharField(
        label=_("Phone number"),
        required=False,
        widget=forms.TextInput({"type": "tel", "autocomplete": "tel"}),
    )
    secondary_email = forms.CharField(
        label=_("Secondary address"),
        required=False,
        widget=forms.EmailInput({"autocomplete": "email"}),
        help_text=_("An address elsewhere. When you forget your password, a link for a new one goes there."),
    )
    current_password = CurrentPasswordField(
        label=_("Current password"),
        required=False,
        help_text=_("Only needed for a new secondary address."),
    )

    def values(self) -> dict[str, str]:
        """What the operation takes: only what was changed here, so that nothing of others is overwritten."""
        given = self.cleaned_data
        mine = {name: given[name] for name in _PROFILE if self.changes(name)}
        return mine | {"current_password": given["current_password"]}


def profile_values(account: User) -> dict[str, str]:
    """Values that the form begins with."""
    return {name: getattr(account, name) for name in _PROFILE}


class NewPasswordForm(PanelForm):
    """A new password, twice."""

    # Spaces are part of a password; its length is judged by the operation.
    password = forms.CharField(label=_("New password"), strip=False, widget=PasswordBox(new=True))
    repeated = forms.CharField(
        label=_("New password again"),
        strip=False,
        widget=PasswordBox({"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """What was typed twice must be the same: a slip of the finger would lock the person out."""
        given = self.cleaned_data
        if "password" in given and "repeated" in given and given["password"] != given["repeated"]:
            message = _("The two new passwords differ. Type the same one twice.")
            self.add_error("repeated", forms.ValidationError(message, code="passwords_differ"))
        return given


class PasswordForm(NewPasswordForm):
    """A new password for whoever knows the present one; whether he does is said by the operation."""

    field_order = ("current_password",)

    current_password = CurrentPasswordField(label=_("Current password"))


class ResetRequestForm(forms.Form):
    """Who asks for a new password."""

    username = forms.CharField(
        label=_("User name or address"),
        max_length=320,
        widget=forms.TextInput(VERBATIM | {"autocomplete": "username", "autofocus": True}),
    )


class TokenForm(PanelForm):
    """A new API token."""

    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Domains"), "globe2", ("domains",)),
        FieldGroup(_("Networks"), "diagram-3", ("networks",)),
    )

    name = forms.CharField(
        label=_("Name"),
        help_text=_("What it is for, for example “nightly report”."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scopes = ScopesField(label=_("It may"), choices=Scope.choices)
    expires_on = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Blank: it works until you revoke it."),
    )
    domains = ValueListField(
        label=_("Works only in"),
        required=False,
        widget=ValueListWidget(item=_("Domain"), add=_("Add a domain")),
        help_text=_(
            "Names of your domains. None: everywhere. A token for some domains manages their accounts and aliases, and "
            "reads the rest."
        ),
    )
    networks = ValueListField(
        label=_("Works only from"),
        required=False,
        widget=ValueListWidget(item=_("Network"), add=_("Add a network")),
        help_text=_("Addresses, or networks such as 192.0.2.0/24. None: from everywhere."),
    )
    current_password = CurrentPasswordField(label=_("Current password"))

    def __init__(self, *args: Any, for_domains: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not for_domains:
            del self.fields["domains"]

    def clean_expires_on(self) -> datetime | None:
        """The end of the last day, as an instant that exists in UTC too: the calendar ends on both sides."""
        last_day = self.cleaned_data["expires_on"]
        try:
            return last_day and timezone.make_aware(datetime.combine(last_day, _DAYS_END)).astimezone(UTC)
        except OverflowError as error:
            message = self.fields["expires_on"].error_messages["invalid"]
            raise forms.ValidationError(message, code="invalid") from error

    def values(self) -> dict[str, Any]:
        """What the operation takes."""
        given = dict(self.cleaned_data)
        return given | {"expires_at": given.pop("expires_on")}


class ApiAccessForm(PanelForm):
    """Whether a super administrator uses the API; turning it on asks for the password."""

    enable_api_access = forms.BooleanField(
        label=_("Enable API access"),
        required=False,
        widget=Switch,
        help_text=_("On: you get a token that may do whatever you may. Off: all your tokens are revoked."),
    )
    current_password = CurrentPasswordField(label=_("Current password"))

    def __init__(self, data: QueryDict | None, *, is_on: bool) -> None:
        super().__init__(data, initial={"enable_api_access": is_on})
        if is_on:
            del self.fields["current_password"]
