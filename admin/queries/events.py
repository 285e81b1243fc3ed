"""What happened to one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.models import Log

_SHOWN: Final = 10
_WORDS: Final = {
    "create": _("Created"),
    "delete": _("Deleted"),
    "update": _("Changed"),
    "link": _("Reset link sent"),
    "reset": _("Password reset by link"),
}
_FIELDS: Final[dict[str, str | Promise]] = {
    "administers": _("administered domains"),
    "administrators": _("administrators"),
    "aliases": _("aliases"),
    "default_mailbox_quota": _("default mailbox quota"),
    "description": _("description"),
    "domain_admins_limit": _("limit of administrators"),
    "domain_aliases_limit": _("limit of domain aliases"),
    "email": _("address"),
    "enable_dns_checks": _("DNS checks"),
    "enabled": _("enabled"),
    "expire_at": _("expiry"),
    "first_name": _("first name"),
    "is_active": _("enabled"),
    "language": _("language"),
    "last_name": _("last name"),
    "limits": _("limits"),
    "mailbox_aliases_limit": _("limit of aliases"),
    "mailboxes_limit": _("limit of mailboxes"),
    "master_user": _("master user"),
    "name": _("name"),
    "owner": _("owner"),
    "password": _("password"),
    "phone_number": _("phone number"),
    "quota": _("quota"),
    "recipients": _("recipients"),
    "role": _("role"),
    "secondary_email": _("secondary address"),
    "sender_addresses": _("sender addresses"),
    "type": _("type"),
    "username": _("user name"),
}
_FIELDS_OF: Final[dict[str, dict[str, str | Promise]]] = {"domain": {"aliases": _("domain aliases")}}
_WORDS_OF: Final[dict[str, Mapping[str, str | Promise]]] = {}


def speak_of(kind: str, words: Mapping[str, str | Promise], fields: Mapping[str, str | Promise]) -> None:
    """How apps above call what happens to their objects of a kind (create, delete, update), and their fields."""
    _WORDS_OF[kind] = words
    _FIELDS_OF[kind] = dict(fields)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history."""

    text: str
    actor: str
    at: datetime


def recent_events(kind: str, object_id: int) -> list[Event]:
    """The newest events of one object, newest first."""
    return recent_events_of([(kind, object_id)])


def recent_events_of(objects: Sequence[tuple[str, int]]) -> list[Event]:
    """The newest events of several objects, given by kind and id, in one statement."""
    if not objects:
        return []
    wanted = reduce(or_, (Q(kind=kind, object_id=object_id) for kind, object_id in objects))
    rows = Log.objects.filter(wanted).order_by("-date_created", "-pk")[:_SHOWN]
    return [Event(_text(row), row.actor_name, row.date_created) for row in rows]


def _text(row: Log) -> str:
    words = {**_WORDS, **_WORDS_OF.get(row.kind, {})}
    word = words.get(row.verb.rpartition(".")[2])
    if word is None:
        return row.message
    if not row.changed:
        return str(word)
    words_here = _FIELDS | _FIELDS_OF.get(row.kind, {})
    names = ", ".join(str(words_here.get(name, name)) for name in row.changed)
    return gettext("%(word)s: %(fields)s") % {"word": word, "fields": names}
