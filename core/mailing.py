"""Mail from the panel to people, and links that lead back to it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.mail import EmailMessage

DEFAULT_SENDER = "noreply@yourdomain.test"


def _default_sender() -> str:
    return DEFAULT_SENDER


_sender: Callable[[], str] = _default_sender


def sender_from(source: Callable[[], str]) -> None:
    """Ask *source* for the address of the sender from now on: it is a parameter, and these live above the core."""
    global _sender  # noqa: PLW0603  set once, when the apps are ready
    _sender = source


def send(recipient: str, subject: str, body: str) -> None:
    """Hand a message to the mail server of the settings; raises :class:`OSError` when that fails."""
    headers = {"Auto-Submitted": "auto-generated"}  # RFC 3834: nobody's vacation answers it
    EmailMessage(subject, body, _sender(), [recipient], headers=headers).send()


def absolute(path: str) -> str:
    """Address of a page of this site, as the settings name the site; what a visitor calls it does not count."""
    return f"{settings.SITE_ORIGIN}{path}"
