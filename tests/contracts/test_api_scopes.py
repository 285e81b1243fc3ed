"""Which scope of a token opens which address of the API, for every method. An address without a line fails."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver, reverse

from core.models import ApiToken, Scope
from core.operations.tokens import digest_of
from tests.cast import Cast
from tests.contracts.api_client import ROOT, Program
from tests.contracts.conftest import Fingerprint

AREAS: dict[str, set[str]] = {
    "admin:api_account_detail": {"accounts"},
    "admin:api_account_exists": {"accounts"},
    "admin:api_account_list": {"accounts"},
    "admin:api_account_password": {"accounts"},
    "admin:api_alias_detail": {"aliases"},
    "admin:api_alias_list": {"aliases"},
    "admin:api_domain_alias_detail": {"domains"},
    "admin:api_domain_alias_list": {"domains"},
    "admin:api_domain_detail": {"domains"},
    "admin:api_domain_list": {"domains"},
    "admin:api_quota_list": {"accounts"},
    "admin:api_resource_detail": {"accounts"},
    "admin:api_sender_address_detail": {"accounts"},
    "admin:api_sender_address_list": {"accounts"},
    "core:api_log_list": {"accounts", "aliases", "domains"},
    "core:api_me": set(),
    "relaydomains:api_relay_domain_detail": {"domains"},
    "relaydomains:api_relay_domain_list": {"domains"},
}


def addresses() -> dict[str, set[str]]:
    """Methods by route; what documents the API is no part of it."""
    found = {}
    apps: list[Any] = get_resolver().url_patterns
    for app in apps:
        for pattern in app.url_patterns:
            if isinstance(pattern, URLPattern) and str(pattern.pattern).startswith("api/v1/"):
                methods = {method.upper() for method in pattern.callback.cls.http_method_names}  # type: ignore[attr-defined]  # of the framework's views
                found[f"{app.app_name}:{pattern.name}"] = methods - {"HEAD"}
    return found


def test_every_address_has_a_line() -> None:
    assert set(addresses()) == set(AREAS)


@pytest.mark.parametrize("route", sorted(AREAS))
def test_a_scope_opens_what_it_is_for_and_nothing_else(
    cast: Cast, route: str, fingerprint: Fingerprint, settings: Any
) -> None:
    settings.MODOBOA_API_REQUESTS_PER_MINUTE = 0
    program = Program(cast.root)
    program.get("/me/")  # notes the use of the token
    token = ApiToken.objects.filter(digest=digest_of(program.new.clear))
    path = reverse(route, args=[cast.dora.pk] if route.endswith(("_detail", "_password")) else [])
    path = path.removeprefix(ROOT)
    for method, scope in itertools.product(addresses()[route], Scope.values):
        token.update(scopes=[scope])
        before = fingerprint()
        reads = method in {"GET", "OPTIONS"}
        answer = program.ask(method, path, None if reads else {})
        verb = "read" if reads else "write"
        opened = {f"{area}:{verb}" for area in AREAS[route]} <= {scope}
        assert (answer.status_code == 403 and answer.value["code"] == "scope_missing") is not opened, (
            method,
            scope,
            answer.value,
        )
        if not opened:
            assert fingerprint() == before


def test_the_log_is_opened_by_all_that_read(cast: Cast) -> None:
    for areas in itertools.combinations(("accounts", "aliases", "domains"), 2):
        assert Program(cast.root, tuple(f"{area}:read" for area in areas)).get("/logs/").status_code == 403
    everything = ("accounts:read", "aliases:read", "domains:read")
    assert Program(cast.root, everything).get("/logs/").status_code == 200
