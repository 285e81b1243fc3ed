"""Further people for a test, and the parameters that they live under."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from admin.models import Account
from admin.operations import AccountSpec, MailboxSpec, create_account
from core.actor import Actor
from core.roles import Role
from limits.kinds import Kind
from limits.models import Allowance
from tests.cast import PASSWORD, Cast
from tests.stored_parameters import store


def account_of(actor: Actor) -> Account:
    """The account of an actor, as it is stored now."""
    return Account.objects.get(pk=actor.pk)


def simple(address: str, **values: Any) -> AccountSpec:
    """A simple user, whose login name is his address."""
    mailbox = MailboxSpec(
        address=address, **{k: values.pop(k) for k in ("quota", "sender_addresses") if k in values}
    )
    return AccountSpec(username=address, mailbox=mailbox, **values)


def person(
    cast: Cast,
    username: str,
    role: Role = Role.SIMPLE_USER,
    *,
    by: Actor | None = None,
    mailbox: bool = True,
    administers: tuple[str, ...] = (),
) -> Actor:
    """Somebody new, ready to act."""
    account = create_account(
        by or cast.root,
        username=username,
        role=role,
        password=PASSWORD,
        mailbox=MailboxSpec(address=username) if mailbox else None,
        administers=administers,
    ).account
    return replace(cast.root, user=Account.objects.get(pk=account.pk))


def without_limits(actor: Actor) -> None:
    """Whom a reseller made begins with nothing."""
    Allowance.objects.filter(user=actor.pk).update(**{f"{kind}_max": kind.unlimited for kind in Kind})


def set_parameter(name: str, *, value: object, app: str = "admin") -> None:
    """A parameter that somebody changed."""
    store(app, **{name: value})
