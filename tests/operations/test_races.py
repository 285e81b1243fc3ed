"""Two people at the same moment: one of them wins, the other is told so, and nothing is published wrongly.

On PostgreSQL and MariaDB the transactions overlap; on SQLite they queue at the lock of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Lock
from typing import Any

import pytest
from django.db import connection, transaction

from admin import publication
from admin.models import Account, Alias, Domain, DomainName, Mailbox, MailRoute
from admin.operations import (
    DomainAliasSpec,
    MailboxSpec,
    accounts,
    aliases,
    create_account,
    create_alias,
    create_domain,
    create_domain_aliases,
    delete_accounts,
    delete_domains,
    domains,
    update_account,
    update_domain,
)
from core.actor import Actor
from core.models import Log, User
from core.operation import operation, record
from core.refusals import Refusal
from core.roles import Role
from tests.cast import PASSWORD, Cast

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


def assert_one_wins(outcomes: list[str], *codes: str) -> None:
    assert len([each for each in outcomes if each == DONE]) == 1, outcomes
    assert set(outcomes) - {DONE} <= set(codes), outcomes
    assert not list(publication.drift())


def new_account(actor: Actor, address: str) -> object:
    return create_account(actor, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address))


def test_one_address_is_created_once(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, accounts, "_check_names")
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
    meet(monkeypatch, accounts, "_check_names")
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
    meet(monkeypatch, accounts, "_check_names")
    outcomes = race(
        lambda: new_account(real_cast.root, "new@dora.example"),
        lambda: create_alias(real_cast.dora, address="new@dora.example", recipients=("x@out.example",)),
    )
    # Whoever creates the alias second makes a forward of it; whoever creates the account second is refused.
    assert outcomes in ([DONE, DONE], ["address_taken", DONE])
    assert Mailbox.objects.filter(address="new").exists() is (outcomes[0] == DONE)
    assert not list(publication.drift())


def test_a_domain_is_deleted_or_gets_an_account(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, accounts, "_check_names")
    outcomes = race(
        lambda: delete_domains(real_cast.root, [real_cast.reseller_example]),
        lambda: new_account(real_cast.rita, "new@reseller.example"),
    )
    assert_one_wins(outcomes, "conflict", "unknown_domain", "has_mailboxes")
    assert Mailbox.objects.filter(address="new").exists() is (outcomes[1] == DONE)


def test_a_domain_is_deleted_once(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    meet(monkeypatch, domains, "_mailbox_counts")
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
    assert list(MailRoute.objects.filter(address="a@mallory.example").values_list("target", flat=True)) == [
        "a@mallory.example"
    ]
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
    assert list(
        MailRoute.objects.filter(address="both@reseller.example").values_list("target", flat=True)
    ) == ["both@reseller.example"]
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
    meet(monkeypatch, accounts, "_locked_accounts", before=True)
    meet(monkeypatch, accounts, "_pass_on", before=True)
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
