"""Every question that Postfix and Dovecot ask, defined once.

A lookup has its SQL for each engine and a Python function with the same answer. The generated files, the
explanations shown to people and the tests against real servers all come from here. Each one finds one row of
one published table by its key, but for :func:`kept_name_query`, which is hardly ever asked. No clock is asked: what
time ends is published anew (docs/adr/0013).

The placeholder ``{key}`` is what the mail server puts in (``'%s'`` in a Postfix map, ``'%Lu'`` in Dovecot 2.3). Only
the whole key is used: ``%u`` and ``%d`` make Postfix skip the query for keys that lack that part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.db.models import CharField, QuerySet, Value

from admin.models import MailCheck, MailDomain, MailRoute, MailSender, MailTransport, MailUser
from admin.models.published import (
    CLOSED_ACTION,
    LOCAL_TRANSPORT,
    OPEN_ACTION,
    RETRY_ACTION,
    RETRY_TRANSPORT,
    unlisted,
)
from core.signals import register_postfix_maps


class Engine(StrEnum):
    """Database engines, under Django's names."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"


# The other actions and transports are made by the database: admin/models/published.py.
VERIFY_ACTION = "reject_unverified_recipient"


def joined(engine: Engine, *parts: str) -> str:
    """SQL that concatenates expressions."""
    if engine is Engine.SQLITE:
        return f"({' || '.join(parts)})"
    # To MySQL || means OR; PostgreSQL needs longer to plan it.
    return f"concat({', '.join(parts)})"


class MapFile(Protocol):
    """A map file of Postfix: its name, what it is asked, and the query for each engine."""

    @property
    def file_name(self) -> str:
        """``….cf``."""

    @property
    def question(self) -> str:
        """One line for people."""

    def sql(self, engine: Engine, key: str) -> str:
        """The query with *key*, quotes included."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question with one key.

    *template* is SQL with ``{key}``; *answer* gives the values for a key as the mail server asks it (lower case), in no
    particular order.
    """

    name: str
    question: str
    template: str
    answer: Callable[[str], list[str]]

    @property
    def file_name(self) -> str:
        """Documented name of the map file."""
        return f"sql-{self.name}.cf"

    def sql(self, engine: Engine, key: str) -> str:  # noqa: ARG002 - the same for all
        """The query with *key* in place, quotes included."""
        return self.template.format(key=key)


def _names(kind: MailDomain.Kind, column: str) -> Callable[[str], list[str]]:
    def answer(key: str) -> list[str]:
        return list(MailDomain.objects.filter(name=key, kind=kind).values_list(column, flat=True))

    return answer


def next_addresses(keys: Iterable[str]) -> dict[str, list[str]]:
    """Answers of the map ``aliases`` for many keys, in one statement; keys without an answer are left out."""
    return _lists(MailRoute.objects.filter(address__in=set(keys)), "targets")


def logins(keys: Iterable[str]) -> dict[str, list[str]]:
    """Who may send from each of *keys*, as :func:`next_addresses`."""
    return _lists(MailSender.objects.filter(address__in=set(keys)), "logins")


def _lists(rows: QuerySet[Any], column: str) -> dict[str, list[str]]:
    return {key: unlisted(text) for key, text in rows.values_list("address", column)}


def _next_addresses(key: str) -> list[str]:
    return next_addresses([key]).get(key, [])


def _logins(column: str) -> Callable[[str], list[str]]:
    def answer(key: str) -> list[str]:
        return _lists(MailSender.objects.filter(address=key), column).get(key, [])

    return answer


class Fact(StrEnum):
    """Single answers of the other tables, as `facts` gives them."""

    DOMAIN = "domain"
    USER = "user"
    TRANSPORT = "transport"
    CHECK = "check"


def facts(names: Iterable[str], addresses: Iterable[str]) -> dict[tuple[Fact, str], str]:
    """What is published about domain names and addresses, in one statement.

    Values: the kind of a domain, the login of a mailbox, the kind of a transport, the action of a check.
    """
    names, addresses = set(names), set(addresses)

    def rows(fact: Fact, found: QuerySet[Any], key: str, value: str) -> QuerySet[Any, Any]:
        return found.order_by().values_list(Value(fact, output_field=CharField()), key, value)

    found = rows(Fact.DOMAIN, MailDomain.objects.filter(name__in=names), "name", "kind").union(
        rows(
            Fact.USER, MailUser.objects.filter(address__in=addresses, is_moving=False), "address", "address"
        ),
        rows(Fact.TRANSPORT, MailTransport.objects.filter(address__in=addresses), "address", "kind"),
        rows(Fact.CHECK, MailCheck.objects.filter(address__in=addresses), "address", "action"),
        all=True,
    )
    return {(Fact(fact), key): value for fact, key, value in found}


def _own_end(key: str) -> list[str]:
    return [key] if key in _next_addresses(key) else []


