"""What Postfix asks about relay domains."""

from typing import Final

from admin.lookups import VERIFY_ACTION, Lookup, next_hop
from admin.models import MailCheck, MailDomain, MailTransport


def _names(key: str) -> list[str]:
    relayed = MailDomain.objects.filter(name=key, kind=MailDomain.Kind.RELAY)
    return list(relayed.values_list("name", flat=True))


def _next_hops(key: str) -> list[str]:
    relays = MailTransport.objects.filter(address=key, kind=MailTransport.Kind.RELAY)
    return [next_hop(relay.service, relay.host, relay.port) for relay in relays]


def _verifications(key: str) -> list[str]:
    verified = MailCheck.objects.filter(address=key, action=MailCheck.Action.VERIFY)
    return [VERIFY_ACTION] if verified.exists() else []


POSTFIX: Final[tuple[Lookup, ...]] = (
    Lookup(
        name="relaydomains",
        question="Is mail for this domain handed to another host? (relay_domains)",
        template="SELECT name FROM mail_domain WHERE name = {key} AND kind = 'relay'",
        answer=_names,
    ),
    Lookup(
        name="relaydomains-transport",
        question="Which host takes the mail of this domain? (transport_maps, second)",
        template="SELECT answer FROM mail_transport WHERE address = {key} AND kind = 'relay'",
        answer=_next_hops,
    ),
    Lookup(
        name="relay-recipient-verification",
        question="Is the other host asked whether it takes mail for a recipient? (check_recipient_access)",
        template="SELECT 'reject_unverified_recipient' FROM mail_check WHERE address = {key} AND action = 'verify'",
        answer=_verifications,
    ),
)
