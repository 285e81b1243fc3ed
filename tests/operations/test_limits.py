"""Limits of administrators and of domains: who pays, what is refused, what returns, and that nobody gets more."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from threading import Barrier
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from admin import bulk_changes
from admin.models import Account, Alias, Domain, DomainAlias, Mailbox
from admin.operations import (
    AccountChange,
    AccountSpec,
    AliasSpec,
    Appointment,
    DomainAliasSpec,
    DomainSpec,
    add_administrators,
    create_account,
    create_accounts,
    create_alias,
    create_aliases,
    create_domain,
    create_domain_aliases,
    create_domains,
    delete_accounts,
    delete_aliases,
    delete_domains,
    remove_administrators,
    set_up_domains,
    update_account,
    update_accounts,
    update_domain,
)
from admin.operations import aliases as alias_operations
from admin.operations.bulk import BulkPlan, change_identities
from admin.operations.forwards import set_own_forward
from admin.operations.setting_up import DomainSetup, FirstAdministrator
from core.actor import Actor, Credential
from core.models import User
from core.refusals import Refusal, Refusals
from core.roles import Role
from limits import policies
from limits.kinds import HANDED_OUT, LIMITED, MAX_LIMIT, OF_DOMAINS, Kind, kinds_of
from limits.models import Allowance
from limits.operations import Demand, Drift, Grant, Owned, give_back, grant, recount, spend
from limits.queries import limited_of, usages_of
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    overdrawn,
    refused,
    refused_as,
    sentences,
    statements,
)
from tests.operations.people import account_of, person, set_parameter, simple
from tests.operations.test_publication import Life, live, picks
from tests.operations.test_races import DONE, meet, race

ALIAS = ("x@out.example",)


def limit(actor: Actor, **limits: int) -> None:
    """Set limits by hand, whatever is in use."""
    Allowance.objects.filter(user=actor.pk).update(**{f"{kind}_max": value for kind, value in limits.items()})


def hand_out(by: Actor, to: Actor, **limits: int) -> None:
    grant(by, [Grant(account=account_of(to), limits={Kind(k): value for k, value in limits.items()})])


def allowance(actor: Actor) -> Allowance:
    return Allowance.objects.get(user=actor.pk)


def used(actor: Actor) -> dict[str, int]:
    """What an administrator has taken, without what he has nothing of."""
    row = allowance(actor)
    return {str(kind): n for kind in Kind if (n := getattr(row, f"{kind}_used"))}


def aliases(count: int, name: str = "dora.example", start: int = 0) -> list[AliasSpec]:
    return [AliasSpec(address=f"a{n}@{name}", recipients=ALIAS) for n in range(start, start + count)]


@pytest.fixture
def pool(cast: Cast) -> Actor:
    """A domain administrator of rita's, in her domain, with nothing yet."""
    return person(
        cast,
        "admin@reseller.example",
        Role.DOMAIN_ADMIN,
        by=cast.rita,
        administers=("reseller.example",),
    )


# --- who is limited, and to what ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_resellers_and_domain_administrators_have_allowances(cast: Cast, role: Role) -> None:
    new = person(cast, "new@dora.example", role)
    assert Allowance.objects.filter(user=new.pk).exists() is (role in LIMITED)
    assert [usage.kind for usage in usages_of(new.user)] == list(LIMITED.get(role, ()))


def test_a_super_administrator_gives_the_defaults_and_everybody_else_nothing(cast: Cast) -> None:
    for number, kind in enumerate(Kind, start=3):
        set_parameter(f"deflt_user_{kind}_limit", value=number, app="limits")
    by_root = person(cast, "two", Role.RESELLER, mailbox=False)
    assert [usage.maximum for usage in usages_of(by_root.user)] == [3, 4, 5, 6, 7, 8]
    by_rita = person(cast, "da", Role.DOMAIN_ADMIN, by=cast.rita, mailbox=False)
    assert [usage.maximum for usage in usages_of(by_rita.user)] == [0, 0]
    by_root = person(cast, "db", Role.DOMAIN_ADMIN, mailbox=False)
    assert [usage.maximum for usage in usages_of(by_root.user)] == [6, 7]


def test_what_is_made_while_limits_are_switched_off_has_none(cast: Cast) -> None:
    """Or nobody could do anything the moment they are switched on."""
    set_parameter("enable_admin_limits", value=False, app="limits")
    for kind in Kind:
        set_parameter(f"deflt_user_{kind}_limit", value=5, app="limits")
    two = person(cast, "two", Role.RESELLER, mailbox=False)
    assert all(allowance(two).usage(kind).maximum is None for kind in Kind)
    assert [getattr(cast.dora_example, f"{kind}_limit") for kind in OF_DOMAINS] == [-1] * 4


def test_nothing_is_limited_while_limits_are_switched_off_but_everything_is_counted(cast: Cast) -> None:
    limit(cast.dora, mailboxes=0, mailbox_aliases=0)
    set_parameter("enable_admin_limits", value=False, app="limits")
    create_accounts(cast.dora, [simple("one@dora.example"), simple("two@dora.example")])
    create_aliases(cast.dora, aliases(3))
    assert used(cast.dora) == {"mailboxes": 2, "mailbox_aliases": 3}
    assert usages_of(cast.dora.user) == []
    assert limited_of([cast.dora.pk], Kind.MAILBOXES) == set()
    set_parameter("enable_admin_limits", value=True, app="limits")
    assert limited_of([cast.dora.pk], Kind.MAILBOXES) == {cast.dora.pk}
    with refused_as("address", "limit_reached"):
        create_accounts(cast.dora, [simple("three@dora.example")])


@pytest.mark.parametrize(
    ("kind", "make", "field"),
    [
        ("domains", lambda rita: create_domain(rita, name="new.example"), "name"),
        (
            "domain_aliases",
            lambda rita: create_domain_aliases(
                rita, [DomainAliasSpec(name="a.example", target="reseller.example")]
            ),
            "name",
        ),
        (
            "domain_admins",
            lambda rita: create_account(rita, username="da", role=Role.DOMAIN_ADMIN, password=PASSWORD),
            "role",
        ),
        ("mailboxes", lambda rita: create_accounts(rita, [simple("x@reseller.example")]), "address"),
        ("mailbox_aliases", lambda rita: create_aliases(rita, aliases(1, "reseller.example")), "address"),
    ],
)
def test_of_nothing_there_is_nothing_and_of_one_there_is_one(
    cast: Cast, kind: str, make: Callable[[Actor], object], field: str
) -> None:
    before = used(cast.rita).get(kind, 0)
    limit(cast.rita, **{kind: before})
    with refused_as(field, "limit_reached"):
        make(cast.rita)
    limit(cast.rita, **{kind: before + 1})
    make(cast.rita)
    assert used(cast.rita)[kind] == before + 1
    assert recount() == []


