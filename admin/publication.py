"""Derivation of the published tables from what people manage.

Every row of a published table belongs to a key: a domain name or an address (``@domain`` for a whole domain).
The rows of a key are a pure function of the sources, so "publish these keys" can be asked by any operation, in
any order, twice; deleted things simply derive to nothing. docs/mail-servers.md explains the rules to
administrators; they are:

* A name is published when its domain, and for an alias of a domain also its target, is enabled. An international
  name is published as its A-label only (docs/adr/0002).
* An address that somebody holds is never left to a catch-all. What is switched off or expired answers for itself,
  and since nobody signs in under that name, mail for it is refused. Nothing that reads the tables looks at a clock:
  :func:`due` finds what time has ended since it was published.
* Only recipients that can take mail are published; an alias whose recipients are all switched off is refused.
* Only an enabled account with a mailbox in an enabled domain signs in, receives and sends.
* What answers for itself though nobody signs in under it is closed: refused before any other question.
* In a relay domain, what nobody has here goes to the other host; what somebody has is never handed to it.
* While a mailbox moves to another directory, both of its addresses answer "try again later".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import chain, islice
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connection, transaction
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from admin.models import (
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    Mailbox,
    MailboxOperation,
    MailCheck,
    MailDomain,
    MailRoute,
    MailSender,
    MailTransport,
    MailUser,
    SenderAddress,
)
from admin.models.domain import DomainKind
from admin.models.published import NO_PASSWORD, listed
from core.addresses import without_extension
from core.insertion import insert

_CHUNK = 5_000
# As long may take what publishes things when their time is over.
_GRACE = timedelta(minutes=5)
# Operations until whose end their addresses do not answer.
_MOVING = (MailboxOperation.Kind.RENAME, MailboxOperation.Kind.RESTORE)
T = TypeVar("T")
S = TypeVar("S")
# The columns of a row that we write, the key first.
Content = tuple[object, ...]


@dataclass(slots=True)
class Keys:
    """Keys whose rows may have to change: domain names and addresses. A relay is published with ``@name``."""

    names: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def __or__(self, other: Keys) -> Keys:
        return Keys(self.names | other.names, self.addresses | other.addresses)


@dataclass(frozen=True, slots=True)
class Difference:
    """Contents of rows of one table that are there wrongly, and of those that should be there."""

    model: type[Model]
    wrong: list[Content]
    wanted: list[Content]

    @property
    def surplus(self) -> list[Any]:
        """Rows that are wrong."""
        return [_row(self.model, content) for content in self.wrong]

    @property
    def missing(self) -> list[Any]:
        """Rows that should be there."""
        return [_row(self.model, content) for content in self.wanted]

    @property
    def size(self) -> int:
        """Number of rows to touch."""
        return len(self.wrong) + len(self.wanted)


# --- which keys an event touches -------------------------------------------------------------------------------


def keys_of_names(names: Iterable[str]) -> Keys:
    """Keys of domains or domain aliases as such: their names, and ``@name``."""
    keys = set(names)
    return Keys(keys, {f"@{name}" for name in keys})


def keys_of_mailboxes(mailbox_ids: Sequence[int]) -> Keys:
    """Their addresses, extra sender addresses, and the aliases that deliver to them."""
    addresses: set[str] = set()
    for ids in chunks(mailbox_ids):
        addresses.update(Mailbox.objects.filter(pk__in=ids).values_list("user__email", flat=True))
        addresses.update(SenderAddress.objects.filter(mailbox__in=ids).values_list("address", flat=True))
        addresses.update(
            AliasRecipient.objects.filter(mailbox__in=ids).values_list("alias__address", flat=True)
        )
    return Keys(addresses=addresses)


def keys_of_aliases(alias_ids: Sequence[int]) -> Keys:
    """Their addresses, and the aliases that deliver to them."""
    addresses: set[str] = set()
    for ids in chunks(alias_ids):
        addresses.update(Alias.objects.filter(pk__in=ids).values_list("address", flat=True))
        addresses.update(
            AliasRecipient.objects.filter(target_alias__in=ids).values_list("alias__address", flat=True)
        )
    return Keys(addresses=addresses)


def renamed_keys(keys: Keys, old: str, new: str) -> Keys:
    """*keys* of a domain as they are after its name changed from *old* to *new*."""
    end = len(f"@{old}")
    moved = {f"{each[:-end]}@{new}" if each.endswith(f"@{old}") else each for each in keys.addresses}
    return Keys({new if name == old else name for name in keys.names}, moved)


def keys_of_domains(domain_ids: Sequence[int]) -> Keys:
    """Everything in and about whole domains."""
    ids = list(domain_ids)
    domains = Domain.objects.filter(pk__in=ids)
    names = chain(
        domains.values_list("name", flat=True),
        DomainAlias.objects.filter(target__in=ids).values_list("name", flat=True),
    )
    # Two questions in one: with an OR between them every recipient would be looked at.
    recipients = AliasRecipient.objects.order_by()
    leading = recipients.filter(mailbox__domain__in=ids).values_list("alias__address")
    leading = leading.union(recipients.filter(target_alias__domain__in=ids).values_list("alias__address"))
    addresses = chain(
        Mailbox.objects.filter(domain__in=ids).values_list("user__email", flat=True),
        Alias.objects.filter(domain__in=ids).values_list("address", flat=True),
        SenderAddress.objects.filter(mailbox__domain__in=ids).values_list("address", flat=True),
        (address for (address,) in leading),
    )
    return keys_of_names(names) | Keys(addresses=set(addresses))


# --- what apps above know --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail of a relay domain goes: a service of Postfix and a host; whether recipients are asked for there."""

    service: str
    host: str
    port: int
    verifies: bool = False


