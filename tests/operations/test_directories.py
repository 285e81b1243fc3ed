"""Orders about mail directories are carried out once, in order, by whoever comes; nothing is lost on the way."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from admin import publication
from admin.gateways import mail_root
from admin.gateways.mail_root import Identity, initialize
from admin.models import Heartbeat, Mailbox, MailboxOperation, MailCheck, MailTransport, MailUser, Quota
from admin.operations import (
    Restoration,
    delete_accounts,
    delete_domains,
    directories,
    give_up_directory_orders,
    restore_directories,
    retry_directory_orders,
    update_account,
    update_domain,
)
from core.models import Log
from tests.cast import Cast
from tests.operations.evidence import forbidden, refused, refused_as, statements
from tests.operations.people import account_of, person, set_parameter

OWNER = pwd.getpwuid(os.geteuid()).pw_name
TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def root(tmp_path: Path, settings: Settings) -> Path:
    path = tmp_path / "vmail"
    path.mkdir()
    initialize(str(path))
    settings.MODOBOA_MAIL_ROOT = str(path)
    return path


def handle_directories() -> None:
    set_parameter("handle_mailboxes", value=True)
    set_parameter("mailboxes_owner", value=OWNER)


@pytest.fixture
def people(cast: Cast) -> Cast:
    """Everybody, while the panel handles directories."""
    handle_directories()
    return cast


@pytest.fixture
def real_people(real_cast: Cast) -> Cast:
    handle_directories()
    return real_cast


def fill(path: Path, mails: int = 3) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for number in range(mails):
        (path / "cur" / str(number)).write_text(f"{path.parent.name}/{path.name} {number}")
    return path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def mails(root: Path) -> Counter[str]:
    """All messages below the root, the trash included."""
    return Counter(each.read_text() for each in root.rglob("*") if each.is_file() and each.name.isdigit())


def run(root: Path, *, fails: bool = False, **options: Any) -> str:
    """Run the command; what it prints."""
    output, errors = StringIO(), StringIO()
    try:
        call_command(
            "handle_mailbox_operations", mail_root=str(root), stdout=output, stderr=errors, **options
        )
    except CommandError as error:
        assert (fails, error.returncode) == (True, 1), f"{error} {errors.getvalue()}"  # noqa: PT017  some do not fail
    else:
        assert not fails, errors.getvalue()
    return output.getvalue() + errors.getvalue()


def state(order: MailboxOperation | None = None) -> str:
    found = MailboxOperation.objects.exclude(kind="keep").order_by("pk")
    chosen = found.get(pk=order.pk) if order else found.last()
    assert chosen is not None
    return str(chosen.state)


def newest() -> MailboxOperation:
    order = MailboxOperation.objects.exclude(kind="keep").order_by("pk").last()
    assert order is not None
    return order


def answers(address: str) -> bool:
    """Whether mail servers serve the address; if not, both of them say "try again later"."""
    is_served = MailUser.objects.filter(address=address, is_moving=False).exists()
    waits = {
        model.__name__: model._default_manager.filter(address=address, **retry).exists()
        for model, retry in ((MailTransport, {"kind": "retry"}), (MailCheck, {"action": "retry"}))
    }
    assert set(waits.values()) == {not is_served}
    return is_served


def results() -> list[tuple[str, str]]:
    log = Log.objects.filter(actor_name=directories.COMMAND).order_by("pk")
    return list(log.values_list("verb", "object_name"))


def rename(cast: Cast, address: str = "samuel@dora.example") -> MailboxOperation:
    update_account(cast.root, account_of(cast.sam), address=address)
    return newest()


def wind_on() -> None:
    """Whoever waits has waited long enough."""
    MailboxOperation.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


# --- renames, deletions, chains -------------------------------------------------------------------------------


def test_a_renamed_mailbox_takes_its_directory_along(people: Cast, root: Path) -> None:
    fill(root / "dora.example" / "sam")
    before = mails(root)
    rename(people)
    assert not answers("samuel@dora.example")
    assert run(root) == ""
    assert names(root / "dora.example") == ["samuel"]
    assert mails(root) == before
    assert answers("samuel@dora.example")
    assert state() == "done"
    assert results() == [("mailboxoperation.finish", "rename dora.example/sam")]
    assert not list(publication.drift())
    assert run(root) == ""
    assert len(results()) == 1


def test_a_deleted_mailbox_goes_to_the_trash_and_later_for_good(people: Cast, root: Path) -> None:
    fill(root / "dora.example" / "sam")
    before = mails(root)
    delete_accounts(people.root, [account_of(people.sam)])
    order = newest()
    assert order.old_address == "sam@dora.example"
    run(root)
    assert mails(root) == before == mails(root / ".trash" / str(order.pk))
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=6, hours=23))
    run(root)
    assert mails(root) == before
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=7, minutes=1))
    assert "1 purged" in run(root, verbosity=2)
    assert not mails(root)
    assert names(root / ".trash") == []
    assert "0 purged" in run(root, verbosity=2)


def test_what_cannot_be_purged_stays_in_the_list_and_the_others_go(people: Cast, root: Path) -> None:
    some = [person(people, f"p{number}@dora.example") for number in range(6)]
    for number in range(6):
        fill(root / "dora.example" / f"p{number}")
    delete_accounts(people.root, [account_of(one) for one in some])
    run(root)
    strange, link = MailboxOperation.objects.filter(kind="delete").order_by("pk")[1:3]
    (root / ".trash" / str(link.pk)).rename(root / "elsewhere")
    (root / ".trash" / str(link.pk)).symlink_to(root / "elsewhere")
    MailboxOperation.objects.filter(pk=strange.pk).update(trash_path="dora.example")
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=8))
    run(root, fails=True)
    assert {order.pk for order in MailboxOperation.objects.exclude(trash="")} == {strange.pk, link.pk}
    assert names(root / ".trash") == sorted([str(strange.pk), str(link.pk)])
    assert mails(root / "elsewhere")
    strange.refresh_from_db()
    assert strange.last_error == "This is no place in the trash."


def test_what_is_kept_stays_and_nobody_gets_it(people: Cast, root: Path) -> None:
    fill(root / "dora.example" / "sam")
    delete_accounts(people.root, [account_of(people.sam)], keep_directories=True)
    delete_domains(people.root, [people.mallory_example], keep_directories=True)
    before = mails(root)
    run(root)
    assert mails(root / "dora.example" / "sam") == before
    person(people, "sam@dora.example")
    assert Mailbox.objects.get(address="sam").home.startswith("dora.example/sam+")


def test_chains_run_in_the_order_of_creation(people: Cast, root: Path) -> None:
    """A→B then B→C, then the domain, then deleted, then created again."""
    fill(root / "dora.example" / "sam")
    before = mails(root)
    rename(people, "b@dora.example")
    rename(people, "c@dora.example")
    update_domain(people.root, people.dora_example, name="new.example", keep_old_name=False)
    delete_accounts(people.root, [account_of(people.sam)])
    person(people, "c@new.example")
    home = Mailbox.objects.get(address="c").home
    assert home.startswith("new.example/c+")
    run(root)
    deletion = MailboxOperation.objects.get(kind="delete")
    assert mails(root / ".trash" / str(deletion.pk)) == before
    assert not MailboxOperation.objects.unfinished().exists()
    assert not (root / "new.example" / "c").exists()
    assert answers("c@new.example")


def test_two_mailboxes_change_their_names(people: Cast, root: Path) -> None:
    max_ = person(people, "max@dora.example")
    fill(root / "dora.example" / "sam", 2)
    fill(root / "dora.example" / "max", 5)
    rename(people, "tmp@dora.example")
    update_account(people.root, account_of(max_), address="sam@dora.example")
    rename(people, "max@dora.example")
    run(root)
    for address, name, number in (("max@dora.example", "sam", 2), ("sam@dora.example", "max", 5)):
        assert answers(address)
        home = MailUser.objects.get(address=address).home
        assert mails(root / home) == Counter(f"dora.example/{name} {n}" for n in range(number))
    assert not list(publication.drift())


def test_a_chain_waits_behind_what_failed_and_others_do_not(people: Cast, root: Path) -> None:
    max_ = person(people, "max@dora.example")
    for name in ("sam", "b", "max"):
        fill(root / "dora.example" / name)
    before = mails(root)
    first = rename(people, "b@dora.example")
    second = rename(people, "c@dora.example")
    update_account(people.root, account_of(max_), address="maxim@dora.example")
    run(root, fails=True)
    assert (state(first), state(second), state(newest())) == ("failed", "pending", "done")
    wind_on()
    run(root)
    assert (state(first), state(second)) == ("failed", "pending")
    assert mails(root) == before
    assert not answers("c@dora.example")


def test_a_mailbox_that_was_never_used_has_nothing_to_move(people: Cast, root: Path) -> None:
    order = rename(people)
    run(root)
    assert state() == "done"
    order.refresh_from_db()
    assert "never used" in order.last_error
    assert answers("samuel@dora.example")
    assert names(root) == [mail_root.MARKER]


def test_a_mailbox_with_messages_whose_directory_is_not_there_is_no_unused_one(
    people: Cast, root: Path
) -> None:
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"messages": 3, "bytes": 9})
    rename(people)
    run(root, fails=True)
    assert state() == "failed"
    assert not answers("samuel@dora.example")


# --- every state, every fact of the disk ----------------------------------------------------------------------

HERE, THERE, OTHER = "here", "there", "other"


def identity(path: Path) -> Identity:
    return Identity(path.stat().st_dev, path.stat().st_ino)


@pytest.mark.any_engine
@pytest.mark.parametrize("kind", ["rename", "delete"])
@pytest.mark.parametrize(
    ("source", "goal", "recorded", "expected"),
    [
        (True, False, None, "done"),
        (True, False, HERE, "done"),
        (True, False, OTHER, "failed"),
        (False, True, None, "failed"),
        (False, True, THERE, "done"),
        (False, True, OTHER, "failed"),
        (True, True, None, "failed"),
        (True, True, HERE, "failed"),
        (True, True, THERE, "failed"),
        (False, False, None, "done"),
        (False, False, OTHER, "failed"),
    ],
)
def test_what_the_disk_says_decides(
    people: Cast,
    root: Path,
    kind: str,
    source: bool,  # noqa: FBT001  one of the facts
    goal: bool,  # noqa: FBT001  as above
    recorded: str | None,
    expected: str,
) -> None:
    if kind == "rename":
        order = rename(people)
    else:
        delete_accounts(people.root, [account_of(people.sam)])
        order = newest()
    here = root / "dora.example" / "sam"
    there = root / "dora.example" / "samuel" if kind == "rename" else root / ".trash" / str(order.pk)
    if source:
        fill(here)
    if goal:
        fill(there)
    if recorded:
        facts = {HERE: here, THERE: there, OTHER: root}[recorded]
        order.device, order.inode = identity(facts)
        order.state = "prepared"
        order.save()
    before = mails(root), here.exists(), there.exists()
    run(root, fails=expected == "failed")
    assert state(order) == expected
    assert mails(root) == before[0]
    if expected == "failed":
        assert (here.exists(), there.exists()) == before[1:], "nothing was changed"
        assert results() == [("mailboxoperation.fail", str(order))]
        order.refresh_from_db()
        assert order.last_error
    else:
        assert not here.exists()
        assert there.exists() == (source or goal)
        assert results() == [("mailboxoperation.finish", str(order))]
    if kind == "rename":
        assert answers("samuel@dora.example") == (expected == "done")
    wind_on()
    run(root)
    assert len(results()) == 1, "one final result"


@pytest.mark.parametrize("taken", ["empty", "full", "link", "file"])
def test_what_is_in_the_way_stays_and_the_order_fails(people: Cast, root: Path, taken: str) -> None:
    fill(root / "dora.example" / "sam")
    goal = root / "dora.example" / "samuel"
    ways: dict[str, Callable[[], object]] = {
        "empty": goal.mkdir,
        "full": lambda: fill(goal),
        "link": lambda: goal.symlink_to(root),
        "file": goal.touch,
    }
    ways[taken]()
    before = mails(root)
    rename(people)
    run(root, fails=True)
    assert state() == "failed"
    assert mails(root) == before
    assert "dora.example/samuel" in newest().last_error


@pytest.mark.any_engine
@pytest.mark.parametrize("place", ["domain", "mailbox", "new domain", "trash"])
def test_a_link_at_any_place_of_a_path_moves_nothing(
    people: Cast, root: Path, tmp_path: Path, place: str
) -> None:
    outside = fill(tmp_path / "outside" / "sam").parent
    (outside / "mailbox").mkdir()
    if place == "domain":
        (root / "dora.example").symlink_to(outside)
    elif place == "mailbox":
        (root / "dora.example").mkdir()
        (root / "dora.example" / "sam").symlink_to(outside / "sam")
    else:
        fill(root / "dora.example" / "sam")
    if place == "new domain":
        (root / "mallory.example").symlink_to(outside)
        rename(people, "sam@mallory.example")
    elif place == "trash":
        (root / ".trash").symlink_to(outside)
        delete_accounts(people.root, [account_of(people.sam)])
    else:
        rename(people)
    before, listed = mails(tmp_path), names(outside)
    run(root, fails=True)
    assert not MailboxOperation.objects.filter(state="done").exclude(kind="keep").exists()
    assert mails(tmp_path) == before
    assert names(outside) == listed
    assert newest().last_error


@pytest.mark.any_engine
@pytest.mark.parametrize(
    "strange", ["../outside/sam", "/etc", "dora.example/../../x", "dora.example//sam", ".trash/7"]
)
def test_a_path_that_no_operation_wrote_is_refused(people: Cast, root: Path, strange: str) -> None:
    order = rename(people)
    fill(root / "dora.example" / "sam")
    MailboxOperation.objects.filter(pk=order.pk).update(source=strange)
    run(root, fails=True)
    assert state() == "failed"
    MailboxOperation.objects.filter(pk=order.pk).update(
        source="dora.example/sam", target=strange, state="pending"
    )
    wind_on()
    run(root, fails=True)
    assert names(root / "dora.example") == ["sam"]


# --- errors of the disk ---------------------------------------------------------------------------------------


@contextmanager
def broken(
    monkeypatch: pytest.MonkeyPatch, code: int, *, at: str = "rename_without_replacing"
) -> Iterator[None]:
    def fail(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr({"fsync": os, "flock": fcntl}.get(at, mail_root), at, fail)
        yield


@pytest.mark.any_engine
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE, errno.EINTR])
def test_an_error_is_told_and_tried_again_and_no_other_order_waits(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fill(root / "dora.example" / "sam")
    before = mails(root)
    order = rename(people)
    with broken(monkeypatch, code):
        assert os.strerror(code) in run(root, fails=True)
    order.refresh_from_db()
    assert (order.state, order.attempts) == ("prepared", 1)
    assert os.strerror(code) in order.last_error
    assert order.next_attempt_at > timezone.now() + timedelta(seconds=50)
    assert results() == []
    run(root)
    assert state() == "prepared", "not before its time"
    wind_on()
    run(root)
    assert state() == "done"
    assert mails(root) == before
    assert answers("samuel@dora.example")


def test_what_never_works_waits_for_a_person_after_all_attempts(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / "dora.example" / "sam")
    order = rename(people)
    with broken(monkeypatch, errno.ENOSPC):
        for _attempt in range(directories.ATTEMPTS):
            assert state() != "failed"
            run(root, fails=True)
            wind_on()
    order.refresh_from_db()
    assert (order.state, order.attempts) == ("failed", directories.ATTEMPTS)
    assert results() == [("mailboxoperation.fail", str(order))]
    retry_directory_orders(people.root, [order])
    run(root)
    assert state() == "done"


def test_an_order_that_ends_every_runner_is_parked_and_delays_nobody(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    max_ = person(people, "max@dora.example")
    fill(root / "dora.example" / "sam")
    fill(root / "dora.example" / "max")
    poison = rename(people)
    update_account(people.root, account_of(max_), address="maxim@dora.example")
    innocent = newest()
    real = mail_root.rename_without_replacing

    def die(parent: int, name: bytes, *rest: Any) -> None:
        if name == b"sam":
            raise Killed
        real(parent, name, *rest)

    monkeypatch.setattr(mail_root, "rename_without_replacing", die)
    for attempt in range(directories.ATTEMPTS):
        wind_on()
        with pytest.raises(Killed):
            run(root)
        if attempt == 1:
            assert state(innocent) == "prepared", "the poison comes first"
            run(root)
            assert state(innocent) == "done", "but waits a minute now"
    wind_on()
    run(root, fails=True)
    assert state(poison) == "failed"
    assert names(root / "dora.example") == ["maxim", "sam"]


def test_what_the_disk_did_not_confirm_is_not_done(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / "dora.example" / "sam")
    order = rename(people)
    with broken(monkeypatch, errno.EIO, at="fsync"):
        run(root, fails=True)
    order.refresh_from_db()
    assert (order.state, order.is_moved) == ("failed", True)
    assert not answers("samuel@dora.example")
    run(root)
    assert state() == "failed", "a second fsync proves nothing"
    retry_directory_orders(people.root, [order])
    run(root)
    assert state() == "done"
    assert answers("samuel@dora.example")


def test_what_cannot_be_noted_concerns_one_order_and_is_noted_later(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    max_ = person(people, "max@dora.example")
    for name in ("sam", "max"):
        fill(root / "dora.example" / name)
    before = mails(root)
    bad = rename(people)
    update_account(people.root, account_of(max_), address="maxim@dora.example")
    real = publication.publish

    def publish(keys: publication.Keys, **named: Any) -> int:
        if bad.new_address in keys.addresses:
            raise IntegrityError("no")
        return real(keys, **named)

    with monkeypatch.context() as patch:
        patch.setattr(publication, "publish", publish)
        run(root, fails=True)
    assert (state(bad), state(newest())) == ("prepared", "done")
    assert results() == [("mailboxoperation.finish", "rename dora.example/max")]
    assert answers("maxim@dora.example")
    assert names(root / "dora.example") == ["maxim", "samuel"]
    wind_on()
    run(root)
    assert answers("samuel@dora.example")
    assert mails(root) == before
    assert len(results()) == 2


@pytest.mark.any_engine
def test_a_process_that_may_open_few_files_takes_few_orders_at_once(people: Cast, root: Path) -> None:
    before = crowd(people, root, 30)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 12, hard))  # noqa: PTH208  numbers
    try:
        run(root)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not MailboxOperation.objects.unfinished().exists()
    assert mails(root) == before


def test_where_directories_cannot_be_locked_time_tells_whether_somebody_is_at_work(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / "dora.example" / "sam")
    order = rename(people)
    with broken(monkeypatch, errno.ENOLCK, at="flock"):
        order.leased_until = timezone.now() + timedelta(minutes=1)
        order.state, order.owner_token = "prepared", "somebody"
        order.device, order.inode = identity(root / "dora.example" / "sam")
        order.save()
        run(root)
        assert names(root / "dora.example") == ["sam"]
        order.leased_until = timezone.now() - timedelta(minutes=1)
        order.save()
        run(root)
    assert names(root / "dora.example") == ["samuel"]
    assert state() == "done"


# --- the command ----------------------------------------------------------------------------------------------


def test_without_its_marker_the_root_is_left_alone(people: Cast, root: Path) -> None:
    fill(root / "dora.example" / "sam")
    order = rename(people)
    (root / mail_root.MARKER).unlink()
    for path in (root, root / "not there"):
        with pytest.raises(CommandError) as caught:
            call_command("handle_mailbox_operations", mail_root=str(path))
        assert caught.value.returncode == 75
    unchanged = MailboxOperation.objects.get(pk=order.pk)
    assert (unchanged.state, unchanged.attempts, unchanged.owner_token) == ("pending", 0, "")
    assert names(root) == ["dora.example"]
    run(root, initialize=True)
    assert "already" in run(root, initialize=True)
    assert run(root) == ""
    assert state() == "done"


def test_who_does_not_find_the_root_gives_no_sign_of_life(people: Cast, root: Path) -> None:
    rename(people)
    with pytest.raises(CommandError):
        call_command("handle_mailbox_operations", mail_root=str(root / "not there"))
    assert not Heartbeat.objects.exists()
    run(root)
    assert Heartbeat.objects.exists()


def test_one_directory_is_restored_for_one_mailbox(people: Cast, root: Path) -> None:
    fill(root / "dora.example" / "sam")
    delete_accounts(people.root, [account_of(people.sam)])
    run(root)
    order = newest()
    boxes = [
        Mailbox.objects.get(user=person(people, f"{name}@dora.example").user.pk) for name in ("one", "two")
    ]
    with refused((1, "mailbox", "twice")):
        restore_directories(people.root, [Restoration(order, box) for box in boxes])


def test_nobody_but_the_owner_of_mail_runs_it(people: Cast, root: Path) -> None:
    set_parameter("mailboxes_owner", value="nobody-of-this-name")
    rename(people)
    for initialize_ in (False, True):
        with pytest.raises(CommandError, match="nobody-of-this-name") as caught:
            call_command("handle_mailbox_operations", mail_root=str(root), initialize=initialize_)
        assert caught.value.returncode == 1
    assert state() == "pending"


def test_a_panel_that_handles_no_directories_has_nothing_to_do_and_needs_no_root(
    people: Cast, root: Path
) -> None:
    set_parameter("handle_mailboxes", value=False)
    assert run(root / "not there") == ""
    assert Heartbeat.objects.get(pk=directories.COMMAND).beat_at > timezone.now() - timedelta(minutes=1)
    set_parameter("handle_mailboxes", value=True)
    fill(root / "dora.example" / "sam")
    rename(people)
    set_parameter("handle_mailboxes", value=False)
    run(root)
    assert state() == "done", "what was ordered is done all the same"
    assert answers("samuel@dora.example")


def test_a_root_below_which_dovecot_does_not_look_is_refused(
    people: Cast, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / "dora.example" / "sam")
    rename(people)
    programs = tmp_path / "programs"
    programs.mkdir()
    tool = programs / "doveadm"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    address, home = MailUser.objects.order_by("address").values_list("address", "home")[0]
    tool.write_text(f'#!/bin/sh\n[ "$*" != "user -f home {address}" ] || echo /elsewhere/{home}\n')
    tool.chmod(0o755)
    with pytest.raises(CommandError, match="/elsewhere/") as caught:
        call_command("handle_mailbox_operations", mail_root=str(root))
    assert caught.value.returncode == 75
    assert state() == "pending"
    tool.write_text(tool.read_text().replace("/elsewhere", str(root)))
    run(root)
    assert state() == "done"


def test_many_orders_need_few_statements_and_more_orders_no_more_for_each(people: Cast, root: Path) -> None:
    numbers = []
    for count in (20, 60):
        boxes = [f"box{count}-{number}@dora.example" for number in range(count)]
        actors = [person(people, address) for address in boxes]
        for actor in actors:
            fill(root / "dora.example" / actor.user.email.partition("@")[0], 1)
            update_account(people.root, account_of(actor), address=f"new-{actor.user.email}")
        with statements() as run_:
            run(root)
        numbers.append(len(run_))
    assert not MailboxOperation.objects.unfinished().exists()
    assert numbers[1] <= numbers[0] + 2
    assert numbers[1] < 60


# --- decisions of people --------------------------------------------------------------------------------------


@pytest.fixture
def failed(people: Cast, root: Path) -> MailboxOperation:
    """The move of sam's directory, in whose way somebody's directory is."""
    fill(root / "dora.example" / "sam")
    fill(root / "dora.example" / "samuel", 1)
    order = rename(people)
    run(root, fails=True)
    order.refresh_from_db()
    assert order.state == "failed"
    return order


def test_what_was_mended_is_tried_again(people: Cast, root: Path, failed: MailboxOperation) -> None:
    (root / "dora.example" / "samuel").rename(root / "dora.example" / "away")
    run(root)
    assert state() == "failed"
    retry_directory_orders(people.root, [failed])
    run(root)
    assert state() == "done"
    assert answers("samuel@dora.example")


def test_who_gives_up_leaves_the_mailbox_in_its_directory(
    people: Cast, root: Path, failed: MailboxOperation
) -> None:
    rename(people, "sammy@dora.example")
    before = mails(root)
    give_up_directory_orders(people.root, [failed])
    assert set(MailboxOperation.objects.exclude(kind="keep").values_list("state", flat=True)) == {"given_up"}
    assert answers("sammy@dora.example")
    assert MailUser.objects.get(address="sammy@dora.example").home == "dora.example/sam"
    run(root)
    assert mails(root) == before
    assert not list(publication.drift())
    person(people, "samuel@dora.example")
    assert Mailbox.objects.get(address="samuel").home.startswith("dora.example/samuel+"), "not what is there"
    person(people, "sam@dora.example")
    assert Mailbox.objects.get(address="sam").home.startswith("dora.example/sam+")


def test_a_deletion_behind_a_move_that_was_given_up_deletes_what_did_not_move(
    people: Cast, root: Path, failed: MailboxOperation
) -> None:
    delete_accounts(people.root, [account_of(people.sam)])
    deletion = newest()
    give_up_directory_orders(people.root, [failed])
    run(root)
    assert state(deletion) == "done"
    assert names(root / "dora.example") == ["samuel"]
    assert len(mails(root / ".trash" / str(deletion.pk))) == 3


def test_a_deletion_that_is_given_up_keeps_the_directory(people: Cast, root: Path) -> None:
    fill(root / "dora.example" / "sam")
    before = mails(root)
    delete_accounts(people.root, [account_of(people.sam)])
    give_up_directory_orders(people.root, [newest()])
    run(root)
    assert mails(root / "dora.example" / "sam") == before
    person(people, "sam@dora.example")
    assert Mailbox.objects.get(address="sam").home.startswith("dora.example/sam+")


def test_what_had_moved_already_counts_as_done_when_it_is_given_up(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / "dora.example" / "sam")
    order = rename(people)
    with broken(monkeypatch, errno.EIO, at="fsync"):
        run(root, fails=True)
    give_up_directory_orders(people.root, [order])
    assert state() == "done"
    assert answers("samuel@dora.example")
    assert MailUser.objects.get(address="samuel@dora.example").home == "dora.example/samuel"


def test_only_super_administrators_decide_and_only_about_what_waits(
    people: Cast, root: Path, failed: MailboxOperation
) -> None:
    for actor in (people.rita, people.dora, people.sam):
        with forbidden():
            retry_directory_orders(actor, [failed])
        with forbidden():
            give_up_directory_orders(actor, [failed])
        with forbidden():
            restore_directories(actor, [Restoration(failed)])
        assert not MailboxOperation.objects.visible_to(actor).exists()
    retry_directory_orders(people.root, [failed])
    with refused_as("", "not_failed"):
        retry_directory_orders(people.root, [failed])
    (root / "dora.example" / "samuel" / "cur" / "0").unlink()
    run(root, fails=True)
    give_up_directory_orders(people.root, [failed])
    with refused_as("", "not_failed"):
        give_up_directory_orders(people.root, [failed])
    MailboxOperation.objects.filter(pk=failed.pk).delete()
    with refused_as("", "gone"):
        give_up_directory_orders(people.root, [failed])


# --- out of the trash -----------------------------------------------------------------------------------------


@pytest.fixture
def deleted(people: Cast, root: Path) -> MailboxOperation:
    fill(root / "dora.example" / "sam")
    delete_accounts(people.root, [account_of(people.sam)])
    run(root)
    return newest()


def test_a_deleted_directory_comes_back_to_who_has_the_address_now(
    people: Cast, root: Path, deleted: MailboxOperation
) -> None:
    before = mails(root)
    person(people, "sam@dora.example")
    (order,) = restore_directories(people.root, [Restoration(deleted)])
    assert not answers("sam@dora.example")
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=99))
    run(root)
    assert state(order) == "done"
    assert answers("sam@dora.example")
    assert mails(root / MailUser.objects.get(address="sam@dora.example").home) == before
    deleted.refresh_from_db()
    assert deleted.trash == ""
    assert not list(publication.drift())
    with refused_as("", "not_in_trash"):
        restore_directories(people.root, [Restoration(deleted)])


def test_a_deleted_directory_comes_back_to_another_mailbox(
    people: Cast, root: Path, deleted: MailboxOperation
) -> None:
    with refused_as("mailbox", "no_mailbox"):
        restore_directories(people.root, [Restoration(deleted)])
    person(people, "max@dora.example")
    restore_directories(people.root, [Restoration(deleted, Mailbox.objects.get(address="max"))])
    run(root)
    assert len(mails(root / "dora.example" / "max")) == 3


def test_a_mailbox_in_use_gets_no_other_directory_and_answers_again(
    people: Cast, root: Path, deleted: MailboxOperation
) -> None:
    person(people, "max@dora.example")
    fill(root / "dora.example" / "max", 7)
    before = mails(root)
    (order,) = restore_directories(people.root, [Restoration(deleted, Mailbox.objects.get(address="max"))])
    run(root, fails=True)
    assert state(order) == "given_up"
    assert answers("max@dora.example")
    assert mails(root) == before
    deleted.refresh_from_db()
    assert deleted.trash == "kept"
    assert results()[-1] == ("mailboxoperation.fail", str(order))


def test_a_mailbox_that_still_moves_is_not_given_another_directory(
    people: Cast, root: Path, deleted: MailboxOperation
) -> None:
    max_ = person(people, "max@dora.example")
    update_account(people.root, account_of(max_), address="maxim@dora.example")
    box = Mailbox.objects.get(address="maxim")
    with refused_as("mailbox", "busy"):
        restore_directories(people.root, [Restoration(deleted, box)])
    run(root)
    (order,) = restore_directories(people.root, [Restoration(deleted, box)])
    give_up_directory_orders(people.root, [order])
    assert answers("maxim@dora.example")
    deleted.refresh_from_db()
    assert deleted.trash == "kept"


def test_what_is_being_purged_is_not_restored_and_a_purge_goes_on(
    people: Cast, root: Path, deleted: MailboxOperation, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(people, "sam@dora.example")
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=99))
    real, calls = os.unlink, []

    def unlink(name: Any, *, dir_fd: int | None = None) -> None:
        calls.append(name)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(name, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        assert os.strerror(errno.EIO) in run(root, fails=True)
    deleted.refresh_from_db()
    assert deleted.trash == "purging"
    with refused_as("", "not_in_trash"):
        restore_directories(people.root, [Restoration(deleted)])
    wind_on()
    run(root)
    deleted.refresh_from_db()
    assert deleted.trash == ""
    assert names(root / ".trash") == []


def test_the_command_line_decides_as_people_do(people: Cast, root: Path, failed: MailboxOperation) -> None:
    def modo(*words: str) -> str:
        output = StringIO()
        call_command("modo", "directories", *words, stdout=output)
        return output.getvalue()

    assert f"{failed.pk} failed rename dora.example/sam dora.example/samuel" in modo("--list")
    modo("--retry", str(failed.pk))
    assert state(failed) == "pending"
    modo("--give-up", str(failed.pk))
    assert state(failed) == "given_up"
    with pytest.raises(CommandError):
        modo("--retry", str(failed.pk))
    with pytest.raises(CommandError):
        modo("--retry", "999999")
    delete_accounts(people.root, [account_of(people.sam)])
    run(root)
    deletion = newest()
    assert modo("--trash") == f"{deletion.pk} done delete dora.example/sam samuel@dora.example\n"
    with pytest.raises(CommandError, match="no mailbox"):
        modo("--restore", str(deletion.pk), "--to", "nobody@dora.example")
    person(people, "max@dora.example")
    modo("--restore", str(deletion.pk), "--to", "Max@dora.example")
    run(root)
    assert len(mails(root / "dora.example" / "max")) == 3
    with pytest.raises(CommandError):
        modo("--list", "--as", "dora@dora.example")


# --- killed anywhere ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """What no handler of ours may catch, as nobody catches SIGKILL."""


class Point:
    """Dies before or after the call with a certain number, of those that touch the disk or the database."""

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0

    def __call__(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self._passed()
        result = work(*arguments, **named)
        self._passed()
        return result

    def _passed(self) -> None:
        self.count += 1
        if self.count == self.number:
            raise Killed

    @contextmanager
    def armed(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for module, name in (
                (mail_root, "rename_without_replacing"),
                (os, "fsync"),
                (os, "mkdir"),
                (os, "unlink"),
                (os, "rmdir"),
            ):
                patch.setattr(module, name, self._through(getattr(module, name)))
            with self._database():
                yield

    def _through(self, work: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: self(work, *arguments, **named)

    def _database(self) -> AbstractContextManager[None]:
        return connection.execute_wrapper(
            lambda execute, *rest: self(execute, *rest) if "UPDATE" in rest[0] else execute(*rest)
        )


def lives(people: Cast, root: Path) -> Counter[str]:
    """A chain, a deletion and a restoration that wait; what all of it holds."""
    for name in ("sam", "max", "old", "older"):
        fill(root / "dora.example" / name, 2)
    old, older, max_ = (person(people, f"{name}@dora.example") for name in ("old", "older", "max"))
    delete_accounts(people.root, [account_of(old), account_of(older)])
    run(root)
    waiting, purged = MailboxOperation.objects.filter(kind="delete").order_by("pk")
    MailboxOperation.objects.filter(pk=purged.pk).update(finished_at=timezone.now() - timedelta(days=99))
    person(people, "back@dora.example")
    restore_directories(people.root, [Restoration(waiting, Mailbox.objects.get(address="back"))])
    rename(people, "b@dora.example")
    rename(people, "c@mallory.example")
    delete_accounts(people.root, [account_of(max_)])
    return Counter({mail: n for mail, n in mails(root).items() if "older" not in mail})


@pytest.mark.parametrize("shift", range(4))
def test_whoever_is_killed_anywhere_loses_nothing(people: Cast, tmp_path: Path, shift: int) -> None:
    """Every fourth point, from another one on in each of four tests, so that they run beside each other.

    The disk is the same for all engines: those that have a server do with a tenth of the points.
    """
    step = 4 if connection.vendor == "sqlite" else 40
    number, is_survived = 1 + shift * step // 4, False
    while not is_survived:
        root = tmp_path / f"root{number}"
        root.mkdir()
        initialize(str(root))
        snapshot = transaction.savepoint()
        expected = lives(people, root)
        first = Log.objects.order_by("pk").last()
        assert first is not None
        point = Point(number)
        try:
            with point.armed():
                run(root)
            is_survived = True
        except Killed:
            pass
        for _again in range(2):
            wind_on()
            run(root)
        assert mails(root) == expected, number
        assert not MailboxOperation.objects.unfinished().exists()
        for address, mail in (("back@dora.example", "old"), ("c@mallory.example", "sam")):
            assert answers(address)
            home = MailUser.objects.get(address=address).home
            assert mails(root / home) == Counter(f"dora.example/{mail} {n}" for n in range(2))
        logged = Log.objects.filter(pk__gt=first.pk, actor_name=directories.COMMAND)
        assert Counter(logged.values_list("verb", flat=True)) == {"mailboxoperation.finish": 4}
        assert not list(publication.drift())
        transaction.savepoint_rollback(snapshot)
        number += step
    assert number > 15


# --- other processes ------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """What a process needs to work on the database of this test."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{values['NAME']}"
    else:
        scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
        login = f"{values['USER']}:{values['PASSWORD']}"
        host = str(values["HOST"]).replace("/", "%2F")
        url = f"{scheme}://{login}@{host}:{values['PORT']}/{values['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "modoboa_site.settings",
        "MODOBOA_SECRET_KEY": "only-for-tests",
    }


