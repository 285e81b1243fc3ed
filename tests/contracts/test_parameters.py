"""The screens of parameters: what they show, what they save, and what two people do to each other there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django import forms
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.actor import Actor
from core.models import Log
from modoboa.parameters import forms as plugin_forms
from parameters import tools
from parameters.models import SiteParameters
from parameters.operations import update_parameters
from tests.cast import Cast
from tests.stored_parameters import posted, store

PATH = "/settings/parameters/"
SECRET = "Correct-Horse-8"


@pytest.fixture
def root(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> Client:
    return browser_of(cast.root)


def began(browser: Client) -> dict[str, Any]:
    """The hidden fields of the page, which say what it began with."""
    tabs = browser.get(PATH).context["tabs"]
    return {field.html_name: field.value() for tab in tabs for field in tab.form.hidden_fields()}


def value(name: str, app: str = "core") -> object:
    tools.forget()
    return tools.get_global_parameter(name, app)


def test_there_is_a_tab_for_each_app_and_every_parameter_is_there(root: Client) -> None:
    tabs = root.get(PATH).context["tabs"]
    assert [str(tab.title) for tab in tabs] == ["General", "Administration", "Limits", "Relay domains"]
    shown = {
        (tab.app, line.name)
        for tab in tabs
        for groups in (tab.groups, tab.unused)
        for group in groups
        for line in group.lines
    }
    declared = {(each.app, name) for each in tools.registry.declarations("global") for name in each.fields}
    assert shown == declared


def test_the_rail_leads_there_for_super_administrators_alone(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    for name, actor in cast.everybody.items():
        page = browser_of(actor).get("/user/profile/").content.decode()
        assert (f'href="{PATH}"' in page) == (name == "root")


def test_only_what_was_changed_is_saved(root: Client) -> None:
    sent = began(root) | posted(
        core__items_per_page="50", admin__handle_mailboxes="on", admin__enable_mx_checks=None
    )
    assert root.post(PATH, sent).status_code == 302
    assert (value("items_per_page"), value("handle_mailboxes", "admin")) == (50, True)
    assert value("enable_mx_checks", "admin") is False
    assert Log.objects.filter(kind="parameter").count() == 3


def test_what_somebody_else_changed_meanwhile_stays(root: Client, cast: Cast) -> None:
    sent = began(root) | posted(core__items_per_page="50")
    update_parameters(cast.root, {"core": {"rounds_number": 2_000}, "admin": {"default_domain_quota": 7}})
    answer = root.post(PATH, sent, follow=True)
    assert (value("items_per_page"), value("rounds_number"), value("default_domain_quota", "admin")) == (
        50,
        2_000,
        7,
    )
    page = answer.content.decode()
    assert "Changed meanwhile by root, and kept: Rounds." in page
    assert "Changed meanwhile by root, and kept: Default domain quota." in page


def test_who_changes_the_same_parameter_later_is_asked(root: Client, cast: Cast) -> None:
    sent = began(root) | posted(core__items_per_page="50")
    update_parameters(cast.root, {"core": {"items_per_page": 60}})
    answer = root.post(PATH, sent)
    assert answer.status_code == 422
    assert "Changed meanwhile by root to “60”" in answer.content.decode()
    assert value("items_per_page") == 60
    hidden = {f.html_name: f.value() for tab in answer.context["tabs"] for f in tab.form.hidden_fields()}
    assert root.post(PATH, sent | hidden).status_code == 302
    assert value("items_per_page") == 50


def test_a_refusal_stands_beside_its_field_in_its_tab_and_nothing_is_saved(root: Client) -> None:
    sent = began(root) | posted(core__items_per_page="50", admin__valid_mxs="nonsense")
    answer = root.post(PATH, sent)
    assert answer.status_code == 422
    assert [tab.app for tab in answer.context["tabs"] if tab.is_refused] == ["admin"]
    assert 'id="id_admin-valid_mxs_error"' in answer.content.decode()
    assert value("items_per_page") == 30


def test_what_is_hidden_keeps_its_value_whatever_is_sent(root: Client) -> None:
    store("admin", mailboxes_owner="postman")
    sent = began(root) | posted(
        admin__mailboxes_owner="", admin__mailbox_trash_days="many", core__items_per_page="50"
    )
    assert root.post(PATH, sent).status_code == 302
    assert (value("mailboxes_owner", "admin"), value("items_per_page")) == ("postman", 50)


def test_a_secret_that_is_hidden_is_neither_written_nor_cleared(root: Client) -> None:
    store("core", ldap_bind_password=SECRET)
    for sent in ({"core__ldap_bind_password": "Other-1"}, {"core-ldap_bind_password-clear": "on"}):
        assert root.post(PATH, began(root) | posted(**sent)).status_code == 302
        assert value("ldap_bind_password") == SECRET


def test_a_reset_brings_the_default_back_and_saves_the_rest(root: Client) -> None:
    store("core", items_per_page=50, rounds_number=2_000)
    assert "Default: 30 rows" in root.get(PATH).content.decode()
    sent = began(root) | posted(
        core__items_per_page="", core__rounds_number="3000", reset="core-items_per_page"
    )
    assert root.post(PATH, sent).status_code == 302
    assert (value("items_per_page"), value("rounds_number")) == (30, 3_000)
    assert "items_per_page" not in SiteParameters.objects.get().parameters["core"]


def test_a_secret_is_written_kept_and_cleared_but_never_shown(root: Client) -> None:
    assert root.post(PATH, began(root) | posted(core__default_password=SECRET)).status_code == 302
    assert value("default_password") == SECRET
    for url in (PATH, PATH + "history/"):
        assert SECRET not in root.get(url).content.decode()
    assert SECRET not in repr(list(Log.objects.values_list()))
    root.post(PATH, began(root) | posted(core__default_password="", core__items_per_page="50"))
    assert (value("default_password"), value("items_per_page")) == (SECRET, 50)
    root.post(PATH, began(root) | posted(**{"core-default_password-clear": "on"}))
    assert value("default_password") == ""
    refused = root.post(PATH, began(root) | posted(core__default_password="Short1"))
    assert refused.status_code == 422
    assert "Short1" not in refused.content.decode()


@pytest.mark.parametrize(
    ("given", "after"),
    [({"core__default_password": SECRET}, SECRET), ({"core-default_password-clear": "on"}, "")],
)
def test_who_changes_the_same_secret_later_is_asked(
    root: Client, cast: Cast, given: dict[str, Any], after: str
) -> None:
    store("core", default_password="Correct-Horse-1")
    sent = began(root) | posted(**given)
    update_parameters(cast.root, {"core": {"default_password": "Correct-Horse-2"}})
    answer = root.post(PATH, sent)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Changed meanwhile by root. Enter yours again to replace it." in page
    assert "Correct-Horse" not in page
    assert value("default_password") == "Correct-Horse-2"
    hidden = {f.html_name: f.value() for tab in answer.context["tabs"] for f in tab.form.hidden_fields()}
    assert root.post(PATH, sent | hidden).status_code == 302
    assert value("default_password") == after


def test_changes_are_told_with_old_and_new_values(root: Client) -> None:
    root.post(PATH, began(root) | posted(core__items_per_page="50"))
    page = root.get(PATH + "history/").content.decode()
    assert "30 rows" in page
    assert "50 rows" in page
    assert "Nothing matches" in root.get(PATH + "history/?q=nothing-like-this").content.decode()


def test_the_pages_cost_the_same_for_few_and_for_many_changes(root: Client, cast: Cast) -> None:
    def counted() -> list[int]:
        counts = []
        for url in (PATH, PATH + "history/", PATH + "history/?page=2"):
            with CaptureQueriesContext(connection) as run:
                assert root.get(url).status_code == 200
            counts.append(len(run))
        return counts

    for number in range(40, 42):
        update_parameters(cast.root, {"core": {"items_per_page": number}})
    few = counted()
    for number in range(42, 152):
        update_parameters(cast.root, {"core": {"items_per_page": number}})
    many = counted()
    # One that asks for what was before the first version is spared when there are older ones.
    assert all(more <= less for more, less in zip(many, few, strict=True))
    assert max(few) < 16


class Own(plugin_forms.UserParametersForm):
    app = "tests"

    sep = plugin_forms.SeparatorField(label="Reading")
    lines = forms.IntegerField(label="Lines of a page", min_value=1, initial=20)
    token = forms.CharField(label="Token", required=False, initial="", widget=forms.PasswordInput)

    @staticmethod
    def has_access(**kwargs: Any) -> bool:
        return bool(kwargs["user"].username != "rita")


@pytest.fixture
def plugin() -> Iterator[None]:
    tools.registry.add("user", Own, "Reader")
    yield
    del tools.registry._declarations["user", "tests"]


@pytest.mark.usefixtures("plugin")
def test_preferences_are_laid_out_saved_and_told_as_parameters_are(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    sam = browser_of(cast.sam)
    sent = {"language": "", "tests-lines": "7", "tests-token": SECRET}
    assert sam.post("/user/preferences/", sent).status_code == 302
    assert tools.get_user_parameters(cast.sam.user, "tests") == {"lines": 7, "token": SECRET}
    page = sam.get("/user/preferences/").content.decode()
    assert "Default: 20" in page
    assert SECRET not in page
    told = sam.get("/user/preferences/history/").content.decode()
    assert "Lines of a page" in told
    assert SECRET not in told
    assert "Lines of a page" not in browser_of(cast.dora).get("/user/preferences/history/").content.decode()


@pytest.mark.usefixtures("plugin")
def test_a_tab_that_somebody_may_not_open_is_not_shown_to_him(
    cast: Cast, browser_of: Callable[[Actor | None], Client]
) -> None:
    assert "Lines of a page" in browser_of(cast.sam).get("/user/preferences/").content.decode()
    rita = browser_of(cast.rita)
    assert "Lines of a page" not in rita.get("/user/preferences/").content.decode()
    assert rita.post("/user/preferences/", {"language": "", "tests-lines": "7"}).status_code == 302
    assert tools.get_user_parameters(cast.rita.user, "tests")["lines"] == 20


@pytest.mark.usefixtures("plugin")
def test_changes_of_a_tab_that_is_hidden_now_are_hidden_too(
    cast: Cast, browser_of: Callable[[Actor | None], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = browser_of(cast.sam)
    sam.post("/user/preferences/", {"language": "", "tests-lines": "7"})
    pages = ("/user/preferences/", "/user/preferences/history/")
    assert all("Lines of a page" in sam.get(url).content.decode() for url in pages)
    monkeypatch.setattr(Own, "has_access", staticmethod(lambda **_given: False))
    assert not any("Lines of a page" in sam.get(url).content.decode() for url in pages)
