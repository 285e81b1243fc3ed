"""What this app registers with the apps below it."""

import reversion
from django.utils.translation import gettext_lazy as _

from admin import domain_features, publication
from admin.exports.domain_rows import describe_by
from admin.imports.row_types import add_row_type
from admin.lookups import Lookup
from admin.operations.domains import on_deletion
from admin.queries import events
from core.signals import register_postfix_maps
from parameters import tools
from relaydomains.exports import relay_domain_rows
from relaydomains.imports import ROW_TYPE
from relaydomains.lookups import POSTFIX
from relaydomains.models import RelayDomain, Service
from relaydomains.operations.relaying import delete_relays
from relaydomains.parameters_form import RelayDomainsParametersForm
from relaydomains.publication import relays
from relaydomains.queries import FEATURE

_EVENTS = {
    "create": _("Relaying started"),
    "delete": _("Relaying stopped"),
    "update": _("Relaying changed"),
}
_FIELDS = {
    "service": _("service"),
    "target_host": _("target host"),
    "target_port": _("port"),
    "verify_recipients": _("verification of recipients"),
}


def wire() -> None:
    """Called once, when the apps are ready."""
    for model in (RelayDomain, Service):
        reversion.register(model)
    tools.registry.add("global", RelayDomainsParametersForm, _("Relay domains"))
    register_postfix_maps.connect(_postfix_maps, dispatch_uid="relaydomains")
    publication.relays_from(relays)
    on_deletion(delete_relays)
    domain_features.add(FEATURE)
    add_row_type(ROW_TYPE)
    describe_by(relay_domain_rows)
    events.speak_of("relaydomain", _EVENTS, _FIELDS)


def _postfix_maps(**_sent: object) -> tuple[Lookup, ...]:
    return POSTFIX
