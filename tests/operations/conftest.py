"""The cast with cheap password hashes, and a database whose transactions are real."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections
from hypothesis import HealthCheck, Phase, settings

from tests.cast import Cast, Template, assemble
from tests.stored_parameters import store

pytest.register_assert_rewrite("tests.operations.evidence")
from tests.operations.evidence import overdrawn  # noqa: E402  rewritten only from here on

settings.register_profile(
    "operations",
    deadline=None,
    max_examples=4,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes and helps little here
)


def hash_cheaply() -> None:
    """Hashing is slow on purpose, and rarely what a test is about."""
    store("core", rounds_number=1_000)


def cheaply_assembled() -> Cast:
    """Everybody, with passwords that are checked quickly."""
    hash_cheaply()
    return assemble()


_template = Template()


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:  # noqa: ARG001  it has to be there
    """Everybody, in a database of his own."""
    ContentType.objects.get_for_models(*apps.get_models())  # cached: part of no measurement
    yield _template.cast(cheaply_assembled)
    assert overdrawn() == []


@pytest.fixture
def real_database(transactional_db: None, tmp_path: Path) -> Iterator[None]:  # noqa: ARG001  it has to be there
    """A database that several connections share: every commit is one. On SQLite it is a file, as in production."""
    if connection.vendor != "sqlite":
        yield
        return
    memory = connections["default"]
    memory.ensure_connection()
    path = tmp_path / "panel.sqlite3"
    file = sqlite3.connect(path)
    memory.connection.backup(file)
    file.close()
    name = memory.settings_dict["NAME"]
    connections.settings["default"]["NAME"] = str(path)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"]["NAME"] = name
        connections["default"] = memory


@pytest.fixture
def real_cast(real_database: None) -> Iterator[Cast]:  # noqa: ARG001  it has to be there
    """Everybody, committed."""
    yield cheaply_assembled()
    assert overdrawn() == []