def test_super_administrators_are_never_limited(cast: Cast) -> None:
    deputy = person(cast, "deputy", Role.SUPER_ADMIN, mailbox=False)
    create_domain(deputy, name="deputy.example", quota=2**33, aliases=("further.example",))
    create_accounts(deputy, [simple(f"x{n}@deputy.example", quota=1) for n in range(5)])
    assert not Allowance.objects.filter(user=deputy.pk).exists()


# --- what a refusal says --------------------------------------------------------------------------------------


def test_a_refusal_names_the_limit_what_is_taken_and_who_can_raise_it(cast: Cast, pool: Actor) -> None:
    limit(cast.dora, mailboxes=0)
    with refused_as("address", "limit_reached") as caught:
        create_accounts(cast.dora, [simple("x@dora.example")])
    assert sentences(caught) == ["Mailboxes: 0 of 0 are taken. A super administrator can raise this limit."]
    with refused_as("address", "limit_reached") as caught:
        create_aliases(pool, aliases(1, "reseller.example"))
    assert "Your reseller, rita, can raise this limit." in sentences(caught)[0]


def test_a_batch_that_is_too_big_changes_nothing_and_says_how_many_would_fit(cast: Cast) -> None:
    limit(cast.dora, mailbox_aliases=1_005)
    Allowance.objects.filter(user=cast.dora.pk).update(mailbox_aliases_used=1_002)
    with refused((3, "address", "limit_reached")) as caught:
        create_aliases(cast.dora, aliases(5))
    said = "Aliases: 1,002 of 1,005 are taken; 5 more are asked for, 3 would fit."
    assert sentences(caught) == [f"{said} A super administrator can raise this limit."]


def test_every_limit_that_is_in_the_way_is_named_at_once(cast: Cast) -> None:
    limit(cast.rita, domains=1, domain_aliases=0, quota=10)
    wrong = [(1, "quota", "limit_reached"), (0, "name", "limit_reached"), (1, "aliases", "limit_reached")]
    with refused(*wrong) as caught:
        create_domains(
            cast.rita,
            [
                DomainSpec(name="one.example", quota=10, default_mailbox_quota=1),
                DomainSpec(name="two.example", quota=1, default_mailbox_quota=1, aliases=("three.example",)),
            ],
        )
    assert any("11 MB more are asked for, 10 MB would fit" in text for text in sentences(caught))


# --- who pays, and what returns -------------------------------------------------------------------------------


def test_who_creates_something_pays_for_it_until_it_is_deleted(cast: Cast) -> None:
    start = used(cast.rita)
    domain = create_domain(cast.rita, name="r.example", quota=500, aliases=("ra.example", "rb.example"))
    account = create_accounts(
        cast.rita, [simple("x@r.example", quota=7, aliases=("y@r.example", "z@r.example"))]
    )[0].account
    alias = create_alias(cast.rita, address="i@r.example", recipients=ALIAS)
    assert used(cast.rita) == start | {
        "domains": 2,
        "domain_aliases": 2,
        "quota": 500,
        "mailboxes": 1,
        "mailbox_aliases": 3,
    }
    create_alias(cast.root, address="j@r.example", recipients=ALIAS)
    assert used(cast.rita)["mailbox_aliases"] == 3, "root made it"
    delete_aliases(cast.root, [alias])
    delete_accounts(cast.root, [account])
    assert used(cast.rita) == start | {"domains": 2, "domain_aliases": 2, "quota": 500}
    update_domain(cast.rita, domain, aliases=("rb.example",), quota=300)
    assert used(cast.rita) == start | {"domains": 2, "domain_aliases": 1, "quota": 300}
    delete_domains(cast.root, [domain])
    assert used(cast.rita) == start
    assert recount() == []


def test_a_domain_gives_back_what_everybody_had_in_it(cast: Cast, pool: Actor) -> None:
    hand_out(cast.rita, pool, mailboxes=5, mailbox_aliases=5)
    create_accounts(pool, [simple("x@reseller.example")])
    create_accounts(cast.rita, [simple("y@reseller.example", aliases=("z@reseller.example",))])
    create_aliases(pool, aliases(2, "reseller.example"))
    assert used(pool) == {"mailboxes": 1, "mailbox_aliases": 2}
    delete_domains(cast.rita, [cast.reseller_example])
    assert (used(pool), used(cast.rita)) == ({}, {"domain_admins": 1})
    assert recount() == []


def test_the_forward_of_a_mailbox_is_not_counted(cast: Cast) -> None:
    limit(cast.dora, mailbox_aliases=0)
    set_parameter("enable_domain_limits", value=True, app="limits")
    update_domain(cast.root, cast.dora_example, mailbox_aliases_limit=0)
    set_own_forward(cast.sam, recipients=("x@out.example",), keep_copy=True)
    create_alias(cast.dora, address="dora@dora.example", recipients=ALIAS)
    set_own_forward(cast.sam, recipients=(), keep_copy=False)
    assert used(cast.dora) == {}
    assert recount() == []


def test_a_first_mailbox_is_paid_by_who_gives_it(cast: Cast) -> None:
    bare = person(cast, "bare", Role.DOMAIN_ADMIN, by=cast.rita, mailbox=False)
    limit(cast.rita, mailboxes=0)
    with refused_as("address", "limit_reached"):
        update_account(cast.rita, account_of(bare), address="bare@reseller.example")
    limit(cast.rita, mailboxes=1)
    update_account(cast.rita, account_of(bare), address="bare@reseller.example")
    assert used(cast.rita)["mailboxes"] == 1
    update_account(cast.rita, account_of(bare), address="renamed@reseller.example")
    with refused_as("address", "limit_reached"):
        create_accounts(cast.rita, [simple("x@reseller.example")])


def test_an_old_name_that_is_kept_is_a_further_alias(cast: Cast) -> None:
    limit(cast.rita, domain_aliases=0)
    with refused_as("aliases", "limit_reached"):
        update_domain(cast.rita, cast.reseller_example, name="r.example", keep_old_name=True)
    limit(cast.rita, domain_aliases=1)
    update_domain(cast.rita, cast.reseller_example, name="r.example", keep_old_name=True)
    domain = Domain.objects.get(name="r.example")
    update_domain(cast.rita, domain, name="reseller.example", keep_old_name=True)
    assert used(cast.rita)["domain_aliases"] == 1, "they changed places"
    assert list(DomainAlias.objects.values_list("name", "owner")) == [("r.example", cast.rita.pk)]


# --- at the limit ---------------------------------------------------------------------------------------------