def started(root: Path, before: str = "") -> subprocess.Popen[str]:
    """The command in a process of its own, which does *before* (Python) first."""
    program = (
        "import django, os, signal, sys; django.setup()\n"
        f"{before}\n"
        "from django.core.management import execute_from_command_line\n"
        f"execute_from_command_line(['manage.py', 'handle_mailbox_operations', '--mail-root', {str(root)!r}])\n"
    )
    return subprocess.Popen(  # noqa: S603  ours
        [sys.executable, "-c", program],
        cwd=TOP,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int) -> None:
    output, _nothing = process.communicate(timeout=120)
    assert process.returncode == code, output


def crowd(people: Cast, root: Path, count: int) -> Counter[str]:
    """So many mailboxes under way to other names."""
    for number in range(count):
        fill(root / "dora.example" / f"box{number}", 1)
        update_account(
            people.root,
            account_of(person(people, f"box{number}@dora.example")),
            address=f"new{number}@dora.example",
        )
    return mails(root)


# Everything is loaded once; then so many run on from here, all let go at the same time.
AT_ONCE = """
import admin.management.commands.handle_mailbox_operations
gate, opener = os.pipe()
runners = []
for _runner in range(number):
    runners.append(os.fork())
    if not runners[-1]:
        os.close(opener)
        os.read(gate, 1)
        break
else:
    os.close(opener)
    sys.exit(any([os.waitpid(runner, 0)[1] for runner in runners]))
"""
NO_LOCKS = "import errno, fcntl\ndef flock(*a): raise OSError(errno.ENOLCK, 'no locks')\nfcntl.flock = flock"


