"""The mail root: moving, deleting and copying mail directories, and nothing outside of it.

The root is opened once, and everything below is reached by descriptors, component by component, never through a
symbolic link: whoever swaps a directory for a link while we work moves nothing of ours elsewhere. Nothing that exists
is ever replaced. What was done is durable when :meth:`Batch.make_durable` returned.

This module knows directories, not orders: which of two directories is whose is decided above.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from hashlib import sha256
from typing import Final, NamedTuple, Self

MARKER: Final = ".modoboa-mail-root"
TRASH: Final = ".trash"

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOREPLACE: Final = 1
_BLOCK: Final = 1 << 20
# Levels that are held open at once; what lies deeper is brought up first.
_DEPTH: Final = 40
# The file system knows no such thing as the flag, or as a lock on a directory (NFS).
_NOT_SUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY})
_NO_LOCKS: Final = _NOT_SUPPORTED | {errno.EBADF, errno.ENOLCK}


class RootUnavailable(Exception):  # noqa: N818  a state of the machine, not a fault of the caller
    """The mail root is not there, or is not the mail root: nothing may be concluded from what it holds."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class NotAPath(ValueError):  # noqa: N818  says what it is not
    """Text that is no path below the mail root."""


class Different(Exception):  # noqa: N818  an answer
    """A copy does not hold what its original holds, or something in it cannot be copied."""


class Busy(Exception):  # noqa: N818  an answer
    """Another process works on the directory."""


class Identity(NamedTuple):
    """What stays the same when a directory is renamed."""

    device: int
    inode: int


class Sort(Enum):
    """What a name stands for."""

    NOTHING = auto()
    DIRECTORY = auto()
    SOMETHING_ELSE = auto()  # a link, a file


class Found(NamedTuple):
    """What lies at a path; *identity* of whatever it is."""

    sort: Sort
    identity: Identity | None = None

    @property
    def is_there(self) -> bool:
        """Whether the name is taken."""
        return self.sort is not Sort.NOTHING


_NOTHING: Final = Found(Sort.NOTHING)


def components(path: str) -> tuple[bytes, ...]:
    """Names along a relative *path*; raises :class:`NotAPath` for everything that could lead elsewhere."""
    names = tuple(path.encode(errors="surrogateescape").split(b"/"))
    if not all(names) or b"\0" in b"".join(names) or {b".", b".."} & set(names):
        raise NotAPath(path)
    return names


def sibling(path: str, name: str) -> str:
    """*name* in the directory that *path* lies in."""
    parent, _stroke, _own = path.rpartition("/")
    return f"{parent}/{name}" if parent else name


class MailRoot:
    """An opened mail root. Use it as a context manager."""

    def __init__(self, path: str) -> None:
        """Open it; raises :class:`RootUnavailable` when it, or the marker in it, is not there."""
        self.path = path
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RootUnavailable(path, str(error.strerror)) from error
        try:
            marker = os.stat(MARKER, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError as error:
            os.close(self.descriptor)
            raise RootUnavailable(f"{path}/{MARKER}", str(error.strerror)) from error
        if not stat.S_ISREG(marker.st_mode):
            os.close(self.descriptor)
            raise RootUnavailable(f"{path}/{MARKER}", "not a file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # nothing was written through it
            os.close(self.descriptor)

    def found(self, path: str) -> Found:
        """What lies at *path*; a directory on the way that is a link raises OSError, a missing one is nothing."""
        try:
            with self._parent(path) as (parent, name):
                return _look(parent, name)
        except FileNotFoundError:
            return _NOTHING

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, bytes]]:
        *way, name = components(path)
        opened = self.descriptor
        try:
            for each in way:
                deeper = os.open(each, _DIRECTORY, dir_fd=opened)
                if opened != self.descriptor:
                    os.close(opened)
                opened = deeper
            yield opened, name
        finally:
            if opened != self.descriptor:
                os.close(opened)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Room for some work; at its end every lock and descriptor of it is gone."""
        work = Batch(self)
        try:
            yield work
        finally:
            work.close()

    def purge(self, path: str) -> None:
        """Delete the directory at *path* with all that is in it; nothing to do when it is gone."""
        try:
            with self._parent(path) as (parent, name):
                _purge(parent, name)
        except FileNotFoundError:
            return


def initialize(path: str) -> bool:
    """Mark *path* as the mail root; False when it is already. Only ever on an administrator's demand."""
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        marker = os.open(MARKER, _NEW_FILE, 0o600, dir_fd=root)
    except FileExistsError:
        return False
    else:
        os.fsync(marker)
        os.close(marker)
        os.fsync(root)
        return True
    finally:
        os.close(root)


