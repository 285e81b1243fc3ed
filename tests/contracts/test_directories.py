"""Mail directories as people see them: the list, decisions, notices, what deletions say, and the page of versions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from admin.gateways import doveadm
from admin.models import Account, Heartbeat, MailboxOperation
from admin.operations import MailboxSpec, create_account, delete_accounts, update_account
from core.actor import Actor
from core.version import VERSION
from parameters import tools
from tests.cast import PASSWORD, Cast
from tests.contracts.conftest import Fingerprint
from tests.contracts.test_bulk import heading, plan_of
from tests.stored_parameters import store

LIST, BULK = "/admin/directories/", "/admin/directories/bulk/"
REASON = "dora.example/samuel is there already."
Browsers = Callable[[Actor | None], Client]


def set_parameter(name: str, value: object) -> None:
    store("admin", **{name: value})


@pytest.fixture
def people(cast: Cast) -> Iterator[Cast]:
    """Everybody, while the panel handles directories."""
    set_parameter("handle_mailboxes", value=True)
    yield cast
    tools.forget()


@pytest.fixture
def root(people: Cast, browser_of: Browsers) -> Client:
    return browser_of(people.root)


def newest() -> MailboxOperation:
    order = MailboxOperation.objects.order_by("pk").last()
    assert order is not None
    return order


def changed(order: MailboxOperation, **values: object) -> MailboxOperation:
    MailboxOperation.objects.filter(pk=order.pk).update(**values)
    order.refresh_from_db()
    return order


def renamed(people: Cast, **values: object) -> MailboxOperation:
    """The move of sam's directory."""
    update_account(people.root, Account.objects.get(pk=people.sam.pk), address="samuel@dora.example")
    return changed(newest(), **values)


def failed(people: Cast) -> MailboxOperation:
    return renamed(people, state="failed", attempts=12, last_error=REASON)


def person(people: Cast, address: str) -> Account:
    create_account(people.root, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address))
    return Account.objects.get(username=address)


def deleted(people: Cast, address: str = "gone@dora.example", *, days_ago: int = 2) -> MailboxOperation:
    """A deletion whose directory is in the trash."""
    delete_accounts(people.root, [person(people, address)])
    at = timezone.now() - timedelta(days=days_ago)
    order = newest()
    return changed(order, state="done", trash="kept", trash_path=f".trash/{order.pk}", finished_at=at)


def beat(ago: timedelta) -> None:
    Heartbeat.objects.update_or_create(pk=Heartbeat.DIRECTORIES, defaults={"beat_at": timezone.now() - ago})


def text_of(answer: Any) -> str:
    """What people read."""
    assert answer.status_code in {200, 422}, answer.status_code
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def asked(browser: Client, verb: str, *orders: MailboxOperation) -> Any:
    return browser.post(BULK, {"verb": verb, "selected": [f"order:{order.pk}" for order in orders]})


def decided(browser: Client, verb: str, *orders: MailboxOperation, **answers: str) -> Any:
    """From the selection to the report."""
    return browser.post(BULK, plan_of(asked(browser, verb, *orders)) | answers)


# --- the list -------------------------------------------------------------------------------------------------


def test_the_list_says_how_far_everything_is(people: Cast, root: Client) -> None:
    failed(people)
    deleted(people)
    shown = text_of(root.get(LIST))
    for words in (
        "2 orders, 1 failure waits for your decision",
        "sam@dora.example → samuel@dora.example",
        "dora.example/sam → dora.example/samuel",
        REASON,
        "Tried 12 times",
        "In the trash until",
    ):
        assert words in shown


def test_the_newest_comes_first_and_notes_of_what_is_kept_are_no_orders(people: Cast, root: Client) -> None:
    first, second = deleted(people, "a@dora.example"), deleted(people, "b@dora.example")
    delete_accounts(people.root, [person(people, "c@dora.example")], keep_directories=True)
    rows = root.get(LIST).context["rows"]
    assert [row.key for row in rows] == [f"order:{second.pk}", f"order:{first.pk}"]
    rows = root.get(f"{LIST}?sort=address").context["rows"]
    assert [row.name for row in rows] == ["a@dora.example", "b@dora.example"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("state=failed", 1),
        ("state=done", 1),
        ("state=nonsense", 2),
        ("kind=rename", 1),
        ("kind=restore", 0),
        ("kind=keep", 2),
        ("trash=kept", 1),
        ("q=samuel@dora.example", 1),
        ("q=trash", 0),
        ("q=dora.example/gone", 1),
        ("q=elsewhere", 0),
        ("page=99", 2),
    ],
)
def test_orders_are_found_by_state_kind_trash_address_and_path(
    people: Cast, root: Client, given: str, found: int
) -> None:
    failed(people)
    deleted(people)
    assert root.get(f"{LIST}?{given}").context["page"].total == found


