"""What a person sees when something breaks."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from core.views import server_error


def answer_to(error: Exception) -> HttpResponse:
    """The page that Django asks for while *error* is being handled."""
    try:
        raise error
    except type(error):
        return server_error(RequestFactory().get("/"))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (OperationalError("connection refused"), 503, "database does not answer"),
        (ValueError("secret detail"), 500, "Something went wrong"),
    ],
)
def test_a_failure_is_one_calm_page_without_details(error: Exception, status: int, words: str) -> None:
    response = answer_to(error)
    assert response.status_code == status
    text = response.content.decode()
    assert words in text
    assert str(error) not in text
