"""What contracts need: the whole state in one value, and people at their browsers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.test import Client

from core.actor import Actor
from parameters import tools
from parameters.models import Parameter
from tests.cast import Cast, Template, assemble
from tests.tables import Table

Fingerprint = Callable[[], dict[str, str]]


@pytest.fixture
def cast(db: None) -> Cast:  # noqa: ARG001  opens the database
    """Everybody, with hashes that cost little: contracts are about who and what, not about how slow."""
    return _template.cast(_assembled)


def _assembled() -> Cast:
    Parameter.objects.create(app="core", name="rounds_number", value=1_000)
    tools.forget()
    return assemble()


_template = Template()


@pytest.fixture
def fingerprint() -> Fingerprint:
    """A function that sums up every table but the sessions, the ones between two models included."""
    return _fingerprint


def _fingerprint() -> dict[str, str]:
    models = apps.get_models(include_auto_created=True)
    tables = [Table.read(model) for model in models if model is not Session]
    rows = {table.name: sorted(map(repr, table.rows)) for table in tables}
    return {table: hashlib.sha256("\n".join(lines).encode()).hexdigest() for table, lines in rows.items()}


@pytest.fixture
def browser_of() -> Callable[[Actor | None], Client]:
    """A function that gives a browser in which an actor, or nobody, is signed in."""

    def browser(actor: Actor | None) -> Client:
        client = Client(raise_request_exception=False)
        if actor is not None:
            client.force_login(actor.user)
        return client

    return browser
