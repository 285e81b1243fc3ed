"""Forms about accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from admin.forms import resources
from admin.forms.controls import QuotaField, UseAwareForm, WordListField, address_field, names_field
from admin.models import Account, Mailbox
from admin.operations import MailboxSpec
from core.form_rendering import (
    VERBATIM,
    FieldGroup,
    PanelForm,
    PasswordBox,
    Section,
    SegmentedSelect,
    Switch,
    ValueListWidget,
)
from core.operations.passwords import is_kept_elsewhere
from core.presentation import unicode_domain
from core.roles import Role

if TYPE_CHECKING:
    from admin.queries.resources import Allotment

_ADMINISTERING: Final = " ".join(role.value for role in Role if role.administers)
_WITHOUT_MAILBOX: Final = " ".join(role.value for role in Role if role is not Role.SIMPLE_USER)
_PROFILE: Final = (
    "first_name",
    "last_name",
    "is_active",
    "language",
    "secondary_email",
    "phone_number",
    "master_user",
)


class _AccountForm(PanelForm):
    """What creation and change have in common. Fields that the actor may not set are taken out."""

    halves: ClassVar[frozenset[str]] = frozenset({"first_name", "last_name"}) | resources.HALVES
    shown_when: ClassVar[Mapping[str, str]] = {
        "username": f"role={_WITHOUT_MAILBOX}",
        "administers": f"role={_ADMINISTERING}",
        "master_user": f"role={Role.SUPER_ADMIN.value}",
        "password": "password_mode=type",
        "quota": "quota_mode=own",
        **resources.SHOWN_WHEN,
    }
    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Administers"), "globe2", ("administers",)),
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
        widget=forms.TextInput(VERBATIM),
        help_text=_("For an administrator without a mailbox; otherwise the address is the user name."),
    )
    administers = forms.Field()
    password_mode = forms.ChoiceField(label=_("Password"), required=False, widget=SegmentedSelect)
    # Spaces are part of a password.
    password = forms.CharField(
        label=_("New password"), required=False, strip=False, widget=PasswordBox(new=True)
    )
    is_active = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Off: no sign-in, and mail is refused."),
    )
    master_user = forms.BooleanField(
        label=_("Master user"),
        required=False,
        widget=Switch,
        help_text=_("May open every mailbox, where the mail servers are set up for it."),
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
    aliases = WordListField(
        label=_("Aliases"),
        required=False,
        widget=ValueListWidget(item=_("Alias"), add=_("Add an alias")),
        help_text=_("Further addresses in your domains whose mail reaches this mailbox."),
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

    def __init__(
        self,
        *args: Any,
        roles: Sequence[Role],
        domains: Sequence[str],
        allotments: Sequence[Allotment] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        resources.add_limits(self, allotments)
        self.fields["administers"] = names_field(
            domains,
            map(unicode_domain, domains),
            chosen=len(self.initial.get("administers", ())),
            label=_("Administers"),
            required=False,
        )
        offered = [(role.value, role.label) for role in roles]
        if len(offered) > 1:
            self.fields["role"].widget.choices = offered
        else:
            self._drop("role", "username", "administers")
        if Role.SUPER_ADMIN not in roles:
            self._drop("master_user")

    def _drop(self, *names: str) -> None:
        for name in names:
            self.fields.pop(name, None)

    def clean(self) -> dict[str, Any]:
        """A field that the other choices rule out does not count, whatever stands in it."""
        given = self.cleaned_data
        ruled_out = set()
        for name, rule in self.shown_when.items():
            other, _equals, values = rule.partition("=")
            counts = not values or self._chosen(other) in values.split()
            if name in self.fields and not counts:
                self.errors.pop(name, None)
                given[name] = None
                ruled_out.add(name)
        resources.refuse_blanks(self, ruled_out)
        if "quota" in self.fields and given.get("quota_mode") == "own" and given.get("quota", 0) is None:
            message = _("Enter the quota of this mailbox; 0 means no limit.")
            self.add_error("quota", forms.ValidationError(message, code="required"))
        return given

    def _chosen(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    @property
    def _beside_quota(self) -> dict[str, str]:
        """Who lets the mailbox follow its domain typed no quota."""
        return {} if self._chosen("quota_mode") == "own" else {"quota": "quota_mode"}

    def _profile(self, names: Iterable[str]) -> dict[str, Any]:
        """What the operation takes of the plain fields; a switch that is ruled out is off."""
        given = self.cleaned_data
        return {
            name: bool(given[name]) if isinstance(self.fields[name], forms.BooleanField) else given[name]
            for name in names
            if name in self.fields
        }

    def clean_address(self) -> str:
        """A domain without anything before it is no address: only the menu was not touched."""
        address: str = self.cleaned_data["address"]
        return "" if address.startswith("@") else address


class AccountCreateForm(_AccountForm):
    """A new account: the person, then the mailbox."""

    steps: ClassVar[bool] = True
    sections: ClassVar[tuple[Section, ...]] = (
        Section(
            "general",
            _("General"),
            (
                "address",
                "first_name",
                "last_name",
                "role",
                "username",
                "password_mode",
                "password",
                "is_active",
                "master_user",
            ),
        ),
        Section("mail", _("Mail"), ("quota_mode", "quota", "aliases", "sender_addresses")),
        resources.OF_NEW_ACCOUNT,
    )

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
        if given.get("role") is Role.SIMPLE_USER and given.get("address") == "":
            message = _("A simple user needs a mailbox. Enter its address.")
            self.add_error("address", forms.ValidationError(message, code="required"))
        return given

    @property
    def beside(self) -> dict[str, str]:
        """An address that is also the user name: what is wrong with the name stands beside the address."""
        own_name = self.values()["mailbox"] is None or self.cleaned_data.get("username")
        return self._beside_quota | ({} if own_name else {"username": "address"})

    def values(self) -> dict[str, Any]:
        """What the operation takes."""
        given = self.cleaned_data
        address = given["address"]
        mailbox = MailboxSpec(
            address=address, quota=given["quota"], sender_addresses=tuple(given["sender_addresses"])
        )
        return self._profile(_PROFILE) | {
            "role": given.get("role") or self.only_role,
            "username": given.get("username") or address,
            "password": (given["password"] or "") if self._chosen("password_mode") == "type" else None,
            "mailbox": mailbox if address else None,
            "aliases": tuple(given["aliases"]),
            "administers": tuple(given.get("administers") or ()),
            "limits": resources.given_limits(self, self.fields) or None,
        }


class AccountUpdateForm(UseAwareForm, _AccountForm):
    """What can be changed of an account; *mailbox* is None when it has none, *own* when it is the actor's."""

    together: ClassVar[Mapping[str, str]] = {"quota": "quota_mode"}
    logged_as: ClassVar[Mapping[str, str]] = {
        "address": "email",
        "quota_mode": "quota",
        **dict.fromkeys(resources.FIELDS.values(), "limits"),
    }
    shown_when: ClassVar[Mapping[str, str]] = {**_AccountForm.shown_when, "keep_old_address": "address!="}
    sections: ClassVar[tuple[Section, ...]] = (
        Section(
            "general",
            _("General"),
            (
                "first_name",
                "last_name",
                "role",
                "username",
                "is_active",
                "password_mode",
                "password",
                "master_user",
            ),
        ),
        Section(
            "mail", _("Mail"), ("address", "keep_old_address", "quota_mode", "quota", "confirm_below_usage")
        ),
        resources.OF_ACCOUNT,
    )
    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Aliases and sender addresses"), "at", ("aliases", "sender_addresses")),
        *_AccountForm.more,
    )

    address = forms.Field()
    keep_old_address = forms.BooleanField(
        label=_("Keep the old address as an alias"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Only when the address changes: mail to the old one goes on to arrive."),
    )

    def __init__(
        self,
        *args: Any,
        account: Account,
        roles: Sequence[Role],
        domains: Sequence[str],
        mailbox: Mailbox | None,
        own: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, roles=roles, domains=domains, **kwargs)
        self.present_role = Role(account.role)
        if own or self.present_role not in roles:
            self._drop("role")
        if own:
            self._drop("administers", "is_active")
        if "role" not in self.fields:
            self._drop(*_not_for(self.present_role))
        self._set_up_address(domains, mailbox)
        if "username" in self.fields:
            words = _("The name to sign in with. As long as it is the address, it follows the address.")
            self.fields["username"].help_text = words
        mode = self.fields["password_mode"]
        mode.choices = (("keep", _("Keep")), ("generate", _("Generate")), ("type", _("Type one")))  # type: ignore[attr-defined]  # a ChoiceField
        mode.initial = "keep"
        if own:  # the pages of one's own account ask for the present password
            self._drop("password_mode", "password", "secondary_email")
        elif is_kept_elsewhere(account):
            self._drop("password_mode", "password")

    def _set_up_address(self, domains: Sequence[str], mailbox: Mailbox | None) -> None:
        # The domain of the mailbox may be one that the actor does not see.
        home = [mailbox.domain.name] if mailbox and mailbox.domain.name not in domains else []
        self.fields["address"] = address_field(
            [*domains, *home],
            required=False,
            label=_("Address"),
            help_text=_("Blank: no mailbox. With an address the account gets one.")
            if mailbox is None
            else _("Another address renames the mailbox: its mail, its aliases and its sign-in follow."),
        )
        self.fields["address"].widget.is_required = mailbox is not None  # the operation refuses a blank
        if mailbox is None:
            self._drop("keep_old_address")
        elif not mailbox.domain.enabled and "is_active" in self.fields:
            words = _("The domain %(name)s is disabled: until it is enabled, this has no effect on mail.")
            self.fields["is_active"].help_text = words % {"name": unicode_domain(mailbox.domain.name)}

    def _chosen(self, name: str) -> str:
        if name == "role" and name not in self.fields:
            return self.present_role.value
        return super()._chosen(name)

    @property
    def beside(self) -> dict[str, str]:
        """A user name that follows the address: what is wrong with it stands beside the address."""
        name = {} if self.changes("username") else {"username": "address"}
        return name | self._beside_quota

    @property
    def wants_random_password(self) -> bool:
        """The panel is to make a new password."""
        mode: str = self.cleaned_data.get("password_mode", "keep")
        return mode == "generate"

    def values(self) -> dict[str, Any]:
        """What the operation takes: only what was changed here, so that nothing of others is overwritten."""
        given = self.cleaned_data
        values = self._profile(name for name in (*_PROFILE, "role", "address") if self.changes(name))
        for name in ("aliases", "sender_addresses", "administers"):
            if self.changes(name) and given[name] is not None:
                values[name] = tuple(given[name])
        if self.changes("quota", "quota_mode"):
            values["quota"] = given["quota"]
        if limits := resources.given_limits(self, filter(self.changes, resources.FIELDS.values())):
            values["limits"] = limits
        if self._chosen("password_mode") == "type":
            values["password"] = given["password"] or ""
        return values | self.confirmed | self._names(values)

    def _names(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What goes with another role or address."""
        given = self.cleaned_data
        names: dict[str, Any] = {}
        if "address" in values and "keep_old_address" in self.fields:
            names["keep_old_address"] = given["keep_old_address"]
        if self.changes("username") and given["username"]:
            names["username"] = given["username"]
        elif values.get("role") is Role.SIMPLE_USER and given["address"]:
            names["username"] = given["address"]  # the only name that a simple user may have
        return names


def _not_for(role: Role) -> list[str]:
    """Fields that depend on the role, and do not go with this one."""
    rules = _AccountForm.shown_when.items()
    return [
        name
        for name, rule in rules
        if rule.startswith("role=") and role.value not in rule.partition("=")[2].split()
    ]


def account_values(
    account: Account, mailbox: Mailbox | None, administers: list[str], aliases: list[str]
) -> dict[str, Any]:
    """Values that the form begins with."""
    values: dict[str, Any] = {name: getattr(account, name) for name in (*_PROFILE, "role", "username")}
    values |= {"administers": administers, "aliases": aliases, "address": account.email}
    values |= {"quota_mode": "domain", "quota": None, "sender_addresses": []}
    if mailbox is not None:
        values["sender_addresses"] = list(
            mailbox.sender_addresses.order_by("address").values_list("address", flat=True)
        )
        if not mailbox.use_domain_quota:
            values |= {"quota_mode": "own", "quota": mailbox.quota}
    return values