def test_at_the_limit_everything_that_is_there_can_be_edited(cast: Cast) -> None:
    """A reseller of the old panel who had all his domains could not edit one of them."""
    create_domain_aliases(cast.rita, [DomainAliasSpec(name="ra.example", target="reseller.example")])
    create_accounts(
        cast.rita, [simple("x@reseller.example", aliases=("y@reseller.example",), password=PASSWORD)]
    )
    da = person(cast, "da", Role.DOMAIN_ADMIN, by=cast.rita, mailbox=False)
    taken = used(cast.rita)
    limit(cast.rita, **{str(kind): taken.get(str(kind), 0) for kind in Kind if kind is not Kind.QUOTA})
    update_domain(cast.rita, cast.reseller_example, enabled=False)
    update_domain(cast.rita, cast.reseller_example, aliases=("rb.example",))
    update_domain(cast.rita, cast.reseller_example, name="r.example")
    account = Account.objects.get(email="x@r.example")
    update_account(cast.rita, account, first_name="X", aliases=("z@r.example",), address="xx@r.example")
    update_account(cast.rita, account_of(da), first_name="D", administers=("r.example",))
    assert used(cast.rita) == taken
    assert recount() == []


def test_an_administrator_over_the_limit_edits_and_deletes_but_adds_nothing(cast: Cast) -> None:
    create_aliases(cast.dora, aliases(3))
    limit(cast.dora, mailbox_aliases=1)
    with refused_as("address", "limit_reached") as caught:
        create_aliases(cast.dora, aliases(1, start=9))
    assert "3 of 1 are taken" in sentences(caught)[0]
    delete_aliases(cast.dora, list(Alias.objects.filter(owner=cast.dora.pk)))
    create_aliases(cast.dora, aliases(1))


# --- quota of resellers ---------------------------------------------------------------------------------------


def test_domains_share_the_quota_of_their_reseller(cast: Cast) -> None:
    limit(cast.rita, quota=1_000)
    domain = create_domain(cast.rita, name="one.example", quota=600, default_mailbox_quota=10)
    with refused_as("quota", "limit_reached") as caught:
        create_domain(cast.rita, name="two.example", quota=500, default_mailbox_quota=10)
    assert "600 MB of 1000 MB are taken; 500 MB more are asked for, 400 MB would fit" in sentences(caught)[0]
    with refused_as("quota", "limit_reached"):
        update_domain(cast.rita, domain, quota=1_001)
    update_domain(cast.rita, domain, quota=1_000)
    update_domain(cast.rita, domain, enabled=False)
    update_domain(cast.root, domain, quota=2_000)
    assert used(cast.rita)["quota"] == 2_000, "a super administrator gives more than she has"
    with refused_as("quota", "limit_reached"):
        update_domain(cast.rita, domain, quota=2_001)
    update_domain(cast.rita, domain, quota=1_900)
    assert recount() == []


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**33])
def test_quotas_are_added_beyond_32_bits(cast: Cast, size: int) -> None:
    limit(cast.rita, quota=3 * size)
    for name in ("one.example", "two.example", "three.example"):
        create_domain(cast.rita, name=name, quota=size, default_mailbox_quota=1)
    with refused_as("quota", "limit_reached"):
        create_domain(cast.rita, name="four.example", quota=1, default_mailbox_quota=1)
    assert used(cast.rita)["quota"] == 3 * size


def test_the_owner_of_a_domain_pays_for_its_quota_whoever_asks(cast: Cast) -> None:
    other = person(cast, "other", Role.RESELLER, mailbox=False, administers=("reseller.example",))
    limit(cast.rita, quota=100)
    with refused_as("quota", "limit_reached"):
        update_domain(other, cast.reseller_example, quota=101, default_mailbox_quota=1)
    update_domain(other, cast.reseller_example, quota=100, default_mailbox_quota=1)
    assert (used(cast.rita)["quota"], used(other)) == (100, {})
    add_administrators(cast.root, [Appointment(cast.dora_example, "other")])
    update_domain(other, cast.dora_example, quota=5_000)


# --- pools ----------------------------------------------------------------------------------------------------


def test_a_reseller_hands_out_parts_of_his_own_and_gets_them_back(cast: Cast, pool: Actor) -> None:
    limit(cast.rita, mailboxes=10, mailbox_aliases=10)
    start = used(cast.rita).get("mailboxes", 0)
    hand_out(cast.rita, pool, mailboxes=4)
    assert allowance(cast.rita).mailboxes_granted == 4
    with refused_as("mailboxes_limit", "pool_exhausted") as caught:
        hand_out(cast.rita, pool, mailboxes=11)
    assert f"rita has {6 - start} left to hand out." in sentences(caught)[0]
    hand_out(cast.rita, pool, mailboxes=10 - start)
    with refused_as("address", "limit_reached"):
        create_accounts(cast.rita, [simple("x@reseller.example")])
    hand_out(cast.rita, pool, mailboxes=2)
    create_accounts(cast.rita, [simple("x@reseller.example")])
    create_accounts(pool, [simple("y@reseller.example")])
    with refused_as("mailboxes_limit", "below_use"):
        hand_out(cast.rita, pool, mailboxes=0)
    delete_accounts(cast.rita, [account_of(pool)])
    row = allowance(cast.rita)
    assert (row.mailboxes_granted, row.mailboxes_used) == (0, start + 1), (
        "y is rita's; the administrator's went"
    )
    assert recount() == []


def test_without_limit_only_where_there_is_none(cast: Cast, pool: Actor) -> None:
    hand_out(cast.rita, pool, mailboxes=-1)
    assert allowance(cast.rita).mailboxes_granted == 0
    with refused_as("mailboxes_limit", "handed_out_unlimited") as caught:
        hand_out(cast.root, cast.rita, mailboxes=10)
    assert "admin@reseller.example" in sentences(caught)[0]
    hand_out(cast.rita, pool, mailboxes=5)
    hand_out(cast.root, cast.rita, mailboxes=10)
    assert allowance(cast.rita).mailboxes_granted == 5
    with refused_as("mailboxes_limit", "unlimited_not_yours"):
        hand_out(cast.rita, pool, mailboxes=-1)
    with refused_as("mailboxes_limit", "below_use"):
        hand_out(cast.root, cast.rita, mailboxes=4)
    hand_out(cast.root, cast.rita, mailboxes=-1)
    hand_out(cast.rita, pool, mailboxes=-1)
    hand_out(cast.rita, pool, mailboxes=3)
    row = allowance(cast.rita)
    assert (row.mailboxes_max, row.mailboxes_granted) == (-1, 3), "infinite on both sides"


def test_super_administrators_hand_out_of_the_pool_of_the_reseller_too(cast: Cast, pool: Actor) -> None:
    limit(cast.rita, mailboxes=10)
    with refused_as("mailboxes_limit", "pool_exhausted"):
        hand_out(cast.root, pool, mailboxes=11)
    hand_out(cast.root, pool, mailboxes=5)
    assert allowance(cast.rita).mailboxes_granted == 5
    hand_out(cast.root, cast.dora, mailboxes=1_000)
    assert allowance(cast.dora).mailboxes_max == 1_000, "root made dora: no pool"


