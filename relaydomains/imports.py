"""Lines of imports that name relay domains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from admin.imports.cells import Cells, Column
from admin.imports.row_types import Entry, Known, Options, RowType, Stage, key_of
from admin.models.domain import DomainKind
from admin.operations.authorized_mx import unauthorized
from admin.queries import names_there
from core.addresses import canonical_domain
from relaydomains import policies
from relaydomains.models import DEFAULT_PORT
from relaydomains.operations.relaying import (
    DEFAULT_SERVICE,
    RelayDomainSpec,
    create_checked_relay_domains,
)
from relaydomains.operations.targets import objections_to

if TYPE_CHECKING:
    from core.actor import Actor


def _read(line: int, kind: str, cells: Cells, _options: Options, _actor: Actor) -> Entry:
    name = cells.text("name")
    spec = RelayDomainSpec(
        name=name,
        target_host=cells.text("target_host"),
        target_port=cells.number("target_port", DEFAULT_PORT),
        service=cells.text("service") or DEFAULT_SERVICE,
        enabled=cells.truth("enabled"),
        verify_recipients=cells.truth("verify_recipients"),
        quota=cells.number("quota", 0),
        default_mailbox_quota=cells.number("default_mailbox_quota", 0),
    )
    return Entry(line, kind, key_of(name, canonical_domain), name, spec)


def _create(actor: Actor, entries: Sequence[Entry], _options: Options, known: Known) -> None:
    create_checked_relay_domains(actor, [entry.spec for entry in entries], known.names, known.hosts)


def _ask(actor: Actor, entries: Sequence[Entry]) -> Known:
    return Known(
        names=unauthorized(actor, [entry.spec.name for entry in entries]),
        hosts=objections_to(actor, [entry.spec.target_host for entry in entries]),
    )


def _there(actor: Actor, names: Collection[str]) -> set[str]:
    return names_there.of_kind(actor, names, DomainKind.RELAY)


ROW_TYPE = RowType(
    name="relaydomain",
    label=_("relay domain"),
    stage=Stage.DOMAINS,
    columns=(
        Column("name"),
        Column("target_host"),
        Column("target_port", str(DEFAULT_PORT)),
        Column("service", DEFAULT_SERVICE),
        Column("enabled", "true"),
        Column("verify_recipients", "false"),
        Column("quota", "0", optional=True),
        Column("default_mailbox_quota", "0", optional=True),
    ),
    allow=policies.may_manage_relay_domains,
    read=_read,
    there=_there,
    create=_create,
    detail=lambda entry: f"→ {entry.spec.target_host}:{entry.spec.target_port}",
    ask=_ask,
)
