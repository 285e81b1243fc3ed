"""A mail root and a database, prepared once and put up again for every fault."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.db import connection, connections

from tests.servers.database import Database, Engine
from tests.servers.packages import program
from tests.servers.processes import run
from tests.sweep.scenes import FAR, Expected

_SETTLED: Final = "django_"
_CONTENTS: Final = {"sentinel": "nobody touches this"}


@contextmanager
def mounted(root: Path, *, wanted: bool) -> Iterator[None]:
    """Another file system below the mail root."""
    if not wanted:
        yield
        return
    place = root / FAR
    place.mkdir(exist_ok=True)
    run([program("mount"), "-t", "tmpfs", "-o", "size=8m", "none", str(place)])
    try:
        yield
    finally:
        run([program("umount"), "--lazy", str(place)])


def may_mount() -> bool:
    """Whether this process may mount a file system (in a name space of its own)."""
    command = [program("unshare"), "--mount", program("mount"), "-t", "tmpfs", "none", "/mnt"]
    answer = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  ours
    return answer.returncode == 0


@dataclass(slots=True)
class Fixture:
    """A scene as it was built (the template), and the place where it is put up."""

    template: Path
    top: Path
    database: Database
    crosses: bool
    expected: Expected

    @property
    def root(self) -> Path:
        """The mail root."""
        return self.top / "vmail"

    @contextmanager
    def put_up(self) -> Iterator[None]:
        """As the scene left it."""
        shutil.rmtree(self.top, ignore_errors=True)
        self.root.mkdir(parents=True)
        with mounted(self.root, wanted=self.crosses):
            # Not by hard links: the command looks at them.
            shutil.copytree(self.template / "vmail", self.root, dirs_exist_ok=True)
            sentinel = self.top / "sentinel"
            sentinel.mkdir()
            for name, text in _CONTENTS.items():
                (sentinel / name).write_text(text)
            self._put_up_database()
            yield

    def _put_up_database(self) -> None:
        if self.database.engine is Engine.SQLITE:
            shutil.copy(self.template / "panel.sqlite3", self.database.name)
        elif self.database.engine is Engine.POSTGRESQL:
            name = self.database.name
            server = _server(self.database)
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")
            server.execute(f"CREATE DATABASE {name} TEMPLATE template_of_{name};")
        else:
            self.database.execute((self.template / "dump.sql").read_text())

    def keep_database(self) -> None:
        """What is in the database now is the template from now on."""
        connection.close()
        if self.database.engine is Engine.POSTGRESQL:
            name = self.database.name
            server = _server(self.database)
            server.execute(f"DROP DATABASE IF EXISTS template_of_{name};")
            server.execute(f"CREATE DATABASE template_of_{name} TEMPLATE {name};")
        elif self.database.engine is Engine.MARIADB:
            (self.template / "dump.sql").write_bytes(_dump(self.database))


def _server(database: Database) -> Database:
    return Database(
        Engine.POSTGRESQL, "postgres", database.host, database.port, database.user, database.password
    )


def _dump(database: Database) -> bytes:
    """What the command changes, to be written over whatever is there."""
    place = [
        "--protocol=tcp",
        f"--host={database.host}",
        f"--port={database.port}",
        f"--user={database.user}",
    ]
    tables = [table for table in connection.introspection.table_names() if not table.startswith(_SETTLED)]
    connection.close()
    some = [
        name
        for name in tables
        if name.startswith(("mail_", "admin_mailboxoperation", "admin_heartbeat", "core_log"))
    ]
    command = [
        program("mariadb-dump"),
        "--no-defaults",
        *place,
        "--skip-extended-insert",
        database.name,
        *some,
    ]
    return run(command, env={"MYSQL_PWD": database.password}).stdout


def use(database: Database) -> None:
    """Django talks to *database* from now on, in this process."""
    with suppress(AttributeError):
        connections["default"].close()
    connections.settings["default"]["NAME"] = database.name
    connections["default"] = connections.create_connection("default")
