"""What the tests know of a database, whichever engine runs it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from .packages import newest_postgresql, program
from .processes import run

SERVER_MODE = 0o666


class Engine(StrEnum):
    """A database engine, by the name that `--engine` takes."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MARIADB = "mariadb"

    @property
    def mail_driver(self) -> str:
        """The engine's name in Postfix's map types and in Dovecot's sql drivers."""
        return {Engine.SQLITE: "sqlite", Engine.POSTGRESQL: "pgsql", Engine.MARIADB: "mysql"}[self]

    @property
    def packages(self) -> tuple[str, ...]:
        return {
            Engine.SQLITE: (),  # Python has it; whoever calls execute() needs the package sqlite3
            Engine.POSTGRESQL: ("postgresql",),
            Engine.MARIADB: ("mariadb",),
        }[self]


SCHEMES = {Engine.SQLITE: "sqlite", Engine.POSTGRESQL: "postgres", Engine.MARIADB: "mysql"}


@dataclass(frozen=True)
class Database:
    """Where a database is; for SQLite `name` is the file's path and the rest is empty."""

    engine: Engine
    name: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        scheme = SCHEMES[self.engine]
        if self.engine is Engine.SQLITE:
            return f"{scheme}:///{self.name}"
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{scheme}://{login}@{self.host}:{self.port}/{self.name}"

    def execute(self, sql: str) -> list[list[str]]:
        """Run statements through the engine's own command-line client; the rows as text, NULL as "".

        Committed at once, and visible to the mail servers. Values must hold no tab and no newline.
        """
        command, env = CLIENTS[self.engine](self)
        answer = run(command, stdin=sql.encode(), env=env).stdout.decode()
        return [line.split("\t") for line in answer.splitlines()]

    def sibling(self, name: str) -> "Database":
        """Make another, empty database next to this one."""
        if self.engine is Engine.SQLITE:
            other = replace(self, name=str(Path(self.name).with_name(f"{name}.sqlite3")))
            other.share_with_servers()
            return other
        self.execute(f"CREATE DATABASE {name};")
        return replace(self, name=name)

    def share_with_servers(self) -> None:
        """Let every system user write an SQLite file, in WAL mode; nothing to do for the other engines.

        Dovecot's dict process and the post-login script write, and Postfix's map has no patience with
        the lock of a rollback journal.
        """
        if self.engine is not Engine.SQLITE:
            return
        self.execute("PRAGMA journal_mode = WAL;")
        path = Path(self.name)
        path.parent.chmod(0o777)
        for file in path.parent.glob(f"{path.name}*"):
            file.chmod(SERVER_MODE)


Client: TypeAlias = tuple[list[str], dict[str, str]]


def sqlite_client(database: Database) -> Client:
    return [program("sqlite3"), "-batch", "-bail", "-tabs", "-cmd", ".timeout 5000", database.name], {}


def postgresql_client(database: Database) -> Client:
    place = ["--host", database.host, "--port", str(database.port), "--username", database.user]
    style = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--field-separator", "\t"]
    strict = ["--set", "ON_ERROR_STOP=1", "--dbname", database.name]
    # Not the one in PATH: Debian's is a script that looks for this one.
    return [str(newest_postgresql() / "psql"), *place, *style, *strict], {"PGPASSWORD": database.password}


def mariadb_client(database: Database) -> Client:
    place = [
        "--protocol=tcp",
        f"--host={database.host}",
        f"--port={database.port}",
        f"--user={database.user}",
    ]
    style = ["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
    return (
        [program("mariadb"), "--no-defaults", *place, *style, database.name],
        {"MYSQL_PWD": database.password},
    )


CLIENTS: dict[Engine, Callable[[Database], Client]] = {
    Engine.SQLITE: sqlite_client,
    Engine.POSTGRESQL: postgresql_client,
    Engine.MARIADB: mariadb_client,
}


def database_from_url(url: str) -> Database:
    parts = urlsplit(url)
    engine = next(engine for engine, scheme in SCHEMES.items() if scheme == parts.scheme)
    if engine is Engine.SQLITE:
        return Database(engine, parts.path.removeprefix("/"))
    return Database(
        engine,
        parts.path.removeprefix("/"),
        parts.hostname or "",
        parts.port or 0,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
