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

    from playwright.sync_api import Page, ViewportSize

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
