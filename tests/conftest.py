"""Fixtures that all kinds of tests share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from django.utils import translation

from core import background, throttling
from parameters import tools
from tests.cast import Cast, Template, assemble

_template = Template()


@pytest.fixture(autouse=True)
def _fresh_parameters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Values of parameters are loaded once per request; a test is one, too, however long it takes."""
    monkeypatch.setattr(tools, "RELOAD_AFTER_S", math.inf)
    tools.forget()
    yield
    tools.forget()


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """The keys of an earlier test's tokens come again, with its counters of this minute."""
    throttling.forget_requests()


@pytest.fixture(autouse=True)
def _language_of_the_site() -> Iterator[None]:
    """A request in the language of its account leaves that behind, until the next request."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _background_work_ends() -> Iterator[None]:
    """What a test leaves to the background is done before the next one begins."""
    yield
    assert background.wait_until_idle(20)


@pytest.fixture
def cast(db: None) -> Cast:  # noqa: ARG001  opens the database
    """Everybody, in a database of his own."""
    return _template.cast(assemble)
