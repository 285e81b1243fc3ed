"""What contracts need: the whole state in one value, and people at their browsers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from admin.gateways.import_files import ImportFiles
from admin.imports import jobs
from core.actor import Actor
from tests.cast import Cast, Template, assemble
from tests.stored_parameters import store
from tests.tables import Table

Fingerprint = Callable[[], dict[str, str]]


@pytest.fixture
def cast(db: None) -> Cast:  # noqa: ARG001  opens the database
    """Everybody, with hashes that cost little: contracts are about who and what, not about how slow."""
    return _template.cast(_assembled)


def _assembled() -> Cast:
    store("core", rounds_number=1_000)
    return assemble()


_template = Template()


@pytest.fixture(autouse=True)
def _imports_at_once(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports have a directory of their own, and their work is done where it is asked for."""
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(ImportFiles, "launch", lambda files, _lock: jobs.run(files.token))


@pytest.fixture
def fingerprint() -> Fingerprint:
    """A function that sums up every table but the sessions, the ones between two models included, and every import."""
    return _fingerprint


def _fingerprint() -> dict[str, str]:
    models = apps.get_models(include_auto_created=True)
    tables = [Table.read(model) for model in models if model is not Session]
    rows = {table.name: sorted(map(repr, table.rows)) for table in tables}
    sums = {table: hashlib.sha256("\n".join(lines).encode()).hexdigest() for table, lines in rows.items()}
    kept = (path for path in (Path(settings.DATA_DIR) / "imports").rglob("*") if path.is_file())
    return sums | {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.fixture
def browser_of() -> Callable[[Actor | None], Client]:
    """A function that gives a browser in which an actor, or nobody, is signed in."""

    def browser(actor: Actor | None) -> Client:
        client = Client(raise_request_exception=False)
        if actor is not None:
            client.force_login(actor.user)
        return client

    return browser
