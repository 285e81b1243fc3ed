"""Files on their way in: a private copy that nobody changes any more, its encoding, its lines and their cells.

One line is one row: no value of ours contains a line break, so a quote that is open at the end of a line was forgotten.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol, Self

from django.utils.translation import gettext as _

from admin.imports.cells import Column
from core.spreadsheets import original, separator_of

if TYPE_CHECKING:
    from types import TracebackType

MAX_CELL: Final = 10_000
# 2,000 recipients of 100 characters, and some.
MAX_LINE: Final = 400_000
# What spreadsheets write that do not write UTF-8.
OLD_ENCODING: Final = "cp1252"
_BLOCK: Final = 1 << 20
_LOOKED_AT: Final = 50
_SEPARATORS: Final = ";,\t|:"
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Row(NamedTuple):
    """One thing to create: the line that names it, its type, and the cells after the type.

    *fault* says why the line cannot be read; then there are no cells.
    """

    line: int
    kind: str
    cells: Sequence[str]
    fault: tuple[str, str] | None = None


class Source(Protocol):
    """Whatever rows can be read from, as often as needed, always the same."""

    def rows(self, only: Collection[str] | None = None) -> Iterator[Row]:
        """Every row, in order, or those of some types."""

    def place(self, line: int) -> str:
        """Where a row stands, in words."""


class FileError(Exception):
    """A file that cannot be read at all; the message says why, and where."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written. Blank: it is found out.

    *header*: the first line names the columns; *kind*: the type of every line, where none says it; *columns*: what
    columns of the header mean, where their names do not say it; *meanings*: what all columns mean, in their order, with
    or without a header.
    """

    separator: str = ""
    encoding: str = ""
    header: bool | None = None
    kind: str = ""
    columns: Mapping[str, str] | None = None
    meanings: Sequence[str] = ()


# The columns after the type, by type.
Columns = Mapping[str, Sequence[Column]]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first lines of a file show before anybody says what its columns mean.

    *names*: the cells of the first line; *is_header*: they are no row; *tells_all*: nothing has to be asked.
    """

    separator: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_header: bool
    tells_all: bool


@dataclass(frozen=True, slots=True)
class Form:
    """How a file turned out to be written.

    *order*: for each type where its cells stand in a line, or what they are where the header has no such column.
    """

    separator: str
    header: tuple[str, ...] = ()
    kind: str = ""
    kind_at: int | None = 0
    order: Mapping[str, Sequence[int | str]] | None = None


class CsvFile:
    """A copy of one or several files, read as one. To be closed."""

    def __init__(self, columns: Columns, layout: Layout) -> None:
        self._columns = columns
        self._layout = layout
        self._parts: list[_Part] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the copies."""
        self._stack.close()

    def add(self, stream: BinaryIO, name: str) -> Form:
        """Copy a file; raises :class:`FileError`."""
        part = _Part(name, _copied(stream, name, self._stack), self._next_line())
        self._parts.append(part)
        part.encoding = self._layout.encoding or _encoding(part.copy)
        _check(part)
        part.form = _form(part, self._columns, self._layout)
        return part.form

    def add_path(self, path: Path) -> Form:
        """Copy the file at *path*; raises :class:`FileError`."""
        try:
            with path.open("rb") as stream:
                return self.add(stream, path.name)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FileError(_("%(file)s: %(reason)s") % {"file": path, "reason": reason}) from error

    def _next_line(self) -> int:
        return self._parts[-1].end if self._parts else 1

    def rows(self, only: Collection[str] | None = None) -> Iterator[Row]:
        """Every row, in order, or those of some types; lines of a second file go on where the first one ended."""
        for part in self._parts:
            yield from _rows(part, only)

    @property
    def encoding(self) -> str:
        """Of the first file."""
        return self._parts[0].encoding

    def originals(self, wanted: Iterator[int]) -> Iterator[str]:
        """Lines as they stand in the files, headers included; *wanted* are their numbers, ascending."""
        number = next(wanted, None)
        for part in self._parts:
            with _opened(part) as lines:
                for at, line in enumerate(lines, part.start):
                    if at == number:
                        number = next(wanted, None)
                        yield line
                    elif at == part.header_at:
                        yield line

    def place(self, line: int) -> str:
        """The line, and the file where there are several."""
        part = next(each for each in self._parts if line < each.end)
        words = _("line %(line)d") % {"line": line - part.start + 1}
        return f"{part.name}, {words}" if len(self._parts) > 1 else words


@dataclass(slots=True)
class _Part:
    name: str
    copy: IO[bytes]
    # The number of its first line among those of all files.
    start: int
    encoding: str = ""
    lines: int = 0
    # Number of the first line that is not blank.
    first: int = 0
    form: Form = Form(";")

    @property
    def end(self) -> int:
        return self.start + self.lines

    @property
    def header_at(self) -> int | None:
        return self.first if self.form.header else None


# --- bytes -----------------------------------------------------------------------------------------------------


def _copied(stream: BinaryIO, name: str, stack: ExitStack) -> IO[bytes]:
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
    before = _mark(stream)
    while some := stream.read(_BLOCK):
        copy.write(some)
    if _mark(stream) != before:
        raise FileError(_("%(file)s changed while it was read. Try again.") % {"file": name})
    return copy


def _mark(stream: BinaryIO) -> tuple[int, int] | None:
    """What changes when somebody writes to the file."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, AttributeError):  # not a file: an upload in memory
        return None
    return (status.st_size, status.st_mtime_ns)


