"""Every route, every person, own and foreign objects. The routes come from the resolver: a new one fails here first.

A cell is the status for a person; ``in`` is a redirect to the sign-in page. A POST carries values that the
operation would accept, so that a refusal is one of permission.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from admin.imports import jobs
from admin.imports.jobs import Job
from admin.models import Account, Alias, Domain, MailboxOperation
from admin.operations import (
    Appointment,
    DomainAliasSpec,
    SenderAddressSpec,
    add_administrators,
    add_sender_addresses,
    create_account,
    create_alias,
    create_domain_aliases,
    update_account,
)
from admin.operations.accounts import MailboxSpec
from core.actor import Actor
from core.models import ApiToken, User
from core.operations.resets import link_of
from core.operations.tokens import create_token
from core.roles import Role
from core.views.resets import IN_COOKIE
from relaydomains.operations import RelayDomainSpec, create_relay_domains
from tests.cast import PASSWORD, Cast
from tests.contracts.api_matrix import API_MATRIX, body_of, noun_of
from tests.contracts.conftest import Fingerprint
from tests.stored_parameters import posted, store

PEOPLE = ("anonymous", "root", "rita", "dora", "sam", "mallory", "disabled")
DOMAINS = {"doras": "dora.example", "mallorys": "mallory.example", "ritas": "reseller.example"}
DELETION = "confirmation"
NEW = "Another-Horse-8"
FILE = {"filename": "all.csv", "sepchar": ";"}
TARGET = {"target_host": "9.9.9.9", "target_port": "25", "service": "relay"}

# route: {method and target: a status for each of PEOPLE}
#                                          anon root rita dora  sam  mall disabled
MATRIX: Mapping[str, Mapping[str, str]] = {
    "core:root": {
        "GET": "                           in   302  302  302  302  302  in",
        "POST": "                          in   405  405  405  405  405  in",
    },
    "core:top_notifications_check": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   405  405  405  405  405  in",
    },
    "core:sign_in": {
        "GET": "                           200  200  200  200  200  200  200",
        "POST": "                          401  401  401  401  401  401  401",
    },
    "core:sign_out": {
        "GET": "                           in   405  405  405  405  405  in",
        "POST": "                          in   302  302  302  302  302  in",
    },
    "core:password_reset": {
        "GET": "                           200  200  200  200  200  200  200",
        "POST": "                          302  302  302  302  302  302  302",
    },
    "core:password_reset_done": {
        "GET": "                           200  200  200  200  200  200  200",
        "POST": "                          405  405  405  405  405  405  405",
    },
    # Whoever has the link is let in, whoever else he may be; nobody else is.
    "core:password_reset_confirm": {
        "GET link": "                      200  200  200  200  200  200  200",
        "GET nonsense": "                  410  410  410  410  410  410  410",
        "POST link": "                     302  302  302  302  302  302  302",
        "POST nonsense": "                 410  410  410  410  410  410  410",
    },
    "core:password_reset_complete": {
        "GET": "                           200  200  200  200  200  200  200",
        "POST": "                          405  405  405  405  405  405  405",
    },
    "core:user_profile": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   302  302  302  302  302  in",
    },
    "core:user_password": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   302  302  302  302  302  in",
    },
    "core:user_token_list": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   405  405  405  405  405  in",
    },
    "core:user_token_create": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   201  201  201  201  201  in",
    },
    # A token is its owner's business, whoever administers him.
    "core:user_token_delete": {
        "GET sams": "                      in   404  404  404  200  404  in",
        "POST sams": "                     in   404  404  404  302  404  in",
    },
    "core:user_token_delete_all": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   302  302  302  302  302  in",
    },
    "core:settings_api": {
        "GET": "                           in   200  403  403  403  403  in",
        # It turns the access off: everybody has a token here.
        "POST": "                          in   302  403  403  403  403  in",
    },
    "parameters:site_parameters": {
        "GET": "                           in   200  403  403  403  403  in",
        "POST": "                          in   302  403  403  403  403  in",
    },
    "parameters:parameter_history": {
        "GET": "                           in   200  403  403  403  403  in",
        "POST": "                          in   405  405  405  405  405  in",
    },
    "parameters:preference_history": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   405  405  405  405  405  in",
    },
    "parameters:user_preferences": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   302  302  302  302  302  in",
    },
    # Who has no mailbox has nothing to forward.
    "admin:user_forward": {
        "GET": "                           in   403  403  200  200  200  in",
        "POST": "                          in   403  403  302  302  302  in",
    },
    # The logo only, and here is none.
    "core:logo": {
        "GET": "                           404  404  404  404  404  404  404",
        "POST": "                          405  405  405  405  405  405  405",
    },
    "core:style_guide": {
        "GET": "                           in   200  403  403  403  403  in",
        "POST": "                          in   200  403  403  403  403  in",
    },
    "admin:my_mailbox": {
        "GET": "                           in   200  200  200  200  200  in",
        "POST": "                          in   405  405  405  405  405  in",
    },
    "admin:dashboard": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:domain_list": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:domain_create": {
        "GET": "                           in   200  200  403  403  403  in",
        "POST": "                          in   302  302  403  403  403  in",
    },
    "admin:domain_detail": {
        "GET doras": "                     in   200  404  200  403  404  in",
        "GET mallorys": "                  in   200  404  404  403  200  in",
        "GET ritas": "                     in   200  200  404  403  404  in",
        "POST doras": "                    in   405  405  405  403  405  in",
    },
    "admin:domain_update": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET mallorys": "                  in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST mallorys": "                 in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "admin:domain_delete": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET mallorys": "                  in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST mallorys": "                 in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "admin:domain_administrator_add": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "admin:domain_administrator_remove": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "admin:domain_names": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:administrator_names": {
        "GET": "                           in   200  200  403  403  403  in",
        "POST": "                          in   405  405  403  403  403  in",
    },
    # Previews: what a stranger selects is not there for them. test_bulk.py carries them out.
    "admin:domain_bulk": {
        "GET doras": "                     in   405  405  403  403  403  in",
        "POST doras": "                    in   200  200  403  403  403  in",
        "POST ritas": "                    in   200  200  403  403  403  in",
    },
    "admin:identity_bulk": {
        "GET doras": "                     in   405  405  405  403  405  in",
        "POST doras": "                    in   200  200  200  403  200  in",
        "POST roots": "                    in   200  200  200  403  200  in",
    },
    # What a stranger selects is not in the file; test_csv_export.py reads it.
    "admin:domain_export": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST file": "                     in   200  200  200  403  200  in",
        "POST doras": "                    in   200  200  200  403  200  in",
    },
    "admin:identity_export": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST file": "                     in   200  200  200  403  200  in",
        "POST doras": "                    in   200  200  200  403  200  in",
    },
    "admin:identity_list": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:quota_list": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:directory_list": {
        "GET": "                           in   200  403  403  403  403  in",
        "POST": "                          in   405  403  403  403  403  in",
    },
    "admin:directory_bulk": {
        "GET waiting": "                   in   405  403  403  403  403  in",
        "POST waiting": "                  in   200  403  403  403  403  in",
    },
    # A plan is its owner's business, whoever he is.
    "admin:import_create": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   302  302  302  403  302  in",
    },
    "admin:import_example": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:import_columns": {
        "GET asking": "                    in   404  404  200  403  404  in",
        "POST asking": "                   in   404  404  302  403  404  in",
        "GET planned": "                   in   404  404  302  403  404  in",
    },
    "admin:import_detail": {
        "GET planned": "                   in   404  404  200  403  404  in",
        "GET nonsense": "                  in   404  404  404  403  404  in",
        "POST planned": "                  in   405  405  405  403  405  in",
    },
    "admin:import_refused": {
        "GET planned": "                   in   404  404  200  403  404  in",
        "GET nonsense": "                  in   404  404  404  403  404  in",
        "POST planned": "                  in   405  405  405  403  405  in",
    },
    "admin:import_reasons": {
        "GET planned": "                   in   404  404  200  403  404  in",
        "GET nonsense": "                  in   404  404  404  403  404  in",
        "POST planned": "                  in   405  405  405  403  405  in",
    },
    "admin:import_plan": {
        "GET planned": "                   in   405  405  405  403  405  in",
        "POST planned": "                  in   404  404  302  403  404  in",
        "POST nonsense": "                 in   404  404  404  403  404  in",
    },
    "admin:import_apply": {
        "GET planned": "                   in   405  405  405  403  405  in",
        "POST planned": "                  in   404  404  302  403  404  in",
        "POST nonsense": "                 in   404  404  404  403  404  in",
    },
    "admin:import_cancel": {
        "GET planned": "                   in   405  405  405  403  405  in",
        "POST planned": "                  in   404  404  302  403  404  in",
        "POST nonsense": "                 in   404  404  404  403  404  in",
    },
    "admin:information": {
        "GET": "                           in   200  403  403  403  403  in",
        "POST": "                          in   405  403  403  403  403  in",
    },
    "admin:search": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST": "                          in   405  405  405  403  405  in",
    },
    "admin:address_detail": {
        # Without an address it leads to the search; an address in a domain of others is one like any other.
        "GET": "                           in   302  302  302  403  302  in",
        "GET doras": "                     in   200  200  200  403  200  in",
        "GET mallorys": "                  in   200  200  200  403  200  in",
        "POST doras": "                    in   405  405  405  403  405  in",
    },
    "admin:account_create": {
        "GET": "                           in   200  200  200  403  200  in",
        # A strange domain is refused with the words for one that does not exist.
        "POST doras": "                    in   302  422  302  403  422  in",
        "POST mallorys": "                 in   302  422  422  403  302  in",
        "POST ritas": "                    in   302  302  422  403  422  in",
    },
    "admin:account_detail": {
        "GET doras": "                     in   200  404  200  403  404  in",
        "GET peers": "                     in   200  404  200  403  404  in",
        "GET mallorys": "                  in   200  404  404  403  200  in",
        "GET roots": "                     in   200  404  404  403  404  in",
        "POST doras": "                    in   405  405  405  403  405  in",
    },
    "admin:account_update": {
        "GET doras": "                     in   200  404  200  403  404  in",
        # Another administrator of the same domain, and one who looks after a further one that dora does not see.
        "GET peers": "                     in   200  404  200  403  404  in",
        "GET carers": "                    in   200  404  403  403  404  in",
        "GET mallorys": "                  in   200  404  404  403  200  in",
        "GET roots": "                     in   200  404  404  403  404  in",
        "POST doras": "                    in   302  404  302  403  404  in",
        "POST peers": "                    in   302  404  302  403  404  in",
        "POST carers": "                   in   302  404  403  403  404  in",
        "POST mallorys": "                 in   302  404  404  403  302  in",
        "POST roots": "                    in   302  404  404  403  404  in",
    },
    "admin:account_delete": {
        "GET doras": "                     in   200  404  200  403  404  in",
        "GET peers": "                     in   200  404  200  403  404  in",
        "GET carers": "                    in   200  404  403  403  404  in",
        # Nobody deletes himself.
        "GET mallorys": "                  in   200  404  404  403  403  in",
        "GET roots": "                     in   403  404  404  403  404  in",
        "POST doras": "                    in   302  404  302  403  404  in",
        "POST peers": "                    in   302  404  302  403  404  in",
        "POST carers": "                   in   302  404  403  403  404  in",
        "POST mallorys": "                 in   302  404  404  403  403  in",
        "POST roots": "                    in   403  404  404  403  404  in",
    },
    "admin:alias_create": {
        "GET": "                           in   200  200  200  403  200  in",
        "POST doras": "                    in   302  422  302  403  422  in",
        "POST mallorys": "                 in   302  422  422  403  302  in",
        "POST ritas": "                    in   302  302  422  403  422  in",
    },
    "admin:alias_detail": {
        "GET doras": "                     in   200  404  200  403  404  in",
        "GET mallorys": "                  in   200  404  404  403  200  in",
        "POST doras": "                    in   405  405  405  403  405  in",
    },
    "admin:alias_update": {
        "GET doras": "                     in   200  404  200  403  404  in",
        "GET mallorys": "                  in   200  404  404  403  200  in",
        "POST doras": "                    in   302  404  302  403  404  in",
        "POST mallorys": "                 in   302  404  404  403  302  in",
    },
    "admin:alias_delete": {
        "GET doras": "                     in   200  404  200  403  404  in",
        "GET mallorys": "                  in   200  404  404  403  200  in",
        "POST doras": "                    in   302  404  302  403  404  in",
        "POST mallorys": "                 in   302  404  404  403  302  in",
    },
    "relaydomains:relay_domain_create": {
        "GET": "                           in   200  200  403  403  403  in",
        "POST": "                          in   302  302  403  403  403  in",
    },
    "relaydomains:relay_domain_start": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET mallorys": "                  in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST mallorys": "                 in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "relaydomains:relay_domain_update": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET mallorys": "                  in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST mallorys": "                 in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "relaydomains:relay_domain_stop": {
        "GET doras": "                     in   200  404  403  403  403  in",
        "GET mallorys": "                  in   200  404  403  403  403  in",
        "GET ritas": "                     in   200  200  403  403  403  in",
        "POST doras": "                    in   302  404  403  403  403  in",
        "POST mallorys": "                 in   302  404  403  403  403  in",
        "POST ritas": "                    in   302  302  403  403  403  in",
    },
    "relaydomains:service_list": {
        "GET": "                           in   200  200  403  403  403  in",
        "POST": "                          in   405  405  403  403  403  in",
    },
    "relaydomains:service_scan": {
        "GET": "                           in   405  405  403  403  403  in",
        "POST": "                          in   302  302  403  403  403  in",
    },
    **API_MATRIX,
}
TOKEN = re.compile(r"\b[A-Za-z0-9]{64}\b")  # against forgery: another one in every answer


def routes(resolver: URLResolver | None = None, namespace: str = "") -> Iterator[str]:
    """Names of all routes, with their namespaces."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from routes(entry, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name}"


