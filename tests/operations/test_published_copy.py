"""`modo publish --to FILE`: one server's tables in a file of their own, whole or not replaced at all."""

from __future__ import annotations

import grp
import os
import pwd
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.utils import timezone

from admin.exports import published_copy
from admin.models import MailCheck, MailRoute, MailUser
from admin.models.published import CLOSED_ACTION
from admin.operations import create_alias
from tests.cast import Cast
from tests.servers.packages import is_root, program, require_servers
from tests.servers.postfix import age, lookup_config, postmap, table_name

FOR_POSTFIX = {"mail_domain", "mail_route", "mail_sender", "mail_transport", "mail_check"}


def publish(file: Path, server: str = "") -> None:
    output, words = StringIO(), ["publish", "--to", str(file)]
    call_command("modo", *words, *(["--for", server] if server else []), stdout=output, stderr=output)
    assert output.getvalue() == ""


def content(file: Path) -> dict[str, set[tuple[object, ...]]]:
    """Every row of every table, as any SQLite program reads them."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
        names = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: set(copy.execute(f"SELECT * FROM {name}")) for name in names}  # noqa: S608  a name from there


def others(file: Path) -> set[str]:
    """What else lies in the directory."""
    return {path.name for path in file.parent.iterdir()} - {file.name}


@contextmanager
def refused(file: Path, reason: str) -> Iterator[None]:
    """One line that says why; the directory is as it was."""
    before = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()}
    with pytest.raises(CommandError) as caught:
        yield
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in file.parent.iterdir() if path.is_file()} == before


# --- what is in it ---------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """In a directory of its own."""
    directory = tmp_path / "copy"
    directory.mkdir()
    return directory / "postfix.sqlite3"


@pytest.mark.usefixtures("cast")
def test_a_copy_for_postfix_holds_its_five_tables_and_no_hash(file: Path) -> None:
    publish(file)
    copied = content(file)
    assert set(copied) == FOR_POSTFIX
    assert ("dora.example", "mailbox", "") in copied["mail_domain"]
    assert {row[0] for row in copied["mail_route"]} >= {"sam@dora.example", "dora@dora.example"}
    assert len(copied["mail_route"]) == MailRoute.objects.count()
    hashes = MailUser.objects.values_list("password", flat=True)
    assert len(hashes) >= 3
    assert not any(each.encode() in file.read_bytes() for each in hashes)
    assert others(file) == set()


@pytest.mark.usefixtures("cast")
def test_a_copy_for_dovecot_holds_its_tables_alone(file: Path) -> None:
    publish(file, "dovecot")
    columns = (
        "address",
        "password",
        "home",
        "quota",
        "quota_size",
        "quota_rule",
        "is_moving",
        "closed",
        "reason",
    )
    copied = content(file)
    assert set(copied) == {"mail_user", "mail_route", "mail_domain"}
    assert copied["mail_user"] == set(MailUser.objects.values_list(*columns))
    assert ("dora.example", "mailbox", "") in copied["mail_domain"]


@pytest.mark.usefixtures("cast")
def test_keys_and_instants_are_those_of_the_panels_own_sqlite_tables(file: Path) -> None:
    instant = timezone.now().replace(microsecond=120_000)
    MailRoute.objects.create(
        address="until@dora.example", targets="x@example.org", ends_here=False, expires_at=instant
    )
    MailCheck.objects.create(address="off@dora.example", action="closed")
    publish(file)
    written = instant.strftime("%Y-%m-%d %H:%M:%S.%f")
    copied = content(file)
    assert ("until@dora.example", "x@example.org", 0, written) in copied["mail_route"]
    assert copied["mail_check"] == {("off@dora.example", "closed", CLOSED_ACTION)}
    with closing(sqlite3.connect(file)) as copy:
        keys = {
            table: [
                name for _number, name, *_rest, place in copy.execute(f"PRAGMA table_info({table})") if place
            ]
            for table in FOR_POSTFIX
        }
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        plan = copy.execute(
            "EXPLAIN QUERY PLAN SELECT targets FROM mail_route WHERE address = 'x'"
        ).fetchall()
    assert "USING INDEX sqlite_autoindex_mail_route_1 (address=?)" in plan[0][3]
    assert keys == {
        "mail_domain": ["name"],
        "mail_route": ["address"],
        "mail_sender": ["address"],
        "mail_transport": ["address"],
        "mail_check": ["address"],
    }


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_chunks_lose_and_repeat_nothing(file: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(published_copy, "_CHUNK", size)
    MailRoute.objects.bulk_create(
        MailRoute(address=f"{letter}{number}@dora.example", targets=f"{number}@example.org", ends_here=False)
        for letter in "ace"
        for number in range(5)
    )
    publish(file)
    assert {row[:2] for row in content(file)["mail_route"]} == set(
        MailRoute.objects.values_list("address", "targets")
    )


@pytest.mark.usefixtures("cast")
def test_only_the_reading_server_may_read_it(file: Path) -> None:
    publish(file)
    status = file.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_uid == os.geteuid()
    if is_root() and "postfix" in {group.gr_name for group in grp.getgrall()}:
        assert status.st_gid == grp.getgrnam("postfix").gr_gid


@pytest.mark.usefixtures("cast")
def test_a_copy_that_says_it_already_is_left_alone(cast: Cast, file: Path) -> None:
    publish(file)
    before = file.stat()
    publish(file)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    create_alias(cast.root, address="new@dora.example", recipients=["sam@dora.example"])
    publish(file)
    assert file.stat().st_ino != before.st_ino
    same = file.stat().st_ino
    file.chmod(0o644)  # somebody's mistake: mended, though the rows are the same
    publish(file)
    assert file.stat().st_ino != same
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.usefixtures("real_cast")
def test_all_tables_are_of_one_moment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_table = published_copy._copy

    def slowly(model: object, *rest: object) -> None:
        copy_table(model, *rest)  # type: ignore[arg-type]  # handed on as it came
        if model is MailCheck:
            return
        writer = threading.Thread(target=somebody_writes)
        writer.start()
        writer.join()

    def somebody_writes() -> None:
        name = f"later{time.monotonic_ns()}@dora.example"
        MailCheck.objects.create(address=name, action="retry")
        MailRoute.objects.create(address=name, targets=name, ends_here=True)
        connections.close_all()

    monkeypatch.setattr(published_copy, "_copy", slowly)
    routes = MailRoute.objects.count()
    publish(file)
    copied = content(file)
    assert copied["mail_check"] == set()
    assert len(copied["mail_route"]) == routes
    assert MailCheck.objects.count() == 4
    assert not connection.in_atomic_block
    MailCheck.objects.create(address="after@dora.example", action="retry")  # no transaction was left open


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("cast")
def test_a_directory_is_not_replaced(file: Path) -> None:
    file.mkdir()
    with refused(file, "is a directory"):
        publish(file)


@pytest.mark.usefixtures("cast")
def test_a_directory_must_be_there(tmp_path: Path) -> None:
    with refused(tmp_path / "no", "There is no directory"):
        publish(tmp_path / "no" / "copy") if (tmp_path / "no").is_dir() else publish(tmp_path / "no" / "f")


@pytest.mark.usefixtures("cast")
def test_nothing_but_a_copy_is_ever_replaced(file: Path) -> None:
    for foreign in (b"", b"root:x:0:0", b"SQLite format 3\0" + bytes(100)):
        file.write_bytes(foreign)
        with refused(file, "is no copy that the panel made"):
            publish(file)


@pytest.mark.usefixtures("real_cast")
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the panel's database is no file")
def test_the_panels_own_database_is_not_replaced(tmp_path: Path) -> None:
    panel = Path(connection.settings_dict["NAME"])
    before = MailRoute.objects.count()
    with pytest.raises(CommandError, match=r"another database|no copy"):
        publish(panel)
    link = tmp_path / "link.sqlite3"
    link.symlink_to(panel)
    with pytest.raises(CommandError, match="symbolic link"):
        publish(link)
    hard = tmp_path / "hard.sqlite3"
    hard.hardlink_to(panel)
    with pytest.raises(CommandError, match="no copy"):
        publish(hard)
    assert MailRoute.objects.count() == before


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_what_sqlite_would_take_for_a_part_of_the_copy_is_refused(file: Path, ending: str) -> None:
    file.with_name(file.name + ending).write_bytes(b"")
    with refused(file, "belongs to another database"):
        publish(file)


@pytest.mark.usefixtures("cast")
def test_a_directory_that_cannot_be_written_is_named() -> None:
    with pytest.raises(CommandError, match="/proc/copy was not written"):
        call_command("modo", "publish", "--to", "/proc/copy")


@pytest.mark.usefixtures("cast")
def test_a_failure_half_way_leaves_the_old_copy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(file)
    for name in ("_fill", "_hand_over"):
        with monkeypatch.context() as patched:
            patched.setattr(published_copy, name, out_of_space)
            with refused(file, "no space left on device"):
                publish(file)
    assert others(file) == set()


def out_of_space(*_values: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.usefixtures("cast")
def test_what_a_killed_run_left_goes_with_the_next_one(file: Path) -> None:
    old, young = f".{file.name}.{'0' * 16}", f".{file.name}.{'1' * 16}"
    foreign = {
        f".{file.name}.swp",
        f".{file.name}.{'0' * 15}",
        f".{file.name}.{'0' * 17}",
        f".{file.name}.{'0' * 16}.bak",
        f".{file.name.replace('.', '-')}.{'0' * 16}",
    }
    for name in (old, f"{old}-journal", young, *foreign):
        file.with_name(name).write_bytes(b"half")
        if name != young:
            os.utime(file.with_name(name), (time.time() - 7_200,) * 2)
    publish(file)
    assert others(file) == {young, *foreign}  # another run may be writing the young one


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("is_filled", [False, True])
def test_a_draft_that_somebody_exchanged_leads_nowhere(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_filled: bool
) -> None:
    victim, fill = tmp_path / "victim.sqlite3", published_copy._fill
    with closing(sqlite3.connect(victim)) as database:
        database.execute("CREATE TABLE secret (word TEXT)")
    victim.chmod(0o600)
    before = victim.read_bytes(), victim.stat().st_mode, victim.stat().st_gid

    def exchanged(draft: Path, *rest: Any) -> None:
        if is_filled:
            fill(draft, *rest)
        draft.unlink()
        draft.symlink_to(victim)
        if not is_filled:
            fill(draft, *rest)

    monkeypatch.setattr(published_copy, "_fill", exchanged)
    with refused(file, "Somebody exchanged a file"):
        publish(file)
    assert (victim.read_bytes(), victim.stat().st_mode, victim.stat().st_gid) == before
    assert not file.is_symlink()
    assert others(file) == set()


@pytest.mark.usefixtures("cast")
def test_a_reader_without_a_file_is_refused() -> None:
    with pytest.raises(CommandError, match="give both"):
        call_command("modo", "publish", "--check", "--for", "dovecot")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("modo", "publish", "--to", "x", "--for", "exim")


# --- Postfix reads it ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("real_cast")
def test_postfix_gets_the_old_or_the_new_answer_while_copies_are_made(
    real_cast: Cast, open_directory: Path
) -> None:
    require_servers("postfix-sqlite", "sqlite3")
    file = open_directory / "copy.sqlite3"
    publish(file)
    call_command("generate_postfix_maps", destdir=str(open_directory / "maps"), dburl=f"sqlite:///{file}")
    map_file = open_directory / "maps" / "sql-aliases.cf"
    age(map_file)
    configuration, table = lookup_config(open_directory), table_name("sqlite", map_file)
    address, targets = "info@dora.example", ("one@example.org", "two@example.org")
    alias = create_alias(real_cast.root, address=address, recipients=[targets[0]])
    publish(file)
    answers: list[str | None] = []
    errors: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                answers.append(postmap(configuration, table, address))
        except BaseException as error:  # noqa: BLE001  shown by the test itself
            errors.append(error)

    askers = [threading.Thread(target=ask) for _number in range(2)]
    # Somebody who never lets go of what he once opened, as a busy proxymap.
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as holder:
        question = "SELECT targets FROM mail_route WHERE address = ?"
        assert holder.execute(question, [address]).fetchall() == [(targets[0],)]
        for asker in askers:
            asker.start()
        for number in range(20):
            alias.recipients.update(address=targets[(number + 1) % 2])
            MailRoute.objects.filter(address=address).delete()
            MailRoute.objects.create(address=address, targets=targets[(number + 1) % 2], ends_here=False)
            publish(file)
        over.set()
        for asker in askers:
            asker.join()
        assert holder.execute(question, [address]).fetchall() == [(targets[0],)]
    assert errors == []
    assert set(answers) == set(targets)
    assert len(answers) >= 20
    assert postmap(configuration, table, address) == targets[0]
    assert {path.name for path in open_directory.iterdir() if path.name.startswith(("copy", ".copy"))} == {
        file.name
    }


@pytest.mark.usefixtures("cast")
def test_a_reader_needs_no_right_to_write_beside_the_copy(open_directory: Path) -> None:
    """Unlike a file in write-ahead mode, which nobody can read who cannot make its companions."""
    require_servers("postfix", "postfix-sqlite")
    file = open_directory / "copy.sqlite3"
    publish(file)
    assert file.read_bytes()[18:20] == b"\x01\x01"  # no write-ahead mode
    call_command("generate_postfix_maps", destdir=str(open_directory / "maps"), dburl=f"sqlite:///{file}")
    map_file = open_directory / "maps" / "sql-domains.cf"
    age(map_file)
    postfix = pwd.getpwnam("postfix")
    answer = subprocess.run(  # noqa: S603  a fixed program with arguments of the test
        [
            *(program("postmap"), "-c", str(lookup_config(open_directory))),
            *("-q", "dora.example", table_name("sqlite", map_file)),
        ],
        capture_output=True,
        check=False,
        user=postfix.pw_uid,
        group=postfix.pw_gid,
        extra_groups=[],
    )
    assert (answer.stdout, answer.stderr) == (b"dora.example\n", b"")
