"""A private MariaDB server, tuned for tests: fast, and worthless after a power cut."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .database import Database, Engine
from .packages import is_root, program
from .ports import ReservedPort
from .processes import Server, run

USER = "panel"
PASSWORD = "panel-test"
SETTINGS = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    # Debian's default, traps included: it takes "böb" for "bob" where a column does not say otherwise.
    "collation-server": "utf8mb4_general_ci",
    "sql-mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "default-time-zone": "+00:00",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "0",
    "innodb-buffer-pool-size": "128M",
    "performance-schema": "OFF",
    "max-connections": "300",
    "skip-log-bin": "",
    "skip-name-resolve": "",
}


def set_up(home: Path, as_mysql: list[str]) -> None:
    """Make the system tables; the script is mute when it cannot write its temporary directory."""
    data = [f"--datadir={home / 'data'}", f"--tmpdir={home}"]
    style = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    run([program("mariadb-install-db"), "--no-defaults", *data, *style, *as_mysql])


@contextmanager
def mariadb_server(directory: Path) -> Iterator[Database]:
    """A server with one empty database; its user may do everything."""
    home = directory / "mariadb"
    home.mkdir(mode=0o755)
    as_mysql = ["--user=mysql"] if is_root() else []
    if is_root():
        shutil.chown(home, "mysql", "mysql")
    set_up(home, as_mysql)
    first_steps = home / "first-steps.sql"
    first_steps.write_text(
        f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        "CREATE DATABASE panel;\n"
    )
    with ReservedPort() as port:
        places = {
            "datadir": str(home / "data"),
            "tmpdir": str(home),
            "socket": str(home / "s"),
            "pid-file": str(home / "server.pid"),
            "port": str(port.number),
            "init-file": str(first_steps),
        }
        options = [
            f"--{name}={value}" if value else f"--{name}" for name, value in (SETTINGS | places).items()
        ]
        server = Server(
            "MariaDB", [program("mariadbd"), "--no-defaults", *options, *as_mysql], log=home / "server.log"
        )
        database = Database(Engine.MARIADB, "panel", "127.0.0.1", port.number, USER, PASSWORD)
        try:
            ping = [program("mariadb-admin"), "--no-defaults", "--protocol=tcp", "--host=127.0.0.1"]
            login = [f"--port={port.number}", f"--user={USER}", "ping"]
            server.wait_until(
                lambda: run([*ping, *login], env={"MYSQL_PWD": PASSWORD}, expect=(0, 1)).returncode == 0
            )
            yield database
        finally:
            server.stop()
            shutil.rmtree(home, ignore_errors=True)