_relays: list[Callable[[Collection[str]], Mapping[str, Relay]]] = []


def relays_from(source: Callable[[Collection[str]], Mapping[str, Relay]]) -> None:
    """Ask *source* for the relays of those domains, given by name, that are relayed and enabled."""
    if source not in _relays:
        _relays.append(source)


# --- deriving rows ---------------------------------------------------------------------------------------------


def _columns(model: type[Model]) -> list[str]:
    """Those that we write."""
    return [column.attname for column in model._meta.concrete_fields if not column.generated]


class _Made:
    """What makes the content of a row out of its values: a model instance takes ten times as long."""

    def __init__(self, model: type[Model]) -> None:
        fields = [field for field in model._meta.concrete_fields if not field.generated]
        self._defaults = [(field.attname, field.get_default()) for field in fields]

    def __call__(self, **values: object) -> Content:
        return tuple([values.get(column, default) for column, default in self._defaults])


_domain, _route, _user = _Made(MailDomain), _Made(MailRoute), _Made(MailUser)
_sender, _transport, _check = _Made(MailSender), _Made(MailTransport), _Made(MailCheck)


@dataclass(frozen=True, slots=True)
class _Recipient:
    """A recipient that can take mail; *login* is blank unless it is a mailbox."""

    address: str
    login: str


class _Box(NamedTuple):
    """What is published of a mailbox: a whole domain of them is read at once, so no model instances."""

    password: str
    is_active: bool
    home: str
    quota: int
    is_relayed: bool


