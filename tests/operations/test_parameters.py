"""The registry of parameters, reading them without a query, and saving them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django import forms
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from reversion.models import Version

from core.models import Log
from modoboa.parameters import forms as plugin_forms
from modoboa.parameters import tools as plugin_tools
from parameters import tools
from parameters.models import SiteParameters
from parameters.operations import update_parameters
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
    with pytest.raises(plugin_tools.NotDefined, match=name):
        plugin_tools.get_global_parameter(name, app)
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
