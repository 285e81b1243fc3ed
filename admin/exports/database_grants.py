"""Roles of the database server: who may read and write which table, and the statements that make it so.

Every program has a role of its own, and a right that is not listed below does not exist: what a role has beyond it is
taken away. Tables are those of the models, so that an app added later is the panel's after the next run, and nobody
else's.

The statements are the difference between what is wanted and what the server says now; where nothing differs there are
none. On PostgreSQL they are one transaction. MariaDB and MySQL have none for this: a right that stays is not touched.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from base64 import b64encode
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model
from django.utils.translation import gettext as _

from admin.exports.credentials import ExportError
from admin.exports.published_copy import TABLES
from admin.models import MailLogin, Quota
from core.models import Log, User
from parameters.models import SiteParameters

SELECT, INSERT, UPDATE, DELETE = "SELECT", "INSERT", "UPDATE", "DELETE"
_EVERYTHING = (SELECT, INSERT, UPDATE, DELETE)
# What is written there stays: nobody who takes over the panel can take it back.
_APPEND_ONLY = frozenset({Log})

_PREFIX = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
# MySQL's user names have 32 characters; the longest name here is "_dovecot_login".
_PREFIX_LENGTH = 18
_HOST = re.compile(r"[A-Za-z0-9.:%_/-]{1,60}")
# No quotes and no backslash: map files, URLs and every SQL dialect take the rest as it is.
_PASSWORD = re.compile(r"[A-Za-z0-9!#$%&()*+,./:;<=>?@^_{|}~-]{12,128}")
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 32
_SCRAM_ROUNDS = 4_096


# --- who may do what -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One action on a table, or on one of its columns."""

    table: str
    action: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """A login of the database server; *name* follows the prefix. 0: no limit."""

    name: str
    rights: frozenset[Right]
    connections: int = 0
    statement_s: int = 0
    idle_in_transaction_s: int = 0
    reads_only: bool = False


def roles() -> tuple[Role, ...]:
    """All of them. docs/mail-servers.md says which file each one goes into."""
    mail_server = partial(Role, statement_s=5, idle_in_transaction_s=10)
    return (
        mail_server(
            "postfix",
            # Not mail_user: it has hashes.
            _rights(*((model, SELECT) for model in TABLES["postfix"])),
            # Each of a few proxymap processes has a connection for every map.
            connections=64,
            reads_only=True,
        ),
        mail_server(
            "dovecot_auth",
            _rights(*((model, SELECT) for model in TABLES["dovecot"])),
            # Up to thirty worker processes ask MariaDB and SQLite, each with a connection for users and one for their
            # other names.
            connections=70,
            reads_only=True,
        ),
        mail_server(
            "dovecot_quota",
            # Version 2.3 deletes a row and makes it anew. The dict of last logins is asked by the same process, in
            # version 2.4 even through the same connection to PostgreSQL, whatever login its block names.
            _rights(*((Quota, action) for action in _EVERYTHING))
            | _rights((MailLogin, SELECT), (MailLogin, INSERT), (MailLogin, UPDATE)),
            connections=20,
        ),
        mail_server(
            "dovecot_login",
            # The post-login script sets the one column where the other one fits.
            _columns(User, SELECT, "email") | _columns(User, UPDATE, "last_login"),
            connections=20,
        ),
        Role(
            "cron",
            # clearsessions, cleanlogs, collect_last_logins, and publish --to for Postfix. What compares hashes is run
            # as web; what deletes events is not.
            _rights(
                (Session, DELETE),
                (MailLogin, SELECT),
                (MailLogin, DELETE),
                (Log, DELETE),
                (SiteParameters, SELECT),
            )
            | _columns(Log, SELECT, "id", "date_created")
            | _columns(Session, SELECT, "expire_date")
            | _columns(User, SELECT, *_all_but(User, "password"))
            | _columns(User, UPDATE, "last_login")
            | _rights(*((model, SELECT) for model in TABLES["postfix"])),
            connections=5,
            idle_in_transaction_s=600,
        ),
        Role(
            "web",
            _rights(
                *(
                    (model, action)
                    for model in application_models()
                    for action in ((SELECT, INSERT) if model in _APPEND_ONLY else _EVERYTHING)
                )
            )
            | {Right(MigrationRecorder.Migration._meta.db_table, SELECT)},
        ),
    )


