"""Two people at the same moment: one of them wins, the other is told so, and nothing is published wrongly.

On PostgreSQL and MariaDB the transactions overlap; on SQLite they queue at the lock of the file.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError, Event, Lock
from typing import Any

import pytest
from django.db import connection, transaction

from admin import publication
from admin.imports import running
from admin.imports.files import CsvFile, Layout
from admin.imports.report import Outcome, Report
from admin.imports.row_types import Options, columns
from admin.imports.running import Import, Incomplete, Unwatched
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    DomainName,
    Mailbox,
    Quota,
)
from admin.operations import (
    Appointment,
    DomainAliasSpec,
    MailboxSpec,
    account_changes,
    accounts,
    add_administrators,
    administrators,
    aliases,
    create_account,
    create_alias,
    create_domain,
    create_domain_aliases,
    delete_accounts,
    delete_domains,
    domains,
    update_account,
    update_alias,
    update_domain,
)
from core.actor import Actor
from core.models import Log, User
from core.operation import operation, record
from core.passwords import hash_password
from core.refusals import Refusal
from core.roles import Role
from parameters import operations as parameter_operations
from parameters.models import SiteParameters
from parameters.operations import update_parameters
from parameters.queries import history
from tests.cast import PASSWORD, Cast
from tests.operations.people import set_parameter
from tests.published import targets_of

# How long somebody waits for the other one, who may be waiting for a lock of the first.
PATIENCE_S = 1.0
DONE = "done"


def race(*works: Callable[[], object]) -> list[str]:
    """Run all of them at once, each with a connection of its own; DONE or the code of the refusal."""
    start = Barrier(len(works))

    def run(work: Callable[[], object]) -> str:
        try:
            start.wait()
            work()
        except Refusal as refusal:
            return refusal.reasons[0].code
        finally:
            connection.close()
        return DONE

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def meet(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *, before: bool = False) -> None:
    """Hold everybody after (or before) a function until all have come there, so that their transactions overlap."""
    barrier = Barrier(2)
    function = getattr(module, name)

    def held(*args: Any, **kwargs: Any) -> Any:
        if before:
            wait()
        result = function(*args, **kwargs)
        if not before:
            wait()
        return result

    def wait() -> None:
        if connection.vendor != "sqlite":  # where the other one cannot come before we are through
            with suppress(BrokenBarrierError):
                barrier.wait(PATIENCE_S)

    monkeypatch.setattr(module, name, held)


def overtake(monkeypatch: pytest.MonkeyPatch, first: Any, second: Any) -> None:
    """*first* (a module of operations) gets its locks while *second* has read already what it wants to lock."""
    ready, locked = Event(), Event()
    lock_first, lock_second = first.lock_domains, second.lock_domains

    def before_others(*args: Any, **kwargs: Any) -> Any:
        waits = (
            connection.vendor != "sqlite" and not locked.is_set()
        )  # where nobody is between reading and locking
        if waits:
            ready.wait(PATIENCE_S)
        result = lock_first(*args, **kwargs)
        locked.set()
        if waits:
            time.sleep(PATIENCE_S / 5)  # long enough to come to the lock and wait there
        return result

    def after_others(*args: Any, **kwargs: Any) -> Any:
        if connection.vendor != "sqlite":
            ready.set()
            locked.wait(PATIENCE_S)
        return lock_second(*args, **kwargs)

    monkeypatch.setattr(first, "lock_domains", before_others)
    monkeypatch.setattr(second, "lock_domains", after_others)


def assert_one_wins(outcomes: list[str], *codes: str) -> None:
    assert len([each for each in outcomes if each == DONE]) == 1, outcomes
    assert set(outcomes) - {DONE} <= set(codes), outcomes
    assert not list(publication.drift())


def new_account(actor: Actor, address: str) -> object:
    return create_account(actor, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address))


def test_one_address_is_created_once(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, accounts, "check_claims")
    outcomes = race(
        lambda: new_account(real_cast.root, "new@dora.example"),
        lambda: new_account(real_cast.dora, "new@dora.example"),
    )
    assert_one_wins(outcomes, "conflict", "address_taken")
    assert Mailbox.objects.filter(address="new").count() == 1
    assert Log.objects.filter(verb="account.create", object_name="new@dora.example").count() == 1


def test_one_login_name_without_a_domain_is_created_once(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, accounts, "check_claims")
    work = [lambda: create_account(real_cast.root, username="new", role=Role.RESELLER, password=PASSWORD)] * 2
    assert_one_wins(race(*work), "conflict", "name_taken")


def test_one_name_becomes_one_domain(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, domains, "_check_names")
    outcomes = race(
        lambda: create_domain(real_cast.root, name="new.example"),
        lambda: create_domain(real_cast.rita, name="new.example"),
    )
    assert_one_wins(outcomes, "conflict", "name_taken")


def test_a_name_becomes_a_domain_or_a_domain_alias(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, domains, "_check_names")
    spec = DomainAliasSpec(name="new.example", target="reseller.example")
    outcomes = race(
        lambda: create_domain(real_cast.root, name="new.example"),
        lambda: create_domain_aliases(real_cast.rita, [spec]),
    )
    assert_one_wins(outcomes, "conflict", "name_taken")
    assert DomainName.objects.filter(name="new.example").count() == 1


def test_one_address_becomes_one_alias(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, aliases, "_check_addresses")
    outcomes = race(
        lambda: create_alias(real_cast.root, address="new@dora.example", recipients=("x@out.example",)),
        lambda: create_alias(real_cast.dora, address="new@dora.example", recipients=("y@out.example",)),
    )
    assert_one_wins(outcomes, "conflict", "address_taken")


def test_an_address_becomes_an_alias_or_an_account_with_a_forward(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, accounts, "check_claims")
    outcomes = race(
        lambda: new_account(real_cast.root, "new@dora.example"),
        lambda: create_alias(real_cast.dora, address="new@dora.example", recipients=("x@out.example",)),
    )
    # Whoever creates the alias second makes a forward of it; whoever creates the account second is refused.
    assert outcomes in ([DONE, DONE], ["address_taken", DONE])
    assert Mailbox.objects.filter(address="new").exists() is (outcomes[0] == DONE)
    assert not list(publication.drift())


def test_a_domain_is_deleted_or_gets_an_account(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, accounts, "check_claims")
    outcomes = race(
        lambda: delete_domains(real_cast.root, [real_cast.reseller_example]),
        lambda: new_account(real_cast.rita, "new@reseller.example"),
    )
    # Whoever creates the account first loses it again, as everybody in the domain does.
    assert outcomes in ([DONE, DONE], [DONE, "unknown_domain"], ["conflict", DONE], [DONE, "conflict"])
    assert Mailbox.objects.filter(address="new").exists() is (outcomes[0] != DONE)
    assert_in_order()


def test_a_domain_is_deleted_once(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, domains, "_check_deletion")
    work = [lambda: delete_domains(real_cast.root, [real_cast.reseller_example])] * 2
    assert_one_wins(race(*work), "gone", "conflict")


def test_a_recipient_is_deleted_or_gets_another_alias(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = Account.objects.get(pk=real_cast.sam.pk)
    meet(monkeypatch, publication, "publish", before=True)
    outcomes = race(
        lambda: delete_accounts(real_cast.dora, [sam]),
        lambda: create_alias(
            real_cast.mallory, address="a@mallory.example", recipients=("sam@dora.example",)
        ),
    )
    assert outcomes in ([DONE, DONE], [DONE, "unknown_recipient"], ["conflict", DONE], [DONE, "conflict"])
    assert not list(publication.drift())


def test_a_recipient_is_disabled_while_he_gets_another_alias(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = Account.objects.get(pk=real_cast.sam.pk)
    meet(monkeypatch, publication, "publish", before=True)
    outcomes = race(
        lambda: update_account(real_cast.dora, sam, is_active=False),
        lambda: create_alias(
            real_cast.mallory, address="a@mallory.example", recipients=("sam@dora.example",)
        ),
    )
    assert outcomes == [DONE, DONE]
    assert targets_of("a@mallory.example") == {"a@mallory.example"}
    assert not list(publication.drift())


def test_two_recipients_of_one_alias_are_disabled_in_two_domains(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_alias(
        real_cast.rita,
        address="both@reseller.example",
        recipients=("sam@dora.example", "mallory@mallory.example"),
    )
    people = [Account.objects.get(pk=actor.pk) for actor in (real_cast.sam, real_cast.mallory)]
    meet(monkeypatch, publication, "publish", before=True)
    outcomes = race(*(lambda who=who: update_account(real_cast.root, who, is_active=False) for who in people))
    assert outcomes == [DONE, DONE]
    assert targets_of("both@reseller.example") == {"both@reseller.example"}
    assert not list(publication.drift())


def test_a_new_default_quota_and_a_mailbox_that_begins_to_follow_it(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = Account.objects.get(pk=real_cast.sam.pk)
    update_account(real_cast.root, sam, quota=7)
    meet(monkeypatch, publication, "publish", before=True)
    outcomes = race(
        lambda: update_domain(real_cast.root, real_cast.dora_example, default_mailbox_quota=400),
        lambda: update_account(real_cast.dora, sam, quota=None),
    )
    assert outcomes == [DONE, DONE]
    assert real_cast.sams_mailbox.quota == 400
    assert not list(publication.drift())


def test_two_super_admins_do_not_delete_each_other(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):  # who own nothing, so that no foreign key comes to help
        create_account(real_cast.root, username=name, role=Role.SUPER_ADMIN, password=PASSWORD)
    one, two = (Account.objects.get(username=name) for name in ("one", "two"))
    session = real_cast.root.credential
    update_account(Actor(one, session), Account.objects.get(username="root"), role=Role.RESELLER)
    meet(monkeypatch, accounts, "locked_accounts", before=True)
    meet(monkeypatch, accounts, "pass_on", before=True)
    outcomes = race(
        lambda: delete_accounts(Actor(one, session), [two]),
        lambda: delete_accounts(Actor(two, session), [one]),
    )
    assert_one_wins(outcomes, "last_super_admin", "gone", "conflict")
    assert User.objects.super_admins().count() == 1


def test_many_people_work_at_once_and_everybody_succeeds(real_cast: Cast) -> None:
    addresses = [f"n{number}@{domain}.example" for number in range(4) for domain in ("dora", "mallory")]
    outcomes = race(*(lambda address=address: new_account(real_cast.root, address) for address in addresses))
    assert outcomes == [DONE] * len(addresses)
    assert not list(publication.drift())


# --- new names ------------------------------------------------------------------------------------------------


def account_of(actor: Actor) -> Account:
    return Account.objects.get(pk=actor.pk)


def assert_in_order() -> None:
    """Published exactly, and every name that follows a rename has followed it."""
    assert not list(publication.drift())
    for box in Mailbox.objects.select_related("user", "domain"):
        assert box.user.email == box.full_address
        assert Quota.objects.filter(username=box.full_address).exists()
    for row in AliasRecipient.objects.filter(mailbox__isnull=False).select_related("mailbox__user"):
        local_part, name = row.address.split("@")
        assert row.mailbox is not None
        assert f"{local_part.partition('+')[0]}@{name}" == row.mailbox.user.email
    for alias in Alias.objects.select_related("domain"):
        assert alias.address.endswith(f"@{alias.domain.name}")
    names = set(Domain.objects.values_list("name", flat=True))
    names |= set(DomainAlias.objects.values_list("name", flat=True))
    assert names == set(DomainName.objects.values_list("name", flat=True))


@pytest.mark.parametrize("renamed_first", [True, False])
@pytest.mark.parametrize("address", ["samuel@dora.example", "sam@mallory.example"])
def test_a_mailbox_is_renamed_or_deleted(
    real_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    renamed_first: bool,  # noqa: FBT001  a parameter
) -> None:
    sam = account_of(real_cast.sam)
    create_alias(real_cast.rita, address="far@reseller.example", recipients=("sam@dora.example",))
    pair = (account_changes, accounts) if renamed_first else (accounts, account_changes)
    overtake(monkeypatch, *pair)
    outcomes = race(
        lambda: update_account(real_cast.root, sam, address=address),
        lambda: delete_accounts(real_cast.dora, [sam]),
    )
    assert outcomes in ([DONE, DONE], ["gone", DONE], [DONE, "gone"], ["conflict", DONE])
    there = Account.objects.filter(pk=sam.pk).exists()
    assert there is (outcomes[1] != DONE)
    assert Alias.objects.filter(address="far@reseller.example").exists() is there
    assert_in_order()


def test_a_mailbox_moves_to_another_domain_while_it_is_changed(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = account_of(real_cast.sam)
    meet(monkeypatch, account_changes, "lock_domains", before=True)
    outcomes = race(
        lambda: update_account(real_cast.root, sam, address="sam@mallory.example"),
        lambda: update_account(real_cast.dora, sam, quota=9, aliases=("info@dora.example",)),
    )
    assert outcomes[0] == DONE
    assert outcomes[1] in {DONE, "gone", "conflict", "domain_not_yours"}
    assert account_of(real_cast.sam).email == "sam@mallory.example"
    assert_in_order()


@pytest.mark.parametrize("renamed_first", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_a_domain_is_renamed_while_a_mailbox_is_created_in_it(
    real_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    keep: bool,  # noqa: FBT001  a parameter
    renamed_first: bool,  # noqa: FBT001  a parameter
) -> None:
    pair = (domains, accounts) if renamed_first else (accounts, domains)
    overtake(monkeypatch, *pair)
    outcomes = race(
        lambda: update_domain(
            real_cast.root, real_cast.dora_example, name="renamed.example", keep_old_name=keep
        ),
        lambda: new_account(real_cast.dora, "new@dora.example"),
    )
    assert outcomes in ([DONE, DONE], [DONE, "unknown_domain"])
    assert Account.objects.filter(email="new@renamed.example").exists() is (outcomes[1] == DONE)
    assert not Account.objects.filter(email__endswith="@dora.example").exists()
    assert_in_order()


def test_a_domain_is_renamed_or_deleted(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    new_account(real_cast.rita, "a@reseller.example")
    meet(monkeypatch, domains, "lock_domains", before=True)
    outcomes = race(
        lambda: update_domain(real_cast.rita, real_cast.reseller_example, name="renamed.example"),
        lambda: delete_domains(real_cast.root, [real_cast.reseller_example]),
    )
    assert outcomes in ([DONE, DONE], ["gone", DONE], ["conflict", DONE])
    assert not Domain.objects.filter(pk=real_cast.reseller_example.pk).exists()
    assert not DomainName.objects.filter(name__in=["renamed.example", "reseller.example"]).exists()
    assert_in_order()


@pytest.mark.parametrize("renamed_first", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_a_domain_is_renamed_while_an_alias_elsewhere_begins_to_point_into_it(
    real_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    keep: bool,  # noqa: FBT001  a parameter
    renamed_first: bool,  # noqa: FBT001  a parameter
) -> None:
    pair = (domains, aliases) if renamed_first else (aliases, domains)
    overtake(monkeypatch, *pair)
    outcomes = race(
        lambda: update_domain(
            real_cast.root, real_cast.dora_example, name="renamed.example", keep_old_name=keep
        ),
        lambda: create_alias(
            real_cast.mallory, address="a@mallory.example", recipients=("sam@dora.example", "x@out.example")
        ),
    )
    assert outcomes[0] == DONE
    assert outcomes[1] in {DONE, "conflict", "unknown_recipient"}
    if outcomes[1] == DONE and keep:
        # Under the old name, which is an alias now, the mailbox is still the same.
        assert AliasRecipient.objects.filter(mailbox__user=real_cast.sam.pk).exists()
    assert_in_order()


def test_two_domains_are_renamed_to_one_name(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, domains, "_check_names")
    outcomes = race(
        lambda: update_domain(real_cast.root, real_cast.dora_example, name="renamed.example"),
        lambda: update_domain(real_cast.rita, real_cast.reseller_example, name="renamed.example"),
    )
    assert_one_wins(outcomes, "conflict", "name_taken")
    assert_in_order()


def test_a_domain_is_renamed_to_a_name_that_becomes_an_alias(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, domains, "_check_names")
    outcomes = race(
        lambda: update_domain(real_cast.root, real_cast.dora_example, name="renamed.example"),
        lambda: update_domain(real_cast.rita, real_cast.reseller_example, aliases=("renamed.example",)),
    )
    assert_one_wins(outcomes, "conflict", "name_taken")
    assert_in_order()


def test_two_domains_swap_with_each_others_names_in_vain(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, domains, "_check_names")
    outcomes = race(
        lambda: update_domain(real_cast.root, real_cast.dora_example, name="reseller.example"),
        lambda: update_domain(real_cast.rita, real_cast.reseller_example, name="dora.example"),
    )
    assert outcomes == ["name_taken", "name_taken"]
    assert_in_order()


@pytest.mark.parametrize("other", ["dora@dora.example", "mallory@mallory.example"])
def test_two_mailboxes_are_renamed_to_one_address(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    sam, second = account_of(real_cast.sam), Account.objects.get(email=other)
    meet(monkeypatch, account_changes, "check_claims")
    outcomes = race(
        lambda: update_account(real_cast.root, sam, address="new@dora.example"),
        lambda: update_account(real_cast.root, second, address="new@dora.example"),
    )
    assert_one_wins(outcomes, "conflict", "address_taken")
    assert_in_order()


def test_a_mailbox_is_renamed_to_an_address_that_becomes_a_login(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the two do not meet at the lock of a domain."""
    sam = account_of(real_cast.sam)
    meet(monkeypatch, account_changes, "check_claims")
    outcomes = race(
        lambda: update_account(real_cast.root, sam, address="new@dora.example"),
        lambda: update_account(real_cast.root, account_of(real_cast.rita), username="new@dora.example"),
    )
    assert_one_wins(outcomes, "conflict", "address_taken", "name_taken")
    assert_in_order()