def _refusals(key: str) -> list[str]:
    texts = {"retry": RETRY_ACTION, "closed": CLOSED_ACTION}
    actions = MailCheck.objects.filter(address=key).values_list("action", flat=True)
    return [texts.get(action, OPEN_ACTION) for action in actions]


def next_hop(service: str, host: str, port: int) -> str:
    """Of a relay, as Postfix spells it. It takes an IPv6 address between the brackets as it is."""
    return f"{service}:[{host}]:{port}"


def _special_ways(key: str) -> list[str]:
    texts = {"retry": RETRY_TRANSPORT, "local": LOCAL_TRANSPORT}
    kinds = MailTransport.objects.filter(address=key, kind__in=texts).values_list("kind", flat=True)
    return [texts[kind] for kind in kinds]


POSTFIX: tuple[Lookup, ...] = (
    Lookup(
        name="domains",
        question="Is this a domain with mailboxes here? (virtual_mailbox_domains)",
        template="SELECT name FROM mail_domain WHERE name = {key} AND kind = 'mailbox'",
        answer=_names(MailDomain.Kind.MAILBOX, "name"),
    ),
    Lookup(
        name="domain-aliases",
        question="Which domain does this other name stand for? (virtual_alias_domains)",
        template="SELECT target FROM mail_domain WHERE name = {key} AND kind = 'alias'",
        answer=_names(MailDomain.Kind.ALIAS, "target"),
    ),
    Lookup(
        name="aliases",
        question="Where does mail for this address, or for @domain, go next? (virtual_alias_maps)",
        template="SELECT targets FROM mail_route WHERE address = {key}",
        answer=_next_addresses,
    ),
    Lookup(
        name="mailboxes",
        # Not of the table that Dovecot reads: what Postfix need not see are passwords.
        question="Does mail for this address end here? (virtual_mailbox_maps)",
        template="SELECT address FROM mail_route WHERE address = {key} AND ends_here",
        answer=_own_end,
    ),
    Lookup(
        name="maintain",
        question="Must mail for this address wait, or is it switched off? (check_recipient_access)",
        template="SELECT answer FROM mail_check WHERE address = {key}",
        answer=_refusals,
    ),
    Lookup(
        name="spliteddomains-transport",
        # The check above sees what the client typed; this also holds back mail that an alias leads to a mailbox.
        question="Does mail for this address go another way than the rest of its domain? (transport_maps, first)",
        template="SELECT answer FROM mail_transport WHERE address = {key} AND kind <> 'relay'",
        answer=_special_ways,
    ),
    # Postfix takes the answer of the first map that has one. This one therefore names everybody who may send from
    # the address, else the own address of one person would hide that another may use it, too.
    Lookup(
        name="sender-login-mailboxes",
        question="Who may send from this address? (smtpd_sender_login_maps, first)",
        template="SELECT logins FROM mail_sender WHERE address = {key}",
        answer=_logins("logins"),
    ),
    Lookup(
        name="sender-login-aliases",
        question="Who may send from this address because an alias delivers to him? (smtpd_sender_login_maps)",
        template="SELECT alias_logins FROM mail_sender WHERE address = {key} AND alias_logins <> ''",
        answer=_logins("alias_logins"),
    ),
    Lookup(
        name="sender-login-mailboxes-extra",
        question="Who was given this address to send from? (smtpd_sender_login_maps)",
        template="SELECT extra_logins FROM mail_sender WHERE address = {key} AND extra_logins <> ''",
        answer=_logins("extra_logins"),
    ),
)


@dataclass(frozen=True, slots=True)
class _PluginMap:
    """A map file as plugins describe it; the queries hold ``'%s'`` or other placeholders of Postfix already."""

    file_name: str
    queries: Mapping[Engine, str]
    question: str

    def sql(self, engine: Engine, key: str) -> str:  # noqa: ARG002 - the key is in the query
        """The query as it was given."""
        return self.queries[engine]


_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\.cf", re.ASCII | re.IGNORECASE)


def postfix_maps() -> tuple[MapFile, ...]:
    """Every map file, of this app and those that registered theirs; raises :class:`ImproperlyConfigured`.

    Receivers of ``register_postfix_maps`` return lookups, or classes as the plugin API has them: *filename*, and the
    queries *postgres*, *mysql* and *sqlite*, one line each.
    """
    maps: dict[str, MapFile] = {}
    for each in register_postfix_maps.listed():
        entry = each if isinstance(each, Lookup) else _plugin_map(each)
        if entry.file_name in maps:
            message = f"Two apps register the map file {entry.file_name}."
            raise ImproperlyConfigured(message)
        maps[entry.file_name] = entry
    return tuple(maps.values())


def _plugin_map(given: Any) -> _PluginMap:
    try:
        name = given.filename
        queries = {
            Engine.POSTGRESQL: given.postgres,
            Engine.MYSQL: given.mysql,
            Engine.SQLITE: given.sqlite,
        }
    except AttributeError as error:
        message = f"{given!r} is no map file: {error}."
        raise ImproperlyConfigured(message) from error
    if not _FILE_NAME.fullmatch(name):
        message = f"A map file cannot be called {name!r}."
        raise ImproperlyConfigured(message)
    if any(not (query and query.strip() and query.isprintable()) for query in queries.values()):
        message = f"The queries of {name} must be one line each."
        raise ImproperlyConfigured(message)
    return _PluginMap(name, queries, getattr(given, "question", "") or "Of a plugin.")