def test_what_was_tried_says_when_it_is_tried_next(people: Cast, root: Client) -> None:
    order = renamed(people)
    assert "Waits for the next run" in text_of(root.get(LIST))
    changed(order, attempts=2, next_attempt_at=timezone.now() + timedelta(minutes=4, seconds=30))
    shown = text_of(root.get(LIST)).replace("\xa0", " ")
    assert "Tried 2 times; again in 4 minutes" in shown
    changed(order, next_attempt_at=timezone.now())
    assert "again with the next run" in text_of(root.get(LIST))


def test_a_directory_whose_time_is_over_is_said_to_go(people: Cast, root: Client) -> None:
    deleted(people, days_ago=8)
    assert "In the trash, purged with the next run" in text_of(root.get(LIST))


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (
            None,
            "or never found its mail root. Let cron start it every minute as vmail, and read",
        ),
        (timedelta(hours=2, seconds=9), "last found its mail root 2 hours ago"),
        (timedelta(minutes=2), ""),
    ],
)
def test_orders_that_nobody_carries_out_are_told_with_the_line_for_cron(
    people: Cast, root: Client, ago: timedelta | None, words: str
) -> None:
    if ago is not None:
        beat(ago)
    assert root.get(LIST).context["standstills"]() == [], "nothing waits"
    renamed(people)
    shown = text_of(root.get(LIST)).replace("\xa0", " ")
    assert words in shown
    assert ("* * * * * vmail" in shown) is bool(words)


def test_orders_that_wait_while_the_panel_handles_no_directories_are_told(people: Cast, root: Client) -> None:
    beat(timedelta())
    renamed(people)
    assert "does not handle mail directories any more" not in text_of(root.get(LIST))
    set_parameter("handle_mailboxes", value=False)
    assert "does not handle mail directories any more. 1 order waits." in text_of(root.get(LIST))


# --- decisions ------------------------------------------------------------------------------------------------


def test_a_failed_order_is_tried_again_after_a_preview(
    people: Cast, root: Client, fingerprint: Fingerprint
) -> None:
    order = failed(people)
    before = fingerprint()
    shown = asked(root, "retry", order)
    assert heading(shown) == "Retry 1 order?"
    assert REASON in text_of(shown)
    assert fingerprint() == before
    report = root.post(BULK, plan_of(shown))
    assert heading(report) == "Tried again: 1 order"
    assert changed(order).state == "pending"
    again = root.post(BULK, plan_of(shown))
    assert heading(again) == "Nothing was changed"
    assert "Not waiting for a decision" in text_of(again)


def test_giving_up_says_what_happens_to_renames_and_deletions(people: Cast, root: Client) -> None:
    order = failed(people)
    delete_accounts(people.root, [person(people, "gone@dora.example")])
    deletion = newest()
    shown = text_of(asked(root, "give_up", order, deletion))
    assert "1 renamed mailbox answers again at once" in shown
    assert "1 directory of a deleted mailbox stays on the disk" in shown
    assert heading(decided(root, "give_up", order, deletion)) == "Given up: 2 orders"
    assert {changed(order).state, changed(deletion).state} == {"given_up"}


def test_what_cannot_be_decided_is_left_out_and_named(people: Cast, root: Client) -> None:
    order, trash = failed(people), deleted(people)
    delete_accounts(people.root, [person(people, "kept@dora.example")], keep_directories=True)
    shown = asked(root, "retry", order, trash, newest())
    assert heading(shown) == "Retry 1 order?"
    assert "Not waiting for a decision" in text_of(shown)
    assert "Not there any more" in text_of(shown)
    changed(order, state="pending")
    report = root.post(BULK, plan_of(shown))
    assert "Not waiting for a decision" in text_of(report)


