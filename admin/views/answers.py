"""The few ways in which a screen answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from django import forms
    from django_htmx.middleware import HtmxDetails

    from admin.queries.listing import Listing
    from core.middleware import AuthedRequest


def posted(request: AuthedRequest) -> QueryDict | None:
    """Data of a form: an empty POST is an answer too, and a wrong one."""
    return request.POST if request.method == "POST" else None


def answer_list(
    request: AuthedRequest, template: str, listing: Listing[Any], **context: object
) -> HttpResponse:
    """The page, or for htmx its partial ``list``. Going back in the history asks for the page."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by HtmxMiddleware
    name = f"{template}#list" if htmx and not htmx.history_restore_request else template
    response = render(request, name, vars(listing) | context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def answer_form(request: AuthedRequest, template: str, form: forms.Form, **context: object) -> HttpResponse:
    """The form; as 422 when something in it was refused."""
    return render(request, template, {"form": form, **context}, status=422 if form.errors else 200)


def answer_page(request: AuthedRequest, template: str, *facts: object, **context: object) -> HttpResponse:
    """A page about what *facts*, dataclasses of the queries, say; their fields are its context."""
    known = {name: value for fact in facts for name, value in vars(fact).items()}
    return render(request, template, known | context)
