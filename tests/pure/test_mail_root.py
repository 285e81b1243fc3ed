"""The mail root: nothing outside of it is touched, nothing that exists is replaced, no link is followed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from admin.gateways import mail_root
from admin.gateways.mail_root import (
    MARKER,
    Busy,
    Different,
    MailRoot,
    NotAPath,
    RootUnavailable,
    Sort,
    initialize,
)

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  another device


@pytest.fixture
def path(tmp_path: Path) -> Path:
    root = tmp_path / "mail"
    root.mkdir()
    initialize(str(root))
    return root


@pytest.fixture
def root(path: Path) -> Iterator[MailRoot]:
    with MailRoot(str(path)) as opened:
        yield opened


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    return mailbox(tmp_path / "outside")


def mailbox(path: Path, mails: int = 3) -> Path:
    for part in ("cur", "new", "tmp", ".Sent/cur"):
        (path / part).mkdir(parents=True)
    for number in range(mails):
        (path / "cur" / f"{number}:2,S").write_text(f"{path.name} {number}\n" * (number + 1))
    return path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def content(path: Path) -> dict[str, bytes]:
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def moved(root: MailRoot, source: str, target: str) -> dict[str, OSError]:
    with root.batch() as work:
        work.move(source, target)
        return work.make_durable()


# --- the root -------------------------------------------------------------------------------------------------


def test_a_root_without_its_marker_is_none(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "not there"):
        with pytest.raises(RootUnavailable):
            MailRoot(str(wrong))
    (tmp_path / MARKER).symlink_to("/etc/passwd")
    with pytest.raises(RootUnavailable):
        MailRoot(str(tmp_path))


def test_the_marker_is_made_once(tmp_path: Path) -> None:
    assert initialize(str(tmp_path))
    assert not initialize(str(tmp_path))
    MailRoot(str(tmp_path)).__exit__()


@pytest.mark.parametrize(
    "strange", ["", "/", "/etc", "a//b", "../x", "a/../b", "a/..", ".", "a/./b", "a/", "a\0b"]
)
def test_what_could_lead_elsewhere_is_no_path(root: MailRoot, strange: str) -> None:
    with pytest.raises(NotAPath):
        root.found(strange)
    with root.batch() as work, pytest.raises(NotAPath):
        work.move(strange, "a/b")
    with pytest.raises(NotAPath):
        root.purge(strange)


# --- moving ---------------------------------------------------------------------------------------------------


def test_a_directory_is_moved_and_keeps_its_identity(path: Path, root: MailRoot) -> None:
    mailbox(path / "a.example" / "sam")
    (path / "a.example").chmod(0o2750)
    before, facts = content(path / "a.example" / "sam"), root.found("a.example/sam")
    assert moved(root, "a.example/sam", "b.example/sämi") == {}
    assert root.found("a.example/sam").sort is Sort.NOTHING
    assert root.found("b.example/sämi") == facts
    assert content(path / "b.example" / "sämi") == before
    assert (path / "b.example").stat().st_mode & 0o7777 == 0o2750, "as the directory it comes from"


@pytest.fixture(params=["flag", "no flag"])
def _with_and_without_the_flag(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no flag":
        monkeypatch.setattr(mail_root, "_renameat2", lambda: None)


TAKEN: dict[str, Callable[[Path], object]] = {
    "empty": lambda there: there.mkdir(),
    "full": mailbox,
    "file": lambda there: there.write_text("x"),
    "link": lambda there: there.symlink_to("/nowhere"),
    "link to a directory": lambda there: there.symlink_to("/"),
}


@pytest.mark.usefixtures("_with_and_without_the_flag")
@pytest.mark.parametrize("taken", TAKEN)
def test_nothing_that_exists_is_replaced(path: Path, root: MailRoot, taken: str) -> None:
    mailbox(path / "a.example" / "sam")
    TAKEN[taken](path / "a.example" / "max")
    before = content(path)
    with pytest.raises(FileExistsError):
        moved(root, "a.example/sam", "a.example/max")
    assert content(path) == before


@pytest.mark.usefixtures("_with_and_without_the_flag")
def test_a_free_name_is_taken(path: Path, root: MailRoot) -> None:
    mailbox(path / "a.example" / "sam")
    moved(root, "a.example/sam", "a.example/max")
    assert names(path / "a.example") == ["max"]


@pytest.mark.usefixtures("_with_and_without_the_flag")
def test_what_is_not_there_is_not_moved_and_leaves_nothing(path: Path, root: MailRoot) -> None:
    (path / "a.example").mkdir()
    with pytest.raises(FileNotFoundError):
        moved(root, "a.example/sam", "a.example/max")
    assert names(path / "a.example") == []


@pytest.mark.parametrize("place", ["source", "target"])
def test_no_link_on_the_way_is_followed(path: Path, root: MailRoot, outside: Path, place: str) -> None:
    mailbox(path / "a.example" / "sam")
    (path / "link.example").symlink_to(outside.parent)
    before = content(outside)
    way = (
        ("link.example/outside", "a.example/x")
        if place == "source"
        else ("a.example/sam", "link.example/sam")
    )
    with pytest.raises(OSError, match=r"Not a directory|Too many levels") as caught:
        moved(root, *way)
    assert caught.value.errno in {errno.ENOTDIR, errno.ELOOP}
    assert content(outside) == before
    assert (path / "a.example" / "sam").is_dir()


def test_a_link_in_the_place_of_a_mailbox_is_no_directory(path: Path, root: MailRoot, outside: Path) -> None:
    (path / "a.example").mkdir()
    (path / "a.example" / "sam").symlink_to(outside)
    assert root.found("a.example/sam").sort is Sort.SOMETHING_ELSE


def test_two_processes_do_not_work_on_one_directory(path: Path, root: MailRoot) -> None:
    mailbox(path / "a.example" / "sam")
    with root.batch() as mine, root.batch() as other:
        identity = mine.lock("a.example/sam")
        assert identity == root.found("a.example/sam").identity
        with pytest.raises(Busy):
            other.lock("a.example/sam")
        mine.move("a.example/sam", "a.example/max")
        with pytest.raises(Busy):
            other.lock("a.example/max")
    with root.batch() as later:
        assert later.lock("a.example/max") == identity


def test_an_error_of_the_disk_is_told_for_every_path_that_it_concerns(
    path: Path, root: MailRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.example", "b.example"):
        mailbox(path / name / "sam")
    bad = (path / "b.example").stat().st_ino
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with root.batch() as work:
        work.move("a.example/sam", "a.example/max")
        work.move("b.example/sam", "b.example/max")
        monkeypatch.setattr(os, "fsync", fsync)
        failed = work.make_durable()
        monkeypatch.undo()
        assert set(failed) == {"b.example/sam", "b.example/max"}


# --- purging --------------------------------------------------------------------------------------------------


def test_what_is_purged_is_gone_and_nothing_else(path: Path, root: MailRoot, outside: Path) -> None:
    trash = mailbox(path / ".trash" / "1")
    mailbox(path / ".trash" / "2")
    (trash / "cur" / "file").symlink_to(outside / "cur" / "0:2,S")
    (trash / "directory").symlink_to(outside)
    (trash / "up").symlink_to("../..")
    os.mkfifo(trash / "fifo")
    before = content(outside)
    root.purge(".trash/1")
    root.purge(".trash/1")
    assert names(path / ".trash") == ["2"]
    assert content(outside) == before


def test_a_link_is_not_purged(path: Path, root: MailRoot, outside: Path) -> None:
    (path / ".trash").mkdir()
    (path / ".trash" / "1").symlink_to(outside)
    before = content(outside)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        root.purge(".trash/1")
    assert content(outside) == before


def test_a_tree_of_any_depth_is_purged(path: Path, root: MailRoot) -> None:
    (path / ".trash" / "1").mkdir(parents=True)
    opened = os.open(path / ".trash" / "1", os.O_DIRECTORY)
    for number in range(1500):
        os.mkdir("deep", dir_fd=opened)
        deeper = os.open("deep", os.O_DIRECTORY, dir_fd=opened)
        os.close(opened)
        opened = deeper
        if number % 100 == 0:
            os.close(os.open("mail", os.O_CREAT | os.O_WRONLY, dir_fd=opened))
    os.close(opened)
    root.purge(".trash/1")
    assert names(path / ".trash") == []


def test_a_directory_that_becomes_a_link_during_the_purge_leads_nowhere(
    path: Path, root: MailRoot, outside: Path
) -> None:
    before = content(outside)
    ended = threading.Event()
    rounds = [path / ".trash" / str(number) for number in range(300)]
    (path / ".trash").mkdir()
    for trash in rounds:
        mailbox(trash, mails=1)
    swapped = []

    def swap() -> None:
        for trash in rounds:
            while trash.exists() and not ended.is_set():
                for name in ("cur", "new", "tmp", ".Sent"):
                    try:
                        (trash / name).rename(trash / f"{name}-away")
                        (trash / name).symlink_to(outside)
                    except OSError:
                        continue
                    swapped.append(name)

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        for trash in rounds:
            while trash.exists():
                try:
                    root.purge(f".trash/{trash.name}")
                except OSError as error:
                    assert error.errno in {errno.ENOTEMPTY, errno.ENOTDIR, errno.ELOOP}  # noqa: PT017  one of them
    finally:
        ended.set()
        attacker.join()
    assert swapped
    assert content(outside) == before


# --- across devices -------------------------------------------------------------------------------------------


@pytest.fixture
def far(path: Path) -> Iterator[Path]:
    """A domain whose directory is on another device: a mount in the place of a link, as far as the gateway sees."""
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == path.stat().st_dev:
        pytest.skip("there is no other device")
    with TemporaryDirectory(dir=SHARED_MEMORY) as directory:
        yield Path(directory)


@pytest.fixture
def reach(far: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``far.example`` below the root be that directory."""
    real = os.open

    def opened(name: object, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if name == b"far.example":
            return real(far, flags, *rest)
        return real(name, flags, *rest, dir_fd=dir_fd)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(os, "open", opened)


@pytest.mark.usefixtures("reach")
def test_a_directory_is_copied_to_another_device_with_all_that_belongs_to_it(
    path: Path, root: MailRoot, far: Path
) -> None:
    box = mailbox(path / "a.example" / "sam")
    os.link(box / "cur" / "0:2,S", box / ".Sent" / "cur" / "same")
    (box / "dovecot-uidlist").write_text("3 V1 N4\n")
    (box / "sieve").symlink_to("sieve.d/active")
    (box / "cur" / "1:2,S").chmod(0o640)
    os.utime(box / "cur" / "1:2,S", ns=(10**18, 10**18 + 5))
    os.utime(box / "cur", ns=(10**18, 10**18 + 7))
    before = content(box)
    with root.batch() as work:
        with pytest.raises(OSError, match="cross-device") as caught:
            work.move("a.example/sam", "far.example/sam")
        assert caught.value.errno == errno.EXDEV
        assert not names(far)
        (far / ".moving-1").mkdir()
        (far / ".moving-1" / "left by a run before").touch()
        work.copy("a.example/sam", "far.example/sam", "far.example/.moving-1")
        assert work.make_durable() == {}
        assert work.is_copied("a.example/sam", "far.example/sam")
    copy = far / "sam"
    assert names(far) == ["sam"]
    assert content(copy) == before == content(box)
    assert (copy / "cur" / "0:2,S").stat().st_ino == (copy / ".Sent" / "cur" / "same").stat().st_ino
    assert str((copy / "sieve").readlink()) == "sieve.d/active"
    assert (copy / "cur" / "1:2,S").stat().st_mode & 0o7777 == 0o640
    assert (copy / "cur" / "1:2,S").stat().st_mtime_ns == 10**18 + 5
    assert (copy / "cur").stat().st_mtime_ns == 10**18 + 7


@pytest.mark.usefixtures("reach")
def test_a_copy_that_differs_is_none(path: Path, root: MailRoot, far: Path) -> None:
    mailbox(path / "a.example" / "sam")
    with root.batch() as work:
        work.copy("a.example/sam", "far.example/sam", "far.example/.moving-1")
        (path / "a.example" / "sam" / "new" / "late").write_text("x")
        assert not work.is_copied("a.example/sam", "far.example/sam")
        (path / "a.example" / "sam" / "new" / "late").unlink()
        assert work.is_copied("a.example/sam", "far.example/sam")
        (far / "sam" / "cur" / "0:2,S").write_text("sam 1\n")
        assert not work.is_copied("a.example/sam", "far.example/sam")
        os.mkfifo(path / "a.example" / "sam" / "fifo")
        with pytest.raises(Different):
            work.copy("a.example/sam", "far.example/max", "far.example/.moving-2")
        (path / "a.example" / "sam" / "fifo").unlink()
        with pytest.raises(FileExistsError):
            work.copy("a.example/sam", "far.example/sam", "far.example/.moving-2")
