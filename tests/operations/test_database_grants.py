"""Every program may do what it needs in the database and nothing else: tried out, role by role and table by table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.utils import ConnectionHandler
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from admin import lookups
from admin.exports import database_grants, last_login
from admin.exports.credentials import Credentials
from admin.management.commands.generate_database_grants import ADMINISTRATOR
from admin.models import Account, Alias, Domain, Mailbox, MailLogin, MailUser
from admin.operations import (
    MailboxSpec,
    collect_last_logins,
    create_account,
    create_alias,
    create_domain,
    delete_accounts,
    delete_domains,
)
from core.models import Log, User
from core.passwords import hash_password
from tests.cast import PASSWORD, Cast
from tests.servers.database import SCHEMES, Database, Engine

SQLITE = connection.vendor == "sqlite"
on_servers = pytest.mark.skipif(SQLITE, reason="SQLite has no roles")
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="about PostgreSQL")
on_mariadb = pytest.mark.skipif(connection.vendor != "mysql", reason="about MariaDB")

S, I, U, D = ACTIONS = ("SELECT", "INSERT", "UPDATE", "DELETE")  # noqa: E741  as the manuals write them
EVERYTHING = {S, I, U, D}
DAEMONS = ("postfix", "dovecot_auth", "dovecot_quota", "dovecot_login")
ROLES = (*DAEMONS, "cron", "web")

# What is not listed is denied. A table that nobody has heard of is nobody's but the panel's.
FOR_POSTFIX = {
    "mail_domain": {S},
    "mail_route": {S},
    "mail_sender": {S},
    "mail_transport": {S},
    "mail_check": {S},
}
WHOLE_TABLES: dict[str, dict[str, set[str]]] = {
    "postfix": FOR_POSTFIX,
    "dovecot_auth": {"mail_user": {S}, "mail_route": {S}, "mail_domain": {S}},
    "dovecot_quota": {"admin_quota": EVERYTHING, "mail_login": {S, I, U}},
    "dovecot_login": {},
    "cron": FOR_POSTFIX
    | {"mail_login": {S, D}, "django_session": {D}, "core_log": {D}, "parameters_siteparameters": {S}},
}
FOR_WEB = {"core_log": {S, I}, "django_migrations": {S}}
# Not "password".
ABOUT_PEOPLE = {
    *("id", "username", "email", "first_name", "last_name", "phone_number", "secondary_email", "language"),
    *("is_active", "is_local", "master_user", "role", "owner_id", "date_joined", "last_login"),
}
COLUMNS: dict[tuple[str, str], dict[str, set[str]]] = {
    ("dovecot_login", "core_user"): {S: {"email"}, U: {"last_login"}},
    ("cron", "core_user"): {S: ABOUT_PEOPLE, U: {"last_login"}},
    ("cron", "django_session"): {S: {"expire_date"}},
    ("cron", "core_log"): {S: {"id", "date_created"}},
}

# "You may not", in the words of PostgreSQL and in the numbers of MariaDB.
DENIALS = {"42501", 1044, 1142, 1143, 1227, 1370, 1698}


def allowed(role: str, table: str) -> set[str]:
    if role == "web":
        return FOR_WEB.get(table, EVERYTHING)
    return WHOLE_TABLES[role].get(table, set())


# --- a server with roles ---------------------------------------------------------------------------------------


def code(error: DatabaseError) -> object:
    cause: Any = error.__cause__
    return getattr(cause, "pgcode", None) or cause.args[0]


@contextmanager
def connected(database: Database) -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own, committed at once."""
    vendor = {Engine.POSTGRESQL: "postgresql", Engine.MARIADB: "mysql"}[database.engine]
    settings = {
        "ENGINE": f"django.db.backends.{vendor}",
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password,
        "HOST": database.host,
        "PORT": str(database.port),
    }
    with closing(ConnectionHandler({"default": settings})["default"]) as made:
        yield made


