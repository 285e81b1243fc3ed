"""Plugins that answer nonsense, or fail later than where they were asked: pages come without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django import forms
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.functional import lazystr

from admin import signals as of_admin
from core import plugins, repair
from core import signals as of_core
from core.actor import Actor
from core.hooks import Hook
from core.models import Log, User
from core.repair import Problem
from parameters.forms import AdminParametersForm
from parameters.registry import registry
from parameters.tools import get_global_parameter
from tests.cast import Cast
from tests.contracts.opened_forms import opened
from tests.stored_parameters import posted, store

Browser = Callable[[Actor | None], Client]
Answer = Callable[[Hook, Any], None]


@pytest.fixture(autouse=True)
def _nothing_was_told_yet() -> None:
    plugins._told.clear()


@pytest.fixture
def answer() -> Iterator[Answer]:
    """A function that lets a hook be answered with a value."""
    connected: list[tuple[Hook, Any]] = []

    def connect(hook: Hook, value: Any) -> None:
        def receiver(**_sent: Any) -> Any:
            return value

        connected.append((hook, receiver))
        hook.connect(receiver, weak=False)

    yield connect
    for hook, receiver in connected:
        hook.disconnect(receiver)


@pytest.fixture
def root(cast: Cast, browser_of: Browser) -> Client:
    return browser_of(cast.root)


def fail() -> list[tuple[str, str]]:
    """As a list of choices it is none."""
    raise KeyError("missing")


class Fails:
    """As a text it fails."""

    def __str__(self) -> str:
        raise KeyError("missing")


class Plain(forms.Form):
    """Fine."""

    note = forms.CharField(required=False)

    def save(self, *_values: Any, **_named: Any) -> None:
        """Nothing to keep."""


class FailsToClean(Plain):
    """Fails where it is sent."""

    def clean(self) -> None:
        raise KeyError("missing")


class FailsToShow(Plain):
    """Fails where it is drawn."""

    choice = forms.ChoiceField(required=True, choices=fail)


def tab(cls: object, **more: Any) -> dict[str, Any]:
    return {"id": "mine", "title": "Mine", "cls": cls, **more}


def faults() -> list[str]:
    return list(Log.objects.filter(verb=plugins.FAILED).order_by("pk").values_list("message", flat=True))


@pytest.mark.parametrize(
    "described",
    [
        [None],
        ["x"],
        [5],
        [tab(None)],
        [tab(FailsToShow)],
        [tab(Plain, formtpl="nothing/like/this.html")],
        [tab(Plain, title=Fails())],
    ],
    ids=["nothing", "a text", "a number", "no form", "a field", "a template", "a title"],
)
@pytest.mark.parametrize("noun", ["account", "domain"])
def test_a_tab_that_cannot_be_shown_is_left_out(
    cast: Cast, root: Client, answer: Answer, noun: str, described: list[Any]
) -> None:
    hook = {"account": of_admin.extra_account_forms, "domain": of_admin.extra_domain_forms}[noun]
    pk = {"account": cast.sam.pk, "domain": cast.dora_example.pk}[noun]
    url = reverse(f"admin:{noun}_update", args=[pk])
    values = opened(root, url)
    answer(hook, described)
    page = root.get(url)
    assert page.status_code == 200
    assert "Mine" not in page.content.decode()
    assert root.post(url, values).status_code == 302
    assert len(faults()) == 1


def test_a_tab_that_fails_when_it_is_sent_is_refused_in_words(
    cast: Cast, root: Client, answer: Answer
) -> None:
    answer(of_admin.extra_domain_forms, [tab(FailsToClean)])
    url = reverse("admin:domain_update", args=[cast.dora_example.pk])
    refused = root.post(url, opened(root, url))
    assert refused.status_code == 422
    assert "The plugin failed, so nothing was changed." in refused.content.decode()
    assert [fault.partition(":")[0] for fault in faults()] == ["clean"]


def test_a_filter_that_the_database_refuses_lets_nothing_through(root: Client, answer: Answer) -> None:
    answer(of_admin.extra_domain_filters, ["colourfilter"])
    answer(of_admin.extra_domain_qset_filters, {"name__regex": "["})
    page = root.get(reverse("admin:domain_list"), {"colourfilter": "["})
    assert page.status_code == 200
    assert "dora.example" not in page.content.decode()


@pytest.mark.parametrize(
    ("hook", "value"),
    [
        (of_core.extra_admin_menu_entries, [{"label": lazystr(Fails()), "url": "/x/"}]),
        (of_core.get_top_notifications, [{"id": "a", "text": lazystr(Fails()), "url": "/x/"}]),
        (of_core.extra_static_content, [Fails()]),
        (of_admin.get_domain_tags, [{"type": "dom", "name": "x", "label": Fails()}]),
        (of_admin.extra_domain_types, [("x", Fails())]),
    ],
    ids=["menu", "notice", "file", "tag", "type"],
)
def test_a_text_that_fails_is_left_out(root: Client, answer: Answer, hook: Hook, value: Any) -> None:
    answer(hook, value)
    assert root.get(reverse("admin:domain_list")).status_code == 200
    assert faults()


@pytest.mark.parametrize("given", [[1], True, 5, [("a", "b")], ["abc"]], ids=repr)
@pytest.mark.usefixtures("cast")
def test_rights_that_are_none_are_told_of(answer: Answer, given: Any) -> None:
    answer(of_core.extra_role_permissions, given)
    call_command("load_initial_data", stdout=StringIO(), stderr=StringIO())
    assert faults()


@pytest.mark.usefixtures("cast")
def test_whoever_tells_of_a_fault_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.logger, "disabled", True)  # what pytest keeps of a log has to be UTF-8
    plugins.report("plugin", "place", ValueError("a\0b \udcff"))
    assert faults() == ["place: ValueError: a\\0b \\udcff"]


@pytest.mark.usefixtures("cast")
def test_a_problem_that_a_plugin_cannot_mend_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def mend(actor: Actor, _dry_run: bool) -> list[str]:  # noqa: FBT001  as plugins define it
        User.objects.filter(pk=actor.user.pk).update(first_name="Half")
        raise KeyError("missing")

    ours = list(repair.known_problems())
    found = [Problem("Of a plugin", mend), *ours]
    monkeypatch.setattr("core.management.subcommands.repair.known_problems", lambda: found)
    monkeypatch.setattr(plugins, "is_ours", lambda thing: thing is not mend)
    output = StringIO()
    with pytest.raises(CommandError, match="Of a plugin: KeyError"):
        call_command("modo", "repair", stdout=output)
    assert all(str(problem.title) in output.getvalue() for problem in ours)
    assert not User.objects.filter(first_name="Half").exists()


# --- parameters ------------------------------------------------------------------------------------------------


class Changed(AdminParametersForm):
    """A newer version of a plugin's."""

    app = "changed"
    day = forms.DateField(initial=None, required=False)


