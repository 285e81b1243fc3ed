"""Dovecot's SQL configuration, for version 2.3 and for 2.4, which share no syntax."""

from __future__ import annotations

import pwd
import re
from collections.abc import Sequence
from pathlib import Path

from django.utils.translation import gettext as _

from admin.exports.credentials import Credentials, ExportError
from admin.exports.generated_files import GeneratedFiles
from admin.lookups import ITERATE_QUERY, Engine, Mailboxes, kept_name_query, password_query, user_query

CHECKSUM_FILE = "modoboa-dovecot-conf.chk"
MAIN_23 = "modoboa-dovecot-2.3.conf"
SQL_23 = "modoboa-dovecot-sql.conf.ext"
NAMES_23 = "modoboa-dovecot-names-sql.conf.ext"
DICT_23 = "modoboa-dovecot-dict-sql.conf.ext"
MAIN_24 = "modoboa-dovecot-2.4.conf"

# The engines' names in Postfix's map types and in Dovecot's drivers.
DRIVERS = {Engine.POSTGRESQL: "pgsql", Engine.MYSQL: "mysql", Engine.SQLITE: "sqlite"}
_KEY_23 = "'%Lu'"
_KEY_24 = "'%{user|lower}'"
# The key, and its two parts.
_PARTS_23 = (_KEY_23, "'%Ln'", "'%Ld'")
_PARTS_24 = (_KEY_24, "'%{user|username|lower}'", "'%{user|domain|lower}'")
# Before what only deliveries ask.
_NAMES_COMMENT = "# Mail that waited in Postfix's queue while its mailbox or domain was renamed.\n"
# Blanks end a value of `connect`, "#" begins a comment, "%" and "$" are expanded, the rest quotes.
_UNSAFE = " \t\r\n'\"\\#%$<>{}"
_SAFE_ROOT = re.compile(r"/[A-Za-z0-9._/-]+")

# Columns of admin_quota behind the two quota keys of Dovecot.
_QUOTA_COLUMNS = {"storage": "bytes", "messages": "messages"}


def mailboxes_of(root: str, owner: str) -> Mailboxes:
    """Mail root and owner of the files: a system user, or ``uid:gid``. Raises :class:`ExportError`."""
    path = root.rstrip("/")
    if not _SAFE_ROOT.fullmatch(path) or ".." in Path(path).parts:
        message = _("The mail root must be an absolute path of letters, digits and . _ - without blanks.")
        raise ExportError(message)
    uid, _colon, gid = owner.partition(":")
    if uid.isascii() and uid.isdigit() and gid.isascii() and gid.isdigit():
        return Mailboxes(path, uid, gid)
    try:
        account = pwd.getpwnam(owner)
    except KeyError as error:
        message = _("There is no system user %(owner)r. Create it, or give --mail-owner as uid:gid.")
        raise ExportError(message % {"owner": owner}) from error
    return Mailboxes(path, str(account.pw_uid), str(account.pw_gid))


def generate(
    directory: str,
    credentials: Credentials,
    mailboxes: Mailboxes,
    *,
    header: Sequence[str],
    quota: Credentials | None = None,
    force: bool = False,
) -> tuple[list[str], list[str]]:
    """Write the files; returns the names written and those left alone because somebody edited them.

    *quota*: of the dictionary, when it has a login of its own. Raises
    :class:`admin.exports.credentials.ExportError`; then nothing was written.
    """
    files = GeneratedFiles.in_directory(directory, CHECKSUM_FILE, "dovecot")
    texts = {
        **texts_23(credentials, quota or credentials, mailboxes, files.directory),
        **texts_24(credentials, quota or credentials, mailboxes),
    }
    edited = files.put_unless_edited(texts, credentials.engine, header=header, force=force)
    files.write()
    return [name for name in texts if name not in edited], edited


def texts_23(users: Credentials, quota: Credentials, mailboxes: Mailboxes, place: Path) -> dict[str, str]:
    """Files of Dovecot 2.3, to lie in *place*; raises :class:`ExportError`."""
    refuse_unsafe(users, quota)
    return {
        SQL_23: _sql_23(users, mailboxes),
        NAMES_23: _names_23(users, mailboxes),
        DICT_23: _dict_23(quota),
        MAIN_23: _main_23(quota, mailboxes, place),
    }


def texts_24(users: Credentials, quota: Credentials, mailboxes: Mailboxes) -> dict[str, str]:
    """Files of Dovecot 2.4, wherever they lie; raises :class:`ExportError`."""
    refuse_unsafe(users, quota)
    return {MAIN_24: _main_24(users, quota, mailboxes)}


def refuse_unsafe(*some: Credentials) -> None:
    """Raise :class:`ExportError` for credentials that Dovecot's files cannot hold."""
    for credentials in some:
        credentials.refuse_characters(_UNSAFE, "Dovecot's configuration")


# --- 2.3 -------------------------------------------------------------------------------------------------------


def connect_23(credentials: Credentials) -> str:
    """Value of ``connect``."""
    if credentials.engine is Engine.SQLITE:
        return credentials.name
    values = {
        "host": credentials.host,
        "port": credentials.port,
        "dbname": credentials.name,
        "user": credentials.user,
        "password": credentials.password,
    }
    return " ".join(f"{name}={value}" for name, value in values.items() if value)