@dataclass
class Site:
    """The database of the tests, its administrator, and the logins that were made for it."""

    database: Database
    prefixes: list[str] = field(default_factory=list)
    logins: dict[str, Database] = field(default_factory=dict)

    def new_prefix(self) -> str:
        self.prefixes.append(f"t{uuid4().hex[:10]}")
        return self.prefixes[-1]

    def generate(self, *words: str, prefix: str = "", **options: Any) -> tuple[str, str]:
        """stdout and stderr of the command, run by the administrator."""
        out, err = StringIO(), StringIO()
        options = {"dburl": self.database.url, "prefix": prefix or self.prefixes[0], **options}
        call_command("generate_database_grants", *words, **options, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    def login(self, url: str) -> Database:
        parts = urlsplit(url)
        assert (parts.hostname, parts.port) == (self.database.host, self.database.port)
        assert parts.scheme == SCHEMES[self.database.engine]
        return replace(self.database, user=str(parts.username), password=str(parts.password))

    def execute(self, sql: str) -> None:
        with connected(self.database) as server, server.cursor() as cursor:
            cursor.execute(sql)

    def account(self, name: str) -> str:
        """A login in SQL."""
        return f'"{name}"' if self.database.engine is Engine.POSTGRESQL else f"'{name}'@'127.0.0.1'"

    def drop(self, *prefixes: str) -> None:
        for prefix in prefixes or self.prefixes:
            for name in ROLES:
                full = f"{prefix}_{name}"
                if self.database.engine is Engine.POSTGRESQL:
                    found = self.database.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{full}';")  # noqa: S608
                    if found:
                        self.database.execute(f'DROP OWNED BY "{full}"; DROP ROLE "{full}";')
                else:
                    for host in ("localhost", "127.0.0.1"):
                        self.database.execute(f"DROP USER IF EXISTS '{full}'@'{host}';")


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """A server on which the command was applied once."""
    del django_db_setup  # must be there, says nothing
    own = connection.settings_dict
    engine = {"postgresql": Engine.POSTGRESQL, "mysql": Engine.MARIADB}[connection.vendor]
    database = Database(
        engine, str(own["NAME"]), own["HOST"], int(own["PORT"]), own["USER"], str(own["PASSWORD"])
    )
    made = Site(database)
    with django_db_blocker.unblock():
        try:
            output, _errors = made.generate("--apply", prefix=made.new_prefix())
            urls = [line for line in output.splitlines() if "://" in line]
            logins = [made.login(url) for url in urls]
            made.logins = {login.user.removeprefix(f"{made.prefixes[0]}_"): login for login in logins}
            yield made
        finally:
            made.drop()


@pytest.fixture(autouse=True)
def _no_administrator_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADMINISTRATOR, raising=False)


