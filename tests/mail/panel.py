"""The panel as a person uses it: a browser's session of root, in a committed database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

from django.test import Client
from django.urls import reverse

from admin.models import Account, Alias, Domain, DomainAlias
from admin.operations import (
    DomainAliasSpec,
    MailboxSpec,
    create_account,
    create_alias,
    create_domain,
    create_domain_aliases,
    update_account,
    update_alias,
    update_domain,
)
from core.actor import Actor
from parameters.operations import update_parameters
from tests.cast import PASSWORD

_numbers = count(1)


def unique_name() -> str:
    """A domain name that no test had before: Postfix and Dovecot remember what they have seen."""
    return f"d{next(_numbers)}-{uuid4().hex[:6]}.example"


class Panel:
    """What administrators do, committed at once."""

    def __init__(self, root: Actor) -> None:
        self.root = root

    def new_domain(self, name: str = "", **values: Any) -> str:
        name = name or unique_name()
        return create_domain(self.root, name=name, **values).name

    def new_account(
        self,
        address: str,
        *,
        password: str = PASSWORD,
        quota: int | None = None,
        senders: Sequence[str] = (),
        is_active: bool = True,
    ) -> str:
        mailbox = MailboxSpec(address=address, quota=quota, sender_addresses=tuple(senders))
        create_account(
            self.root, username=address, password=password, is_active=is_active, mailbox=mailbox
        )
        return address

    def new_alias(self, address: str, *recipients: str, expires: datetime | None = None) -> str:
        create_alias(self.root, address=address, recipients=recipients, expire_at=expires)
        return address

    def new_domain_alias(self, target: str) -> str:
        spec = DomainAliasSpec(name=unique_name(), target=target)
        create_domain_aliases(self.root, [spec])
        return spec.name

    def change_domain(self, name: str, **values: Any) -> None:
        update_domain(self.root, Domain.objects.get(name=name), **values)

    def change_account(self, address: str, **values: Any) -> None:
        update_account(self.root, Account.objects.get(username=address), **values)

    def change_alias(self, address: str, **values: Any) -> None:
        update_alias(self.root, Alias.objects.get(address=address), **values)

    def set_parameter(self, name: str, value: object, *, app: str = "core") -> None:
        update_parameters(self.root, {app: {name: value}})
