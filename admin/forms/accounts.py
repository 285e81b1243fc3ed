"""Forms about accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from admin.forms.controls import QuotaField, WordListField, address_field, names_field
from admin.models import Account, Mailbox
from admin.operations import MailboxSpec
from core.form_rendering import FieldGroup, PanelForm, PasswordBox, SegmentedSelect, Switch, ValueListWidget
from core.presentation import unicode_domain
from core.roles import Role

_ADMINISTERING: Final = " ".join(role.value for role in Role if role.administers)
_WITHOUT_MAILBOX: Final = " ".join(role.value for role in Role if role is not Role.SIMPLE_USER)


class _AccountForm(PanelForm):
    """What creation and change have in common. Fields that the actor may not set are taken out."""

    halves: ClassVar[frozenset[str]] = frozenset({"first_name", "last_name"})
    shown_when: ClassVar[Mapping[str, str]] = {
        "username": f"role={_WITHOUT_MAILBOX}",
        "administers": f"role={_ADMINISTERING}",
        "password": "password_mode=type",
        "quota": "quota_mode=own",
    }
    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Sender addresses"), "at", ("sender_addresses",)),
        FieldGroup(_("Language and contact"), "translate", ("language", "secondary_email", "phone_number")),
    )

    first_name = forms.CharField(label=_("First name"), required=False)
    last_name = forms.CharField(label=_("Last name"), required=False)
    # The menu offers what the actor may give; every role is a valid value, and the operation decides.
    role = forms.TypedChoiceField(
        label=_("Role"), choices=Role.choices, coerce=Role, initial=Role.SIMPLE_USER, widget=SegmentedSelect
    )
    username = forms.CharField(
        label=_("User name"),
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text=_("For an administrator without a mailbox; otherwise the address is the user name."),
    )
    administers = forms.Field()
    password_mode = forms.ChoiceField(label=_("Password"), required=False, widget=SegmentedSelect)
    # Spaces are part of a password.
    password = forms.CharField(
        label=_("New password"), required=False, strip=False, widget=PasswordBox(new=True)
    )
    quota_mode = forms.ChoiceField(
        label=_("Quota"),
        required=False,
        initial="domain",
        choices=(("domain", _("The domain's value")), ("own", _("Its own"))),
        widget=SegmentedSelect,
    )
    quota = QuotaField(
        label=_("Quota of the mailbox"),
        required=False,
        help_text=_("For example 500 MB or 2 GB; a number alone means MB, and 0 means no limit."),
    )
    is_active = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Off: no sign-in, and mail is refused."),
    )
    sender_addresses = WordListField(
        label=_("May also send as"),
        required=False,
        widget=ValueListWidget(item=_("Sender address"), add=_("Add a sender address")),
        help_text=_("Addresses, or @example.com for all of a domain."),
    )
    # Text, so that a language that we do not speak is refused by the operation.
    language = forms.CharField(
        label=_("Language"),
        required=False,
        widget=forms.Select(choices=[("", _("As the browser asks")), *settings.LANGUAGES]),
    )
    secondary_email = forms.CharField(
        label=_("Secondary address"), required=False, widget=forms.EmailInput({"autocomplete": "off"})
    )
    phone_number = forms.CharField(
        label=_("Phone number"),
        required=False,
        widget=forms.TextInput({"type": "tel", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, roles: Sequence[Role], domains: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["administers"] = names_field(
            domains, map(unicode_domain, domains), label=_("Administers"), required=False
        )
        offered = [(role.value, role.label) for role in roles]
        if len(offered) > 1:
            self.fields["role"].widget.choices = offered
        else:
            self._drop("role", "username", "administers")

    def _drop(self, *names: str) -> None:
        for name in names:
            self.fields.pop(name, None)

    def clean(self) -> dict[str, Any]:
        """A field that the other choices rule out does not count, whatever stands in it."""
        given = self.cleaned_data
        for name, rule in self.shown_when.items():
            other, _equals, values = rule.partition("=")
            if name in self.fields and str(given.get(other) or "") not in values.split():
                self.errors.pop(name, None)
                given[name] = None
        if "quota" in self.fields and given.get("quota_mode") == "own" and given.get("quota", 0) is None:
            message = _("Enter the quota of this mailbox; 0 means no limit.")
            self.add_error("quota", forms.ValidationError(message, code="required"))
        return given

    def _role(self) -> Role | None:
        """The chosen role; None where there was nothing to choose."""
        return self.cleaned_data.get("role")

    def _profile(self) -> dict[str, Any]:
        names = ("first_name", "last_name", "is_active", "language", "secondary_email", "phone_number")
        return {name: self.cleaned_data[name] for name in names if name in self.fields}


class AccountCreateForm(_AccountForm):
    """A new account."""

    field_order = ("address",)

    address = forms.Field()

    def __init__(self, *args: Any, roles: Sequence[Role], domains: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, roles=roles, domains=domains, **kwargs)
        self.only_role = roles[0] if len(roles) == 1 else None
        self.fields["address"] = address_field(
            domains,
            required=self.only_role is not None,
            label=_("Address"),
            help_text="" if self.only_role else _("Blank for an administrator without a mailbox."),
        )
        mode = self.fields["password_mode"]
        mode.choices = (("generate", _("Generate")), ("type", _("Type one")))  # type: ignore[attr-defined]  # a ChoiceField
        mode.initial = "generate"
        mode.help_text = _("A generated one is shown once, with the mail settings to hand over.")

    def clean(self) -> dict[str, Any]:
        """A simple user without an address is a blank that was forgotten."""
        given = super().clean()
        if self._role() is Role.SIMPLE_USER and given.get("address") == "":
            message = _("A simple user needs a mailbox. Enter its address.")
            self.add_error("address", forms.ValidationError(message, code="required"))
        return given

    @property
    def beside(self) -> dict[str, str]:
        """An address that is also the user name: what is wrong with the name stands beside the address."""
        values = self.values()
        return (
            {} if values["mailbox"] is None or self.cleaned_data.get("username") else {"username": "address"}
        )

    def values(self) -> dict[str, Any]:
        """What the operation takes."""
        given = self.cleaned_data
        role, mode = self._role() or self.only_role, given["password_mode"]
        address = given["address"]
        mailbox = MailboxSpec(
            address=address, quota=given["quota"], sender_addresses=tuple(given["sender_addresses"])
        )
        return self._profile() | {
            "role": role,
            "username": given.get("username") or address,
            "password": (given["password"] or "") if mode == "type" else None,
            "mailbox": mailbox if address else None,
            "administers": tuple(given.get("administers") or ()),
        }

    def clean_address(self) -> str:
        """A domain without anything before it is no address: only the menu was not touched."""
        address: str = self.cleaned_data["address"]
        return "" if address.startswith("@") else address


class AccountUpdateForm(_AccountForm):
    """What can be changed of an account; *mailbox* is None when it has none, *own* when it is the actor's."""

    def __init__(
        self,
        *args: Any,
        roles: Sequence[Role],
        domains: Sequence[str],
        mailbox: Mailbox | None,
        own: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, roles=roles, domains=domains, **kwargs)
        self._drop("username")
        if own:
            self._drop("role", "administers", "is_active")
        if mailbox is None:
            self._drop("quota_mode", "quota", "sender_addresses")
        mode = self.fields["password_mode"]
        mode.choices = (("keep", _("Keep")), ("generate", _("Generate")), ("type", _("Type one")))  # type: ignore[attr-defined]  # a ChoiceField
        mode.initial = "keep"

    @property
    def wants_random_password(self) -> bool:
        """The panel is to make a new password."""
        mode: str = self.cleaned_data["password_mode"]
        return mode == "generate"

    def values(self) -> dict[str, Any]:
        """What the operation takes; what has no field here stays as it is."""
        given = self.cleaned_data
        values = self._profile()
        role, mode = self._role(), given["password_mode"]
        if role is not None:
            values["role"] = role
        if mode == "type":
            values["password"] = given["password"] or ""
        if "quota" in self.fields:
            values["quota"] = given["quota"]
            values["sender_addresses"] = tuple(given["sender_addresses"])
        # Only a changed choice is sent: the account may administer domains that the actor does not see.
        wanted = given.get("administers")
        if wanted is not None and set(wanted) != set(self.initial.get("administers", ())):
            values["administers"] = tuple(wanted)
        return values


def account_values(account: Account, mailbox: Mailbox | None, administers: list[str]) -> dict[str, Any]:
    """Values that the form begins with."""
    names = ("first_name", "last_name", "role", "is_active", "language", "secondary_email", "phone_number")
    values: dict[str, Any] = {name: getattr(account, name) for name in names}
    values["administers"] = administers
    if mailbox is not None:
        values["quota_mode"] = "domain" if mailbox.use_domain_quota else "own"
        values["quota"] = mailbox.quota
        values["sender_addresses"] = list(
            mailbox.sender_addresses.order_by("address").values_list("address", flat=True)
        )
    return values
