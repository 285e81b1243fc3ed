"""The few ways in which a screen answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from admin.signals import extra_admin_content
from core.answering import answer_form, posted, refuse_edit, tell_what_was_kept

if TYPE_CHECKING:
    from django.utils.safestring import SafeString
    from django_htmx.middleware import HtmxDetails

    from admin.queries.listing import Listing
    from core.actor import Actor
    from core.middleware import AuthedRequest

__all__ = [
    "answer_form",
    "answer_list",
    "answer_page",
    "content_of_plugins",
    "posted",
    "refuse_edit",
    "tell_what_was_kept",
]


def answer_list(
    request: AuthedRequest, template: str, listing: Listing[Any], **context: object
) -> HttpResponse:
    """The page, or for htmx its partial ``list``. Going back in the history asks for the page."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    name = f"{template}#list" if htmx and not htmx.history_restore_request else template
    response = render(request, name, vars(listing) | context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def content_of_plugins(actor: Actor, page: str) -> SafeString:
    """What plugins show above a list."""
    return extra_admin_content.html(user=actor.user, location="leftcol", currentpage=page)


def answer_page(request: AuthedRequest, template: str, *facts: object, **context: object) -> HttpResponse:
    """A page about what *facts*, dataclasses of the queries, say; their fields are its context."""
    known = {name: value for fact in facts for name, value in vars(fact).items()}
    return render(request, template, known | context)
