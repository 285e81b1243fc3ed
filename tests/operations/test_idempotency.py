"""Of many requests with one key at the same moment, one is carried out, and all are answered the same."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

from django.db import connection, connections
from django.test import Client

from admin.models import Domain
from core.actor import Credential
from core.models import StoredAnswer
from core.operations.tokens import create_token
from tests.cast import Cast

_AT_ONCE = 4


def test_a_key_that_is_used_at_the_same_moment_creates_once(real_cast: Cast) -> None:
    owner = replace(real_cast.root, credential=Credential.COMMAND)
    token = create_token(owner, name="program", scopes=["domains:write"]).clear
    start = Barrier(_AT_ONCE)

    def ask(_number: int) -> tuple[int, bytes]:
        client = Client(raise_request_exception=False)
        start.wait()
        try:
            answer = client.post(
                "/api/v1/domains/",
                json.dumps({"name": "new.example"}),
                content_type="application/json",
                headers={"Authorization": f"Token {token}", "Idempotency-Key": "one"},
            )
            return answer.status_code, answer.content
        finally:
            connections.close_all()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = set(pool.map(ask, range(_AT_ONCE)))
    assert {status for status, _content in answers} == {201}, (connection.vendor, answers)
    assert len(answers) == 1
    assert Domain.objects.filter(name="new.example").count() == 1
    assert StoredAnswer.objects.count() == 1