def test_every_route_stands_in_the_matrix_and_nothing_else_does() -> None:
    assert sorted(routes()) == sorted(MATRIX)


class Stage:
    """The cast with something for everybody to look at, and somebody who was disabled."""

    def __init__(self, cast: Cast) -> None:
        ghost = _person(cast, "ghost@dora.example", Role.DOMAIN_ADMIN)
        peer = _person(cast, "peer@dora.example", Role.DOMAIN_ADMIN)
        carer = _person(cast, "carer@dora.example", Role.DOMAIN_ADMIN)
        add_administrators(cast.root, [Appointment(cast.mallory_example, "carer@dora.example")])
        helper = create_account(
            cast.rita, username="helper", role=Role.DOMAIN_ADMIN, administers=("reseller.example",)
        ).account
        doras = create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
        mallorys = create_alias(
            cast.root, address="info@mallory.example", recipients=("a@elsewhere.example",)
        )
        self.people: dict[str, Actor | None] = {**cast.everybody, "anonymous": None, "disabled": ghost}
        self.objects: dict[str, dict[str, Any]] = {
            "domain": {
                "doras": cast.dora_example,
                "mallorys": cast.mallory_example,
                "ritas": cast.reseller_example,
            },
            "account": {
                "doras": cast.sam.user,
                "peers": peer.user,
                "carers": carer.user,
                "mallorys": cast.mallory.user,
                "roots": cast.root.user,
            },
            "alias": {"doras": doras, "mallorys": mallorys},
            "relay": _relayed(cast),
            "user": {"sams": {name: _token(actor) for name, actor in cast.everybody.items()}["sam"]},
            "order": {"waiting": _order(cast)},
        }
        [further] = create_domain_aliases(
            cast.root, [DomainAliasSpec(name="dora.test", target="dora.example")]
        )
        [sender] = add_sender_addresses(
            cast.root, [SenderAddressSpec(address="info@dora.example", mailbox="sam@dora.example")]
        )
        self.objects |= {
            "domain_alias": {"doras": further},
            "relay_domain": self.objects["relay"],
            "resource": {"ritas": cast.rita.user},
            "sender_address": {"doras": sender},
        }
        self.imports: dict[str, Job] = {}
        self.administrators = {"doras": peer.pk, "ritas": helper.pk}
        self.link = _link(cast.dora)
        self.cast = cast

    def begin_imports(self) -> None:
        """One that waits for its columns, and one that was planned; dora's."""
        lines = b"alias;shop@dora.example;true;sam@dora.example\r\nalias;no;true;sam@dora.example\r\n"
        self.imports = {
            "asking": begun(self.cast.dora, b"wer;kennwort\r\njo@dora.example;Correct-Horse-7\r\n"),
            "planned": begun(self.cast.dora, lines),
        }
        nowhere = replace(self.imports["planned"])
        nowhere.token = "0" * 32
        self.imports["nonsense"] = nowhere

    def url(self, route: str, target: str) -> str:
        if route in {"core:logo", "core:password_reset_confirm"}:
            return reverse(route, args=["logo.png"] if route == "core:logo" else [self.link[0], IN_COOKIE])
        if ":api_" in route:
            return self._api_url(route, target)
        if route.startswith("admin:import_"):
            return reverse(route, args=[self.imports[target].token] if target else [])
        noun = route.partition(":")[2].partition("_")[0]
        if noun == "address":
            return reverse(route, query={"address": f"info@{DOMAINS[target]}"} if target else None)
        if route == "relaydomains:relay_domain_start":
            noun = "domain"
        if route == "admin:domain_administrator_remove":
            return reverse(route, args=[self.objects[noun][target].pk, self.administrators[target]])
        needs_pk = target and not route.endswith(("_create", "_bulk", "_export"))
        return reverse(route, args=[self.objects[noun][target].pk] if needs_pk else [])

    def _api_url(self, route: str, target: str) -> str:
        if route.endswith("_exists"):
            return reverse(route, query={"email": "sam@dora.example"})
        if route.endswith(("_detail", "_password")):
            return reverse(route, args=[self.objects[noun_of(route)][target].pk])
        return reverse(route)

    def body(self, route: str, method: str, target: str) -> Any:
        """What the API accepts."""
        return body_of(route, method, DOMAINS.get(target, ""), self.objects, target)

    def values(self, route: str, target: str) -> dict[str, Any]:
        """What the form behind *route* accepts."""
        noun, _underscore, verb = route.partition(":")[2].partition("_")
        domain = DOMAINS.get(target, "")
        if verb == "delete":
            return {DELETION: str(self.objects[noun][target])}
        forms: dict[tuple[str, str], dict[str, Any]] = {
            ("domain", "create"): {"name": "new.example"},
            ("domain", "update"): {"quota": "3 GB"},
            ("domain", "administrator_add"): {"username": "rita"},
            ("account", "create"): {
                "address_local": "new",
                "address_domain": domain,
                "role": "SimpleUsers",
                "password_mode": "type",
                "password": PASSWORD,
                "is_active": "on",
            },
            ("alias", "create"): {
                "address_local": "new",
                "address_domain": domain,
                "recipients": "else@where.example",
            },
            ("relay", "domain_create"): {"name": "new.example", **TARGET},
            ("relay", "domain_start"): TARGET,
            ("relay", "domain_update"): TARGET | {"target_port": "26"},
            ("relay", "domain_stop"): {DELETION: str(self.objects["relay"].get(target, ""))},
            ("alias", "update"): {"recipients": "else@where.example"},
            ("domain", "bulk"): self._selection("domain", target),
            ("identity", "bulk"): self._selection("account", target),
            ("directory", "bulk"): self._selection("order", target) | {"verb": "give_up"},
            ("domain", "export"): FILE if target == "file" else self._selection("domain", target),
            ("identity", "export"): FILE if target == "file" else self._selection("account", target),
            ("password", "reset"): {"username": "nobody"},
            ("password", "reset_confirm"): {"password": NEW, "repeated": NEW},
            ("user", "profile"): {"first_name": "Changed", "current_password": PASSWORD},
            ("user", "password"): {"current_password": PASSWORD, "password": NEW, "repeated": NEW},
            ("user", "token_create"): {
                "name": "report",
                "scopes": ["domains:read"],
                "current_password": PASSWORD,
            },
            ("user", "preferences"): {"language": "fr"},
            ("site", "parameters"): posted(core__items_per_page=50),
            ("user", "forward"): {"recipients": "else@where.example"},
            ("import", "create"): {
                "file": SimpleUploadedFile("new.csv", b"domain;new.example;0;0;true"),
                "passwords": "clear",
                "separator": "found",
                "encoding": "found",
            },
            ("import", "columns"): {
                "first_line": "names",
                "kind": "account",
                "column_0": "username",
                "column_1": "password",
            },
            ("import", "apply"): {"digest": self.imports["planned"].digest if self.imports else ""},
        }
        if (noun, verb) == ("account", "update"):
            account: User = self.objects[noun][target]
            return {"first_name": "Changed", "role": account.role, "is_active": "on"}
        return forms.get((noun, verb), {})

    def _selection(self, noun: str, target: str) -> dict[str, str]:
        chosen = self.objects[noun].get(target)
        return {"verb": "disable", "selected": f"{noun}:{chosen.pk}"} if chosen else {}


