"""Screens about accounts and their mailboxes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from admin import policies
from admin.forms.accounts import AccountCreateForm, AccountUpdateForm, account_values
from admin.forms.controls import MENU_LIMIT, wished_address
from admin.forms.deletion import DeletionForm
from admin.models import Account
from admin.operations import create_account, delete_accounts, update_account
from admin.queries import consequences
from admin.queries.accounts import (
    account_facts,
    account_mailbox,
    administered_domains,
    mailbox_of,
    own_mailbox,
)
from admin.queries.domains import names_to_choose
from admin.queries.mail_settings import mail_settings
from admin.views.access import only, require
from admin.views.answers import answer_form, answer_page, posted
from core.addresses import split_address
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
        may_update=policies.may_edit_account(request.actor, account),
        may_delete=policies.may_delete_account(request.actor, account),
        may_create_alias=policies.may_manage_aliases(request.actor),
    )


@sensitive_post_parameters("password")
@only(policies.may_manage_accounts)
@require_http_methods(["GET", "HEAD", "POST"])
def account_create(request: AuthedRequest) -> HttpResponse:
    """Show and accept the form "New account"."""
    domains = names_to_choose(request.actor, MENU_LIMIT)
    initial = wished_address(request.GET, domains)
    roles = policies.roles_to_give(request.actor)
    form = AccountCreateForm(posted(request), initial=initial, roles=roles, domains=domains)
    if form.is_valid():
        try:
            created = create_account(request.actor, **form.values())
        except Refusal as refusal:
            refuse(form, refusal, beside=form.beside)
        else:
            if created.password is not None:
                return _hand_over(request, created.account, created.password)
            messages.success(request, _("The account %(name)s was created.") % _shown(created.account))
            return _onward(request, created.account)
    return answer_form(request, "admin/account_create.html", form)


@sensitive_post_parameters("password")
@only(policies.may_manage_accounts)
@require_http_methods(["GET", "HEAD", "POST"])
def account_update(request: AuthedRequest, pk: int) -> HttpResponse:
    """Show and accept the form that changes an account."""
    account = _visible(request, pk)
    require(policies.may_edit_account(request.actor, account))
    form = _update_form(request, account)
    if form.is_valid():
        secret = random_password() if form.wants_random_password else None
        try:
            update_account(
                request.actor, account, **form.values(), **({"password": secret} if secret else {})
            )
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            if account.pk == request.actor.pk:
                # A new password ends every session of the account; this one goes on.
                update_session_auth_hash(request, Account.objects.get(pk=pk))
            if secret:
                return _hand_over(request, account, secret)
            messages.success(request, _("The account %(name)s was changed.") % _shown(account))
            return redirect("admin:account_detail", pk=pk)
    return answer_form(request, "admin/account_update.html", form, person=account)


@only(policies.may_manage_accounts)
@require_http_methods(["GET", "HEAD", "POST"])
def account_delete(request: AuthedRequest, pk: int) -> HttpResponse:
    """Say what a deletion takes with it, and delete when the name was typed."""
    account = _visible(request, pk)
    require(policies.may_delete_account(request.actor, account))
    form = DeletionForm(posted(request), name=account.username)
    if form.is_valid():
        try:
            delete_accounts(request.actor, [account])
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


def _update_form(request: AuthedRequest, account: Account) -> AccountUpdateForm:
    mailbox = mailbox_of(account)
    administers = [domain.name for domain in administered_domains(request.actor, account)]
    return AccountUpdateForm(
        posted(request),
        initial=account_values(account, mailbox, administers),
        roles=policies.roles_to_give(request.actor),
        domains=names_to_choose(request.actor, MENU_LIMIT),
        mailbox=mailbox,
        own=account.pk == request.actor.pk,
    )


def _hand_over(request: AuthedRequest, account: User, password: str) -> HttpResponse:
    """The only page that shows a random password: the answer to the POST itself, which nothing may keep.

    A redirect would need the password on the server, in the session, until the browser comes back for it. Sending
    the form once more does no harm: a name is taken only once, and a changed password is changed again.
    """
    context = {
        "person": account,
        "password": password,
        "mail_settings": mail_settings(account.email) if account.email else [],
        "add_another_url": _another_url(account),
    }
    response = render(request, "admin/account_created.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _onward(request: AuthedRequest, account: User) -> HttpResponseRedirect:
    if "another" in request.POST:
        return redirect(_another_url(account))
    return redirect("admin:account_detail", pk=account.pk)


def _another_url(account: User) -> str:
    """The form "New account" in the same domain."""
    url = reverse("admin:account_create")
    return f"{url}?{urlencode({'domain': split_address(account.email)[1]})}" if account.email else url


def _shown(account: User) -> dict[str, str]:
    return {"name": unicode_domain(account.username)}
