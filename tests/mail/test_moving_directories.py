"""Directories move while mail comes in and people read: what was accepted is in the mailbox once, or still queued."""

from __future__ import annotations

import imaplib
import os
import shlex
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from admin.gateways import doveadm
from admin.gateways.mail_root import initialize
from admin.models import Mailbox, MailboxOperation
from admin.publication import home_of
from tests.cast import PASSWORD
from tests.mail.panel import ON, Panel
from tests.mail.test_delivery import FRIEND, sent
from tests.mail.test_kept_names import try_again
from tests.servers.database import Database
from tests.servers.owner import mailbox_owner
from tests.servers.packages import program
from tests.servers.processes import becomes_true
from tests.servers.stack import MailStack, new_token

TOP = Path(__file__).resolve().parents[2]
RENAMES = 6
MAILS_EACH = 10
PATIENCE_S = 90.0


@dataclass
class Runner:
    """The command as cron runs it, only more often."""

    database: Database
    root: Path

    def run(self) -> None:
        owner = mailbox_owner()
        # The tests may lie where only root can read; what may be written is the owner's alone.
        may_read = [f"--{kind}-caps=-all,+dac_read_search" for kind in ("inh", "ambient")]
        who = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", *may_read]
        command = [sys.executable, "manage.py", "handle_mailbox_operations", "--mail-root", str(self.root)]
        env = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.database.url,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        answer = subprocess.run(  # noqa: S603  ours
            [program("setpriv"), *who, *command],
            cwd=TOP,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr

    def run_until_nothing_waits(self) -> None:
        def is_over() -> bool:
            self.run()
            return nothing_waits()

        assert becomes_true(is_over, limit_s=PATIENCE_S)


@pytest.fixture(scope="module", params=["stack", "stack_24"], ids=["2.3", "2.4"])
def serving(request: pytest.FixtureRequest) -> MailStack:
    """Everything with both versions of Dovecot, one after the other."""
    running = request.getfixturevalue(request.param)
    assert isinstance(running, MailStack)
    return running


@pytest.fixture(scope="module")
def runner(database: Database, serving: MailStack, panel: Panel) -> Iterator[Runner]:
    """The panel handles directories, in this test alone."""
    MailboxOperation.objects.all().delete()  # orders of other modules, which they never meant to be carried out
    initialize(str(serving.mail_root))
    panel.set_parameter("mailboxes_owner", mailbox_owner().pw_name, app="admin")
    panel.set_parameter("handle_mailboxes", value=True, app="admin")
    yield Runner(database, serving.mail_root)
    panel.set_parameter("handle_mailboxes", value=False, app="admin")


@dataclass
class Box:
    """A mailbox, all names that it ever had, and the tokens of mail that was accepted for it."""

    names: list[str]
    accepted: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.names[-1]

    @property
    def home(self) -> str:
        return home_of(Mailbox.objects.select_related("domain").get(user__email=self.address))


@contextmanager
def repeated(work: Callable[[], object], pause_s: float) -> Iterator[None]:
    """Until the block ends; raises what *work* raised."""
    over = threading.Event()
    errors: list[Exception] = []

    def repeat() -> None:
        while not over.wait(pause_s):
            try:
                work()
            except Exception as error:  # noqa: BLE001  raised below
                errors.append(error)
                return

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if errors:
            raise errors[0]


@contextmanager
def session(stack: MailStack, login: str) -> Iterator[imaplib.IMAP4]:
    """A connection that the server may end."""
    imap = stack.imap_login(login, PASSWORD)
    try:
        yield imap
    finally:
        imap.shutdown()


def files_with(directory: Path, tokens: set[str]) -> dict[str, list[Path]]:
    """Where each token is."""
    found: dict[str, list[Path]] = {token: [] for token in tokens}
    for each in directory.rglob("*"):
        if each.is_file() and "dovecot" not in each.name:
            text = each.read_bytes()
            for token in tokens:
                if token.encode() in text:
                    found[token].append(each)
    return found


def is_empty(queue: Path) -> bool:
    names = ("incoming", "active", "deferred", "maildrop")
    return not any(each.is_file() for name in names for each in (queue / name).rglob("*"))


@dataclass
class Traffic:
    """What became of the mail for some mailboxes that were renamed again and again."""

    boxes: list[Box]
    codes: Counter[int]
    delivered: dict[str, list[Path]]
    queued: set[str]
    returned: set[str]


@pytest.fixture(scope="module")
def traffic(serving: MailStack, panel: Panel, runner: Runner) -> Traffic:
    """Two senders go on and on, the command runs each second, names change."""
    domain = panel.new_domain()
    boxes = [Box([panel.new_account(f"box{number}-0@{domain}")]) for number in range(2)]
    for box in boxes:
        box.accepted.append(sent(serving, box.address))
        serving.wait_for_mail(box.address, box.accepted[0])
    codes: Counter[int] = Counter()
    turns = count()

    def send() -> None:
        turn = next(turns)
        box = boxes[turn % 2]
        token, address = new_token(), (box.names[-2:][turn // 2 % 2 - 1])
        reply = serving.send(FRIEND, [address], token)[address]
        codes[reply.code] += 1
        if reply.accepted:
            box.accepted.append(token)

    with repeated(send, 0.1), repeated(send, 0.15), repeated(runner.run, 1.0):
        for turn in range(RENAMES):
            box = boxes[turn % 2]
            name = f"box{turn % 2}-{len(box.names)}"
            panel.change_account(box.address, {"address_local": name, "keep_old_address": ON})
            box.names.append(f"{name}@{domain}")
            assert becomes_true(nothing_waits, limit_s=PATIENCE_S)
            time.sleep(0.5)
            # However slow the machine is, enough mail comes between two renames.
            becomes_true(partial(has_accepted, boxes, MAILS_EACH * (turn + 1)), limit_s=PATIENCE_S)
    runner.run_until_nothing_waits()
    serving.reload_postfix()  # its queue manager remembers for half a minute that they move
    try_again(serving)
    becomes_true(lambda: is_empty(serving.postfix.queue), limit_s=PATIENCE_S)
    tokens = {token for box in boxes for token in box.accepted}
    queued = {token for token, places in files_with(serving.postfix.queue, tokens).items() if places}
    returned = {token for token in tokens if serving.sink.find(token)}
    return Traffic(boxes, codes, files_with(serving.mail_root, tokens), queued, returned)


def has_accepted(boxes: Sequence[Box], number: int) -> bool:
    return sum(len(box.accepted) for box in boxes) > number


def nothing_waits() -> bool:
    return not MailboxOperation.objects.unfinished().exists()


def test_mail_that_comes_while_directories_move_is_in_the_mailbox_once(
    serving: MailStack, traffic: Traffic
) -> None:
    assert has_accepted(traffic.boxes, MAILS_EACH * RENAMES), traffic.codes
    for box in traffic.boxes:
        home = serving.mail_root / box.home
        assert [each for each in home.parent.iterdir() if each.name.startswith(home.name[:5])] == [home]
        for token in box.accepted:
            places = traffic.delivered[token]
            assert len(places) + (token in traffic.queued) == 1, (token, traffic)
            assert all(place.is_relative_to(home) for place in places), places
    assert traffic.returned == set()


def test_who_reads_during_a_rename_loses_nothing(serving: MailStack, panel: Panel, runner: Runner) -> None:
    """Whatever an open session still does and is answered, it harms nothing."""
    domain = panel.new_domain()
    box = Box([panel.new_account(f"sam@{domain}")])
    box.accepted += [sent(serving, box.address) for _mail in range(3)]
    for token in box.accepted:
        serving.wait_for_mail(box.address, token)
    with session(serving, box.address) as imap:
        imap.select()
        panel.change_account(box.address, {"address_local": "samuel", "keep_old_address": ON})
        runner.run_until_nothing_waits()
        for command in (
            imap.noop,
            partial(imap.store, "1", "+FLAGS", r"\Seen"),
            partial(imap.create, "Late"),
        ):
            with suppress(imaplib.IMAP4.error, OSError):
                command()
    box.names.append(f"samuel@{domain}")
    with session(serving, box.address) as imap:
        assert imap.select()[1] == [b"3"]
    found = files_with(serving.mail_root, set(box.accepted))
    assert [len(places) for places in found.values()] == [1, 1, 1]
    assert all(place.is_relative_to(serving.mail_root / box.home) for (place,) in found.values())


def is_ended(imap: imaplib.IMAP4) -> bool:
    try:
        imap.noop()
    except (imaplib.IMAP4.abort, OSError):
        return True
    return False


def test_open_sessions_end_where_doveadm_may_end_them(
    serving: MailStack, panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the test is root, and may."""
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    other = panel.new_account(f"other@{sam.partition('@')[2]}")
    wrapper = tmp_path / "doveadm"
    known = serving.dovecot
    name = "/usr/bin/doveadm" if known.within else program("doveadm")
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join((*known.within, name, "-c", str(known.config)))} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with session(serving, sam) as imap, session(serving, other) as stays:
        doveadm.let_go({sam})
        assert becomes_true(partial(is_ended, imap), limit_s=10)
        assert stays.noop()[0] == "OK"
