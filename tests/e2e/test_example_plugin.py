"""The example plugin and a broken one in a panel of their own, by hand, in a browser."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PHONE, WIDE
from tests.e2e.test_screens import look_at
from tests.servers import example_plugin
from tests.servers.example_plugin import TOP
from tests.servers.ports import ReservedPort

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_STARTS_WITHIN_S = 60


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[str]:
    """The address of a panel with plugins, as ``manage.py serve`` starts it."""
    target = tmp_path / "lib"
    example_plugin.install(target)
    example_plugin.write_broken(target)
    variables = {"MODOBOA_DEBUG": "yes", "DATABASE_URL": f"sqlite:///{tmp_path}/panel.sqlite3"}
    with ReservedPort() as port, (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603  our own words
            (sys.executable, "manage.py", "serve", f"--port={port.number}"),
            cwd=TOP,
            env=example_plugin.environment(target, tmp_path, broken=True) | variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port.number}"
        try:
            _wait_for(f"{address}/accounts/login/", tmp_path / "log")
            yield address
        finally:
            server.terminate()
            server.wait(10)


def _wait_for(url: str, log: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < end:
        try:
            urlopen(url).close()  # noqa: S310  our own address
        except URLError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(log.read_text())


@pytest.fixture
def page(browser: Browser, panel: str) -> Iterator[Page]:
    """A tab; errors of its scripts, and what the policy for content forbids, fail the test."""
    profile = browser.new_context(base_url=panel, viewport=WIDE, locale="en-US")
    profile.set_default_timeout(10_000)
    tab = profile.new_page()
    complaints: list[str] = []
    tab.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    profile.close()
    assert complaints == []


def test_a_walk_through_the_example_plugin(page: Page) -> None:
    page.goto("/")
    expect(page.locator("main")).to_contain_text("Hello from a plugin")
    look_at(page, "plugin_sign_in")
    page.get_by_label("User name or address").fill("admin")
    page.get_by_label("Password", exact=True).fill("password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    expect(page.locator("main")).to_contain_text("Good morning, admin")
    assert page.evaluate("document.documentElement.dataset.example") == "here"

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Domains", exact=True).click()
    page.get_by_role("link", name="New domain").first.click()
    page.get_by_label("Name", exact=True).fill("noted.example")
    page.get_by_role("button", name="Example note").click()
    page.get_by_label("First note").fill("from the wizard")
    look_at(page, "plugin_wizard")
    page.get_by_role("button", name="Create domain").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("noted.example")
    look_at(page, "plugin_domain")

    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Note about the domain")).to_have_value("from the wizard")
    page.get_by_label("Note about the domain").fill("changed by %me%")
    look_at(page, "plugin_domain_update")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Example notes").click()
    expect(page.locator("main")).to_contain_text("changed by admin")

    page.goto("/admin/domains/")
    page.get_by_role("link", name="green").click()
    expect(page.locator(".chip.on").first).to_contain_text("Colour: green")
    page.get_by_label("1 notice").click()
    expect(page.get_by_role("link", name="Notes to read")).to_be_visible()
    look_at(page, "plugin_domain_list")
    page.get_by_role("link", name="Notes to read").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Example")

    page.goto("/settings/parameters/")
    page.get_by_label("Top notifications check interval").fill("1")
    page.get_by_label("Default top redirection").select_option("Example")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto("/example/")
    page.evaluate("document.querySelector('[data-notices]').replaceChildren()")
    expect(page.get_by_label("1 notice")).to_be_visible()

    for size in (WIDE, PHONE):
        page.set_viewport_size(size)
        for name, path in (
            ("plugin_dashboard", "/dashboard/"),
            ("plugin_information", "/admin/information/"),
            ("plugin_index", "/example/"),
        ):
            page.goto(path)
            look_at(page, name)
    page.set_viewport_size(WIDE)
    page.goto("/admin/information/")
    expect(page.locator("main")).to_contain_text("no such library")
