"""Wizards, renaming and two people at one object, by hand, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from admin.models import Account, Alias, Domain
from admin.operations import update_domain
from tests.e2e.conftest import PHONE
from tests.e2e.test_main_path import sign_in
from tests.e2e.test_screens import look_at

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.cast import Cast


@pytest.mark.usefixtures("people")
def test_a_domain_gets_its_administrator_in_the_second_step(page: Page) -> None:
    sign_in(page, "root")
    page.goto("/admin/domains/new/")
    steps = page.get_by_label("Steps")
    expect(page.get_by_label("Administrator of its own")).to_be_hidden()
    page.get_by_role("button", name="Next").click()
    expect(steps.get_by_role("button", name="General")).to_have_attribute("aria-current", "step")
    page.get_by_label("Name", exact=True).fill("shiny.example")
    page.get_by_role("button", name="Next").click()
    expect(steps.get_by_role("button", name="Administrator")).to_have_attribute("aria-current", "step")
    expect(page.get_by_label("Postmaster alias")).to_be_hidden()
    page.get_by_text("Create one").click()
    expect(page.get_by_label("Postmaster alias")).to_be_visible()
    page.get_by_text("With a mailbox").click()
    expect(page.get_by_label("Postmaster alias")).to_be_hidden()
    page.get_by_text("With a mailbox").click()
    look_at(page, "domain_create_step")

    page.get_by_label("Name before the “@”").fill("two words")
    page.get_by_role("button", name="Create domain").click()
    expect(page.get_by_text("cannot contain a space")).to_be_visible()
    expect(steps.get_by_role("button", name="Administrator")).to_have_attribute("aria-current", "step")
    expect(page.get_by_label("Name before the “@”")).to_be_focused()
    look_at(page, "domain_create_step_refused")
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("shiny.example")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Name before the “@”").fill("boss")
    page.get_by_role("button", name="Create domain").click()
    secret = page.locator("#secret").inner_text().strip()
    assert Account.objects.get(username="boss@shiny.example").check_password(secret)
    look_at(page, "domain_created")
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("shiny.example")


def test_an_address_is_renamed_and_the_old_one_kept(page: Page, people: Cast) -> None:
    page.set_viewport_size(PHONE)
    sign_in(page, "dora@dora.example")
    page.goto(f"/admin/accounts/{people.sam.pk}/edit/")
    keep = page.get_by_label("Keep the old address as an alias")
    expect(keep).to_be_hidden()
    page.locator("[name=address_local]").fill("samuel")
    expect(keep).to_be_visible()
    look_at(page, "account_renamed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("samuel@dora.example")
    assert Alias.objects.get().address == "sam@dora.example"


def test_two_people_at_one_domain(page: Page, people: Cast) -> None:
    sign_in(page, "root")
    page.goto(f"/admin/domains/{people.dora_example.pk}/edit/")
    page.get_by_label("Quota of the domain").fill("7 GB")
    update_domain(people.root, people.dora_example, quota=5120, default_mailbox_quota=200)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changed meanwhile by root to “5 GB”")).to_be_visible()
    expect(page.get_by_label("Quota of the domain")).to_have_value("7 GB")
    look_at(page, "domain_changed_meanwhile")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("and kept: Quota of new mailboxes")).to_be_visible()
    domain = Domain.objects.get(pk=people.dora_example.pk)
    assert (domain.quota, domain.default_mailbox_quota) == (7168, 200)


def test_an_administrator_is_found_while_typing_and_added(page: Page, people: Cast) -> None:
    sign_in(page, "root")
    page.goto(f"/admin/domains/{people.reseller_example.pk}/")
    page.get_by_label("Administrators").get_by_role("link", name="Add").click()
    page.get_by_label("User name").press_sequentially("dor")
    expect(page.locator("#suggestions option")).to_have_attribute("value", "dora@dora.example")
    page.get_by_label("User name").fill("dora@dora.example")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Administrators")).to_contain_text("dora@dora.example")
