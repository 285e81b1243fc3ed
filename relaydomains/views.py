"""Screens about relay domains; list and page of them are those of domains."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin.forms.deletion import DeletionForm
from admin.models import Domain
from admin.queries.resources import allotments_of_new_domain, before_a_domain
from admin.views.access import only
from admin.views.answers import answer_form, posted, refuse_edit, tell_what_was_kept
from core.editing import edited
from core.middleware import AuthedRequest
from core.presentation import unicode_domain
from core.refusals import Refusal
from core.refusing import refuse
from parameters.tools import get_global_parameter
from relaydomains import policies, queries
from relaydomains.forms import RelayDomainCreateForm, RelayDomainUpdateForm, TargetForm, relay_values
from relaydomains.models import RelayDomain
from relaydomains.operations import (
    RelaySpec,
    Scan,
    create_relay_domains,
    scan_services,
    start_relaying,
    stop_relaying,
    update_relay_domain,
)
from relaydomains.operations.relaying import DEFAULT_SERVICE, recipients_there

_REPORT_SALT: Final = "relaydomains.scan"
_REPORT_AGE_S: Final = 3_600


@only(policies.may_manage_relay_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def relay_domain_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New relay domain"."""
    initial = {
        "quota": get_global_parameter("default_domain_quota", "admin"),
        "default_mailbox_quota": get_global_parameter("default_mailbox_quota", "admin"),
        "service": DEFAULT_SERVICE,
    }
    form = RelayDomainCreateForm(
        posted(request),
        initial=initial,
        services=queries.service_names(request.actor),
        may_reach_every_host=request.actor.is_super,
        allotments=allotments_of_new_domain(),
    )
    if form.is_valid():
        try:
            (relay,) = create_relay_domains(request.actor, [form.spec()])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The relay domain %(name)s was created.") % _shown(relay.domain))
            if "another" in request.POST:
                return redirect("relaydomains:relay_domain_create")
            return redirect("admin:domain_detail", pk=relay.pk)
    standing = before_a_domain(request.actor)
    return answer_form(request, "relaydomains/relay_domain_create.html", form, standing=standing)


@only(policies.may_manage_relay_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def relay_domain_update(request: AuthedRequest, pk: int) -> HttpResponse:
    """Show and accept the form that changes where mail goes."""
    domain = _visible(request, pk)
    form = _update_form(request, pk)
    if form is None:
        return _not_relayed(request, domain)
    if form.is_valid():
        try:
            update_relay_domain(request.actor, domain, **form.values(), seen=form.edited.seen)
        except Refusal as refusal:
            form = _update_form(request, pk)  # perhaps it changed a moment ago: look at it again
            if form is None:
                return _not_relayed(request, domain)
            refuse_edit(request, form, refusal)
        else:
            messages.success(request, _("The target of %(name)s was changed.") % _shown(domain))
            tell_what_was_kept(request, form)
            return redirect("admin:domain_detail", pk=pk)
    return answer_form(request, "relaydomains/relay_domain_update.html", form, domain=domain)


@only(policies.may_manage_relay_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def relay_domain_start(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what relaying means for a domain, and show and accept the form for its target."""
    domain = _visible(request, pk)
    form = TargetForm(
        posted(request),
        initial={"service": DEFAULT_SERVICE},
        services=queries.service_names(request.actor),
        may_reach_every_host=request.actor.is_super,
    )
    if form.is_valid():
        try:
            start_relaying(request.actor, [RelaySpec(domain=domain, **form.target())])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The mail of %(name)s is relayed now.") % _shown(domain))
            return redirect("admin:domain_detail", pk=pk)
    consequences = queries.of_starting(domain)
    return answer_form(
        request, "relaydomains/relay_domain_start.html", form, domain=domain, consequences=consequences
    )


@only(policies.may_manage_relay_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def relay_domain_stop(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what comes of the mail, and stop relaying it when the name was typed."""
    domain = _visible(request, pk)
    relay = _relay(request, pk)
    if relay is None:
        return _not_relayed(request, domain)
    form = DeletionForm(posted(request), name=domain.name)
    leading: list[queries.Leading] = []
    if form.is_valid():
        try:
            stop_relaying(request.actor, [domain])
        except Refusal as refusal:
            refuse(form, refusal)
            if any(reason.code == "recipients_there" for reason in refusal.reasons):
                leading = queries.leading(recipients_there(request.actor, domain))
        else:
            messages.success(request, _("The mail of %(name)s is not relayed any more.") % _shown(domain))
            return redirect("admin:domain_detail", pk=pk)
    consequences, kept = queries.of_stopping(relay)
    return answer_form(
        request,
        "relaydomains/relay_domain_stop.html",
        form,
        domain=domain,
        consequences=consequences,
        kept=kept,
        leading=leading,
    )


# --- services --------------------------------------------------------------------------------------------------


@only(policies.may_scan_services)
@require_safe
def service_list(request: AuthedRequest) -> HttpResponse:
    """Services of Postfix, and after a scan what came of it."""
    report = _report(request.GET.get("scan", ""))
    return _answer_services(request, forms.Form(), report)


@only(policies.may_scan_services)
@require_POST
def service_scan(request: AuthedRequest) -> HttpResponse:
    """Read anew which services Postfix has."""
    form = forms.Form(request.POST)
    try:
        scan = scan_services(request.actor)
    except Refusal as refusal:
        refuse(form, refusal)
        return _answer_services(request, form, None)
    report = urlencode({"scan": signing.dumps(asdict(scan), salt=_REPORT_SALT, compress=True)})
    return redirect(f"{reverse('relaydomains:service_list')}?{report}")


def _answer_services(request: AuthedRequest, form: forms.Form, report: Scan | None) -> HttpResponse:
    return answer_form(
        request,
        "relaydomains/service_list.html",
        form,
        report=report,
        services=queries.services(request.actor),
        path=get_global_parameter("master_cf_path", "relaydomains"),
    )


def _report(sealed: str) -> Scan | None:
    """The report that a scan put into the address; None for what is not ours, or of long ago."""
    try:
        values = signing.loads(sealed, salt=_REPORT_SALT, max_age=_REPORT_AGE_S)
    except signing.BadSignature:
        return None
    return Scan(**{heap: tuple(names) for heap, names in values.items()})


# --- parts -----------------------------------------------------------------------------------------------------


def _visible(request: AuthedRequest, pk: int) -> Domain:
    return get_object_or_404(Domain.objects.visible_to(request.actor), pk=pk)


def _relay(request: AuthedRequest, pk: int) -> RelayDomain | None:
    """Of a domain, None when it is not relayed (any more)."""
    visible = RelayDomain.objects.visible_to(request.actor)
    return visible.filter(pk=pk).select_related("domain", "service").first()


def _update_form(request: AuthedRequest, pk: int) -> RelayDomainUpdateForm | None:
    """None when the domain is not relayed (any more)."""
    what = edited("relaydomain", pk)  # before the values: what happens in between is refused by the operation
    relay = _relay(request, pk)
    if relay is None:
        return None
    return RelayDomainUpdateForm(
        posted(request),
        initial=relay_values(relay),
        edited=what,
        services=queries.service_names(request.actor),
        may_reach_every_host=request.actor.is_super,
    )


def _not_relayed(request: AuthedRequest, domain: Domain) -> HttpResponse:
    messages.warning(request, _("The mail of %(name)s is not relayed.") % _shown(domain))
    return redirect("admin:domain_detail", pk=domain.pk)


def _shown(domain: Domain) -> dict[str, str]:
    return {"name": unicode_domain(domain.name)}