def test_everything_that_matches_is_meant(people: Cast, root: Client) -> None:
    failed(people)
    deleted(people)
    shown = root.post(BULK, {"verb": "give_up", "all": "1", "filter": "state=failed"})
    assert heading(shown) == "Give up 1 order?"


def test_a_directory_comes_back_for_who_has_the_address_now(people: Cast, root: Client) -> None:
    order = deleted(people)
    person(people, "gone@dora.example")
    assert heading(decided(root, "restore", order)) == "Coming back: what 1 order deleted"
    restoration = newest()
    assert (restoration.kind, restoration.new_address) == ("restore", "gone@dora.example")
    assert changed(order).trash == "restoring"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Choose the mailbox"),
        ("nobody@dora.example", "There is no mailbox nobody@dora.example."),
        ("not an address", ""),
        ("samuel@dora.example", "still being moved"),
    ],
)
def test_whom_a_directory_is_for_is_refused_beside_the_field(
    people: Cast, root: Client, fingerprint: Fingerprint, typed: str, words: str
) -> None:
    order = deleted(people)
    renamed(people)
    assert "Nobody has gone@dora.example now" in text_of(asked(root, "restore", order))
    before = fingerprint()
    answer = decided(root, "restore", order, mailbox=typed)
    assert answer.status_code == 422
    assert words in " ".join(answer.context["form"].errors["mailbox"])
    assert fingerprint() == before


def test_a_directory_comes_back_for_another_mailbox(people: Cast, root: Client) -> None:
    order = deleted(people)
    assert heading(decided(root, "restore", order, mailbox=" Sam@Dora.example")).startswith("Coming back")
    assert newest().new_address == "sam@dora.example"


def test_of_several_those_that_nobody_has_the_address_of_are_left_out(people: Cast, root: Client) -> None:
    orders = [deleted(people, "a@dora.example"), deleted(people, "b@dora.example")]
    person(people, "a@dora.example")
    shown = asked(root, "restore", *orders)
    assert "1 is left out, because nobody has its address now" in text_of(shown)
    assert 'name="mailbox"' not in shown.content.decode()
    report = root.post(BULK, plan_of(shown))
    assert heading(report) == "Coming back: what 1 order deleted"
    assert "restore these one by one" in text_of(report)
    assert [changed(order).trash for order in orders] == ["restoring", "kept"]


@pytest.mark.parametrize("verb", ["enable", "delete", "quota", "nonsense", ""])
def test_only_what_can_be_done_to_orders_is_done(
    people: Cast, root: Client, fingerprint: Fingerprint, verb: str
) -> None:
    order = failed(people)
    before = fingerprint()
    answer = asked(root, verb, order)
    assert (answer.status_code, answer.headers["Location"]) == (302, LIST)
    assert fingerprint() == before


def test_a_plan_for_orders_is_none_for_accounts(people: Cast, root: Client, fingerprint: Fingerprint) -> None:
    plan = plan_of(asked(root, "give_up", failed(people)))
    before = fingerprint()
    assert root.post("/admin/identities/bulk/", plan).status_code == 302
    assert fingerprint() == before


# --- notices --------------------------------------------------------------------------------------------------

MOVING = "The directory of this mailbox is being moved."
NOT_MOVED = "The directory of this mailbox could not be moved."


def pages_about(people: Cast) -> list[str]:
    return [
        reverse("admin:account_detail", args=[people.sam.pk]),
        reverse("admin:address_detail", query={"address": "samuel@dora.example"}),
        reverse("admin:address_detail", query={"address": "sam@dora.example"}),
    ]


def owner(people: Cast, browser_of: Browsers) -> Client:
    """Sam at his browser, whatever his name is by now."""
    return browser_of(Actor(Account.objects.get(pk=people.sam.pk), people.sam.credential, ""))


def test_a_mailbox_that_moves_says_so_wherever_it_is_shown(people: Cast, browser_of: Browsers) -> None:
    renamed(people)
    for actor in (people.root, people.dora):
        for url in pages_about(people):
            shown = text_of(browser_of(actor).get(url))
            assert MOVING in shown
            assert "450" in shown
            assert ("Show the order" in shown) is actor.is_super
    assert MOVING in text_of(owner(people, browser_of).get("/user/"))


