"""``modo param``: what a person at a terminal sees and changes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django import forms
from django.core.management import CommandError, call_command

from core.models import Log
from modoboa.parameters import forms as plugin_forms
from parameters import tools
from tests.cast import Cast
from tests.operations.evidence import nothing_written
from tests.stored_parameters import store, unset

pytestmark = [pytest.mark.usefixtures("cast"), pytest.mark.any_engine]

SECRET = "Correct-Horse-8"


def param(*words: str) -> str:
    """What the command writes."""
    output = io.StringIO()
    call_command("modo", "param", *words, stdout=output)
    return output.getvalue()


def value(name: str, app: str = "core") -> object:
    return tools.get_global_parameter(name, app)


def test_all_parameters_are_listed_and_secrets_are_not_shown() -> None:
    store("core", default_password=SECRET)
    lines = param("list").splitlines()
    assert "core.items_per_page = 30" in lines
    assert "core.rounds_number = 1000  # changed" in lines
    assert "core.default_password = <set>  # changed" in lines
    assert "core.ldap_bind_password = <not set>" in lines
    assert SECRET not in "".join(lines)
    assert {line.partition(".")[0] for line in lines} == {"core", "admin", "limits", "relaydomains"}
    unset("limits")
    assert param("list", "--app", "limits", "--changed") == ""
    assert "enable_admin_limits" in param("list", "--app", "limits")


def test_one_is_read_as_it_is() -> None:
    store("core", default_password=SECRET)
    assert param("get", "core.items_per_page") == "30\n"
    assert param("get", "core.sender_address") == "noreply@yourdomain.test\n"
    assert param("get", "core.default_password") == "<set>\n"
    assert param("get", "core.default_password", "--secrets") == f"{SECRET}\n"
    assert param("get", "admin.enable_mx_checks") == "true\n"


def test_some_are_set_and_the_log_says_who_it_was() -> None:
    param("set", "core.items_per_page=50", "admin.enable_mx_checks=no", "core.default_password=12345678Aa")
    assert (value("items_per_page"), value("enable_mx_checks", "admin")) == (50, False)
    assert value("default_password") == "12345678Aa"
    rows = Log.objects.filter(kind="parameter").values_list("actor_name", "credential")
    assert list(rows) == [("root", "command")] * 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["set", "core.items_per_pag=50"],
            "There is no parameter core.items_per_pag. Did you mean core.items_per_page?",
        ),
        (["set", "nobody.x=50"], "There is no parameter nobody.x."),
        (["get", "core.sep_misc"], "There is no parameter core.sep_misc."),
        (["reset", "core"], "There is no parameter core."),
        (["list", "--app", "nobody"], "No app nobody has parameters."),
        (["set", "core.items_per_page"], "Write APP.NAME=VALUE, not core.items_per_page."),
        (["set", "core.items_per_page=many"], "core.items_per_page: Enter a whole number."),
        (["set", "core.rounds_number=2000", "core.items_per_page=4"], "core.items_per_page: Ensure"),
        (["set", "admin.enable_mx_checks=perhaps"], "admin.enable_mx_checks: Say yes or no."),
        (["set"], "Say what to set"),
        (["set", "core.items_per_page=50", "--from", "x"], "Say what to set"),
        (["set", "--from", "/nowhere/at/all"], "/nowhere/at/all cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(words: list[str], sentence: str) -> None:
    with nothing_written(), pytest.raises(CommandError) as caught:
        param(*words)
    assert str(caught.value).startswith(sentence)
    assert caught.value.returncode == 1


def test_somebody_else_may_not(cast: Cast) -> None:
    for name in (cast.rita.user.username, cast.sam.user.username):
        for words in (["list"], ["get", "core.items_per_page"], ["set", "core.items_per_page=50"], ["dump"]):
            with pytest.raises(CommandError, match="may not do that"):
                param("--as", name, *words)


def test_defaults_come_back() -> None:
    store("core", items_per_page=50, default_password=SECRET)
    param("reset", "core.items_per_page", "core.default_password")
    assert (value("items_per_page"), value("default_password")) == (30, "")


@pytest.mark.parametrize("form", [["--lines"], []])
def test_what_is_dumped_can_be_set_again(form: list[str], tmp_path: Path) -> None:
    values = {"valid_mxs": "192.0.2.0/24\n2001:db8::1", "handle_mailboxes": True, "mailboxes_owner": "true"}
    store("admin", **values)
    store("core", default_password=f" {SECRET} ")
    before = param("dump", "--secrets")
    assert SECRET not in param("dump", *form)
    path = tmp_path / "dump"
    path.write_text("# everything\n\n" + param("dump", *form, "--secrets") if form else before)
    unset("admin")
    unset("core")
    param("set", "--from", str(path))
    assert param("dump", "--secrets") == before
    assert {name: value(name, "admin") for name in values} == values
    changed = json.loads(param("dump", "--changed"))
    assert changed["admin"] == values


def test_secrets_come_in_by_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f'core.default_password = "{SECRET}"\n'))
    param("set", "--from", "-")
    assert value("default_password") == SECRET


class Optional(plugin_forms.AdminParametersForm):
    app = "tests"

    sep = plugin_forms.SeparatorField(label="Locks")
    pin = forms.CharField(label="PIN", required=False)
    doors = forms.MultipleChoiceField(
        label="Doors", required=False, choices=[("1", "First"), ("2", "Second")]
    )


@pytest.mark.parametrize("text", ["true", "1e3", "null", "0042"])
def test_a_text_without_a_default_is_taken_as_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declarations = dict(tools.registry._declarations)
    monkeypatch.setattr(tools.registry, "_declarations", declarations)
    tools.registry.add("global", Optional, "Locks")
    param("set", f"tests.pin={text}", 'tests.doors=["2"]')
    assert (value("pin", "tests"), value("doors", "tests")) == (text, ["2"])
    param("set", 'tests.pin="true"')
    assert value("pin", "tests") == "true"


@pytest.mark.parametrize("text", ["{", '{"core": 1}', "{}}"])
def test_what_is_no_json_is_said_so(text: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text(text)
    with nothing_written(), pytest.raises(CommandError, match="no JSON of the shape"):
        param("set", "--from", str(path))