@pytest.mark.parametrize(
    ("number", "prepare"),
    [(2, ""), (20, ""), pytest.param(4, NO_LOCKS, marks=pytest.mark.any_engine)],
    ids=["2", "20", "4 without locks"],
)
def test_runners_at_once_carry_out_every_order_once(
    real_people: Cast, root: Path, number: int, prepare: str
) -> None:
    """MODOBOA_TEST_ORDERS=300 for more; docs/reliability.md has the result."""
    orders = int(os.environ.get("MODOBOA_TEST_ORDERS", "30"))
    before = crowd(real_people, root, orders)
    ended(started(root, f"{prepare}\nnumber = {number}\n{AT_ONCE}"), 0)
    run(root)
    assert not MailboxOperation.objects.unfinished().exists()
    assert mails(root) == before
    assert names(root / "dora.example") == sorted(f"new{each}" for each in range(orders))
    assert Counter(name for _verb, name in results()).most_common(1)[0][1] == 1
    assert len(results()) == orders
    assert not list(publication.drift())


@pytest.mark.parametrize(
    "point",
    [
        "mail_root.rename_without_replacing:before",
        "mail_root.rename_without_replacing:after",
        "directories._finish:before",
        "directories._finish:after",
    ],
)
def test_a_runner_that_was_killed_is_followed_by_one_that_ends_its_work(
    real_people: Cast, root: Path, point: str
) -> None:
    before = crowd(real_people, root, 3)
    function, _colon, when = point.partition(":")
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    steps = f"{kill}" if when == "before" else f"real(*a, **k); {kill}"
    module, _dot, name = function.partition(".")
    patch = (
        "from admin.gateways import mail_root\nfrom admin.operations import directories\n"
        f"real = {function}\n"
        f"def die(*a, **k): {steps}\n"
        f"{module}.{name} = die\n"
    )
    process = started(root, patch)
    ended(process, -signal.SIGKILL)
    run(root)
    assert not MailboxOperation.objects.unfinished().exists()
    assert mails(root) == before
    assert len(results()) == 3
    assert all(answers(f"new{number}@dora.example") for number in range(3))