# --- Dovecot ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """What Dovecot must know beyond the tables: where mail is kept, and whose files they are."""

    root: str
    uid: str
    gid: str


def password_query(engine: Engine, key: str) -> str:
    """Dovecot's passdb: the hash, and why somebody may not sign in though the password is right.

    The login is the key, which is lowered before (``auth_username_format``).
    """
    return f"SELECT password, closed AS nologin, reason FROM mail_user WHERE {_is_user(engine, key)}"


def user_query(engine: Engine, key: str, mailboxes: Mailboxes, *, version: str) -> str:
    """Dovecot's userdb: home, quota (whose name changed with version 2.4), and whether to come again later.

    The owner is the same for all of them and stands in Dovecot's files.
    """
    return f"SELECT {_user(engine, mailboxes, version)} FROM mail_user WHERE {_is_user(engine, key)}"


def kept_name_query(
    engine: Engine, key: str, local_part: str, domain: str, mailboxes: Mailboxes, *, version: str
) -> str:
    """The userdb that LMTP alone asks, about names that the first one does not know; *user* is the login.

    Mail that Postfix accepted for a mailbox waits for its old name when the mailbox is renamed: aliases are looked up
    once, when mail comes in. An address that leads to one mailbox is that mailbox here, and so is one in another name
    of its domain. Every part is a look at a unique key. There are several of them, for what a rename left in a queue.
    """
    # Of a domain that stands for itself *target* is empty.
    other = f"(SELECT {joined(engine, local_part, _AT, 'target')} FROM mail_domain WHERE name = {domain})"
    known = f"(SELECT address FROM mail_user WHERE address = {other})"
    address = f"coalesce({_alias(key)}, {known}, {_alias(other)})"
    return (
        f"SELECT address AS user, {_user(engine, mailboxes, version)} FROM mail_user"
        f" WHERE {_is_user(engine, key, address)}"
    )


_AT = "'@'"


def _alias(address: str) -> str:
    """Where *address* leads: to one login, or to several, a list that is nobody's."""
    return f"(SELECT targets FROM mail_route WHERE address = {address})"


def _user(engine: Engine, mailboxes: Mailboxes, version: str) -> str:
    home = joined(engine, f"'{mailboxes.root}/'", "home")
    quota = "quota_rule" if version == "2.3" else "quota_size AS quota_storage_size"
    return f"{home} AS home, {quota}, closed AS tempfail"


def _is_user(engine: Engine, key: str, address: str = "") -> str:
    """The condition, of *address* when that is not the key itself; for MySQL an error when the key is empty.

    While it cannot reach the server, Dovecot (2.3.19) makes an empty text of the key, waits for a connection, and asks:
    nobody would be found, and mail would bounce (tests/mail/test_outage.py).
    """
    # The greatest number that MySQL knows, and one more when the key is empty: cheaper to plan than a function.
    guard = f" AND 18446744073709551615 + ({key} = '')" if engine is Engine.MYSQL else ""
    return f"address = {address or key}{guard}"


ITERATE_QUERY = "SELECT address AS user FROM mail_user WHERE closed IS NULL"


def dovecot_user(key: str, mailboxes: Mailboxes) -> dict[str, Any] | None:
    """What the userdb of Dovecot 2.3 answers; it lowers ASCII letters only."""
    return _fields(MailUser.objects.filter(address=_lowered(key)).first(), mailboxes)


def delivery_user(key: str, mailboxes: Mailboxes) -> dict[str, Any] | None:
    """The same when LMTP asks, which takes other names than the login, too; then it is the field *user*."""
    address = _lowered(key)
    if user := dovecot_user(address, mailboxes):
        return user
    local_part, _at, domain = address.partition("@")
    targets = MailDomain.objects.filter(name=domain).values_list("target", flat=True)
    other = "".join(f"{local_part}@{target}" for target in targets)
    routes = dict(MailRoute.objects.filter(address__in=(address, other)).values_list("address", "targets"))
    if MailUser.objects.filter(address=other).exists():
        routes[other] = other
    login = routes.get(address) or routes.get(other, "")
    fields = _fields(MailUser.objects.filter(address=login).first(), mailboxes)
    return {**fields, "user": login} if fields and "tempfail" not in fields else fields


def _lowered(key: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in key)


def _fields(user: MailUser | None, mailboxes: Mailboxes) -> dict[str, Any] | None:
    if user is None:
        return None
    if user.is_moving:
        return {"tempfail": "y"}
    return {
        "home": f"{mailboxes.root}/{user.home}",
        "uid": mailboxes.uid,
        "gid": mailboxes.gid,
        "quota_rule": f"*:bytes={user.quota}M",
    }