class _Sources:
    """What the rows of some addresses derive from; every part is loaded once, and only when it is asked for.

    *gone* are those that nobody has any more.
    """

    def __init__(self, addresses: Iterable[str], gone: frozenset[str] = frozenset()) -> None:
        # Sets: Django looks into each item of a list for expressions.
        self.addresses = frozenset(addresses)
        self.held = self.addresses - gone
        self.names = _names_of(self.held)
        self.now = timezone.now()

    @cached_property
    def mailboxes(self) -> dict[str, _Box]:
        """Mailboxes in enabled domains, enabled or not, by address."""
        found = Mailbox.objects.filter(user__email__among=self.held, domain__enabled=True)
        rows = found.order_by().values_list(
            "user__email",
            "user__password",
            "user__is_active",
            "home",
            "quota",
            "address",
            "domain__name",
            "domain__type",
        )
        return {
            email: _Box(
                password,
                is_active,
                home or documented_home(name, local_part),
                quota,
                is_relayed=kind == DomainKind.RELAY,
            )
            for email, password, is_active, home, quota, local_part, name, kind in rows
        }

    @cached_property
    def open_mailboxes(self) -> dict[str, _Box]:
        """Those whose account is enabled."""
        return {address: box for address, box in self.mailboxes.items() if box.is_active}

    @cached_property
    def aliases(self) -> dict[str, Alias]:
        """Aliases in enabled domains, enabled or not, by address."""
        found = Alias.objects.filter(address__among=self.held, domain__enabled=True)
        return {alias.address: alias for alias in found.annotate(kind=F("domain__type"))}

    @cached_property
    def relayed(self) -> set[str]:
        """Addresses in relay domains that somebody has here: their mail is never handed to the other host.

        But for aliases that lead to their own address: mail that is copied on its way there.
        """
        boxes = {address for address, box in self.mailboxes.items() if box.is_relayed}
        aliases = {a for a, alias in self.aliases.items() if getattr(alias, "kind", "") == DomainKind.RELAY}
        return boxes | {address for address in aliases if not self.copies(self.aliases[address])}

    def copies(self, alias: Alias) -> bool:
        """The alias leads to its own address, which is not here."""
        return any(each.address == alias.address and not each.login for each in self.recipients[alias.pk])

    @cached_property
    def ways(self) -> dict[str, list[_Recipient]]:
        """Where mail goes on to from each address that somebody has; nowhere when it is switched off."""
        ways = {}
        for address in self.mailboxes.keys() | self.aliases.keys():
            alias = self.aliases.get(address)
            closed = address in self.mailboxes and address not in self.open_mailboxes
            ways[address] = (
                [] if alias is None or closed or self.is_over(alias) else self.recipients[alias.pk]
            )
        return ways

    def is_over(self, alias: Alias) -> bool:
        """The alias is switched off, or has expired."""
        return not alias.enabled or (alias.expire_at is not None and alias.expire_at <= self.now)

    @cached_property
    def recipients(self) -> dict[int, list[_Recipient]]:
        """Recipients that can take mail, by alias: outside addresses, and local ones that are switched on."""
        by_alias: dict[int, list[_Recipient]] = defaultdict(list)
        ids = [alias.pk for alias in self.aliases.values()]
        if not ids:
            return by_alias
        outside = Q(mailbox__isnull=True, target_alias__isnull=True)
        open_mailbox = Q(mailbox__user__is_active=True, mailbox__domain__enabled=True)
        open_alias = Q(target_alias__enabled=True, target_alias__domain__enabled=True)
        rows = AliasRecipient.objects.filter(outside | open_mailbox | open_alias, alias__in=ids).order_by(
            "pk"
        )
        for alias_id, address, login in rows.values_list("alias_id", "address", "mailbox__user__email"):
            by_alias[alias_id].append(_Recipient(address, login or ""))
        return by_alias

    @cached_property
    def extra_senders(self) -> list[tuple[str, str]]:
        """Sender addresses beyond the own ones, with the login that may use them."""
        rows = SenderAddress.objects.filter(
            address__among=self.held, mailbox__user__is_active=True, mailbox__domain__enabled=True
        )
        return list(rows.values_list("address", "mailbox__user__email"))

    @cached_property
    def moving(self) -> set[str]:
        """Addresses of mailboxes whose directory has still to be brought to its place."""
        unfinished = MailboxOperation.objects.occupying().filter(
            Q(old_address__among=self.addresses) | Q(new_address__among=self.addresses),
            kind__in=_MOVING,
        )
        pairs = unfinished.values_list("old_address", "new_address")
        return set(chain.from_iterable(pairs)) & set(self.addresses)

    @cached_property
    def domain_aliases(self) -> list[DomainAlias]:
        """Those that work, of the names behind the keys ``@name``."""
        return list(_working_domain_aliases(self.names)) if self.names else []

    @cached_property
    def relays(self) -> dict[str, Relay]:
        """Relays by domain: of the names behind the keys ``@name``, and of those that they are aliases of."""
        names = self.names | {alias.target.name for alias in self.domain_aliases}
        return dict(chain.from_iterable(source(names).items() for source in _relays)) if names else {}


