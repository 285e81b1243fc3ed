"""Domains, domain aliases, aliases, relay domains, sender addresses, resources, quotas, logs by the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from admin.models import Alias, Domain, DomainAlias, Quota
from admin.operations import AccountSpec, MailboxSpec, create_accounts, create_domain
from core.roles import Role
from limits.models import Allowance
from tests.cast import PASSWORD, Cast
from tests.contracts.api_client import Program
from tests.stored_parameters import unset

DOMAIN = {
    "quota": 0,
    "default_mailbox_quota": 0,
    "enabled": True,
    "type": "domain",
}


# --- domains ---------------------------------------------------------------------------------------------------


def test_a_domain_lives(cast: Cast) -> None:
    rita = Program(cast.rita)
    new = rita.post("/domains/", {"name": "New.Example"})
    assert (new.status_code, new.value) == (201, {"pk": new.value["pk"], "name": "new.example"} | DOMAIN)
    path = f"/domains/{new.value['pk']}/"
    assert Domain.objects.get(name="new.example").owner_id == cast.rita.pk
    changed = rita.put(path, {"name": "newer.example", "quota": 10})
    assert (changed.status_code, changed.value) == (200, new.value | {"name": "newer.example", "quota": 10})
    assert rita.put(path, {"quota": 10}).value["codes"] == {"name": ["required"]}
    assert rita.patch(path, {"enabled": False}).value == changed.value | {"enabled": False}
    assert rita.patch(path, {"type": "relaydomain"}).value["codes"] == {"type": ["type_stays"]}
    assert (rita.delete(path).status_code, rita.get(path).status_code) == (204, 404)


def test_what_is_wrong_with_a_domain_is_said_beside_the_field(cast: Cast) -> None:
    root = Program(cast.root)
    for body, codes in [
        ({}, {"name": ["required"]}),
        ({"name": "dora.example"}, {"name": ["name_taken"]}),
        (
            {"name": "x.example", "quota": 1, "default_mailbox_quota": 2},
            {"default_mailbox_quota": ["default_quota_too_big"]},
        ),
        ({"name": "x.example", "quota": -1}, {"quota": ["quota_out_of_range"]}),
    ]:
        answer = root.post("/domains/", body)
        assert (answer.status_code, answer.value["codes"]) == (400, codes)
        assert answer.value.keys() == {*codes, "codes"}
        assert all(isinstance(each, str) for field in codes for each in answer.value[field])


def test_a_limit_is_a_403_for_domains(cast: Cast) -> None:
    Allowance.objects.filter(user=cast.rita.pk).update(domains_max=1)
    answer = Program(cast.rita).post("/domains/", {"name": "new.example"})
    assert (answer.status_code, answer.value["code"]) == (403, "limit_reached")


# --- domain aliases --------------------------------------------------------------------------------------------


def test_a_domain_alias_lives(cast: Cast) -> None:
    root = Program(cast.root)
    used = _used(cast)
    new = root.post("/domainaliases/", {"name": "alias.example", "target": cast.dora_example.pk})
    assert new.value == {
        "pk": new.value["pk"],
        "name": "alias.example",
        "target": cast.dora_example.pk,
        "enabled": True,
    }
    path = f"/domainaliases/{new.value['pk']}/"
    body = {"name": "other.example", "target": cast.mallory_example.pk, "enabled": False}
    assert root.put(path, body).value == {"pk": new.value["pk"]} | body
    assert root.patch(path, {"enabled": True}).value == {"pk": new.value["pk"]} | body | {"enabled": True}
    assert root.get("/domainaliases/?domain=mallory.example").value[0]["name"] == "other.example"
    assert root.get("/domainaliases/?domain=dora.example").value == []
    assert root.patch(path, {"name": "dora.example"}).value["codes"] == {"name": ["name_taken"]}
    assert root.patch(path, {"target": 999_999}).value["codes"] == {"target": ["unknown_domain"]}
    browser = Client()
    browser.force_login(cast.root.user)  # a form: no JSON whose numbers are looked at before
    answer = browser.post("/api/v1/domainaliases/", {"name": "b.example", "target": str(10**30)})
    assert (answer.status_code, answer.json()["codes"]) == (400, {"target": ["max_value"]})
    assert root.post("/domains/", {"name": "alias.example"}).status_code == 201
    assert (root.delete(path).status_code, root.get(path).status_code) == (204, 404)
    assert not DomainAlias.objects.exists()
    assert _used(cast) == used


def _used(cast: Cast) -> Any:
    return Allowance.objects.filter(user=cast.rita.pk).values_list("domain_aliases_used", flat=True).first()


def test_what_a_reseller_gives_up_is_his_to_use_again(cast: Cast) -> None:
    rita = Program(cast.rita)
    Allowance.objects.filter(user=cast.rita.pk).update(domain_aliases_max=1)
    body = {"target": cast.reseller_example.pk}
    first = rita.post("/domainaliases/", body | {"name": "one.example"})
    answer = rita.post("/domainaliases/", body | {"name": "two.example"})
    assert (answer.status_code, answer.value["codes"]) == (400, {"domain": ["limit_reached"]})
    assert rita.delete(f"/domainaliases/{first.value['pk']}/").status_code == 204
    assert rita.post("/domainaliases/", body | {"name": "two.example"}).status_code == 201
    foreign = rita.post("/domainaliases/", {"name": "x.example", "target": cast.dora_example.pk})
    assert (foreign.status_code, foreign.value["codes"]) == (400, {"target": ["unknown_domain"]})


# --- aliases ---------------------------------------------------------------------------------------------------


def test_an_alias_lives(cast: Cast) -> None:
    dora = Program(cast.dora)
    body = {"address": "Info@dora.example", "recipients": ["sam@dora.example"]}
    new = dora.post("/aliases/", body)
    assert new.value == {
        "pk": new.value["pk"],
        "address": "info@dora.example",
        "enabled": True,
        "internal": False,
        "recipients": ["sam@dora.example"],
        "description": "",
        "expire_at": None,
    }
    path = f"/aliases/{new.value['pk']}/"
    changed = dora.put(path, body | {"recipients": ["x@else.example", "sam@dora.example"], "internal": False})
    assert changed.value["recipients"] == ["sam@dora.example", "x@else.example"]
    assert dora.patch(path, {"enabled": False}).value == changed.value | {"enabled": False}
    assert dora.put(path, {"address": "info@dora.example"}).value["codes"] == {"recipients": ["required"]}
    assert dora.patch(path, {"address": "b@dora.example"}).value["codes"] == {"address": ["address_stays"]}
    assert dora.patch(path, {"internal": True}).value["codes"] == {"internal": ["internal_not_possible"]}
    assert (dora.delete(path).status_code, dora.get(path).status_code) == (204, 404)


@pytest.mark.parametrize(
    ("body", "status", "codes"),
    [
        (
            {"address": "a@nowhere.example", "recipients": ["x@else.example"]},
            400,
            {"address": ["unknown_domain"]},
        ),
        (
            {"address": "a@mallory.example", "recipients": ["x@else.example"]},
            400,
            {"address": ["unknown_domain"]},
        ),
        ({"address": "a@dora.example", "recipients": []}, 400, {"recipients": ["empty"]}),
        (
            {"address": "a@dora.example", "recipients": ["b@dora.example"]},
            404,
            {"recipients": ["unknown_recipient"]},
        ),
        (
            {"address": "a@dora.example", "recipients": ["a@dora.example"]},
            409,
            {"recipients": ["points_to_itself"]},
        ),
        ({"address": "a@dora.example", "recipients": "x@else.example"}, 400, {"recipients": ["not_a_list"]}),
    ],
)
def test_what_is_wrong_with_an_alias_has_its_status(
    cast: Cast, body: dict[str, Any], status: int, codes: dict[str, list[str]]
) -> None:
    answer = Program(cast.dora).post("/aliases/", body)
    assert (answer.status_code, answer.value["codes"]) == (status, codes)
    assert not Alias.objects.exists()


# --- the others ------------------------------------------------------------------------------------------------


def test_a_relay_domain_lives(cast: Cast) -> None:
    root = Program(cast.root)
    body = {"name": "relay.example", "target_host": "9.9.9.9"}
    new = root.post("/relaydomains/", body)
    assert new.value == {
        "pk": new.value["pk"],
        **body,
        "target_port": 25,
        "service": "relay",
        "verify_recipients": False,
        "enabled": True,
        "quota": 0,
        "default_mailbox_quota": 0,
    }
    path = f"/relaydomains/{new.value['pk']}/"
    changed = root.put(path, body | {"name": "other.example", "target_port": 26, "enabled": False})
    assert changed.value == new.value | {"name": "other.example", "target_port": 26, "enabled": False}
    assert root.patch(path, {"service": "nothing"}).value["codes"] == {"service": ["unknown_service"]}
    assert root.get(f"/domains/{new.value['pk']}/").value["type"] == "relaydomain"
    assert root.delete(path).status_code == 204


def test_a_sender_address_lives(cast: Cast) -> None:
    dora = Program(cast.dora)
    body = {"address": "info@dora.example", "mailbox": "sam@dora.example"}
    new = dora.post("/senderaddresses/", body)
    assert (new.status_code, new.value) == (201, {"pk": new.value["pk"]} | body)
    two = dora.post("/senderaddresses/", [body | {"address": f"{name}@dora.example"} for name in "ab"])
    assert [row["address"] for row in two.value] == ["a@dora.example", "b@dora.example"]
    assert dora.post("/senderaddresses/", body).value["codes"] == {"address": ["repeated"]}
    strange = dora.post("/senderaddresses/", body | {"mailbox": "mallory@mallory.example"})
    assert (strange.status_code, strange.value["codes"]) == (400, {"mailbox": ["unknown_mailbox"]})
    foreign = dora.post("/senderaddresses/", body | {"address": "x@mallory.example"})
    assert (foreign.status_code, list(foreign.value["codes"])) == (400, ["address"])
    assert len(dora.get("/senderaddresses/?mailbox=sam@dora.example").value) == 3
    path = f"/senderaddresses/{new.value['pk']}/"
    assert Program(cast.mallory).delete(path).status_code == 404
    assert (dora.delete(path).status_code, dora.get(path).status_code) == (204, 404)
    assert len(dora.get("/senderaddresses/").value) == 2


def test_resources_are_handed_out(cast: Cast) -> None:
    unset("limits")
    root, rita = Program(cast.root), Program(cast.rita)
    limits = {
        "domains": 5,
        "domain_aliases": 5,
        "domain_admins": 5,
        "mailboxes": 10,
        "mailbox_aliases": 10,
        "quota": 1000,
    }
    path = f"/resources/{cast.rita.pk}/"
    assert root.put(path, limits).value == limits
    assert len(root.put(path, {"domains": 5}).value["codes"]) == len(limits) - 1
    assert root.patch(path, {"domains": 6}).value == limits | {"domains": 6}
    assert rita.get(path).status_code == 404
    spec = AccountSpec(
        username="helper", role=Role.DOMAIN_ADMIN, password=PASSWORD, administers=("reseller.example",)
    )
    [helper] = create_accounts(cast.rita, [spec])
    path = f"/resources/{helper.account.pk}/"
    assert rita.patch(path, {"mailboxes": 4}).value["mailboxes"] == 4
    assert rita.patch(path, {"mailboxes": 40}).status_code == 424
    assert rita.patch(path, {"mailboxes": -1}).status_code == 400
    assert rita.patch(path, {"mailboxes": -2}).value["codes"] == {"mailboxes": ["min_value"]}
    assert Program(cast.dora).get(f"/resources/{cast.dora.pk}/").status_code == 404
    assert Program(cast.sam).get(f"/resources/{cast.sam.pk}/").status_code == 404
    assert root.get(f"/resources/{cast.root.pk}/").value["domains"] == -1


def test_usage_is_told(cast: Cast) -> None:
    Quota.objects.filter(username="sam@dora.example").update(bytes=2048, messages=3)
    assert Program(cast.dora).get("/quotas/?search=sam").value == [
        {"pk": cast.sam.pk, "address": "sam@dora.example", "quota": 100, "used_bytes": 2048, "messages": 3}
    ]
    assert Program(cast.sam).get("/quotas/").value == []
    assert Program(cast.sam).get("/quotas/?ordering=-used_bytes").value == []


def test_the_log_is_for_super_administrators(cast: Cast) -> None:
    create_domain(cast.root, name="new.example")
    [event] = Program(cast.root).get("/logs/?verb=domain.create&object_name=new.example").value
    assert (event["actor"], event["credential"], event["changed"]) == ("root", "session", [])
    newest = Program(cast.root).get("/logs/?page_size=2").value
    assert newest[0]["pk"] > newest[1]["pk"]
    assert Program(cast.dora).get("/logs/").value == []
    assert Program(cast.root).get("/logs/?object_id=x").status_code == 400


# --- roles: surface 3.7 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "domains", "accounts"),
    [
        ("root", ["dora.example", "mallory.example", "reseller.example"], 5),
        ("rita", ["reseller.example"], 1),
        ("dora", ["dora.example"], 2),
        ("sam", [], 0),
        ("mallory", ["mallory.example"], 1),
    ],
)
def test_everybody_reads_what_is_his(cast: Cast, who: str, domains: list[str], accounts: int) -> None:
    program = Program(cast.everybody[who])
    assert [row["name"] for row in program.get("/domains/").value] == domains
    assert len(program.get("/accounts/").value) == accounts


@pytest.mark.parametrize(
    ("who", "domain", "alias", "account"),
    [
        ("root", 201, 201, 201),
        ("rita", 201, 400, 404),
        ("dora", 403, 201, 201),
        ("sam", 403, 403, 403),
        ("mallory", 403, 400, 404),
    ],
)
def test_everybody_writes_what_is_his(cast: Cast, who: str, domain: int, alias: int, account: int) -> None:
    program = Program(cast.everybody[who])
    alias_body = {"address": "a@dora.example", "recipients": ["x@else.example"]}
    account_body = {"username": "jo@dora.example", "role": "SimpleUsers", "password": PASSWORD}
    assert program.post("/domains/", {"name": "new.example"}).status_code == domain
    assert program.post("/aliases/", alias_body).status_code == alias
    assert program.post("/accounts/", account_body).status_code == account


# --- statements ------------------------------------------------------------------------------------------------


def _statements(ask: Any) -> int:
    ask()
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    assert answer.status_code in {200, 201}, answer.value
    brackets = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK")
    return len([query for query in captured if not query["sql"].startswith(brackets)])


NOUNS = [
    "domains",
    "domainaliases",
    "accounts",
    "aliases",
    "relaydomains",
    "senderaddresses",
    "quotas",
    "logs",
]


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("who", ["root", "dora"])
def test_a_list_costs_the_same_for_few_and_many_rows(cast: Cast, noun: str, who: str, settings: Any) -> None:
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0  # it is counted in one of twelve requests
    program = Program(cast.everybody[who])

    def costs() -> list[int]:
        return [
            _statements(lambda query=query: program.get(f"/{noun}/{query}"))
            for query in ("", "?page_size=50")
        ]

    _more(cast, 1)
    few = costs()
    _more(cast, 10)
    assert costs() == few
    assert max(few) <= 8


def _more(cast: Cast, count: int) -> None:
    """So many of everything, in dora's domain where it can be."""
    names = [f"x{count}y{n}" for n in range(count)]
    specs = [
        AccountSpec(
            username=f"{name}@dora.example",
            role=Role.DOMAIN_ADMIN,
            password=PASSWORD,
            mailbox=MailboxSpec(address=f"{name}@dora.example"),
            administers=("dora.example",),
        )
        for name in names
    ]
    create_accounts(cast.root, specs)
    root, target = Program(cast.root), cast.dora_example.pk
    batches: dict[str, list[dict[str, Any]]] = {
        "/domains/": [{"name": f"{name}.d.example"} for name in names],
        "/domainaliases/": [{"name": f"{name}.a.example", "target": target} for name in names],
        "/aliases/": [
            {"address": f"a{name}@dora.example", "recipients": ["x@else.example"]} for name in names
        ],
        "/relaydomains/": [{"name": f"{name}.r.example", "target_host": "9.9.9.9"} for name in names],
        "/senderaddresses/": [
            {"address": f"s{name}@dora.example", "mailbox": "sam@dora.example"} for name in names
        ],
    }
    for path, batch in batches.items():
        assert root.post(path, batch).status_code == 201


def test_an_object_costs_few_statements(cast: Cast, settings: Any) -> None:
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0  # it is counted in one of twelve requests
    dora = Program(cast.dora)
    alias = dora.post("/aliases/", {"address": "a@dora.example", "recipients": ["x@else.example"]}).value
    for path in (
        f"/domains/{cast.dora_example.pk}/",
        f"/accounts/{cast.sam.pk}/",
        f"/aliases/{alias['pk']}/",
    ):
        assert _statements(lambda path=path: dora.get(path)) <= 5
    numbers = iter(range(10))
    body = {"role": "SimpleUsers", "password": PASSWORD}
    assert (
        _statements(lambda: dora.post("/accounts/", body | {"username": f"n{next(numbers)}@dora.example"}))
        <= 26
    )
    root = Program(cast.root)
    assert _statements(lambda: root.post("/domains/", {"name": f"n{next(numbers)}.example"})) <= 25
