"""What waits for the command in each scene, and what must be left of it afterwards."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.utils import timezone

from admin.gateways.mail_root import MailRoot, initialize
from admin.models import Account, Mailbox, MailboxOperation
from admin.operations import (
    AccountSpec,
    MailboxSpec,
    Restoration,
    create_accounts,
    create_domain,
    delete_accounts,
    directories,
    restore_directories,
    update_account,
)
from admin.publication import home_of
from core.actor import Actor
from core.models import Log
from tests.cast import first_super_admin, no_limits, services
from tests.stored_parameters import store

NEAR: Final = "near.example"
# Below the mail root another file system is mounted there, in scenes that cross devices.
FAR: Final = "far.example"


@dataclass(slots=True)
class Expected:
    """What a scene began with."""

    # Text of each message, and the mailbox (id) that it belongs to.
    owners: dict[str, int] = field(default_factory=dict)
    # Mailboxes whose messages are to be gone in the end, and who gets those of another one.
    purged: list[int] = field(default_factory=list)
    restored: dict[int, int] = field(default_factory=dict)
    orders: list[int] = field(default_factory=list)
    # The log before.
    last_log: int = 0


@dataclass(slots=True)
class Stage:
    """Where a scene is built."""

    root: Path
    expected: Expected = field(default_factory=Expected)
    actor: Actor = field(init=False)

    def open(self) -> None:
        """Two domains and somebody who may do everything; the panel handles directories."""
        no_limits()
        services()
        store("core", rounds_number=1_000)
        owner = pwd.getpwuid(os.geteuid()).pw_name
        store("admin", handle_mailboxes=True, mailboxes_owner=owner)
        self.actor = first_super_admin()
        for name in (NEAR, FAR):
            create_domain(self.actor, name=name)
        initialize(str(self.root))

    def box(self, address: str, *parts: str) -> Mailbox:
        """A mailbox with a message in each of *parts*."""
        empty = self.empty_box(address)
        home = self.root / home_of(empty)
        for part in parts or ("cur", ".Sent/cur"):
            (home / part).mkdir(parents=True)
            (home / part / "1.mail").write_text(f"{address} {part}")
            self.expected.owners[f"{address} {part}"] = empty.pk
        return empty

    def empty_box(self, address: str) -> Mailbox:
        """A mailbox that was never used."""
        create_accounts(self.actor, [AccountSpec(username=address, mailbox=MailboxSpec(address=address))])
        return Mailbox.objects.select_related("user", "domain").get(user__email=address)

    def rename(self, box: Mailbox, address: str) -> None:
        """Order it."""
        update_account(self.actor, Account.objects.get(pk=box.user_id), address=address)

    def delete(self, box: Mailbox) -> MailboxOperation:
        """Order it."""
        delete_accounts(self.actor, [Account.objects.get(pk=box.user_id)])
        return MailboxOperation.objects.get(kind="delete", mailbox_id=box.pk)

    def work_off(self) -> None:
        """What was ordered so far belongs to the past."""
        with MailRoot(str(self.root)) as root:
            assert directories.work_off(root).is_clean

    def close(self) -> Expected:
        """What waits now is what the command is watched at."""
        self.expected.orders = list(MailboxOperation.objects.unfinished().values_list("pk", flat=True))
        self.expected.last_log = Log.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return self.expected


def _rename(stage: Stage) -> None:
    stage.rename(stage.box(f"a@{NEAR}"), f"b@{NEAR}")


def _delete(stage: Stage) -> None:
    stage.delete(stage.box(f"a@{NEAR}"))
    stage.box(f"rest@{NEAR}")


def _purge(stage: Stage) -> None:
    gone, kept = stage.box(f"a@{NEAR}"), stage.box(f"b@{NEAR}")
    orders = [stage.delete(gone), stage.delete(kept)]
    stage.work_off()
    MailboxOperation.objects.filter(pk=orders[0].pk).update(finished_at=timezone.now() - timedelta(days=99))
    stage.expected.purged.append(gone.pk)


def _restore(stage: Stage) -> None:
    lost = stage.box(f"a@{NEAR}")
    order = stage.delete(lost)
    stage.work_off()
    back = stage.empty_box(f"back@{NEAR}")
    restore_directories(stage.actor, [Restoration(order, back)])
    stage.expected.restored[lost.pk] = back.pk


def _chain(stage: Stage) -> None:
    box = stage.box(f"a@{NEAR}")
    stage.rename(box, f"b@{NEAR}")
    stage.rename(box, f"c@{NEAR}")
    stage.box(f"rest@{NEAR}")


def _batch(stage: Stage) -> None:
    renamed, deleted = stage.box(f"a@{NEAR}"), stage.box(f"x@{NEAR}")
    stage.rename(renamed, f"b@{NEAR}")
    stage.delete(deleted)


def _reuse(stage: Stage) -> None:
    """A name that is free again is somebody else's."""
    first = stage.box(f"a@{NEAR}")
    stage.rename(first, f"b@{NEAR}")
    stage.delete(first)
    stage.box(f"b@{NEAR}")


def _cross(stage: Stage) -> None:
    stage.rename(stage.box(f"a@{NEAR}", "cur"), f"a@{FAR}")


def _cross_back(stage: Stage) -> None:
    """The original stays beside its place: the trash of the root is on another device."""
    stage.rename(stage.box(f"a@{FAR}", "cur"), f"a@{NEAR}")


def _cross_delete(stage: Stage) -> None:
    """As above, without a copy: beside its place is the trash of that device."""
    stage.delete(stage.box(f"a@{FAR}", "cur"))


def _cross_restore(stage: Stage) -> None:
    """What is restored by a copy stays in the trash for its time."""
    lost = stage.box(f"a@{NEAR}", "cur")
    order = stage.delete(lost)
    stage.work_off()
    back = stage.empty_box(f"back@{FAR}")
    restore_directories(stage.actor, [Restoration(order, back)])
    stage.expected.restored[lost.pk] = back.pk


@dataclass(frozen=True, slots=True)
class Scene:
    """One situation."""

    name: str
    build: Callable[[Stage], None]
    crosses: bool = False


SCENES: Final = (
    Scene("rename", _rename),
    Scene("delete to trash", _delete),
    Scene("purge", _purge),
    Scene("restore", _restore),
    Scene("chain A→B→C", _chain),
    Scene("two orders in a batch", _batch),
    Scene("rename, delete, create again", _reuse),
    Scene("to another device", _cross, crosses=True),
    Scene("from another device", _cross_back, crosses=True),
    Scene("delete on another device", _cross_delete, crosses=True),
    Scene("restore to another device", _cross_restore, crosses=True),
)
