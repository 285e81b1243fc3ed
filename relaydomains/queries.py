"""Relay domains as the screens show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin.domain_features import Action, Card, Feature, Link, Narrowing, Tag
from admin.lookups import next_hop
from admin.models import Alias, Domain, DomainAlias, Mailbox
from admin.models.domain import DomainKind
from admin.queries.listing import chip
from admin.queries.searching import search_text
from admin.queries.usage import counted
from core.models import User
from core.presentation import host_and_port, unicode_domain
from relaydomains import policies
from relaydomains.models import RelayDomain, Service

if TYPE_CHECKING:
    from admin.models import AliasRecipient
    from admin.queries.domains import DomainRow
    from core.actor import Actor

_HOST: Final = "relay__target_host"
_PORT: Final = "relay__target_port"
_SERVICE: Final = "relay__service__name"
_VERIFIES: Final = "relay__verify_recipients"
_LEADING_SHOWN: Final = 20


def service_names(actor: Actor) -> list[str]:
    """Services to choose from."""
    return list(Service.objects.visible_to(actor).order_by("name").values_list("name", flat=True))


# --- the list of domains ---------------------------------------------------------------------------------------


def _tags(row: DomainRow) -> list[Tag]:
    service = row.further[_SERVICE]
    return [Tag("service", service, service)] if service else []


def _notes(row: DomainRow) -> list[str]:
    host = row.further[_HOST]
    if not host:
        return []
    return [_("relayed to %(target)s") % {"target": host_and_port(host, row.further[_PORT])}]


def _narrow(actor: Actor, given: Mapping[str, str]) -> list[Narrowing]:
    """By service, while the actor sees any relay domain; the services are those that these use, and the given one.

    A service that nothing uses any more lets nothing through: whoever changes all that match must not get every domain.
    """
    using = RelayDomain.objects.visible_to(actor).filter(service=OuterRef("pk"))
    used = list(Service.objects.filter(Exists(using)).order_by("name").values_list("name", flat=True))
    wanted = search_text(given.get("service", ""))
    offered = [*used, wanted] if wanted and wanted not in used else used
    options = [(name, name) for name in offered]
    service = chip("service", gettext_lazy("Service"), options, {"service": wanted})
    if not service.choices:
        return []
    return [Narrowing(service, Q(**{_SERVICE: service.value}) if service.value else Q())]


# --- the page of one domain ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RelayFacts:
    """What the card says.

    *next_hop* is in Postfix's words; *here*: who gets mail where, "" when all of it goes one way; *catch_all*: nothing
    reaches the other host.
    """

    target: str
    next_hop: str
    service: str
    verifies: bool
    here: str
    catch_all: bool
    update_url: str
    stop_url: str
    services_url: str


def _cards(actor: Actor, row: DomainRow) -> list[Card]:
    host, port, service = (row.further[column] for column in (_HOST, _PORT, _SERVICE))
    if not host:
        return []
    may_change = policies.may_manage_relay_domains(actor)
    catch_all = _has_catch_all(row.name)
    facts = RelayFacts(
        target=host_and_port(host, port),
        next_hop=next_hop(service, host, port),
        service=service,
        verifies=row.further[_VERIFIES],
        here="" if catch_all else _delivered_here(row.mailbox_count, host_and_port(host, port)),
        catch_all=catch_all,
        update_url=reverse("relaydomains:relay_domain_update", args=[row.pk]) if may_change else "",
        stop_url=reverse("relaydomains:relay_domain_stop", args=[row.pk]) if may_change else "",
        services_url=reverse("relaydomains:service_list") if policies.may_scan_services(actor) else "",
    )
    return [Card("relaydomains/relay_domain_card.html", facts)]


def _delivered_here(mailboxes: int, target: str) -> str:
    """Who gets mail where; "" when all of it goes to the other host."""
    if not mailboxes:
        return ""
    words = ngettext(
        "%(number)d mailbox here is delivered locally; mail to everybody else goes to %(target)s.",
        "%(number)d mailboxes here are delivered locally; mail to everybody else goes to %(target)s.",
        mailboxes,
    )
    return words % {"number": mailboxes, "target": target}


def _has_catch_all(name: str) -> bool:
    alive = Q(expire_at__isnull=True) | Q(expire_at__gt=timezone.now())
    return Alias.objects.filter(alive, address=f"@{name}", enabled=True).exists()


def _links(actor: Actor, row: DomainRow) -> list[Link]:
    if row.further[_HOST] or not policies.may_manage_relay_domains(actor):
        return []
    url = reverse("relaydomains:relay_domain_start", args=[row.pk])
    return [Link(gettext_lazy("Relay this domain"), url)]


FEATURE: Final = Feature(
    columns=(_HOST, _PORT, _SERVICE, _VERIFIES),
    tags=_tags,
    notes=_notes,
    narrow=_narrow,
    cards=_cards,
    links=_links,
    actions=(
        Action(
            gettext_lazy("New relay domain"),
            "relaydomains:relay_domain_create",
            "signpost-split",
            policies.may_manage_relay_domains,
        ),
    ),
    event_kinds=("relaydomain",),
)


# --- to this type and back -------------------------------------------------------------------------------------


def of_starting(domain: Domain) -> list[str]:
    """What relaying the mail of a domain means for those who are in it, in sentences."""
    mailboxes, aliases = _held(domain)
    shown = {"name": unicode_domain(domain.name)}
    if _has_catch_all(domain.name):
        rest = _(
            "The catch-all takes the mail of everybody else: nothing reaches the other host until it is gone."
        )
    else:
        rest = (
            _("Mail to everybody else at %(name)s goes to the other host; until now it is refused.") % shown
        )
    return [*_staying(mailboxes, aliases), rest, *_of_domain_aliases(domain)]


def of_stopping(relay: RelayDomain) -> tuple[list[str], list[str]]:
    """What comes of mail when a domain is not relayed any more, and what stays, in sentences."""
    domain = relay.domain
    mailboxes, aliases = _held(domain)
    shown = {
        "name": unicode_domain(domain.name),
        "target": host_and_port(relay.target_host, relay.target_port),
    }
    if mailboxes or aliases:
        refused = _("Mail to addresses that nobody has here is refused; until now it goes to %(target)s.")
    else:
        refused = _(
            "Nobody has an address here: all mail to %(name)s is refused. Until now it goes to %(target)s."
        )
    return [refused % shown, *_of_domain_aliases(domain)], list(_staying(mailboxes, aliases))


def _held(domain: Domain) -> tuple[int, int]:
    """Mailboxes and aliases in a domain; forwards are a matter of their mailboxes, and a catch-all of its own."""
    of_people = User.objects.filter(email=OuterRef("address"))
    aliases = Alias.objects.filter(~Exists(of_people), domain=domain).exclude(address=f"@{domain.name}")
    return Mailbox.objects.filter(domain=domain).count(), aliases.count()


def _staying(mailboxes: int, aliases: int) -> Iterator[str]:
    yield from _counted(
        mailboxes,
        lambda n: ngettext(
            "%(number)d mailbox stays: its mail is delivered here as before.",
            "%(number)d mailboxes stay: their mail is delivered here as before.",
            n,
        ),
    )
    yield from _counted(
        aliases,
        lambda n: ngettext(
            "%(number)d alias stays and passes mail on as before.",
            "%(number)d aliases stay and pass mail on as before.",
            n,
        ),
    )


def _of_domain_aliases(domain: Domain) -> Iterator[str]:
    yield from _counted(
        DomainAlias.objects.filter(target=domain).count(),
        lambda n: ngettext(
            "The same goes for %(number)d domain alias.", "The same goes for %(number)d domain aliases.", n
        ),
    )


def _counted(number: int, words: Callable[[int], str]) -> Iterator[str]:
    """The sentence, unless there is nothing to say."""
    if number:
        yield words(number) % {"number": number}


@dataclass(frozen=True, slots=True)
class Leading:
    """An alias that delivers to an address of the other host."""

    alias: str
    recipient: str
    url: str


def leading(recipients: Iterable[AliasRecipient]) -> list[Leading]:
    """Whose recipients these are; the first of them."""
    rows = sorted(recipients, key=lambda row: (row.alias.address, row.address))
    return [
        Leading(row.alias.address, row.address, reverse("admin:alias_update", args=[row.alias_id]))
        for row in rows[:_LEADING_SHOWN]
    ]


# --- services --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service, and how many of the relay domains that the reader sees use it."""

    name: str
    relay_domain_count: int
    url: str


def services(actor: Actor) -> list[ServiceRow]:
    """All services, in one statement."""
    using = RelayDomain.objects.visible_to(actor).filter(service=OuterRef("pk"))
    rows = Service.objects.visible_to(actor).order_by("name").annotate(number=counted(using))
    return [
        ServiceRow(name, number, f"{reverse('admin:domain_list')}?{urlencode(_listed(name))}")
        for name, number in rows.values_list("name", "number")
    ]


def _listed(service: str) -> dict[str, str]:
    return {"type": DomainKind.RELAY.value, "service": service}
