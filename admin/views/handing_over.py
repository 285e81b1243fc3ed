"""The page that shows a random password, once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from admin.queries.mail_settings import mail_settings
from core.addresses import split_address
from core.middleware import AuthedRequest

if TYPE_CHECKING:
    from admin.models import Domain
    from core.models import User


def hand_over(
    request: AuthedRequest, account: User, password: str, *, domain: Domain | None = None
) -> HttpResponse:
    """The only page that shows a random password: the answer to the POST itself, which nothing may keep.

    A redirect would need the password on the server, in the session, until the browser comes back for it. Sending
    the form once more does no harm: a name is taken only once, and a changed password is changed again. *domain* is
    one that was created along with its administrator.
    """
    context = {
        "person": account,
        "password": password,
        "mail_settings": mail_settings(account.email) if account.email else [],
        "new_domain": domain,
        "add_another_url": reverse("admin:domain_create") if domain else another_url(account),
    }
    response = render(request, "admin/account_created.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def another_url(account: User) -> str:
    """The form "New account" in the same domain."""
    url = reverse("admin:account_create")
    return f"{url}?{urlencode({'domain': split_address(account.email)[1]})}" if account.email else url