def _encoding(copy: IO[bytes]) -> str:
    copy.seek(0)
    beginning = copy.read(4)
    return next((name for bom, name in _BOMS if beginning.startswith(bom)), "utf-8")


@contextmanager
def _opened(part: _Part, errors: str = "strict") -> Iterator[Iterator[str]]:
    """Its lines; what reads the copy detaches it."""
    part.copy.seek(0)
    text = TextIOWrapper(part.copy, encoding=part.encoding, errors=errors, newline="")
    try:
        yield _lines(text)
    finally:
        with suppress(ValueError):  # somebody stopped reading and closed the copy
            text.detach()


def _lines(text: TextIOWrapper) -> Iterator[str]:
    """Lines without their ends; of one that is too long, its beginning, longer than MAX_LINE."""
    while line := text.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE and not line.endswith("\n"):
            while (rest := text.readline(_BLOCK)) and not rest.endswith("\n"):
                pass
            yield line
        else:
            yield line.rstrip("\r\n")


def _check(part: _Part) -> None:
    """Count the lines; raises :class:`FileError` for what is not text in the encoding."""
    count = 0
    try:
        with _opened(part) as lines:
            for line in lines:
                count += 1
                if not part.first and line.strip():
                    part.first = part.start + count - 1
                if "\0" in line:
                    message = _("%(file)s, line %(line)d: a NUL character. This is not a text file.")
                    raise FileError(message % {"file": part.name, "line": count})
    except UnicodeError as error:
        message = _(
            "%(file)s, line %(line)d: this is not %(encoding)s. Save the file as UTF-8, or name its encoding."
        )
        shown = {"file": part.name, "line": _undecodable(part), "encoding": part.encoding.upper()}
        raise FileError(message % shown) from error
    except LookupError as error:
        message = _("“%(encoding)s” is not an encoding.")
        raise FileError(message % {"encoding": part.encoding}) from error
    part.lines = count


def _undecodable(part: _Part) -> int:
    """The first line that is not text in the encoding: text is decoded in blocks, which are ahead of the lines."""
    part.copy.seek(0)
    decoder = codecs.getincrementaldecoder(part.encoding)()
    line = 1
    while some := part.copy.read(_BLOCK):
        state = decoder.getstate()
        try:
            line += decoder.decode(some).count("\n")
        except UnicodeError:
            decoder.setstate(state)
            with suppress(UnicodeError):
                for byte in some:
                    line += "\n" in decoder.decode(bytes([byte]))
            break
    return line


# --- lines -----------------------------------------------------------------------------------------------------


def _rows(part: _Part, only: Collection[str] | None) -> Iterator[Row]:
    """Rows of some types, or of all; the type of what cannot be read is blank."""
    form = part.form
    arrange = _arrangement(form)
    has_faults = only is None or "" in only
    with _opened(part) as lines:
        for number, line in enumerate(lines, part.start):
            if not line or line.isspace() or number == part.header_at:
                continue
            cells, fault = _taken_apart(line, form.separator)
            if fault is not None:
                if has_faults:
                    yield Row(number, "", (), fault)
            elif only is None or _kind(cells, form) in only:
                texts = map(str.strip, cells)
                # What a spreadsheet may take for a formula has an apostrophe before it.
                yield arrange(number, list(map(original, texts) if "'" in line else texts))


