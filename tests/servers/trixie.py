"""Dovecot 2.4: Debian 13 in a directory, entered by chroot.

Mounts are made in a mount namespace of the started process. They end with it, whatever happens, so
that nobody who removes the directory can reach what was mounted there.
"""

import fcntl
import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from .owner import mailbox_owner
from .packages import give_up, obstacle, program

ENVIRONMENT = "MODOBOA_TRIXIE_ROOT"
DEFAULT = Path(__file__).parents[2] / ".tox" / "debian-trixie"
PACKAGES = (
    *("dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "dovecot-managesieved"),
    *("dovecot-pgsql", "dovecot-mysql", "dovecot-sqlite"),
    *("postgresql-client", "mariadb-client", "sqlite3"),
)
# Without one of them a directory is not what we need.
PROGRAMS = ("usr/sbin/dovecot", "usr/lib/dovecot/managesieve", "usr/bin/psql", "usr/bin/mariadb")
LIMIT_S = 900
# $1 is the root, then come directories up to "--", then the command.
ENTER = """
root=$1; shift
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  shift
done
shift
exec chroot "$root" "$@"
"""


def trixie_root() -> Path:
    """The directory, made on first use; skip the test (or fail it when CI is set) where that fails."""
    root = Path(os.environ.get(ENVIRONMENT, DEFAULT)).absolute()
    root.parent.mkdir(parents=True, exist_ok=True)
    with alone_with(root):
        if root.exists() and not all((root / program).exists() for program in PROGRAMS):
            # Of an earlier version of the tests. What is mounted in it is so in other name spaces only.
            outdated = root.rename(root.with_suffix(".outdated"))
            shutil.rmtree(outdated, ignore_errors=True)
        if not root.exists():
            install(root)
        for user in (pwd.getpwnam("postfix"), mailbox_owner()):
            introduce(root, user)
    return root


@contextmanager
def alone_with(root: Path) -> Iterator[None]:
    """Other test runs use the same directory."""
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(root: Path) -> None:
    reason = obstacle("debootstrap")
    if reason is not None:
        give_up(f"Dovecot 2.4: {reason}")
    draft = root.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    include = f"--include={','.join(PACKAGES)}"
    command = [program("debootstrap"), "--variant=minbase", include, "trixie", str(draft)]
    result = subprocess.run(  # noqa: S603 - a fixed program with arguments of the tests
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if result.returncode:
        give_up(f"debootstrap failed: {result.stdout[-500:]}")
    draft.rename(root)


def introduce(root: Path, user: pwd.struct_passwd) -> None:
    """Make an account of this machine known inside, with the same numbers: Dovecot wants names."""
    group = grp.getgrgid(user.pw_gid)
    add_line(
        root / "etc/passwd", f"{user.pw_name}:x:{user.pw_uid}:{user.pw_gid}::/nonexistent:/usr/sbin/nologin"
    )
    add_line(root / "etc/group", f"{group.gr_name}:x:{group.gr_gid}:")


def add_line(file: Path, line: str) -> None:
    """Replace the line of the same name: the machine's numbers may have changed since the last run."""
    name = line.partition(":")[0]
    others = [old for old in file.read_text().splitlines() if old.partition(":")[0] != name]
    file.write_text("\n".join((*others, line)) + "\n")


@contextmanager
def entered(places: Iterable[Path]) -> Iterator[tuple[str, ...]]:
    """What to put before a command to run it inside, with `places` visible at the same paths."""
    root = trixie_root()
    directories = [str(place.resolve()) for place in outermost(places)]
    unshare = (program("unshare"), "--mount", "--propagation", "private")
    with mount_points(root, directories):
        yield (*unshare, "/bin/sh", "-ec", ENTER, "enter", str(root), *directories, "--")


@contextmanager
def mount_points(root: Path, directories: Iterable[str]) -> Iterator[None]:
    """Claim the directories to mount on, and remove those in the end that nobody else has claimed.

    Removing a directory takes away what others have mounted on it in namespaces of their own.
    """
    with ExitStack() as claims:
        with alone_with(root):
            claimed = {directory: claims.enter_context(claim(root, directory)) for directory in directories}
        yield
        with alone_with(root):
            for directory, file in claimed.items():
                if is_free(file):
                    claim_file(root, directory).unlink()
                    file.close()
                    remove_mount_point(root, directory)


def claim_file(root: Path, directory: str) -> Path:
    return root.with_suffix(".mounts") / quote(directory, safe="")


def claim(root: Path, directory: str) -> IO[bytes]:
    path = claim_file(root, directory)
    path.parent.mkdir(exist_ok=True)
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def is_free(file: IO[bytes]) -> bool:
    """Whether this claim is the only one; locks of killed runs are gone with them."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_claimed(root: Path, place: Path) -> bool:
    path = claim_file(root, f"/{place.relative_to(root)}")
    if not path.exists():
        return False
    with path.open("ab") as file:
        return not is_free(file)


def outermost(places: Iterable[Path]) -> list[Path]:
    """Without directories that lie in another one of them: mounting that one shows them already."""
    unique = sorted(set(places))
    return [place for place in unique if not any(other in place.parents for other in unique)]


def remove_mount_point(root: Path, directory: str) -> None:
    """Empty directories only, but no top-level one: seen from here nothing was ever mounted."""
    place = Path(f"{root}{directory}")
    with suppress(OSError):
        while place.parent != root and not is_claimed(root, place):
            place.rmdir()
            place = place.parent
