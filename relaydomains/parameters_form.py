"""The tab "Relay domains" of the parameters."""

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from parameters.forms import AdminParametersForm


class RelayDomainsParametersForm(AdminParametersForm):
    """Where the panel learns which services Postfix has."""

    app = "relaydomains"

    master_cf_path = forms.CharField(
        label=_("Path of master.cf"),
        help_text=_(
            "The services that hand over the mail of relay domains are read from this file of Postfix."
        ),
        initial="/etc/postfix/master.cf",
        max_length=1_000,
        validators=[
            RegexValidator(r"\A/", _("Enter the whole path, beginning with “/”."), code="not_absolute")
        ],
    )
