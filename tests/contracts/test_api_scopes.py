"""Every address and method of the API with tokens of a super administrator: one scope alone, and all but the right one.

A route without rows fails, and so does a method.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import resolve

from tests.cast import Cast
from tests.contracts.api_client import EVERYTHING, ROOT, Program
from tests.contracts.api_matrix import SCOPE_MATRIX, SCOPES
from tests.contracts.conftest import Fingerprint
from tests.contracts.test_permission_matrix import Stage, routes

ROUTES = [route for route in routes() if ":api_" in route]
UNWRITTEN = {"head", "options"}


def test_every_scope_and_every_route_stand_in_the_matrix() -> None:
    assert set(SCOPES) == set(EVERYTHING)
    assert sorted(ROUTES) == sorted(SCOPE_MATRIX)


@pytest.mark.parametrize("route", ROUTES)
def test_a_token_does_what_its_scopes_say_and_a_denial_changes_nothing(
    cast: Cast, route: str, fingerprint: Fingerprint, settings: Any
) -> None:
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0
    stage = Stage(cast)
    rows = SCOPE_MATRIX[route]
    assert {question.partition(" ")[0] for question in rows} == _methods(stage, route, rows)
    with_one = {scope: Program(cast.root, (scope,)) for scope in SCOPES}
    for question, cells in rows.items():
        method, _space, target = question.partition(" ")
        expected = dict(zip(SCOPES, cells.split(), strict=True))
        right = {scope for scope, status in expected.items() if status != "403"}
        without = Program(cast.root, tuple(scope for scope in SCOPES if scope not in right) or SCOPES)
        for program in (*with_one.values(), without):
            program.get("/me/")  # notes the first use
        before = fingerprint()
        found: dict[str, str] = {}
        for scope, program in with_one.items():
            with transaction.atomic():
                answer = _ask(program, stage, route, method, target)
                found[scope] = str(answer.status_code)
                transaction.set_rollback(True)
            if answer.status_code == 403:
                assert answer.value["code"] == "scope_missing"
        assert found == expected, question
        for scope in set(SCOPES) - right:
            _ask(with_one[scope], stage, route, method, target)
        answer = _ask(without, stage, route, method, target)
        assert (answer.status_code == 403) == (0 < len(right) < len(SCOPES)), question
        if "403" in expected.values():
            assert fingerprint() == before, question


def test_the_log_asks_for_everything_that_reads(cast: Cast) -> None:
    reading = tuple(scope for scope in SCOPES if scope.endswith(":read"))
    assert Program(cast.root, reading).get("/logs/").status_code == 200
    for missing in reading:
        some = tuple(scope for scope in SCOPES if scope != missing)
        answer = Program(cast.root, some).get("/logs/")
        assert (answer.status_code, answer.value["code"]) == (403, "scope_missing")
        assert missing in answer.value["detail"]


def test_a_token_without_scopes_that_match_its_owner_gives_no_power(cast: Cast) -> None:
    """All scopes of a simple user are still those of a simple user."""
    sam = Program(cast.sam)
    assert sam.get("/domains/").value == []
    assert sam.post("/domains/", {"name": "new.example"}).value["code"] == "permission_denied"


def _methods(stage: Stage, route: str, rows: Any) -> set[str]:
    """What the view answers."""
    target = next(iter(rows)).partition(" ")[2]
    view: Any = resolve(stage.url(route, target).partition("?")[0]).func
    names = {name for name in view.cls.http_method_names if hasattr(view.cls, name)}
    return {name.upper() for name in names - UNWRITTEN}


def _ask(program: Program, stage: Stage, route: str, method: str, target: str) -> Any:
    path = stage.url(route, target)
    body = None if method == "GET" else stage.body(route, method, target)
    return (
        program.ask(method, path.removeprefix(ROOT), body) if path.startswith(ROOT) else _page(program, path)
    )


def _page(program: Program, path: str) -> Any:
    answer: Any = program.client.get(path, headers=program.headers)
    answer.value = None
    return answer