def _taken_apart(line: str, separator: str) -> tuple[list[str], tuple[str, str] | None]:
    """Its cells, or code and sentence of what is wrong with it."""
    if len(line) > MAX_LINE:
        return [], ("line_too_long", _("This line has more than %(most)d characters.") % {"most": MAX_LINE})
    try:
        cells = _cells(line, separator)
    except csv.Error:
        return [], ("quote_open", _("A quotation mark is opened and not closed, or stands inside a cell."))
    if max(map(len, cells)) > MAX_CELL:
        return [], ("cell_too_long", _("A cell has more than %(most)d characters.") % {"most": MAX_CELL})
    return cells, None


def _kind(cells: Sequence[str], form: Form) -> str:
    """The type that a line names, or that all lines have."""
    if form.kind_at is None:
        return form.kind
    return original(cells[form.kind_at].strip()).lower() if form.kind_at < len(cells) else ""


def _cells(line: str, separator: str) -> list[str]:
    if '"' not in line:
        return line.split(separator)
    csv.field_size_limit(MAX_LINE)
    try:
        return _parsed(line, separator)
    except csv.Error:  # blanks between the closing quote and the separator?
        return _parsed(re.sub(rf'" +(?={re.escape(separator)}|$)', '"', line), separator)


def _parsed(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))


def _arrangement(form: Form) -> Callable[[int, list[str]], Row]:
    """What makes a row of the cells of a line."""
    if form.order is None:
        return lambda number, cells: Row(number, cells[0].lower(), cells[1:])
    order = form.order

    def arranged(number: int, cells: list[str]) -> Row:
        kind = _kind(cells, form)
        places = order.get(kind)
        if places is None:
            return Row(number, kind, ())
        return Row(number, kind, [_cell(cells, at) for at in places])

    return arranged


def _cell(cells: Sequence[str], at: int | str) -> str:
    if isinstance(at, str):
        return at
    return cells[at] if at < len(cells) else ""


# --- how a file is written -------------------------------------------------------------------------------------


def beginning(
    stream: BinaryIO, columns: Columns, layout: Layout, is_type: Callable[[str], bool]
) -> Beginning:
    """Look at no more than the first megabyte; raises :class:`FileError`."""
    with ExitStack() as stack:
        part = _Part("", stack.enter_context(tempfile.TemporaryFile()), 1)
        part.copy.write(stream.read(_BLOCK))
        part.encoding = layout.encoding or _probable_encoding(part.copy)
        try:
            with _opened(part, errors="replace") as lines:
                first = _first(lines)
        except (UnicodeError, LookupError) as error:
            raise FileError(_("This is not %(encoding)s.") % {"encoding": part.encoding.upper()}) from error
    separator = _separator_of(first, columns, layout)
    rows = tuple(_split(line, separator) for line in first)
    names = rows[0] if rows else ()
    has_types = any(is_type(row[0].lower()) for row in rows if row)
    is_named = bool(names) and _names_columns(names, columns)
    form = Form(separator)
    if is_named:
        with suppress(FileError):
            form = _with_header("", separator, names, columns, layout)
    known = {column.name for kind in form.order or () for column in columns[kind]} | {"type"}
    tells_all = not names or (all(plain_name(n) in known for n in names) if is_named else has_types)
    is_header = is_named or (not has_types and _may_be_names(names))
    return Beginning(separator, names, rows[1:] if is_header else rows, is_header, tells_all)


def check_meanings(columns: Columns, layout: Layout) -> None:
    """Raises :class:`FileError` when the columns that somebody explained lack something."""
    _with_header(_("This file"), ";", (), columns, layout)


def _may_be_names(cells: Sequence[str]) -> bool:
    """Nothing that stands in rows only: no address, no number, no hash, nothing twice."""
    is_row = any("@" in cell or cell[:1].isdigit() or cell.startswith("{") for cell in cells)
    return not is_row and len(set(cells)) == len(cells)


def _probable_encoding(copy: IO[bytes]) -> str:
    """What a BOM says, UTF-8 where it is that, else what spreadsheets write on Windows."""
    encoding = _encoding(copy)
    copy.seek(0)
    try:
        codecs.getincrementaldecoder(encoding)().decode(copy.read())
    except UnicodeError:
        return OLD_ENCODING
    return encoding


