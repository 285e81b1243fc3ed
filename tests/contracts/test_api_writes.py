"""What every write of the API keeps: rehearsals, entity tags, keys of repetitions. The table is that of the scopes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from tests.cast import Cast
from tests.contracts.api_client import ROOT, Program
from tests.contracts.api_matrix import SCOPE_MATRIX
from tests.contracts.conftest import Fingerprint
from tests.contracts.test_permission_matrix import Stage

WRITES = [
    (route, *question.partition(" ")[::2])
    for route, rows in SCOPE_MATRIX.items()
    for question in rows
    if not question.startswith("GET")
]
CHANGES = [write for write in WRITES if write[0].endswith("_detail")]
CREATIONS = [write for write in WRITES if write[1] == "POST"]


def _name(value: Any) -> str:
    return str(value).partition(":api_")[2] or str(value)


class Writer:
    """root's program in front of one address."""

    def __init__(self, cast: Cast, settings: Any, route: str, method: str, target: str) -> None:
        settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0
        stage = Stage(cast)
        self.method, self.path = method, stage.url(route, target).removeprefix(ROOT)
        self.body = stage.body(route, method, target)
        self.program = Program(cast.root)
        self.program.get("/me/")  # notes the first use

    def ask(self, query: str = "", body: Any = None, **headers: str) -> Any:
        """With the body that the operation accepts, or another one."""
        sent = self.body if body is None else body
        return self.program.ask(self.method, self.path + query, sent, **headers)

    def really(self, body: Any = None) -> Any:
        """What is answered when it is no rehearsal; everything is taken back."""
        with transaction.atomic():
            answer = self.ask(body=body)
            transaction.set_rollback(True)
        return answer


def _said(answer: Any) -> tuple[int, Any]:
    """Without the key, which differs from one creation to the next."""
    value = answer.value
    return answer.status_code, {**value, "pk": 0} if isinstance(value, dict) and "pk" in value else value


@pytest.mark.parametrize(("route", "method", "target"), WRITES, ids=_name)
def test_a_rehearsal_answers_as_the_real_thing_and_changes_nothing(
    cast: Cast, settings: Any, fingerprint: Fingerprint, route: str, method: str, target: str
) -> None:
    writer = Writer(cast, settings, route, method, target)
    before = fingerprint()
    bodies: list[Any] = (
        [None] if method == "DELETE" else [None, {"pk": 1}, {"name": 5, "username": [], "recipients": {}}]
    )
    if method == "POST":
        bodies.append([writer.body, writer.body])
    for body in bodies:
        real = writer.really(body)
        dry = writer.ask("?dry_run=1", body)
        assert _said(dry) == _said(real), body
        assert fingerprint() == before, body
        assert "X-Dry-Run" not in real.headers
        if dry.status_code < 300:
            assert dry.headers["X-Dry-Run"] == "1"
    assert writer.really().status_code < 300


@pytest.mark.parametrize(("route", "method", "target"), CHANGES, ids=_name)
def test_another_state_is_not_overwritten(
    cast: Cast, settings: Any, fingerprint: Fingerprint, route: str, method: str, target: str
) -> None:
    writer = Writer(cast, settings, route, method, target)
    present = writer.program.get(writer.path)
    tag, before = present.headers["ETag"], fingerprint()
    assert writer.program.get(writer.path, If_None_Match=tag).status_code == 304
    for wrong in ('"other"', '"other", W/"else"', "other"):
        stale = writer.ask(If_Match=wrong)
        assert (stale.status_code, stale.value) == (412, present.value)
        assert stale.headers["ETag"] == tag
    assert fingerprint() == before
    for right in ("*", tag, f'"other", {tag}', f"W/{tag}"):
        with transaction.atomic():
            answer = writer.ask(If_Match=right)
            assert answer.status_code == (204 if method == "DELETE" else 200), right
            if method != "DELETE":
                assert answer.headers["ETag"] == writer.program.get(writer.path).headers["ETag"] != tag
            transaction.set_rollback(True)


@pytest.mark.parametrize(("route", "method", "target"), CREATIONS, ids=_name)
def test_a_key_creates_once(
    cast: Cast, settings: Any, fingerprint: Fingerprint, route: str, method: str, target: str
) -> None:
    writer = Writer(cast, settings, route, method, target)
    first = writer.ask(Idempotency_Key="one")
    after = fingerprint()
    again = writer.ask(Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.value, again.headers["Idempotent-Replayed"]) == (first.value, "true")
    other = writer.ask(body=[writer.body], Idempotency_Key="one")
    assert (other.status_code, other.value["code"]) == (422, "idempotency_key_reused")
    long = writer.ask(Idempotency_Key="k" * 201)
    assert long.status_code == 400
    assert fingerprint() == after
    # Without the key it is there already.
    assert writer.ask().status_code in {400, 409}
    writer.ask("?dry_run=1", Idempotency_Key="two")
    assert fingerprint() == after
