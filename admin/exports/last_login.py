"""How the panel learns that somebody has signed in to read mail: a script of Dovecot, or a dictionary."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from admin.exports.credentials import Credentials
from admin.exports.dovecot_conf import DRIVERS, connect_23, connection_24
from admin.lookups import Engine

SCRIPT = "modoboa-post-login"
SCRIPT_CONF = "modoboa-last-login-script.conf"
SCRIPT_CREDENTIALS = "modoboa-post-login.cnf"
DICT_CONF = "modoboa-last-login-dict.conf"
DICT_SQL_23 = "modoboa-last-login-dict-sql.conf.ext"

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TABLE, _ADDRESS, _SECONDS = "mail_login", "address", "seconds"


class Way(StrEnum):
    """Which of the two is switched on."""

    SCRIPT = "script"
    DICT = "dict"


# --- script ----------------------------------------------------------------------------------------------------

# $name holds the hexadecimal digits of the address. A statement that waits for a lock ends by itself: the server
# goes on waiting for one whose client has left.
_STATEMENTS = {
    Engine.POSTGRESQL: (
        "SET statement_timeout = 1500; UPDATE core_user SET last_login = now() "
        "WHERE email = convert_from(decode('$name', 'hex'), 'UTF8');"
    ),
    Engine.MYSQL: (
        "SET innodb_lock_wait_timeout = 1; UPDATE core_user SET last_login = utc_timestamp(6) "
        "WHERE email = CONVERT(x'$name' USING utf8mb4);"
    ),
    Engine.SQLITE: (
        "UPDATE core_user SET last_login = strftime('%Y-%m-%d %H:%M:%f', 'now') "
        "WHERE email = CAST(x'$name' AS TEXT);"
    ),
}


def statement(engine: Engine) -> str:
    """SQL for inside double quotes of a shell script, where ``$name`` becomes the address in hexadecimal digits."""
    return _STATEMENTS[engine]


def client(credentials: Credentials, file: Path) -> str:
    """The shell command that reads SQL from its input; *file* holds the credentials, so that nobody sees them."""
    if credentials.engine is Engine.POSTGRESQL:
        settings = f"PGSERVICEFILE={file} PGSERVICE=modoboa PGCONNECT_TIMEOUT=2"
        return f"env {settings} psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1"
    if credentials.engine is Engine.MYSQL:
        return f'"$(command -v mariadb || echo mysql)" --defaults-file={file} --batch'
    return f"sqlite3 -batch -bail -cmd '.timeout 1500' '{credentials.name}'"


def credentials_text(credentials: Credentials) -> str | None:
    """What the client reads its credentials from; None for SQLite, which has none."""
    values = {"user": credentials.user, "password": credentials.password}
    if credentials.engine is Engine.POSTGRESQL:
        values |= {"host": credentials.host, "port": credentials.port, "dbname": credentials.name}
        return _section("modoboa", values)
    if credentials.engine is Engine.MYSQL:
        return _section("client", {**values, **_mysql_place(credentials)}) + _section(
            "mysql", {"database": credentials.name}
        )
    return None


def _mysql_place(credentials: Credentials) -> dict[str, str]:
    if credentials.host.startswith("/"):
        return {"socket": credentials.host}
    place = {"host": credentials.host, "port": credentials.port, "protocol": "tcp"}
    if credentials.host in _LOOPBACK:
        # Clients of MariaDB 11.4 and newer insist on TLS, which few servers have for their own host.
        place["loose-ssl-verify-server-cert"] = "0"
    return place


def _section(name: str, values: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items() if value)


# --- dictionary ------------------------------------------------------------------------------------------------

_INTRODUCTION = (
    f"# Dovecot writes the table {_TABLE}: one row for each user, with the second of the last login.\n"
    "# `manage.py collect_last_logins` takes the rows over; let cron run it every ten minutes.\n"
)


def dict_conf_23(credentials: Credentials, place: Path) -> str:
    """The plugin of Dovecot 2.3 and its dictionary, whose map lies in *place*."""
    return (
        f"{_INTRODUCTION}"
        f"dict {{\n  lastlogin = {DRIVERS[credentials.engine]}:{place / DICT_SQL_23}\n}}\n"
        "plugin {\n  last_login_dict = proxy::lastlogin\n  last_login_key = last-login/%Lu\n}\n"
        "# Not for LMTP, where it would note deliveries.\n"
        "protocol imap {\n  mail_plugins = $mail_plugins last_login\n}\n"
        "protocol pop3 {\n  mail_plugins = $mail_plugins last_login\n}\n"
    )


def dict_sql_23(credentials: Credentials) -> str:
    """Map of the dictionary."""
    return (
        f"connect = {connect_23(credentials)}\n"
        f"map {{\n  pattern = shared/last-login/$user\n  table = {_TABLE}\n  value_field = {_SECONDS}\n"
        f"  value_type = uint\n  fields {{\n    {_ADDRESS} = $user\n  }}\n}}\n"
    )


def dict_conf_24(credentials: Credentials) -> str:
    """The plugin of Dovecot 2.4 and its dictionary."""
    plugin = "mail_plugins {\n    last_login = yes\n  }"
    return (
        f"{_INTRODUCTION}"
        "last_login {\n  dict proxy {\n    name = lastlogin\n  }\n}\n"
        "last_login_key = last-login/%{user|lower}\n"
        f"dict_server {{\n  dict lastlogin {{\n    driver = sql\n    sql_driver = {DRIVERS[credentials.engine]}\n"
        f"{connection_24(credentials, '    ')}"
        f"    dict_map shared/last-login/$user {{\n      sql_table = {_TABLE}\n"
        f"      value_field {_SECONDS} {{\n        type = uint\n      }}\n"
        f"      key_field {_ADDRESS} {{\n        value = $user\n      }}\n    }}\n  }}\n}}\n"
        "# Not for LMTP, where it would note deliveries.\n"
        f"protocol imap {{\n  {plugin}\n}}\n"
        f"protocol pop3 {{\n  {plugin}\n}}\n"
    )
