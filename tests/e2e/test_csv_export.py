"""A list, or what is selected in it, becomes a file; the page that asks for its name is clean in every look."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admin.operations import create_alias
from tests.cast import Cast
from tests.e2e.test_main_path import sign_in
from tests.e2e.test_screens import SIZES, look_at

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize
    from pytest_django.live_server_helper import LiveServer


def downloaded(page: Page) -> tuple[str, str]:
    """Name and text of the file behind the button."""
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    file = caught.value
    return file.suggested_filename, Path(file.path()).read_text(encoding="utf-8")


def test_the_file_holds_what_the_list_shows_at_this_moment(page: Page, people: Cast) -> None:
    create_alias(people.root, address="info@dora.example", recipients=("sam@dora.example",))
    sign_in(page, "dora@dora.example")
    page.goto("/admin/identities/")
    page.get_by_role("searchbox", name="Search addresses and names").fill("info")
    expect(page.locator("[data-rows] > tr")).to_have_count(1)
    page.locator("main").get_by_role("link", name="Export").click()
    expect(page.get_by_text("with its present filters")).to_be_visible()
    page.get_by_label("File name").fill("one alias.csv")
    page.get_by_label("Separator").fill(",")
    assert downloaded(page) == ("one alias.csv", "alias,info@dora.example,True,sam@dora.example\n")
    page.get_by_role("link", name="Cancel").click()  # nobody asks whether to leave
    expect(page.locator("[data-rows] > tr")).to_have_count(1)


def test_what_is_selected_becomes_a_file_and_stays_selected(page: Page, people: Cast) -> None:
    sign_in(page, "root")
    page.goto("/admin/domains/")
    page.get_by_label("Select dora.example").click()
    page.locator("#bulk").get_by_role("button", name="Export").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Export 1 domain")
    assert downloaded(page) == ("modoboa-domains.csv", "domain;dora.example;102400;100;True\n")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_label("Select dora.example")).to_be_checked()
    assert people.root.is_super


@pytest.mark.usefixtures("people")
def test_an_export_needs_no_javascript(browser: Browser, live_server: LiveServer) -> None:
    profile = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-US")
    page = profile.new_page()
    sign_in(page, "dora@dora.example")
    page.goto("/admin/identities/?kind=account&q=sam")
    page.locator("main").get_by_role("link", name="Export").click()
    name, text = downloaded(page)
    assert (name, text) == (
        "modoboa-identities.csv",
        "account;sam@dora.example;;;;True;SimpleUsers;sam@dora.example\n",
    )
    profile.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_page_before_the_file_is_clean(page: Page, people: Cast, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    sign_in(page, people.root.user.username)
    for name, path in (("domain_export", "domains"), ("identity_export", "identities")):
        page.goto(f"/admin/{path}/export/")
        look_at(page, name)
    page.goto("/admin/domains/")
    page.get_by_label("Select dora.example").click()
    look_at(page, "domain_list_selected")
    page.locator("#bulk").get_by_role("button", name="Export").click()
    page.get_by_label("File name").fill("../secret")
    page.get_by_label("Separator").fill(";;")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("one visible character")).to_be_visible()
    look_at(page, "domain_export_refused")
