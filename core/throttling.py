"""Guessing is made slow: failures are counted per account and network and per account, and each costs a longer wait.

The counters stand in the database, so all processes share them. They go down only by success of the thing that is
throttled, or by time. A wait is never a lock-out: it ends by itself, and a network from which the account signed in
lately does not wait for what strangers did. docs/self-service.md tells the numbers.

Looking (:func:`begin`) comes before the costly work, and looking again, with the counting, after it: of many guesses
at the same moment, only as many are answered as the rule allows.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from math import ceil
from typing import Final

from django.db import transaction
from django.db.models import Case, F, PositiveIntegerField, Q, Value, When
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext

from core.models import Log, Throttle, User

# After so long without a failure, nothing is held against anybody.
FORGET_AFTER: Final = timedelta(hours=24)
_KNOWN_FOR: Final = timedelta(days=30)
_SIGN_INS_LOOKED_AT: Final = 200
_DROPPED_AT_ONCE: Final = 100
_PREFIX: Final = {4: 24, 6: 64}


@dataclass(frozen=True, slots=True)
class Rule:
    """*free* failures cost nothing; then there is a wait of *first_s*, doubled with each failure, up to *longest_s*."""

    free: int
    first_s: int
    longest_s: int

    def wait_s(self, failures: int) -> int:
        """How long to wait after so many failures."""
        if failures < self.free:
            return 0
        doublings = min(failures - self.free, 20)
        return min(self.first_s << doublings, self.longest_s)


@dataclass(frozen=True, slots=True)
class Rules:
    """One for each pair of account and network, one for the account."""

    pair: Rule
    account: Rule


class Thing(Enum):
    """What can be tried too often."""

    SIGN_IN = "sign-in"
    PASSWORD = "password"  # noqa: S105  the current one, asked for by the pages of one's own account
    RESET = "reset"
    TOKEN = "token"  # noqa: S105  one that nobody has; counted per network only


RULES: Final = {
    Thing.SIGN_IN: Rules(pair=Rule(5, 2, 900), account=Rule(20, 2, 300)),
    Thing.PASSWORD: Rules(pair=Rule(5, 2, 900), account=Rule(20, 2, 300)),
    # Every request counts: there is no wrong one.
    Thing.RESET: Rules(pair=Rule(3, 60, 3600), account=Rule(6, 60, 1800)),
    # Nobody guesses a token: this keeps a wrong one from costing us much.
    Thing.TOKEN: Rules(pair=Rule(20, 1, 60), account=Rule(20, 1, 60)),
}


class Throttled(Exception):  # noqa: N818  an answer, not a fault
    """Too many failures: come back after ``retry_after_s`` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    @property
    def message(self) -> str:
        """What a person reads."""
        if self.retry_after_s < 60:  # noqa: PLR2004  a minute
            span = ngettext("%(count)d second", "%(count)d seconds", self.retry_after_s)
            return gettext("Too many attempts. Try again in %(span)s.") % {
                "span": span % {"count": self.retry_after_s}
            }
        minutes = ceil(self.retry_after_s / 60)
        span = ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
        return gettext("Too many attempts. Try again in %(span)s.") % {"span": span}


def begin(thing: Thing, name: str, address: str | None) -> Attempt:
    """The permission to try; raises :class:`Throttled`. *name* is canonical; whether it exists makes no difference."""
    attempt = Attempt(thing, name, address)
    attempt.seen = attempt.look()
    return attempt


def count(thing: Thing, name: str, address: str | None) -> None:
    """Count something that is neither right nor wrong; raises :class:`Throttled` instead when it is too much."""
    Attempt(thing, name, address).failed()


# Requests that this process counted already, by name: the minute, and how many are left.
_counted_ahead: dict[str, tuple[datetime, int]] = {}
_MOST_NAMES: Final = 1_000
# As often as that others may begin a minute while one does; then the request is not counted.
_MOST_RACES: Final = 5