def test_two_in_one_batch_draw_on_one_pool(cast: Cast, pool: Actor) -> None:
    other = person(cast, "other", Role.DOMAIN_ADMIN, by=cast.rita, mailbox=False)
    limit(cast.rita, mailboxes=10, mailbox_aliases=10)
    accounts = [account_of(pool), account_of(other)]
    with refused((1, "mailboxes_limit", "pool_exhausted")):
        grant(cast.rita, [Grant(account=each, limits={Kind.MAILBOXES: 6}) for each in accounts])
    grant(cast.rita, [Grant(account=each, limits={Kind.MAILBOX_ALIASES: 5}) for each in accounts])
    assert allowance(cast.rita).mailbox_aliases_granted == 10
    with refused((1, "", "repeated")):
        grant(cast.rita, [Grant(account=accounts[0], limits={Kind.MAILBOXES: 1})] * 2)


def test_a_reseller_and_his_administrator_change_together(cast: Cast, pool: Actor) -> None:
    """The order in the batch does not matter, and nobody gets more in between."""

    def together(rita: int, child: int) -> None:
        pairs = [(cast.rita, rita), (pool, child)]
        for some in (pairs, pairs[::-1]):
            grant(
                cast.root,
                [Grant(account=account_of(who), limits={Kind.MAILBOXES: value}) for who, value in some],
            )

    limit(cast.rita, mailboxes=10)
    hand_out(cast.rita, pool, mailboxes=8)
    together(5, 3)
    together(20, 19)
    together(-1, -1)
    with refused((0, "mailboxes_limit", "handed_out_unlimited")):
        hand_out(cast.root, cast.rita, mailboxes=10)
    together(10, 3)
    with refused((0, "mailboxes_limit", "unlimited_not_yours")):
        hand_out(cast.root, pool, mailboxes=-1)


def test_an_allowance_that_is_missing_is_one_of_nothing(cast: Cast, pool: Actor) -> None:
    Allowance.objects.filter(user=pool.pk).delete()
    with refused_as("address", "limit_reached"):
        create_accounts(pool, [simple("x@reseller.example")])
    hand_out(cast.rita, pool, mailboxes=3)
    create_accounts(pool, [simple("x@reseller.example")])


def test_a_grant_creates_only_allowances_that_are_missing(cast: Cast, pool: Actor) -> None:
    with statements() as run:
        hand_out(cast.rita, pool, mailboxes=3)
    assert not any(sql.startswith("INSERT") and "limits_allowance" in sql for sql in run)
    other = person(cast, "other", Role.DOMAIN_ADMIN, by=cast.rita, mailbox=False)
    Allowance.objects.filter(user=other.pk).delete()
    both = [Grant(account=account_of(actor), limits={Kind.MAILBOXES: 4}) for actor in (pool, other)]
    grant(cast.rita, both)
    assert [allowance(actor).mailboxes_max for actor in (pool, other)] == [4, 4]
    assert allowance(cast.rita).mailboxes_granted == 8


@pytest.mark.parametrize("value", [-2, MAX_LIMIT + 1, 2**63])
def test_a_limit_is_a_number_that_every_table_holds(cast: Cast, value: int) -> None:
    with refused_as("mailboxes_limit", "limit_out_of_range"):
        hand_out(cast.root, cast.dora, mailboxes=value)
    with refused_as("quota_limit", "limit_out_of_range"):
        hand_out(cast.root, cast.rita, quota=value)
    with refused_as("quota_limit", "limit_out_of_range"):
        hand_out(cast.root, cast.rita, quota=-1)
    with refused_as("mailboxes_limit", "limit_out_of_range"):
        update_domain(cast.root, cast.dora_example, mailboxes_limit=value)
    with refused_as("mailboxes_limit", "limit_out_of_range"):
        create_domain(cast.root, name="new.example", mailboxes_limit=value)


def test_who_has_no_limits_gets_none(cast: Cast) -> None:
    deputy = person(cast, "deputy", Role.SUPER_ADMIN, mailbox=False)
    for someone in (cast.sam, cast.root):
        with refused_as("", "not_limited"):
            hand_out(deputy, someone, mailboxes=1)
    with refused_as("domains_limit", "not_limited"):
        hand_out(cast.root, cast.dora, domains=1)
    gone = person(cast, "gone", Role.RESELLER, mailbox=False)
    account = account_of(gone)
    delete_accounts(cast.root, [account])
    with refused_as("", "gone"):
        grant(cast.root, [Grant(account=account, limits={Kind.DOMAINS: 1})])


def test_who_sets_whose_limits(cast: Cast, pool: Actor) -> None:
    """Actor by account: a super administrator everybody's but his own; a reseller those of whom he owns."""
    other = person(cast, "other", Role.RESELLER, mailbox=False)
    people = {**cast.everybody, "pool": pool, "other": other}
    may = {
        (by, to)
        for by, actor in people.items()
        for to, target in people.items()
        if policies.may_grant(actor) and policies.may_grant_to(actor, account_of(target))
    }
    assert may == {("root", to) for to in ("rita", "dora", "mallory", "pool", "other")} | {("rita", "pool")}
    for by, to in sorted({(b, t) for b in people for t in people} - may):
        if people[by].role in {Role.SUPER_ADMIN, Role.RESELLER}:
            code = "pool_not_yours" if account_of(people[to]).role in LIMITED else "not_limited"
            with refused_as("", code):
                hand_out(people[by], people[to], mailboxes=1)
        else:
            with forbidden():
                hand_out(people[by], people[to], mailboxes=1)


def test_limits_are_given_with_the_account(cast: Cast) -> None:
    limit(cast.rita, mailboxes=10)
    spec = AccountSpec(username="da", role=Role.DOMAIN_ADMIN, password=PASSWORD, limits={Kind.MAILBOXES: 4})
    account = create_accounts(cast.rita, [simple("x@reseller.example"), spec])[1].account
    assert allowance(cast.rita).mailboxes_granted == 4
    update_account(cast.rita, account, limits={Kind.MAILBOXES: 6, Kind.MAILBOX_ALIASES: 2}, first_name="D")
    assert any(v == "account.update" and o == "da" and "limits" in c for v, o, c in events())
    with refused((1, "mailboxes_limit", "pool_exhausted")):
        update_accounts(
            cast.rita,
            [
                AccountChange(account=Account.objects.get(email="x@reseller.example"), first_name="X"),
                AccountChange(account=account, limits={Kind.MAILBOXES: 10}, first_name="E"),
            ],
        )
    update_account(cast.root, account, role=Role.RESELLER, limits={Kind.DOMAINS: 3})
    assert Allowance.objects.get(user=account.pk).domains_max == 3
    with refused((0, "", "not_limited")):
        create_account(cast.root, **vars_of(simple("y@reseller.example", limits={Kind.MAILBOXES: 4})))