def begun(owner: Actor, content: bytes) -> Job:
    """An import of his, as far as it goes by itself."""
    job = jobs.begin(owner, new_job(owner), [content])
    return next(each for each in jobs.jobs_of(owner) if each.token == job.token)


def new_job(owner: Actor) -> Job:
    """For a file with clear passwords."""
    return Job(owner.pk, owner.address, "new.csv", time.time(), continue_if_exists=True, crypt_password=True)


def _relayed(cast: Cast) -> dict[str, Domain]:
    """A relay domain for each of those who look after domains."""
    people = {"doras": cast.dora, "mallorys": cast.mallory, "ritas": cast.rita}
    specs = [RelayDomainSpec(name=f"{name}.test", target_host="9.9.9.9") for name in people]
    domains = [relay.domain for relay in create_relay_domains(cast.root, specs)]
    appointments = zip(domains, (actor.user.username for actor in people.values()), strict=True)
    add_administrators(cast.root, [Appointment(domain, username) for domain, username in appointments])
    return dict(zip(people, domains, strict=True))


def _order(cast: Cast) -> MailboxOperation:
    """A deletion on disk that waits."""
    return MailboxOperation.objects.create(
        kind="delete",
        mailbox_id=cast.sams_mailbox.pk,
        old_address="old@dora.example",
        source="dora.example/old",
    )