@dataclass(slots=True)
class Batch:
    """Work on several directories, which is made durable together."""

    root: MailRoot
    _parents: dict[tuple[bytes, ...], int] = field(default_factory=dict)
    _locks: dict[Identity, int] = field(default_factory=dict)
    # Parents whose names changed, with the paths that were concerned.
    _touched: dict[tuple[bytes, ...], list[str]] = field(default_factory=dict)

    def close(self) -> None:
        """Let go of everything."""
        for descriptor in (*self._locks.values(), *self._parents.values()):
            with suppress(OSError):  # nothing was written through it
                os.close(descriptor)
        self._locks.clear()
        self._parents.clear()

    # --- looking ---

    def found(self, path: str) -> Found:
        """As of the root; parents stay open until the batch ends."""
        *way, name = components(path)
        try:
            return _look(self._opened(tuple(way)), name)
        except FileNotFoundError:
            return _NOTHING

    def lock(self, path: str) -> Identity | None:
        """Keep other processes from the directory at *path* until the batch ends; raises :class:`Busy`.

        The lock is on the directory itself, whatever it is called later, and dies with the process. None where the file
        system knows no such lock.
        """
        *way, name = components(path)
        descriptor = os.open(name, _DIRECTORY, dir_fd=self._opened(tuple(way)))
        identity = _identity(os.fstat(descriptor))
        if identity in self._locks:
            os.close(descriptor)
            return identity
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _NO_LOCKS:
                return None
            if error.errno == errno.EWOULDBLOCK:
                raise Busy(path) from error
            raise
        self._locks[identity] = descriptor
        return identity

    def _opened(self, way: tuple[bytes, ...]) -> int:
        if not way:
            return self.root.descriptor
        if way not in self._parents:
            self._parents[way] = os.open(way[-1], _DIRECTORY, dir_fd=self._opened(way[:-1]))
        return self._parents[way]

    # --- moving ---

    def move(self, source: str, target: str) -> None:
        """Rename, making the parent of *target* where it is missing. Raises OSError: EEXIST, EXDEV and others."""
        *source_way, source_name = components(source)
        *target_way, target_name = components(target)
        from_parent = self._opened(tuple(source_way))
        to_parent = self._made(tuple(target_way), like=from_parent)
        self._touched.setdefault(tuple(source_way), []).append(source)
        self._touched.setdefault(tuple(target_way), []).append(target)
        rename_without_replacing(from_parent, source_name, to_parent, target_name)

    def _made(self, way: tuple[bytes, ...], *, like: int) -> int:
        """The directory *way*, with the mode of the directory *like* when it has to be made."""
        for length in range(1, len(way) + 1):
            part = way[:length]
            try:
                self._opened(part)
            except FileNotFoundError:
                self._make(part, like=like)
        return self._opened(way)

    def _make(self, way: tuple[bytes, ...], *, like: int) -> None:
        parent = self._opened(way[:-1])
        mode = 0o700 if way == (TRASH.encode(),) else stat.S_IMODE(os.fstat(like).st_mode)
        with suppress(FileExistsError):
            os.mkdir(way[-1], 0o700, dir_fd=parent)
            made = self._opened(way)
            os.fchmod(made, mode)
            os.fsync(made)
        os.fsync(parent)

    def copy(self, source: str, target: str, passing: str) -> None:
        """Copy across devices: to *passing*, a name beside *target*; compared and durable before it takes its name."""
        *source_way, source_name = components(source)
        *target_way, target_name = components(target)
        *_way, passing_name = components(passing)
        from_parent = self._opened(tuple(source_way))
        to_parent = self._made(tuple(target_way), like=from_parent)
        with suppress(FileNotFoundError):  # what a run before left half done
            _purge(to_parent, passing_name)
        _Copier().directory(from_parent, source_name, to_parent, passing_name)
        _compare(from_parent, source_name, to_parent, passing_name)
        os.fsync(to_parent)
        self._touched.setdefault(tuple(target_way), []).append(target)
        rename_without_replacing(to_parent, passing_name, to_parent, target_name)
        os.fsync(to_parent)

    def is_copied(self, source: str, target: str) -> bool:
        """Whether *target* holds what *source* holds, byte for byte."""
        *source_way, source_name = components(source)
        *target_way, target_name = components(target)
        try:
            _compare(
                self._opened(tuple(source_way)), source_name, self._opened(tuple(target_way)), target_name
            )
        except Different:
            return False
        return True

    def touch(self, path: str) -> None:
        """*path* was renamed by a run before; that this is durable has to be made sure of."""
        *way, _name = components(path)
        self._opened(tuple(way))
        self._touched.setdefault(tuple(way), []).append(path)

    def make_durable(self) -> dict[str, OSError]:
        """Write the names of all that was moved to the disk; what it refused, by path.

        An error is told once and never again: who repeats this after one hears of a success that is none.
        """
        failed: dict[str, OSError] = {}
        for way, paths in self._touched.items():
            try:
                os.fsync(self._opened(way))
            except OSError as error:
                failed.update(dict.fromkeys(paths, error))
        self._touched.clear()
        return failed