def vars_of(spec: AccountSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


# --- roles ----------------------------------------------------------------------------------------------------


def test_whoever_appoints_a_domain_administrator_pays_for_him(cast: Cast) -> None:
    """Also for one whom somebody else made as a simple user."""
    account = create_accounts(cast.root, [simple("x@reseller.example", password=PASSWORD)])[0].account
    limit(cast.rita, domain_admins=0)
    with refused_as("role", "limit_reached"):
        update_account(cast.rita, account, role=Role.DOMAIN_ADMIN)
    limit(cast.rita, domain_admins=1)
    update_account(cast.rita, account, role=Role.DOMAIN_ADMIN)
    assert User.objects.get(pk=account.pk).owner_id == cast.rita.pk
    update_account(cast.rita, account, role=Role.DOMAIN_ADMIN, first_name="X")
    assert used(cast.rita)["domain_admins"] == 1
    update_account(cast.rita, account, role=Role.SIMPLE_USER)
    assert "domain_admins" not in used(cast.rita)
    assert recount() == []


def test_a_promotion_keeps_what_one_has_and_returns_what_was_handed_out(cast: Cast, pool: Actor) -> None:
    limit(cast.rita, mailboxes=10)
    hand_out(cast.rita, pool, mailboxes=4)
    create_accounts(pool, [simple("x@reseller.example")])
    update_account(cast.root, account_of(pool), role=Role.RESELLER)
    assert used(pool) == {"mailboxes": 1}
    row = allowance(cast.rita)
    assert (row.mailboxes_granted, row.domain_admins_used) == (0, 0)
    update_account(cast.root, account_of(pool), role=Role.SUPER_ADMIN)
    assert not Allowance.objects.filter(user=pool.pk).exists()
    assert recount() == []


def test_who_steps_down_owns_nothing_and_leaves_it_to_who_had_handed_it_out(cast: Cast, pool: Actor) -> None:
    limit(cast.rita, mailboxes=10)
    hand_out(cast.rita, pool, mailboxes=4, mailbox_aliases=4)
    create_accounts(pool, [simple("x@reseller.example")])
    create_aliases(pool, aliases(2, "reseller.example"))
    start = used(cast.rita)
    update_account(cast.rita, account_of(pool), role=Role.SIMPLE_USER)
    assert used(cast.rita) == {k: n for k, n in start.items() if k != "domain_admins"} | {
        "mailboxes": start["mailboxes"] + 1,
        "mailbox_aliases": 2,
    }
    assert set(Mailbox.objects.filter(domain=cast.reseller_example).values_list("owner", flat=True)) == {
        cast.rita.pk
    }
    assert allowance(cast.rita).mailboxes_granted == 0
    assert recount() == []


def test_what_a_reseller_had_goes_to_super_administrators(cast: Cast, pool: Actor) -> None:
    """It could be more than the reseller may have who happens to own him."""
    hand_out(cast.rita, pool, mailboxes=3)
    two = person(cast, "two", Role.DOMAIN_ADMIN, by=cast.rita, mailbox=False)
    update_account(cast.root, account_of(two), role=Role.RESELLER)
    domain = create_domain(Actor(account_of(two), two.credential), name="two.example", quota=5)
    create_alias(cast.root, address="x@two.example", recipients=ALIAS)
    update_account(cast.root, account_of(two), role=Role.DOMAIN_ADMIN)
    domain.refresh_from_db()
    assert domain.owner_id == cast.root.pk
    assert used(cast.rita)["domain_admins"] == 2, "the account itself stays hers"
    delete_accounts(cast.root, [account_of(cast.rita)])
    assert User.objects.get(pk=pool.pk).owner_id == cast.root.pk
    assert allowance(pool).mailboxes_max == 3
    assert recount() == []


@pytest.mark.parametrize("first", list(Role))
@pytest.mark.parametrize("then", list(Role))
def test_after_every_change_of_role_the_counters_are_right(
    cast: Cast, first: Role, then: Role, pool: Actor
) -> None:
    hand_out(cast.rita, pool, mailboxes=9, mailbox_aliases=9)
    create_accounts(pool, [simple("x@reseller.example", aliases=("y@reseller.example",))])
    for role in (first, then):
        if account_of(pool).role != role:
            update_account(cast.root, account_of(pool), role=role)
        assert recount() == []
        assert Allowance.objects.filter(user=pool.pk).exists() is (role in LIMITED)
    delete_accounts(cast.root, [account_of(pool)])
    assert recount() == []
    assert allowance(cast.rita).mailboxes_granted == 0


@pytest.mark.parametrize("way", ["alone", "with what he made", "by the hundred", "with the domain"])
def test_what_goes_with_an_administrator_is_not_inherited(cast: Cast, pool: Actor, way: str) -> None:
    """First it is given back, then the rest is taken over."""
    set_parameter("auto_account_removal", value=True)
    hand_out(cast.rita, pool, mailboxes=5, mailbox_aliases=5)
    made = create_accounts(pool, [simple("x@reseller.example")])[0].account
    # It leads to his mailbox only, and goes with that.
    own = create_alias(pool, address="o@reseller.example", recipients=("admin@reseller.example",))
    create_aliases(pool, aliases(2, "reseller.example"))
    match way:
        case "alone":
            delete_accounts(cast.rita, [account_of(pool)])
        case "with what he made":
            delete_accounts(cast.rita, [account_of(pool), made])
        case "by the hundred":
            ids = {bulk_changes.Kind.ACCOUNT: (pool.pk, made.pk), bulk_changes.Kind.ALIAS: (own.pk,)}
            change = bulk_changes.BulkChange(verb=bulk_changes.Verb.DELETE)
            change_identities(cast.rita, BulkPlan(change, ids))
        case _:
            delete_domains(cast.rita, [cast.reseller_example])
    assert recount() == []


def test_whoever_rises_keeps_what_he_may_have(cast: Cast, pool: Actor) -> None:
    for kind in HANDED_OUT:
        set_parameter(f"deflt_user_{kind}_limit", value=0, app="limits")
    limit(cast.rita, mailboxes=10)
    hand_out(cast.rita, pool, mailboxes=4)
    create_accounts(pool, [simple("x@reseller.example")])
    update_account(cast.root, account_of(pool), role=Role.RESELLER)
    assert allowance(pool).usage(Kind.MAILBOXES).left == 3


def test_an_owner_who_steps_down_in_the_same_batch_is_not_written_back(cast: Cast, pool: Actor) -> None:
    third = create_accounts(cast.dora, [simple("s@dora.example")])[0].account
    update_accounts(
        cast.root,
        [
            AccountChange(account=account_of(cast.rita), role=Role.DOMAIN_ADMIN),
            AccountChange(account=account_of(pool), is_active=False),
            AccountChange(account=third, role=Role.DOMAIN_ADMIN),
        ],
    )
    assert User.objects.get(pk=pool.pk).owner_id == cast.root.pk
    assert recount() == []


def test_an_equal_inherits_nothing(cast: Cast, pool: Actor) -> None:
    equal = person(cast, "equal@reseller.example", Role.DOMAIN_ADMIN, administers=("reseller.example",))
    hand_out(cast.rita, pool, mailboxes=5)
    create_accounts(pool, [simple("x@reseller.example")])
    User.objects.filter(pk=pool.pk).update(owner=None)
    delete_accounts(equal, [account_of(pool)])
    assert used(equal) == {}
    assert Mailbox.objects.get(address="x").owner_id == cast.root.pk


def test_who_is_no_administrator_any_more_spends_nothing(cast: Cast) -> None:
    """His request began before."""
    before = cast.rita
    update_account(cast.root, account_of(before), role=Role.SIMPLE_USER, address="rita@dora.example")
    with refused((0, "name", "limit_reached")):
        create_domain(before, name="late.example", quota=1, default_mailbox_quota=1)


def test_an_alias_goes_while_its_owner_goes(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given back to whoever owns it by then."""
    admin = person(
        real_cast,
        "da",
        Role.DOMAIN_ADMIN,
        by=real_cast.rita,
        mailbox=False,
        administers=("reseller.example",),
    )
    hand_out(real_cast.rita, admin, mailbox_aliases=5)
    alias = create_aliases(admin, aliases(1, "reseller.example"))[0]
    meet(monkeypatch, alias_operations, "owned_by")
    race(
        lambda: delete_aliases(real_cast.root, [alias]),
        lambda: delete_accounts(real_cast.root, [account_of(admin)]),
    )
    assert recount() == []


# --- limits of domains ----------------------------------------------------------------------------------------


@pytest.fixture
def full(cast: Cast) -> Domain:
    """dora.example, where everything is taken."""
    set_parameter("enable_domain_limits", value=True, app="limits")
    create_domain_aliases(cast.root, [DomainAliasSpec(name="da.example", target="dora.example")])
    create_aliases(cast.root, aliases(1))
    values = {"domain_aliases": 1, "mailboxes": 2, "mailbox_aliases": 1, "domain_admins": 1}
    return update_domain(
        cast.root, cast.dora_example, **{f"{kind}_limit": value for kind, value in values.items()}
    )


@pytest.mark.parametrize(
    ("kind", "field", "add"),
    [
        ("mailboxes", "address", lambda root, _d: create_accounts(root, [simple("x@dora.example")])),
        (
            "mailboxes",
            "address",
            lambda root, _d: update_account(
                root, Account.objects.get(username="rita"), address="rita@dora.example"
            ),
        ),
        (
            "mailboxes",
            "address",
            lambda root, _d: update_account(
                root, Account.objects.get(username="mallory@mallory.example"), address="m@dora.example"
            ),
        ),
        ("mailbox_aliases", "address", lambda root, _d: create_aliases(root, aliases(1, start=9))),
        (
            "domain_aliases",
            "name",
            lambda root, _d: create_domain_aliases(
                root, [DomainAliasSpec(name="db.example", target="dora.example")]
            ),
        ),
        (
            "domain_aliases",
            "aliases",
            lambda root, d: update_domain(root, d, aliases=("da.example", "db.example")),
        ),
        (
            "domain_aliases",
            "aliases",
            lambda root, d: update_domain(root, d, name="dd.example", keep_old_name=True),
        ),
        ("domain_admins", "username", lambda root, d: add_administrators(root, [Appointment(d, "rita")])),
        (
            "domain_admins",
            "administers",
            lambda root, _d: create_account(
                root,
                username="new",
                role=Role.DOMAIN_ADMIN,
                password=PASSWORD,
                administers=("dora.example",),
            ),
        ),
        (
            "domain_admins",
            "administers",
            lambda root, _d: update_account(
                root, Account.objects.get(username="rita"), administers=("dora.example",)
            ),
        ),
    ],
    ids=[
        "new mailbox",
        "first mailbox",
        "mailbox that moves in",
        "alias",
        "domain alias",
        "alias in the list",
        "old name",
        "appointment",
        "new administrator",
        "administrator of one more",
    ],
)
def test_a_full_domain_takes_no_more_whoever_asks(
    cast: Cast, full: Domain, kind: str, field: str, add: Callable[[Actor, Domain], object]
) -> None:
    with refused_as(field, "domain_limit_reached") as caught:
        add(cast.root, full)
    assert "Whoever manages the domain can raise this limit." in sentences(caught)[0]
    update_domain(cast.root, full, **{f"{kind}_limit": getattr(full, f"{kind}_limit") + 1})
    add(cast.root, full)


@pytest.mark.usefixtures("full")
def test_limits_of_domains_bind_only_while_they_are_switched_on(cast: Cast) -> None:
    set_parameter("enable_domain_limits", value=False, app="limits")
    create_accounts(cast.root, [simple("x@dora.example")])
    set_parameter("enable_domain_limits", value=True, app="limits")
    with refused_as("address", "domain_limit_reached") as caught:
        create_accounts(cast.root, [simple("y@dora.example")])
    assert "3 of 2 are taken" in sentences(caught)[0]


def test_a_full_domain_is_edited_and_what_goes_makes_room(cast: Cast, full: Domain) -> None:
    update_domain(cast.root, full, aliases=("db.example",), enabled=False)
    update_account(cast.root, account_of(cast.sam), address="samuel@dora.example")
    remove_administrators(cast.root, [Appointment(full, "dora@dora.example")])
    add_administrators(cast.root, [Appointment(full, "rita"), Appointment(full, "rita")])
    delete_aliases(cast.root, list(Alias.objects.filter(domain=full)))
    create_aliases(cast.root, aliases(1))
    delete_accounts(cast.root, [account_of(cast.sam)])
    create_accounts(cast.root, [simple("x@dora.example")])


def test_a_batch_that_a_domain_cannot_take_says_how_many_would_fit(cast: Cast, full: Domain) -> None:
    update_domain(cast.root, full, mailbox_aliases_limit=4)
    other = aliases(1, "mallory.example")
    with refused((4, "address", "domain_limit_reached")) as caught:
        create_aliases(cast.root, [*other, *aliases(5, start=20)])
    assert "1 of 4 are taken; 5 more are asked for, 3 would fit" in sentences(caught)[0]


def test_mailboxes_that_change_places_need_no_room(cast: Cast) -> None:
    set_parameter("enable_domain_limits", value=True, app="limits")
    for name in ("one.example", "two.example"):
        create_domain(cast.root, name=name, mailboxes_limit=1)
    new = create_accounts(cast.root, [simple("a@one.example"), simple("b@two.example")])
    a, b = (each.account for each in new)
    swap = [
        AccountChange(account=a, address="a@two.example"),
        AccountChange(account=b, address="b@one.example"),
    ]
    with refused((0, "address", "domain_limit_reached")):
        update_accounts(cast.root, swap[:1])
    update_accounts(cast.root, swap)


def test_an_alias_that_nobody_owns_takes_its_place_too(cast: Cast, full: Domain) -> None:
    Alias.objects.filter(domain=full).update(owner=None)
    with refused_as("address", "domain_limit_reached"):
        create_aliases(cast.root, aliases(1, start=9))


def test_an_old_address_that_finds_no_room_is_refused_at_its_place(cast: Cast, pool: Actor) -> None:
    hand_out(cast.rita, pool, mailboxes=5)
    new = create_accounts(pool, [simple("a@reseller.example"), simple("b@reseller.example")])
    a, b = (each.account for each in new)
    with refused((1, "keep_old_address", "limit_reached")):
        update_accounts(
            pool,
            [
                AccountChange(account=a, first_name="A"),
                AccountChange(account=b, address="c@reseller.example", keep_old_address=True),
            ],
        )


def test_a_limit_of_a_domain_is_not_below_what_is_there(cast: Cast, full: Domain) -> None:
    with refused(*((0, f"{kind}_limit", "below_use") for kind in OF_DOMAINS)):
        update_domain(cast.root, full, **{f"{kind}_limit": 0 for kind in OF_DOMAINS})


def test_a_new_domain_begins_with_the_defaults(cast: Cast) -> None:
    for number, kind in enumerate(OF_DOMAINS):
        set_parameter(f"deflt_domain_{kind}_limit", value=number, app="limits")
    set_parameter("enable_domain_limits", value=True, app="limits")
    domain = create_domain(cast.rita, name="new.example", mailboxes_limit=7)
    assert [getattr(domain, f"{kind}_limit") for kind in OF_DOMAINS] == [0, 7, 2, 3]
    with refused_as("aliases", "domain_limit_reached"):
        create_domain(cast.rita, name="two.example", aliases=("three.example",))
    set_parameter("deflt_domain_domain_admins_limit", value=0, app="limits")
    with refused_as("administrator", "domain_limit_reached"):
        set_up_domains(
            cast.root,
            [
                DomainSetup(
                    domain=DomainSpec(name="four.example"),
                    administrator=FirstAdministrator(password=PASSWORD, with_postmaster=False),
                )
            ],
        )


# --- the database promises ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((f"{kind}_max", -2 if kind is not Kind.QUOTA else -1) for kind in Kind),
        *((f"{kind}_used", -1) for kind in Kind),
        *((f"{kind}_granted", -1) for kind in HANDED_OUT),
        *((f"{kind}_max", MAX_LIMIT + 1) for kind in Kind),
    ],
)
def test_the_database_refuses_allowances_that_make_no_sense(cast: Cast, column: str, value: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Allowance.objects.filter(user=cast.rita.pk).update(**{column: value})


@pytest.mark.parametrize("kind", OF_DOMAINS)
def test_the_database_refuses_limits_of_domains_that_make_no_sense(cast: Cast, kind: Kind) -> None:
    for value in (-2, MAX_LIMIT + 1):
        with pytest.raises(IntegrityError), transaction.atomic():
            Domain.objects.filter(pk=cast.dora_example.pk).update(**{f"{kind}_limit": value})


def test_rows_that_somebody_writes_by_hand_belong_to_nobody_and_are_not_limited(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO admin_domain (name, type, enabled, quota, default_mailbox_quota, enable_dns_checks,"
            " creation, last_modification) VALUES ('hand.example', 'domain', %s, 0, 0, %s, '2030-01-01', '2030-01-01')",
            [True, True],
        )
    domain = Domain.objects.get(name="hand.example")
    assert (domain.owner_id, [getattr(domain, f"{kind}_limit") for kind in OF_DOMAINS]) == (None, [-1] * 4)
    update_domain(cast.root, domain, quota=5)
    delete_domains(cast.root, [domain])


# --- counting anew --------------------------------------------------------------------------------------------


def test_recount_finds_every_wrong_counter_and_mends_it(cast: Cast, pool: Actor) -> None:
    hand_out(cast.rita, pool, mailboxes=3)
    Allowance.objects.filter(user=cast.rita.pk).update(
        **{f"{kind}_used": 77 for kind in Kind}, mailboxes_granted=1, mailbox_aliases_granted=5
    )
    Allowance.objects.filter(user=cast.dora.pk).delete()
    found = recount()
    assert Drift("rita", "mailboxes_used", 77, 1) in found
    assert Drift("rita", "mailboxes_granted", 1, 3) in found
    assert Drift("rita", "mailbox_aliases_granted", 5, 0) in found
    assert Drift("dora@dora.example", "", 0, 0) in found
    assert len(found) == len(Kind) + 3
    with nothing_written(), pytest.raises(CommandError, match="--fix"):
        call_command("recount")
    call_command("recount", "--fix")
    assert recount() == []
    call_command("recount")


def test_recount_takes_as_many_statements_for_many_administrators_as_for_few(cast: Cast) -> None:
    with statements() as few:
        recount(fix=True)
    for number in range(20):
        person(cast, f"da{number}", Role.DOMAIN_ADMIN, mailbox=False)
    with statements() as many:
        recount(fix=True)
    assert len(few) == len(many)


def test_a_counter_that_is_too_low_stops_no_deletion(cast: Cast) -> None:
    create_aliases(cast.dora, aliases(3))
    Allowance.objects.filter(user=cast.dora.pk).update(mailbox_aliases_used=1)
    delete_aliases(cast.dora, list(Alias.objects.filter(owner=cast.dora.pk)))
    assert used(cast.dora) == {}


# --- what was there before there were limits ------------------------------------------------------------------


def test_what_was_there_before_is_counted_and_limits_nobody(cast: Cast, pool: Actor) -> None:
    create_domain(cast.rita, name="second.example", quota=1_000, aliases=("second.test",))
    hand_out(cast.rita, pool, mailboxes=5)
    create_accounts(pool, [simple("x@reseller.example"), simple("y@reseller.example")])
    create_aliases(cast.rita, aliases(3, "second.example"))
    create_alias(cast.root, address="x@reseller.example", recipients=("x@reseller.example", *ALIAS))
    for model in (DomainAlias, Mailbox, Alias):
        model._base_manager.update(owner=None)
    arrival, editor = import_module("admin.migrations.0005_who_pays"), connection.schema_editor()
    arrival.close_allowances(apps, editor)
    assert not Allowance.objects.exists()
    arrival.name_owners(apps, editor)
    arrival.open_allowances(apps, editor)
    assert recount() == []
    limited = User.objects.filter(role__in=LIMITED)
    assert {row.pk for row in Allowance.objects.all()} == set(limited.values_list("pk", flat=True))
    assert all(usage.maximum is None for user in limited for usage in usages_of(user))
    assert used(cast.rita) == {
        "domains": 2,
        "domain_aliases": 1,
        "domain_admins": 1,
        "mailboxes": 1,
        "mailbox_aliases": 3,
        "quota": 1_000,
    }
    assert used(pool) == {"mailboxes": 2}
    assert Alias.objects.get(address="x@reseller.example").owner is None


# --- many at the limit ----------------------------------------------------------------------------------------

CROWD = 64
# Complete creations take their time: a whole run is MODOBOA_TEST_ROUNDS=100 (docs/performance.md has its result).
ROUNDS = int(os.environ.get("MODOBOA_TEST_ROUNDS", "1"))


def crowd(rounds: int, work: Callable[[], object], then: Callable[[], object]) -> list[list[str]]:
    """CROWD threads do the work at once, each with a connection of its own; sorted outcomes by round."""
    outcomes: list[list[str]] = [[] for _round in range(rounds)]
    barrier = Barrier(CROWD)

    def life(number: int) -> None:
        try:
            for outcome in outcomes:
                barrier.wait(60)
                try:
                    work()
                    outcome.append(DONE)
                except Refusal as refusal:
                    outcome.append(refusal.reasons[0].code)
                barrier.wait(60)
                if number == 0:
                    then()
        except BaseException:
            barrier.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(CROWD) as threads:
        list(threads.map(life, range(CROWD)))
    return [sorted(outcome) for outcome in outcomes]


ONE = [DONE, *["limit_reached"] * (CROWD - 1)]


def test_of_64_who_want_the_last_piece_one_gets_it(real_cast: Cast) -> None:
    limit(real_cast.dora, mailboxes=3)
    Allowance.objects.filter(user=real_cast.dora.pk).update(mailboxes_used=2)

    def take() -> None:
        refusals = Refusals()
        with transaction.atomic():
            spend(real_cast.dora, [Demand(Kind.MAILBOXES, [0])], refusals)
            refusals.raise_if_any()

    def put_back() -> None:
        assert allowance(real_cast.dora).mailboxes_used == 3
        give_back(Owned({(real_cast.dora.pk, Kind.MAILBOXES): 1}))

    # SQLite looks again every 100 ms, all 64 of them.
    rounds = ROUNDS if connection.vendor == "sqlite" else max(ROUNDS, 10)
    assert crowd(rounds, take, put_back) == [ONE] * rounds


@pytest.mark.parametrize("bound", ["administrator", "domain"])
def test_of_64_who_create_the_last_alias_one_succeeds(real_cast: Cast, bound: str) -> None:
    numbers = itertools.count()
    create_aliases(real_cast.dora, aliases(1, start=10**6))
    if bound == "administrator":
        limit(real_cast.dora, mailbox_aliases=2)
    else:
        set_parameter("enable_domain_limits", value=True, app="limits")
        update_domain(real_cast.root, real_cast.dora_example, mailbox_aliases_limit=2)

    def create() -> None:
        create_aliases(real_cast.dora, aliases(1, start=next(numbers)))

    def delete() -> None:
        assert used(real_cast.dora) == {"mailbox_aliases": 2}
        (new,) = Alias.objects.exclude(address="a1000000@dora.example")
        delete_aliases(real_cast.root, [new])

    code = "limit_reached" if bound == "administrator" else "domain_limit_reached"
    assert crowd(ROUNDS, create, delete) == [[*sorted([DONE, *[code] * (CROWD - 1)])]] * ROUNDS
    assert recount() == []


def test_a_pool_is_not_handed_out_twice_nor_spent_meanwhile(real_cast: Cast) -> None:
    people = [
        person(real_cast, f"da{n}", Role.DOMAIN_ADMIN, by=real_cast.rita, mailbox=False) for n in range(3)
    ]
    limit(real_cast.rita, mailboxes=1)
    outcomes = race(
        *(lambda to=to: hand_out(real_cast.rita, to, mailboxes=1) for to in people),
        lambda: create_accounts(real_cast.rita, [simple("x@reseller.example", password=PASSWORD)]),
    )
    assert outcomes.count(DONE) == 1, outcomes
    assert set(outcomes) <= {DONE, "pool_exhausted", "limit_reached"}
    row = allowance(real_cast.rita)
    assert row.mailboxes_used + row.mailboxes_granted == 1
    assert recount() == []


def test_limits_are_right_after_everything_happened_at_once(real_cast: Cast) -> None:
    """A role changes, a pool is handed out, things are made and deleted: no refusal leaves a trace in a counter."""
    admin = person(
        real_cast,
        "da@reseller.example",
        Role.DOMAIN_ADMIN,
        by=real_cast.rita,
        administers=("reseller.example",),
    )
    limit(real_cast.rita, mailboxes=9, mailbox_aliases=9, domains=3, domain_admins=2)
    hand_out(real_cast.rita, admin, mailboxes=3, mailbox_aliases=3)
    alias = create_alias(admin, address="i@reseller.example", recipients=ALIAS)
    demoted, doomed = account_of(admin), account_of(admin)  # as two people have them on their screens
    race(
        lambda: update_account(real_cast.root, demoted, role=Role.SIMPLE_USER),
        lambda: create_accounts(admin, [simple("x@reseller.example", password=PASSWORD)]),
        lambda: hand_out(real_cast.rita, admin, mailboxes=2),
        lambda: delete_aliases(real_cast.rita, [alias]),
        lambda: create_domain(real_cast.rita, name="new.example", quota=3),
        lambda: create_aliases(real_cast.rita, aliases(4, "reseller.example")),
        lambda: delete_domains(real_cast.root, [real_cast.reseller_example]),
        lambda: delete_accounts(real_cast.root, [doomed]),
    )
    assert recount() == []


# --- whatever happens -----------------------------------------------------------------------------------------


class LimitedLife(Life):
    """As the random life of the published tables, where there is never enough for everybody."""

    succeeded: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        for kind in Kind:
            set_parameter(f"deflt_user_{kind}_limit", value=4, app="limits")
            if kind in OF_DOMAINS:
                set_parameter(f"deflt_domain_{kind}_limit", value=3, app="limits")
        set_parameter("enable_domain_limits", value=True, app="limits")
        for name in ("rita", "dora", "mallory"):
            limit(Actor(User.objects.get(username__startswith=name), Credential.SESSION), mailboxes=4)

    @initialize(pick=picks, of=picks, value=st.integers(0, 7))
    def begin_with_limits(self, pick: int, of: int, value: int) -> None:
        self.change_limits("root", pick, of, value)

    @rule(pick=picks, of=picks, value=st.integers(-1, 7))
    def change_limits_as_root(self, pick: int, of: int, value: int) -> None:
        self.change_limits("root", pick, of, value)

    @rule(pick=picks, of=picks, value=st.integers(-1, 7))
    def change_limits_as_rita(self, pick: int, of: int, value: int) -> None:
        self.change_limits("rita", pick, of, value)

    def change_limits(self, giver: str, pick: int, of: int, value: int) -> None:
        if account := self.some(Account.objects.filter(role__in=LIMITED), pick):
            kinds = kinds_of(account.role)
            self.attempt(giver, grant, [Grant(account=account, limits={kinds[of % len(kinds)]: value})])

    @invariant()
    def counters_say_what_is_there(self) -> None:
        assert recount() == []

    @invariant()
    def nobody_handed_out_more_than_he_has(self) -> None:
        assert overdrawn() == []


@pytest.mark.usefixtures("cast")
def test_whatever_happens_under_limits_the_counters_are_right_and_nobody_gets_more() -> None:
    live(LimitedLife)
    assert LimitedLife.succeeded["grant"]
