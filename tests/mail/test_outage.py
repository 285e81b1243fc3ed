"""The database goes away and comes back: senders are asked for patience, nothing bounces, everything arrives."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.cast import PASSWORD
from tests.mail.conftest import mail_stack
from tests.mail.generated import generate
from tests.mail.panel import Panel
from tests.servers.database import Database, Engine
from tests.servers.gate import Gate
from tests.servers.processes import becomes_true, short_directory
from tests.servers.stack import MailStack, Reply, new_token

FRIEND = "friend@outside.test"
# Dovecot gives a question up after a minute; so long, too, Postfix does not start a program that ended in error.
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Way:
    """How one of the servers reaches the database, and how it can be kept from doing so."""

    url: str
    shut: Callable[[], None]
    open: Callable[[], None]


@dataclass(frozen=True)
class Stage:
    """The servers, each with a way of its own to the database."""

    stack: MailStack
    postfix: Way
    dovecot: Way


def way_to(database: Database, place: Path, resources: ExitStack) -> Way:
    """Through a gate; to an SQLite file by a link, which for a while leads to a damaged one."""
    if database.engine is Engine.SQLITE:
        damaged = place.with_suffix(".damaged")
        damaged.write_bytes(b"no database " * 100)
        link(place, Path(database.name))
        return Way(
            f"sqlite:///{place}", partial(link, place, damaged), partial(link, place, Path(database.name))
        )
    gate = resources.enter_context(Gate(database.host, database.port))
    return Way(replace(database, host="127.0.0.1", port=gate.port).url, gate.shut, gate.open)


def link(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


@pytest.fixture(scope="module")
def stage(database: Database) -> Iterator[Stage]:
    with ExitStack() as resources:
        directory = resources.enter_context(short_directory())
        ways = [way_to(database, directory / f"{name}.sqlite3", resources) for name in ("postfix", "dovecot")]
        files = directory / "files"
        generate(files, "2.3", directory / "mail", ways[1].url)
        maps = str(files / "postfix" / "modoboa")
        call_command("generate_postfix_maps", destdir=maps, dburl=ways[0].url, force_overwrite=True)
        stack = resources.enter_context(mail_stack(database, directory, "2.3", files))
        yield Stage(stack, *ways)


def answer_to(stack: MailStack, recipient: str, token: str = "", *, inside: bool = False) -> Reply:
    return stack.send(FRIEND, [recipient], token or new_token(), inside=inside)[recipient]


def is_unanswered(stage: Stage, recipient: str) -> bool:
    """The sender has to try again later; with a damaged SQLite file Postfix says nothing at all."""
    try:
        reply = stage.stack.send(FRIEND, [recipient], new_token(), timeout_s=4.0)[recipient]
    except (TimeoutError, smtplib.SMTPServerDisconnected):
        return True
    assert reply.code // 100 != 5, reply
    return reply.code // 100 == 4


def test_postfix_asks_for_patience_while_it_cannot_ask_the_database(stage: Stage, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    first = new_token()
    assert answer_to(stage.stack, sam, first).accepted
    stage.stack.wait_for_mail(sam, first)
    left = len(stage.stack.sink.mails)

    stage.postfix.shut()
    try:
        stage.stack.reload_postfix()
        assert becomes_true(lambda: is_unanswered(stage, sam), limit_s=PATIENCE_S)
        for recipient in (f"nobody@{sam.partition('@')[2]}", "else@elsewhere.test"):
            assert is_unanswered(stage, recipient)
    finally:
        stage.postfix.open()
    # Of its own accord it asks again after a minute; an SQLite file stays open.
    stage.stack.reload_postfix()

    assert becomes_true(lambda: not is_unanswered(stage, sam), limit_s=PATIENCE_S)
    again = new_token()
    assert answer_to(stage.stack, sam, again).accepted
    stage.stack.wait_for_mail(sam, again)
    assert len(stage.stack.sink.mails) == left


def test_accepted_mail_waits_until_dovecot_reaches_the_database_again(stage: Stage, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    home = stage.stack.home(sam)
    left = len(stage.stack.sink.mails)
    token = new_token()

    stage.dovecot.shut()
    try:
        stage.stack.doveadm("reload")
        # Of the own network, so that nobody asks Dovecot before the mail is taken.
        assert answer_to(stage.stack, sam, token, inside=True).accepted
        time.sleep(2)  # for a bounce that should not come
        assert not stage.stack.has_mail(home, token)
    finally:
        stage.dovecot.open()
    stage.stack.doveadm("reload")

    stage.stack.wait_for_mail(home, token, PATIENCE_S)
    with stage.stack.imap_login(sam, PASSWORD) as imap:
        assert imap.select()[1] == [b"1"]
    assert len(stage.stack.sink.mails) == left
