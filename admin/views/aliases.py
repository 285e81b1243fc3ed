"""Screens about aliases."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from admin import policies
from admin.forms.aliases import AliasCreateForm, AliasUpdateForm, alias_values
from admin.forms.controls import MENU_LIMIT, wished_address
from admin.forms.deletion import DeletionForm
from admin.models import Alias
from admin.operations import create_alias, delete_aliases, update_alias
from admin.queries import consequences
from admin.queries.aliases import alias_page, recipients_of
from admin.queries.domains import names_to_choose
from admin.queries.resources import before_an_alias, chosen_domain
from admin.views.access import only
from admin.views.answers import answer_form, answer_page, posted, refuse_edit, tell_what_was_kept
from core.editing import edited
from core.middleware import AuthedRequest
from core.presentation import unicode_domain
from core.refusals import Refusal
from core.refusing import refuse


@only(policies.may_see_identities)
@require_safe
def alias_detail(request: AuthedRequest, pk: int) -> HttpResponse:
    """One alias: where its mail goes."""
    alias = get_object_or_404(Alias.objects.visible_to(request.actor), pk=pk)
    may_manage = policies.may_manage_aliases(request.actor)
    page = alias_page(request.actor, alias)
    return answer_page(request, "admin/alias_detail.html", page, may_update=may_manage, may_delete=may_manage)


@only(policies.may_manage_aliases)
@require_http_methods(["GET", "HEAD", "POST"])
def alias_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New alias"."""
    domains = names_to_choose(request.actor, MENU_LIMIT)
    initial = _wishes(request, domains)
    form = AliasCreateForm(posted(request), initial=initial, domains=domains)
    if form.is_valid():
        try:
            alias = create_alias(request.actor, **form.values())
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The alias %(name)s was created.") % _shown(alias))
            if "another" in request.POST:
                domain = urlencode({"domain": alias.domain.name})
                return redirect(f"{reverse('admin:alias_create')}?{domain}")
            return redirect("admin:alias_detail", pk=alias.pk)
    standing = before_an_alias(request.actor, chosen_domain(initial.get("address", ""), domains))
    return answer_form(request, "admin/alias_create.html", form, standing=standing)


@only(policies.may_manage_aliases)
@require_http_methods(["GET", "HEAD", "POST"])
def alias_update(request: AuthedRequest, pk: int) -> HttpResponse:
    """Show and accept the form that changes an alias."""
    alias, form = _update_form(request, pk)
    if form.is_valid():
        try:
            update_alias(request.actor, alias, **form.values(), seen=form.edited.seen)
        except Refusal as refusal:
            alias, form = _update_form(request, pk)  # perhaps it changed a moment ago: look at it again
            refuse_edit(request, form, refusal)
        else:
            messages.success(request, _("The alias %(name)s was changed.") % _shown(alias))
            tell_what_was_kept(request, form)
            return redirect("admin:alias_detail", pk=pk)
    return answer_form(request, "admin/alias_update.html", form, alias=alias)


@only(policies.may_manage_aliases)
@require_http_methods(["GET", "HEAD", "POST"])
def alias_delete(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what a deletion takes with it, and delete when the address was typed."""
    alias = get_object_or_404(Alias.objects.visible_to(request.actor), pk=pk)
    form = DeletionForm(posted(request), name=alias.address)
    if form.is_valid():
        try:
            delete_aliases(request.actor, [alias])
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The alias %(name)s was deleted.") % _shown(alias))
            return redirect("admin:identity_list")
    sentences = consequences.of_alias(alias)
    return answer_form(request, "admin/alias_delete.html", form, alias=alias, consequences=sentences)


def _update_form(request: AuthedRequest, pk: int) -> tuple[Alias, AliasUpdateForm]:
    what = edited("alias", pk)  # before the values: what happens in between is refused by the operation
    alias = get_object_or_404(Alias.objects.visible_to(request.actor), pk=pk)
    initial = alias_values(alias, recipients_of(alias))
    return alias, AliasUpdateForm(posted(request), initial=initial, edited=what)


def _wishes(request: AuthedRequest, domains: list[str]) -> dict[str, Any]:
    """What a link to the form asks for: ``?domain=`` or ``?address=``, and ``?recipient=``."""
    return wished_address(request.GET, domains) | {"recipients": request.GET.getlist("recipient")}


def _shown(alias: Alias) -> dict[str, str]:
    return {"name": unicode_domain(alias.address)}
