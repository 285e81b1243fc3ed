"""Types of lines: what their cells mean, and which operation creates what they name.

An app adds a type of its own with :func:`add_row_type`; docs/plugins.md tells the older way, a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from admin import policies
from admin.imports import plugins
from admin.imports.cells import Cells, Column
from admin.operations.accounts import AccountSpec, MailboxSpec, create_hashed_accounts
from admin.operations.aliases import AliasSpec, create_aliases
from admin.operations.authorized_mx import Objection, unauthorized
from admin.operations.domains import (
    DomainAliasSpec,
    DomainSpec,
    create_checked_domain_aliases,
    create_checked_domains,
)
from admin.queries import names_there
from core.addresses import (
    AddressError,
    canonical_alias_address,
    canonical_domain,
    canonical_login_name,
    split_address,
)
from core.operations.passwords import Secret, given_hash, unhashed
from core.presentation import size_text
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor

MIB: Final = 1 << 20


class Stage(IntEnum):
    """Parents come first, wherever they stand in a file."""

    DOMAINS = 0
    DOMAIN_ALIASES = 1
    ACCOUNTS = 2
    ALIASES = 3
    FURTHER = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What the person who imports chose.

    *continue_if_exists*: what is there already is skipped, not refused. *crypt_password*: passwords are clear text, to
    be hashed; otherwise they are hashes. *strict*: a misspelt boolean is refused.
    """

    continue_if_exists: bool = False
    crypt_password: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What was asked before the transaction began, because it takes its time: what the DNS says of names and hosts."""

    names: Mapping[str, Objection] = field(default_factory=dict)
    hosts: Mapping[str, Any] = field(default_factory=dict)
    # Hashes of clear passwords by line; without one a rehearsal goes on with none.
    hashes: Callable[[Sequence[int]], Mapping[int, str]] = lambda _lines: {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line as it was understood: *key* is the canonical name of what it creates, *shown* what a person reads.

    *password*: its cell, clear or hashed; *further*: of an account, the cells after the role, if plugins ask for them.
    """

    line: int
    kind: str
    key: str
    shown: str
    spec: Any
    password: str | None = None
    further: Sequence[str] = ()


# Creates what entries name, all of them or (raising Refusal) nothing; names of fields are those of the columns.
Create = Callable[["Actor", Sequence[Entry], Options, Known], object]


@dataclass(frozen=True, slots=True)
class RowType:
    """A type of line.

    *read* makes the entry of a line and notes in the cells what is wrong; *there* tells which keys exist already, as
    far as the actor sees; *columns_of* are the columns of the fields that its operation refuses, where their names
    differ. *ask* and *allow*: names and hosts that the DNS is asked about before, and who may create such things.
    """

    name: str
    label: str | Promise
    stage: Stage
    columns: tuple[Column, ...]
    allow: Callable[[Actor], bool]
    read: Callable[[int, str, Cells, Options, Actor], Entry]
    there: Callable[[Actor, Collection[str]], set[str]]
    create: Create
    detail: Callable[[Entry], str]
    columns_of: Mapping[str, str] = field(default_factory=dict)
    ask: Callable[[Actor, Sequence[Entry]], Known] | None = None
    # What refusals for lack of room are about: rows that ask for as much there, or more, need not be tried.
    room: Callable[[Entry, str, str], tuple[str, int]] = lambda _entry, code, field: (f"{code} {field}", 0)
    # Where each column stands, by name.
    places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """The columns do not change."""
        object.__setattr__(self, "places", {column.name: at for at, column in enumerate(self.columns)})


_types: dict[str, RowType] = {}


def add_row_type(row_type: RowType) -> None:
    """Understand lines of this type from now on."""
    _types[row_type.name] = row_type


def row_types() -> Mapping[str, RowType]:
    """Types by name."""
    return _types


def columns() -> dict[str, Sequence[Column]]:
    """The columns of every type."""
    return {name: row_type.columns for name, row_type in _types.items()}


def key_of(text: str, canonical: Callable[[str], str]) -> str:
    """The canonical form, or the text itself: what the grammar refuses is refused by the operation."""
    plain = text.strip().lower()
    if plain.isascii():
        return plain
    with suppress(AddressError):
        return canonical(text)
    return plain


# --- domains ---------------------------------------------------------------------------------------------------


def _read_domain(line: int, kind: str, cells: Cells, _options: Options, _actor: Actor) -> Entry:
    name = cells.text("name")
    spec = DomainSpec(
        name=name,
        quota=cells.number("quota"),
        default_mailbox_quota=cells.number("default_mailbox_quota"),
        enabled=cells.truth("enabled"),
    )
    return Entry(line, kind, key_of(name, canonical_domain), name, spec)


