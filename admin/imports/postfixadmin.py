"""What PostfixAdmin holds, as lines of an import; docs/postfixadmin.md tells what becomes of what."""

from __future__ import annotations

import json
import re
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, Self

from django.utils.translation import gettext as _

from admin.imports.files import Row
from core.passwords import is_acceptable, unusable_password
from core.roles import Role

if TYPE_CHECKING:
    from types import TracebackType

    from admin.gateways.postfixadmin import PostfixAdmin

MIB: Final = 1 << 20
EVERYTHING: Final = "all"
_VACATION: Final = re.compile(r"[^@#]+#[^@#]+@autoreply\.", re.IGNORECASE)
_TRANSPORT: Final = re.compile(r"(relay|smtp):(?:\[([^]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?$")
_LOCAL: Final = frozenset({"", "virtual", "virtual:", "dovecot", "dovecot:", "maildrop:", "maildrop"})
# Forms of hashes that stand there without their scheme; the first that fits.
_FORMS: Final = (
    (re.compile(r"\$1\$"), "MD5-CRYPT"),
    (re.compile(r"\$2[aby]\$"), "BLF-CRYPT"),
    (re.compile(r"\$5\$"), "SHA256-CRYPT"),
    (re.compile(r"\$6\$"), "SHA512-CRYPT"),
    (re.compile(r"\$argon2id\$"), "ARGON2ID"),
    (re.compile(r"\$argon2i\$"), "ARGON2I"),
    (re.compile(r"[0-9a-f]{32}$"), "PLAIN-MD5"),
    (re.compile(r""), "CRYPT"),
)


@dataclass(slots=True)
class _Admin:
    password: str
    active: bool
    is_super: bool = False
    domains: list[str] = field(default_factory=list)
    merged: bool = False


class Spool:
    """Rows in a temporary file. To be closed."""

    def __init__(self) -> None:
        self._file: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed by `close`
        self._starts = array("q")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, place: str, kind: str, *cells: str) -> None:
        """A row, and where it came from."""
        self._starts.append(self._file.tell())
        self._file.write(json.dumps([place, kind, cells]) + "\n")

    def rows(self, only: Collection[str] | None = None) -> Iterator[Row]:
        """Every row, in order, or those of some types."""
        self._file.seek(0)
        for number, line in enumerate(self._file, 1):
            _place, kind, cells = json.loads(line)
            if only is None or kind in only:
                yield Row(number, kind, cells)

    def place(self, line: int) -> str:
        """Table and key."""
        here = self._file.tell()
        self._file.seek(self._starts[line - 1])
        place: str = json.loads(self._file.readline())[0]
        self._file.seek(here)
        return place