def _derive_domains(names: Sequence[str]) -> Iterator[Content]:
    kind = MailDomain.Kind
    for domain in Domain.objects.enabled().filter(name__in=names):
        yield _domain(name=domain.name, kind=kind.RELAY if domain.type == DomainKind.RELAY else kind.MAILBOX)
    for alias in _working_domain_aliases(names):
        yield _domain(name=alias.name, kind=kind.ALIAS, target=alias.target.name)


def _derive_routes(sources: _Sources) -> Iterator[Content]:
    for domain_alias in sources.domain_aliases:
        yield _route(address=f"@{domain_alias.name}", targets=f"@{domain_alias.target.name}", ends_here=False)
    for address, recipients in sources.ways.items():
        targets = {recipient.address for recipient in recipients}
        if targets:
            yield _route(
                address=address,
                targets=listed(targets),
                ends_here=address in targets,
                expires_at=sources.aliases[address].expire_at,
            )
        elif not address.startswith("@"):
            yield _route(address=address, targets=address, ends_here=True)


def _derive_users(sources: _Sources) -> Iterator[Content]:
    for address, box in sources.open_mailboxes.items():
        is_moving = address in sources.moving
        yield _user(
            address=address, password=box.password, home=box.home, quota=box.quota, is_moving=is_moving
        )
    # What was accepted for the other address already waits, too.
    for address in sources.moving - sources.open_mailboxes.keys():
        yield _user(address=address, password=NO_PASSWORD, home="", quota=0, is_moving=True)


def home_of(mailbox: Mailbox) -> str:
    """Directory of a mailbox below the mail root: the documented one, unless it kept another when it was renamed."""
    return mailbox.home or documented_home(mailbox.domain.name, mailbox.address)


def documented_home(domain_name: str, local_part: str) -> str:
    """Directory in the documented layout."""
    return f"{domain_name}/{local_part}"


def _derive_senders(sources: _Sources) -> Iterator[Content]:
    extra: dict[str, set[str]] = defaultdict(set)
    for address, login in sources.extra_senders:
        extra[address].add(login)
    for address in sources.ways.keys() | extra.keys():
        own = {address} if address in sources.open_mailboxes else set()
        recipients = sources.ways.get(address, ())
        if not recipients and own and address not in extra:
            yield _sender(address=address, logins=address)
            continue
        by_alias = {recipient.login for recipient in recipients} - {"", address}
        given = extra.get(address, set())
        if logins := own | by_alias | given:
            yield _sender(
                address=address,
                logins=listed(logins),
                alias_logins=listed(by_alias),
                extra_logins=listed(given),
            )


def _derive_transports(sources: _Sources) -> Iterator[Content]:
    kind = MailTransport.Kind
    for address in sources.moving:
        yield _transport(address=address, kind=kind.RETRY)
    for address in sources.relayed - sources.moving:
        if not address.startswith("@"):
            yield _transport(address=address, kind=kind.LOCAL)
    for name, relay in sources.relays.items():
        if name in sources.names:
            yield _transport(
                address=name, kind=kind.RELAY, service=relay.service, host=relay.host, port=relay.port
            )


def _derive_checks(sources: _Sources) -> Iterator[Content]:
    action = MailCheck.Action
    for address in sources.moving:
        yield _check(address=address, action=action.RETRY)
    for address, targets in sources.ways.items():
        if address in sources.moving or address in sources.open_mailboxes or address.startswith("@"):
            continue
        alias = sources.aliases.get(address)
        if not targets and not (alias is not None and sources.copies(alias)):
            yield _check(address=address, action=action.CLOSED)
        elif without_extension(address) != address:
            yield _check(address=address, action=action.OPEN)
    verified = {name for name, relay in sources.relays.items() if relay.verifies}
    aliases = {alias.name for alias in sources.domain_aliases if alias.target.name in verified}
    for name in (verified & sources.names) | aliases:
        yield _check(address=name, action=action.VERIFY)