@pytest.mark.parametrize("renamed_first", [True, False])
def test_a_mailbox_is_renamed_while_its_domain_is(
    real_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    renamed_first: bool,  # noqa: FBT001  a parameter
) -> None:
    sam = account_of(real_cast.sam)
    pair = (domains, account_changes) if renamed_first else (account_changes, domains)
    overtake(monkeypatch, *pair)
    outcomes = race(
        lambda: update_domain(real_cast.root, real_cast.dora_example, name="renamed.example"),
        lambda: update_account(real_cast.dora, sam, address="samuel@dora.example"),
    )
    assert outcomes[0] == DONE
    assert outcomes[1] in {DONE, "unknown_domain"}
    assert account_of(real_cast.sam).email in {"samuel@renamed.example", "sam@renamed.example"}
    assert_in_order()


# --- two administrators of one thing --------------------------------------------------------------------------


def seen(kind: str, pk: int) -> int:
    newest = Log.objects.filter(kind=kind, object_id=pk).order_by("-pk").first()
    return newest.pk if newest else 0


def test_of_two_who_saw_the_same_account_one_is_told(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = account_of(real_cast.sam)
    known = seen("account", sam.pk)
    meet(monkeypatch, account_changes, "lock_domains", before=True)
    outcomes = race(
        lambda: update_account(real_cast.root, sam, first_name="One", seen=known),
        lambda: update_account(real_cast.dora, sam, last_name="Two", seen=known),
    )
    assert sorted(outcomes) == ["changed_meanwhile", DONE]
    assert account_of(real_cast.sam).full_name in {"One", "Two"}
    assert_in_order()


def test_of_two_who_saw_the_same_account_without_a_mailbox_one_is_told(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_account(real_cast.root, username="second", role=Role.SUPER_ADMIN, password=PASSWORD)
    second = Actor(Account.objects.get(username="second"), real_cast.root.credential)
    rita = account_of(real_cast.rita)
    known = seen("account", rita.pk)
    meet(monkeypatch, account_changes, "locked_accounts", before=True)
    outcomes = race(
        lambda: update_account(real_cast.root, rita, first_name="One", seen=known),
        lambda: update_account(second, rita, last_name="Two", seen=known),
    )
    assert sorted(outcomes) == ["changed_meanwhile", DONE]


def test_of_two_who_saw_the_same_domain_one_is_told(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = real_cast.reseller_example
    known = seen("domain", domain.pk)
    meet(monkeypatch, domains, "lock_domains", before=True)
    outcomes = race(
        lambda: update_domain(real_cast.root, domain, quota=7, seen=known),
        lambda: update_domain(real_cast.rita, domain, aliases=("second.example",), seen=known),
    )
    assert sorted(outcomes) == ["changed_meanwhile", DONE]
    assert_in_order()


def test_of_two_who_saw_the_same_alias_one_is_told(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    alias = create_alias(real_cast.dora, address="info@dora.example", recipients=("sam@dora.example",))
    known = seen("alias", alias.pk)
    meet(monkeypatch, aliases, "lock_domains", before=True)
    outcomes = race(
        lambda: update_alias(real_cast.root, alias, recipients=("x@out.example",), seen=known),
        lambda: update_alias(real_cast.dora, alias, description="Two", seen=known),
    )
    assert sorted(outcomes) == ["changed_meanwhile", DONE]
    assert_in_order()


@pytest.mark.parametrize("renamed_first", [True, False])
def test_an_account_becomes_administrator_or_a_simple_user(
    real_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    renamed_first: bool,  # noqa: FBT001  a parameter
) -> None:
    dora = account_of(real_cast.dora)
    pair = (administrators, account_changes) if renamed_first else (account_changes, administrators)
    overtake(monkeypatch, *pair)
    outcomes = race(
        lambda: update_account(real_cast.root, dora, role=Role.SIMPLE_USER),
        lambda: add_administrators(
            real_cast.root, [Appointment(real_cast.mallory_example, "dora@dora.example")]
        ),
    )
    assert outcomes in ([DONE, DONE], [DONE, "administers_nothing"])
    assert not account_of(real_cast.dora).administered_domains.exists()


def test_two_super_admins_do_not_demote_each_other(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    create_account(real_cast.root, username="two", role=Role.SUPER_ADMIN, password=PASSWORD)
    one, two = account_of(real_cast.root), Account.objects.get(username="two")
    session = real_cast.root.credential
    meet(monkeypatch, account_changes, "locked_accounts", before=True)
    outcomes = race(
        lambda: update_account(Actor(one, session), Account.objects.get(pk=two.pk), role=Role.RESELLER),
        lambda: update_account(Actor(two, session), Account.objects.get(pk=one.pk), is_active=False),
    )
    assert_one_wins(outcomes, "last_super_admin", "gone")
    assert User.objects.super_admins().active().count() == 1


def test_two_super_admins_do_not_delete_each_other_with_their_domains(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where accounts go with their domains."""
    set_parameter("auto_account_removal", value=True)
    session = real_cast.root.credential
    actors = []
    for name in ("mallory.example", "reseller.example"):
        new = create_account(
            real_cast.root,
            username=f"boss@{name}",
            role=Role.SUPER_ADMIN,
            password=PASSWORD,
            mailbox=MailboxSpec(address=f"boss@{name}"),
        )
        actors.append(Actor(Account.objects.get(pk=new.account.pk), session))
    User.objects.filter(pk=real_cast.root.pk).update(role=Role.RESELLER)  # who goes on owning everything
    meet(monkeypatch, domains, "_check_deletion")
    outcomes = race(
        lambda: delete_domains(actors[0], [real_cast.reseller_example]),
        lambda: delete_domains(actors[1], [real_cast.mallory_example]),
    )
    assert_one_wins(outcomes, "last_super_admin", "gone", "conflict")
    assert User.objects.super_admins().active().count() == 1


def test_everything_about_a_domain_happens_at_once(real_cast: Cast) -> None:
    """Nobody meets anything but a refusal, and in the end everything fits together."""
    sam, dora = account_of(real_cast.sam), account_of(real_cast.dora)
    domain = real_cast.dora_example
    race(
        lambda: update_domain(real_cast.root, domain, name="renamed.example", keep_old_name=True),
        lambda: update_account(real_cast.dora, sam, address="samuel@dora.example", keep_old_address=True),
        lambda: new_account(real_cast.dora, "new@dora.example"),
        lambda: update_account(real_cast.root, dora, role=Role.SIMPLE_USER),
        lambda: create_alias(
            real_cast.mallory, address="a@mallory.example", recipients=("sam@dora.example",)
        ),
        lambda: update_domain(real_cast.root, domain, default_mailbox_quota=7, enabled=False),
        lambda: delete_accounts(real_cast.root, [sam]),
        lambda: update_account(real_cast.root, account_of(real_cast.mallory), address="mallory@dora.example"),
    )
    assert_in_order()


# --- deadlocks ------------------------------------------------------------------------------------------------


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="one writer at a time: no deadlock is possible")
def test_an_operation_is_repeated_when_the_database_had_to_break_a_deadlock(real_cast: Cast) -> None:
    barrier, attempts, counting = Barrier(2), [0], Lock()

    @operation("domain.update", allow=lambda _actor, *_args: True)
    def lock_crosswise(_actor: Actor, /, one: Domain, other: Domain) -> None:
        with counting:
            attempts[0] += 1
        for each in (one, other):
            Domain.objects.select_for_update().get(pk=each.pk)
            Domain.objects.filter(pk=each.pk).update(quota=Domain.objects.get(pk=each.pk).quota + 1)
            with suppress(BrokenBarrierError):
                barrier.wait(PATIENCE_S)
        record(one, changed=["quota"])

    pair = (real_cast.mallory_example, real_cast.reseller_example)
    assert race(
        lambda: lock_crosswise(real_cast.root, *pair), lambda: lock_crosswise(real_cast.root, *pair[::-1])
    ) == [DONE, DONE]
    assert attempts[0] >= 3, "nobody was a victim: the test proves nothing"
    assert [Domain.objects.get(pk=each.pk).quota for each in pair] == [2, 2]
    assert Log.objects.filter(verb="domain.update").count() == 2


def test_a_refused_operation_leaves_the_transaction_of_its_caller_in_order(real_cast: Cast) -> None:
    with transaction.atomic():
        create_domain(real_cast.root, name="kept.example")
        with pytest.raises(Refusal):
            create_domain(real_cast.root, name="dora.example")
        create_alias(real_cast.dora, address="kept@dora.example", recipients=("x@out.example",))
    connection.close()
    assert Domain.objects.filter(name="kept.example").exists()
    assert Alias.objects.filter(address="kept@dora.example").exists()


def test_an_import_whose_user_name_somebody_takes_meanwhile_is_done_again(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, accounts, "check_claims")
    hashed = hash_password(PASSWORD, "sha512crypt", 1_000)
    lines = [f"account;clerk{number};{hashed};;;1;Resellers;" for number in range(60)]

    def import_them() -> None:
        with CsvFile(columns(), Layout()) as source, Report() as report:
            source.add(io.BytesIO("\n".join(lines).encode()), "clerks.csv")
            work = Import(real_cast.root, source, Options(continue_if_exists=True), report)
            work.apply()
            assert [line.shown for line in report.lines(Outcome.SKIPPED)] in (["clerk7"], [])

    outcomes = race(
        import_them,
        lambda: create_account(real_cast.root, username="clerk7", password=PASSWORD, role=Role.RESELLER),
    )
    assert outcomes[0] == DONE
    assert outcomes[1] in {DONE, "conflict", "name_taken"}
    assert User.objects.filter(username__startswith="clerk").count() == len(lines)


@pytest.mark.parametrize("doomed", ["first.example", "second.example"])
def test_a_domain_that_is_deleted_during_an_import_takes_all_or_nothing(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch, doomed: str
) -> None:
    monkeypatch.setattr(running, "_CHUNK", 2)
    for name in ("first.example", "second.example"):
        create_domain(real_cast.root, name=name)
    hashed = hash_password(PASSWORD, "sha512crypt", 1_000)
    lines = [
        f"account;jo{number}@{name};{hashed};;;1;SimpleUsers;jo{number}@{name};"
        for name in ("first.example", "second.example")
        for number in range(4)
    ]
    begun = Event()

    class Slowly(Unwatched):
        def advance(self, _lines: int) -> None:
            begun.set()
            if connection.vendor != "sqlite":
                time.sleep(PATIENCE_S / 5)

    def import_them() -> None:
        with CsvFile(columns(), Layout()) as source, Report() as report:
            source.add(io.BytesIO("\n".join(lines).encode()), "people.csv")
            with suppress(Incomplete):
                Import(real_cast.root, source, Options(), report, Slowly()).apply()

    def delete() -> None:
        begun.wait(10)
        delete_domains(real_cast.root, [Domain.objects.get(name=doomed)])

    assert race(import_them, delete) == [DONE, DONE]
    kept = {"first.example", "second.example"} - {doomed}
    left = Account.objects.filter(email__startswith="jo").values_list("email", flat=True)
    assert {address.partition("@")[2] for address in left} <= kept
    assert len(left) in {0, 4}
    assert not list(publication.drift())


# --- parameters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_first", [False, True])
def test_two_administrators_change_different_parameters_and_both_survive(
    real_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    is_first: bool,  # noqa: FBT001  whether nobody has changed any before
) -> None:
    if is_first:
        SiteParameters.objects.all().delete()
    meet(monkeypatch, parameter_operations, "_cleaned")
    values: list[dict[str, dict[str, object]]] = [
        {"core": {"items_per_page": 50}},
        {"core": {"rounds_number": 2_000}},
        {"admin": {"default_domain_quota": 7}},
    ]
    works = [partial(update_parameters, real_cast.root, each) for each in values]
    assert race(*works) == [DONE, DONE, DONE]
    stored = SiteParameters.objects.get().parameters
    assert stored["admin"]["default_domain_quota"] == 7
    assert (stored["core"]["items_per_page"], stored["core"]["rounds_number"]) == (50, 2_000)
    changes = history(real_cast.root, "global", {}).rows
    assert {change.new for change in changes} == {"50 rows", "2000", "7 MB"}
    assert len(changes) == 3
