"""The few ways in which a form is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

if TYPE_CHECKING:
    from django import forms

    from core.throttling import Throttled


def posted(request: HttpRequest) -> QueryDict | None:
    """Data of a form: an empty POST is an answer too, and a wrong one."""
    return request.POST if request.method == "POST" else None


def answer_form(request: HttpRequest, template: str, form: forms.Form, **context: object) -> HttpResponse:
    """The form; as 422 when something in it was refused."""
    return render(request, template, {"form": form, **context}, status=422 if form.errors else 200)


def answer_throttled(
    request: HttpRequest, template: str, form: forms.Form, throttled: Throttled, **context: object
) -> HttpResponse:
    """The form with the word that it was tried too often, as 429, and when it may be tried again."""
    form.add_error(None, throttled.message)
    answer = render(request, template, {"form": form, **context}, status=429)
    answer.headers["Retry-After"] = str(throttled.retry_after_s)
    return answer
