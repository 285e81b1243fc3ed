"""The tab "Limits" of the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _

from core.form_rendering import UnitInput
from limits.kinds import MAX_LIMIT, OF_DOMAINS, Kind
from parameters.forms import AdminParametersForm, SeparatorField

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


def _limit(label: _StrOrPromise, *, kind: Kind) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=kind.unlimited,
        max_value=MAX_LIMIT,
        initial=0,
        help_text=_("0 means no limit.") if kind is Kind.QUOTA else _("-1 means no limit, 0 nothing."),
        widget=UnitInput(_("MB")) if kind is Kind.QUOTA else None,
    )


class LimitsParametersForm(AdminParametersForm):
    """Whether there are limits, and what new administrators and domains begin with."""

    app = "limits"

    sep_admins = SeparatorField(label=_("Administrators"))
    enable_admin_limits = forms.BooleanField(
        label=_("Limits of administrators"),
        help_text=_("Resellers and domain administrators create no more than their limits allow."),
        required=False,
        initial=True,
    )
    deflt_user_domains_limit = _limit(_("Domains of a new reseller"), kind=Kind.DOMAINS)
    deflt_user_domain_aliases_limit = _limit(_("Domain aliases of a new reseller"), kind=Kind.DOMAIN_ALIASES)
    deflt_user_domain_admins_limit = _limit(
        _("Domain administrators of a new reseller"), kind=Kind.DOMAIN_ADMINS
    )
    deflt_user_mailboxes_limit = _limit(_("Mailboxes of a new administrator"), kind=Kind.MAILBOXES)
    deflt_user_mailbox_aliases_limit = _limit(_("Aliases of a new administrator"), kind=Kind.MAILBOX_ALIASES)
    deflt_user_quota_limit = _limit(_("Quota of a new reseller"), kind=Kind.QUOTA)

    sep_domains = SeparatorField(label=_("Domains"))
    enable_domain_limits = forms.BooleanField(
        label=_("Limits of domains"),
        help_text=_("A domain holds no more than its limits allow, whoever adds to it."),
        required=False,
        initial=False,
    )
    deflt_domain_domain_aliases_limit = _limit(_("Domain aliases of a new domain"), kind=Kind.DOMAIN_ALIASES)
    deflt_domain_mailboxes_limit = _limit(_("Mailboxes in a new domain"), kind=Kind.MAILBOXES)
    deflt_domain_mailbox_aliases_limit = _limit(_("Aliases in a new domain"), kind=Kind.MAILBOX_ALIASES)
    deflt_domain_domain_admins_limit = _limit(_("Administrators of a new domain"), kind=Kind.DOMAIN_ADMINS)

    visibility_rules = {
        **{f"deflt_user_{kind}_limit": "enable_admin_limits=True" for kind in Kind},
        **{f"deflt_domain_{kind}_limit": "enable_domain_limits=True" for kind in OF_DOMAINS},
    }
