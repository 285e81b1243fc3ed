"""The panel as an administrator uses it: everything goes through the pages and their forms."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from uuid import uuid4

from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from admin.forms.controls import MENU_LIMIT
from admin.models import Account, Alias, Domain
from core.actor import Actor
from core.addresses import canonical_domain
from parameters.operations import update_parameters
from tests.cast import PASSWORD
from tests.mail.browser import Browser, Values

# Of a tick box.
ON, OFF = "on", "OFF"
# Of a password hash: what the parameter allows at least.
FEW_ROUNDS = 1_000

_numbers = count(1)


def unique_name() -> str:
    """A domain name that no test had before: Postfix and Dovecot remember what they have seen."""
    return f"d{next(_numbers)}-{uuid4().hex[:6]}.example"


class Panel:
    """Root at work, in a browser."""

    def __init__(self, root: Actor) -> None:
        self.root = root
        self.browser = Browser()
        self.browser.change(reverse("core:sign_in"), {"username": root.user.username, "password": PASSWORD})

    def new_domain(self, name: str = "") -> str:
        name = name or unique_name()
        self.browser.change(reverse("admin:domain_create"), {"name": name})
        return canonical_domain(name)

    def new_account(
        self, address: str, *, password: str = PASSWORD, quota: str = "", senders: Sequence[str] = ()
    ) -> str:
        """*quota* with its unit; blank for the domain's value."""
        chosen = {"quota_mode": "own", "quota": quota} if quota else {"quota_mode": "domain"}
        secret = {"password_mode": "type", "password": password}
        url = reverse("admin:account_create")
        self.browser.change(url, self._address(address) | chosen | secret | {"sender_addresses": senders})
        return str(Account.objects.order_by("pk").values_list("email", flat=True).last())

    def _address(self, address: str) -> dict[str, str | Sequence[str]]:
        if Domain.objects.count() >= MENU_LIMIT:
            return {"address": address}
        local, _at, domain = address.rpartition("@")
        return {"address_local": local, "address_domain": canonical_domain(domain)}

    def wait_until(self, instant: datetime) -> None:
        """And a little longer: the timer has then run, too."""
        time.sleep(max(0, (instant - timezone.now()).total_seconds()) + 0.1)
        call_command("modo", "publish", "--due")

    def new_alias(self, address: str, *recipients: str, expires: datetime | None = None) -> str:
        expiry = {"expire_at": f"{expires:%Y-%m-%dT%H:%M:%S}"} if expires else {}
        url = reverse("admin:alias_create")
        self.browser.change(url, self._address(address) | {"recipients": recipients} | expiry)
        return address

    def new_domain_alias(self, target: str) -> str:
        domain = Domain.objects.get(name=target)
        name = unique_name()
        self.browser.change(reverse("admin:domain_update", args=[domain.pk]), {"aliases": [name]})
        return name

    def change_domain(self, name: str, changes: Values) -> None:
        self._change("domain", Domain.objects.get(name=name).pk, changes)

    def change_account(self, address: str, changes: Values) -> None:
        self._change("account", Account.objects.get(username=address).pk, changes)

    def change_alias(self, address: str, changes: Values) -> None:
        self._change("alias", Alias.objects.get(address=address).pk, changes)

    def _change(self, noun: str, pk: int, changes: Values) -> None:
        taken_off = [name for name, value in changes.items() if value == OFF]
        filled_in = {name: value for name, value in changes.items() if value != OFF}
        self.browser.change(reverse(f"admin:{noun}_update", args=[pk]), filled_in, leave_out=taken_off)

    def set_parameter(self, name: str, value: object, *, app: str = "core") -> None:
        """The page of the parameters is another issue's."""
        update_parameters(self.root, {app: {name: value}})
