"""The documentation of the API: the page, the schema, and the copy of it that is kept with the documentation."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from tests.cast import Cast
from tests.contracts.api_client import Program

KEPT = Path(__file__).resolve().parents[2] / "docs/api/openapi.yaml"
# Those whose answers say the same whoever wrote them.
LISTS = [
    "domains",
    "domainaliases",
    "accounts",
    "aliases",
    "relaydomains",
    "senderaddresses",
    "quotas",
    "logs",
]


def _schema() -> dict[str, Any]:
    text = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--lang", "en", stdout=text)
    schema: dict[str, Any] = yaml.safe_load(text.getvalue())
    return schema


def test_the_schema_in_the_documentation_is_the_present_one() -> None:
    """To write it anew: python manage.py spectacular --lang en --file docs/api/openapi.yaml."""
    assert yaml.safe_load(KEPT.read_text()) == _schema()


def test_every_operation_says_what_it_is_about_and_how_it_is_refused() -> None:
    operations = [
        (method, path, operation)
        for path, methods in _schema()["paths"].items()
        for method, operation in methods.items()
    ]
    assert len({operation["operationId"] for _method, _path, operation in operations}) == len(operations)
    for method, path, operation in operations:
        assert path.startswith("/api/v1/")
        assert operation["summary"]
        assert {"400", "401", "403", "429"} <= operation["responses"].keys()
        if method in {"post", "put", "patch"}:
            content = operation["requestBody"]["content"]["application/json"]
            assert content["examples"]


@pytest.mark.parametrize("noun", LISTS)
def test_what_is_answered_is_what_the_schema_says(cast: Cast, noun: str) -> None:
    root = Program(cast.root)
    root.post("/domainaliases/", {"name": "alias.example", "target": cast.dora_example.pk})
    root.post("/aliases/", {"address": "a@dora.example", "recipients": ["x@else.example"]})
    root.post("/relaydomains/", {"name": "relay.example", "target_host": "9.9.9.9"})
    root.post("/senderaddresses/", {"address": "b@dora.example", "mailbox": "sam@dora.example"})
    schema = _schema()
    shape = schema["paths"][f"/api/v1/{noun}/"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    rows = root.get(f"/{noun}/").value
    assert rows
    for row in rows:
        own = {**shape["items"], "components": schema["components"]}
        jsonschema.validate(_without_nulls(row), own)


def _without_nulls(value: Any) -> Any:
    """OpenAPI 3.0 writes null in its own way, which plain JSON schemas do not know."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return value


def test_the_page_loads_nothing_from_elsewhere_and_no_inline_script(cast: Cast) -> None:
    browser = Client()
    assert browser.get("/docs/api/").status_code == 401
    browser.force_login(cast.sam.user)
    page = browser.get("/docs/api/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "https://" not in text
    assert "http://" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    script = browser.get("/docs/api/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "/docs/api/openapi.json" in script.content.decode()
    assert browser.get("/docs/api/openapi.json").json()["info"]["title"] == "Modoboa API"