def count_request(name: str, per_minute: int) -> int:
    """Count a request of *name*; seconds to wait when it is one too many in this minute, else 0.

    A process counts a few ahead, so that few requests write: never more than the limit, a few less at worst.
    """
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    # Threads may both take the last one: no harm.
    known, left = _counted_ahead.get(name, (minute, 0))
    if known == minute and left > 0:
        _counted_ahead[name] = minute, left - 1
        return 0
    some = max(1, per_minute // 50)
    wait_s = _count_requests(name, per_minute, some, now)
    if len(_counted_ahead) > _MOST_NAMES:
        _counted_ahead.clear()
    _counted_ahead[name] = minute, 0 if wait_s else some - 1
    return wait_s


def forget_requests() -> None:
    """Forget what this process counted ahead; the counters in the database stay."""
    _counted_ahead.clear()


def _count_requests(name: str, per_minute: int, some: int, now: datetime) -> int:
    minute = now.replace(second=0, microsecond=0)
    key = _key_of("rate", name, "*")
    row = Throttle.objects.filter(key=key)
    for _attempt in range(_MOST_RACES):
        if row.filter(last_at=minute, failures__lte=per_minute - some).update(failures=F("failures") + some):
            return 0
        present = row.first()
        if present is None:
            Throttle.objects.bulk_create(
                [Throttle(key=key, failures=0, last_at=minute)], ignore_conflicts=True
            )
            _drop_forgotten(now)
        elif present.last_at != minute:
            row.filter(last_at=present.last_at).update(failures=0, last_at=minute)
        elif present.failures > per_minute - some:
            return 60 - now.second
    return 0


@dataclass
class Attempt:
    """One try. Its end is :meth:`failed` or :meth:`succeeded`; both raise :class:`Throttled` when others came first."""

    thing: Thing
    name: str
    address: str | None
    seen: dict[str, Throttle] = field(default_factory=dict)

    def failed(self) -> None:
        """Count a failure against both keys."""
        while not self._count():
            # By itself, before anything is locked: two first failures at the same moment would deadlock otherwise.
            now = timezone.now()
            for key in (self._pair_key, self._account_key):
                row = Throttle(key=key, failures=0, last_at=now)
                Throttle.objects.bulk_create([row], ignore_conflicts=True)
            _drop_forgotten(now)

    def succeeded(self) -> None:
        """Forget the failures of this account in this network; what came from elsewhere is left to time."""
        if not self.seen or not self._clear():
            rows = self.look()
            if self._pair_key in rows and rows[self._pair_key].failures:
                Throttle.objects.filter(key=self._pair_key).update(failures=0)

    def look(self) -> dict[str, Throttle]:
        """The counters; raises :class:`Throttled` while somebody has to wait."""
        rows = Throttle.objects.in_bulk([self._pair_key, self._account_key])
        self._judge(rows)
        return rows

    def _clear(self) -> bool:
        """Reset the counter of the pair, in one statement, unless a counter moved since it was looked at."""
        unmoved = Q()
        for row in self.seen.values():
            unmoved |= Q(key=row.key, failures=row.failures, last_at=row.last_at)
        kept = Case(
            When(key=self._pair_key, then=Value(0)),
            default=F("failures"),
            output_field=PositiveIntegerField(),
        )
        with transaction.atomic():
            if Throttle.objects.filter(unmoved).update(failures=kept) == len(self.seen):
                return True
            transaction.set_rollback(True)
        return False

    def _count(self) -> bool:
        """False when a row is missing: there never was one, or it was forgotten meanwhile."""
        now = timezone.now()
        with transaction.atomic():
            keys = (self._pair_key, self._account_key)
            rows = Throttle.objects.select_for_update().filter(key__in=keys).order_by("key").in_bulk()
            self._judge(rows)
            for row in rows.values():
                row.failures, row.last_at = _fresh(row, now) + 1, now
            if len(rows) == len(keys):
                Throttle.objects.bulk_update(rows.values(), ["failures", "last_at"])
        return len(rows) == len(keys)

    def _judge(self, rows: dict[str, Throttle]) -> None:
        now = timezone.now()
        rules = RULES[self.thing]
        pair = _left_s(rows.get(self._pair_key), rules.pair, now)
        account = _left_s(rows.get(self._account_key), rules.account, now)
        if pair > 0 or (account > 0 and not self._is_known):
            raise Throttled(max(1, ceil(max(pair, account))))

    @cached_property
    def _pair_key(self) -> str:
        return _key(self.thing, self.name, network_of(self.address))

    @cached_property
    def _account_key(self) -> str:
        return _key(self.thing, self.name, "*")

    @cached_property
    def _is_known(self) -> bool:
        """The account signed in from this network lately. Asked only while strangers keep the account waiting."""
        user_id = User.objects.filter(username=self.name).values_list("pk", flat=True).first()
        if self.thing is not Thing.SIGN_IN or self.address is None or user_id is None:
            return False
        sign_ins = Log.objects.filter(
            kind="session",
            object_id=user_id,
            verb="session.login",
            date_created__gte=timezone.now() - _KNOWN_FOR,
        ).order_by("-date_created")
        addresses = sign_ins.values_list("address", flat=True)[:_SIGN_INS_LOOKED_AT]
        return network_of(self.address) in {network_of(address) for address in addresses}


def network_of(address: str | None) -> str:
    """The network that a client can choose addresses in: /24, or /64 for IPv6."""
    if address is None:
        return ""
    client = ipaddress.ip_address(address)
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return str(ipaddress.ip_network(f"{client}/{_PREFIX[client.version]}", strict=False))


def _key(thing: Thing, name: str, network: str) -> str:
    return _key_of(thing.value, name, network)


def _key_of(thing: str, name: str, network: str) -> str:
    return salted_hmac("core.throttling", f"{thing}\0{name}\0{network}", algorithm="sha256").hexdigest()


def _drop_forgotten(now: datetime) -> None:
    """Keep the table small. Looked for without locks: a DELETE by age would lock every row that it passes."""
    old = Throttle.objects.filter(last_at__lt=now - FORGET_AFTER).values_list("key", flat=True)
    if keys := list(old[:_DROPPED_AT_ONCE]):
        Throttle.objects.filter(key__in=keys, last_at__lt=now - FORGET_AFTER).delete()


def _fresh(row: Throttle | None, now: datetime) -> int:
    """Failures that still count."""
    return 0 if row is None or now - row.last_at >= FORGET_AFTER else row.failures


def _left_s(row: Throttle | None, rule: Rule, now: datetime) -> float:
    wait = rule.wait_s(_fresh(row, now))
    return 0 if row is None or not wait else wait - (now - row.last_at).total_seconds()
