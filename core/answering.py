"""The few ways in which a form is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from core.form_rendering import PanelForm
from core.refusing import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django import forms

    from core.editing import EditForm
    from core.refusals import Refusal
    from core.throttling import Throttled


def posted(request: HttpRequest) -> QueryDict | None:
    """Data of a form: an empty POST is an answer too, and a wrong one."""
    return request.POST if request.method == "POST" else None


def answer_form(request: HttpRequest, template: str, form: forms.Form, **context: object) -> HttpResponse:
    """The form; as 422 when something in it was refused."""
    refused = form.is_refused if isinstance(form, PanelForm) else bool(form.errors)
    return render(request, template, {"form": form, **context}, status=422 if refused else 200)


def answer_throttled(
    request: HttpRequest, template: str, form: forms.Form, throttled: Throttled, **context: object
) -> HttpResponse:
    """The form with the word that it was tried too often, as 429, and when it may be tried again."""
    form.add_error(None, throttled.message)
    answer = render(request, template, {"form": form, **context}, status=429)
    answer.headers["Retry-After"] = str(throttled.retry_after_s)
    return answer


def tell_what_was_kept(request: HttpRequest, form: EditForm) -> None:
    """After saving: what others changed meanwhile stands beside what this person changed."""
    for sentence in form.kept:
        messages.warning(request, sentence)


def refuse_edit(
    request: HttpRequest, form: EditForm, refusal: Refusal, *, beside: Mapping[str, str] | None = None
) -> None:
    """Reasons beside the fields of a form that looked at the object again; after a race also what others changed."""
    refuse(form, refusal, beside=beside)
    if any(reason.code == "changed_meanwhile" for reason in refusal.reasons):
        tell_what_was_kept(request, form)
