"""The search at the top of every page, and the page about one address."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from admin import policies
from admin.queries.accounts import is_within_reach
from admin.queries.addresses import address_page, address_url, canonical_address
from admin.queries.search import search_everywhere
from admin.views.access import only
from admin.views.answers import answer_page
from core.addresses import AddressError
from core.middleware import AuthedRequest


@only(policies.may_see_identities)
@require_safe
def search(request: AuthedRequest) -> HttpResponse:
    """What begins with ``?q=``; for htmx the options of the dialog. An address that somebody has opens its page."""
    found = search_everywhere(request.actor, request.GET.get("q", ""))
    in_dialog = bool(request.htmx)  # type: ignore[attr-defined]  # set by HtmxMiddleware
    if found.exact and found.is_known and not in_dialog:
        return redirect(found.exact.url)
    name = "admin/search.html#options" if in_dialog else "admin/search.html"
    response = render(request, name, {"found": found})
    patch_vary_headers(response, ["HX-Request"])
    return response


@only(policies.may_see_identities)
@require_safe
def address_detail(request: AuthedRequest) -> HttpResponse:
    """Everything about ``?address=``; another spelling leads to the stored one, what is no address to the search."""
    typed = request.GET.get("address", "")
    try:
        address = canonical_address(typed)
    except AddressError:
        return redirect(f"{reverse('admin:search')}?{urlencode({'q': typed[:254]})}")
    if address != typed:
        return redirect(address_url(address))
    may_manage = policies.may_manage_aliases(request.actor)
    page = address_page(request.actor, address)
    return answer_page(
        request,
        "admin/address_detail.html",
        page,
        may_update_account=bool(page.person and is_within_reach(request.actor, page.person)),
        may_update_alias=may_manage,
        may_create_account=policies.may_manage_accounts(request.actor),
        may_create_alias=may_manage,
    )