def _token(owner: Actor) -> ApiToken:
    return create_token(owner, name="sams", scopes=["domains:read"], current_password=PASSWORD).token


def _link(owner: Actor) -> tuple[str, str]:
    """The two parts of a link for a new password: whose, and the secret."""
    User.objects.filter(pk=owner.pk).update(secondary_email="dora@home.example")
    *_site, uid, secret, _end = link_of(User.objects.get(pk=owner.pk)).split("/")
    return uid, secret


def _person(cast: Cast, address: str, role: Role) -> Actor:
    created = create_account(
        cast.root,
        username=address,
        password=PASSWORD,
        role=role,
        mailbox=MailboxSpec(address=address),
        administers=("dora.example",),
    )
    return Actor(created.account, cast.root.credential, cast.root.address)


def _group(route: str) -> str:
    """Routes about one noun, which are asked in one stage: every answer is taken back."""
    return route.partition("_")[0]


@pytest.mark.parametrize("group", sorted(set(map(_group, MATRIX))))
def test_everybody_gets_what_the_matrix_says_and_a_denial_changes_nothing(
    group: str,
    cast: Cast,
    browser_of: Callable[[Actor | None], Client],
    fingerprint: Fingerprint,
    tmp_path: Path,
) -> None:
    stage = Stage(cast)
    (tmp_path / "master.cf").write_text("new unix - - y - - smtp\n")
    store("relaydomains", master_cf_path=str(tmp_path / "master.cf"))
    browsers = {name: browser_of(actor) for name, actor in stage.people.items()}
    update_account(cast.root, Account.objects.get(username="ghost@dora.example"), is_active=False)
    kept = tmp_path / "data"
    if group == "admin:import":
        stage.begin_imports()
        shutil.copytree(kept, tmp_path / "before")
    expected: dict[tuple[str, str, str], str] = {}
    found: dict[tuple[str, str, str], str] = {}
    wrote: dict[tuple[str, str, str], bool] = {}
    before = fingerprint()
    for route, question, person, status in _cells(group):
        cell = route, question, person
        method, _space, target = question.partition(" ")
        expected[cell] = status
        cookies = deepcopy(browsers[person].cookies)
        with transaction.atomic():
            found[cell] = _ask(browsers[person], method, stage, route, target)
            wrote[cell] = fingerprint() != before
            transaction.set_rollback(True)
        if stage.imports:
            shutil.rmtree(kept)
            shutil.copytree(tmp_path / "before", kept)
        browsers[person].cookies = cookies  # the session of a new password was taken back, too
    assert found == expected
    accepted = {cell: status in _WROTE[cell[1].partition(" ")[0]] for cell, status in expected.items()}
    assert wrote == accepted


