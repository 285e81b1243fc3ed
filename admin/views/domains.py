"""Screens about domains."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from admin import policies
from admin.forms.deletion import DeletionForm
from admin.forms.domains import DomainCreateForm, DomainUpdateForm, domain_values
from admin.models import Domain
from admin.operations import create_domain, delete_domains, update_domain
from admin.queries import consequences
from admin.queries.domains import domain_list as list_domains
from admin.queries.domains import domain_page
from admin.views.access import only
from admin.views.answers import answer_form, answer_list, answer_page, posted
from core.middleware import AuthedRequest
from core.presentation import unicode_domain
from core.refusals import Refusal
from core.refusing import refuse
from parameters.tools import get_global_parameter


@only(policies.may_see_domains)
@require_safe
def domain_list(request: AuthedRequest) -> HttpResponse:
    """Domains that the actor sees."""
    may_manage = policies.may_manage_domains(request.actor)
    return answer_list(
        request,
        "admin/domain_list.html",
        list_domains(request.actor, request.GET),
        may_create=may_manage,
        may_update=may_manage,
        may_delete=may_manage,
    )


@only(policies.may_see_domains)
@require_safe
def domain_detail(request: AuthedRequest, pk: int) -> HttpResponse:
    """One domain at a glance."""
    domain = get_object_or_404(Domain.objects.visible_to(request.actor).select_related("owner"), pk=pk)
    may_manage = policies.may_manage_domains(request.actor)
    return answer_page(
        request,
        "admin/domain_detail.html",
        domain_page(request.actor, domain),
        may_update=may_manage,
        may_delete=may_manage,
        may_create_account=policies.may_manage_accounts(request.actor),
        may_create_alias=policies.may_manage_aliases(request.actor),
    )


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New domain"."""
    initial = {
        "quota": get_global_parameter("default_domain_quota", "admin"),
        "default_mailbox_quota": get_global_parameter("default_mailbox_quota", "admin"),
    }
    form = DomainCreateForm(posted(request), initial=initial)
    if form.is_valid():
        try:
            domain = create_domain(request.actor, **form.values())
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The domain %(name)s was created.") % _shown(domain))
            if "another" in request.POST:
                return redirect("admin:domain_create")
            return redirect("admin:domain_detail", pk=domain.pk)
    return answer_form(request, "admin/domain_create.html", form)


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_update(request: AuthedRequest, pk: int) -> HttpResponse:
    """Show and accept the form that changes a domain."""
    domain = get_object_or_404(Domain.objects.visible_to(request.actor), pk=pk)
    aliases = list(domain.aliases.order_by("name").values_list("name", flat=True))
    form = DomainUpdateForm(posted(request), initial=domain_values(domain, aliases))
    if form.is_valid():
        try:
            update_domain(request.actor, domain, **form.values())
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The domain %(name)s was changed.") % _shown(domain))
            return redirect("admin:domain_detail", pk=pk)
    return answer_form(request, "admin/domain_update.html", form, domain=domain)


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_delete(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what a deletion takes with it, and delete when the name was typed."""
    domain = get_object_or_404(Domain.objects.visible_to(request.actor), pk=pk)
    form = DeletionForm(posted(request), name=domain.name)
    if form.is_valid():
        try:
            delete_domains(request.actor, [domain])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The domain %(name)s was deleted.") % _shown(domain))
            return redirect("admin:domain_list")
    sentences = consequences.of_domain(domain)
    return answer_form(
        request, "admin/domain_delete.html", form, domain=domain, consequences=sentences, may_update=True
    )


def _shown(domain: Domain) -> dict[str, str]:
    return {"name": unicode_domain(domain.name)}
