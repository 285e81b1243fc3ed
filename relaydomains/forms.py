"""Forms about relay domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.forms import resources
from admin.forms.domains import DomainForm
from core.editing import EditForm
from core.form_rendering import VERBATIM, PanelForm, Section, Switch
from core.presentation import unicode_domain
from relaydomains.models import DEFAULT_PORT, HIGHEST_PORT, RelayDomain
from relaydomains.operations import RelayDomainSpec

_TARGET: Final = ("target_host", "target_port", "service", "verify_recipients")
_EVERY_HOST: Final = _("Name, IPv4 or IPv6 address of the mail server that takes the mail.")
_PUBLIC_HOST: Final = _(
    "Name, IPv4 or IPv6 address of the mail server that takes the mail. Only a super administrator can choose one "
    "that is not in the public network."
)


class _ServiceField(forms.ChoiceField):
    """One of the services; what was not offered is refused by the operation, in its words."""

    def valid_value(self, value: object) -> bool:
        """Every text is."""
        del value
        return True


class TargetForm(PanelForm):
    """Where the mail of a domain goes."""

    halves: ClassVar[frozenset[str]] = frozenset({"target_port", "service"})

    target_host = forms.CharField(label=_("Target host"), widget=forms.TextInput(VERBATIM))
    target_port = forms.IntegerField(
        label=_("Port"),
        initial=DEFAULT_PORT,
        widget=forms.NumberInput({"min": 1, "max": HIGHEST_PORT, "autocomplete": "off"}),
    )
    service = _ServiceField(
        label=_("Service"),
        help_text=_("The service of Postfix that hands the mail over; “relay” is the usual one."),
    )
    verify_recipients = forms.BooleanField(
        label=_("Verify recipients"),
        required=False,
        widget=Switch,
        help_text=_("Before mail is taken, Postfix asks the target host whether it knows the recipient."),
    )

    def __init__(
        self, *args: Any, services: Sequence[str], may_reach_every_host: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["service"].choices = [(name, name) for name in services]  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["target_host"].help_text = _EVERY_HOST if may_reach_every_host else _PUBLIC_HOST

    def target(self) -> dict[str, Any]:
        """What every operation about a target takes."""
        return {name: self.cleaned_data[name] for name in _TARGET}


class RelayDomainCreateForm(TargetForm, DomainForm):
    """A new relay domain."""

    steps: ClassVar[bool] = True
    halves: ClassVar[frozenset[str]] = TargetForm.halves | DomainForm.halves
    sections: ClassVar[tuple[Section, ...]] = (
        Section("general", _("General"), ("name", *_TARGET, "enabled", "enable_dns_checks")),
        Section(
            "here",
            _("Mailboxes here"),
            ("quota", "default_mailbox_quota"),
            _(
                "Some people of the domain can have their mailbox on this server; the others have theirs on the target."
            ),
        ),
        resources.OF_DOMAIN,
    )

    name = forms.CharField(
        label=_("Name"),
        help_text=_("For example example.com; names in other scripts are welcome."),
        widget=forms.TextInput(VERBATIM | {"autofocus": True}),
    )

    def spec(self) -> RelayDomainSpec:
        """What the operation takes."""
        return RelayDomainSpec(**self.domain_fields(), **self.target())


class RelayDomainUpdateForm(TargetForm, EditForm):
    """Another target."""

    def values(self) -> dict[str, Any]:
        """What the operation takes: only what was changed here, so that nothing of others is overwritten."""
        return {name: value for name, value in self.target().items() if self.changes(name)}


def relay_values(relay: RelayDomain) -> dict[str, Any]:
    """Values that the form begins with."""
    return {
        "target_host": unicode_domain(relay.target_host),
        "target_port": relay.target_port,
        "service": relay.service.name,
        "verify_recipients": relay.verify_recipients,
    }