def _working_domain_aliases(names: Collection[str]) -> QuerySet[DomainAlias]:
    return DomainAlias.objects.filter(name__in=names, enabled=True, target__enabled=True).select_related(
        "target"
    )


# --- comparing and writing -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table(Generic[S]):
    """One published table: which column is the key, and how the rows of some keys are derived."""

    model: type[Any]
    key: str
    derive: Callable[[S], Iterable[Content]]

    def stored(self, keys: Collection[str]) -> set[Content]:
        """The rows of *keys*."""
        stored = self.model.objects.filter(**{f"{self.key}__among": keys}).order_by()
        return set(stored.values_list(*_columns(self.model)))

    def difference(self, there: set[Content], sources: S) -> Difference:
        """What is stored against what should be."""
        wanted = dict.fromkeys(self.derive(sources))
        return Difference(
            self.model,
            wrong=list(there.difference(wanted)),
            wanted=[content for content in wanted if content not in there],
        )


_NAMES: _Table[Sequence[str]] = _Table(MailDomain, "name", _derive_domains)
_OF_HOLDERS = (
    # First, because it needs all sources: they are read before anything is written.
    _Table(MailSender, "address", _derive_senders),
    _Table(MailRoute, "address", _derive_routes),
    _Table(MailUser, "address", _derive_users),
)
_ADDRESSES = (
    *_OF_HOLDERS,
    _Table(MailTransport, "address", _derive_transports),
    _Table(MailCheck, "address", _derive_checks),
)


def publish(
    keys: Keys, *, locked: Iterable[str] = (), gone: Iterable[str] = (), fresh: Iterable[str] = ()
) -> int:
    """Bring the rows of *keys* up to date, inside the caller's transaction; returns the number of rows touched.

    Locks the domains of the keys that are not *locked* yet: an alias may depend on mailboxes of several domains, and
    who publishes second must see what the first one committed. *gone* are addresses at which neither a mailbox nor an
    alias nor a sender address is left: nothing has to be derived for them. *fresh* are those under which nothing can be
    published yet: nothing has to be compared.
    """
    names = _domains_of(keys).difference(locked)
    if names and connection.features.has_select_for_update:  # SQLite has one writer at a time
        lock = Domain.objects.select_for_update().order_by("pk")
        list(lock.filter(name__in=names).values_list("pk"))
    withdrawn, new = frozenset(gone), frozenset(fresh)
    touched = 0
    for some in chunks(withdrawn):
        for table in _OF_HOLDERS:
            touched += table.model.objects.filter(**{f"{table.key}__among": frozenset(some)}).delete()[0]
    rest = _by_table(Keys(keys.names, keys.addresses | withdrawn), gone=withdrawn, unread=new)
    return touched + sum(_apply(table, difference) for table, difference in rest)


def differences(keys: Keys) -> Iterator[Difference]:
    """What has to change under *keys*, table by table, a few thousand keys at a time."""
    return (difference for _table, difference in _by_table(keys))


def _by_table(
    keys: Keys, *, gone: frozenset[str] = frozenset(), unread: frozenset[str] = frozenset()
) -> Iterator[tuple[_Table[Any], Difference]]:
    for some in chunks(sorted(keys.names)):
        yield _NAMES, _NAMES.difference(_NAMES.stored(some), some)
    for some in chunks(sorted(keys.addresses)):
        sources = _Sources(some, gone)
        # Addresses that are still being moved go on answering so, whoever held them or comes to hold them.
        everything = sources.addresses | _names_of(sources.addresses)
        known = sources.held - (unread - sources.moving)
        # All of them are read before the first is written: what is written behind need not be waited for then.
        stored = {table: table.stored(known if table in _OF_HOLDERS else everything) for table in _ADDRESSES}
        for table, there in stored.items():
            yield table, table.difference(there, sources)


