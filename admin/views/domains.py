"""Screens about domains."""

from __future__ import annotations

from functools import partial

from django import forms
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from admin import domain_features, policies
from admin.allocation import allocated, limited_owners
from admin.bulk_changes import TO_THINGS
from admin.forms.deletion import DeletionForm
from admin.forms.domains import AdministratorForm, DomainCreateForm, DomainUpdateForm, domain_values
from admin.models import Account, Domain
from admin.operations import (
    Appointment,
    DomainChange,
    add_administrators,
    delete_domains,
    remove_administrators,
    set_up_domains,
    update_domains,
)
from admin.operations.homes import panel_moves_directories
from admin.queries import consequences
from admin.queries.domains import domain_list as list_domains
from admin.queries.domains import domain_page
from admin.queries.resources import (
    allotments_in,
    allotments_of_new_domain,
    before_a_domain,
    limited_resources_of,
)
from admin.queries.suggestions import suggested_administrators, suggested_domains
from admin.signals import extra_domain_menu_entries
from admin.views import plugin_tabs
from admin.views.access import only
from admin.views.answers import (
    answer_form,
    answer_list,
    answer_page,
    content_of_plugins,
    posted,
    refuse_edit,
    tell_what_was_kept,
)
from admin.views.handing_over import hand_over
from core import plugin_forms
from core.editing import edited
from core.middleware import AuthedRequest
from core.parts import menu_items
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
        bulk_verbs=TO_THINGS,
        resources=partial(limited_resources_of, request.actor),
        may_create=may_manage,
        may_update=may_manage,
        may_delete=may_manage,
        further_actions=domain_features.actions(request.actor),
        plugin_items=menu_items(extra_domain_menu_entries, user=request.actor.user),
        plugin_content=partial(content_of_plugins, request.actor, "domains"),
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
        may_appoint=may_manage,
        may_create_account=policies.may_manage_accounts(request.actor),
        may_create_alias=policies.may_manage_aliases(request.actor),
    )


