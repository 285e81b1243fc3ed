"""The people of the tests.

root is a super admin; rita a reseller who owns reseller.example; dora administers dora.example; sam is a simple
user there; mallory administers mallory.example and must see nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model

from admin.models import Account, Domain, Mailbox
from admin.operations import create_account, create_domain
from admin.operations.accounts import MailboxSpec
from core.actor import Actor, Credential
from core.models import User
from core.roles import Role
from limits.kinds import Kind
from parameters import tools
from parameters.models import SiteParameters
from relaydomains.models import Service
from tests.stored_parameters import store
from tests.tables import Table

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
    no_limits()
    services()
    root = first_super_admin()
    rita = _person(root, "rita", Role.RESELLER)
    create_domain(root, name="dora.example", quota=102_400, default_mailbox_quota=100)
    create_domain(root, name="mallory.example")
    create_domain(rita, name="reseller.example")
    _person(root, "dora@dora.example", Role.DOMAIN_ADMIN)
    _person(root, "sam@dora.example", Role.SIMPLE_USER)
    _person(root, "mallory@mallory.example", Role.DOMAIN_ADMIN)
    return stored()


def stored() -> Cast:
    """Everybody as the database has them."""
    people = {account.username.partition("@")[0]: account for account in Account.objects.all()}
    actors = {name: Actor(account, Credential.SESSION, "127.0.0.1") for name, account in people.items()}
    domains = {domain.name.replace(".", "_"): domain for domain in Domain.objects.all()}
    root, rita, dora, sam, mallory = (actors[name] for name in ("root", "rita", "dora", "sam", "mallory"))
    return Cast(root, rita, dora, sam, mallory, **domains)


@dataclass
class Template:
    """The rows of a cast, made once and written again for every test: far faster than the operations."""

    tables: list[Table] = field(default_factory=list)

    def cast(self, make: Callable[[], Cast]) -> Cast:
        """Everybody; the first time by *make*."""
        if self.tables:
            # Only MariaDB looks at foreign keys row by row; the others do at the end.
            SiteParameters.objects.all().delete()  # a migration made the row, unless such a test came before
            with connection.constraint_checks_disabled(), transaction.atomic():
                for table in self.tables:
                    table.write()
            services()
            tools.forget()
            tools.get_global_parameter("rounds_number", "core")  # loads all: part of no measurement
            return stored()
        cast = make()
        models = apps.get_models(include_auto_created=True)
        found = [Table.read(model) for model in models if _holds_data(model)]
        self.tables = [table for table in found if table.rows]
        return cast


def services() -> None:
    """What a migration adds, if a test with real transactions has emptied the tables since."""
    Service.objects.bulk_create([Service(name="relay"), Service(name="smtp")], ignore_conflicts=True)


def _holds_data(model: type[Model]) -> bool:
    """Not what Django itself and migrations fill, once for all tests."""
    return (
        model._meta.managed
        and not model._meta.proxy
        and model is not Service
        and model._meta.app_label not in {"contenttypes", "auth"}
    )


def no_limits() -> None:
    """New administrators may have as much as they like; what is limited is a matter for its own tests."""
    store("limits", **{f"deflt_user_{kind}_limit": kind.unlimited for kind in Kind})


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
