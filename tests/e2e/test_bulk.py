"""Rows are selected over pages, with mouse and keys, with and without JavaScript; a preview, a report, an empty bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admin.models import Account, Alias
from admin.operations import AliasSpec, create_aliases
from tests.cast import Cast
from tests.e2e.conftest import PHONE
from tests.e2e.test_main_path import sign_in
from tests.stored_parameters import store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer


@pytest.fixture
def twelve(people: Cast) -> Cast:
    """Aliases on three pages."""
    store("core", items_per_page=5)
    to = ("sam@dora.example",)
    create_aliases(
        people.root, [AliasSpec(address=f"a{number:02}@dora.example", recipients=to) for number in range(12)]
    )
    return people


def test_two_are_selected_on_two_pages_disabled_and_reported(page: Page, twelve: Cast) -> None:
    sign_in(page, "dora@dora.example")
    page.goto("/admin/identities/?kind=alias")
    bar, count = page.locator("#bulk"), page.locator("[data-selected-count]")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(count).to_have_text("1 selected")
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_label("Select a05@dora.example")).to_be_visible()
    expect(count).to_have_text("1 selected, 1 of them not shown here")
    page.get_by_label("Select a06@dora.example").click()
    page.get_by_role("link", name="Previous page").click()
    expect(page.get_by_label("Select a00@dora.example")).to_be_checked()
    expect(count).to_have_text("2 selected, 1 of them not shown here")
    bar.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disable 2 aliases?")
    page.get_by_role("button", name="Disable 2 aliases").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disabled: 2 aliases")
    disabled = Alias.objects.filter(enabled=False).order_by("address").values_list("address", flat=True)
    assert list(disabled) == ["a00@dora.example", "a06@dora.example"]
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_label("Select a00@dora.example")).to_be_visible()
    expect(page.locator("#bulk")).to_be_hidden()
    assert twelve.dora.user.is_active


def test_a_range_a_page_and_everything_that_matches_are_selected(page: Page, twelve: Cast) -> None:
    sign_in(page, "dora@dora.example")
    page.set_viewport_size(PHONE)
    page.goto("/admin/identities/?kind=alias")
    boxes, count = page.locator("[data-select]"), page.locator("[data-selected-count]")
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(count).to_have_text("3 selected")
    page.locator("[data-select-all]").click()
    expect(count).to_have_text("All 12 selected")
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_label("Select a05@dora.example")).to_be_visible()
    expect(boxes.nth(2)).to_be_checked()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    foot, bar = page.locator(".list-foot").bounding_box(), page.locator("#bulk").bounding_box()
    assert foot is not None
    assert bar is not None
    assert foot["y"] + foot["height"] <= bar["y"]  # the end of the list is never under the bar
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    button = page.get_by_role("button", name="Delete 12 aliases")
    expect(button).to_be_disabled()
    page.get_by_label("Type delete 12 to confirm").fill("delete 12")
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deleted: 12 aliases")
    assert not Alias.objects.exists()
    assert Account.objects.filter(pk=twelve.sam.pk).exists()


@pytest.mark.usefixtures("twelve")
def test_a_selection_needs_no_javascript(browser: Browser, live_server: LiveServer) -> None:
    profile = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-US")
    page = profile.new_page()
    sign_in(page, "dora@dora.example")
    page.goto("/admin/identities/?kind=alias")
    page.get_by_label("Select a01@dora.example").check()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Disable 1 alias").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disabled: 1 alias")
    page.get_by_role("link", name="Back to the list").click()
    page.get_by_label("All 12 that match").check()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disable 11 aliases?")
    expect(page.get_by_role("heading", name="Disabled already")).to_be_visible()
    profile.close()
