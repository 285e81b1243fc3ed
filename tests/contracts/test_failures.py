"""What a person sees, and a program reads, when something breaks or is not there."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from core.views import server_error


def answer_to(error: Exception, path: str = "/") -> HttpResponse:
    """What Django asks for while *error* is being handled."""
    try:
        raise error
    except type(error):
        return server_error(RequestFactory().get(path))


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


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("connection refused"), 503, "unavailable"),
        (ValueError("secret detail"), 500, "error"),
    ],
)
def test_a_program_is_told_in_its_language(error: Exception, status: int, code: str) -> None:
    answer = answer_to(error, "/api/v1/domains/")
    assert (answer.status_code, json.loads(answer.content)["code"]) == (status, code)
    assert str(error) not in answer.content.decode()


@pytest.mark.django_db
def test_a_program_that_asks_for_nothing_of_ours_gets_json_and_a_person_a_page() -> None:
    for path in ("/api/v1/domains/0.5/", "/api/v2/domains/"):
        answer = Client().get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = Client().get("/nowhere/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