def _create_domains(actor: Actor, entries: Sequence[Entry], _options: Options, known: Known) -> None:
    create_checked_domains(actor, [entry.spec for entry in entries], known.names)


def ask_about_names(actor: Actor, entries: Sequence[Entry]) -> Known:
    """Whether the mail of new domains comes here already."""
    return Known(names=unauthorized(actor, [entry.spec.name for entry in entries]))


def _amount_in_domain(entry: Entry, code: str, field_name: str) -> tuple[str, int]:
    return f"{code} {field_name}", entry.spec.quota if field_name == "quota" else 0


def domain_detail(entry: Entry) -> str:
    """Its quota."""
    if not entry.spec.quota:
        return _("no limit of storage")
    return size_text(entry.spec.quota * MIB)


def _read_domain_alias(line: int, kind: str, cells: Cells, _options: Options, _actor: Actor) -> Entry:
    name = cells.text("name")
    spec = DomainAliasSpec(name=name, target=cells.text("target"), enabled=cells.truth("enabled"))
    return Entry(line, kind, key_of(name, canonical_domain), name, spec)


def _create_domain_aliases(actor: Actor, entries: Sequence[Entry], _options: Options, known: Known) -> None:
    create_checked_domain_aliases(actor, [entry.spec for entry in entries], known.names)


# --- accounts --------------------------------------------------------------------------------------------------

_ROLES: Final = {
    **{role.value.lower(): role for role in Role},
    **{role.name.lower(): role for role in Role},
}


def _read_account(line: int, kind: str, cells: Cells, options: Options, actor: Actor) -> Entry:
    username, address = cells.text("username"), cells.text("address")
    password = cells.text("password")
    if options.crypt_password:
        if password.startswith("{") and "}" in password:
            cells.warn(
                "password", "looks_hashed", _("This looks like a hash; it is taken as the password itself.")
            )
    elif not policies.may_give_hashes(actor):
        cells.refuse("password", "hash_not_yours", _("Only super administrators give hashes of passwords."))
    elif (error := given_hash(password).error) is not None:
        cells.refuse("password", error.code, error.message)
    mailbox = None
    if address:
        quota = cells.number("quota") if cells.has("quota") else None
        mailbox = MailboxSpec(address=address, quota=quota)
    elif cells.has("quota"):
        cells.refuse("quota", "no_mailbox", _("A quota needs the address of a mailbox."))
    spec = AccountSpec(
        username=username,
        role=_role(cells),
        first_name=cells.text("first_name"),
        last_name=cells.text("last_name"),
        is_active=cells.truth("enabled"),
        mailbox=mailbox,
        administers=tuple(cell for cell in cells.rest("domain") if not plugins.is_theirs(cell)),
    )
    key = key_of(username, canonical_login_name)
    return Entry(line, kind, key, username, spec, password, plugins.further_cells(cells))


def _role(cells: Cells) -> Role:
    word = cells.text("role")
    role = _ROLES.get(word.replace(" ", "").lower())
    if role is None:
        message = _("“%(word)s” is not a role. Roles: %(roles)s.")
        shown = {"word": word[:50], "roles": ", ".join(role.value for role in Role)}
        cells.refuse("role", "unknown_role", message % shown)
    return role or Role.SIMPLE_USER


def _create_accounts(actor: Actor, entries: Sequence[Entry], options: Options, known: Known) -> None:
    hashes = known.hashes([entry.line for entry in entries]) if options.crypt_password else {}
    secrets = [_secret(entry, options, hashes) for entry in entries]
    created = create_hashed_accounts(actor, [entry.spec for entry in entries], secrets)
    plugins.tell_of_accounts(actor.user, [new.account for new in created], [e.further for e in entries])


def _secret(entry: Entry, options: Options, hashes: Mapping[int, str]) -> Secret:
    password = entry.password or ""
    if not options.crypt_password:
        return Secret("", password, is_given=True)  # looked at when the line was read
    secret = unhashed(password)
    return replace(secret, hashed=hashes[entry.line]) if entry.line in hashes else secret


def _amount_of_account(entry: Entry, code: str, field_name: str) -> tuple[str, int]:
    box = entry.spec.mailbox
    if code == "limit_reached":
        asks = box is not None if field_name == "address" else entry.spec.role is Role.DOMAIN_ADMIN
        return (f"{code} {field_name}", 0) if asks else ("", 0)
    if box is None:
        return "", 0
    return f"{code} {field_name} {box.address.lower().rpartition('@')[2]}", box.quota or 0


