"""Whose panel it is: our name, or the custom logo, on light and on dark ground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from pytest_django import Settings

from tests.e2e.conftest import ARTIFACTS
from tests.e2e.test_main_path import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.cast import Cast

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" width="220" height="48" viewBox="0 0 220 48">
<g fill="{fill}" font-size="24" font-family="sans-serif">
<circle cx="24" cy="24" r="20"/><text x="54" y="32">Acme Hosting</text></g></svg>"""


@pytest.fixture(params=["ours", "one", "two"])
def logos(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> str:
    settings.MEDIA_ROOT = tmp_path
    for name, fill in (("light", "#12324f"), ("dark", "#d7e9ff")):
        (tmp_path / f"{name}.svg").write_text(LOGO.format(fill=fill))
    kind = str(request.param)
    settings.MODOBOA_CUSTOM_LOGO = "" if kind == "ours" else "/media/light.svg"
    settings.MODOBOA_CUSTOM_LOGO_DARK = "/media/dark.svg" if kind == "two" else ""
    return kind


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_logo_stands_on_the_sign_in_page_and_in_the_navigation(
    page: Page, people: Cast, logos: str, look: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=look)
    page.goto("/accounts/login/")
    ours = page.locator(".plain-brand").get_by_text("modoboa")
    pictures = page.locator(".plain-brand").get_by_role("img", name="localhost")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"logo-{logos}-sign-in-{look}.png")
    if logos == "ours":
        assert ours.is_visible()
        assert pictures.count() == 0
        return
    assert ours.count() == 0
    assert pictures.count() == 1, "what is hidden has no name"
    shown = pictures.get_attribute("src")
    assert shown == ("/media/dark.svg" if logos == "two" and look == "dark" else "/media/light.svg")
    assert pictures.evaluate("image => image.naturalWidth") == 220
    assert people.root.user.username == "root"
    sign_in(page, "root")
    link = page.locator(".rail-brand").get_by_role("img", name="localhost")
    assert link.is_visible()
    assert link.get_attribute("src") == ("/media/dark.svg" if logos == "two" else "/media/light.svg")
    page.screenshot(path=ARTIFACTS / f"logo-{logos}-navigation-{look}.png")