@pytest.fixture
def _database_allowed(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """For tests that bring their own connections."""
    with django_db_blocker.unblock():
        yield


connects = pytest.mark.usefixtures("_database_allowed")


# --- trying it out ---------------------------------------------------------------------------------------------


def is_denied(cursor: CursorWrapper, sql: str) -> bool:
    """True when the server says "you may not"; that a statement fails otherwise is no denial."""
    try:
        cursor.execute(sql)
    except DatabaseError as error:
        return code(error) in DENIALS
    return False


@dataclass
class Attempts:
    """One connection of one role; nothing that it tries is kept."""

    server: BaseDatabaseWrapper

    def __post_init__(self) -> None:
        self.cursor = self.server.cursor()
        if self.server.vendor == "postgresql":
            # Which a role may do, so that it protects from accidents only: here its rights are asked for.
            self.cursor.execute("SET default_transaction_read_only = off")
        self.cursor.execute("START TRANSACTION")

    def is_allowed(self, sql: str) -> bool:
        self.cursor.execute("SAVEPOINT attempt")
        denied = is_denied(self.cursor, sql)
        self.cursor.execute("ROLLBACK TO SAVEPOINT attempt")
        return not denied

    def quoted(self, name: str) -> str:
        return self.server.ops.quote_name(name)

    def on_table(self, action: str, table: str, column: str) -> bool:
        name, column = self.quoted(table), self.quoted(column)
        insert = "() VALUES ()" if self.server.vendor == "mysql" else "DEFAULT VALUES"
        statements = {
            S: f"SELECT * FROM {name} WHERE 1 = 0",  # noqa: S608  names of our own tables
            I: f"INSERT INTO {name} {insert}",
            U: f"UPDATE {name} SET {column} = DEFAULT WHERE 1 = 0",  # noqa: S608  as above
            D: f"DELETE FROM {name} WHERE 1 = 0",  # noqa: S608  as above
        }
        return self.is_allowed(statements[action])

    def on_column(self, action: str, table: str, column: str) -> bool:
        name, column = self.quoted(table), self.quoted(column)
        statements = {
            S: f"SELECT {column} FROM {name} WHERE 1 = 0",  # noqa: S608  as above
            U: f"UPDATE {name} SET {column} = DEFAULT WHERE 1 = 0",  # noqa: S608  as above
        }
        return self.is_allowed(statements[action])


@contextmanager
def attempts(database: Database) -> Iterator[Attempts]:
    with connected(database) as server:
        yield Attempts(server)


def schema(site: Site) -> dict[str, list[str]]:
    """Every table that is there, with its columns."""
    with connected(site.database) as server, server.cursor() as cursor:
        names = server.introspection.table_names(cursor)
        return {
            name: [column.name for column in server.introspection.get_table_description(cursor, name)]
            for name in names
        }


def rights(site: Site, role: str, tables: Mapping[str, list[str]]) -> tuple[object, object]:
    """What a role can really do: with whole tables, and with single columns beyond that."""
    whole, single = {}, {}
    with attempts(site.logins[role]) as tried:
        for table, columns in tables.items():
            # An update of one column is no update of any: the first column is nobody's alone.
            may = {action for action in ACTIONS if tried.on_table(action, table, columns[0])}
            whole[table] = may
            for action in (S, U):
                some = {column for column in columns if tried.on_column(action, table, column)}
                if action in may:
                    assert some == set(columns)
                elif some:
                    single[table, action] = some
    return whole, single


def expected(role: str, tables: Mapping[str, list[str]]) -> tuple[object, object]:
    single = {
        (table, action): columns
        for (holder, table), actions in COLUMNS.items()
        for action, columns in actions.items()
        if holder == role
    }
    return {table: allowed(role, table) for table in tables}, single


@on_servers
@connects
@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_do_to_every_table_what_is_listed_and_nothing_else(site: Site, role: str) -> None:
    tables = schema(site)
    assert {"core_user", "core_log", "core_apitoken", "django_session", "mail_user", "mail_login"} <= set(
        tables
    )
    assert rights(site, role, tables) == expected(role, tables)


@on_servers
@connects
@pytest.mark.parametrize("role", ROLES)
def test_no_role_changes_the_schema_or_leaves_its_database(site: Site, role: str) -> None:
    denied = [
        "CREATE TABLE made_by_a_role (id integer)",
        "CREATE TEMPORARY TABLE made_by_a_role (id integer)",
        "CREATE VIEW made_by_a_role AS SELECT 1 AS one",
        "CREATE INDEX made_by_a_role ON mail_domain (kind)",
        "ALTER TABLE mail_domain ADD COLUMN more integer",
        "DROP TABLE mail_domain",
        "CREATE DATABASE made_by_a_role",
    ]
    if connection.vendor == "postgresql":
        denied += [
            "TRUNCATE mail_domain",
            "CREATE SCHEMA made_by_a_role",
            "CREATE ROLE made_by_a_role",
            f'ALTER ROLE "{site.logins[role].user}" SUPERUSER',
            f'SET ROLE "{site.database.user}"',
            "SELECT rolpassword FROM pg_authid",
            "SELECT pg_read_file('PG_VERSION')",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "GRANT SELECT ON django_content_type TO PUBLIC" if role != "web" else "SELECT * FROM pg_shadow",
            "CREATE FUNCTION made_by_a_role() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        ]
    else:
        denied += [
            "TRUNCATE TABLE mail_domain",
            "CREATE USER made_by_a_role",
            "SELECT * FROM mysql.global_priv",
            "SELECT 1 INTO OUTFILE '/tmp/made_by_a_role'",
            "SELECT LOAD_FILE('/etc/passwd') FROM mysql.user",
            "SET GLOBAL max_connections = 1",
            "GRANT SELECT ON core_user TO " + site.account(site.logins["postfix"].user),
            "LOCK TABLES core_user WRITE",
            "FLUSH TABLES",
            "CREATE PROCEDURE made_by_a_role() SELECT 1",
        ]
    with connected(site.logins[role]) as server, server.cursor() as cursor:
        if server.vendor == "postgresql":
            cursor.execute("SET default_transaction_read_only = off")
        # Outside of transactions: some of these statements end them, others refuse to run in one.
        assert [sql for sql in denied if not is_denied(cursor, sql)] == []


@on_servers
@connects
def test_a_fresh_table_is_invisible_to_everybody_until_the_next_run(site: Site) -> None:
    table = f"fresh_{uuid4().hex[:8]}"
    site.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY, secret varchar(10))")
    try:
        assert site.generate("--apply") == ("", "")  # no model's: nobody's
        for role in ROLES:
            with attempts(site.logins[role]) as tried:
                assert not any(tried.on_table(action, table, "secret") for action in ACTIONS), role
    finally:
        site.execute(f"DROP TABLE {table}")


@on_servers
@connects
@pytest.mark.parametrize("role", ROLES)
def test_who_looks_up_is_stopped_before_he_does_harm(site: Site, role: str) -> None:
    with connected(site.logins[role]) as server, server.cursor() as cursor:

        def setting(name: str) -> str:
            cursor.execute(f"SHOW {name}" if server.vendor == "postgresql" else f"SELECT @@{name}")
            return str(cursor.fetchone()[0])

        if server.vendor == "mysql":
            assert setting("max_statement_time") == ("5.0" if role in DAEMONS else "0.0")
            assert (setting("max_user_connections") != "0") == (role != "web")
            return
        assert setting("search_path") == "public"
        assert setting("default_transaction_read_only") == (
            "on" if role in {"postfix", "dovecot_auth"} else "off"
        )
        assert setting("statement_timeout") == ("5s" if role in DAEMONS else "0")
        assert (setting("idle_in_transaction_session_timeout") != "0") == (role != "web")
        cursor.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")
        assert (cursor.fetchone()[0] > 0) == (role != "web")


@on_postgresql
@connects
def test_a_role_that_only_reads_cannot_write_by_accident(site: Site) -> None:
    with connected(site.logins["postfix"]) as server, server.cursor() as cursor:
        with pytest.raises(DatabaseError) as caught:
            cursor.execute("DELETE FROM mail_domain")
        assert code(caught.value) == "25006"


# --- again and again -------------------------------------------------------------------------------------------


def harm(site: Site) -> list[str]:
    """What somebody may have done to the rights since the last run."""
    postfix, auth, cron, web = (
        site.account(site.logins[name].user) for name in ("postfix", "dovecot_auth", "cron", "web")
    )
    common = [
        f"GRANT SELECT ON core_user TO {postfix}",
        f"GRANT DELETE ON mail_user TO {auth}",
        f"GRANT UPDATE (password) ON core_user TO {cron}",
        f"GRANT UPDATE, DELETE ON core_log TO {web}",
        f"REVOKE SELECT ON mail_domain FROM {postfix}",  # noqa: S608  logins of the test
    ]
    if connection.vendor == "mysql":
        return [
            *common,
            f"GRANT SELECT ON `{site.database.name}`.* TO {postfix}",
            f"GRANT FILE ON *.* TO {auth}",
            f"GRANT SELECT ON mail_user TO {auth} WITH GRANT OPTION",
            f"ALTER USER {postfix} WITH MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 0",
        ]
    return [
        *common,
        "GRANT SELECT ON mail_user TO PUBLIC",
        "GRANT SELECT (password) ON core_user TO PUBLIC",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        f'GRANT TEMPORARY ON DATABASE "{site.database.name}" TO PUBLIC',
        f"GRANT CREATE ON SCHEMA public TO {postfix}",
        f"GRANT pg_read_all_data TO {auth}",
        f"GRANT SELECT ON mail_user TO {auth} WITH GRANT OPTION",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {postfix}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
        f"GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {auth}",
        f"ALTER ROLE {web} CREATEROLE BYPASSRLS CONNECTION LIMIT 1",
        f"ALTER ROLE {postfix} RESET ALL",
        f'ALTER ROLE {postfix} IN DATABASE "{site.database.name}" SET statement_timeout = 0',
        f"ALTER ROLE {postfix} IN DATABASE \"{site.database.name}\" SET work_mem = '1GB'",
    ]


@on_servers
@connects
def test_a_second_run_changes_nothing(site: Site) -> None:
    assert site.generate() == ("", "")
    assert site.generate("--apply") == ("", "")


@on_servers
@connects
def test_what_a_role_should_not_have_any_more_is_taken_away(site: Site) -> None:
    for sql in harm(site):
        site.execute(sql)
    tables = schema(site)
    assert rights(site, "postfix", tables) != expected("postfix", tables)
    printed, passwords = site.generate()
    assert (printed.count("REVOKE") >= 3, passwords) == (True, "")
    applied, _errors = site.generate("--apply")
    assert applied == printed
    assert site.generate() == ("", "")
    for role in ROLES:
        assert rights(site, role, tables) == expected(role, tables), role
        test_no_role_changes_the_schema_or_leaves_its_database(site, role)
        test_who_looks_up_is_stopped_before_he_does_harm(site, role)
    test_a_fresh_table_is_invisible_to_everybody_until_the_next_run(site)


@on_servers
@connects
def test_each_single_harm_is_mended_by_itself(site: Site) -> None:
    unnoticed = []
    for sql in harm(site):
        site.execute(sql)
        unnoticed += [] if "RESET ALL" in sql or site.generate("--apply")[0] else [sql]
    assert unnoticed == []
    assert site.generate() == ("", "")


@on_servers
@connects
def test_the_sql_that_is_printed_does_what_apply_does(site: Site) -> None:
    """Handed to the server's own client, as an administrator would."""
    by_hand, by_us = site.new_prefix(), site.new_prefix()
    printed, passwords = site.generate(prefix=by_hand)
    site.database.execute(printed)
    assert site.generate(prefix=by_hand) == ("", "")
    for url in passwords.splitlines():
        assert site.login(url).execute("SELECT 1;") == [["1"]]
    applied, _errors = site.generate("--apply", prefix=by_us)
    statements = [line for line in applied.splitlines() if "://" not in line]
    assert [masked(line).replace(by_us, by_hand) for line in statements] == [
        masked(line) for line in printed.splitlines()
    ]


def masked(statement: str) -> str:
    return re.sub(r"(PASSWORD|USING) '[^']+'", r"\1", statement)


@on_servers
@connects
def test_a_failure_half_way_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = database_grants.plan

    def broken(server: BaseDatabaseWrapper, wish: database_grants.Wish) -> database_grants.Plan:
        made = planned(server, wish)
        made.statements.insert(len(made.statements) - 1, "GRANT NONSENSE ON core_user TO nobody")
        return made

    prefix = site.new_prefix()
    with monkeypatch.context() as patched:
        patched.setattr(database_grants, "plan", broken)
        with pytest.raises(CommandError, match="The database refused"):
            site.generate("--apply", prefix=prefix)
    printed, _passwords = site.generate(prefix=prefix)
    if connection.vendor == "postgresql":
        assert printed.count("CREATE ROLE") == len(ROLES)  # nothing was kept
    site.generate("--apply", prefix=prefix)
    assert site.generate(prefix=prefix) == ("", "")


@on_servers
@connects
def test_one_role_can_be_chosen(site: Site) -> None:
    prefix = site.new_prefix()
    output, _errors = site.generate("--apply", "--only", "postfix", prefix=prefix)
    assert output.count("://") == 1
    assert f"{prefix}_web" not in output
    assert site.generate("--only", "postfix", prefix=prefix) == ("", "")


# --- passwords -------------------------------------------------------------------------------------------------


@on_servers
@connects
def test_passwords_are_shown_once_and_stand_in_no_statement(site: Site) -> None:
    prefix = site.new_prefix()
    output, errors = site.generate("--apply", prefix=prefix)
    urls = [line for line in output.splitlines() if "://" in line]
    secrets = [site.login(url).password for url in urls]
    assert len(set(secrets)) == len(ROLES)
    assert errors == ""
    statements = "\n".join(line for line in output.splitlines() if "://" not in line)
    assert not any(secret in statements for secret in secrets)
    assert site.database.password not in output
    for url in urls:
        assert site.login(url).execute("SELECT 1;") == [["1"]]
    again, _errors = site.generate("--apply", "--rotate", "--only", "cron", prefix=prefix)
    new = next(line for line in again.splitlines() if "://" in line)
    old = next(url for url in urls if "_cron:" in url)
    assert site.login(new).execute("SELECT 1;") == [["1"]]
    assert not accepts(site.login(old))
    assert accepts(site.login(urls[0]))


def accepts(login: Database) -> bool:
    try:
        with connected(login) as server:
            server.ensure_connection()
    except DatabaseError:
        return False
    return True


@on_servers
@connects
def test_given_passwords_are_taken_and_not_repeated(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = site.new_prefix()
    file, own, other = tmp_path / "passwords", "0wn!#$%&()*+,./:;<=>?@^_{|}~-", "Fr0m.the-environment"
    file.write_text(f"# chosen by us\n\n{prefix}_postfix={own}\n")
    monkeypatch.setenv("MODOBOA_DB_WEB_PASSWORD", other)
    output, errors = site.generate("--apply", prefix=prefix, passwords_file=str(file))
    assert own not in output + errors
    assert other not in output + errors
    assert output.count("://") == len(ROLES) - 2
    for name, password in (("postfix", own), ("web", other)):
        assert accepts(replace(site.database, user=f"{prefix}_{name}", password=password))
    # They are for logins that are not there yet.
    file.write_text(f"{prefix}_postfix=another-password\n")
    assert site.generate("--apply", prefix=prefix, passwords_file=str(file)) == ("", "")
    assert accepts(replace(site.database, user=f"{prefix}_postfix", password=own))


@pytest.mark.parametrize(
    "line",
    [
        "nobody=long-enough-here",
        "x_postfix=short",
        "x_postfix=quote'quote'quote",
        "x_postfix=back\\slash\\\\",
    ],
)
def test_a_password_that_no_file_could_hold_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "passwords"
    file.write_text(f"{line}\n")
    with pytest.raises(CommandError) as caught:
        call_command(
            "generate_database_grants", prefix="x", passwords_file=str(file), dburl="postgres://nowhere/x"
        )
    assert line.partition("=")[2] not in str(caught.value)
    file.write_text("x_postfix\n")
    with pytest.raises(CommandError, match="line 1"):
        call_command("generate_database_grants", prefix="x", passwords_file=str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("generate_database_grants", prefix="x", passwords_file=str(tmp_path / "none"))


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefix",
    [
        *("", "pg", "pg_x", "1a", "_a", "a_", "a__b", "Panel", "pänel", "a b", "a-b", "a.b", "a%b", "a\n"),
        *('a"; DROP TABLE core_user; --', "a'b", "a`b", "a\\b", "a\0b", "a@localhost", "a" * 19),
    ],
)
def test_a_hostile_prefix_never_reaches_a_server(prefix: str) -> None:
    with pytest.raises(CommandError, match="prefix"):
        call_command("generate_database_grants", prefix=prefix, dburl="postgres://127.0.0.1:9/nowhere")


@pytest.mark.parametrize("host", ["", "a'b", "a b", "%'; --", "a\\", "ä"])
def test_a_hostile_client_never_reaches_a_server(host: str) -> None:
    with pytest.raises(CommandError, match="no client"):
        call_command("generate_database_grants", from_host=[host], dburl="mysql://127.0.0.1:9/nowhere")


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="about SQLite")
def test_sqlite_has_no_roles_but_a_copy() -> None:
    with pytest.raises(CommandError, match=r"modo publish --to FILE"):
        call_command("generate_database_grants")


@on_servers
@connects
@pytest.mark.parametrize("named_by", ["option", "environment"])
def test_the_administrators_password_is_never_repeated(
    site: Site, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    wrong = replace(site.database, password="Unspeakable-1").url
    if named_by == "environment":
        monkeypatch.setenv(ADMINISTRATOR, wrong)
    with pytest.raises(CommandError) as caught:
        site.generate(dburl=wrong if named_by == "option" else None)
    assert "Unspeakable" not in str(caught.value)
    assert "\n" not in str(caught.value)


@on_servers
@connects
def test_who_is_no_administrator_is_told(site: Site) -> None:
    with pytest.raises(CommandError, match=r"administrator|refused|cannot set its own rights"):
        site.generate("--apply", prefix=site.new_prefix(), dburl=site.logins["cron"].url)
    with pytest.raises(CommandError, match="administrator"):
        site.generate("--apply", dburl=site.logins["cron"].url)


@on_servers
@connects
def test_a_database_without_the_panels_tables_is_refused(site: Site) -> None:
    other = site.database.sibling(f"empty_{uuid4().hex[:8]}")
    try:
        with pytest.raises(CommandError, match="Run migrate"):
            site.generate("--apply", dburl=other.url, prefix=site.new_prefix())
    finally:
        site.database.execute(f"DROP DATABASE {other.name};")


@on_postgresql
@connects
def test_a_login_that_owns_tables_is_not_made_a_role(site: Site) -> None:
    """The panel's own login, say, that was called so."""
    prefix = site.new_prefix()
    site.execute(f'CREATE ROLE "{prefix}_web" SUPERUSER')
    site.execute(f"CREATE TABLE owned_{prefix} (id integer)")
    site.execute(f'ALTER TABLE owned_{prefix} OWNER TO "{prefix}_web"')
    with pytest.raises(CommandError, match="must own nothing"):
        site.generate("--apply", prefix=prefix)
    site.execute(f"DROP TABLE owned_{prefix}")
    site.generate("--apply", prefix=prefix)


@on_postgresql
@connects
def test_the_administrator_need_not_be_a_superuser(site: Site) -> None:
    """As with a rented server: whoever owns the database makes roles and may do little else. Its names are odd, too."""
    prefix, owner, name = site.new_prefix(), f"o{uuid4().hex[:8]}", f'Panel "%s" {uuid4().hex[:8]}'
    site.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'owner-of-all'")
    quoted = name.replace('"', '""')
    site.execute(f'CREATE DATABASE "{quoted}" OWNER {owner}')
    rented = replace(site.database, name=name, user=owner, password="owner-of-all")
    place = replace(rented, name=quote(name, safe=""))
    try:
        with connected(rented) as server, server.cursor() as cursor:
            cursor.execute('CREATE SCHEMA "Odd Place"')
            cursor.execute(f'ALTER ROLE {owner} IN DATABASE "{quoted}" SET search_path = "Odd Place"')
        with connected(rented) as server, server.cursor() as cursor:
            for table, columns in schema(site).items():
                cursor.execute(f"CREATE TABLE {table} ({', '.join(f'{column} text' for column in columns)})")
        output, _errors = site.generate("--apply", prefix=prefix, dburl=place.url)
        assert "Odd Place" in output
        assert site.generate("--apply", prefix=prefix, dburl=place.url) == ("", "")
        urls = [line for line in output.splitlines() if "://" in line]
        web = replace(site.login(next(url for url in urls if "_web:" in url)), name=name)
        postfix = replace(site.login(next(url for url in urls if "_postfix:" in url)), name=name)
        for login, may_read in ((web, True), (postfix, False)):
            with attempts(login) as tried:
                assert tried.is_allowed("SELECT name FROM mail_domain")
                assert tried.is_allowed("SELECT password FROM core_user") == may_read
                assert not tried.is_allowed("CREATE TABLE made_by_a_role (id integer)")
        for role in ROLES:
            site.execute(f'ALTER ROLE "{prefix}_{role}" CREATEDB')
        assert site.generate("--apply", prefix=prefix, dburl=place.url)[0].count("NOCREATEDB") == len(ROLES)
    finally:
        site.execute(f'DROP DATABASE "{quoted}" WITH (FORCE)')
        site.execute(f"DROP OWNED BY {owner}")
        site.drop(prefix)
        site.execute(f"DROP ROLE {owner}")


@on_mariadb
@connects
def test_logins_from_elsewhere_are_named_and_left_alone(site: Site) -> None:
    name = site.logins["postfix"].user
    site.execute(f"CREATE USER '{name}'@'192.0.2.%%'")
    try:
        output, errors = site.generate("--apply")
        assert output == ""
        assert f"'{name}'@'192.0.2.%'" in errors.replace("%%", "%")
    finally:
        site.execute(f"DROP USER '{name}'@'192.0.2.%%'")


@on_mariadb
@connects
@pytest.mark.parametrize("place", ["`{}`.*", "`{}`.mail_user"])
def test_rights_of_everybody_are_named(site: Site, place: str) -> None:
    where = place.format(site.database.name)
    site.execute(f"GRANT SELECT ON {where} TO PUBLIC")
    try:
        assert "PUBLIC has rights in this database" in site.generate()[1]
    finally:
        site.execute(f"REVOKE SELECT ON {where} FROM PUBLIC")  # noqa: S608  a table of ours
    assert site.generate() == ("", "")


@on_postgresql
@connects
def test_anybody_can_print_what_the_administrator_is_to_do(site: Site) -> None:
    prefix = site.new_prefix()
    printed, _passwords = site.generate(prefix=prefix, dburl=site.logins["cron"].url)
    site.database.execute(printed)
    assert site.generate(prefix=prefix) == ("", "")


# --- the programs themselves -----------------------------------------------------------------------------------


@contextmanager
def panel_as(login: Database) -> Iterator[None]:
    """The panel signs in to the database as somebody else."""
    own = connections.settings["default"]
    before = {name: own[name] for name in ("USER", "PASSWORD")}
    connections["default"].close()
    administrator = connections["default"]
    own.update(USER=login.user, PASSWORD=login.password)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        own.update(before)
        connections["default"] = administrator


@on_servers
def test_the_whole_panel_works_as_web(site: Site, real_cast: Cast, tmp_path: Path) -> None:
    root = real_cast.root
    with panel_as(site.logins["web"]):
        create_domain(root, name="new.example", quota=1_000, default_mailbox_quota=100)
        account = create_account(
            root,
            username="jo@new.example",
            password=PASSWORD,
            mailbox=MailboxSpec(address="jo@new.example", sender_addresses=("other@new.example",)),
        ).account
        alias = create_alias(root, address="info@new.example", recipients=["jo@new.example"])
        browser = Client()
        answer = browser.post(reverse("core:sign_in"), {"username": "jo@new.example", "password": PASSWORD})
        assert answer.status_code == 302
        assert browser.get(answer.headers["Location"], follow=True).status_code == 200
        assert MailUser.objects.filter(address="jo@new.example").exists()
        assert Log.objects.filter(verb="session.login", actor_id=account.pk).exists()
        manager = Client()
        manager.force_login(User.objects.get(pk=root.pk))
        for name in ("admin:identity_list", "admin:domain_list"):
            assert manager.get(reverse(name)).status_code == 200
        page = manager.get(reverse("admin:alias_update", args=[alias.pk]))
        assert page.status_code == 200
        for words in (
            ("modo", "publish", "--check"),
            ("modo", "publish", "--rebuild"),
            ("recount", "--fix"),
            ("clearsessions",),
            ("modo", "publish", "--to", str(tmp_path / "copy")),
            ("modo", "publish", "--to", str(tmp_path / "users"), "--for", "dovecot"),
        ):
            output = StringIO()
            call_command(*words, stdout=output)
            assert output.getvalue() == ""
        call_command("migrate", "--check", verbosity=0)
        hashed = hash_password(PASSWORD, "sha512crypt", 1_000)
        names = [f"clerk{number}@new.example" for number in range(60)]
        lines = [f"account;{name};{hashed};;;1;SimpleUsers;{name};1\n" for name in names]
        (tmp_path / "people.csv").write_text("".join(lines))
        call_command("modo", "import", str(tmp_path / "people.csv"), stdout=StringIO())
        assert MailUser.objects.filter(address__in=names).count() == len(names)
        delete_accounts(root, [Account.objects.get(pk=account.pk)])
        delete_domains(root, [Domain.objects.get(name="new.example")])
        assert not Mailbox.objects.filter(domain__name="new.example").exists()
        assert not Alias.objects.filter(domain__name="new.example").exists()
        with pytest.raises(DatabaseError):
            Log.objects.all().delete()
        with pytest.raises(DatabaseError):
            Log.objects.update(message="nothing happened")


@on_servers
def test_what_cron_runs_works_as_cron(site: Site, real_cast: Cast, tmp_path: Path) -> None:
    sam = real_cast.sams_mailbox.user
    User.objects.filter(pk=sam.pk).update(date_joined=datetime(2026, 1, 1, tzinfo=UTC))
    MailLogin.objects.create(address=sam.email, seconds=int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()))
    old = Log.objects.create(date_created=datetime(2020, 1, 1, tzinfo=UTC), message="long ago")
    with panel_as(site.logins["cron"]):
        collect_last_logins(real_cast.root)
        assert not MailLogin.objects.exists()
        sam = User.objects.defer("password").get(pk=sam.pk)
        assert sam.last_login == datetime(2026, 2, 1, tzinfo=UTC)
        call_command("clearsessions")
        call_command("cleanlogs")
        call_command("modo", "publish", "--to", str(tmp_path / "copy"))
        assert (tmp_path / "copy").exists()
        for words in (
            ("modo", "publish", "--check"),
            ("modo", "publish", "--to", str(tmp_path / "users"), "--for", "dovecot"),
        ):  # hashes
            with pytest.raises(CommandError, match=r"denied"):
                call_command(*words, stdout=StringIO())
    assert not Log.objects.filter(pk=old.pk).exists()
    with panel_as(site.logins["postfix"]):  # an edge server needs no other login for its copy
        call_command("modo", "publish", "--to", str(tmp_path / "edge"))
        assert (tmp_path / "edge").read_bytes() == (tmp_path / "copy").read_bytes()


@on_servers
@connects
def test_the_queries_of_the_mail_servers_run_as_their_roles(site: Site) -> None:
    engine = Credentials.from_url(site.database.url).engine
    boxes = lookups.Mailboxes("/srv/vmail", "1", "1")
    key = "'sam@dora.example'"
    upsert = (
        "ON CONFLICT (username) DO UPDATE SET bytes = 1, messages = 1"
        if connection.vendor == "postgresql"
        else "ON DUPLICATE KEY UPDATE bytes = 1, messages = 1"
    )
    once_more = upsert.replace("username", "address").partition("bytes")[0] + "seconds = 1"
    wanted: dict[str, list[str]] = {
        "postfix": [lookup.sql(engine, key) for lookup in lookups.postfix_maps()],
        "dovecot_auth": [
            lookups.password_query(engine, key),
            lookups.ITERATE_QUERY,
            *(lookups.user_query(engine, key, boxes, version=version) for version in ("2.3", "2.4")),
        ],
        "dovecot_quota": [
            f"SELECT bytes FROM admin_quota WHERE username = {key}",  # noqa: S608  a constant
            f"UPDATE admin_quota SET bytes=bytes+1,messages=messages+1 WHERE username = {key}",  # noqa: S608
            f"DELETE FROM admin_quota WHERE username = {key}",  # noqa: S608  as above
            f"INSERT INTO admin_quota (bytes,messages,username) VALUES ('0','0',{key}) {upsert}",  # noqa: S608
            f"SELECT seconds FROM mail_login WHERE address = {key}",  # noqa: S608  as above
            f"INSERT INTO mail_login (seconds,address) VALUES ('1',{key}) {once_more}",  # noqa: S608  as above
        ],
        "dovecot_login": [last_login.statement(engine).replace("$name", b"sam@dora.example".hex())],
    }
    for role, statements in wanted.items():
        with connected(site.logins[role]) as server, server.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            for statement in (part for text in statements for part in text.removesuffix(";").split("; ")):
                cursor.execute(statement)
            cursor.execute("ROLLBACK")


def test_an_app_that_comes_later_is_webs_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later:
        class _meta:  # noqa: N801  Django's word
            db_table, managed, proxy = "later_table", True, False

    models: Callable[..., Any] = apps.get_models
    monkeypatch.setattr(apps, "get_models", lambda **options: [*models(**options), Later])
    having = {
        role.name
        for role in database_grants.roles()
        if "later_table" in {right.table for right in role.rights}
    }
    assert having == {"web"}
