"""MySQL and MariaDB without a compiler: PyMySQL stands in for mysqlclient when that is not installed."""

from importlib.util import find_spec


def install() -> None:
    """Make Django find a driver; does nothing when mysqlclient is there."""
    if find_spec("MySQLdb") is not None:
        return
    import pymysql  # noqa: PLC0415  optional extra, wanted only with a mysql:// database

    # Django asks for a minimal mysqlclient version; PyMySQL speaks the same interface.
    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()