def test_only_super_administrators_read_why_it_failed(people: Cast, browser_of: Browsers) -> None:
    failed(people)
    for actor in (people.root, people.dora):
        for url in pages_about(people):
            page = browser_of(actor).get(url)
            shown = text_of(page)
            assert NOT_MOVED in shown
            assert (REASON in shown) is actor.is_super
            assert ("dora.example/sam" in shown) is actor.is_super
            assert (LIST in page.content.decode()) is actor.is_super
    own = text_of(owner(people, browser_of).get("/user/"))
    assert NOT_MOVED in own
    assert REASON not in own


def test_who_does_not_see_the_domain_reads_nothing_of_a_move(people: Cast, browser_of: Browsers) -> None:
    renamed(people)
    url = reverse("admin:address_detail", query={"address": "samuel@dora.example"})
    assert "directory" not in text_of(browser_of(people.mallory).get(url))


def test_a_mailbox_at_rest_says_nothing(people: Cast, root: Client) -> None:
    renamed(people, state="done")
    for url in pages_about(people):
        assert "The directory of this mailbox" not in text_of(root.get(url))


# --- what deletions say ---------------------------------------------------------------------------------------


def deletions(people: Cast, browser: Client) -> list[str]:
    """The three questions before a mailbox is deleted."""
    account = f"account:{people.sam.pk}"
    return [
        text_of(browser.get(reverse("admin:account_delete", args=[people.sam.pk]))),
        text_of(browser.get(reverse("admin:domain_delete", args=[people.dora_example.pk]))),
        text_of(browser.post("/admin/identities/bulk/", {"verb": "delete", "selected": account})),
    ]


def test_deletions_say_what_happens_to_directories(people: Cast, root: Client) -> None:
    set_parameter("mailbox_trash_days", 30)
    for shown in deletions(people, root):
        assert re.search(r"(goes|go) to the trash, where .* for 30 days", shown)
    set_parameter("mailbox_trash_days", 0)
    for shown in deletions(people, root):
        assert re.search(r"(is|are) deleted from the disk, unless you keep", shown)
    set_parameter("handle_mailboxes", value=False)
    for shown in deletions(people, root):
        assert re.search(r"stays? on the disk, since the panel does not handle directories", shown)
        assert "trash" not in shown


def test_who_has_no_mailbox_reads_nothing_of_directories(people: Cast, root: Client) -> None:
    url = reverse("admin:account_delete", args=[people.rita.pk])
    assert "mail director" not in text_of(root.get(url))


# --- versions -------------------------------------------------------------------------------------------------


def dovecot(directory: Path, script: str) -> None:
    program = directory / "dovecot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('[ "$*" = --version ] && echo "2.4.1 (abc)"', "Dovecot 2.4.1"),
        ("exit 1", "Dovecot not found"),
        ("echo what", "Dovecot not found"),
        ("sleep 30", "Dovecot not found"),
        (None, "Dovecot not found"),
    ],
)
def test_the_page_of_versions_tells_dovecots_and_waits_for_none(
    root: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    words: str,
) -> None:
    if script is not None:
        dovecot(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script else str(tmp_path))
    monkeypatch.setattr(doveadm, "_PLACES", ())
    started = time.monotonic()
    shown = text_of(root.get("/admin/information/"))
    assert time.monotonic() - started < 5
    assert words in shown
    assert f"Modoboa {VERSION} Python" in shown
    assert "Last run never" in shown


def test_the_page_of_versions_tells_when_the_command_ran(root: Client) -> None:
    beat(timedelta(hours=2, seconds=9))
    shown = text_of(root.get("/admin/information/")).replace("\xa0", " ")
    assert "Last run 2 hours ago" in shown
    assert "reach the disk" in shown


def test_only_super_administrators_have_the_pages_in_their_menu(people: Cast, browser_of: Browsers) -> None:
    for actor in (people.root, people.rita, people.dora):
        page = browser_of(actor).get("/admin/domains/").content.decode()
        for url in (LIST, "/admin/information/"):
            assert (url in page) is actor.is_super
