"""The grammar of ``core.addresses`` as database constraints, for rows that do not come through our code.

Restoring a dump, Dovecot, or an administrator with a SQL prompt can write to the same tables, so the conditions use
only what the engines have built in: ``~`` on PostgreSQL, ``REGEXP`` on MariaDB and MySQL, ``GLOB`` on SQLite. (Django's
own ``regex`` lookup calls a Python function on SQLite, which other programs do not have.)

Every value that ``core.addresses`` accepts satisfies its shape. The reverse holds for ASCII, with one exception: the
database does not decode "xn--" labels. Beyond ASCII a local part may hold any character, because whether letters of
other scripts are accepted is a setting.

A pattern is written once, in the common part of the dialects: "*" stands for any text, "?" for any character, "[…]"
and "[^…]" for one of or none of a class; everything else is a lower-case letter, a digit, ".", "-" or "@" and stands
for itself. There is no backslash and no percent sign, which the engines and Django quote differently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.db.models import BooleanField, Func, Q

from core.addresses import (
    ADDRESS_OCTETS,
    DOMAIN_OCTETS,
    LABEL_OCTETS,
    LOCAL_PART_OCTETS,
    PUNCTUATION,
    Kind,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.expressions import Combinable
    from django.db.models.sql.compiler import SQLCompiler

    Sql = tuple[str, tuple[str | int, ...]]
    Condition = tuple[str, str | int | None]

_BEYOND_ASCII: Final = (
    "\u00a1-\U0010fffd"  # without the second set of control characters and the no-break space
)
_FIRST: Final = f"a-z0-9_{_BEYOND_ASCII}"
_TOKEN: Final = re.compile(r"[*?]|(\[[^]]+\])(\1*)|[a-z0-9.@-]")
_PATTERN: Final = re.compile(r"(?:[*?]|\[[^]]+\]|[a-z0-9.@-])+")


class Shaped(Func):
    """True for text that matches every pattern of ``like`` and no pattern of ``unlike``.

    ``octets`` bounds the whole, ``local_octets`` what precedes the "@"; ``named_top_level`` refuses text that ends
    in a dot and digits. Migrations keep these arguments, so that an old migration keeps its meaning.
    """

    arity = 1
    allowed_default = True
    output_field = BooleanField()

    def __init__(  # the arguments are the constraint
        self,
        expression: Combinable | str,
        *,
        octets: int,
        like: Sequence[str] = (),
        unlike: Sequence[str] = (),
        local_octets: int | None = None,
        named_top_level: bool = False,
    ) -> None:
        for pattern in (*like, *unlike):
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(pattern)
        super().__init__(expression)
        self.octets = octets
        self.like = tuple(like)
        self.unlike = tuple(unlike)
        self.local_octets = local_octets
        self.named_top_level = named_top_level

    def as_postgresql(self, compiler: SQLCompiler, _connection: object, **_context: Any) -> Sql:
        """POSIX regular expressions, which know neither lines nor locales here."""
        conditions: list[Condition] = [
            ("OCTET_LENGTH({0}) <= %s", self.octets),
            *(("{0} ~ %s", _as_regex(pattern)) for pattern in self.like),
            *(("{0} !~ %s", _as_regex(pattern)) for pattern in self.unlike),
            ("{0} !~ %s", "[.][0-9]+$" if self.named_top_level else None),
            ("OCTET_LENGTH(SPLIT_PART({0}, '@', 1)) <= %s", self.local_octets),
        ]
        return self._joined(compiler, conditions)

    def as_mysql(self, compiler: SQLCompiler, _connection: object, **_context: Any) -> Sql:
        """PCRE on MariaDB, ICU on MySQL. Both ignore case under some collations, unless told not to."""
        conditions: list[Condition] = [
            ("OCTET_LENGTH({0}) <= %s", self.octets),
            *(("{0} REGEXP %s", f"(?s-i){_as_regex(pattern)}") for pattern in self.like),
            *(("{0} NOT REGEXP %s", f"(?s-i){_as_regex(pattern)}") for pattern in self.unlike),
            ("{0} NOT REGEXP %s", "[.][0-9]+$" if self.named_top_level else None),
            ("OCTET_LENGTH(SUBSTRING_INDEX({0}, '@', 1)) <= %s", self.local_octets),
        ]
        return self._joined(compiler, conditions)

    def as_sqlite(  # the other two are not declared by Django's stubs
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 - Django's signature
        **_context: Any,
    ) -> Sql:
        """GLOB. A blob never equals a text, and GLOB stops reading at a NUL: neither may hide in the column."""
        conditions: list[Condition] = [
            ("TYPEOF({0}) <> %s", "blob"),
            ("INSTR(CAST({0} AS BLOB), ZEROBLOB(%s)) = 0", 1),
            ("LENGTH(CAST({0} AS BLOB)) <= %s", self.octets),
            *(("{0} GLOB %s", pattern) for pattern in self.like),
            *(("{0} NOT GLOB %s", pattern) for pattern in self.unlike),
            ("RTRIM({0}, '0123456789') NOT GLOB %s", "*." if self.named_top_level else None),
            ("INSTR(CAST({0} || '@' AS BLOB), CAST('@' AS BLOB)) <= %s + 1", self.local_octets),
        ]
        return self._joined(compiler, conditions)

    def _joined(self, compiler: SQLCompiler, conditions: Sequence[Condition]) -> Sql:
        column, column_params = compiler.compile(self.get_source_expressions()[0])
        parts: list[str] = []
        params: list[str | int] = []
        for template, value in conditions:
            if value is not None:
                parts.append(template.replace("{0}", column))
                params += [*column_params, value]
        return f"({' AND '.join(parts)})", tuple(params)


def _as_regex(pattern: str) -> str:
    """The pattern as a regular expression that is searched for, not matched against the whole."""
    start = "" if pattern.startswith("*") else "^"
    end = "" if pattern.endswith("*") else "$"
    inner = pattern.removeprefix("*").removesuffix("*")
    return start + _TOKEN.sub(_token_as_regex, inner) + end


def _token_as_regex(token: re.Match[str]) -> str:
    one, more = token.group(1), token.group(2)
    if one is None:
        return {"*": ".*", "?": ".", ".": "[.]"}.get(token.group(), token.group())
    return f"{one}{{{1 + len(more) // len(one)}}}" if more else one


def _class(kind: Kind, *, more: str = "") -> str:
    """What stands between brackets: "-" comes last and "^" not first, where all dialects take them literally."""
    return f"a-z0-9{more}{PUNCTUATION[kind].replace('-', '')}{_BEYOND_ASCII}-"


def _domain_rules(before: str) -> tuple[str, ...]:
    """Patterns that no domain matches; ``before`` is what precedes it: nothing, or anything up to an "@"."""
    return (
        f"{before}*[^a-z0-9.-]*",
        f"{before}[.-]*",
        f"{before}*.-*",
        f"{before}*-.*",
        f"{before}*{'[^.]' * (LABEL_OCTETS + 1)}*",
        "*..*",
        "*[.-]",
    )


def _address(field: Combinable | str, kind: Kind, *, catch_all: bool) -> Q:
    first = f"{_FIRST}@" if catch_all else _FIRST
    return Q(
        Shaped(
            field,
            octets=ADDRESS_OCTETS,
            local_octets=LOCAL_PART_OCTETS,
            like=(f"[{first}]*", "*@*.*"),
            unlike=(f"*[^{_class(kind, more='@')}]*", "*@*@*", "*.@*", *_domain_rules("*@")),
            named_top_level=True,
        )
    )


def mailbox_local_part(field: Combinable | str) -> Q:
    """The part before the "@" of a mailbox, alone in its column."""
    return Q(
        Shaped(
            field,
            octets=LOCAL_PART_OCTETS,
            like=(f"[{_FIRST}]*",),
            unlike=(f"*[^{_class(Kind.MAILBOX)}]*", "*..*", "*."),
        )
    )


def domain_name(field: Combinable | str) -> Q:
    """A domain in A-labels."""
    return Q(
        Shaped(field, octets=DOMAIN_OCTETS, like=("*.*",), unlike=_domain_rules(""), named_top_level=True)
    )


def mailbox_address(field: Combinable | str) -> Q:
    """The whole address of a mailbox."""
    return _address(field, Kind.MAILBOX, catch_all=False)


def alias_address(field: Combinable | str) -> Q:
    """An address, or ``@domain`` for the catch-all."""
    return _address(field, Kind.ALIAS, catch_all=True)


def recipient_address(field: Combinable | str) -> Q:
    """Where an alias leads, here or elsewhere."""
    return _address(field, Kind.RECIPIENT, catch_all=False)


def sender_address(field: Combinable | str) -> Q:
    """An address, or ``@domain``."""
    return _address(field, Kind.RECIPIENT, catch_all=True)


def service_name(field: Combinable | str, *, octets: int = 100) -> Q:
    """A service of Postfix: letters, digits, "_" and "-"."""
    return Q(Shaped(field, octets=octets, like=("[a-z0-9]*",), unlike=("*[^a-z0-9_-]*",)))


def host(field: Combinable | str, *, octets: int = DOMAIN_OCTETS) -> Q:
    """A host name, or an IP address in its usual spelling."""
    return Q(Shaped(field, octets=octets, like=("[a-z0-9:]*",), unlike=("*[^a-z0-9.:-]*",)))


def lower_ascii(field: Combinable | str, *, octets: int = 255) -> Q:
    """Visible ASCII without capitals, spaces, brackets, backslash, circumflex and backtick; may be empty."""
    return Q(Shaped(field, octets=octets, unlike=("*[^!-@_a-z{-~]*",)))


def login_name(field: Combinable | str, *, octets: int = 254) -> Q:
    """A login name: as :func:`lower_ascii`, and letters of other scripts as the local part of an address has them."""
    return Q(Shaped(field, octets=octets, like=("?*",), unlike=(f"*[^!-@_a-z{{-~{_BEYOND_ASCII}]*",)))
