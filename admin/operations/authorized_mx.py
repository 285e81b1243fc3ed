"""The rule "new domains must use authorized MX": only domains whose mail comes here already are added.

The DNS is slow and others decide how slow: ask before the transaction begins, refuse inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin import policies
from admin.gateways import dns
from admin.gateways.dns import MailHosts, Outcome
from admin.mail_networks import IPNetwork, networks, written
from core.addresses import AddressError, canonical_domain, display_domain
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from core.actor import Actor

_SHOWN = 5

_FINDINGS = {
    Outcome.NO_SUCH_NAME: gettext_lazy("The DNS does not know “%(name)s”."),
    Outcome.NO_MAIL_HOST: gettext_lazy("“%(name)s” has no MX record."),
    Outcome.NO_ADDRESS: gettext_lazy("The hosts that the MX records of “%(name)s” name have no address."),
    Outcome.REFUSES_MAIL: gettext_lazy("The MX record of “%(name)s” says that it takes no mail."),
}


class Objection(NamedTuple):
    """Why a name cannot be added: a stable code and a sentence."""

    code: str
    message: str


def unauthorized(
    actor: Actor, /, names: Iterable[str], *, resolver: dns.Resolver | None = None
) -> dict[str, Objection]:
    """Canonical names that *actor* cannot add, with the reason; what the grammar refuses is not looked up.

    Codes: ``mx_not_authorized``, ``mx_missing``, ``mx_unknown`` (no answer: try again). One address of any MX host in
    "Valid MXs" is enough: a backup may be elsewhere. Takes up to 20 s; not for the inside of a transaction.
    """
    if actor.is_super or not (actor.user.is_active and policies.may_manage_domains(actor)) or not _is_on():
        return {}
    ours = networks(get_global_parameter("valid_mxs", "admin"))
    found = (resolver or dns.resolver()).mail_hosts(sorted(canonical_names(names)))
    objections = ((name, _objection(name, mail, ours)) for name, mail in found.items())
    return {name: objection for name, objection in objections if objection is not None}


def _is_on() -> bool:
    return bool(
        get_global_parameter("enable_mx_checks", "admin")
        and get_global_parameter("domains_must_have_authorized_mx", "admin")
    )


def canonical_names(names: Iterable[str]) -> set[str]:
    """Domain names as they are stored, without those that the grammar refuses."""
    canonical = set()
    for name in names:
        with suppress(AddressError):
            canonical.add(canonical_domain(name))
    return canonical


def _objection(name: str, mail: MailHosts, ours: Sequence[IPNetwork]) -> Objection | None:
    shown = {"name": display_domain(name)}
    if any(address in network for address in mail.addresses for network in ours):
        return None
    if not mail.is_complete:
        unknown = _(
            "The DNS gave no answer about the mail of “%(name)s” in time. Try again in a few minutes."
        )
        return Objection("mx_unknown", unknown % shown)
    remedy = ngettext(
        "Let its MX record point to a mail server of this installation (%(networks)s), then add the domain again.",
        "Let its MX record point to a mail server of this installation (one of %(networks)s), then add the domain "
        "again.",
        len(ours),
    ) % {"networks": _listed([written(network) for network in ours])}
    if mail.outcome is not Outcome.FOUND:
        return Objection("mx_missing", f"{_FINDINGS[mail.outcome] % shown} {remedy}")
    finding = _("Mail for “%(name)s” goes to %(addresses)s.") % {
        **shown,
        "addresses": _listed([str(address) for address in mail.addresses]),
    }
    return Objection("mx_not_authorized", f"{finding} {remedy}")


def _listed(words: Sequence[str]) -> str:
    return ", ".join([*words[:_SHOWN], "…"] if len(words) > _SHOWN else words)