def _first(lines: Iterator[str]) -> list[str]:
    return [line for line, _number in zip(lines, range(_LOOKED_AT), strict=False) if line.strip()]


def _separator_of(first: Sequence[str], columns: Columns, layout: Layout) -> str:
    try:
        return separator_of(layout.separator or _separator(first, columns, layout))
    except ValueError as error:
        raise FileError(str(error)) from error


def _split(line: str, separator: str) -> tuple[str, ...]:
    """Its cells; none where it cannot be divided."""
    try:
        return tuple(cell.strip() for cell in _cells(line[:MAX_LINE], separator))
    except csv.Error:
        return ()


def _form(part: _Part, columns: Columns, layout: Layout) -> Form:
    with _opened(part) as lines:
        first = _first(lines)
    separator = _separator_of(first, columns, layout)
    names = _split(first[0], separator) if first else ()
    if layout.meanings:
        return _with_header(part.name, separator, names if layout.header else (), columns, layout)
    if layout.header is False or not names:
        return Form(separator)
    if layout.header is None and not layout.columns and not _names_columns(names, columns):
        if layout.kind:
            raise FileError(_("A type for every line needs a first line that names the columns."))
        return Form(separator)
    return _with_header(part.name, separator, names, columns, layout)


def _separator(first: Sequence[str], columns: Columns, layout: Layout) -> str:
    """What follows the type on the first lines; with a header, what divides it into most cells."""
    for line in first:
        kind = next((kind for kind in columns if line.lstrip('"').lower().startswith(kind)), "")
        rest = line.lstrip('"')[len(kind) :].lstrip('" ')
        if kind and rest[:1] in set(_SEPARATORS) and not layout.header:
            return rest[0]
    return max(_SEPARATORS, key=first[0].count) if first else ";"


def _names_columns(names: Sequence[str], columns: Columns) -> bool:
    """Whether a first line is a header: no type begins it, and most of its cells are names of columns."""
    if names[0].lower() in columns:
        return False
    known = {column.name for each in columns.values() for column in each} | {"type"}
    return sum(plain_name(name) in known for name in names) * 2 > len(names)


def plain_name(name: str) -> str:
    """Of a column, as names are compared."""
    return "_".join(name.lower().replace("-", " ").replace("_", " ").split())


def _with_header(file: str, separator: str, names: tuple[str, ...], columns: Columns, layout: Layout) -> Form:
    given = {plain_name(name): plain_name(meaning) for name, meaning in (layout.columns or {}).items()}
    meanings = [*layout.meanings] or [given.get(plain_name(name), plain_name(name)) for name in names]
    if absent := sorted(set(given) - set(map(plain_name, names))):
        message = _("%(file)s has no column “%(name)s”. Its columns: %(names)s.")
        shown = {"file": file, "name": absent[0], "names": ", ".join(names)}
        raise FileError(message % shown)
    kind = layout.kind.lower()
    if kind and kind not in columns:
        message = _("“%(type)s” is not a type of line. Types: %(types)s.")
        raise FileError(message % {"type": layout.kind, "types": ", ".join(columns)})
    kind_at = meanings.index("type") if "type" in meanings and not kind else None
    if not kind and kind_at is None:
        raise FileError(
            _("%(file)s: no column is the type of a line, so say which type all lines have.") % {"file": file}
        )
    order = _orders(file, meanings, columns, kind)
    return Form(separator, names, kind, kind_at, order)


def _orders(file: str, meanings: Sequence[str], columns: Columns, kind: str) -> dict[str, list[int | str]]:
    """Places by type: of the one type of all lines, else of those that the file has columns for."""
    if kind:
        return {kind: _places(file, meanings, columns[kind])}
    orders = {}
    for each, wanted in columns.items():
        with suppress(FileError):
            orders[each] = _places(file, meanings, wanted)
    return orders


def _places(file: str, meanings: Sequence[str], wanted: Sequence[Column]) -> list[int | str]:
    places: list[int | str] = []
    for column in wanted:
        found = [at for at, each in enumerate(meanings) if each == column.name]
        if column.repeats:
            places += found
        elif found:
            places.append(found[0])
        elif column.default is not None:
            places.append(column.default)
        else:
            message = _("%(file)s: no column is “%(name)s”. Say which one it is.")
            raise FileError(message % {"file": file, "name": column.name})
    return places