def test_who_hangs_keeps_his_orders_and_harms_nobody(real_people: Cast, root: Path) -> None:
    before = crowd(real_people, root, 2)
    sign = root.parent / "hangs"
    patch = (
        "from admin.gateways import mail_root\nreal = mail_root.rename_without_replacing\n"
        "def hang(*a):\n"
        f"    open({str(sign)!r}, 'w').close(); os.kill(os.getpid(), signal.SIGSTOP); real(*a)\n"
        "mail_root.rename_without_replacing = hang\n"
    )
    process = started(root, patch)
    until = time.monotonic() + 60
    while not sign.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    run(root)
    assert set(MailboxOperation.objects.values_list("state", flat=True)) == {"prepared"}
    assert mails(root) == before
    sign.unlink()
    for _order in range(2):
        process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    ended(process, 0)
    run(root)
    assert len(results()) == 2
    assert mails(root) == before


def test_what_another_runner_moves_while_we_look_has_not_failed(
    people: Cast, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We see the directory at its old place, and then at its new one."""
    old, new = root / "dora.example" / "sam", root / "dora.example" / "samuel"
    fill(old)
    rename(people)
    with mail_root.MailRoot(str(root)) as opened:
        identity = opened.found("dora.example/sam").identity
    assert identity
    MailboxOperation.objects.update(
        state="prepared", owner_token="other", attempts=1, device=identity.device, inode=identity.inode
    )
    look = mail_root.Batch.found

    def found(work: mail_root.Batch, path: str) -> mail_root.Found:
        seen = look(work, path)
        if path == "dora.example/sam" and old.exists():
            old.rename(new)
        return seen

    monkeypatch.setattr(mail_root.Batch, "found", found)
    other = os.open(old, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "1 waiting" in run(root, verbosity=2)
        assert state() == "prepared"
        assert "1 waiting" in run(root, verbosity=2), "it is at the new place, and another one's still"
    finally:
        os.close(other)
    run(root)
    assert state() == "done"
    assert len(results()) == 1


def test_who_is_told_to_stop_ends_what_is_under_way(real_people: Cast, root: Path) -> None:
    before = crowd(real_people, root, 4)
    patch = (
        "from admin.gateways import mail_root\nfrom admin.operations import directories\n"
        "directories._BATCH = 2\nreal = mail_root.rename_without_replacing\n"
        "def stop(*a): os.kill(os.getpid(), signal.SIGTERM); real(*a)\n"
        "mail_root.rename_without_replacing = stop\n"
    )
    ended(started(root, patch), 0)
    states = Counter(MailboxOperation.objects.values_list("state", flat=True))
    assert states == {"done": 2, "pending": 2}
    assert mails(root) == before


def test_a_database_that_is_away_is_a_temporary_failure(root: Path) -> None:
    program = [sys.executable, "manage.py", "handle_mailbox_operations", "--mail-root", str(root)]
    gone = {"DATABASE_URL": "postgres://x:x@127.0.0.1:9/x", "MODOBOA_SECRET_KEY": "only-for-tests"}
    answer = subprocess.run(program, cwd=TOP, env={**os.environ, **gone}, capture_output=True, check=False)  # noqa: S603  ours
    assert answer.returncode == 75


# --- across devices -------------------------------------------------------------------------------------------


@pytest.fixture
def far(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of mallory.example, on another device."""
    base = Path("/dev/shm")  # noqa: S108  another device
    if not base.is_dir() or base.stat().st_dev == root.stat().st_dev:
        pytest.skip("there is no other device")
    real = os.open
    with TemporaryDirectory(dir=base) as directory:

        def opened(name: object, flags: int, *rest: int, dir_fd: int | None = None) -> int:
            if name == b"mallory.example":  # as if it were mounted there
                return real(directory, flags, *rest)
            return real(name, flags, *rest, dir_fd=dir_fd)  # type: ignore[arg-type]  # as it came

        monkeypatch.setattr(os, "open", opened)
        yield Path(directory)


@pytest.mark.any_engine
def test_a_mailbox_moves_to_another_device_and_back(people: Cast, root: Path, far: Path) -> None:
    fill(root / "dora.example" / "sam")
    before = mails(root)
    there = rename(people, "sam@mallory.example")
    run(root)
    assert state() == "done"
    assert names(far) == ["sam"]
    assert mails(far) == before
    assert mails(root / ".trash" / str(there.pk)) == before, "the original, for a while"
    back = rename(people, "sam@dora.example")
    run(root)
    assert state() == "done"
    assert mails(root / "dora.example") == before
    assert names(far) == [f".trash-{back.pk}"], "the trash of the root is on another device"
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=8))
    run(root)
    assert names(far) == []
    assert names(root / ".trash") == []
    assert mails(root) == before


