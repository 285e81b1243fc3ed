"""Whatever is sent, by whomever, to whichever address: no answer is a fault of ours, and every error is JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from admin.models import Alias
from tests.cast import Cast
from tests.contracts.api_client import ROOT

FIELDS = {
    "domains": ("name", "quota", "default_mailbox_quota", "enabled", "type"),
    "domainaliases": ("name", "target", "enabled"),
    "accounts": (
        "username",
        "role",
        "password",
        "random_password",
        "mailbox",
        "domains",
        "is_active",
        "language",
        "phone_number",
        "secondary_email",
        "master_user",
        "first_name",
    ),
    "aliases": ("address", "recipients", "enabled", "internal", "expire_at", "description"),
    "relaydomains": ("name", "target_host", "target_port", "service", "verify_recipients", "quota"),
    "senderaddresses": ("address", "mailbox"),
    "resources": ("domains", "domain_aliases", "domain_admins", "mailboxes", "mailbox_aliases", "quota"),
}
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    25,
    2**33,
    2**33 + 1,
    2**53,
    2**63 - 1,
    1.5,
    "",
    " ",
    "x",
    "@",
    "a@b",
    "@dora.example",
    "sam@dora.example",
    "new@dora.example",
    "NEW@Dora.Example",
    "jé@bücher.example",
    "dora.example",
    "new.example",
    "9.9.9.9",
    "SimpleUsers",
    "DomainAdmins",
    "SuperAdmins",
    "Correct-Horse-7",
    "relay",
    "domain",
    "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00",
    "2030-01-01",
    "😀" * 70,
    "a" * 300,
    "\u202e\u0085\x1f",
    [],
    [None],
    ["x@else.example"],
    ["dora.example"],
    ["a" * 300, 1, {}],
    [["x"]],
    {},
    {"full_address": "new@dora.example"},
    {"full_address": "sam@dora.example", "quota": 7, "use_domain_quota": False},
    {"full_address": None, "quota": "x"},
    {"full_address": "new@mallory.example", "use_domain_quota": None},
)
QUERIES = (
    "",
    "?dry_run=1",
    "?dry_run=x",
    "?page=2&page_size=3",
    "?search=%F0%9F%98%80@",
    "?search=%25_%5C",
    "?ordering=-pk,name",
    "?domain=b%C3%BCcher.example",
    "?enabled=perhaps",
    "?fields=pk,",
    "?is_active=1&role=x",
)


@pytest.mark.parametrize("who", ["root", "rita", "dora", "sam"])
@pytest.mark.parametrize("noun", FIELDS)
def test_nothing_that_is_sent_is_a_fault_of_ours(cast: Cast, noun: str, who: str) -> None:
    chance = random.Random(f"{noun} {who}")
    browser = Client(raise_request_exception=False)
    browser.force_login(cast.everybody[who].user)
    ids = [cast.dora_example.pk, cast.sam.pk, cast.dora.pk, cast.rita.pk, cast.everybody[who].pk, 10**6]
    for _ in range(60):
        body = {name: chance.choice(VALUES) for name in FIELDS[noun] if chance.random() < 0.8}
        method = chance.choice(["get", "post", "put", "patch", "delete"])
        is_item = method != "post" and not (method == "get" and noun != "resources" and chance.random() < 0.5)
        sent: Any = [body, body] if method == "post" and chance.random() < 0.2 else body
        path = f"{ROOT}/{noun}/" + (f"{chance.choice(ids)}/" if is_item or noun == "resources" else "")
        path += chance.choice(QUERIES)
        data = {} if method == "get" else {"data": json.dumps(sent), "content_type": "application/json"}
        with transaction.atomic():
            answer = getattr(browser, method)(path, **data)
            transaction.set_rollback(True)
        assert answer.status_code < 500, (method, path, sent, answer.status_code)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == "application/json", (method, path, sent)
            assert _is_error(json.loads(answer.content)), (method, path, sent, answer.content)
    assert Alias.objects.count() == 0


def _is_error(value: Any) -> bool:
    if isinstance(value, list):
        return any(value) and all(not each or _is_error(each) for each in value)
    return "code" in value or "codes" in value
