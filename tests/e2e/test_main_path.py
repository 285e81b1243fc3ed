"""Sign in, make a domain, an account and an alias, sign out: by hand, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admin.models import Alias, Domain, Mailbox, MailUser
from tests.cast import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("people")


def sign_in(page: Page, name: str) -> None:
    """Fill the sign-in form."""
    page.goto("/")
    page.get_by_label("User name or address").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_from_sign_in_to_a_mailbox_that_can_receive(page: Page) -> None:
    sign_in(page, "root")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Domains", exact=True).click()

    page.get_by_role("link", name="New domain").click()
    page.get_by_label("Name", exact=True).fill("Bücher.example")
    page.get_by_role("button", name="Create domain").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("bücher.example")
    domain = Domain.objects.get(name="xn--bcher-kva.example")

    page.get_by_role("link", name="New account").click()
    page.get_by_role("textbox", name="Address").fill("jo.miller")
    page.get_by_label("First name").fill("Jo")
    page.get_by_role("button", name="Create account", exact=True).click()
    secret = page.locator("#secret").inner_text().strip()
    mailbox = Mailbox.objects.select_related("user").get(domain=domain)
    assert mailbox.address == "jo.miller"
    assert mailbox.user.check_password(secret)
    assert MailUser.objects.filter(address="jo.miller@xn--bcher-kva.example").exists()

    page.goto(f"/admin/aliases/new/?domain={domain.name}")
    page.get_by_role("textbox", name="Address").fill("info")
    page.get_by_label("Recipient 1").fill("jo.miller@bücher.example")
    page.get_by_role("button", name="Create alias", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("info@")
    assert Alias.objects.get(domain=domain).address == "info@xn--bcher-kva.example"

    page.locator("summary", has=page.get_by_text("RO", exact=True)).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto("/admin/domains/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_refusal_stands_beside_its_field_and_keeps_what_was_typed(page: Page) -> None:
    sign_in(page, "dora@dora.example")
    page.goto("/admin/accounts/new/")
    page.get_by_role("textbox", name="Address").fill("sam")
    page.get_by_label("First name").fill("Sam's twin")
    page.get_by_role("button", name="Create account", exact=True).click()
    expect(page.get_by_text("exists already")).to_be_visible()
    expect(page.get_by_role("textbox", name="Address")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("First name")).to_have_value("Sam's twin")


def test_a_search_narrows_the_list_while_typing(page: Page) -> None:
    sign_in(page, "root")
    page.goto("/admin/identities/")
    expect(page.get_by_role("link", name="sam@dora.example").first).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("mallory")
    expect(page.get_by_role("link", name="sam@dora.example")).to_have_count(0)
    expect(page.get_by_role("link", name="mallory@mallory.example").first).to_be_visible()
    assert "q=mallory" in page.url
