"""What the schema promises, kept for every role: requests that fit the schema, requests that hardly miss it.

schemathesis makes both kinds, the same ones every time; MODOBOA_TEST_EXAMPLES asks for that many new ones for each
operation and role. Each request is answered in a transaction that is rolled back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig

from admin.models import Account, Alias, Domain, DomainAlias, SenderAddress
from core import background
from relaydomains.models import RelayDomain
from tests.cast import PASSWORD, Cast
from tests.contracts.api_client import Program
from tests.servers.dns import DnsServer

pytestmark = pytest.mark.any_engine

WANTED = os.environ.get("MODOBOA_TEST_EXAMPLES")
KEPT = Path(__file__).resolve().parents[2] / "docs/api/openapi.yaml"
# A super administrator, a reseller, a domain administrator, a simple user.
ROLES = ("root", "rita", "dora", "sam")
# Values that mean something here: without them hardly any request would get behind the first check.
WORDS = {
    "names": ["new.example", "bücher.example", "dora.example", "reseller.example"],
    "addresses": ["new@dora.example", "sam@dora.example", "new@reseller.example", "@dora.example"],
    "recipients": ["sam@dora.example", "x@else.example"],
    "mailboxes": ["sam@dora.example", "dora@dora.example"],
    "passwords": [PASSWORD],
    "hosts": ["9.9.9.9", "mail.else.example"],
    "services": ["relay", "smtp"],
    "roles": ["SimpleUsers", "DomainAdmins"],
}
FIELDS = {
    "body.name": "names",
    "body.username": "addresses",
    "body.address": "addresses",
    "body.mailbox.full_address": "addresses",
    "body.mailbox": "mailboxes",
    "body.recipients[*]": "recipients",
    "body.domains[*]": "names",
    "body.role": "roles",
    "body.password": "passwords",
    "body.new_password": "passwords",
    "body.target_host": "hosts",
    "body.service": "services",
    "query.domain": "names",
    "query.search": "addresses",
}
# What the library would check, but:
EXCLUDED = [
    checks.positive_data_acceptance,  # the schema cannot say which domains there are, whose they are, what is left
]
# One in so many requests at the edges, others for each role, unless more are asked for.
ONE_IN = 20
BOOLEANS = {"enabled", "is_active", "master_user", "random_password", "use_domain_quota", "verify_recipients"}

PATHS = yaml.safe_load(KEPT.read_text())["paths"]
NOUNS = sorted({path.split("/")[3] for path in PATHS})


@pytest.fixture(scope="module")
def schema() -> Any:
    """The one of the documentation; test_api_schema.py says that it is ours."""
    words = {name: {"values": values} for name, values in WORDS.items()}
    fields = {field: {"dictionary": name, "probability": 0.6} for field, name in FIELDS.items()}
    config = SchemathesisConfig.from_dict({"dictionaries": words, "parameters": fields})
    found = schemathesis.openapi.from_path(KEPT, config=config)
    found.app = get_wsgi_application()
    return found


@pytest.fixture(scope="module")
def names() -> Iterator[DnsServer]:
    """A DNS that says at once what it does not know."""
    with DnsServer({"mail.else.example": {"A": ["9.9.9.9"]}}) as server:
        yield server


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("who", ROLES)
def test_every_answer_is_one_that_the_schema_promises(
    cast: Cast, schema: Any, names: DnsServer, settings: Any, noun: str, who: str
) -> None:
    settings.MODOBOA_DNS_SERVERS = [names.endpoint]
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0
    stage = Stage(cast, who)
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = [operation for operation in operations if operation.path.split("/")[3] == noun]
    assert len(asked) == sum(len(methods) for path, methods in PATHS.items() if path.split("/")[3] == noun)
    for operation in asked:
        for case in _at_the_edges(operation, schema, who):
            stage.ask(case)
        _draw(operation, stage)


class Stage:
    """One of the cast with a token, and what he asks for."""

    def __init__(self, cast: Cast, who: str) -> None:
        root = Program(cast.root)
        root.post("/domainaliases/", {"name": "alias.example", "target": cast.dora_example.pk})
        root.post("/aliases/", {"address": "a@dora.example", "recipients": ["x@else.example"]})
        root.post("/relaydomains/", {"name": "relay.example", "target_host": "9.9.9.9"})
        root.post("/senderaddresses/", {"address": "b@dora.example", "mailbox": "sam@dora.example"})
        self.headers = Program(cast.everybody[who]).headers
        models = {
            "domains": Domain,
            "domainaliases": DomainAlias,
            "accounts": Account,
            "resources": Account,
            "aliases": Alias,
            "relaydomains": RelayDomain,
            "senderaddresses": SenderAddress,
        }
        self.keys = {
            noun: list(model._default_manager.order_by("pk").values_list("pk", flat=True))
            for noun, model in models.items()
        }

    def ask(self, case: Any) -> None:
        """Send it, look at the answer, take everything back."""
        pk = str(case.path_parameters.get("pk", ""))
        if pk.isascii() and pk.isdigit():  # any number: one that is there
            keys = self.keys[case.path.split("/")[3]]
            case.path_parameters["pk"] = keys[int(pk) % len(keys)]
        if "If-Match" in case.headers:  # no state of anything: nothing would get further
            case.headers["If-Match"] = "*"
        with _one_connection(), background.muted(), transaction.atomic():
            try:
                case.call_and_validate(headers=self.headers, excluded_checks=_excluded(case))
            finally:
                transaction.set_rollback(True)


@contextmanager
def _one_connection() -> Iterator[None]:
    """The application of a server closes connections between requests; the transaction of the test is in this one."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def _excluded(case: Any) -> list[Any]:
    """What is wrong by the schema, and read: forms say everything in text, and many programs say 0 and 1."""
    is_lenient = case.media_type not in {None, "application/json"} or _has_numbers_for_booleans(case.body)
    return [*EXCLUDED, checks.negative_data_rejection] if is_lenient else EXCLUDED


def _has_numbers_for_booleans(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_numbers_for_booleans, value))
    return isinstance(value, dict) and any(
        (name in BOOLEANS and not isinstance(each, bool) and each in (0, 1))
        or _has_numbers_for_booleans(each)
        for name, each in value.items()
    )


def _at_the_edges(operation: Any, schema: Any, who: str) -> Iterator[Any]:
    """Each field at and over its limits, missing, of another type; methods that are not there."""
    cases = schema.iter_coverage_cases(
        operation, generation_modes=list(GenerationMode), generation_config=schema.config.generation
    )
    return cases if WANTED else islice(cases, ROLES.index(who), None, ONE_IN)


def _draw(operation: Any, stage: Stage) -> None:
    """At random."""

    @settings(
        max_examples=int(WANTED or 2),
        derandomize=WANTED is None,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)))
    def ask(case: Any) -> None:
        stage.ask(case)

    ask()