@sensitive_post_parameters("administrator_password")
@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New domain"."""
    initial = {
        "quota": get_global_parameter("default_domain_quota", "admin"),
        "default_mailbox_quota": get_global_parameter("default_mailbox_quota", "admin"),
    }
    default_password = get_global_parameter("default_password", "core")
    form = DomainCreateForm(
        posted(request),
        initial=initial,
        default_password=default_password,
        allotments=allotments_of_new_domain(),
    )
    form.tabs = plugin_tabs.of_new_domain(request)
    if form.is_valid():
        try:
            (new,) = set_up_domains(
                request.actor,
                [form.setup()],
                complete=lambda domains: plugin_forms.save(
                    form.tabs, user=request.actor.user, domain=domains[0]
                ),
            )
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            if new.administrator is not None and new.password is not None:
                return hand_over(request, new.administrator, new.password, domain=new.domain)
            messages.success(request, _("The domain %(name)s was created.") % _shown(new.domain))
            if "another" in request.POST:
                return redirect("admin:domain_create")
            return redirect("admin:domain_detail", pk=new.domain.pk)
    return answer_form(request, "admin/domain_create.html", form, standing=before_a_domain(request.actor))


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_update(request: AuthedRequest, pk: int) -> HttpResponse:
    """Show and accept the form that changes a domain."""
    domain, form = _update_form(request, pk)
    if form.is_valid():
        try:
            (changed,) = update_domains(
                request.actor,
                [DomainChange(domain=domain, **form.values(), seen=form.edited.seen)],
                complete=lambda _domains: plugin_forms.save(form.tabs, request.actor.user),
            )
        except Refusal as refusal:
            domain, form = _update_form(request, pk)  # perhaps it changed a moment ago: look at it again
            refuse_edit(request, form, refusal)
        else:
            messages.success(request, _("The domain %(name)s was changed.") % _shown(changed))
            tell_what_was_kept(request, form)
            return redirect("admin:domain_detail", pk=pk)
    return answer_form(request, "admin/domain_update.html", form, domain=domain)


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_delete(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what a deletion takes with it, and delete when the name was typed."""
    domain = _visible(request, pk)
    has_directories = panel_moves_directories() and domain.mailboxes.exists()
    form = DeletionForm(posted(request), name=domain.name, has_directories=has_directories)
    if form.is_valid():
        try:
            delete_domains(request.actor, [domain], keep_directories=form.keeps_directories)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The domain %(name)s was deleted.") % _shown(domain))
            return redirect("admin:domain_list")
    return answer_form(
        request,
        "admin/domain_delete.html",
        form,
        domain=domain,
        consequences=consequences.of_domain(domain),
        obstacle=consequences.obstacle_of_domain(request.actor, domain),
        may_update=True,
    )


# --- administrators --------------------------------------------------------------------------------------------


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_administrator_add(request: AuthedRequest, pk: int) -> HttpResponse:
    """Let somebody administer a domain."""
    domain = _visible(request, pk)
    form = AdministratorForm(posted(request))
    if form.is_valid():
        username = form.cleaned_data["username"]
        try:
            add_administrators(request.actor, [Appointment(domain, username)])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            shown = {"name": username, "domain": unicode_domain(domain.name)}
            messages.success(request, _("%(name)s administers %(domain)s now.") % shown)
            return redirect("admin:domain_detail", pk=pk)
    return answer_form(request, "admin/domain_administrator_add.html", form, domain=domain)


@only(policies.may_manage_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_administrator_remove(request: AuthedRequest, pk: int, account_pk: int) -> HttpResponse:
    """Ask once, then withdraw somebody from a domain."""
    domain = _visible(request, pk)
    people = Account.objects.within_reach_of(request.actor).filter(administered_domains=domain)
    person = get_object_or_404(people, pk=account_pk)
    form = forms.Form(posted(request))
    if form.is_valid():
        try:
            remove_administrators(request.actor, [Appointment(domain, person.username)])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            shown = {"name": unicode_domain(person.username), "domain": unicode_domain(domain.name)}
            messages.success(request, _("%(name)s does not administer %(domain)s any more.") % shown)
            if not Domain.objects.visible_to(request.actor).filter(pk=pk).exists():
                return redirect("admin:domain_list")  # it was oneself
            return redirect("admin:domain_detail", pk=pk)
    return answer_form(request, "admin/domain_administrator_remove.html", form, domain=domain, person=person)


# --- suggestions while somebody types --------------------------------------------------------------------------


@only(policies.may_see_domains)
@require_safe
def domain_names(request: AuthedRequest) -> HttpResponse:
    """Names of domains that hold ``?q=``."""
    return JsonResponse(suggested_domains(request.actor, request.GET.get("q", "")), safe=False)


@only(policies.may_manage_domains)
@require_safe
def administrator_names(request: AuthedRequest) -> HttpResponse:
    """User names that hold ``?q=``, of accounts whom the actor can let administer a domain."""
    return JsonResponse(suggested_administrators(request.actor, request.GET.get("q", "")), safe=False)


def _visible(request: AuthedRequest, pk: int) -> Domain:
    return get_object_or_404(Domain.objects.visible_to(request.actor), pk=pk)


def _update_form(request: AuthedRequest, pk: int) -> tuple[Domain, DomainUpdateForm]:
    what = edited("domain", pk)  # before the values: what happens in between is refused by the operation
    domain = _visible(request, pk)
    aliases = list(domain.aliases.order_by("name").values_list("name", flat=True))
    values, given = domain_values(domain, aliases), allocated([pk])[pk]
    form = DomainUpdateForm(
        posted(request),
        initial=values,
        edited=what,
        allocated=given,
        draws_on_pool=bool(given and limited_owners(request.actor, [domain.owner_id])),
        allotments=allotments_in(domain),
    )
    form.tabs = plugin_tabs.of_domain(request, domain)
    return domain, form


def _shown(domain: Domain) -> dict[str, str]:
    return {"name": unicode_domain(domain.name)}
