"""Accounts by the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from django.test import Client

from admin.models import Account
from admin.operations import update_account
from core.models import User
from tests.cast import PASSWORD, Cast
from tests.contracts.api_client import ROOT, Program
from tests.contracts.conftest import Fingerprint

NEW = "Another-Horse-8"
JO = {"username": "jo@dora.example", "role": "SimpleUsers", "password": PASSWORD}


# --- the driver of Roundcube -----------------------------------------------------------------------------------


def _as_php(value: Any) -> str:
    """JSON as PHP writes it."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def _as_form(account: dict[str, Any]) -> str:
    """The whole account; what is inside of it, by dotted names."""
    box = {f"mailbox.{name}": value for name, value in (account["mailbox"] or {}).items()}
    plain = {name: value for name, value in account.items() if name != "mailbox"} | box
    lists = {name: value if isinstance(value, list) else [value] for name, value in plain.items()}
    words = {
        name: [str(each).lower() if isinstance(each, bool) else each for each in some]
        for name, some in lists.items()
    }
    return urlencode(words, doseq=True)


# What is sent of the account that was found, and how.
WAYS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "the driver": (
        "application/json",
        lambda found: _as_php({name: found[name] for name in ("username", "mailbox", "role", "password")}),
    ),
    "the whole account": ("application/json", _as_php),
    "the whole account in a form": ("application/x-www-form-urlencoded", _as_form),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["sam", "dora"])
def test_the_password_driver_of_roundcube_changes_a_password_and_nothing_else(
    cast: Cast, fingerprint: Fingerprint, who: str, way: str
) -> None:
    person = cast.everybody[who].user
    update_account(cast.root, Account.objects.get(pk=person.pk), first_name="Jé", language="fr", quota=77)
    root = Program(cast.root)
    body = {"username": f"{person.username}.org", "role": "SimpleUsers", "password": PASSWORD}
    root.post("/domains/", {"name": "dora.example.org"})
    assert root.post("/accounts/", body).status_code == 201  # begins with the same address
    root.post("/aliases/", {"address": "a@dora.example", "recipients": [person.username]})
    root.post("/senderaddresses/", {"address": "b@dora.example", "mailbox": person.username})
    token = Program(cast.root, ("accounts:read", "accounts:write"))
    headers = token.headers | {"Cache-Control": "no-cache"}
    client = Client()
    before, row, tables = root.get(f"/accounts/{person.pk}/").value, _columns(person.pk), fingerprint()

    found = client.get(
        f"{ROOT}/accounts/?search={quote_plus(person.username)}",
        headers=headers | {"Content-Type": "application/json"},
    )
    account = json.loads(b"".join(found.streaming_content))[0]  # type: ignore[attr-defined]  # a list streams
    assert account["username"] == person.username
    media_type, sent = WAYS[way]
    path = f"{ROOT}/accounts/{account['pk']}/"
    answer = client.put(path, sent(account | {"password": NEW}), content_type=media_type, headers=headers)
    assert (answer.status_code, answer.json()) == (200, account), answer.content

    assert root.get(f"/accounts/{person.pk}/").value == before == account
    after = _columns(person.pk)
    assert {name for name in after if after[name] != row[name]} <= {"password", "last_modification"}
    changed = {table for table, sum_ in fingerprint().items() if sum_ != tables[table]}
    noted = {"core_apitoken", "core_log", "core_throttle", "reversion_revision", "reversion_version"}
    assert changed - noted == {"core_user", "mail_user"}
    browser = Client()
    form = {"username": person.username, "password": PASSWORD}
    assert browser.post("/accounts/login/", form).status_code == 401
    assert browser.post("/accounts/login/", form | {"password": NEW}).status_code == 302


def _columns(pk: int) -> dict[str, Any]:
    return dict(User.objects.filter(pk=pk).values().get())


# --- accounts --------------------------------------------------------------------------------------------------


def test_an_account_shows_its_fields_and_never_a_hash(cast: Cast) -> None:
    answer = Program(cast.root).get(f"/accounts/{cast.dora.pk}/")
    assert answer.value == {
        "pk": cast.dora.pk,
        "username": "dora@dora.example",
        "first_name": "",
        "last_name": "",
        "is_active": True,
        "master_user": False,
        "role": "DomainAdmins",
        "language": "",
        "phone_number": "",
        "secondary_email": "",
        "mailbox": {"full_address": "dora@dora.example", "use_domain_quota": True, "quota": 100},
        "domains": ["dora.example"],
    }
    assert "master_user" not in Program(cast.dora).get(f"/accounts/{cast.dora.pk}/").value


def test_a_simple_user_without_a_mailbox_gets_one(cast: Cast) -> None:
    answer = Program(cast.dora).post("/accounts/", JO)
    assert answer.status_code == 201, answer.value
    assert answer.value["mailbox"] == {
        "full_address": "jo@dora.example",
        "use_domain_quota": True,
        "quota": 100,
    }


