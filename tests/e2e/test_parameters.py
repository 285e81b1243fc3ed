"""The screens of parameters in Chromium: tabs, search, rules of visibility, defaults, secrets, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django import forms
from playwright.sync_api import expect

from core.form_rendering import UnitInput
from modoboa.parameters import forms as plugin_forms
from parameters import tools
from parameters.operations import update_parameters
from tests.cast import Cast
from tests.e2e.conftest import PHONE, WIDE
from tests.e2e.test_main_path import sign_in
from tests.e2e.test_screens import look_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, ViewportSize
    from pytest_django.live_server_helper import LiveServer

PATH = "/settings/parameters/"


class Webmail(plugin_forms.UserParametersForm):
    app = "webmail"

    sep_reading = plugin_forms.SeparatorField(label="Reading")
    messages = forms.IntegerField(
        label="Messages per page",
        initial=40,
        min_value=1,
        widget=UnitInput("messages"),
        help_text="In a folder.",
    )
    with_images = forms.BooleanField(label="Show images", required=False, initial=False)
    sep_writing = plugin_forms.SeparatorField(label="Writing")
    editor = forms.ChoiceField(
        label="Editor", choices=[("plain", "Plain text"), ("html", "HTML")], initial="plain"
    )
    signature = forms.CharField(
        label="Signature", required=False, initial="", widget=forms.Textarea({"rows": 3})
    )

    visibility_rules = {"signature": "editor=html"}


@pytest.fixture
def webmail() -> Iterator[None]:
    tools.registry.add("user", Webmail, "Webmail")
    yield
    del tools.registry._declarations["user", "webmail"]


@pytest.mark.usefixtures("webmail")
@pytest.mark.parametrize("size", [pytest.param(WIDE, id="wide"), pytest.param(PHONE, id="phone")])
def test_every_screen_of_parameters_is_clean(page: Page, people: Cast, size: ViewportSize) -> None:
    values = {"items_per_page": 50, "default_password": "Correct-Horse-8", "rounds_number": 90_000}
    update_parameters(
        people.root, {"core": values, "admin": {"handle_mailboxes": True, "default_domain_quota": 2048}}
    )
    update_parameters(people.root, {"core": {"items_per_page": 40}})
    page.set_viewport_size(size)
    sign_in(page, "root")
    for name, fragment in (("general", ""), ("administration", "#tab-admin"), ("limits", "#tab-limits")):
        page.goto("about:blank")
        page.goto(PATH + fragment)
        look_at(page, f"parameters_{name}")
    page.goto(PATH + "history/")
    look_at(page, "parameters_history")
    page.goto("about:blank")
    page.goto(PATH)
    page.get_by_text("Not used yet").first.click()
    look_at(page, "parameters_unused")
    page.get_by_label("Search parameters").fill("quota")
    look_at(page, "parameters_found")
    page.get_by_label("Search parameters").fill("nothing-like-this")
    look_at(page, "parameters_nothing_found")
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("spinbutton", name="Default mailbox quota").fill("-1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("greater than or equal to 0")).to_be_visible()
    look_at(page, "parameters_refused")
    page.goto("/user/preferences/#tab-webmail")
    look_at(page, "preferences_of_a_plugin")


def test_parameters_are_found_changed_and_given_their_defaults_back(page: Page, people: Cast) -> None:
    update_parameters(people.root, {"core": {"items_per_page": 50}})
    sign_in(page, "root")
    page.get_by_role("link", name="Parameters", exact=True).click()
    scheme, trash = (
        page.get_by_label("Default password scheme"),
        page.get_by_role("spinbutton", name="Days in the trash"),
    )
    expect(scheme).to_be_visible()
    page.get_by_role("link", name="Administration").click()
    expect(scheme).to_be_hidden()
    expect(trash).to_be_hidden()
    page.get_by_label("Handle mailboxes on filesystem").check()
    expect(trash).to_be_visible()
    trash.fill("9")

    # A search goes over all tabs, by names too; leaving it comes back to the tab.
    search = page.get_by_label("Search parameters")
    search.fill("items_per_page")
    rows = page.get_by_role("spinbutton", name="Items per page")
    expect(rows).to_be_visible()
    expect(trash).to_be_hidden()
    page.get_by_role("button", name="Reset “Items per page” to its default").click()
    expect(rows).to_have_value("30")
    search.fill("")
    expect(trash).to_be_visible()
    expect(rows).to_be_hidden()
    search.fill("ldap port")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    search.press("Escape")

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The parameters were saved.")).to_be_visible()
    expect(trash).to_be_visible()
    expect(trash).to_have_value("9")
    tools.forget()
    values = [
        tools.get_global_parameter(*each)
        for each in (("items_per_page", "core"), ("mailbox_trash_days", "admin"))
    ]
    assert values == [30, 9]
    expect(page.get_by_role("region", name="Recent changes")).to_contain_text("7 days")

    # What depends on something that depends on something else.
    page.get_by_role("link", name="General").click()
    page.locator("#tab-core").get_by_text("Not used yet").first.click()
    base = page.get_by_label("Search base", exact=True)
    page.get_by_label("Authentication type").select_option("ldap")
    page.get_by_label("Authentication method").select_option("searchbind")
    expect(base).to_be_visible()
    page.get_by_label("Authentication type").select_option("local")
    expect(base).to_be_hidden()


def test_without_scripts_all_tabs_are_there_and_a_reset_is_a_button(
    browser: Browser, live_server: LiveServer, people: Cast
) -> None:
    update_parameters(people.root, {"core": {"items_per_page": 50}})
    profile = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="en-US")
    page = profile.new_page()
    sign_in(page, "root")
    page.goto(PATH)
    expect(page.get_by_label("Default password scheme")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Days in the trash")).to_be_visible()
    page.get_by_role("spinbutton", name="Days in the trash").fill("9")
    page.get_by_role("button", name="Reset “Items per page” to its default").click()
    expect(page.get_by_text("The parameters were saved.")).to_be_visible()
    profile.close()
    assert tools.get_global_parameter("items_per_page", "core") == 30
