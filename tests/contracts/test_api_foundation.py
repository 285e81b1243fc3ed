"""What every endpoint of the API does: who is let in, what is read, lists, tags, repetitions, rehearsals."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from admin.models import Domain
from admin.operations import AliasSpec, create_aliases
from core.models import ApiToken, Log, StoredAnswer, User
from tests.cast import Cast
from tests.contracts.api_client import ROOT, Program
from tests.contracts.conftest import Fingerprint

# --- who is let in ---------------------------------------------------------------------------------------------


def test_nobody_is_told_how_to_get_in(cast: Cast) -> None:
    assert cast.root.pk
    answer = Program(None).get("/domains/")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")
    assert answer.value["code"] == "not_authenticated"
    assert answer.value["detail"]


def test_a_token_that_is_wrong_expired_elsewhere_or_of_a_disabled_owner_is_none(cast: Cast) -> None:
    wrong = Program(None)
    wrong.headers["Authorization"] = "Token nonsense"
    assert wrong.get("/me/").status_code == 401
    wrong.headers["Authorization"] = "Token"
    assert wrong.get("/me/").status_code == 401
    elsewhere = Program(cast.root, networks=["192.0.2.0/24"])
    assert elsewhere.get("/me/").status_code == 401
    here = Program(cast.root, networks=["192.0.2.0/24", "127.0.0.0/8"])
    assert here.get("/me/").status_code == 200
    ApiToken.objects.filter(pk=here.new.token.pk).update(expires_at=timezone.now())
    assert here.get("/me/").status_code == 401
    dora = Program(cast.dora)
    User.objects.filter(pk=cast.dora.pk).update(is_active=False)
    assert dora.get("/me/").status_code == 401


def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(cast: Cast) -> None:
    wrong, right = Program(None), Program(cast.root)
    wrong.headers["Authorization"] = "Token nonsense"
    statuses = [wrong.get("/me/").status_code for _ in range(21)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert int(wrong.get("/me/").headers["Retry-After"]) >= 1
    assert right.get("/me/").status_code == 200


def test_a_token_has_so_many_requests_per_minute(cast: Cast, settings: Any) -> None:
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 3
    program = Program(cast.root)
    assert program.get("/me/").status_code == 200
    statuses = [program.get("/me/").status_code for _ in range(8)]
    assert 429 in statuses
    assert Program(cast.root).get("/me/").status_code == 200
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0
    assert program.get("/me/").status_code == 200


def test_the_use_of_a_token_is_noted_once_a_minute(cast: Cast) -> None:
    program = Program(cast.root)
    program.get("/me/")
    token = ApiToken.objects.get(pk=program.new.token.pk)
    first = token.last_used_at
    assert first is not None
    assert token.last_used_from == "127.0.0.1"
    program.get("/me/")
    assert ApiToken.objects.get(pk=program.new.token.pk).last_used_at == first


def test_a_session_works_and_needs_the_csrf_token(cast: Cast) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.root.user)
    assert browser.get(f"{ROOT}/domains/").status_code == 200
    body = json.dumps({"name": "new.example"})
    assert browser.post(f"{ROOT}/domains/", body, content_type="application/json").status_code == 403
    browser.get("/user/tokens/new/")
    secret = browser.cookies["csrftoken"].value
    headers = {"X-CSRFToken": secret}
    answer = browser.post(f"{ROOT}/domains/", body, content_type="application/json", headers=headers)
    assert answer.status_code == 201


def test_what_a_token_does_is_logged_as_such(cast: Cast) -> None:
    Program(cast.root).post("/domains/", {"name": "new.example"})
    event = Log.objects.get(verb="domain.create", object_name="new.example")
    assert (event.actor_name, event.credential, event.address) == ("root", "token", "127.0.0.1")


def test_me_tells_who_asks(cast: Cast) -> None:
    assert Program(cast.sam, ("domains:read",)).get("/me/").value == {
        "pk": cast.sam.pk,
        "username": "sam@dora.example",
        "role": "SimpleUsers",
        "email": "sam@dora.example",
        "token": "program",
        "scopes": ["domains:read"],
        "domains": None,
        "expires_at": None,
    }
    limited = Program(cast.root, ("domains:read",), domains=["dora.example"])
    assert limited.get("/me/").value["domains"] == ["dora.example"]
    assert [each["name"] for each in limited.get("/domains/").value] == ["dora.example"]


# --- bodies ----------------------------------------------------------------------------------------------------

HOSTILE = {
    "deep list": "[" * 10_000 + "]" * 10_000,
    "deep object": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "deep for us": '{"name":' + "[" * 40 + "]" * 40 + "}",
    "NUL": '{"name": "a\\u0000b.example"}',
    "lone surrogate": '{"name": "\\ud800.example"}',
    "surrogate in a key": '{"\\udfff": 1}',
    "many digits": '{"name": "a.example", "quota": ' + "9" * 5_000 + "}",
    "digits that parse": '{"name": "a.example", "quota": ' + "9" * 4_000 + "}",
    "NaN": '{"name": "a.example", "quota": NaN}',
    "Infinity": '{"name": "a.example", "quota": -Infinity}',
    "too large for a float": '{"name": "a.example", "quota": 1e999}',
    "a half": '{"name": "a.example", "quota": 1.5}',
    "no JSON": "{name: 1}",
    "nothing": "",
    "a number": "1",
    "null": "null",
    "a text": '"a.example"',
    "a list of lists": "[[]]",
    "no UTF-8": b'{"name": "\xff"}',
    "wrong types": '{"name": {"a": []}, "quota": {}, "enabled": []}',
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("path", ["/domains/", "/accounts/", "/aliases/"])
def test_a_hostile_body_is_a_bad_request(cast: Cast, case: str, path: str, fingerprint: Fingerprint) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.root.user)
    before = fingerprint()
    for method in (browser.post, browser.put):
        where = path if method == browser.post else f"{path}1/"
        answer = method(f"{ROOT}{where}", HOSTILE[case], content_type="application/json")
        assert answer.status_code in {400, 404}, answer.content[:300]
        assert json.loads(answer.content)
    assert fingerprint() == before


def test_a_body_of_a_megabyte_is_not_read(cast: Cast) -> None:
    answer = Program(cast.root).post("/domains/", {"name": "a" * 1_000_000})
    assert (answer.status_code, answer.value["code"]) == (413, "body_too_large")


def test_what_is_no_form_of_ours_is_415(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.root.user)
    assert browser.post(f"{ROOT}/domains/", "<a/>", content_type="text/xml").status_code == 415


@pytest.mark.parametrize(
    "query", ["?search=%00", "?domain=%00", "?page=0", "?page=x", "?page_size=-1", "?page=" + "9" * 30]
)
def test_a_hostile_query_is_a_bad_request(cast: Cast, query: str) -> None:
    assert Program(cast.root).get(f"/aliases/{query}").status_code == 400


def test_a_key_that_no_row_can_have_is_not_found(cast: Cast) -> None:
    root = Program(cast.root)
    for noun in (
        "domains",
        "domainaliases",
        "accounts",
        "aliases",
        "resources",
        "relaydomains",
        "senderaddresses",
    ):
        assert root.get(f"/{noun}/{10**30}/").status_code == 404


def test_forms_are_read_and_what_is_missing_in_them_is_false(cast: Cast) -> None:
    browser = Client()
    browser.force_login(cast.root.user)
    answer = browser.post(f"{ROOT}/domains/", {"name": "form.example", "quota": "5"})
    assert answer.status_code == 201
    assert answer.json()["enabled"] is False
    data = {
        "address": "a@form.example",
        "recipients": ["x@else.example", "y@else.example"],
        "enabled": "true",
    }
    answer = browser.post(f"{ROOT}/aliases/", data)
    assert answer.json()["recipients"] == ["x@else.example", "y@else.example"]
    assert browser.post(f"{ROOT}/domains/", {"name": "a\0.example"}).status_code == 400


def test_main_collections_have_no_options(cast: Cast) -> None:
    root = Program(cast.root)
    for noun in ("domains", "domainaliases", "accounts", "aliases"):
        assert root.ask("options", f"/{noun}/").status_code == 405
    assert root.ask("options", f"/resources/{cast.rita.pk}/").status_code == 200


# --- lists -----------------------------------------------------------------------------------------------------


def _many_aliases(cast: Cast, count: int) -> None:
    specs = [AliasSpec(address=f"a{n:04}@dora.example", recipients=("x@else.example",)) for n in range(count)]
    create_aliases(cast.root, specs)


def test_a_list_is_a_plain_array_streamed(cast: Cast) -> None:
    _many_aliases(cast, 1_003)
    answer = Program(cast.root).get("/aliases/")
    assert answer.streaming
    assert "X-Total-Count" not in answer.headers
    assert [row["address"] for row in answer.value] == [f"a{n:04}@dora.example" for n in range(1_003)]
    assert Program(cast.mallory).get("/aliases/").value == []


def test_pages_are_asked_for(cast: Cast) -> None:
    _many_aliases(cast, 23)
    root = Program(cast.root)
    pages = [root.get(f"/aliases/?page={n}&page_size=5&domain=dora.example") for n in range(1, 7)]
    addresses = [row["address"] for page in pages for row in page.value]
    assert addresses == [f"a{n:04}@dora.example" for n in range(23)]
    assert [len(page.value) for page in pages] == [5, 5, 5, 5, 3, 0]
    assert {page.headers["X-Total-Count"] for page in pages} == {"23"}
    link = pages[1].headers["Link"]
    start = "<http://testserver/api/v1/aliases/?page="
    rest = "&page_size=5&domain=dora.example>"
    named = {"first": 1, "prev": 1, "next": 3, "last": 5}
    assert link == ", ".join(f'{start}{page}{rest}; rel="{name}"' for name, page in named.items())
    assert 'rel="next"' not in pages[4].headers["Link"]
    assert len(root.get("/aliases/?page_size=7").value) == 7


def test_rows_may_be_sparse(cast: Cast) -> None:
    _many_aliases(cast, 2)
    root = Program(cast.root)
    assert root.get("/aliases/?fields=address,enabled&ordering=-address").value == [
        {"address": "a0001@dora.example", "enabled": True},
        {"address": "a0000@dora.example", "enabled": True},
    ]
    assert root.get("/aliases/?fields=password").status_code == 400


# --- batches ---------------------------------------------------------------------------------------------------


def test_a_list_is_created_as_a_whole_or_refused_for_all_reasons(
    cast: Cast, fingerprint: Fingerprint
) -> None:
    root = Program(cast.root)
    root.get("/me/")
    before = fingerprint()
    names = ["good.example", "dora.example", "no name", "better.example"]
    answer = root.post("/domains/", [{"name": name} for name in names])
    assert answer.status_code == 400
    assert [each.get("codes") for each in answer.value] == [
        None,
        {"name": ["name_taken"]},
        {"name": ["domain_invalid"]},
        None,
    ] or [bool(each) for each in answer.value] == [False, True, True, False]
    after = fingerprint()
    assert {table for table in after if after[table] != before[table]} <= {"core_throttle"}
    answer = root.post("/domains/", [{"name": "good.example"}, {"name": "better.example", "quota": 7}])
    assert (answer.status_code, [row["name"] for row in answer.value]) == (
        201,
        ["good.example", "better.example"],
    )
    assert root.post("/domains/", []).value == []


# --- rehearsals ------------------------------------------------------------------------------------------------


def test_a_dry_run_answers_and_writes_nothing(cast: Cast, fingerprint: Fingerprint) -> None:
    browser = Client()
    browser.force_login(cast.root.user)
    before = fingerprint()

    def ask(method: Any, path: str, body: Any = None) -> Any:
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        answer = method(f"{ROOT}{path}?dry_run=1", **data)
        assert answer.headers["X-Dry-Run"] == "1"
        return answer

    assert ask(browser.post, "/domains/", {"name": "new.example"}).json()["name"] == "new.example"
    assert ask(browser.post, "/domains/", {"name": "dora.example"}).status_code == 400
    path = f"/accounts/{cast.sam.pk}/"
    changes = {"first_name": "Sam", "password": "Another-Horse-8", "secondary_email": "s@home.example"}
    assert ask(browser.patch, path, changes).json()["first_name"] == "Sam"
    assert ask(browser.delete, path).status_code == 204
    assert fingerprint() == before


# --- entity tags -----------------------------------------------------------------------------------------------


def test_what_changed_meanwhile_is_not_overwritten(cast: Cast) -> None:
    root, path = Program(cast.root), f"/domains/{cast.dora_example.pk}/"
    tag = root.get(path).headers["ETag"]
    assert root.get(path, If_None_Match=tag).status_code == 304
    assert root.patch(path, {"quota": 200_000}, If_Match=tag).status_code == 200
    stale = root.patch(path, {"quota": 300_000}, If_Match=tag)
    assert (stale.status_code, stale.value["quota"]) == (412, 200_000)
    assert root.delete(path, If_Match=tag).status_code == 412
    again = root.patch(path, {"quota": 300_000}, If_Match=stale.headers["ETag"])
    assert (again.status_code, again.value["quota"]) == (200, 300_000)
    assert root.patch(path, {"quota": 200_000}, If_Match="*").status_code == 200
    assert root.get(path).headers["ETag"] != again.headers["ETag"]


# --- repetitions -----------------------------------------------------------------------------------------------


def test_a_request_with_a_key_is_carried_out_once(cast: Cast) -> None:
    root = Program(cast.root)
    first = root.post("/domains/", {"name": "new.example"}, Idempotency_Key="k1")
    again = root.post("/domains/", {"name": "new.example"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.value == again.value
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    other = root.post("/domains/", {"name": "other.example"}, Idempotency_Key="k1")
    assert (other.status_code, other.value["code"]) == (422, "idempotency_key_reused")
    # Keys of another token are other keys.
    assert (
        Program(cast.root).post("/domains/", {"name": "other.example"}, Idempotency_Key="k1").status_code
        == 201
    )
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert root.post("/domains/", {"name": "new.example"}, Idempotency_Key="k1").status_code == 400


def test_a_failure_is_not_kept(cast: Cast) -> None:
    root = Program(cast.root)
    assert root.post("/domains/", {"name": "dora.example"}, Idempotency_Key="k").status_code == 400
    assert not StoredAnswer.objects.exists()
    assert root.post("/domains/", {"name": "new.example"}, Idempotency_Key="k").status_code == 201
    assert Domain.objects.filter(name="new.example").exists()