def application_models() -> list[type[Model]]:
    """Models with a table, those behind many-to-many fields included."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]


def _rights(*pairs: tuple[type[Model], str]) -> frozenset[Right]:
    return frozenset(Right(model._meta.db_table, action) for model, action in pairs)


def _columns(model: type[Model], action: str, *names: str) -> frozenset[Right]:
    columns = {each.name: str(each.column) for each in model._meta.concrete_fields}
    return frozenset(Right(model._meta.db_table, action, columns[name]) for name in names)


def _all_but(model: type[Model], *names: str) -> list[str]:
    return [each.name for each in model._meta.concrete_fields if each.name not in names]


# --- planning --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Plan:
    """Statements, and the passwords of the logins that they make or change, by full name."""

    statements: list[str] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    # What a person should know about; nothing is done about it.
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. *passwords* by full name; others are made up. *hosts*: clients of MariaDB and MySQL."""

    prefix: str
    roles: Sequence[Role]
    passwords: Mapping[str, str] = field(default_factory=dict)
    rotate: bool = False
    hosts: Sequence[str] = ("localhost", "127.0.0.1")

    def full_name(self, role: Role) -> str:
        """Name of the login."""
        return f"{self.prefix}_{role.name}"

    def check(self) -> None:
        """Raise :class:`admin.exports.credentials.ExportError` for what must not reach the server."""
        if not _PREFIX.fullmatch(self.prefix) or len(self.prefix) > _PREFIX_LENGTH:
            message = _(
                "The prefix must begin with a letter and have at most %(n)d lower-case letters, digits and single _."
            )
            raise ExportError(message % {"n": _PREFIX_LENGTH})
        if self.prefix.partition("_")[0] == "pg":
            raise ExportError(_("Names that begin with pg_ belong to PostgreSQL. Choose another prefix."))
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise ExportError(_("%(host)s is no client of a database.") % {"host": repr(host)})
        known = {self.full_name(role) for role in self.roles}
        for name, password in self.passwords.items():
            if name not in known:
                message = _("There is no role %(name)s here. They are: %(known)s.")
                raise ExportError(message % {"name": repr(name), "known": ", ".join(sorted(known))})
            if not _PASSWORD.fullmatch(password):
                message = _(
                    "The password of %(name)s must have 12 to 128 letters, digits and signs, without blanks, quotes "
                    "and backslashes."
                )
                raise ExportError(message % {"name": name})

    def password(self, name: str) -> str:
        """The given one, or a random one."""
        given = self.passwords.get(name)
        return given or "".join(secrets.choice(_ALPHABET) for _number in range(_RANDOM_LENGTH))


def plan(connection: BaseDatabaseWrapper, wish: Wish) -> Plan:
    """What has to be done in the database of *connection*; raises :class:`admin.exports.credentials.ExportError`."""
    wish.check()
    if connection.vendor not in _PLANS:
        raise ExportError(
            _(
                "SQLite has no roles: whoever reads the file reads everything. Give Postfix a copy of its tables "
                "instead: modo publish --to FILE."
            )
        )
    with connection.cursor() as cursor:
        return _PLANS[connection.vendor](connection, cursor, wish)


def run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    """Execute the statements of a plan; on PostgreSQL all or none of them."""
    with connection.cursor() as cursor:
        try:
            for statement in statements:
                cursor.execute(statement)
        except DatabaseError:
            if connection.vendor == "postgresql":
                cursor.execute("ROLLBACK")
            raise


def _missing(tables: Iterable[str]) -> ExportError:
    message = _("These tables are not in this database: %(tables)s. Run migrate, or give another --dburl.")
    return ExportError(message % {"tables": ", ".join(sorted(tables))})


def _wanted_tables(wish: Wish) -> set[str]:
    return {right.table for role in wish.roles for right in role.rights}


def _literal(text: str) -> str:
    if "\\" in text or "\0" in text:
        raise ExportError(_("%(text)s cannot be written in SQL.") % {"text": repr(text)})
    return "'" + text.replace("'", "''") + "'"