def _account_detail(entry: Entry) -> str:
    spec: AccountSpec = entry.spec
    words = [] if spec.role is Role.SIMPLE_USER else [str(spec.role.label)]
    words.append(_mailbox_detail(spec.mailbox.quota if spec.mailbox else _NO_MAILBOX, get_language() or ""))
    return ", ".join(words)


_NO_MAILBOX: Final = -1


@lru_cache(maxsize=1_000)
def _mailbox_detail(quota: int | None, _language: str) -> str:
    if quota == _NO_MAILBOX:
        return _("without a mailbox")
    if quota is None:
        return _("with mailbox, value of the domain")
    if quota == 0:
        return _("with mailbox, no limit")
    return _("with mailbox, %(size)s") % {"size": size_text(quota * MIB)}


# --- aliases ---------------------------------------------------------------------------------------------------

_LEAST_RECIPIENTS: Final = {"dlist": 2}
_RECIPIENTS_SHOWN: Final = 3


def _read_alias(line: int, kind: str, cells: Cells, _options: Options, _actor: Actor) -> Entry:
    address, recipients = cells.text("address"), cells.rest("recipient")
    if len(recipients) < _LEAST_RECIPIENTS.get(kind, 1) and not cells.problems:
        message = _("A list has at least two recipients.") if kind == "dlist" else _("Enter a recipient.")
        cells.refuse("recipient", "no_recipient", message)
    spec = AliasSpec(address=address, recipients=recipients, enabled=cells.truth("enabled"))
    return Entry(line, kind, key_of(address, canonical_alias_address), address, spec)


def _create_aliases(actor: Actor, entries: Sequence[Entry], _options: Options, _known: Known) -> None:
    create_aliases(actor, [entry.spec for entry in entries])


def _amount_of_alias(entry: Entry, code: str, field_name: str) -> tuple[str, int]:
    if code == "limit_reached":
        return f"{code} {field_name}", 0
    with suppress(ValueError):
        return f"{code} {split_address(entry.key)[1]}", 0
    return "", 0


def _alias_detail(entry: Entry) -> str:
    recipients = entry.spec.recipients
    more = ["…"] if len(recipients) > _RECIPIENTS_SHOWN else []
    return _("to %(recipients)s") % {"recipients": ", ".join([*recipients[:_RECIPIENTS_SHOWN], *more])}


# --- what there is ---------------------------------------------------------------------------------------------


def _alias_type(name: str) -> RowType:
    return RowType(
        name=name,
        label=gettext_lazy("alias"),
        stage=Stage.ALIASES,
        columns=(
            Column("address"),
            Column("enabled", "true"),
            Column("recipient", repeats=True, optional=True),
        ),
        allow=policies.may_manage_aliases,
        read=_read_alias,
        there=names_there.aliases,
        create=_create_aliases,
        detail=_alias_detail,
        columns_of={"recipients": "recipient"},
        room=_amount_of_alias,
    )


for _row_type in (
    RowType(
        name="domain",
        label=gettext_lazy("domain"),
        stage=Stage.DOMAINS,
        columns=(
            Column("name"),
            Column("quota", "0"),
            Column("default_mailbox_quota", "0"),
            Column("enabled", "true"),
        ),
        allow=policies.may_manage_domains,
        read=_read_domain,
        there=names_there.domains,
        create=_create_domains,
        detail=domain_detail,
        ask=ask_about_names,
        room=_amount_in_domain,
    ),
    RowType(
        name="domainalias",
        label=gettext_lazy("domain alias"),
        stage=Stage.DOMAIN_ALIASES,
        columns=(Column("name"), Column("target"), Column("enabled", "true")),
        allow=policies.may_manage_domains,
        read=_read_domain_alias,
        there=names_there.domain_aliases,
        create=_create_domain_aliases,
        detail=lambda entry: _("of %(domain)s") % {"domain": entry.spec.target},
        ask=ask_about_names,
    ),
    RowType(
        name="account",
        label=gettext_lazy("account"),
        stage=Stage.ACCOUNTS,
        columns=(
            Column("username"),
            Column("password"),
            Column("first_name", ""),
            Column("last_name", ""),
            Column("enabled", "true"),
            Column("role", Role.SIMPLE_USER.value),
            Column("address", "", optional=True),
            Column("quota", "", optional=True),
            Column("domain", "", optional=True, repeats=True),
        ),
        allow=policies.may_manage_accounts,
        read=_read_account,
        there=names_there.accounts,
        create=_create_accounts,
        detail=_account_detail,
        columns_of={"administers": "domain"},
        room=_amount_of_account,
    ),
    _alias_type("alias"),
    _alias_type("forward"),
    _alias_type("dlist"),
):
    add_row_type(_row_type)
