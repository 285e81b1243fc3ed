"""Screens about accounts and their mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from admin import policies
from admin.forms.accounts import AccountCreateForm, AccountUpdateForm, account_values
from admin.forms.controls import MENU_LIMIT, wished_address
from admin.forms.deletion import DeletionForm
from admin.models import Account
from admin.operations import AccountChange, create_account, delete_accounts, update_accounts
from admin.operations.homes import panel_moves_directories
from admin.queries import consequences
from admin.queries.accounts import (
    account_facts,
    account_mailbox,
    administered_domains,
    aliases_of,
    is_within_reach,
    mailbox_of,
    own_mailbox,
)
from admin.queries.domains import names_to_choose
from admin.queries.resources import allotments_of, allotments_of_new, before_an_account, chosen_domain
from admin.roles_on_offer import roles_on_offer
from admin.views import plugin_tabs
from admin.views.access import only, require
from admin.views.answers import answer_form, answer_page, posted, refuse_edit, tell_what_was_kept
from admin.views.handing_over import another_url, hand_over
from core import plugin_forms
from core.editing import edited
from core.middleware import AuthedRequest
from core.operations.passwords import random_password
from core.presentation import unicode_domain
from core.refusals import Refusal
from core.refusing import refuse

if TYPE_CHECKING:
    from core.models import User


@require_safe
def my_mailbox(request: AuthedRequest) -> HttpResponse:
    """The first page of a simple user; every other role may look at its own mailbox, too."""
    return answer_page(request, "admin/my_mailbox.html", own_mailbox(request.actor.user))


@only(policies.may_see_identities)
@require_safe
def account_detail(request: AuthedRequest, pk: int) -> HttpResponse:
    """One account with its mailbox."""
    account = _visible(request, pk)
    return answer_page(
        request,
        "admin/account_detail.html",
        account_facts(request.actor, account),
        account_mailbox(request.actor, account),
        may_update=is_within_reach(request.actor, account),
        may_delete=is_within_reach(request.actor, account) and account.pk != request.actor.pk,
        may_create_alias=policies.may_manage_aliases(request.actor),
    )


@sensitive_post_parameters("password")
@only(policies.may_manage_accounts)
@require_http_methods(["GET", "HEAD", "POST"])
def account_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New account"."""
    domains = names_to_choose(request.actor, MENU_LIMIT)
    initial = wished_address(request.GET, domains)
    roles = roles_on_offer(request.actor)
    form = AccountCreateForm(
        posted(request),
        initial=initial,
        roles=roles,
        domains=domains,
        allotments=allotments_of_new(request.actor),
    )
    if form.is_valid():
        try:
            created = create_account(request.actor, **form.values())
        except Refusal as refusal:
            refuse(form, refusal, beside=form.beside)
        else:
            if created.password is not None:
                return hand_over(request, created.account, created.password)
            messages.success(request, _("The account %(name)s was created.") % _shown(created.account))
            return _onward(request, created.account)
    standing = before_an_account(request.actor, chosen_domain(initial.get("address", ""), domains))
    return answer_form(request, "admin/account_create.html", form, standing=standing)


@sensitive_post_parameters("password")
@only(policies.may_manage_accounts)
@require_http_methods(["GET", "HEAD", "POST"])
def account_update(request: AuthedRequest, pk: int) -> HttpResponse:
    """Show and accept the form that changes an account."""
    account, form = _update_form(request, pk)
    if form.is_valid():
        secret = random_password() if form.wants_random_password else None
        values = form.values() | ({"password": secret} if secret else {})
        try:
            (changed,) = update_accounts(
                request.actor,
                [AccountChange(account=account, **values, seen=form.edited.seen)],
                complete=lambda _accounts: plugin_forms.save(form.tabs),
            )
        except Refusal as refusal:
            account, form = _update_form(request, pk)  # perhaps it changed a moment ago: look at it again
            refuse_edit(request, form, refusal, beside=form.beside)
        else:
            tell_what_was_kept(request, form)
            if secret:
                return hand_over(request, changed, secret)
            messages.success(request, _("The account %(name)s was changed.") % _shown(changed))
            return redirect("admin:account_detail", pk=pk)
    return answer_form(request, "admin/account_update.html", form, person=account)


@only(policies.may_manage_accounts)
@require_http_methods(["GET", "HEAD", "POST"])
def account_delete(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what a deletion takes with it, and delete when the name was typed."""
    account = _within_reach(request, pk)
    require(account.pk != request.actor.pk)
    form = DeletionForm(posted(request), name=account.username, has_directories=_has_directory(account))
    if form.is_valid():
        try:
            delete_accounts(request.actor, [account], keep_directories=form.keeps_directories)
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, _("The account %(name)s was deleted.") % _shown(account))
            return redirect("admin:identity_list")
    sentences = consequences.of_account(account)
    return answer_form(
        request, "admin/account_delete.html", form, person=account, consequences=sentences, may_update=True
    )


def _visible(request: AuthedRequest, pk: int) -> Account:
    return get_object_or_404(Account.objects.visible_to(request.actor), pk=pk)


def _within_reach(request: AuthedRequest, pk: int) -> Account:
    """404 for what the actor does not see, 403 for what he sees and may not edit."""
    account = _visible(request, pk)
    require(is_within_reach(request.actor, account))
    return account


def _has_directory(account: Account) -> bool:
    return panel_moves_directories() and mailbox_of(account) is not None


def _update_form(request: AuthedRequest, pk: int) -> tuple[Account, AccountUpdateForm]:
    what = edited("account", pk)  # before the values: what happens in between is refused by the operation
    account = _within_reach(request, pk)
    mailbox = mailbox_of(account)
    administers = [domain.name for domain in administered_domains(request.actor, account)]
    aliases = aliases_of(request.actor, mailbox) if mailbox else []
    form = AccountUpdateForm(
        posted(request),
        account=account,
        initial=account_values(account, mailbox, administers, aliases),
        edited=what,
        roles=roles_on_offer(request.actor, account),
        domains=names_to_choose(request.actor, MENU_LIMIT),
        mailbox=mailbox,
        own=account.pk == request.actor.pk,
        allotments=allotments_of(request.actor, account),
    )
    form.tabs = plugin_tabs.of_account(request, account)
    return account, form


def _onward(request: AuthedRequest, account: User) -> HttpResponseRedirect:
    if "another" in request.POST:
        return redirect(another_url(account))
    return redirect("admin:account_detail", pk=account.pk)


def _shown(account: User) -> dict[str, str]:
    return {"name": unicode_domain(account.username)}