class Reader:
    """Reads PostfixAdmin into a spool; *warnings* tell what could not be taken over as it is.

    *scheme*: of hashes that do not name theirs. *multiplier*: bytes of what PostfixAdmin's administrators called a MB.
    """

    def __init__(
        self, source: PostfixAdmin, spool: Spool, *, scheme: str = "crypt", multiplier: int = MIB
    ) -> None:
        self.warnings: list[str] = []
        self.vacations: list[dict[str, Any]] = []
        self._source = source
        self._spool = spool
        self._scheme = scheme
        self._multiplier = multiplier
        self._admins: dict[str, _Admin] = {}

    def read(self) -> None:
        """All of it; raises :class:`SourceError`."""
        self._read_domains()
        self._read_admins()
        self._read_mailboxes()
        self._write_admins()
        self._read_aliases()
        for row in self._source.rows("vacation"):
            self.vacations.append({name: _plain(value) for name, value in row.items()})

    # --- domains -------------------------------------------------------------------------------------------------

    def _read_domains(self) -> None:
        aliases = {str(row["alias_domain"]).lower(): row for row in self._source.rows("alias_domain")}
        given: Counter[str] = Counter()
        unlimited: set[str] = set()
        for row in self._source.rows("mailbox"):
            name, quota = str(row["domain"]).lower(), int(row["quota"] or 0)
            given[name] += max(0, quota)
            unlimited |= {name} if quota <= 0 else set()
        for row in self._source.rows("domain"):
            name = str(row["domain"]).lower()
            if name == EVERYTHING or name in aliases:
                continue
            place = f"domain {name}"
            quota, default = max(0, int(row["quota"] or 0)), max(0, int(row["maxquota"] or 0))
            if quota and (name in unlimited or self._megabytes(given[name]) > quota):
                message = _(
                    "its mailboxes have more than its quota of %(quota)d MB together, so it gets no quota."
                )
                self._warn(place, message % {"quota": quota})
                quota = 0
            default = min(default, quota) if quota else default
            enabled = _word(row["active"])
            relay = _TRANSPORT.fullmatch(str(row["transport"] or ""))
            if _truth(row["backupmx"]) and relay is None:
                message = _("a backup MX without a transport that names the host: it was left out.")
                self._warn(place, message)
            elif relay is not None:
                host, port = relay[2] or relay[3], relay[4] or "25"
                self._spool.add(
                    place,
                    "relaydomain",
                    name,
                    host,
                    port,
                    "relay",
                    enabled,
                    "false",
                    str(quota),
                    str(default),
                )
            else:
                if str(row["transport"] or "").lower() not in _LOCAL:
                    message = _("its transport “%(transport)s” was not taken over.")
                    self._warn(place, message % {"transport": row["transport"]})
                self._spool.add(place, "domain", name, str(quota), str(default), enabled)
        for name, row in aliases.items():
            target = str(row["target_domain"]).lower()
            self._spool.add(f"alias_domain {name}", "domainalias", name, target, _word(row["active"]))

    def _megabytes(self, size: int) -> int:
        return -(-size // self._multiplier)

    # --- people --------------------------------------------------------------------------------------------------

    def _read_admins(self) -> None:
        for row in self._source.rows("admin"):
            admin = _Admin(str(row["password"]), _truth(row["active"]), _truth(row.get("superadmin")))
            self._admins[str(row["username"]).lower()] = admin
        appointed: dict[str, list[str]] = defaultdict(list)
        for row in self._source.rows("domain_admins"):
            if _truth(row["active"]):
                appointed[str(row["username"]).lower()].append(str(row["domain"]).lower())
        for username, domains in appointed.items():
            known = self._admins.get(username)
            if known is None:
                self._warn(f"domain_admins {username}", _("there is no such administrator."))
                continue
            known.is_super = known.is_super or EVERYTHING in domains
            known.domains = [name for name in domains if name != EVERYTHING]

    def _read_mailboxes(self) -> None:
        for row in self._source.rows("mailbox"):
            address = str(row["username"]).lower()
            place = f"mailbox {address}"
            first, _blank, last = str(row["name"] or "").strip().partition(" ")
            quota = str(self._megabytes(max(0, int(row["quota"] or 0))))
            admin = self._admins.get(address)
            if admin is not None:
                admin.merged = True
            password = str(row["password"]) if admin is None else admin.password
            enabled = _word(row["active"]) if admin is None else str(_truth(row["active"]) and admin.active)
            cells = [address, self._hash(place, password), first, last.strip(), enabled]
            self._spool.add(place, "account", *cells, *_rank(admin), address, quota, *_domains(admin))

    def _write_admins(self) -> None:
        for username, admin in self._admins.items():
            if not admin.merged:
                place = f"admin {username}"
                cells = [username, self._hash(place, admin.password), "", "", str(admin.active)]
                self._spool.add(place, "account", *cells, *_rank(admin), "", "", *_domains(admin))

    def _hash(self, place: str, stored: str) -> str:
        """With its scheme; one that nobody can verify is replaced by one that opens nothing."""
        if stored.startswith("{"):
            candidates = [stored]
        else:
            known = next(scheme for form, scheme in _FORMS if form.match(stored))
            candidates = [f"{{{self._scheme.upper()}}}{stored}", f"{{{known}}}{stored}"]
        fitting = next(filter(is_acceptable, candidates), None)
        if fitting is None:
            self._warn(place, _("its password cannot be taken over; set a new one."))
        return fitting or unusable_password()

    # --- aliases -------------------------------------------------------------------------------------------------

    def _read_aliases(self) -> None:
        for row in self._source.rows("alias"):
            address = str(row["address"]).lower()
            every = [text.strip() for text in re.split(r"[,\n]", str(row["goto"] or "")) if text.strip()]
            recipients = [text for text in every if not _VACATION.match(text)]
            # What a mailbox is made of there: mail for its own address stays.
            if not recipients or [text.lower() for text in recipients] == [address]:
                continue
            self._spool.add(f"alias {address}", "alias", address, _word(row["active"]), *recipients)

    def _warn(self, place: str, message: str) -> None:
        self.warnings.append(f"{place}: {message}")


def _rank(admin: _Admin | None) -> list[str]:
    if admin is None:
        return [Role.SIMPLE_USER.value]
    return [Role.SUPER_ADMIN.value if admin.is_super else Role.DOMAIN_ADMIN.value]


def _domains(admin: _Admin | None) -> Sequence[str]:
    return () if admin is None or admin.is_super else admin.domains


def _truth(value: object) -> bool:
    """Booleans, numbers, and the texts that some versions stored."""
    return str(value).lower() in {"1", "true", "t", "y", "yes"}


def _word(value: object) -> str:
    return str(_truth(value)).lower()


def _plain(value: object) -> object:
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
