"""The tab "Administration" of the parameters."""

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.models.domain import MAX_QUOTA_MB
from parameters.forms import AdminParametersForm


class AdministrationParametersForm(AdminParametersForm):
    """Values that a new domain begins with, in MB (0 = no limit)."""

    app = "admin"

    default_domain_quota = forms.IntegerField(
        label=_("Default domain quota"), min_value=0, max_value=MAX_QUOTA_MB, initial=0
    )
    default_mailbox_quota = forms.IntegerField(
        label=_("Default mailbox quota"), min_value=0, max_value=MAX_QUOTA_MB, initial=0
    )