def _identity(facts: os.stat_result) -> Identity:
    return Identity(_signed(facts.st_dev), _signed(facts.st_ino))


def _signed(number: int) -> int:
    """As a database keeps it: 64 bits, the first of which is a sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _look(parent: int, name: bytes) -> Found:
    try:
        facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return _NOTHING
    sort = Sort.DIRECTORY if stat.S_ISDIR(facts.st_mode) else Sort.SOMETHING_ELSE
    return Found(sort, _identity(facts))


# --- renaming --------------------------------------------------------------------------------------------------


@cache
def _renameat2() -> Callable[..., int] | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    found: Callable[..., int] = function
    return found


def rename_without_replacing(from_parent: int, name: bytes, to_parent: int, new_name: bytes) -> None:
    """Rename a directory; raises OSError, EEXIST when *new_name* is taken, by an empty directory as well."""
    code = _try_renameat2(from_parent, name, to_parent, new_name)
    if code in _NOT_SUPPORTED:
        _rename_over_own(from_parent, name, to_parent, new_name)
    elif code:
        raise OSError(code, os.strerror(code), os.fsdecode(name), None, os.fsdecode(new_name))


def _try_renameat2(from_parent: int, name: bytes, to_parent: int, new_name: bytes) -> int:
    """0 or an error number."""
    function = _renameat2()
    if function is None:
        return errno.ENOSYS
    return ctypes.get_errno() if function(from_parent, name, to_parent, new_name, _NOREPLACE) else 0


def _rename_over_own(from_parent: int, name: bytes, to_parent: int, new_name: bytes) -> None:
    """For file systems without the flag: take the name with a directory of our own, and rename over that.

    ``rename`` replaces empty directories only, so nothing can be lost, whoever else writes there at the moment.
    """
    os.mkdir(new_name, 0o700, dir_fd=to_parent)
    try:
        os.rename(name, new_name, src_dir_fd=from_parent, dst_dir_fd=to_parent)
    except OSError as error:
        with suppress(OSError):
            os.rmdir(new_name, dir_fd=to_parent)
        if error.errno == errno.ENOTEMPTY:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new_name)) from error
        raise


# --- purging ---------------------------------------------------------------------------------------------------


def _purge(parent: int, name: bytes) -> None:
    """Delete a directory and all below it, on its own device only; another process may be at the same."""
    top = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        device = os.fstat(top).st_dev
        while _empty(top, top, device, 1):
            pass
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _empty(directory: int, top: int, device: int, depth: int) -> bool:
    """Delete what is in *directory*; True when something was brought up to *top* instead of being deleted."""
    is_left = False
    with os.scandir(directory) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    is_left |= _remove(directory, name, top, device, depth)
                else:
                    os.unlink(name, dir_fd=directory)
    return is_left


def _remove(parent: int, name: bytes, top: int, device: int, depth: int) -> bool:
    child = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        facts = os.fstat(child)
        if facts.st_dev != device:
            raise OSError(errno.EXDEV, "another file system is mounted there", os.fsdecode(name))
        if depth >= _DEPTH:
            os.rename(name, b".deep-%d" % facts.st_ino, src_dir_fd=parent, dst_dir_fd=top)
            return True
        is_left = _empty(child, top, device, depth + 1)
    finally:
        os.close(child)
    os.rmdir(name, dir_fd=parent)
    return is_left


# --- copying ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Copier:
    """Copies a tree with modes, times, owners and hard links; every file is on the disk when it is done."""

    _first: dict[tuple[int, int], tuple[bytes, ...]] = field(default_factory=dict)
    _way: tuple[bytes, ...] = ()
    _top: int = -1

    def directory(self, from_parent: int, name: bytes, to_parent: int, new_name: bytes) -> None:
        """Copy a directory that is not there yet."""
        original = os.open(name, _DIRECTORY, dir_fd=from_parent)
        try:
            os.mkdir(new_name, 0o700, dir_fd=to_parent)
            made = os.open(new_name, _DIRECTORY, dir_fd=to_parent)
            is_top = self._top < 0
            if is_top:
                self._top = made
            try:
                for each in _names(original):
                    self._entry(original, made, each)
                _dress(made, os.fstat(original), original)
                os.fsync(made)
            finally:
                os.close(made)
        finally:
            os.close(original)

    def _entry(self, original: int, made: int, name: bytes) -> None:
        facts = os.stat(name, dir_fd=original, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            way, self._way = self._way, (*self._way, name)
            self.directory(original, name, made, name)
            self._way = way
        elif stat.S_ISLNK(facts.st_mode):
            os.symlink(os.readlink(name, dir_fd=original), name, dir_fd=made)
            with suppress(PermissionError):
                os.chown(name, facts.st_uid, facts.st_gid, dir_fd=made, follow_symlinks=False)
            os.utime(name, ns=(facts.st_atime_ns, facts.st_mtime_ns), dir_fd=made, follow_symlinks=False)
        elif stat.S_ISREG(facts.st_mode):
            self._file(original, made, name, facts)
        elif not stat.S_ISSOCK(facts.st_mode):  # a socket belongs to a process, not to the mail
            raise Different(os.fsdecode(name))

    def _file(self, original: int, made: int, name: bytes, facts: os.stat_result) -> None:
        key = (facts.st_dev, facts.st_ino)
        if key in self._first:
            *way, first = self._first[key]
            with _walked(self._top, way) as parent:
                os.link(first, name, src_dir_fd=parent, dst_dir_fd=made, follow_symlinks=False)
            return
        if facts.st_nlink > 1:
            self._first[key] = (*self._way, name)
        reading = os.open(name, _FILE, dir_fd=original)
        try:
            writing = os.open(name, _NEW_FILE, 0o600, dir_fd=made)
            try:
                while block := os.read(reading, _BLOCK):
                    while block:
                        block = block[os.write(writing, block) :]
                _dress(writing, facts, reading)
                os.fsync(writing)
            finally:
                os.close(writing)
        finally:
            os.close(reading)


@contextmanager
def _walked(top: int, way: list[bytes]) -> Iterator[int]:
    opened = os.dup(top)
    try:
        for each in way:
            deeper = os.open(each, _DIRECTORY, dir_fd=opened)
            os.close(opened)
            opened = deeper
        yield opened
    finally:
        os.close(opened)


def _dress(made: int, facts: os.stat_result, original: int) -> None:
    """Owner as far as allowed, extended attributes (lists of who may) where they exist, mode, times."""
    with suppress(PermissionError):
        os.fchown(made, facts.st_uid, facts.st_gid)
    with suppress(OSError):
        for name in os.listxattr(original):
            with suppress(OSError):
                os.setxattr(made, name, os.getxattr(original, name))
    os.fchmod(made, stat.S_IMODE(facts.st_mode))
    os.utime(made, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _compare(from_parent: int, name: bytes, to_parent: int, new_name: bytes) -> None:
    """Both trees hold the same names, kinds, sizes and bytes; raises :class:`Different`."""
    one = os.open(name, _DIRECTORY, dir_fd=from_parent)
    try:
        other = os.open(new_name, _DIRECTORY, dir_fd=to_parent)
        try:
            names = _compared_names(one)
            if names != _compared_names(other):
                raise Different(os.fsdecode(name))
            for each in names:
                _compare_entry(one, other, each)
        finally:
            os.close(other)
    finally:
        os.close(one)


def _compared_names(directory: int) -> list[bytes]:
    return [
        name
        for name in _names(directory)
        if not stat.S_ISSOCK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    ]


def _names(directory: int) -> list[bytes]:
    with os.scandir(directory) as entries:
        return sorted(os.fsencode(entry.name) for entry in entries)


def _compare_entry(one: int, other: int, name: bytes) -> None:
    facts, copied = (os.stat(name, dir_fd=each, follow_symlinks=False) for each in (one, other))
    if stat.S_IFMT(facts.st_mode) != stat.S_IFMT(copied.st_mode):
        raise Different(os.fsdecode(name))
    if stat.S_ISDIR(facts.st_mode):
        _compare(one, name, other, name)
    elif stat.S_ISLNK(facts.st_mode):
        if os.readlink(name, dir_fd=one) != os.readlink(name, dir_fd=other):
            raise Different(os.fsdecode(name))
    elif facts.st_size != copied.st_size or _digest(one, name) != _digest(other, name):
        raise Different(os.fsdecode(name))


def _digest(parent: int, name: bytes) -> bytes:
    opened = os.open(name, _FILE, dir_fd=parent)
    digest = sha256()
    try:
        while block := os.read(opened, _BLOCK):
            digest.update(block)
    finally:
        os.close(opened)
    return digest.digest()