def _sql_23(credentials: Credentials, mailboxes: Mailboxes) -> str:
    engine = credentials.engine
    return (
        f"driver = {DRIVERS[engine]}\n"
        f"connect = {connect_23(credentials)}\n"
        "# The scheme stands in front of every hash; this is for hashes that have none.\n"
        "default_pass_scheme = CRYPT\n"
        f"password_query = {password_query(engine, _KEY_23)}\n"
        f"user_query = {user_query(engine, _KEY_23, mailboxes, version='2.3')}\n"
        f"iterate_query = {ITERATE_QUERY}\n"
    )


def _names_23(credentials: Credentials, mailboxes: Mailboxes) -> str:
    query = kept_name_query(credentials.engine, *_PARTS_23, mailboxes, version="2.3")
    return (
        f"driver = {DRIVERS[credentials.engine]}\nconnect = {connect_23(credentials)}\nuser_query = {query}\n"
    )


def _dict_23(credentials: Credentials) -> str:
    maps = "".join(
        f"map {{\n  pattern = priv/quota/{kind}\n  table = admin_quota\n  username_field = username\n"
        f"  value_field = {column}\n}}\n"
        for kind, column in _QUOTA_COLUMNS.items()
    )
    return f"connect = {connect_23(credentials)}\n{maps}"


def _main_23(credentials: Credentials, mailboxes: Mailboxes, place: Path) -> str:
    driver = DRIVERS[credentials.engine]
    return (
        "# Include it from dovecot.conf of Dovecot 2.3: !include " + str(place / MAIN_23) + "\n"
        "# The tables hold names in lower case.\nauth_username_format = %Lu\n"
        f"passdb {{\n  driver = sql\n  args = {place / SQL_23}\n}}\n"
        f"userdb {{\n  driver = sql\n  args = {place / SQL_23}\n"
        f"  default_fields = uid={mailboxes.uid} gid={mailboxes.gid}\n}}\n"
        f"{_NAMES_COMMENT}protocol lmtp {{\n"
        f"  userdb {{\n    driver = sql\n    args = {place / NAMES_23}\n"
        f"    default_fields = uid={mailboxes.uid} gid={mailboxes.gid}\n  }}\n}}\n"
        f"dict {{\n  quota = {driver}:{place / DICT_23}\n}}\n"
        "plugin {\n  quota = dict:User quota::proxy::quota\n}\n"
    )


# --- 2.4 -------------------------------------------------------------------------------------------------------


def connection_24(credentials: Credentials, indent: str = "") -> str:
    """Lines that name the server and the credentials."""
    if credentials.engine is Engine.SQLITE:
        return f"{indent}sqlite_path = {credentials.name}\n"
    names = {"dbname": credentials.name, "user": credentials.user, "password": credentials.password}
    settings = [f"{name} = {value}" for name, value in {**names, "port": credentials.port}.items()]
    if credentials.engine is Engine.POSTGRESQL:
        settings = ["parameters {", *(f"  {line}" for line in settings), "}"]
    lines = [
        f"{DRIVERS[credentials.engine]} {credentials.host} {{",
        *(f"  {line}" for line in settings),
        "}",
    ]
    return "".join(f"{indent}{line}\n" for line in lines)


def _main_24(users: Credentials, quota: Credentials, mailboxes: Mailboxes) -> str:
    engine = users.engine
    maps = "".join(
        f"    dict_map priv/quota/{kind} {{\n      sql_table = admin_quota\n      username_field = username\n"
        f"      value_field {column} {{\n        type = uint\n      }}\n    }}\n"
        for kind, column in _QUOTA_COLUMNS.items()
    )
    return (
        "# Include it from dovecot.conf of Dovecot 2.4.\n"
        "# The tables hold names in lower case.\nauth_username_format = %{user | lower}\n"
        f"sql_driver = {DRIVERS[engine]}\n"
        f"{connection_24(users)}"
        f"passdb sql {{\n  query = {password_query(engine, _KEY_24)}\n  default_password_scheme = CRYPT\n}}\n"
        f"userdb sql {{\n  query = {user_query(engine, _KEY_24, mailboxes, version='2.4')}\n"
        f"  iterate_query = {ITERATE_QUERY}\n"
        f"  fields {{\n    uid = {mailboxes.uid}\n    gid = {mailboxes.gid}\n  }}\n}}\n"
        f"{_NAMES_COMMENT}protocol lmtp {{\n  userdb names {{\n    driver = sql\n"
        f"    userdb_sql_query = {kept_name_query(engine, *_PARTS_24, mailboxes, version='2.4')}\n"
        f"    fields {{\n      uid = {mailboxes.uid}\n      gid = {mailboxes.gid}\n    }}\n  }}\n}}\n"
        'quota "User quota" {\n  driver = count\n}\n'
        "mail_plugins {\n  quota = yes\n  quota_clone = yes\n}\n"
        "quota_clone {\n  dict proxy {\n    name = quota\n  }\n}\n"
        f"dict_server {{\n  dict quota {{\n    driver = sql\n    sql_driver = {DRIVERS[quota.engine]}\n"
        f"{connection_24(quota, '    ')}{maps}  }}\n}}\n"
    )