# --- PostgreSQL ------------------------------------------------------------------------------------------------

_PUBLIC = 0  # PostgreSQL's number for everybody
_POWERS = ("SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS")


@dataclass(frozen=True, slots=True)
class _Thing:
    """A table or a sequence (``kind`` as PostgreSQL writes it in GRANT)."""

    kind: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {_name(self.schema)}.{_name(self.name)}"


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


# Action and column; of a whole table the column is blank.
_Held = dict[_Thing, set[tuple[str, str]]]


class _PostgreSQL:
    """The catalogue of one database, and what differs from the wish."""

    def __init__(self, cursor: CursorWrapper, wish: Wish) -> None:
        self.cursor, self.wish = cursor, wish
        self.names = {wish.full_name(role): role for role in wish.roles}
        found = self._rows("SELECT oid, rolname FROM pg_roles WHERE rolname = ANY(%s)", list(self.names))
        self.oids: dict[str, int] = {name: oid for oid, name in found}
        self.holders = [*self.oids.values(), _PUBLIC]
        self.database, self.user = self._rows("SELECT current_database(), current_user")[0]
        self.schema, self.owner = self._place()
        self.sequences = self._sequences()

    def plan(self) -> Plan:
        """Everything in one transaction."""
        self._refuse_owners()
        result = Plan()
        statements = result.statements
        for name, role in self.names.items():
            statements += self._login(name, role, result)
            statements += self._settings(name, role)
            statements += self._memberships(name)
        statements += self._schemas()
        statements += self._databases()
        statements += self._functions()
        statements += self._defaults()
        statements += self._tables()
        if statements:
            statements[:] = ["BEGIN", *statements, "COMMIT"]
        return result

    def _rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(question, values)
        return list(self.cursor.fetchall())

    def _place(self) -> tuple[str, str]:
        """Schema and owner of the panel's tables."""
        tables = _wanted_tables(self.wish)
        question = """
            SELECT n.nspname, pg_get_userbyid(c.relowner), c.relname FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%s))
              AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p')
        """
        found = self._rows(question, _name(User._meta.db_table), [*tables, User._meta.db_table])
        if missing := {*tables, User._meta.db_table} - {name for _schema, _owner, name in found}:
            raise _missing(missing)
        return next((schema, owner) for schema, owner, name in found if name == User._meta.db_table)

    def _sequences(self) -> dict[str, list[str]]:
        """Sequences behind the columns of each table."""
        question = """
            SELECT t.relname, s.relname FROM pg_class s
            JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass
              AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
            JOIN pg_class t ON t.oid = d.refobjid
            JOIN pg_namespace n ON n.oid = t.relnamespace
            WHERE s.relkind = 'S' AND s.relnamespace = n.oid AND n.nspname = %s
            ORDER BY s.relname
        """
        found = defaultdict(list)
        for table, sequence in self._rows(question, self.schema):
            found[table].append(sequence)
        return found

    def _refuse_owners(self) -> None:
        """A login that owns something has every right to it; and nobody takes his own rights away."""
        if self.user in self.names:
            message = _("%(name)s cannot set its own rights. Give the URL of an administrator with --dburl.")
            raise ExportError(message % {"name": self.user})
        question = """
            SELECT DISTINCT pg_get_userbyid(refobjid) FROM pg_shdepend
            WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND refobjid = ANY(%s)
        """
        if owners := sorted(name for (name,) in self._rows(question, list(self.oids.values()))):
            message = _(
                "%(names)s must own nothing, but does. Give it to the owner of the tables with REASSIGN OWNED first."
            )
            raise ExportError(message % {"names": ", ".join(owners)})

    def _login(self, name: str, role: Role, result: Plan) -> list[str]:
        limit = role.connections or -1
        new = name not in self.oids
        secret = ""
        if new or self.wish.rotate:
            result.passwords[name] = self.wish.password(name)
            secret = f" PASSWORD {_literal(scram_verifier(result.passwords[name]))}"
        if new:
            # Everything else that a login may be, it is not by default.
            return [f"CREATE ROLE {_name(name)} LOGIN CONNECTION LIMIT {limit}{secret}"]
        question = """
            SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit
            FROM pg_roles WHERE rolname = %s
        """
        can_login, *powers, there = self._rows(question, name)[0]
        # Not all of them every time: who may not give such a power may not even deny it.
        words = "" if can_login else " LOGIN"
        words += "".join(f" NO{power}" for power, has in zip(_POWERS, powers, strict=True) if has)
        words += "" if there == limit else f" CONNECTION LIMIT {limit}"
        return [f"ALTER ROLE {_name(name)}{words}{secret}"] if words or secret else []

    def _settings(self, name: str, role: Role) -> list[str]:
        # As the server stores it.
        wanted = {"search_path": self._rows("SELECT quote_ident(%s)", self.schema)[0][0]}
        if role.reads_only:
            wanted["default_transaction_read_only"] = "on"
        if role.statement_s:
            wanted["statement_timeout"] = f"{role.statement_s}s"
        if role.idle_in_transaction_s:
            wanted["idle_in_transaction_session_timeout"] = f"{role.idle_in_transaction_s}s"
        question = """
            SELECT unnest(setconfig) FROM pg_db_role_setting
            WHERE setrole = %s AND setdatabase = (SELECT oid FROM pg_database WHERE datname = %s)
        """
        found = self._rows(question, self.oids.get(name, _PUBLIC), self.database) if name in self.oids else []
        there = dict(line.split("=", 1) for (line,) in found)
        begin = f"ALTER ROLE {_name(name)} IN DATABASE {_name(self.database)}"
        changed = {key: value for key, value in wanted.items() if there.get(key) != value}
        return [
            *(f"{begin} RESET {_name(key)}" for key in there if key not in wanted),
            *(
                f"{begin} SET {key} = {value if key == 'search_path' else _literal(value)}"
                for key, value in changed.items()
            ),
        ]

    def _memberships(self, name: str) -> list[str]:
        question = "SELECT DISTINCT pg_get_userbyid(roleid) FROM pg_auth_members WHERE member = %s"
        groups = self._rows(question, self.oids[name]) if name in self.oids else []
        return [f"REVOKE {_name(group)} FROM {_name(name)}" for (group,) in groups]

    def _schemas(self) -> list[str]:
        """Nobody but the owner makes anything in the panel's schema; of other schemas the roles have nothing."""
        question = """
            SELECT n.nspname, a.grantee, a.privilege_type, pg_get_userbyid(n.nspowner)
            FROM pg_namespace n, aclexplode(n.nspacl) a ORDER BY 1, 2, 3
        """
        held: dict[tuple[str, int], set[str]] = defaultdict(set)
        for schema, holder, action, _owner in self._rows(question):
            held[schema, holder].add(action)
        statements = []
        if "CREATE" in held[self.schema, _PUBLIC]:
            # The owner of the tables may have had it from everybody's rights.
            statements.append(f"GRANT USAGE, CREATE ON SCHEMA {_name(self.schema)} TO {_name(self.owner)}")
            statements.append(f"REVOKE CREATE ON SCHEMA {_name(self.schema)} FROM PUBLIC")
        for name in self.names:
            mine = self.oids.get(name, -1)
            for (schema, holder), actions in held.items():
                statements += [
                    f"REVOKE {action} ON SCHEMA {_name(schema)} FROM {_name(name)}"
                    for action in sorted(actions)
                    if holder == mine and (schema, action) != (self.schema, "USAGE")
                ]
            if "USAGE" not in held[self.schema, mine]:
                statements.append(f"GRANT USAGE ON SCHEMA {_name(self.schema)} TO {_name(name)}")
        return statements

    def _databases(self) -> list[str]:
        """Temporary tables are tables, too: nobody makes them but the owner of the database."""
        question = """
            SELECT a.grantee, a.privilege_type
            FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
            WHERE d.datname = %s ORDER BY 1, 2
        """
        held: dict[int, set[str]] = defaultdict(set)
        for holder, action in self._rows(question, self.database):
            held[holder].add(action)
        place = f"DATABASE {_name(self.database)}"
        statements = [
            f"REVOKE {action} ON {place} FROM PUBLIC" for action in sorted(held[_PUBLIC] - {"CONNECT"})
        ]
        for name in self.names:
            mine = held[self.oids.get(name, -1)]
            statements += [
                f"REVOKE {action} ON {place} FROM {_name(name)}" for action in sorted(mine - {"CONNECT"})
            ]
            if "CONNECT" not in mine:
                statements.append(f"GRANT CONNECT ON {place} TO {_name(name)}")
        return statements

    def _functions(self) -> list[str]:
        question = """
            SELECT DISTINCT p.oid::regprocedure::text, pg_get_userbyid(a.grantee)
            FROM pg_proc p, aclexplode(p.proacl) a WHERE a.grantee = ANY(%s)
        """
        return [
            f"REVOKE ALL ON ROUTINE {routine} FROM {_name(name)}"
            for routine, name in self._rows(question, list(self.oids.values()))
        ]

    def _defaults(self) -> list[str]:
        """Nobody gets rights to tables that are not there yet."""
        question = """
            SELECT DISTINCT pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype,
                   CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee) END
            FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
            WHERE d.defaclobjtype IN ('r', 'S') AND a.grantee = ANY(%s)
        """
        kinds = {"r": "TABLES", "S": "SEQUENCES"}
        return [
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {_name(maker)}"
            + (f" IN SCHEMA {_name(schema)}" if schema else "")
            + f" REVOKE ALL ON {kinds[kind]} FROM {_name(name) if name else 'PUBLIC'}"
            for maker, schema, kind, name in self._rows(question, self.holders)
            if name or (maker == self.owner and schema in {None, self.schema})
        ]

    def _tables(self) -> list[str]:
        held, grantable = self._held()
        everybodys = sorted(filter(self._is_ours, held[_PUBLIC]), key=str)
        statements = [f"REVOKE ALL ON {thing} FROM PUBLIC" for thing in everybodys]
        for name, role in self.names.items():
            oid = self.oids.get(name, -1)
            mine, wanted = held[oid], self._wanted(role)
            for thing in sorted(mine.keys() | wanted.keys(), key=str):
                there, due = mine.get(thing, set()), wanted.get(thing, set())
                if there == due and (oid, thing) not in grantable:
                    continue
                # To take an action from a table takes it from every column: what is due is given anew.
                taken = there - due or (oid, thing) in grantable
                if taken:
                    statements.append(f"REVOKE ALL ON {thing} FROM {_name(name)} CASCADE")
                if due:
                    given = _in_words(due if taken else due - there, _name)
                    statements.append(f"GRANT {given} ON {thing} TO {_name(name)}")
        return statements

    def _held(self) -> tuple[dict[int, _Held], set[tuple[int, _Thing]]]:
        """Rights to tables and their columns, and those that may be handed on."""
        question = """
            SELECT c.relkind, n.nspname, c.relname, '', a.grantee, a.privilege_type, a.is_grantable
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
            WHERE a.grantee = ANY(%s)
            UNION ALL
            SELECT c.relkind, n.nspname, c.relname, t.attname, a.grantee, a.privilege_type, a.is_grantable
            FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(t.attacl) a
            WHERE a.grantee = ANY(%s) AND NOT t.attisdropped
        """
        held: dict[int, _Held] = defaultdict(lambda: defaultdict(set))
        grantable = set()
        for kind, schema, name, column, holder, action, may_hand_on in self._rows(
            question, self.holders, self.holders
        ):
            thing = _Thing("SEQUENCE" if kind == "S" else "TABLE", schema, name)
            held[holder][thing].add((action, column))
            if may_hand_on:
                grantable.add((holder, thing))
        return held, grantable

    def _is_ours(self, thing: _Thing) -> bool:
        tables = {model._meta.db_table for model in application_models()} | _wanted_tables(self.wish)
        ours = tables | {name for table in tables for name in self.sequences[table]}
        return thing.schema == self.schema and thing.name in ours

    def _wanted(self, role: Role) -> _Held:
        wanted: _Held = defaultdict(set)
        for right in role.rights:
            wanted[_Thing("TABLE", self.schema, right.table)].add((right.action, right.column))
            if right.action == INSERT:
                for sequence in self.sequences[right.table]:
                    wanted[_Thing("SEQUENCE", self.schema, sequence)].add(("USAGE", ""))
        return wanted