@pytest.mark.any_engine
def test_what_is_deleted_on_another_device_stays_there_until_it_is_purged_or_restored(
    people: Cast, root: Path, far: Path
) -> None:
    max_ = person(people, "max@mallory.example")
    fill(far / "max")
    before = mails(far)
    delete_accounts(people.root, [account_of(max_)])
    run(root)
    deletion = newest()
    assert names(far) == [f".trash-{deletion.pk}"]
    restore_directories(people.root, [Restoration(deletion, people.sams_mailbox)])
    run(root)
    assert state() == "done"
    assert mails(root / "dora.example" / "sam") == before
    deletion.refresh_from_db()
    assert deletion.trash == "kept", "it was copied"
    MailboxOperation.objects.update(finished_at=timezone.now() - timedelta(days=8))
    run(root)
    assert names(far) == []


@pytest.mark.any_engine
def test_mail_that_arrives_while_a_mailbox_is_copied_is_not_left_behind(
    people: Cast, root: Path, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root / "dora.example" / "sam")
    order = rename(people, "sam@mallory.example")
    real = mail_root.Batch.copy

    def copy(work: mail_root.Batch, *paths: str) -> None:
        real(work, *paths)
        (root / "dora.example" / "sam" / "new" / "99").write_text("late")

    with monkeypatch.context() as patch:
        patch.setattr(mail_root.Batch, "copy", copy)
        run(root, fails=True)
    assert mails(root / "dora.example" / "sam")["late"] == 1
    wind_on()
    run(root, fails=True)
    assert state() == "failed"
    assert names(far) == ["sam"]
    give_up_directory_orders(people.root, [order])
    home = MailUser.objects.get(address="sam@mallory.example").home
    assert mails(root / home)["late"] == 1


@pytest.mark.any_engine
@pytest.mark.parametrize("number", range(1, 60, 3))
def test_whoever_is_killed_between_two_devices_loses_nothing(
    people: Cast, root: Path, far: Path, number: int
) -> None:
    fill(root / "dora.example" / "sam", 2)
    before = mails(root)
    order = rename(people, "sam@mallory.example")
    try:
        with Point(number).armed():
            run(root)
    except Killed:
        assert set(mails(root)) | set(mails(far)) == set(before)
    for _again in range(2):
        wind_on()
        run(root)
    assert state() == "done"
    assert names(far) == ["sam"]
    assert mails(far) == before == mails(root / ".trash" / str(order.pk))
    assert len(results()) == 1
