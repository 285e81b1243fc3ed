"""Forms about domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from admin.forms import resources
from admin.forms.controls import QuotaField, UseAwareForm, WordListField
from admin.models import Domain
from admin.operations import DomainSetup, DomainSpec, FirstAdministrator
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
from core.presentation import MIB, size_text, unicode_domain

if TYPE_CHECKING:
    from admin.queries.resources import Allotment

_QUOTA_HELP: Final = _("For example 500 MB or 20 GB; a number alone means MB. Blank or 0: no limit.")


class DomainForm(PanelForm):
    """What creation and change have in common."""

    halves: ClassVar[frozenset[str]] = frozenset({"quota", "default_mailbox_quota"}) | resources.HALVES
    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Domain aliases"), "signpost-split", ("aliases",)),
    )

    quota = QuotaField(label=_("Quota of the domain"), required=False, help_text=_QUOTA_HELP)
    default_mailbox_quota = QuotaField(
        label=_("Quota of new mailboxes"),
        required=False,
        help_text=_("What a mailbox gets that has no value of its own."),
    )
    enabled = forms.BooleanField(
        label=_("Enabled"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Off: mail is refused, and no mail program signs in."),
    )
    enable_dns_checks = forms.BooleanField(
        label=_("DNS checks"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Look regularly whether mail for the domain comes here."),
    )
    aliases = WordListField(
        label=_("Domain aliases"),
        required=False,
        widget=ValueListWidget(item=_("Domain alias"), add=_("Add a domain alias")),
        help_text=_("Further names of the domain: anybody@alias is anybody@domain."),
    )

    def __init__(self, *args: Any, allotments: Sequence[Allotment] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        resources.add_limits(self, allotments)

    def clean(self) -> dict[str, Any]:
        """A limit is a number."""
        resources.refuse_blanks(self)
        return self.cleaned_data

    def domain_fields(self) -> dict[str, Any]:
        """Fields of a :class:`DomainSpec`, with the limits that were entered."""
        given = self.cleaned_data
        limits = resources.given_limits(self, self.fields)
        return {resources.FIELDS[kind]: limit for kind, limit in limits.items()} | {
            "name": given["name"],
            "quota": given["quota"] or 0,
            "default_mailbox_quota": given["default_mailbox_quota"] or 0,
            "enabled": given["enabled"],
            "enable_dns_checks": given["enable_dns_checks"],
            "aliases": tuple(given["aliases"]),
        }


class DomainUpdateForm(UseAwareForm, DomainForm):
    """What can be changed of a domain."""

    shown_when: ClassVar[Mapping[str, str]] = {"keep_old_name": "name!="}
    field_order = ("name", "keep_old_name", "quota", "default_mailbox_quota", "confirm_below_usage")
    sections: ClassVar[tuple[Section, ...]] = (Section("", "", ()), resources.OF_DOMAIN)

    # The operation refuses a blank; a request without the field leaves the name alone.
    name = forms.CharField(
        label=_("Name"),
        required=False,
        widget=forms.TextInput(VERBATIM),
        help_text=_(
            "Another name renames the domain: the addresses in it, its people's sign-in and its aliases follow."
        ),
    )
    keep_old_name = forms.BooleanField(
        label=_("Keep the old name as an alias"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Only when the name changes: mail to the old one goes on to arrive."),
    )

    def __init__(self, *args: Any, allocated: int, draws_on_pool: bool, **kwargs: Any) -> None:
        """*allocated*: MB that the mailboxes have together; *draws_on_pool*: for this actor the owner is limited."""
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.is_required = True
        if allocated:
            words = _allocation_words(allocated, self.initial["quota"], draws_on_pool=draws_on_pool)
            self.fields["quota"].help_text = words

    def values(self) -> dict[str, Any]:
        """What the operation takes: only what was changed here, so that nothing of others is overwritten."""
        values = {name: value for name, value in self.domain_fields().items() if self.changes(name)}
        if "name" in values:
            values["keep_old_name"] = self.cleaned_data["keep_old_name"]
        return values | self.confirmed


def _allocation_words(allocated: int, quota: int, *, draws_on_pool: bool) -> str:
    """Less than what was given out is accepted, except out of a pool; somebody should know what that means."""
    if draws_on_pool:
        words = _("Its mailboxes have %(given)s together. The domain cannot be given less than they have.")
        if 0 < quota < allocated:
            words = _(
                "Its mailboxes have %(given)s together, more than its %(quota)s. None of them gets more."
            )
    elif 0 < quota < allocated:
        words = _(
            "Its mailboxes have %(given)s together, more than its %(quota)s: they keep theirs, and none gets more. "
            "0: no limit."
        )
    else:
        words = _(
            "Its mailboxes have %(given)s together. With less, they keep theirs, and none gets more. 0: no limit."
        )
    return str(words % {"given": size_text(allocated * MIB), "quota": size_text(quota * MIB)})


class DomainCreateForm(DomainForm):
    """A new domain, then who looks after it."""

    steps: ClassVar[bool] = True
    sections: ClassVar[tuple[Section, ...]] = (
        Section(
            "general",
            _("General"),
            ("name", "quota", "default_mailbox_quota", "enabled", "enable_dns_checks"),
        ),
        Section(
            "options",
            _("Administrator"),
            (
                "with_administrator",
                "administrator",
                "administrator_password_mode",
                "administrator_password",
                "with_mailbox",
                "with_postmaster",
            ),
        ),
        resources.OF_DOMAIN,
    )
    shown_when: ClassVar[Mapping[str, str]] = {
        "administrator": "with_administrator=yes",
        "administrator_password_mode": "with_administrator=yes",
        "administrator_password": "administrator_password_mode=type",
        "with_mailbox": "with_administrator=yes",
        "with_postmaster": "with_mailbox=on",
    }

    name = forms.CharField(
        label=_("Name"),
        help_text=_("For example example.com; names in other scripts are welcome."),
        widget=forms.TextInput(VERBATIM | {"autofocus": True}),
    )
    with_administrator = forms.ChoiceField(
        label=_("Administrator of its own"),
        required=False,
        initial="no",
        choices=(("no", _("None")), ("yes", _("Create one"))),
        widget=SegmentedSelect,
        help_text=_("Without one, you look after the domain; others can be added later."),
    )
    administrator = forms.CharField(
        label=_("Name before the “@”"),
        required=False,
        initial="admin",
        widget=forms.TextInput(VERBATIM),
        help_text=_("The account admin@domain administers this domain, and nothing else."),
    )
    administrator_password_mode = forms.ChoiceField(
        label=_("Password of the administrator"), required=False, initial="generate", widget=SegmentedSelect
    )
    # Spaces are part of a password.
    administrator_password = forms.CharField(
        label=_("New password"), required=False, strip=False, widget=PasswordBox(new=True)
    )
    with_mailbox = forms.BooleanField(label=_("With a mailbox"), required=False, initial=True, widget=Switch)
    with_postmaster = forms.BooleanField(
        label=_("Postmaster alias"),
        required=False,
        initial=True,
        widget=Switch,
        help_text=_("Mail to postmaster@domain, which every domain has to receive, reaches this mailbox."),
    )

    def __init__(self, *args: Any, default_password: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default_password = default_password
        choices = [("generate", _("Generate")), ("type", _("Type one"))]
        if default_password:
            choices.append(("default", _("Default password")))
        mode = self.fields["administrator_password_mode"]
        mode.choices = choices  # type: ignore[attr-defined]  # a ChoiceField
        mode.help_text = _("A generated one is shown once, with the mail settings to hand over.")

    def setup(self) -> DomainSetup:
        """What the operation takes."""
        given = self.cleaned_data
        domain = DomainSpec(**self.domain_fields())
        if given["with_administrator"] != "yes":
            return DomainSetup(domain=domain)
        passwords = {"type": given["administrator_password"], "default": self.default_password}
        administrator = FirstAdministrator(
            local_part=given["administrator"],
            password=passwords.get(given["administrator_password_mode"]),
            with_mailbox=given["with_mailbox"],
            with_postmaster=given["with_postmaster"],
        )
        return DomainSetup(domain=domain, administrator=administrator)


class AdministratorForm(PanelForm):
    """Who shall look after a domain; whether somebody can is the operation's to say."""

    username = forms.CharField(
        label=_("User name"),
        help_text=_("A domain administrator or reseller whom you administer, too."),
        widget=forms.TextInput(
            VERBATIM | {"autofocus": True, "data-suggest": reverse_lazy("admin:administrator_names")}
        ),
    )


def domain_values(domain: Domain, aliases: list[str]) -> dict[str, Any]:
    """Values that the form begins with."""
    return {
        "name": unicode_domain(domain.name),
        "quota": domain.quota,
        "default_mailbox_quota": domain.default_mailbox_quota,
        "enabled": domain.enabled,
        "enable_dns_checks": domain.enable_dns_checks,
        "aliases": aliases,
    }
