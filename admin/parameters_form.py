"""The tab "Administration" of the parameters."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from admin.mail_networks import NotANetwork, networks, written
from admin.models.domain import MAX_QUOTA_MB
from core.form_rendering import UnitInput
from parameters.forms import AdminParametersForm, SeparatorField

_MAX_NETWORKS = 500
_MOST_TRASH_DAYS = 3650


class AdministrationParametersForm(AdminParametersForm):
    """Checks of the DNS, what happens to mail homes and accounts, and values that a new domain begins with."""

    app = "admin"

    sep_dns = SeparatorField(label=_("DNS"))
    enable_mx_checks = forms.BooleanField(
        label=_("Enable MX checks"),
        help_text=_("Look whether the mail of every domain comes to a mail server."),
        required=False,
        initial=True,
    )
    valid_mxs = forms.CharField(
        label=_("Valid MXs"),
        help_text=_(
            "Addresses and networks of your mail servers, IPv4 or IPv6, one per line. When there are any, at least one "
            "MX host of a domain must be among them."
        ),
        required=False,
        initial="",
        max_length=25_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    domains_must_have_authorized_mx = forms.BooleanField(
        label=_("New domains must use authorized MX"),
        help_text=_(
            "Add a domain only when its mail comes to one of the valid MXs already. Super administrators are free to "
            "add any."
        ),
        required=False,
        initial=False,
    )
    enable_dnsbl_checks = forms.BooleanField(
        label=_("Enable DNSBL checks"),
        help_text=_("Look whether the mail servers of a domain are on block lists."),
        required=False,
        initial=True,
    )

    sep_mailboxes = SeparatorField(label=_("Mailboxes"))
    handle_mailboxes = forms.BooleanField(
        label=_("Handle mailboxes on filesystem"),
        help_text=_(
            "When a mailbox is renamed or deleted here, its directory follows. The command handle_mailbox_operations "
            "must be run every minute by the owner of the mailboxes."
        ),
        required=False,
        initial=False,
    )
    mailboxes_owner = forms.CharField(
        label=_("Mailboxes owner"),
        help_text=_("System user who owns the mail directories; the command refuses to run as anybody else."),
        max_length=32,
        initial="vmail",
        validators=[RegexValidator(r"^[A-Za-z_][A-Za-z0-9_.-]*\$?$", _("This is no name of a system user."))],
    )
    mailbox_trash_days = forms.IntegerField(
        label=_("Days in the trash"),
        help_text=_("How long the directory of a deleted mailbox can be restored before it is purged."),
        widget=UnitInput(_("days")),
        min_value=0,
        max_value=_MOST_TRASH_DAYS,
        initial=7,
    )
    auto_account_removal = forms.BooleanField(
        label=_("Automatic account removal"),
        help_text=_("When a domain is deleted, delete the accounts of its mailboxes, too."),
        required=False,
        initial=False,
    )
    auto_create_domain_and_mailbox = forms.BooleanField(
        label=_("Automatic domain/mailbox creation"),
        help_text=_(
            "Give a mailbox to somebody who signs in for the first time with a password kept elsewhere."
        ),
        required=False,
        initial=True,
    )

    sep_quotas = SeparatorField(label=_("Quotas of new domains"))
    default_domain_quota = forms.IntegerField(
        label=_("Default domain quota"),
        help_text=_("What all mailboxes of a new domain have together; 0 means no limit."),
        widget=UnitInput(_("MB")),
        min_value=0,
        max_value=MAX_QUOTA_MB,
        initial=0,
    )
    default_mailbox_quota = forms.IntegerField(
        label=_("Default mailbox quota"),
        help_text=_("What a new domain gives each of its mailboxes; 0 means no limit."),
        widget=UnitInput(_("MB")),
        min_value=0,
        max_value=MAX_QUOTA_MB,
        initial=0,
    )
    visibility_rules = {
        "valid_mxs": "enable_mx_checks=True",
        "domains_must_have_authorized_mx": "enable_mx_checks=True",
        "mailboxes_owner": "handle_mailboxes=True",
        "mailbox_trash_days": "handle_mailboxes=True",
    }

    def clean_valid_mxs(self) -> str:
        """One network per line, each once."""
        try:
            listed = networks(self.cleaned_data["valid_mxs"])
        except NotANetwork as wrong:
            raise _not_a_network(wrong) from None
        if len(listed) > _MAX_NETWORKS:
            message = _("At most %(limit)d addresses and networks are taken; join neighbours to networks.")
            raise forms.ValidationError(message, code="too_many", params={"limit": _MAX_NETWORKS})
        return "\n".join(map(written, listed))

    def clean(self) -> dict[str, Any]:
        """Nobody could add a domain when no MX were valid."""
        cleaned = super().clean() or self.cleaned_data
        needs_networks = cleaned.get("enable_mx_checks") and cleaned.get("domains_must_have_authorized_mx")
        if needs_networks and cleaned.get("valid_mxs") == "":
            message = _("Enter the addresses of your mail servers: new domains must use one of them.")
            self.add_error("valid_mxs", forms.ValidationError(message, code="valid_mxs_needed"))
        return cleaned


def _not_a_network(wrong: NotANetwork) -> forms.ValidationError:
    shown = {"word": wrong.word[:60], "meant": wrong.meant}
    if wrong.meant is None:
        message = _(
            "“%(word)s” is neither an IP address nor a network such as 192.0.2.0/24 or 2001:db8::/32."
        )
        return forms.ValidationError(message, code="not_a_network", params=shown)
    message = _(
        "“%(word)s” is an address inside a network. Enter the network, %(meant)s, or the address alone."
    )
    return forms.ValidationError(message, code="address_in_network", params=shown)