def _in_words(held: Collection[tuple[str, str]], quote: Any) -> str:
    """``SELECT, UPDATE ("a", "b")``."""
    words = [action for action, column in sorted(held) if not column]
    for action in sorted({action for action, column in held if column}):
        columns = ", ".join(quote(column) for each, column in sorted(held) if column and each == action)
        words.append(f"{action} ({columns})")
    return ", ".join(words)


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores of a password: so the password itself is in no statement and in no log of the server."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{parts[0]}${parts[1]}:{parts[2]}"


def _plan_postgresql(_connection: BaseDatabaseWrapper, cursor: CursorWrapper, wish: Wish) -> Plan:
    return _PostgreSQL(cursor, wish).plan()


# --- MariaDB and MySQL -----------------------------------------------------------------------------------------


def _tick(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"


class _MySQL:
    """The grant tables, and what differs from the wish."""

    def __init__(self, cursor: CursorWrapper, wish: Wish, *, is_mariadb: bool) -> None:
        self.cursor, self.wish, self.is_mariadb = cursor, wish, is_mariadb
        self.names = {wish.full_name(role): role for role in wish.roles}
        self.database, user = self._rows("SELECT DATABASE(), CURRENT_USER()")[0]
        if user.rpartition("@")[0] in self.names:
            message = _("%(name)s cannot set its own rights. Give the URL of an administrator with --dburl.")
            raise ExportError(message % {"name": user})
        self.logins = self._logins()

    def _rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        self.cursor.execute(question, values)
        return list(self.cursor.fetchall())

    def _logins(self) -> dict[tuple[str, str], tuple[int, float]]:
        """Limits of the logins that are there: connections, seconds of a statement."""
        seconds = "max_statement_time" if self.is_mariadb else "0"
        # A constant of ours.
        question = f"SELECT User, Host, max_user_connections, {seconds} FROM mysql.user"  # noqa: S608
        try:
            found = self._rows(question)
        except DatabaseError as error:
            message = _(
                "This login may not read the rights of others. Give the URL of an administrator with --dburl or "
                "MODOBOA_ADMIN_DATABASE_URL."
            )
            raise ExportError(message) from error
        return {
            (str(user), str(host)): (int(connections), float(limit_s))
            for user, host, connections, limit_s in found
        }

    def plan(self) -> Plan:
        """Statement by statement."""
        question = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        if missing := _wanted_tables(self.wish) - {name for (name,) in self._rows(question)}:
            raise _missing(missing)
        result = Plan()
        for name, role in self.names.items():
            for host in self.wish.hosts:
                result.statements += self._login(name, host, role, result)
                result.statements += self._rights(name, host, role)
        for user, host in sorted(self.logins):
            if user in self.names and host not in self.wish.hosts:
                message = _("%(login)s is there, too, and was left alone. Drop it when nobody needs it.")
                result.remarks.append(message % {"login": _login(user, host)})
        question = """
            SELECT User FROM mysql.db WHERE User IN ('', 'PUBLIC') AND DATABASE() LIKE Db
            UNION SELECT User FROM mysql.tables_priv WHERE User IN ('', 'PUBLIC') AND Db = DATABASE()
        """
        for (user,) in self._rows(question):
            message = _("%(who)s has rights in this database, and so has everybody. Take them away.")
            result.remarks.append(message % {"who": str(user) or _("The anonymous user")})
        return result

    def _login(self, name: str, host: str, role: Role, result: Plan) -> list[str]:
        limits = f"WITH MAX_USER_CONNECTIONS {role.connections}"
        if self.is_mariadb:
            limits += f" MAX_STATEMENT_TIME {role.statement_s}"
        new = (name, host) not in self.logins
        secret = ""
        if new or self.wish.rotate:
            # The same for all hosts of a role.
            password = result.passwords.setdefault(name, self.wish.password(name))
            secret = " " + self._identified(password)
        if new:
            return [f"CREATE USER {_login(name, host)}{secret} {limits}"]
        wanted = (role.connections, float(role.statement_s if self.is_mariadb else 0))
        if self.logins[name, host] == wanted:
            return [f"ALTER USER {_login(name, host)}{secret}"] if secret else []
        return [f"ALTER USER {_login(name, host)}{secret} {limits}"]

    def _identified(self, password: str) -> str:
        """MariaDB takes the hash itself; MySQL only the password, which it keeps out of its logs."""
        if not self.is_mariadb:
            return f"IDENTIFIED BY {_literal(password)}"
        digest = hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()  # noqa: S324  the server's own
        return f"IDENTIFIED VIA mysql_native_password USING '*{digest.upper()}'"

    def _rights(self, name: str, host: str, role: Role) -> list[str]:
        login = _login(name, host)
        held = self._held(login) if (name, host) in self.logins else {}
        statements = [f"REVOKE {_tick(group)} FROM {login}" for group in self._groups(name, host)]
        if (name, host) in self.logins and self._has_more_than_tables(name, host, login):
            statements.append(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {login}")
            held = {}
        wanted: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        for right in role.rights:
            wanted[self.database, right.table].add((right.action, right.column))
        for place in sorted(held.keys() | wanted.keys()):
            there, due = held.get(place, set()), wanted.get(place, set())
            table = ".".join(map(_tick, place))
            if there - due:
                statements.append(f"REVOKE {_in_words(there - due, _tick)} ON {table} FROM {login}")
                there = set()  # a column's right may be gone with the table's
            if due - there:
                statements.append(f"GRANT {_in_words(due - there, _tick)} ON {table} TO {login}")
        return statements

    def _held(self, login: str) -> dict[tuple[str, str], set[tuple[str, str]]]:
        held = defaultdict(set)
        question = """
            SELECT TABLE_SCHEMA, TABLE_NAME, PRIVILEGE_TYPE, '' FROM information_schema.TABLE_PRIVILEGES
            WHERE GRANTEE = %s AND PRIVILEGE_TYPE <> 'USAGE'
            UNION ALL
            SELECT TABLE_SCHEMA, TABLE_NAME, PRIVILEGE_TYPE, COLUMN_NAME
            FROM information_schema.COLUMN_PRIVILEGES WHERE GRANTEE = %s
        """
        for schema, table, action, column in self._rows(question, login, login):
            held[str(schema), str(table)].add((str(action).upper(), str(column)))
        return held

    def _has_more_than_tables(self, name: str, host: str, login: str) -> bool:
        """Rights to the server, to whole databases or to routines, or any that may be handed on."""
        question = """
            SELECT 1 FROM information_schema.USER_PRIVILEGES
            WHERE GRANTEE = %s AND (PRIVILEGE_TYPE <> 'USAGE' OR IS_GRANTABLE = 'YES')
            UNION ALL SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = %s
            UNION ALL SELECT 1 FROM information_schema.TABLE_PRIVILEGES WHERE GRANTEE = %s AND IS_GRANTABLE = 'YES'
            UNION ALL SELECT 1 FROM information_schema.COLUMN_PRIVILEGES WHERE GRANTEE = %s AND IS_GRANTABLE = 'YES'
            UNION ALL SELECT 1 FROM mysql.procs_priv WHERE User = %s AND Host = %s
        """
        return bool(self._rows(question, login, login, login, login, name, host))

    def _groups(self, name: str, host: str) -> list[str]:
        if (name, host) not in self.logins:
            return []
        if self.is_mariadb:
            question = "SELECT Role FROM mysql.roles_mapping WHERE User = %s AND Host = %s"
        else:
            question = "SELECT FROM_USER FROM mysql.role_edges WHERE TO_USER = %s AND TO_HOST = %s"
        return [str(group) for (group,) in self._rows(question, name, host)]


def _login(name: str, host: str) -> str:
    return f"{_literal(name)}@{_literal(host)}"


def _plan_mysql(connection: Any, cursor: CursorWrapper, wish: Wish) -> Plan:
    return _MySQL(cursor, wish, is_mariadb=connection.mysql_is_mariadb).plan()


_PLANS = {"postgresql": _plan_postgresql, "mysql": _plan_mysql}
