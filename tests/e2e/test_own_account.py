"""One's own account, in a browser: a generated password, a forward, and how they are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admin.models import Alias
from core.models import User
from tests.cast import PASSWORD
from tests.e2e.conftest import PHONE
from tests.e2e.test_main_path import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("people")


def test_a_generated_password_fills_both_fields_and_is_the_new_one(page: Page) -> None:
    sign_in(page, "sam@dora.example")
    page.locator("details.menu-end summary.round").last.click()
    page.locator(".menu-panel").get_by_role("link", name="Password").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Generate").click()
    secret = page.get_by_label("New password", exact=True).input_value()
    assert page.get_by_label("New password again").input_value() == secret
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Your password was changed.")).to_be_visible()
    assert User.objects.get(username="sam@dora.example").check_password(secret)
    page.goto("/user/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("sam@dora.example")


def test_a_forward_is_set_on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    sign_in(page, "sam@dora.example")
    page.get_by_role("button", name="Menu", exact=True).click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Forward").click()
    page.get_by_label("Forward to").fill("a@out.example, b@out.example")
    page.get_by_label("Keep a copy here").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your mail is forwarded.")).to_be_visible()
    assert page.get_by_label("Forward to").input_value() == "a@out.example\nb@out.example"
    alias = Alias.objects.get(address="sam@dora.example")
    assert set(alias.recipients.values_list("address", flat=True)) == {"a@out.example", "b@out.example"}


def test_the_tab_of_the_page_is_in_sight_on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    sign_in(page, "dora@dora.example")
    page.goto("/user/tokens/")
    expect(page.locator('.tabs a[aria-current="page"]')).to_be_in_viewport(ratio=0.9)
