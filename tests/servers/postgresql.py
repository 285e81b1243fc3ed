"""A private PostgreSQL server, tuned for tests: fast, and worthless after a power cut."""

import os
import pwd
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .database import Database, Engine
from .packages import is_root, newest_postgresql, program
from .ports import ReservedPort
from .processes import Server, run

USER = "postgres"
PASSWORD = "panel-test"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
    "lc_messages": "C",
}


def as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root; `setpriv` keeps the pid, `runuser` would not."""
    if not is_root():
        return []
    return [program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def set_up(data: Path, programs: Path) -> None:
    password = data.with_suffix(".password")
    password.write_text(PASSWORD)
    data.mkdir(mode=0o700)
    if is_root():
        owner = pwd.getpwnam("postgres")
        for path in (data, password, data.parent):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    login = ["--username", USER, "--pwfile", str(password), "--auth", "scram-sha-256"]
    text = ["--encoding", "UTF8", "--locale", "C.UTF-8"]
    command = [str(programs / "initdb"), "--no-sync", "--pgdata", str(data), *login, *text]
    run([*as_postgres(), *command], env={"LC_ALL": "C.UTF-8"})
    password.unlink()


@contextmanager
def postgresql_server(directory: Path, **parameters: str) -> Iterator[Database]:
    """A server with one empty database; its user is a superuser of it. *parameters* win over those of all tests."""
    home, programs = directory / "postgresql", newest_postgresql()
    home.mkdir()
    set_up(home / "data", programs)
    with ReservedPort() as port:
        places = {"port": str(port.number), "unix_socket_directories": str(home)}
        settings = SETTINGS | places | parameters
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        server = Server(
            "PostgreSQL",
            [*as_postgres(), str(programs / "postgres"), "-D", str(home / "data"), *options],
            log=home / "server.log",
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
        )
        try:
            place = ["--host", "127.0.0.1", "--port", str(port.number)]
            server.wait_until(
                lambda: run([str(programs / "pg_isready"), *place], expect=(0, 1, 2)).returncode == 0
            )
            database = Database(Engine.POSTGRESQL, "postgres", "127.0.0.1", port.number, USER, PASSWORD)
            database.execute("CREATE DATABASE panel;")
            yield Database(Engine.POSTGRESQL, "panel", "127.0.0.1", port.number, USER, PASSWORD)
        finally:
            server.stop()
            shutil.rmtree(home, ignore_errors=True)
