"""What the published tables say, in pairs."""

from __future__ import annotations

from typing import Any, Literal

from admin.models import MailRoute, MailSender
from admin.models.published import unlisted

Column = Literal["logins", "alias_logins", "extra_logins"]


def routes(**conditions: Any) -> set[tuple[str, str]]:
    """Addresses and where their mail goes."""
    rows = MailRoute.objects.filter(**conditions).values_list("address", "targets")
    return {(address, target) for address, text in rows for target in unlisted(text)}


def targets_of(address: str) -> set[str]:
    """Where mail for *address* goes."""
    return {target for _address, target in routes(address=address)}


def who_sends(column: Column = "logins") -> set[tuple[str, str]]:
    """Addresses and who may send from them."""
    rows = MailSender.objects.values_list("address", column)
    return {(address, login) for address, text in rows for login in unlisted(text)}


def sends_from(login: str) -> set[str]:
    """The addresses that *login* may send from."""
    return {address for address, each in who_sends() if each == login}
