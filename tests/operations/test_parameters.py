"""The registry of parameters, reading them without a query, and saving them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from reversion.models import Version

from core.models import Log, User
from modoboa.parameters import forms as plugin_forms
from modoboa.parameters import tools as plugin_tools
from parameters import queries, tools
from parameters.middleware import LocalConfigMiddleware
from parameters.models import SiteParameters
from parameters.operations import update_own_preferences, update_parameters
from parameters.queries import history, recent_changes
from tests.cast import Cast
from tests.operations.evidence import events, forbidden, nothing_written, refused, refused_as
from tests.stored_parameters import store

THIS_APP = "tests"  # the first part of this module's name, as a plugin's is its own


class PluginForm(plugin_forms.AdminParametersForm):
    app = THIS_APP

    colour = forms.ChoiceField(choices=[("red", "Red"), ("blue", "Blue")], initial="red")
    wheels = forms.IntegerField(min_value=1, initial=4)
    is_fast = forms.BooleanField(required=False, initial=True)

    visibility_rules = {"wheels": "colour=red"}


@pytest.fixture
def plugin(db: None) -> Iterator[None]:  # noqa: ARG001  it has to be there
    plugin_tools.registry.add("global", PluginForm, "Plugin")
    yield
    del tools.registry._declarations["global", THIS_APP]


# --- registry -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plugin")
def test_a_plugin_declares_its_parameters_with_a_form() -> None:
    titles = [str(entry.title) for entry in tools.registry.declarations("global")]
    assert titles[0] == "General", "the core comes first"
    assert "Plugin" in titles
    assert titles[1:] == sorted(titles[1:])
    assert tools.registry.names("global", THIS_APP) == ["colour", "wheels", "is_fast"]
    assert tools.registry.names("global", "nobody") == []


def test_a_form_of_another_level_is_not_registered() -> None:
    class UserForm(plugin_forms.UserParametersForm):
        app = THIS_APP

    with pytest.raises(TypeError, match="must extend AdminParametersForm"):
        tools.registry.add("global", UserForm, "x")


@pytest.mark.usefixtures("db")
def test_every_default_is_a_value_that_its_own_form_accepts() -> None:
    for entry in tools.registry.declarations("global"):
        values = tools.get_global_parameters(entry.app)
        form = entry.form_class(
            {f"{entry.app}-{name}": value for name, value in values.items()}, prefix=entry.app
        )
        assert form.errors == {}, entry.form_class.app


# --- reading --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plugin")
def test_the_app_is_guessed_from_the_caller() -> None:
    assert plugin_tools.get_global_parameter("colour") == "red"
    assert plugin_tools.get_global_parameter("rounds_number", "core") == 70_000
    with pytest.raises(plugin_tools.NotDefined):
        plugin_tools.get_global_parameter("rounds_number")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("name", "app"), [("no_such", "core"), ("colour", "core"), ("x", "nobody")])
def test_a_parameter_that_nobody_declares_is_not_defined(name: str, app: str) -> None:
    with pytest.raises(plugin_tools.NotDefined, match=name) as raised:
        plugin_tools.get_global_parameter(name, app)
    assert raised.value.http_code == 404
    assert plugin_tools.get_global_parameter(name, app, raise_exception=False) is None


@pytest.mark.usefixtures("plugin")
def test_a_value_that_was_saved_replaces_the_default_and_false_is_a_value() -> None:
    store(THIS_APP, is_fast=False, wheels=3)
    assert plugin_tools.get_global_parameter("is_fast") is False
    assert plugin_tools.get_global_parameters(THIS_APP) == {"colour": "red", "wheels": 3, "is_fast": False}


@pytest.mark.usefixtures("plugin")
def test_only_the_first_read_of_a_request_asks_the_database() -> None:
    with CaptureQueriesContext(connection) as queries:
        for _time in range(50):
            tools.get_global_parameter("rounds_number", "core")
            tools.get_global_parameters(THIS_APP)
    assert len(queries) == 1


@pytest.mark.usefixtures("plugin")
def test_the_next_request_sees_what_another_process_saved(client: Client) -> None:
    assert tools.get_global_parameter("wheels") == 4
    SiteParameters.objects.update(parameters={THIS_APP: {"wheels": 3}})
    assert tools.get_global_parameter("wheels") == 4
    client.get("/accounts/login/")
    assert tools.get_global_parameter("wheels") == 3


# --- saving ---------------------------------------------------------------------------------------------------


def test_only_a_super_admin_changes_parameters(cast: Cast) -> None:
    for name in ("rita", "dora", "sam", "mallory"):
        with forbidden():
            update_parameters(cast.everybody[name], {"core": {"items_per_page": 10}})


def test_a_disabled_super_admin_changes_no_parameters(cast: Cast) -> None:
    cast.root.user.is_active = False
    with forbidden():
        update_parameters(cast.root, {"core": {"items_per_page": 10}})


def test_every_wrong_value_is_reported_and_nothing_is_saved(cast: Cast) -> None:
    with refused(
        (0, "core-items_per_page", "min_value"),
        (0, "core-password_scheme", "invalid_choice"),
        (0, "admin-default_domain_quota", "invalid"),
        (0, "core-no_such", "unknown_parameter"),
        (0, "nobody-x", "unknown_parameter"),
    ):
        update_parameters(
            cast.root,
            {
                "core": {
                    "items_per_page": 4,
                    "password_scheme": "rot13",
                    "no_such": 1,
                    "random_password_length": 16,
                },
                "admin": {"default_domain_quota": "much"},
                "nobody": {"x": 1},
            },
        )


@pytest.mark.parametrize("rounds", [999, 2_000_001, "", None])
def test_rounds_that_no_scheme_takes_are_refused(cast: Cast, rounds: object) -> None:
    code = "required" if rounds in ("", None) else "min_value" if rounds == 999 else "max_value"
    with refused_as("core-rounds_number", code):
        update_parameters(cast.root, {"core": {"rounds_number": rounds}})


def test_saved_values_are_cleaned_seen_at_once_and_recorded(cast: Cast) -> None:
    before = len(events())
    update_parameters(
        cast.root, {"core": {"items_per_page": " 50 "}, "admin": {"default_domain_quota": "10"}}
    )
    assert tools.get_global_parameter("items_per_page", "core") == 50
    assert tools.get_global_parameter("default_domain_quota", "admin") == 10
    stored = SiteParameters.objects.get().parameters
    assert stored["core"]["items_per_page"] == 50
    assert "random_password_length" not in stored["core"], "only what was named"
    assert sorted(events()[before:]) == [
        ("parameter.update", "admin.default_domain_quota", ["value"]),
        ("parameter.update", "core.items_per_page", ["value"]),
    ]
    assert Log.objects.filter(verb="parameter.update", actor_name="root", kind="parameter").count() == 2


def test_a_value_that_is_already_so_writes_nothing(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"items_per_page": 50}})
    with nothing_written():
        update_parameters(cast.root, {"core": {"items_per_page": 50}})


# --- the default password -------------------------------------------------------------------------------------


def test_no_password_is_offered_unless_somebody_chose_one(cast: Cast) -> None:
    assert tools.get_global_parameter("default_password", "core") == ""
    update_parameters(
        cast.root, {"core": tools.get_global_parameters("core")}
    )  # untouched defaults can be saved
    update_parameters(cast.root, {"core": {"default_password": " Correct-Horse-7 "}})
    assert tools.get_global_parameter("default_password", "core") == " Correct-Horse-7 ", "blanks count"
    update_parameters(cast.root, {"core": {"default_password": ""}})
    assert tools.get_global_parameter("default_password", "core") == ""


@pytest.mark.parametrize(
    ("secret", "codes"),
    [
        ("iloveyou", ["password_too_common", "password_no_upper", "password_no_digit"]),
        ("Aa1", ["password_too_short"]),
        ("Aa1" + "ü" * 40, ["password_too_long"]),
    ],
)
def test_the_default_password_keeps_the_rules_of_every_password(
    cast: Cast, secret: str, codes: list[str]
) -> None:
    update_parameters(cast.root, {"core": {"password_scheme": "blfcrypt"}})
    with refused(*((0, "core-default_password", code) for code in codes)) as caught:
        update_parameters(cast.root, {"core": {"default_password": secret}})
    assert secret not in str(caught.value)


def test_the_default_password_is_in_no_log_and_no_history(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"default_password": "Correct-Horse-8"}})
    assert all("Correct-Horse-8" not in repr(row) for row in Log.objects.values_list())
    assert all("Correct-Horse-8" not in repr(row) for row in Version.objects.values_list())


def test_the_default_password_is_told_as_set_and_replaced(cast: Cast) -> None:
    for secret in ("Correct-Horse-8", "Correct-Horse-9", ""):
        update_parameters(cast.root, {"core": {"default_password": secret}})
    told = [(change.name, change.old, change.new) for change in recent_changes(cast.root, "global", 9)]
    assert told == [
        ("core.default_password", "set", "not set"),
        ("core.default_password", "set", "another one"),
        ("core.default_password", "not set", "set"),
    ]


def test_secrets_of_an_app_that_is_gone_are_in_no_history(cast: Cast) -> None:
    store("gone", token="Correct-Horse-8")
    update_parameters(cast.root, {"core": {"items_per_page": 50}})
    assert all("Correct-Horse-8" not in repr(row) for row in Version.objects.values_list())
    assert SiteParameters.objects.get().parameters["gone"] == {"token": "Correct-Horse-8"}


# --- defaults --------------------------------------------------------------------------------------------------


def test_a_value_that_equals_its_default_is_not_kept(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"items_per_page": 50}})
    update_parameters(cast.root, {"core": {"items_per_page": 30}})
    assert "items_per_page" not in SiteParameters.objects.get().parameters["core"]
    with nothing_written():
        update_parameters(cast.root, {"core": {"items_per_page": 30}})


def test_a_stored_value_that_does_not_fit_any_more_counts_as_absent(cast: Cast) -> None:
    store("core", items_per_page=4, password_scheme="rot13")
    assert tools.get_global_parameter("items_per_page", "core") == 30
    assert tools.get_global_parameter("password_scheme", "core") == "sha512crypt"
    update_parameters(cast.root, {"core": {"rounds_number": 2_000}})


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(("word", "value"), [("yes", True), ("ON", True), (" 0 ", False), ("off", False)])
def test_yes_and_no_may_be_words(cast: Cast, word: str, value: bool) -> None:  # noqa: FBT001  what the word means
    update_parameters(cast.root, {THIS_APP: {"is_fast": word}})
    assert tools.get_global_parameter("is_fast") is value


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("word", ["", "maybe", "nein"])
def test_other_words_are_no_yes(cast: Cast, word: str) -> None:
    with refused_as(f"{THIS_APP}-is_fast", "invalid"):
        update_parameters(cast.root, {THIS_APP: {"is_fast": word}})


def test_values_keep_their_types(cast: Cast) -> None:
    class Typed(plugin_forms.AdminParametersForm):
        app = THIS_APP

        sep = plugin_forms.SeparatorField(label="Types")
        day = forms.DateField(initial=date(2026, 1, 1))
        share = forms.DecimalField(initial=Decimal("0.5"))
        colours = forms.MultipleChoiceField(choices=[("red", "Red"), ("blue", "Blue")], initial=["red"])
        size = forms.TypedChoiceField(choices=[(1, "One"), (2, "Two")], coerce=int, initial=1)

    tools.registry.add("global", Typed, "Typed")
    try:
        given = {"day": "2026-11-23", "share": "0.25", "colours": ["red", "blue"], "size": "2"}
        update_parameters(cast.root, {THIS_APP: given})
        assert plugin_tools.get_global_parameters(THIS_APP) == {
            "day": date(2026, 11, 23),
            "share": Decimal("0.25"),
            "colours": ["red", "blue"],
            "size": 2,
        }
    finally:
        del tools.registry._declarations["global", THIS_APP]


# --- what depends on something else ----------------------------------------------------------------------------

SEARCH = {"authentication_type": "ldap", "ldap_auth_method": "searchbind"}


def test_what_is_hidden_need_not_have_a_value(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"ldap_auth_method": "searchbind"}})
    assert tools.get_global_parameter("ldap_search_base", "core") == "", "nobody sees it: local passwords"


def test_what_is_shown_has_to_have_a_value(cast: Cast) -> None:
    with refused_as("core-ldap_search_base", "required"):
        update_parameters(cast.root, {"core": SEARCH})
    update_parameters(cast.root, {"core": {**SEARCH, "ldap_search_base": "dc=example"}})
    with refused_as("core-ldap_user_dn_template", "required"):
        update_parameters(cast.root, {"core": {"ldap_auth_method": "directbind"}})


def test_what_was_wrong_before_is_no_reason_against_another_change(cast: Cast) -> None:
    store("core", default_password="password", **SEARCH)
    update_parameters(cast.root, {"core": {"items_per_page": 50}})
    assert tools.get_global_parameter("items_per_page", "core") == 50
    with refused_as("core-ldap_search_base", "required"):
        update_parameters(cast.root, {"core": {"ldap_search_base": ""}})


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("secret_key", "x" * 15, "wrong_length"),
        ("ldap_search_filter", "mail=x", "no_parentheses"),
        ("ldap_user_dn_template", "uid=x", "wrong_template"),
        ("ldap_user_dn_template", "uid=%(name)s", "wrong_template"),
        ("ldap_user_dn_template", "uid=%s", "wrong_template"),
        ("ldap_user_dn_template", "uid=%(user", "wrong_template"),
        ("ldap_server_port", 65_536, "max_value"),
        ("rss_feed_url", "javascript:alert(1)", "invalid"),
    ],
)
def test_values_that_could_never_work_are_refused(cast: Cast, name: str, value: object, code: str) -> None:
    with refused_as(f"core-{name}", code):
        update_parameters(cast.root, {"core": {name: value}})


def test_whom_a_form_does_not_let_in_changes_nothing_there(cast: Cast) -> None:
    class Closed(PluginForm):
        @staticmethod
        def has_access(**kwargs: Any) -> bool:
            return bool(kwargs["user"].username != "root")

    tools.registry.add("global", Closed, "Closed")
    try:
        with refused_as(f"{THIS_APP}-wheels", "unknown_parameter"):
            update_parameters(cast.root, {THIS_APP: {"wheels": 3}})
    finally:
        del tools.registry._declarations["global", THIS_APP]


# --- history ---------------------------------------------------------------------------------------------------


def test_the_history_says_who_changed_what_from_which_value_to_which(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"items_per_page": 50}, "admin": {"handle_mailboxes": True}})
    update_parameters(cast.root, {"core": {"items_per_page": 60, "password_scheme": "blfcrypt"}})
    found = history(cast.root, "global", {})
    assert [(row.actor, row.name, row.old, row.new) for row in found.rows] == [
        ("root", "core.password_scheme", "SHA512-CRYPT (recommended)", "Blowfish (bcrypt), up to 72 bytes"),
        ("root", "core.items_per_page", "50 rows", "60 rows"),
        ("root", "admin.handle_mailboxes", "off", "on"),
        ("root", "core.items_per_page", "30 rows", "50 rows"),
    ]
    assert [row.name for row in history(cast.root, "global", {"q": "handle"}).rows] == [
        "admin.handle_mailboxes"
    ]
    assert history(cast.root, "global", {"q": "nobody"}).rows == []
    assert history(cast.dora, "global", {}).rows == []


def test_pages_of_the_history_join(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40, 46):
        update_parameters(cast.root, {"core": {"items_per_page": number}})
    whole = history(cast.root, "global", {}).rows
    monkeypatch.setattr(queries, "PER_PAGE", 2)
    pages = [history(cast.root, "global", {"page": str(number)}).rows for number in (1, 2, 3)]
    assert [row for page in pages for row in page] == whole
    assert [row.old for row in whole] == ["44 rows", "43 rows", "42 rows", "41 rows", "40 rows", "30 rows"]


def test_of_events_that_are_older_than_the_history_the_values_are_not_known(cast: Cast) -> None:
    Log.objects.create(
        kind="parameter", object_name="core.items_per_page", actor_name="root", verb="parameter.update"
    )
    update_parameters(cast.root, {"core": {"items_per_page": 50}})
    assert [(row.old, row.new) for row in history(cast.root, "global", {}).rows] == [("", ""), ("", "")]


# --- Django's settings, and commands that run for long ---------------------------------------------------------


@pytest.fixture
def applied_form(db: None, settings: Any) -> Iterator[None]:  # noqa: ARG001  it has to be there
    class Applied(plugin_forms.AdminParametersForm):
        app = THIS_APP

        greeting = forms.CharField(initial="Hello")

        def to_django_settings(self) -> None:
            settings.TESTS_GREETING = plugin_tools.get_global_parameter("greeting", THIS_APP)
            if settings.TESTS_GREETING == "Boom":
                raise RuntimeError

    tools.registry.add("global", Applied, "Applied")
    yield
    del tools.registry._declarations["global", THIS_APP]


@pytest.mark.usefixtures("applied_form")
def test_settings_follow_their_parameters(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/accounts/login/")
    assert settings.TESTS_GREETING == "Hello"
    store(THIS_APP, greeting="Hi")
    client.get("/accounts/login/")
    assert settings.TESTS_GREETING == "Hi"
    store(THIS_APP, greeting="Boom")
    assert client.get("/accounts/login/").status_code == 200
    assert "to_django_settings() of tests failed" in caplog.text


@pytest.mark.usefixtures("plugin")
def test_a_command_that_runs_for_long_sees_changes_after_some_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("parameters.tools.time.monotonic", lambda: now)
    monkeypatch.setattr(tools, "RELOAD_AFTER_S", 5.0)
    assert tools.get_global_parameter("wheels") == 4
    SiteParameters.objects.update(parameters={THIS_APP: {"wheels": 3}})
    now = 105.0
    assert tools.get_global_parameter("wheels") == 4
    now = 105.1
    assert tools.get_global_parameter("wheels") == 3


@pytest.mark.usefixtures("plugin")
def test_values_stay_the_same_within_a_request_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("parameters.tools.time.monotonic", lambda: now)
    monkeypatch.setattr(tools, "RELOAD_AFTER_S", 5.0)
    tools._begin_request()
    assert tools.get_global_parameter("wheels") == 4
    SiteParameters.objects.update(parameters={THIS_APP: {"wheels": 3}})
    now = 200.0
    assert tools.get_global_parameter("wheels") == 4
    tools._end_request()
    assert tools.get_global_parameter("wheels") == 3


# --- as plugins read -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plugin")
def test_a_request_knows_the_parameters_of_the_site(rf: RequestFactory) -> None:
    def view(request: Any) -> HttpResponse:
        values = request.localconfig.parameters
        assert values.get_value("nobody", raise_exception=False) is None
        with pytest.raises(plugin_tools.NotDefined):
            values.get_value("items_per_page")
        return HttpResponse(f"{values.get_value('colour')} {values.get_value('items_per_page', app='core')}")

    assert LocalConfigMiddleware(view)(rf.get("/")).content == b"red 30"


@pytest.mark.usefixtures("db")
def test_an_account_knows_what_it_chose_with_one_query(cast: Cast) -> None:
    class Own(plugin_forms.UserParametersForm):
        app = THIS_APP

        lines = forms.IntegerField(initial=20)

    tools.registry.add("user", Own, "Own")
    try:
        update_own_preferences(cast.sam, language="", values={THIS_APP: {"lines": 7}})
        sam = User.objects.get(pk=cast.sam.pk)
        with CaptureQueriesContext(connection) as run:
            assert [sam.parameters.get_value("lines") for _time in range(3)] == [7, 7, 7]
        assert len(run) == 1
        assert cast.dora.user.parameters.get_value("lines", app=THIS_APP) == 20
        with pytest.raises(plugin_tools.NotDefined):
            sam.parameters.get_value("wheels")
        assert sam.parameters.get_value("wheels", raise_exception=False) is None
        [change] = history(cast.sam, "user", {}).rows
        assert (change.name, change.old, change.new) == (f"{THIS_APP}.lines", "20", "7")
        assert history(cast.dora, "user", {}).rows == []
    finally:
        del tools.registry._declarations["user", THIS_APP]
