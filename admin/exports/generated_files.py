"""Files that we own until somebody edits them: checksums, careful upgrades, all or nothing.

A checksum file stands beside the generated files, one line each: ``name:engine:md5``. The sum tells an edited
file from ours; it protects nothing, hence the old algorithm that the file format has always had.
"""

from __future__ import annotations

import grp
import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from admin.exports.credentials import ExportError
from admin.lookups import Engine

# Passwords are in them: for root, and for the group of the server that reads them.
MODE = 0o640
# Without secrets, and read by everybody: `sendmail` of any user reads main.cf.
OPEN_MODE = 0o644
SCRIPT_MODE = 0o755

# Engines as the checksum file names them.
_ENGINES = {"postgres": Engine.POSTGRESQL, "mysql": Engine.MYSQL, "sqlite": Engine.SQLITE}
_ENGINE_NAMES = {engine: name for name, engine in _ENGINES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the checksum file says about one file."""

    engine: Engine
    digest: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be written, and with which mode."""

    text: str
    mode: int


@dataclass(slots=True)
class GeneratedFiles:
    """The generated files of one directory; *group* is the system group that may read them, when it exists."""

    directory: Path
    checksum_name: str
    group: str
    entries: dict[str, Entry] = field(default_factory=dict)
    _pending: dict[str, _Draft] = field(default_factory=dict)

    @classmethod
    def in_directory(cls, directory: str, checksum_name: str, group: str, *below: str) -> GeneratedFiles:
        """Files in *directory*, made (one level) when it is missing, or in the directories *below* it, made too.

        Raises :class:`ExportError`.
        """
        top = Path(directory).resolve()
        if not top.exists() and not top.parent.is_dir():
            message = _("There is no directory %(parent)s to make %(path)s in.")
            raise ExportError(message % {"parent": top.parent, "path": top})
        path = top
        for name in ("", *below):
            path /= name
            if path.exists() and not path.is_dir():
                raise ExportError(_("%(path)s is not a directory.") % {"path": path})
        files = cls(path, checksum_name, group)
        files.entries = files._read_checksums()
        return files

    def _read_checksums(self) -> dict[str, Entry]:
        """Entries of the checksum file; a line that is none is dropped, so that its file counts as edited."""
        entries = {}
        for line in (self._read(self.checksum_name) or "").splitlines():
            name, _colon, rest = line.partition(":")
            engine, _colon, digest = rest.partition(":")
            if engine in _ENGINES:
                entries[name] = Entry(_ENGINES[engine], digest)
        return entries

    def _read(self, name: str) -> str | None:
        try:
            return (self.directory / name).read_bytes().decode(errors="surrogateescape")
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"{self.directory / name}: {error.strerror}"
            raise ExportError(message) from error

    def present(self, name: str) -> str | None:
        """Text of a file, None when it is not there."""
        return self._read(name)

    def is_edited(self, name: str) -> bool:
        """True for a file that is there but is not what we wrote."""
        text = self._read(name)
        if text is None:
            return False
        entry = self.entries.get(name)
        return entry is None or entry.digest != _digest(text)

    def put(self, name: str, engine: Engine, text: str, *, mode: int = MODE) -> None:
        """Write *text* when everything is written."""
        self._pending[name] = _Draft(text, mode)
        self.entries[name] = Entry(engine, _digest(text))

    def put_unless_edited(
        self,
        texts: Mapping[str, str],
        engine: Engine,
        *,
        header: Sequence[str] = (),
        mode: int = MODE,
        force: bool,
    ) -> list[str]:
        """Write each text under a comment, but not (unless *force*) where somebody edited the file; returns those."""
        comment = "".join(f"# {line}\n" for line in header)
        edited = [name for name in texts if not force and self.is_edited(name)]
        for name in texts.keys() - set(edited):
            self.put(name, engine, comment + texts[name], mode=mode)
        return edited

    def write(self) -> None:
        """Write what was put, and the checksums: every file whole or none; raises :class:`ExportError`."""
        write_all([self])

    def drafts(self) -> Iterable[tuple[Path, Path]]:
        """Make a draft of each file beside its place: (place, draft)."""
        lines = (
            f"{name}:{_ENGINE_NAMES[entry.engine]}:{entry.digest}\n"
            for name, entry in sorted(self.entries.items())
        )
        contents = {**self._pending, self.checksum_name: _Draft("".join(lines), MODE)}
        for name, content in contents.items():
            yield self.directory / name, self._draft(name, content)

    def _draft(self, name: str, content: _Draft) -> Path:
        """A complete file under another name, never readable by others, safely on the disk."""
        draft = self.directory / f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            try:
                file.write(content.text.encode(errors="surrogateescape"))
                self._hand_over(file.fileno(), content.mode)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                draft.unlink()
                raise
        return draft

    def _hand_over(self, descriptor: int, mode: int) -> None:
        """Give the file to the reading server's group, as far as we may."""
        if os.geteuid() == 0:
            with suppress(KeyError):
                os.fchown(descriptor, 0, grp.getgrnam(self.group).gr_gid)
        os.fchmod(descriptor, mode)


def write_all(directories: Iterable[GeneratedFiles]) -> None:
    """Write the files of several directories (outer ones first): every file whole or none.

    Raises :class:`ExportError`.
    """
    some = list(directories)
    drafts: dict[Path, Path] = {}
    made: list[Path] = []
    try:
        for files in some:
            _make(files.directory, made)
            drafts.update(files.drafts())
        for place in drafts:
            if place.is_dir():  # the one thing that would stop us half-way
                raise ExportError(_("%(path)s is a directory.") % {"path": place})
        for place, draft in drafts.items():
            draft.replace(place)
    except OSError as error:
        message = _("Nothing was written to %(directory)s: %(reason)s.")
        reason = (error.strerror or str(error)).lower()
        raise ExportError(message % {"directory": some[0].directory, "reason": reason}) from error
    finally:
        _tidy_up(drafts.values(), made)


def _make(directory: Path, made: list[Path]) -> None:
    """Make a directory and those above it; what is new is added to *made*."""
    for place in (*reversed(directory.parents), directory):
        if not place.exists():
            place.mkdir()
            made.append(place)


def _tidy_up(drafts: Iterable[Path], made: Iterable[Path]) -> None:
    """Remove drafts that did not become files, and new directories that stayed empty."""
    with suppress(OSError):
        for draft in drafts:
            draft.unlink(missing_ok=True)
        for directory in reversed(list(made)):
            directory.rmdir()


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
