"""The people of the tests.

root is a super admin; rita a reseller who owns reseller.example; dora administers dora.example; sam is a simple
user there; mallory administers mallory.example and must see nothing of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from admin.models import Account, Domain, Mailbox
from admin.operations import create_account, create_domain
from admin.operations.accounts import MailboxSpec
from core.actor import Actor, Credential
from core.models import User
from core.roles import Role

PASSWORD = "Correct-Horse-7"


@dataclass(frozen=True)
class Cast:
    """Actors and the domains that they live in."""

    root: Actor
    rita: Actor
    dora: Actor
    sam: Actor
    mallory: Actor
    dora_example: Domain
    mallory_example: Domain
    reseller_example: Domain

    @property
    def everybody(self) -> dict[str, Actor]:
        """Actors by name."""
        return {name: getattr(self, name) for name in ("root", "rita", "dora", "sam", "mallory")}

    @property
    def sams_mailbox(self) -> Mailbox:
        """The mailbox of the simple user."""
        return Mailbox.objects.select_related("domain", "user").get(user_id=self.sam.pk)


def first_super_admin() -> Actor:
    """root, made by hand: nobody is there yet who could create him."""
    root = User(username="root", role=Role.SUPER_ADMIN)
    root.set_password(PASSWORD)
    root.save()
    return Actor(root, Credential.SESSION, "127.0.0.1")


def assemble() -> Cast:
    """Create everybody through the operations."""
    root = first_super_admin()
    rita = _person(root, "rita", Role.RESELLER)
    dora_example = create_domain(root, name="dora.example", quota=1000, default_mailbox_quota=100)
    mallory_example = create_domain(root, name="mallory.example")
    reseller_example = create_domain(rita, name="reseller.example")
    return Cast(
        root=root,
        rita=rita,
        dora=_person(root, "dora@dora.example", Role.DOMAIN_ADMIN),
        sam=_person(root, "sam@dora.example", Role.SIMPLE_USER),
        mallory=_person(root, "mallory@mallory.example", Role.DOMAIN_ADMIN),
        dora_example=dora_example,
        mallory_example=mallory_example,
        reseller_example=reseller_example,
    )


def _person(root: Actor, username: str, role: Role) -> Actor:
    domain = username.partition("@")[2]
    account = create_account(
        root,
        username=username,
        password=PASSWORD,
        role=role,
        mailbox=MailboxSpec(address=username) if domain else None,
        administers=(domain,) if role is Role.DOMAIN_ADMIN else (),
    ).account
    return Actor(Account.objects.get(pk=account.pk), Credential.SESSION, "127.0.0.1")