class NoAccess(Changed):
    """Nobody can say who may see it."""

    @classmethod
    def has_access(cls, **_given: Any) -> bool:
        """Fail."""
        raise KeyError("missing")


class NoChoices(Changed):
    """It cannot be drawn."""

    choice = forms.ChoiceField(initial="", required=False, choices=fail)


class NotClean(Changed):
    """It cannot be sent."""

    def clean(self) -> dict[str, Any]:
        """Fail."""
        raise KeyError("missing")


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[AdminParametersForm]], None]:
    """A function that declares parameters of a plugin, for a while."""
    monkeypatch.setattr(plugins, "is_ours", lambda thing: thing.__module__ != __name__)
    monkeypatch.setattr(registry, "_declarations", dict(registry._declarations))
    return lambda form_class: registry.add("global", form_class, "Of a plugin")


def test_a_stored_value_of_another_type_counts_as_absent(root: Client, declare: Callable[..., None]) -> None:
    declare(Changed)
    store("changed", day=5)
    assert get_global_parameter("day", "changed") is None
    assert root.get("/settings/parameters/").status_code == 200


@pytest.mark.parametrize("form_class", [NoAccess, NoChoices])
def test_parameters_that_cannot_be_shown_are_left_out(
    root: Client, declare: Callable[..., None], form_class: type[AdminParametersForm]
) -> None:
    declare(form_class)
    page = root.get("/settings/parameters/")
    assert page.status_code == 200
    assert "Of a plugin" not in page.content.decode()
    assert root.post("/settings/parameters/", posted(core__items_per_page="31")).status_code == 302
    assert get_global_parameter("items_per_page", "core") == 31


def test_parameters_that_cannot_be_checked_are_refused_in_words(
    root: Client, declare: Callable[..., None]
) -> None:
    declare(NotClean)
    refused = root.post("/settings/parameters/", posted(core__items_per_page="31"))
    assert refused.status_code == 422
    assert "The plugin failed, so nothing was changed." in refused.content.decode()
