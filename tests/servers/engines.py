"""Starting a private server of any engine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from .database import Database, Engine
from .mariadb import mariadb_server
from .postgresql import postgresql_server


@contextmanager
def sqlite_file(directory: Path) -> Iterator[Database]:
    """No server: a file in WAL mode that every system user may write."""
    home = directory / "sqlite"
    home.mkdir()
    database = Database(Engine.SQLITE, str(home / "panel.sqlite3"))
    database.share_with_servers()
    yield database


STARTS: dict[Engine, Callable[[Path], AbstractContextManager[Database]]] = {
    Engine.SQLITE: sqlite_file,
    Engine.POSTGRESQL: postgresql_server,
    Engine.MARIADB: mariadb_server,
}


def private_server(engine: Engine, directory: Path) -> AbstractContextManager[Database]:
    """One empty database, in a server of its own below `directory`; its user may create more of them."""
    return STARTS[engine](directory)
