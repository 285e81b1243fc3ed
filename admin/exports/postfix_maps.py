"""Postfix map files: one for each lookup, with the credentials to ask the database."""

from __future__ import annotations

from collections.abc import Sequence

from admin.exports.credentials import Credentials, ExportError
from admin.exports.generated_files import GeneratedFiles
from admin.lookups import Engine, MapFile, postfix_maps

CHECKSUM_FILE = "modoboa-postfix-maps.chk"
_KEY = "'%s'"


def generate(
    directory: str, credentials: Credentials, *, header: Sequence[str], force: bool = False
) -> tuple[list[str], list[str]]:
    """Write or upgrade the map files; returns the names written and those left alone because somebody edited them.

    An upgrade keeps the credentials and the engine of each file and brings its query up to date. *header* are
    comment lines. Raises :class:`admin.exports.credentials.ExportError`; then nothing was written.
    """
    files = GeneratedFiles.in_directory(directory, CHECKSUM_FILE, "postfix")
    edited = prepare(files, credentials, header=header, force=force)
    files.write()
    return [entry.file_name for entry in postfix_maps() if entry.file_name not in edited], edited


def prepare(
    files: GeneratedFiles, credentials: Credentials, *, header: Sequence[str], force: bool
) -> list[str]:
    """As :func:`generate`, but only put the files; returns the names of those that somebody edited."""
    # A value runs to the end of its line.
    credentials.refuse_characters("\r\n", "A Postfix map file")
    edited = []
    for lookup in postfix_maps():
        present = files.present(lookup.file_name)
        if present is None or force:
            files.put(lookup.file_name, credentials.engine, _text(lookup, credentials, header))
        elif files.is_edited(lookup.file_name):
            edited.append(lookup.file_name)
        else:
            kept = _credentials_in(present, files.entries[lookup.file_name].engine)
            text = _text(lookup, kept, header)
            if _settings(text) != _settings(present):
                files.put(lookup.file_name, kept.engine, text)
    return edited


def _text(lookup: MapFile, credentials: Credentials, header: Sequence[str]) -> str:
    query = lookup.sql(credentials.engine, _KEY)
    if credentials.engine is Engine.SQLITE:
        settings = {"dbpath": credentials.name, "query": query}
    else:
        settings = {
            "user": credentials.user,
            "password": credentials.password,
            "dbname": credentials.name,
            "hosts": _hosts(credentials),
            "query": query,
        }
    lines = [f"# {line}" for line in (*header, lookup.question)]
    return "\n".join((*lines, *(f"{name} = {value}" for name, value in settings.items()), ""))


def _hosts(credentials: Credentials) -> str:
    """The server, port included. Postfix takes "localhost" of MySQL for the default socket, whatever the port."""
    host, port = credentials.host, credentials.port
    if host.startswith("/"):
        return f"unix:{host}"
    if host == "localhost" and credentials.engine is Engine.MYSQL:
        host = "127.0.0.1"
    return f"{host}:{port}"


def _settings(text: str) -> dict[str, str]:
    """Names and values of a map file that we wrote."""
    pairs = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _equals, value in pairs}


def _credentials_in(text: str, engine: Engine) -> Credentials:
    """The credentials of an existing file."""
    settings = _settings(text)
    try:
        if engine is Engine.SQLITE:
            return Credentials(engine, settings["dbpath"])
        host, _colon, port = settings["hosts"].rpartition(":")
        if host == "unix":
            host, port = port, ""
        return Credentials(
            engine,
            settings["dbname"],
            user=settings["user"],
            password=settings["password"],
            host=host,
            port=port,
        )
    except KeyError as error:
        msg = f"A generated file lacks the line {error}; use --force-overwrite."
        raise ExportError(msg) from error
