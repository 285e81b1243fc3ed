"""The search everywhere, by keyboard alone, by pointer, and without JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admin.operations import create_alias
from tests.cast import Cast
from tests.e2e.test_main_path import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer


def test_ctrl_k_opens_typing_finds_and_enter_opens(page: Page, people: Cast) -> None:
    create_alias(people.dora, address="samples@dora.example", recipients=("sam@dora.example",))
    sign_in(page, "root")
    field, options = page.get_by_role("combobox"), page.get_by_role("option")
    expect(field).to_be_hidden()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.type("sam")
    expect(options).to_have_count(3)
    expect(options.nth(0)).to_contain_text("sam@dora.example")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(page.locator("[data-find-status]")).to_have_text("2 results")

    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", options.nth(1).get_attribute("id") or "")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")

    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    page.keyboard.press("Meta+k")
    expect(field).to_be_focused()
    page.keyboard.type("sam@dora.example")
    expect(options.first).to_contain_text("Everything about this address")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("sam@dora.example")
    expect(page.get_by_text("Delivered to the mailbox.")).to_be_visible()


def test_the_box_at_the_top_opens_the_search_and_results_can_be_clicked(page: Page, people: Cast) -> None:
    sign_in(page, people.dora.user.username)
    page.get_by_role("button", name="Find a domain, account or address").click()
    page.keyboard.type("dora.ex")
    page.get_by_role("option", name=re.compile("dora.example")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("dora.example")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("combobox")).to_be_hidden()


def test_without_javascript_the_box_is_a_form(
    browser: Browser, live_server: LiveServer, people: Cast
) -> None:
    profile = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    plain = profile.new_page()
    sign_in(plain, people.dora.user.username)
    plain.get_by_role("searchbox", name="Find a domain, account or address").fill("sam")
    plain.keyboard.press("Enter")
    expect(plain.get_by_role("heading", level=1)).to_have_text("Search")
    plain.get_by_role("link", name="sam@dora.example").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("sam@dora.example")
    profile.close()


@pytest.mark.usefixtures("people")
def test_a_simple_user_has_no_search_to_open(page: Page) -> None:
    sign_in(page, "sam@dora.example")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_have_count(0)
