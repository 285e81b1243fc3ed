"""The page about the API draws itself, under our content security policy, from this host alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.e2e.conftest import ARTIFACTS
from tests.e2e.test_main_path import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from pytest_django.live_server_helper import LiveServer

    from tests.cast import Cast


def test_the_page_shows_every_operation(
    context: BrowserContext, live_server: LiveServer, people: Cast
) -> None:
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "request",
        lambda r: broken.append(r.url) if not r.url.startswith((live_server.url, "data:")) else None,
    )
    sign_in(page, people.root.user.username)
    page.wait_for_url(lambda url: "login" not in url)
    page.goto("/docs/api/")
    expect(page.locator(".opblock-summary").first).to_be_visible()
    expect(page.get_by_text("/api/v1/accounts/{pk}/password/")).to_be_visible()
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / "api_page.png")
    assert broken == []
