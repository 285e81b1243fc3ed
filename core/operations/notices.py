"""Mail to people about their own accounts, sent in the background: it never delays or fails what it tells about."""

from __future__ import annotations

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from core import background, mailing
from core.models import User


def send_notice(account: User, recipient: str, subject: str, template: str, **context: object) -> None:
    """Write to *recipient* in the language that is active now; the job of another thread."""
    facts = {"username": account.username, "site_host": settings.SITE_HOST, **context}
    mailing.send(recipient, subject, render_to_string(template, facts))


def tell_about_new_password(account: User) -> None:
    """To the secondary address, if there is one."""
    if account.secondary_email:
        background.later(
            _tell, account, account.secondary_email, "core/mail/password_changed.txt", _language(account)
        )


def tell_about_new_secondary_address(account: User, former: str) -> None:
    """To the former address: who took over a session must not take the account silently."""
    background.later(_tell, account, former, "core/mail/secondary_address_changed.txt", _language(account))


def _tell(account: User, recipient: str, template: str, language: str) -> None:
    with translation.override(language):
        subject = _("Your account at %(site)s was changed") % {"site": settings.SITE_HOST}
        send_notice(account, recipient, subject, template)


def _language(account: User) -> str:
    return account.language or translation.get_language() or settings.LANGUAGE_CODE
