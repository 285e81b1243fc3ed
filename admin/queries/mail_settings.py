"""What a person needs to set up a mail program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True, slots=True)
class MailSetting:
    """One line of components/mail_settings.html."""

    label: _StrOrPromise
    value: str
    note: _StrOrPromise = ""


def mail_settings(address: str) -> list[MailSetting]:
    """Servers and user name for the mailbox *address*: the ports of RFC 8314 on this host."""
    host = settings.SITE_HOST
    return [
        MailSetting(_("User name"), address),
        MailSetting(_("Incoming mail (IMAP)"), f"{host}:993", _("TLS")),
        MailSetting(_("Incoming mail (POP3)"), f"{host}:995", _("TLS")),
        MailSetting(_("Outgoing mail (SMTP)"), f"{host}:587", _("STARTTLS")),
    ]
