"""Creating relay domains, changing where their mail goes, and switching domains to and from this type.

A relay domain may hold mailboxes and aliases: mail for those stays here, everything else goes to the target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import publication
from admin.models import Alias, AliasRecipient, Domain, DomainAlias
from admin.models.domain import DomainKind
from admin.operations.aliases import LocalAddresses
from admin.operations.authorized_mx import Objection, unauthorized
from admin.operations.domains import DomainSpec, create_checked_domains
from admin.operations.ground import UNSET, Unset, lock_domains, refuse_repetitions
from admin.operations.saving import delete_rows, save_columns
from core.addresses import AddressError, display_address, display_domain, split_address
from core.operation import operation, record
from core.operations.seen import check_seen
from core.refusals import Refusal, Refusals
from relaydomains import policies
from relaydomains.models import DEFAULT_PORT, HIGHEST_PORT, RelayDomain, Service
from relaydomains.operations.targets import TargetError, canonical_host, objections_to

if TYPE_CHECKING:
    from core.actor import Actor

DEFAULT_SERVICE = "relay"
_SHOWN = 3
_NAMES_IN_A_QUERY = 100

# What `objections_to` found out before the transaction began.
Objections = Mapping[str, Objection | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDomainSpec(DomainSpec):
    """A relay domain to create: a domain, and where its mail goes."""

    target_host: str
    target_port: int = DEFAULT_PORT
    service: str = DEFAULT_SERVICE
    verify_recipients: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySpec:
    """A domain that is there, and where its mail is to go from now on."""

    domain: Domain
    target_host: str
    target_port: int = DEFAULT_PORT
    service: str = DEFAULT_SERVICE
    verify_recipients: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDomainChange:
    """New values of a relay domain; what is UNSET stays. Everything else about it is changed as of any domain.

    *seen* is the last event about the relay domain that the caller knows (None: no question whether it changed
    meanwhile).
    """

    domain: Domain
    target_host: str | Unset = UNSET
    target_port: int | Unset = UNSET
    service: str | Unset = UNSET
    verify_recipients: bool | Unset = UNSET
    seen: int | None = None


# --- create ----------------------------------------------------------------------------------------------------


def create_relay_domains(actor: Actor, /, specs: Sequence[RelayDomainSpec]) -> list[RelayDomain]:
    """New relay domains, owned by the actor, with their aliases.

    Codes: those of domains; beside ``target_host`` those of names, ``target_empty``, ``target_address``,
    ``target_private``, ``target_is_here``, ``target_unknown``, ``target_unresolved``; ``port_out_of_range``,
    ``unknown_service``.
    """
    names = [name for spec in specs for name in (spec.name, *spec.aliases)]
    refused_names = unauthorized(actor, names)
    refused_hosts = objections_to(actor, [spec.target_host for spec in specs])
    return create_checked_relay_domains(actor, specs, refused_names, refused_hosts)


@operation("relay_domain.create", allow=policies.may_manage_relay_domains)
def create_checked_relay_domains(
    actor: Actor,
    /,
    specs: Sequence[RelayDomainSpec],
    refused_names: Mapping[str, Objection],
    refused_hosts: Objections,
) -> list[RelayDomain]:
    """As :func:`create_relay_domains`, when the DNS has been asked already."""
    refusals = Refusals()
    relays = _new_relays(actor, specs, refused_hosts, refusals)
    saved: list[RelayDomain] = []
    try:
        create_checked_domains(
            actor,
            specs,
            refused_names,
            kind=DomainKind.RELAY,
            complete=lambda domains: saved.extend(_save(relays, domains, refusals)),
        )
    except Refusal as refusal:
        for reason in refusal.reasons:
            refusals.add(reason.position, reason.field, reason.code, reason.message)
    refusals.raise_if_any()
    for relay in saved:
        record(relay)
    return saved


def create_relay_domain(actor: Actor, /, **values: Any) -> RelayDomain:
    """One relay domain; *values* are the fields of :class:`RelayDomainSpec`."""
    return create_relay_domains(actor, [RelayDomainSpec(**values)])[0]


def _new_relays(
    actor: Actor,
    specs: Sequence[RelayDomainSpec | RelaySpec],
    refused_hosts: Objections,
    refusals: Refusals,
) -> list[RelayDomain]:
    """One for each spec, without its domain and not saved; of no use where something was refused."""
    services = _services([spec.service for spec in specs])
    relays = []
    for position, spec in enumerate(specs):
        host = _canonical(actor, spec.target_host, refusals, position)
        _check_host(actor, host, refused_hosts, refusals, position)
        _check_port(spec.target_port, refusals, position)
        relays.append(
            RelayDomain(
                target_host=host,
                target_port=spec.target_port,
                service_id=_service(spec.service, services, refusals, position),
                verify_recipients=spec.verify_recipients,
            )
        )
    return relays


def _save(relays: Sequence[RelayDomain], domains: Sequence[Domain], refusals: Refusals) -> list[RelayDomain]:
    """Store *relays* as those of *domains*, unless something was refused."""
    if list(refusals):
        return []
    for relay, domain in zip(relays, domains, strict=True):
        relay.domain = domain
    return RelayDomain.objects.bulk_create(relays)


def _keys_of(relays: Sequence[RelayDomain]) -> publication.Keys:
    """Keys of what the settings of relays decide: their names and further names."""
    aliases = DomainAlias.objects.filter(target__in=[relay.domain_id for relay in relays])
    names = [*(relay.domain.name for relay in relays), *aliases.values_list("name", flat=True)]
    return publication.Keys(addresses={f"@{name}" for name in names})


# --- what a relay domain is told -------------------------------------------------------------------------------


def _canonical(actor: Actor, text: str, refusals: Refusals, position: int) -> str:
    """The host in its stored form, or the empty string and a refusal."""
    try:
        host = canonical_host(text)
    except (AddressError, TargetError) as error:
        refusals.add(position, "target_host", error.code, error.message)
        return ""
    if not actor.is_super and not {".", ":"} & set(host):
        refusals.add(position, "target_host", "domain_one_label", AddressError("domain_one_label").message)
        return ""
    return host


def _check_host(
    actor: Actor, host: str, refused_hosts: Objections, refusals: Refusals, position: int
) -> None:
    """Super administrators relay to any host."""
    if actor.is_super or not host:
        return
    if host not in refused_hosts:
        message = _("This changed at the same moment. Look at it again and repeat your change.")
        refusals.add(position, "target_host", "conflict", message)
    elif (objection := refused_hosts[host]) is not None:
        refusals.add(position, "target_host", objection.code, objection.message)


def _check_port(port: int, refusals: Refusals, position: int) -> None:
    if not 1 <= port <= HIGHEST_PORT:
        message = _("A port is a number between 1 and %(highest)d.") % {"highest": HIGHEST_PORT}
        refusals.add(position, "target_port", "port_out_of_range", message)


def _services(names: Iterable[str]) -> dict[str, int]:
    """Services by name."""
    return dict(Service.objects.filter(name__in={name.strip() for name in names}).values_list("name", "pk"))


def _service(name: str, services: Mapping[str, int], refusals: Refusals, position: int) -> int:
    name = name.strip()
    if name not in services:
        message = _("Postfix has no service “%(name)s” for this. Choose another, or read its services anew.")
        refusals.add(position, "service", "unknown_service", message % {"name": name})
    return services.get(name, 0)


# --- change ----------------------------------------------------------------------------------------------------

_COLUMNS = ("target_host", "target_port", "service_id", "verify_recipients")


def update_relay_domains(actor: Actor, /, changes: Sequence[RelayDomainChange]) -> list[RelayDomain]:
    """Change where mail goes. Codes: as for creation, ``gone``, ``not_relayed``, ``repeated``, ``changed_meanwhile``.

    Only a new host or port is judged: a super administrator may have chosen what is stored.
    """
    return _update_relay_domains(actor, changes, objections_to(actor, _new_hosts(changes)))


def _new_hosts(changes: Sequence[RelayDomainChange]) -> list[str]:
    """Hosts that the changes lead to, as far as one can tell before anything is locked."""
    stored = RelayDomain.objects.in_bulk([change.domain.pk for change in changes])
    hosts = []
    for change in changes:
        relay = stored.get(change.domain.pk)
        if relay is None:
            continue
        host = relay.target_host if isinstance(change.target_host, Unset) else change.target_host
        port = relay.target_port if isinstance(change.target_port, Unset) else change.target_port
        if (host, port) != (relay.target_host, relay.target_port):
            hosts.append(host)
    return hosts


@operation("relay_domain.update", allow=policies.may_manage_relay_domains)
def _update_relay_domains(
    actor: Actor, /, changes: Sequence[RelayDomainChange], refused_hosts: Objections
) -> list[RelayDomain]:
    refusals = Refusals()
    asked = [change.domain for change in changes]
    locked, relays = _locked(actor, asked)
    repeated = _refuse_absent(asked, locked, refusals)
    services = _services(c.service for c in changes if not isinstance(c.service, Unset))
    changed: dict[int, list[str]] = {}
    for position, change in enumerate(changes):
        relay = relays.get(change.domain.pk)
        if relay is not None and position not in repeated:
            changed[relay.pk] = _set_values(actor, relay, change, services, refusals, position)
            if {"target_host", "target_port"} & set(changed[relay.pk]):
                _check_host(actor, relay.target_host, refused_hosts, refusals, position)
        elif change.domain.pk in locked and relay is None:
            _refuse_not_relayed(refusals, position, change.domain)
    check_seen("relaydomain", {p: (c.domain.pk, c.seen) for p, c in enumerate(changes)}, refusals)
    refusals.raise_if_any()
    altered = [relays[pk] for pk, names in changed.items() if names]
    now = timezone.now()
    for relay in altered:
        relay.last_modification = now
    columns = [each for each in _COLUMNS if any(_named(each) in names for names in changed.values())]
    save_columns(altered, [*columns, "last_modification"])
    if altered:
        publication.publish(_keys_of(altered), locked=[relay.domain.name for relay in altered])
    for relay in altered:
        record(relay, changed=changed[relay.pk])
    return [relays[domain.pk] for domain in asked]


def update_relay_domain(actor: Actor, /, domain: Domain, **values: Any) -> RelayDomain:
    """One relay domain; *values* are the fields of :class:`RelayDomainChange`."""
    return update_relay_domains(actor, [RelayDomainChange(domain=domain, **values)])[0]


def _locked(actor: Actor, domains: Sequence[Domain]) -> tuple[dict[int, Domain], dict[int, RelayDomain]]:
    """Domains that the actor sees, locked, and those of them that are relayed; both by id."""
    locked = {domain.pk: domain for domain in lock_domains(actor, ids=[d.pk for d in domains]).values()}
    relays = RelayDomain.objects.in_bulk(list(locked))
    for pk, relay in relays.items():
        relay.domain = locked[pk]
    return locked, relays


def _refuse_absent(domains: Sequence[Domain], locked: Collection[int], refusals: Refusals) -> set[int]:
    """Refuse what is not there (any more) for the actor, and what is asked for twice: positions of the latter."""
    for position, domain in enumerate(domains):
        if domain.pk not in locked:
            refusals.add(position, "", "gone", _("This domain does not exist any more."))
    return refuse_repetitions([(domain.pk, display_domain(domain.name)) for domain in domains], refusals)


def _refuse_not_relayed(refusals: Refusals, position: int, domain: Domain) -> None:
    message = _("The mail of “%(name)s” is not relayed.") % {"name": display_domain(domain.name)}
    refusals.add(position, "", "not_relayed", message)


def _set_values(
    actor: Actor,
    relay: RelayDomain,
    change: RelayDomainChange,
    services: Mapping[str, int],
    refusals: Refusals,
    position: int,
) -> list[str]:
    """Give *relay* its new values; the names of those that are new."""
    new: dict[str, Any] = {}
    if not isinstance(change.target_host, Unset):
        new["target_host"] = _canonical(actor, change.target_host, refusals, position)
    if not isinstance(change.target_port, Unset):
        _check_port(change.target_port, refusals, position)
        new["target_port"] = change.target_port
    if not isinstance(change.service, Unset):
        new["service_id"] = _service(change.service, services, refusals, position)
    if not isinstance(change.verify_recipients, Unset):
        new["verify_recipients"] = change.verify_recipients
    new = {column: value for column, value in new.items() if value != getattr(relay, column)}
    for column, value in new.items():
        setattr(relay, column, value)
    return [_named(column) for column in new]


def _named(column: str) -> str:
    return column.removesuffix("_id")


# --- to this type and back -------------------------------------------------------------------------------------


def start_relaying(actor: Actor, /, specs: Sequence[RelaySpec]) -> list[RelayDomain]:
    """Make relay domains of domains. What is in them stays: its mail is delivered here as before.

    Codes: as for creation beside the target, ``gone``, ``already_relayed``, ``repeated``.
    """
    return _start_relaying(actor, specs, objections_to(actor, [spec.target_host for spec in specs]))


@operation("relay_domain.create", allow=policies.may_manage_relay_domains)
def _start_relaying(
    actor: Actor, /, specs: Sequence[RelaySpec], refused_hosts: Objections
) -> list[RelayDomain]:
    refusals = Refusals()
    asked = [spec.domain for spec in specs]
    locked, present = _locked(actor, asked)
    _refuse_absent(asked, locked, refusals)
    for position, domain in enumerate(asked):
        if domain.pk in present:
            message = _("The mail of “%(name)s” is relayed already.") % {"name": display_domain(domain.name)}
            refusals.add(position, "", "already_relayed", message)
    relays = _new_relays(actor, specs, refused_hosts, refusals)
    refusals.raise_if_any()
    domains = [locked[domain.pk] for domain in asked]
    saved = _save(relays, domains, refusals)
    _switch(domains, DomainKind.RELAY)
    for relay in saved:
        record(relay)
    return saved


@operation("relay_domain.delete", allow=policies.may_manage_relay_domains)
def stop_relaying(actor: Actor, /, domains: Sequence[Domain]) -> list[Domain]:
    """Make ordinary domains of relay domains: mail for what is not here is refused from now on.

    Aliases that the actor does not see stand in nobody's way: their recipients lead nowhere, as those under any name
    that becomes a domain here. Codes: ``gone``, ``not_relayed``, ``repeated``, ``recipients_there``.
    """
    refusals = Refusals()
    locked, relays = _locked(actor, domains)
    _refuse_absent(domains, locked, refusals)
    for position, domain in enumerate(domains):
        if domain.pk in locked and domain.pk not in relays:
            _refuse_not_relayed(refusals, position, domain)
    unlinked = _unlinked(relay.domain.name for relay in relays.values())
    local = LocalAddresses.behind([row.address for row in unlinked])
    positions = {relays[d.pk].domain.name: p for p, d in enumerate(domains) if d.pk in relays}
    _refuse_recipients_there(_left_behind(actor, unlinked, local), positions, refusals)
    refusals.raise_if_any()
    _link(unlinked, local)
    for relay in relays.values():
        record(relay, versions=())
    delete_relays(list(relays))
    stopped = [locked[domain.pk] for domain in domains]
    _switch(stopped, DomainKind.DOMAIN)
    return stopped


def delete_relays(domain_ids: Sequence[int]) -> None:
    """Forget where the mail of domains goes. Part of other operations."""
    delete_rows(RelayDomain.objects.filter(domain__in=domain_ids))


def _switch(domains: Sequence[Domain], kind: DomainKind) -> None:
    now = timezone.now()
    for domain in domains:
        domain.type, domain.last_modification = kind, now
        record(domain, changed=["type"])
    save_columns(domains, ["type", "last_modification"])
    keys = publication.keys_of_domains([domain.pk for domain in domains])
    publication.publish(keys, locked=[domain.name for domain in domains])


def recipients_there(actor: Actor, domain: Domain) -> list[AliasRecipient]:
    """What keeps *actor* from stopping to relay *domain*: recipients that only the other host has."""
    unlinked = _unlinked([domain.name])
    return _left_behind(actor, unlinked, LocalAddresses.behind([row.address for row in unlinked]))


def _unlinked(names: Iterable[str]) -> list[AliasRecipient]:
    """Recipients under *names* that stand for nothing here, or for what came here later."""
    found: list[AliasRecipient] = []
    nobody = AliasRecipient.objects.filter(
        Q(target_alias__isnull=True) | Q(target_alias=F("alias")), mailbox__isnull=True
    )
    for some in publication.chunks(names, size=_NAMES_IN_A_QUERY):
        under = reduce(or_, (Q(address__endswith=f"@{name}") for name in some))
        found += nobody.filter(under).select_related("alias").order_by("address", "alias__address")
    return found


def _left_behind(
    actor: Actor, unlinked: Sequence[AliasRecipient], local: LocalAddresses
) -> list[AliasRecipient]:
    """Those that nobody here would have, of aliases that *actor* sees."""
    left = [row for row in unlinked if _is_only_there(row, local)]
    if actor.is_super or not left:
        return left
    seen = Alias.objects.visible_to(actor).filter(pk=OuterRef("alias"))
    pks: set[int] = set()
    for some in publication.chunks(row.pk for row in left):
        pks |= set(AliasRecipient.objects.filter(Exists(seen), pk__in=some).values_list("pk", flat=True))
    return [row for row in left if row.pk in pks]


def _is_only_there(row: AliasRecipient, local: LocalAddresses) -> bool:
    """Nobody here takes its mail. An alias of the same address only copies what goes on to the other host."""
    holder = local.holder(row.address)
    return holder not in local.mailboxes and (holder == row.alias.address or holder not in local.aliases)


def _refuse_recipients_there(
    rows: Iterable[AliasRecipient], positions: Mapping[str, int], refusals: Refusals
) -> None:
    """Refuse what aliases deliver to as long as it is relayed: nobody would have these addresses."""
    missing: dict[int, dict[str, None]] = {}
    for row in rows:
        position = positions[split_address(row.address)[1]]
        missing.setdefault(position, {})[display_address(row.address)] = None
    for position, addresses in missing.items():
        named = ", ".join([*list(addresses)[:_SHOWN], *(["…"] if len(addresses) > _SHOWN else [])])
        message = _(
            "Aliases deliver to addresses that only the other host has: %(addresses)s. Change these recipients first."
        )
        refusals.add(position, "", "recipients_there", message % {"addresses": named})


def _link(rows: Sequence[AliasRecipient], local: LocalAddresses) -> None:
    """Recipients mean the mailbox or the alias that takes their mail."""
    for row in rows:
        for column, pk in local.links(row.address, alias_address=row.alias.address).items():
            setattr(row, column, pk)
    AliasRecipient.objects.bulk_update(rows, ["mailbox", "target_alias"])
