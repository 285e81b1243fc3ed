"""Answers where no view answers: pages for people, JSON for programs."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults
from rest_framework.exceptions import APIException, NotFound

from core.failures import told


@login_not_required
def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    if request.path.startswith("/api/"):
        return told(NotFound.status_code, NotFound.default_detail, NotFound.default_code)
    return defaults.page_not_found(request, exception)


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 with a word of hope when only the database does not answer. Asks the database nothing."""
    lost = isinstance(sys.exc_info()[1], OperationalError)
    template, status, code = ("503.html", 503, "unavailable") if lost else ("500.html", 500, "error")
    if request.path.startswith("/api/"):
        return told(status, APIException.default_detail, code)
    return HttpResponse(loader.get_template(template).render(), status=status)