def _cells(group: str) -> Iterator[tuple[str, str, str, str]]:
    """Route, question, person, and what he gets."""
    for route, questions in MATRIX.items():
        if _group(route) == group:
            for question, cells in questions.items():
                for person, status in zip(PEOPLE, cells.split(), strict=True):
                    yield route, question, person, status


_WROTE = {
    "GET": set[str](),
    "POST": {"201", "302"},
    "PUT": {"200"},
    "PATCH": {"200"},
    "DELETE": {"204"},
}


def _ask(browser: Client, method: str, stage: Stage, route: str, target: str) -> str:
    url = stage.url(route, target)
    if target == "link":
        browser.cookies["reset"] = stage.link[1]
    if ":api_" in route and method != "GET":
        ask = getattr(browser, method.lower())
        return _word(ask(url, stage.body(route, method, target), content_type="application/json"))
    if method == "POST":
        return _word(browser.post(url, stage.values(route, target)))
    answer, head = browser.get(url), browser.head(url)
    assert head.status_code == answer.status_code, (route, target)
    _read(answer)
    _read(head)
    return _word(answer)


def _read(answer: HttpResponseBase) -> None:
    """To the end of a file that is sent: there it is closed."""
    if isinstance(answer, StreamingHttpResponse):
        list(answer)