def _apply(table: _Table[Any], difference: Difference) -> int:
    if difference.wrong:
        wrong = {content[0] for content in difference.wrong}
        table.model.objects.filter(**{f"{table.key}__among": wrong}).delete()
    if difference.wanted:
        insert(table.model, _columns(table.model), difference.wanted)
    return difference.size


def all_keys() -> Iterator[Keys]:
    """Every key that has, or should have, rows: the sources by domain, then what is published beyond them."""
    for ids in chunks(list(Domain.objects.order_by("pk").values_list("pk", flat=True)), size=20):
        yield keys_of_domains(ids)
    yield from (Keys(names=some) for some in _stored_keys(_NAMES))
    for table in _ADDRESSES:
        yield from (Keys(addresses=some) for some in _stored_keys(table))
    moving = MailboxOperation.objects.filter(kind__in=_MOVING).values_list("old_address", "new_address")
    yield Keys(addresses=set(chain.from_iterable(moving)) - {""})


def _stored_keys(table: _Table[Any]) -> Iterator[set[str]]:
    """Keys of a published table that no source leads to, in order, so that rows may change while we walk."""
    last = ""
    key = OuterRef(table.key)
    orphans = table.model.objects.filter(
        ~Exists(Domain.objects.filter(name=key)),
        ~Exists(DomainAlias.objects.filter(name=key)),
        ~Exists(Mailbox.objects.filter(user__email=key)),
        ~Exists(Alias.objects.filter(address=key)),
        ~Exists(SenderAddress.objects.filter(address=key)),
    )
    keys = orphans.order_by(table.key).values_list(table.key, flat=True)
    while some := list(keys.filter(**{f"{table.key}__gt": last})[:_CHUNK]):
        yield set(some)
        last = some[-1]


def drift() -> Iterator[Difference]:
    """Everything that is published wrongly; each row once, though several sources may lead to its key.

    What expired a few minutes ago is not wrong yet.
    """
    recent = MailRoute.objects.filter(expires_at__gt=timezone.now() - _GRACE, expires_at__lte=timezone.now())
    waiting = set(recent.values_list("address", flat=True))
    seen: set[tuple[object, ...]] = set()

    def news(model: type[Model], sign: str, contents: Iterable[Content]) -> list[Content]:
        marks = {(model, sign, *content): content for content in contents if content[0] not in waiting}
        found = [content for mark, content in marks.items() if mark not in seen]
        seen.update(marks)
        return found

    for keys in all_keys():
        for difference in differences(keys):
            wrong = news(difference.model, "-", difference.wrong)
            wanted = news(difference.model, "+", difference.wanted)
            if wrong or wanted:
                yield Difference(difference.model, wrong, wanted)


def due() -> Iterator[Keys]:
    """Addresses that lead on though their time is over."""
    over = MailRoute.objects.filter(expires_at__lte=timezone.now()).order_by("address")
    yield from (Keys(addresses=set(some)) for some in chunks(list(over.values_list("address", flat=True))))


def catch_up() -> int:
    """Publish what is :func:`due`; rows touched."""
    return _publish_each(due())


def rebuild() -> int:
    """Publish everything anew; waits for running operations, which lock their domains. Rows touched."""
    return _publish_each(all_keys())


def _publish_each(several: Iterable[Keys]) -> int:
    touched = 0
    for keys in several:
        with transaction.atomic():
            touched += publish(keys)
    return touched


def _domains_of(keys: Keys) -> set[str]:
    return keys.names | {address.rpartition("@")[2] for address in keys.addresses}


def _names_of(keys: Iterable[str]) -> frozenset[str]:
    """Names behind the keys ``@name``. A key without "@" is one itself: a row that no domain leads to any more."""
    return frozenset(key.removeprefix("@") for key in keys if key.rfind("@") < 1)


def _row(model: type[Model], content: Content) -> Any:
    return model(**dict(zip(_columns(model), content, strict=True)))


def chunks(items: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """Lists of at most *size* items."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
