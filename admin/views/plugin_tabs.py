"""Tabs of plugins beside the forms about accounts and domains, and steps in the wizard of a new domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from admin import signals
from core import plugin_forms
from core.plugin_forms import WizardStep

if TYPE_CHECKING:
    from admin.models import Account, Domain
    from core.form_rendering import Tab
    from core.middleware import AuthedRequest


def of_account(request: AuthedRequest, account: Account) -> list[Tab]:
    """Tabs about an account that no plugin hides."""
    user = request.actor.user
    described = signals.extra_account_forms.listed(Mapping, user=user, account=account)
    shown = [form for form in described if _is_shown(account, form)]
    if not shown:
        return []
    instances = signals.get_account_form_instances.merged(user=user, account=account)
    return plugin_forms.tabs(request, shown, instances)


def _is_shown(account: Account, form: object) -> bool:
    return all(
        answer is not False for answer in signals.check_extra_account_form.answers(account=account, form=form)
    )


def of_domain(request: AuthedRequest, domain: Domain) -> list[Tab]:
    """Tabs about a domain."""
    user = request.actor.user
    described = signals.extra_domain_forms.listed(Mapping, user=user, domain=domain)
    if not described:
        return []
    return plugin_forms.tabs(
        request, described, signals.get_domain_form_instances.merged(user=user, domain=domain)
    )


def of_new_domain(request: AuthedRequest) -> list[Tab]:
    """Steps of the wizard."""
    steps = signals.extra_domain_wizard_steps.listed(WizardStep)
    return plugin_forms.tabs(request, [step.description() for step in steps], {})
