"""Hooks bear receivers that are missing, silent, wrong or broken; a refusal is heard where a veto is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction

from admin.models import Account, Domain
from admin.operations import create_alias, create_domain, delete_accounts, update_account
from core import plugins
from core.hooks import Hook
from core.models import Log, User
from core.parts import MenuItem, menu_items, notices, widgets
from core.refusals import Refusal
from core.signals import account_deleted, account_password_updated, can_create_object
from modoboa.lib.exceptions import BadRequest, PermDeniedException
from tests.cast import Cast

pytestmark = pytest.mark.django_db

Connect = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_was_told_yet() -> None:
    plugins._told.clear()


@pytest.fixture
def hook() -> Hook:
    return Hook("user")


@pytest.fixture
def answer() -> Iterator[Callable[..., None]]:
    """A function that lets a hook be answered with a value, or by what a function returns or raises."""
    connected: list[tuple[Hook, Any]] = []

    def connect(hook: Hook, value: Any) -> None:
        def receiver(**sent: Any) -> Any:
            if isinstance(value, Exception):
                raise value
            return value(**sent) if callable(value) else value

        connected.append((hook, receiver))
        hook.connect(receiver, weak=False)

    yield connect
    for hook, receiver in connected:
        hook.disconnect(receiver)


def faults() -> list[str]:
    return list(
        Log.objects.filter(kind="plugin", verb="plugin.fail").order_by("pk").values_list("message", flat=True)
    )


def test_nobody_listens(hook: Hook) -> None:
    assert hook.answers(user=1) == hook.listed(user=1) == hook.objections(user=1) == []
    assert hook.merged(user=1) == {}
    assert hook.html(user=1) == ""
    hook.tell(user=1)


def test_answers_are_collected_and_the_silent_and_the_broken_left_out(hook: Hook, answer: Connect) -> None:
    for value in ([1], None, ValueError("broken"), (2, 3), "no list"):
        answer(hook, value)
    assert hook.listed(user=1) == [1, 2, 3]
    assert [fault.partition(": ")[2] for fault in faults()] == [
        "ValueError: broken",
        "TypeError: a list was expected, not str",
    ]


def test_dictionaries_are_merged_and_texts_joined(answer: Connect) -> None:
    merged, html = Hook(), Hook()
    for value in ({"a": 1}, None, {"b": 2}, [1]):
        answer(merged, value)
    assert merged.merged() == {"a": 1, "b": 2}
    for text in ("<p>one</p>", None, RuntimeError(), "<p>two</p>"):
        answer(html, text)
    answer(html, ["<p>three</p>", "<p>four</p>"])
    assert html.html() == "<p>one</p><p>two</p><p>three</p><p>four</p>"


def test_a_fault_is_written_to_the_event_log_once(hook: Hook, answer: Connect) -> None:
    answer(hook, ValueError("again and again"))
    for _time in range(3):
        hook.tell(user=1)
    assert len(faults()) == 1


def test_a_statement_that_fails_in_a_receiver_spoils_nothing(hook: Hook, answer: Connect) -> None:
    def broken(**_sent: Any) -> None:
        connection.cursor().execute("SELECT nothing FROM nowhere")

    answer(hook, broken)
    answer(hook, lambda **_sent: [User.objects.count()])
    with transaction.atomic():
        assert hook.listed(user=1) == [0]
        assert User.objects.count() == 0


def test_a_hook_is_sent_with_what_it_says(hook: Hook, answer: Connect) -> None:
    answer(hook, None)
    with pytest.raises(TypeError, match="user"):
        hook.tell(account=1)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (BadRequest("Not today."), "Not today."),
        (PermDeniedException(), "You may not do this."),
        (ValidationError("Not so."), "Not so."),
        (PermissionDenied(), "A plugin does not allow this."),
        (Refusal.single("", "no", "No."), "No."),
    ],
)
def test_a_refusal_is_an_objection(hook: Hook, answer: Connect, raised: Exception, words: str) -> None:
    answer(hook, raised)
    assert hook.objections(user=1) == [words]
    assert faults() == []


def test_a_fault_is_no_objection(hook: Hook, answer: Connect) -> None:
    answer(hook, ValueError("a slip"))
    assert hook.objections(user=1) == []
    assert len(faults()) == 1


def test_receivers_of_disabled_plugins_are_not_asked(
    hook: Hook, answer: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(hook, [1])
    own = __name__.partition(".")[0]
    loaded = apps.get_app_config("core")
    monkeypatch.setitem(plugins._plugins, own, plugins.Plugin(own, loaded, fault="load: broken"))
    assert hook.listed(user=1) == []


def test_entries_that_are_no_links_are_left_out(hook: Hook, answer: Connect) -> None:
    answer(hook, [{"label": "One", "url": "/one/", "img": "fa fa-star"}])
    answer(hook, [{"url": "/no-label/"}])
    answer(hook, [{"title": "Two", "url": "/two/", "img": "people"}])
    assert menu_items(hook, user=1) == [
        MenuItem("One", "/one/", "puzzle"),
        MenuItem("Two", "/two/", "people"),
    ]
    assert len(faults()) == 1


def test_widgets_stand_in_their_columns(hook: Hook, answer: Connect) -> None:
    answer(hook, [{"column": "right", "template": "a.html"}, {"template": "b.html", "context": {"x": 1}}])
    found = widgets(hook, user=1)
    assert [each.template for each in found.left] == ["b.html"]
    assert [each.template for each in found.right] == ["a.html"]
    assert found.left[0].render(None) == ""
    assert len(faults()) == 1


def test_a_notice_with_an_id_alone_is_over(hook: Hook, answer: Connect) -> None:
    answer(hook, [{"id": "a"}, {"id": "b", "text": "Look", "url": "/b/", "level": "danger", "counter": 2}])
    [found] = notices(hook, user=1)
    assert (found.text, found.url, found.tone, found.counter) == ("Look", "/b/", "bad", 2)


# --- where they are asked ------------------------------------------------------------------------------------------


def test_account_and_domain_are_asked_whether_they_may_have_more(cast: Cast, answer: Connect) -> None:
    asked: list[tuple[Any, ...]] = []
    answer(
        can_create_object,
        lambda context, klass, object_type, count, instance, **_sent: asked.append(
            (str(context), klass.__name__, object_type, count, instance)
        ),
    )
    create_alias(cast.dora, address="info@dora.example", recipients=("friend@elsewhere.example",))
    assert asked == [
        ("dora@dora.example", "Alias", "mailbox_aliases", 1, None),
        ("dora.example", "Alias", "mailbox_aliases", 1, None),
    ]
    asked.clear()
    create_domain(cast.root, name="new.example", aliases=("further.example",))
    assert asked == [
        ("root", "Domain", "domains", 1, None),
        ("root", "DomainAlias", "domain_aliases", 1, None),
    ]


def test_a_veto_undoes_the_whole(cast: Cast, answer: Connect) -> None:
    answer(can_create_object, BadRequest("Enough."))
    with pytest.raises(Refusal) as refused:
        create_domain(cast.root, name="new.example")
    assert refused.value.codes == [(0, "name", "vetoed")]
    assert not Domain.objects.filter(name="new.example").exists()


def test_news_that_a_receiver_cannot_bear_stop_no_operation(cast: Cast, answer: Connect) -> None:
    answer(account_deleted, RuntimeError("broken"))
    delete_accounts(cast.root, [Account.objects.get(pk=cast.sam.pk)])
    assert not Account.objects.filter(pk=cast.sam.pk).exists()
    assert len(faults()) == 1


def test_an_operation_that_is_refused_tells_no_password(
    cast: Cast, answer: Connect, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[str] = []
    answer(account_password_updated, lambda account, **_sent: told.append(str(account)))
    sam = Account.objects.get(pk=cast.sam.pk)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(Refusal):
        update_account(cast.root, sam, password="weak")
    assert told == []
    with django_capture_on_commit_callbacks(execute=True):
        update_account(cast.root, sam, password="Another-Horse-8")
    assert told == ["sam@dora.example"]