def _word(answer: HttpResponseBase) -> str:
    if answer.status_code == 302 and answer.headers["Location"].startswith(
        f"{reverse('core:sign_in')}?next="
    ):
        return "in"
    return str(answer.status_code)


def test_what_a_stranger_sees_does_not_tell_whether_the_object_exists(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    stage = Stage(cast)
    mallory = browser_of(cast.mallory)
    for noun in ("domain", "account", "alias"):
        there = mallory.get(stage.url(f"admin:{noun}_detail", "doras"))
        nowhere = mallory.get(reverse(f"admin:{noun}_detail", args=[999_999]))
        assert there.status_code == nowhere.status_code == 404
        assert TOKEN.sub("", there.content.decode()) == TOKEN.sub("", nowhere.content.decode())


def test_an_administrator_cannot_create_somebody_above_himself(
    cast: Cast, browser_of: Callable[[Actor | None], Client], fingerprint: Fingerprint
) -> None:
    stage = Stage(cast)
    values = stage.values("admin:account_create", "ritas") | {"role": "SuperAdmins"}
    rita = browser_of(cast.rita)
    before = fingerprint()
    answer = rita.post(reverse("admin:account_create"), values)
    assert answer.status_code == 422
    assert answer.context["form"].errors.as_data()["role"][0].code == "role_not_yours"
    assert fingerprint() == before


def test_a_role_that_was_not_offered_is_not_taken_from_the_request(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    values = Stage(cast).values("admin:account_create", "doras") | {"role": "SuperAdmins"}
    assert browser_of(cast.dora).post(reverse("admin:account_create"), values).status_code == 302
    assert User.objects.get(username="new@dora.example").role == Role.SIMPLE_USER


def test_nobody_raises_or_disables_himself(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> None:
    url = reverse("admin:account_update", args=[cast.dora.pk])
    answer = browser_of(cast.dora).post(url, {"role": "SuperAdmins", "first_name": "Dora"})
    assert answer.status_code == 302
    dora = User.objects.get(pk=cast.dora.pk)
    assert (dora.role, dora.is_active, dora.first_name) == (Role.DOMAIN_ADMIN, True, "Dora")


def test_recipients_that_the_reader_may_not_open_are_not_linked(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    create_alias(
        cast.root, address="both@dora.example", recipients=("sam@dora.example", "mallory@mallory.example")
    )
    alias = Alias.objects.get(address="both@dora.example")
    page = browser_of(cast.dora).get(reverse("admin:alias_detail", args=[alias.pk])).content.decode()
    assert reverse("admin:account_detail", args=[cast.sam.pk]) in page
    assert reverse("admin:account_detail", args=[cast.mallory.pk]) not in page