def test_put_without_domains_keeps_the_rights(cast: Cast) -> None:
    root = Program(cast.root)
    body = {"username": "dora@dora.example", "role": "DomainAdmins", "first_name": "Dora"}
    answer = root.put(f"/accounts/{cast.dora.pk}/", body)
    assert (answer.status_code, answer.value["domains"]) == (200, ["dora.example"])
    assert root.patch(f"/accounts/{cast.dora.pk}/", {"domains": []}).value["domains"] == []


def test_patch_changes_one_thing(cast: Cast) -> None:
    root = Program(cast.root)
    before = root.get(f"/accounts/{cast.sam.pk}/").value
    answer = root.patch(f"/accounts/{cast.sam.pk}/", {"last_name": "Smith"})
    assert answer.value == before | {"last_name": "Smith"}
    box = {"mailbox": {"full_address": "samuel@dora.example", "quota": 50, "use_domain_quota": False}}
    answer = root.patch(f"/accounts/{cast.sam.pk}/", box | {"username": "samuel@dora.example"})
    assert answer.value == before | box | {"last_name": "Smith", "username": "samuel@dora.example"}


def test_a_new_account_needs_a_password_or_a_random_one(cast: Cast) -> None:
    dora = Program(cast.dora)
    answer = dora.post("/accounts/", {k: v for k, v in JO.items() if k != "password"})
    assert (answer.status_code, answer.value["codes"]) == (400, {"password": ["required"]})
    assert dora.post("/accounts/", JO | {"password": None, "random_password": True}).status_code == 201


def test_statuses_are_those_that_clients_know(cast: Cast) -> None:
    root = Program(cast.root)
    strange = JO | {"mailbox": {"full_address": "jo@nowhere.example"}, "username": "jo@nowhere.example"}
    answer = root.post("/accounts/", strange)
    assert (answer.status_code, answer.value["code"]) == (404, "unknown_domain")
    other = JO | {"mailbox": {"full_address": "joe@dora.example"}}
    answer = root.post("/accounts/", other)
    assert (answer.status_code, list(answer.value["codes"])) == (400, ["username"])
    admin = JO | {"role": "DomainAdmins", "username": "boss", "mailbox": {"full_address": "sam@dora.example"}}
    assert root.post("/accounts/", admin).status_code == 409
    assert root.delete(f"/accounts/{cast.root.pk}/").status_code == 403
    assert root.delete(f"/accounts/{cast.sam.pk}/").status_code == 204
    assert root.get(f"/accounts/{cast.sam.pk}/").status_code == 404


def test_a_password_is_changed_by_who_knows_it(cast: Cast) -> None:
    dora, path = Program(cast.dora), f"/accounts/{cast.sam.pk}/password/"
    answer = dora.put(path, {"password": "wrong", "new_password": NEW})
    assert (answer.status_code, answer.value["codes"]) == (400, {"password": ["wrong_password"]})
    answer = dora.put(path, {"password": PASSWORD, "new_password": "short"})
    assert (answer.status_code, list(answer.value["codes"])) == (400, ["new_password"])
    answer = dora.put(path, {"password": PASSWORD, "new_password": NEW})
    assert (answer.status_code, answer.content) == (200, b"")
    assert User.objects.get(pk=cast.sam.pk).check_password(NEW)
    assert Program(cast.mallory).put(path, {"password": NEW, "new_password": PASSWORD}).status_code == 404
    assert Program(cast.sam).put(path, {"password": NEW, "new_password": PASSWORD}).status_code == 403


def test_anybody_may_ask_whether_an_address_exists(cast: Cast) -> None:
    sam = Program(cast.sam)
    assert sam.get("/accounts/exists/?email=Dora@dora.example").value == {"exists": True}
    assert sam.get("/accounts/exists/?email=nobody@dora.example").value == {"exists": False}
    assert sam.get("/accounts/exists/").status_code == 400


def test_lists_are_filtered_and_searched(cast: Cast) -> None:
    root = Program(cast.root)

    def names(query: str) -> list[str]:
        return [row["username"] for row in root.get(f"/accounts/{query}").value]

    root.patch(f"/accounts/{cast.sam.pk}/", {"first_name": "Roland"})
    assert names("?domain=dora.example") == ["dora@dora.example", "sam@dora.example"]
    assert names("?search=RO") == ["root", "sam@dora.example"]
    assert names("?search=RO&ordering=-username") == ["sam@dora.example", "root"]
    assert names("?role=Resellers") == ["rita"]
    assert names("?ordering=-username&role=DomainAdmins") == ["mallory@mallory.example", "dora@dora.example"]
    assert root.get("/accounts/?ordering=password").status_code == 400
    assert root.get("/accounts/?fields=pk,role&search=rita").value == [
        {"pk": cast.rita.pk, "role": "Resellers"}
    ]
