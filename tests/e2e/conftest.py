"""A real Chromium against the real panel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.cast import Cast, assemble

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize
    from pytest_django.live_server_helper import LiveServer

# Playwright's synchronous interface runs an event loop in this thread, which Django mistakes for an asynchronous
# caller; the tests use the ORM as everywhere else.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "screens"
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; missing, it is skipped on a user's machine and fails with CI=true."""
    program = shutil.which("chromium")
    if program is None:
        reason = "Chromium is not installed (Debian package chromium)."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=_QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def people(transactional_db: None) -> Cast:  # noqa: ARG001  committed rows
    """Everybody, committed, so that the server sees them."""
    return assemble()


@pytest.fixture
def context(browser: Browser, live_server: LiveServer) -> Iterator[BrowserContext]:
    """A browser profile that knows the panel's address; nothing may leave this machine."""
    profile = browser.new_context(base_url=live_server.url, viewport=WIDE, locale="en-US")
    profile.set_default_timeout(10_000)
    yield profile
    profile.close()


@pytest.fixture
def page(context: BrowserContext, live_server: LiveServer) -> Iterator[Page]:
    """A tab. Errors on the console, a broken script, or a request to another host fail the test."""
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "request",
        lambda r: complaints.append(r.url) if not r.url.startswith((live_server.url, "data:")) else None,
    )
    yield tab
    expected = "the server responded with a status of 4"
    assert [text for text in complaints if expected not in text] == []
