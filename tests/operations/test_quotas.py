"""What mailboxes may have of their domains, what they use already, and who goes without a quota."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from admin.allocation import NO_ROOM, NO_ROOM_IN_POOL, Share, allocated, too_much
from admin.bulk_changes import BulkChange, Ids, Kind, Verb
from admin.models import Account, Domain, Mailbox, Quota
from admin.models.domain import MAX_QUOTA_MB
from admin.operations import (
    AccountChange,
    Appointment,
    DomainChange,
    DomainSetup,
    DomainSpec,
    FirstAdministrator,
    MailboxSpec,
    account_changes,
    accounts,
    add_administrators,
    create_account,
    create_accounts,
    create_domain,
    create_domains,
    set_up_domains,
    update_account,
    update_accounts,
    update_domain,
    update_domains,
)
from admin.operations.bulk import BulkPlan, BulkReport, change_domains, change_identities
from admin.operations.quotas import exact_size
from admin.queries.bulk import (
    BELOW_ALLOCATED,
    DEFAULT_TOO_BIG,
    DOMAIN_NEEDS_QUOTA,
    FOLLOWERS_TOO_BIG,
    MAILBOX_NEEDS_QUOTA,
    Preview,
    preview,
)
from core.actor import Actor
from core.presentation import MIB
from core.roles import Role
from limits.kinds import Kind as Limited
from limits.models import Allowance
from limits.queries import limited_of
from tests.cast import Cast
from tests.operations.evidence import refused, refused_as, sentences, statements
from tests.operations.people import account_of, person, set_parameter, simple, without_limits
from tests.operations.test_races import assert_one_wins, meet, race

POOL_MB = 50_000


@pytest.fixture
def shared(cast: Cast) -> Domain:
    """Of 500 MB, 200 are given to one mailbox; the reseller owns the domain, the domain administrator helps."""
    domain = create_domain(cast.rita, name="shared.example", quota=500, default_mailbox_quota=100)
    add_administrators(cast.root, [Appointment(domain, "dora@dora.example")])
    box(cast.root, "first@shared.example", quota=200)
    return domain


def box(actor: Actor, address: str, *, quota: int | None = None) -> Account:
    """A simple user with a mailbox."""
    return create_account(actor, username=address, mailbox=MailboxSpec(address=address, quota=quota)).account


def quota_of(account: Account) -> int:
    return Mailbox.objects.get(user=account.pk).quota


def first(domain: Domain) -> Account:
    return Account.objects.get(username=f"first@{domain.name}")


def limit_pool(actor: Actor, quota: int = POOL_MB) -> None:
    """From now on the reseller has a quota himself."""
    Allowance.objects.filter(user=actor.pk).update(quota_max=quota)


def used_of(actor: Actor) -> int:
    return Allowance.objects.get(user=actor.pk).quota_used


def guest(cast: Cast, *domains: Domain) -> Actor:
    """A reseller without a limit who looks after domains of others."""
    rick = person(cast, "rick", Role.RESELLER, mailbox=False)
    without_limits(rick)
    for domain in domains:
        add_administrators(cast.root, [Appointment(domain, "rick")])
    return rick


def uses(address: str, size: int) -> None:
    """What Dovecot wrote."""
    Quota.objects.update_or_create(username=address, defaults={"bytes": size})


# --- who may do what --------------------------------------------------------------------------------------------

FITS = {"root": True, "rita": True, "limited rita": True, "dora": True}
UNLIMITED = {"root": True, "rita": True, "limited rita": False, "dora": False}
TOO_MUCH = dict.fromkeys(FITS, False)


def acting(cast: Cast, name: str) -> Actor:
    if name == "limited rita":
        limit_pool(cast.rita)
    return cast.everybody[name.rpartition(" ")[2]]


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize(
    ("quota", "allowed", "code"),
    [
        (0, UNLIMITED, "quota_required"),
        (1, FITS, ""),
        (300, FITS, ""),
        (301, TOO_MUCH, "quota_exceeds_domain"),
        (MAX_QUOTA_MB, TOO_MUCH, "quota_exceeds_domain"),
        (MAX_QUOTA_MB + 1, TOO_MUCH, "quota_out_of_range"),
        (-1, TOO_MUCH, "quota_out_of_range"),
    ],
)
def test_a_new_mailbox_fits_into_its_domain(
    cast: Cast, shared: Domain, name: str, quota: int, allowed: dict[str, bool], code: str
) -> None:
    actor = acting(cast, name)
    if not allowed[name]:
        with refused_as("quota", code):
            box(actor, "new@shared.example", quota=quota)
    else:
        assert quota_of(box(actor, "new@shared.example", quota=quota)) == quota
        assert allocated([shared.pk]) == {shared.pk: 200 + quota}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize(
    ("quota", "allowed", "code"),
    [
        (0, UNLIMITED, "quota_required"),
        (1, FITS, ""),
        (500, FITS, ""),
        (501, TOO_MUCH, "quota_exceeds_domain"),
        (MAX_QUOTA_MB + 1, TOO_MUCH, "quota_out_of_range"),
    ],
)
def test_a_changed_mailbox_fits_into_its_domain(
    cast: Cast, shared: Domain, name: str, quota: int, allowed: dict[str, bool], code: str
) -> None:
    actor = acting(cast, name)
    if not allowed[name]:
        with refused_as("quota", code):
            update_account(actor, first(shared), quota=quota)
    else:
        update_account(actor, first(shared), quota=quota)
        assert quota_of(first(shared)) == quota


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("quota", [0, 1, MAX_QUOTA_MB])
def test_in_a_domain_without_a_quota_everything_fits(cast: Cast, name: str, quota: int) -> None:
    domain = create_domain(cast.rita, name="open.example")
    add_administrators(cast.root, [Appointment(domain, "dora@dora.example")])
    account = box(acting(cast, name), "new@open.example", quota=quota)
    update_account(acting(cast, name), account, quota=quota // 2)
    assert quota_of(account) == quota // 2


def test_limits_that_are_switched_off_bind_no_reseller(cast: Cast, shared: Domain) -> None:
    limit_pool(cast.rita)
    set_parameter("enable_admin_limits", value=False, app="limits")
    update_account(cast.rita, first(shared), quota=0)
    update_domain(cast.rita, shared, quota=0, default_mailbox_quota=0)
    with refused_as("quota", "quota_required"):
        box(cast.dora, "new@dora.example", quota=0)


def test_a_mailbox_that_follows_a_domain_without_a_default_needs_a_quota(cast: Cast, shared: Domain) -> None:
    update_domain(cast.root, shared, default_mailbox_quota=0)
    with refused_as("quota", "quota_required") as caught:
        box(cast.dora, "new@shared.example")
    assert "has a quota of 500 MB" in sentences(caught)[0]
    box(cast.root, "new@shared.example")


def test_the_first_address_of_an_account_is_a_new_mailbox(cast: Cast, shared: Domain) -> None:
    with refused_as("quota", "quota_exceeds_domain"):
        update_account(cast.root, account_of(cast.rita), address="rita@shared.example", quota=301)
    admin = create_account(cast.rita, username="admin", role=Role.DOMAIN_ADMIN).account
    limit_pool(cast.rita)
    with refused_as("quota", "quota_required"):
        update_account(cast.rita, admin, address="admin@shared.example", quota=0)
    update_account(cast.root, account_of(cast.rita), address="rita@shared.example", quota=300)
    assert allocated([shared.pk]) == {shared.pk: 500}


# --- words ------------------------------------------------------------------------------------------------------


def test_a_refusal_says_what_is_left_and_what_to_do(cast: Cast, shared: Domain) -> None:
    with refused_as("quota", "quota_exceeds_domain") as caught:
        box(cast.rita, "new@shared.example", quota=400)
    assert sentences(caught)[0] == (
        "This domain has 300 MB of its 500 MB left (200 MB are given to mailboxes), so this mailbox gets 300 MB at "
        "most. Ask for less, or raise the domain's quota."
    )
    with refused_as("quota", "quota_exceeds_domain") as caught:
        update_account(cast.dora, first(shared), quota=2048)
    assert "this mailbox gets 500 MB at most" in sentences(caught)[0]
    assert "ask your reseller or a super administrator" in sentences(caught)[0]
    box(cast.root, "rest@shared.example", quota=300)
    with refused_as("quota", "quota_exceeds_domain") as caught:
        box(cast.root, "new@shared.example", quota=1)
    assert sentences(caught)[0].startswith("Nothing is left of the 500 MB of this domain: 500 MB are given")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 MB"),
        (1023, "1,023 MB"),
        (1024, "1 GB"),
        (20_137, "20,137 MB"),
        (2**31, "2 PB"),
        (2**33, "8 PB"),
    ],
)
def test_sizes_in_refusals_are_exact(size: int, text: str) -> None:
    assert exact_size(size) == text


# --- batches ----------------------------------------------------------------------------------------------------


def test_in_a_batch_the_first_that_does_not_fit_is_refused_in_each_domain(cast: Cast, shared: Domain) -> None:
    create_domain(cast.root, name="small.example", quota=10, default_mailbox_quota=5)
    specs = [
        simple("a@shared.example"),
        simple("a@small.example"),
        simple("b@shared.example", quota=200),
        simple("b@small.example"),
        simple("c@shared.example", quota=1),
        simple("c@small.example"),
        simple("d@shared.example", quota=50),
    ]
    with refused((4, "quota", "quota_exceeds_domain"), (5, "quota", "quota_exceeds_domain")) as caught:
        create_accounts(cast.root, specs)
    assert "enough for the first 2 of these 4 mailboxes" in sentences(caught)[0]
    assert "enough for the first 2 of these 3 mailboxes" in sentences(caught)[1]
    create_accounts(cast.root, specs[:4])
    assert allocated([shared.pk]) == {shared.pk: 500}


def test_what_a_batch_gives_back_is_there_for_the_others(cast: Cast, shared: Domain) -> None:
    second = box(cast.root, "second@shared.example", quota=300)
    changes = [
        AccountChange(account=second, quota=450),
        AccountChange(account=first(shared), quota=50),
    ]
    update_accounts(cast.dora, changes)
    assert (quota_of(first(shared)), quota_of(second)) == (50, 450)
    with refused_as("quota", "quota_exceeds_domain"):
        update_accounts(
            cast.dora, [AccountChange(account=second, quota=451), AccountChange(account=first(shared))]
        )


def people_of(cast: Cast, number: int, start: int = 0) -> list[Account]:
    """So many mailboxes, in as many domains."""
    names = [f"d{each}.example" for each in range(start, start + number)]
    create_domains(cast.root, [DomainSpec(name=name, quota=1000, default_mailbox_quota=10) for name in names])
    made = create_accounts(cast.root, [simple(f"a@{name}") for name in names])
    for name in names:
        uses(f"a@{name}", 5 * MIB)
    return [new.account for new in made]


def test_30_cost_as_many_statements_as_3(cast: Cast) -> None:
    costs = []
    people_of(cast, 1, 100)
    for number in (3, 30):
        people = people_of(cast, number, number)
        run = []
        with statements() as created:
            create_accounts(cast.root, [simple(f"b@{each.username.partition('@')[2]}") for each in people])
        run.append(len(created))
        with statements() as changed:
            update_accounts(cast.root, [AccountChange(account=each, quota=20) for each in people])
        run.append(len(changed))
        assert sum("SUM(" in sql for sql in created) == sum("SUM(" in sql for sql in changed) == 1
        domains = Domain.objects.filter(mailboxes__user__in=people)
        with statements() as followed:
            update_domains(
                cast.root, [DomainChange(domain=each, default_mailbox_quota=30) for each in domains]
            )
        run.append(len(followed))
        costs.append(run)
    assert costs[0] == costs[1]


def test_nothing_is_added_up_where_no_quota_changes(cast: Cast, shared: Domain) -> None:
    with statements() as run:
        update_account(cast.root, first(shared), first_name="Fay")
        update_account(cast.root, first(shared), quota=150)
        box(cast.root, "new@reseller.example", quota=5)
    assert not any("SUM(" in sql for sql in run)


# --- what stays as it is ----------------------------------------------------------------------------------------


def test_less_for_a_domain_than_its_mailboxes_have_is_accepted_and_lowering_goes_on(
    cast: Cast, shared: Domain
) -> None:
    update_domain(cast.rita, shared, quota=100)
    assert quota_of(first(shared)) == 200
    update_account(
        cast.dora, first(shared), first_name="Fay", quota=200, sender_addresses=("f@else.example",)
    )
    update_account(cast.dora, first(shared), quota=150)
    with refused_as("quota", "quota_exceeds_domain"):
        update_account(cast.dora, first(shared), quota=151)
    with refused_as("quota", "quota_exceeds_domain"):
        box(cast.dora, "new@shared.example", quota=1)


def test_who_had_no_limit_keeps_none(cast: Cast, shared: Domain) -> None:
    update_account(cast.root, first(shared), quota=0)
    update_account(cast.dora, first(shared), quota=0, first_name="Fay")
    update_domain(cast.root, shared, default_mailbox_quota=0)
    update_account(cast.dora, first(shared), quota=None)
    update_account(cast.dora, first(shared), address="fay@shared.example")
    assert quota_of(account_of(Actor(first_by(shared), cast.root.credential))) == 0
    update_account(cast.dora, first_by(shared), quota=501 - 1)
    with refused_as("quota", "quota_required"):
        update_account(cast.dora, first_by(shared), quota=None)


def first_by(domain: Domain) -> Account:
    return Account.objects.get(mailbox__domain=domain)


def test_a_new_default_reaches_its_followers_whatever_the_domain_has(cast: Cast, shared: Domain) -> None:
    create_accounts(cast.root, [simple(f"f{number}@shared.example") for number in range(3)])
    update_domain(cast.rita, shared, default_mailbox_quota=400)
    assert allocated([shared.pk]) == {shared.pk: 200 + 3 * 400}
    with refused_as("quota", "quota_exceeds_domain"):
        update_account(cast.root, first(shared), quota=None)


# --- another address --------------------------------------------------------------------------------------------


def test_a_mailbox_that_moves_is_new_there_and_leaves_room_behind(cast: Cast, shared: Domain) -> None:
    other = create_domain(cast.rita, name="other.example", quota=300, default_mailbox_quota=60)
    stays = box(cast.root, "stays@other.example", quota=150)
    with refused_as("quota", "quota_exceeds_domain") as caught:
        update_account(cast.rita, first(shared), address="first@other.example")
    assert "150 MB of its 300 MB left" in sentences(caught)[0]
    update_account(cast.rita, first(shared), address="first@other.example", quota=150)
    assert allocated([shared.pk, other.pk]) == {shared.pk: 0, other.pk: 300}
    # Two that change places, and a third who takes what is left.
    guest = box(cast.root, "guest@shared.example", quota=450)
    changes = [
        AccountChange(
            account=first_by_name("first@other.example"), address="first@shared.example", quota=500
        ),
        AccountChange(account=guest, address="guest@other.example", quota=100),
        AccountChange(account=stays, quota=200),
    ]
    update_accounts(cast.rita, changes)
    assert allocated([shared.pk, other.pk]) == {shared.pk: 500, other.pk: 300}


def first_by_name(name: str) -> Account:
    return Account.objects.get(username=name)


@pytest.mark.usefixtures("shared")
def test_no_limit_is_not_carried_into_another_domain(cast: Cast) -> None:
    limit_pool(cast.rita)
    guest = box(cast.root, "guest@reseller.example", quota=0)
    with refused_as("quota", "quota_required"):
        update_account(cast.rita, guest, address="guest@shared.example")
    update_account(cast.root, guest, address="guest@shared.example")
    assert quota_of(guest) == 0


def test_a_domain_out_of_sight_tells_nothing(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.rita), address="rita@dora.example")
    uses("rita@dora.example", 90 * MIB)
    for quota in (0, 10, 2000):
        with refused_as("quota", "domain_not_yours"):
            update_account(cast.rita, account_of(cast.rita), quota=quota)


# --- what is used already ---------------------------------------------------------------------------------------


def test_less_than_what_is_used_needs_a_word(cast: Cast, shared: Domain) -> None:
    uses("first@shared.example", 150 * MIB)
    update_account(cast.dora, first(shared), quota=150)
    with refused_as("quota", "below_usage") as caught:
        update_account(cast.dora, first(shared), quota=149)
    assert sentences(caught)[0].startswith("150 MB are used already. With 149 MB all further mail")
    with refused_as("quota", "below_usage"):
        update_account(cast.root, first(shared), quota=None)
    update_account(cast.dora, first(shared), quota=149, confirm_below_usage=True)
    update_account(cast.dora, first(shared), first_name="Fay", quota=149)
    update_account(cast.root, first(shared), quota=0)
    update_account(cast.dora, first(shared), quota=200)


def test_one_byte_too_much_is_too_much_and_is_seen(cast: Cast, shared: Domain) -> None:
    uses("first@shared.example", 150 * MIB + 1)
    with refused_as("quota", "below_usage") as caught:
        update_account(cast.dora, first(shared), quota=150)
    assert sentences(caught)[0].startswith("151 MB are used already. With 150 MB")


def test_a_confirmation_lifts_no_other_rule(cast: Cast, shared: Domain) -> None:
    uses("first@shared.example", 900 * MIB)
    with refused_as("quota", "quota_exceeds_domain"):
        update_account(cast.root, first(shared), quota=600, confirm_below_usage=True)
    with refused((0, "quota", "quota_exceeds_domain"), (0, "quota", "below_usage")):
        update_account(cast.root, first(shared), quota=600)


def test_what_is_used_goes_with_a_mailbox_to_another_domain(cast: Cast, shared: Domain) -> None:
    update_account(cast.root, first(shared), quota=None)
    create_domain(cast.rita, name="other.example", quota=300, default_mailbox_quota=60)
    uses("first@shared.example", 61 * MIB)
    with refused_as("quota", "below_usage"):
        update_account(cast.rita, first(shared), address="first@other.example")
    update_account(cast.rita, first(shared), address="first@other.example", confirm_below_usage=True)


@pytest.mark.usefixtures("shared")
def test_who_inherits_an_old_row_of_usage_is_not_asked(cast: Cast) -> None:
    uses("new@shared.example", 400 * MIB)
    assert quota_of(box(cast.dora, "new@shared.example", quota=1)) == 1


def test_a_new_default_asks_for_followers_that_use_more(cast: Cast, shared: Domain) -> None:
    create_accounts(cast.root, [simple(f"f{number}@shared.example", quota=None) for number in range(3)])
    create_accounts(cast.root, [simple("own@shared.example", quota=0)])
    for number in range(3):
        uses(f"f{number}@shared.example", 80 * MIB + number)
    uses("own@shared.example", 99 * MIB)
    with refused_as("default_mailbox_quota", "below_usage") as caught:
        update_domain(cast.rita, shared, default_mailbox_quota=80)
    assert sentences(caught)[0].startswith(
        "2 mailboxes that get this value use more than 80 MB: f1@shared.example, f2@shared.example. All further mail"
    )
    with refused_as("default_mailbox_quota", "below_usage"):
        update_domain(cast.rita, shared, default_mailbox_quota=70, name="renamed.example")
    update_domain(cast.rita, shared, quota=600, default_mailbox_quota=100)
    update_domain(cast.rita, shared, default_mailbox_quota=80, confirm_below_usage=True)
    update_domain(cast.rita, shared, enabled=False, default_mailbox_quota=80)
    update_domain(cast.rita, shared, default_mailbox_quota=0)
    assert quota_of(first_by_name("f0@shared.example")) == 0


def test_of_many_followers_three_are_named_and_each_domain_has_its_own_value(
    cast: Cast, shared: Domain
) -> None:
    other = create_domain(cast.rita, name="other.example", default_mailbox_quota=90)
    names = [f"f{number}@{name}.example" for name in ("shared", "other") for number in range(4)]
    for name in names:
        box(cast.root, name, quota=None if "other" in name else 0)
        update_account(cast.root, first_by_name(name), quota=None) if "shared" in name and name[
            1
        ] == "0" else None
        uses(name, 50 * MIB)
    changes = [
        DomainChange(domain=shared, default_mailbox_quota=50),
        DomainChange(domain=other, default_mailbox_quota=49),
    ]
    with refused((1, "default_mailbox_quota", "below_usage")) as caught:
        update_domains(cast.rita, changes)
    assert "4 mailboxes" in sentences(caught)[0]
    assert "f0@other.example, f1@other.example, f2@other.example, …." in sentences(caught)[0]


# --- domains of a reseller who has a quota ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quota", "default", "codes"),
    [
        (0, 0, [("default_mailbox_quota", "default_quota_required"), ("quota", "quota_required")]),
        (0, 10, [("quota", "quota_required")]),
        (10, 0, [("default_mailbox_quota", "default_quota_required")]),
        (10, 11, [("default_mailbox_quota", "default_quota_too_big")]),
        (10, 10, []),
    ],
)
def test_out_of_a_limited_quota_nothing_unlimited_is_given(
    cast: Cast, quota: int, default: int, codes: list[tuple[str, str]]
) -> None:
    values = {"quota": quota, "default_mailbox_quota": default}
    limit_pool(cast.rita)
    if codes:
        with refused(*((0, *code) for code in codes)):
            create_domain(cast.rita, name="new.example", **values)
    domain = create_domain(cast.rita, name="new.example", quota=20, default_mailbox_quota=15)
    if codes:
        with refused(*((0, *code) for code in codes)):
            update_domain(cast.rita, domain, **values)
        if "too_big" not in str(codes):
            update_domain(cast.root, domain, **values)
    else:
        update_domain(cast.rita, domain, **values)


def test_what_was_unlimited_before_does_not_stop_other_changes(cast: Cast) -> None:
    limit_pool(cast.rita)
    update_domain(
        cast.rita,
        cast.reseller_example,
        quota=0,
        default_mailbox_quota=0,
        enabled=False,
        aliases=("r.example",),
    )
    update_domain(cast.rita, cast.reseller_example, quota=100)
    with refused_as("quota", "quota_required"):
        update_domain(cast.rita, cast.reseller_example, quota=0)
    update_domain(cast.rita, cast.reseller_example, default_mailbox_quota=10)
    with refused_as("default_mailbox_quota", "default_quota_required"):
        update_domain(cast.rita, cast.reseller_example, default_mailbox_quota=0)


def test_the_pool_is_asked_once_and_only_where_it_matters(cast: Cast) -> None:
    limit_pool(cast.rita)
    domains = create_domains(
        cast.rita, [DomainSpec(name=f"d{n}.example", quota=10, default_mailbox_quota=5) for n in range(9)]
    )
    costs = []
    for some in (domains[:2], domains[2:]):
        with statements() as run, pytest.raises(Exception, match="quota_required"):
            update_domains(cast.rita, [DomainChange(domain=each, quota=0) for each in some])
        costs.append(len(run))
    assert costs[0] == costs[1]


def test_the_first_administrator_of_a_domain_gets_its_default(cast: Cast) -> None:
    limit_pool(cast.rita)
    setup = DomainSetup(
        domain=DomainSpec(name="new.example", quota=10, default_mailbox_quota=10),
        administrator=FirstAdministrator(),
    )
    (new,) = set_up_domains(cast.rita, [setup])
    assert allocated([new.domain.pk]) == {new.domain.pk: 10}


# --- it is the owner's quota that counts -------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [POOL_MB, 0])
@pytest.mark.parametrize("name", ["rita", "rick", "root"])
def test_whose_quota_it_is_decides_about_domains_and_mailboxes_without_one(
    cast: Cast, shared: Domain, name: str, pool: int
) -> None:
    actor = {"rita": cast.rita, "root": cast.root, "rick": guest(cast, shared)}[name]
    limit_pool(cast.rita, pool)
    asked = [("quota", "quota_required"), ("default_mailbox_quota", "default_quota_required")]
    if not pool or name == "root":
        box(actor, "new@shared.example", quota=0)
        update_account(actor, first(shared), quota=0)
        for field, _code in reversed(asked):
            update_domain(actor, shared, **{field: 0})
        return
    for field, code in asked:
        with refused_as(field, code) as caught:
            update_domain(actor, shared, **{field: 0})
        whose = "Your own quota" if name == "rita" else "The quota of its owner"
        assert sentences(caught)[0].startswith(f"{whose} is limited")
        assert not any(letter.isdigit() for letter in sentences(caught)[0])
    with refused_as("quota", "quota_required"):
        box(actor, "new@shared.example", quota=0)
    with refused_as("quota", "quota_required"):
        update_account(actor, first(shared), quota=0)


def test_a_limited_reseller_leaves_domains_of_others_as_they_may_be(cast: Cast) -> None:
    domain = create_domain(cast.root, name="roots.example", quota=500, default_mailbox_quota=10)
    add_administrators(cast.root, [Appointment(domain, "rita"), Appointment(domain, "dora@dora.example")])
    limit_pool(cast.rita, 5)
    account = box(cast.rita, "a@roots.example", quota=0)
    update_account(cast.rita, account, quota=100)
    with refused_as("quota", "quota_required"):
        update_account(cast.dora, account, quota=0)
    update_domain(cast.rita, domain, quota=50)
    update_domain(cast.rita, domain, quota=0, default_mailbox_quota=0)
    update_account(cast.rita, account, quota=0)
    with refused((0, "quota", "quota_required"), (0, "default_mailbox_quota", "default_quota_required")):
        create_domain(cast.rita, name="own.example")


def test_in_a_batch_each_domain_has_its_owner(cast: Cast, shared: Domain) -> None:
    other = create_domain(cast.root, name="other.example", quota=500, default_mailbox_quota=10)
    rick = guest(cast, shared, other)
    limit_pool(cast.rita)
    with refused((1, "quota", "quota_required")):
        update_domains(rick, [DomainChange(domain=each, quota=0) for each in (other, shared)])
    specs = [simple("a@other.example", quota=0), simple("a@shared.example", quota=0)]
    with refused((1, "quota", "quota_required")):
        create_accounts(rick, specs)
    change, ids = quota_for([first(shared), box(rick, "b@other.example", quota=5)], 0)
    found = preview(rick, change, ids)
    assert blocked(found) == {str(MAILBOX_NEEDS_QUOTA): ["first@shared.example"]}
    report = change_identities(rick, BulkPlan(change, ids))
    assert left_out(report) == [("first@shared.example", "quota_required")]
    assert report.done[Kind.ACCOUNT] == found.ids[Kind.ACCOUNT]


def test_who_is_limited_is_one_statement_for_many_and_none_for_nobody(cast: Cast) -> None:
    limit_pool(cast.rita)
    with statements() as run:
        assert limited_of([cast.rita.pk, cast.root.pk, cast.dora.pk], Limited.QUOTA) == {cast.rita.pk}
        assert limited_of([], Limited.QUOTA) == set()
    assert len(run) == 1
    set_parameter("enable_admin_limits", value=False, app="limits")
    assert limited_of([cast.rita.pk], Limited.QUOTA) == set()


# --- less than is given out already -----------------------------------------------------------------------------


def test_out_of_a_limited_quota_a_domain_keeps_what_its_mailboxes_have(cast: Cast, shared: Domain) -> None:
    rick = guest(cast, shared)
    limit_pool(cast.rita)
    for actor in (cast.rita, rick):
        with refused_as("quota", "below_allocated") as caught:
            update_domain(actor, shared, quota=199)
        assert "have 200 MB together" in sentences(caught)[0]
    update_domain(cast.rita, shared, quota=200)
    update_domain(cast.root, shared, quota=150)
    update_domain(rick, shared, quota=180)  # more than before is never refused
    update_domain(cast.root, shared, quota=0)
    with refused_as("quota", "below_allocated"):
        update_domain(cast.rita, shared, quota=199)
    update_domain(cast.rita, shared, quota=200)
    assert used_of(cast.rita) == 200


def test_out_of_a_limited_quota_followers_do_not_get_more_than_their_domain_has(
    cast: Cast, shared: Domain
) -> None:
    rick = guest(cast, shared)
    limit_pool(cast.rita)
    create_accounts(cast.root, [simple(f"f{number}@shared.example") for number in range(3)])
    for actor in (cast.rita, rick):
        with refused_as("default_mailbox_quota", "quota_exceeds_domain") as caught:
            update_domain(actor, shared, default_mailbox_quota=101)
        assert "3 mailboxes get this value." in sentences(caught)[0]
        assert "503 MB together, but it has 500 MB" in sentences(caught)[0]
    update_domain(cast.rita, shared, quota=503, default_mailbox_quota=101)
    # Both at once are judged by what comes of both.
    with refused((0, "quota", "below_allocated")):
        update_domain(cast.rita, shared, quota=499, default_mailbox_quota=100)
    update_domain(cast.rita, shared, quota=500, default_mailbox_quota=100)
    with refused((0, "quota", "below_allocated"), (0, "default_mailbox_quota", "quota_exceeds_domain")):
        update_domain(cast.rita, shared, quota=499, default_mailbox_quota=101)
    # What a super administrator did stands, and less is always possible.
    update_domain(cast.root, shared, default_mailbox_quota=400)
    update_domain(cast.rita, shared, default_mailbox_quota=300)
    assert allocated([shared.pk]) == {shared.pk: 1100}
    for account in Account.objects.filter(mailbox__use_domain_quota=True, mailbox__domain=shared):
        update_account(cast.rita, account, quota=1)
    update_domain(cast.rita, shared, default_mailbox_quota=500)


def test_without_limits_both_stay_possible(cast: Cast, shared: Domain) -> None:
    limit_pool(cast.rita)
    set_parameter("enable_admin_limits", value=False, app="limits")
    update_account(cast.root, first(shared), quota=None)
    box(cast.rita, "second@shared.example")
    update_domain(cast.rita, shared, default_mailbox_quota=400)
    update_domain(cast.rita, shared, quota=450)
    assert allocated([shared.pk]) == {shared.pk: 800}


def test_what_is_given_is_added_up_once_in_a_batch_and_only_where_it_matters(cast: Cast) -> None:
    limit_pool(cast.rita)
    specs = [DomainSpec(name=f"d{n}.example", quota=20, default_mailbox_quota=5) for n in range(9)]
    domains = create_domains(cast.rita, specs)
    create_accounts(cast.root, [simple(f"a@{each.name}") for each in domains])
    costs = []
    for some in (domains[:2], domains[2:]):
        with statements() as run:
            changes = [DomainChange(domain=each, quota=18, default_mailbox_quota=6) for each in some]
            update_domains(cast.rita, changes)
        costs.append(len(run))
        assert sum("SUM(" in sql for sql in run) == 2
    assert costs[0] == costs[1]
    for values in ({"enabled": False}, {"quota": 30}):
        with statements() as run:
            update_domain(cast.rita, domains[0], **values)
        assert not any("SUM(" in sql or (sql.startswith("SELECT") and "limits_" in sql) for sql in run)


# --- large numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["root", "rita", "limited rita"])
@pytest.mark.parametrize("quota", [MAX_QUOTA_MB + 1, -1, 2**63, 10**21, -(10**21)])
def test_quotas_that_nothing_can_hold_are_refused_and_counted_nowhere(
    cast: Cast, shared: Domain, name: str, quota: int
) -> None:
    actor = acting(cast, name)
    wrong = (0, "quota", "quota_out_of_range")
    with refused(wrong):
        create_domain(actor, name="new.example", quota=quota, default_mailbox_quota=1)
    with refused(wrong):
        update_domain(actor, shared, quota=quota)
    field = "default_mailbox_quota"
    also = [(0, field, "default_quota_too_big")] if quota > 0 else []
    with refused((0, field, "quota_out_of_range"), *also):
        create_domain(actor, name="new.example", quota=9, default_mailbox_quota=quota)
    with refused((0, field, "quota_out_of_range"), *also):
        update_domain(actor, shared, default_mailbox_quota=quota)
    # What fits beside it is not told that it does not.
    other = create_domain(cast.rita, name="other.example", quota=POOL_MB - 500, default_mailbox_quota=1)
    changes = [DomainChange(domain=shared, quota=quota), DomainChange(domain=other, quota=POOL_MB - 499)]
    more = [(1, "quota", "limit_reached")] if name == "limited rita" else []
    with refused(wrong, *more):
        update_domains(actor, changes)
    assert used_of(cast.rita) == POOL_MB


@pytest.mark.parametrize("quota", [2**31 - 1, 2**31, 2**33])
def test_quotas_beyond_32_bits_are_exact(cast: Cast, quota: int) -> None:
    domain = create_domain(cast.rita, name="big.example", quota=quota, default_mailbox_quota=quota)
    with refused((1, "quota", "quota_exceeds_domain")) as caught:
        create_accounts(cast.root, [simple("a@big.example"), simple("b@big.example", quota=1)])
    assert "enough for the first 1 of these 2" in sentences(caught)[0]
    account = box(cast.rita, "a@big.example")
    update_account(cast.rita, account, quota=quota - 1)
    box(cast.rita, "b@big.example", quota=1)
    with refused_as("quota", "quota_exceeds_domain"):
        update_account(cast.rita, account, quota=quota)
    uses("a@big.example", (quota - 1) * MIB + 1)
    update_account(cast.root, account, quota=0)
    with refused_as("quota", "below_usage"):
        update_account(cast.rita, account, quota=quota - 1)
    create_domain(cast.root, name="open.example", default_mailbox_quota=quota)
    update_account(cast.root, account, address="a@open.example", quota=None)
    with refused_as("default_mailbox_quota", "below_usage"):
        update_domain(cast.root, Domain.objects.get(name="open.example"), default_mailbox_quota=quota - 1)
    assert domain.quota == quota


def test_sums_beyond_53_bits_are_exact(cast: Cast, shared: Domain) -> None:
    box(cast.root, "b@shared.example", quota=2)
    with without_check_constraints():
        Mailbox.objects.filter(address="first").update(quota=2**60)
        Mailbox.objects.filter(address="b").update(quota=2**60 + 1)
        assert allocated([shared.pk]) == {shared.pk: 2**61 + 1}
        Mailbox.objects.filter(domain=shared.pk).update(quota=1)
    limit = 2**54
    shares = [Share(0, 1, limit, 2**53), Share(1, 1, limit, 1), Share(2, 1, limit, 2**53 - 1)]
    assert too_much(shares, {1: 1}) == [shares[2]]
    assert too_much(shares, {1: 0}) == []


class without_check_constraints:  # noqa: N801  reads as what it is for
    """No row as large as that can be written otherwise."""

    def __enter__(self) -> None:
        words = {
            "sqlite": "PRAGMA ignore_check_constraints=ON",
            "postgresql": "SET CONSTRAINTS ALL IMMEDIATE;"
            "ALTER TABLE admin_mailbox DROP CONSTRAINT admin_mailbox_quota_in_range",
            "mysql": "SET SESSION check_constraint_checks=0",
        }
        with connection.cursor() as cursor:
            cursor.execute(words[connection.vendor])

    def __exit__(self, *_error: object) -> None:
        words = {
            "sqlite": "PRAGMA ignore_check_constraints=OFF",
            "mysql": "SET SESSION check_constraint_checks=1",
        }
        if connection.vendor in words:  # PostgreSQL takes it back with the transaction of the test
            with connection.cursor() as cursor:
                cursor.execute(words[connection.vendor])


# --- two at once ------------------------------------------------------------------------------------------------


def test_two_new_mailboxes_that_together_do_not_fit(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = create_domain(real_cast.root, name="tight.example", quota=100, default_mailbox_quota=60)
    meet(monkeypatch, accounts, "check_shares")
    outcomes = race(
        lambda: box(real_cast.root, "a@tight.example"),
        lambda: box(real_cast.root, "b@tight.example"),
    )
    assert_one_wins(outcomes, "quota_exceeds_domain")
    assert allocated([domain.pk]) == {domain.pk: 60}


def test_two_mailboxes_that_grow_at_once(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = create_domain(real_cast.root, name="tight.example", quota=100, default_mailbox_quota=30)
    people = [box(real_cast.root, f"{name}@tight.example") for name in "ab"]
    meet(monkeypatch, account_changes, "check_shares")
    outcomes = race(*(lambda who=who: update_account(real_cast.root, who, quota=70) for who in people))
    assert_one_wins(outcomes, "quota_exceeds_domain")
    assert allocated([domain.pk]) == {domain.pk: 100}


def test_a_domain_shrinks_while_a_mailbox_is_created_in_it(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = create_domain(real_cast.root, name="tight.example", quota=100)
    meet(monkeypatch, accounts, "check_shares")
    outcomes = race(
        lambda: box(real_cast.root, "a@tight.example", quota=90),
        lambda: update_domain(real_cast.root, domain, quota=80),
    )
    given = allocated([domain.pk])[domain.pk]
    assert (outcomes, given) in ((["done", "done"], 90), (["quota_exceeds_domain", "done"], 0))
    assert transaction.get_connection().in_atomic_block is False


# --- many at once -----------------------------------------------------------------------------------------------


def quota_for(people: list[Account], quota: int | None) -> tuple[BulkChange, Ids]:
    return BulkChange(verb=Verb.QUOTA, quota=quota), {Kind.ACCOUNT: tuple(each.pk for each in people)}


def left_out(report: BulkReport) -> list[tuple[str, str]]:
    return sorted((each.name, each.code) for each in report.skipped)


def blocked(found: Preview) -> dict[str, list[str]]:
    return {str(group.title): [line.name for line in group.shown] for group in found.blocked}


def test_of_many_those_get_a_quota_for_whom_there_is_room(cast: Cast, shared: Domain) -> None:
    # Six times 10 and 200 are given: with 120 for each of the first two, 440 are, and the others do not fit.
    people = [box(cast.root, f"p{number}@shared.example", quota=10) for number in range(6)]
    create_domain(cast.root, name="other.example", quota=120)
    people.append(box(cast.root, "other@other.example", quota=1))
    change, ids = quota_for(people, 120)
    found = preview(cast.root, change, ids)
    too_much_for = [f"p{number}@shared.example" for number in range(2, 6)]
    assert blocked(found) == {str(NO_ROOM): too_much_for}
    assert len(found.ids[Kind.ACCOUNT]) == 3
    report = change_identities(cast.root, BulkPlan(change, ids))
    assert left_out(report) == [(name, "quota_exceeds_domain") for name in too_much_for]
    assert sorted(report.done[Kind.ACCOUNT]) == sorted(found.ids[Kind.ACCOUNT])
    assert allocated([shared.pk]) == {shared.pk: 200 + 2 * 120 + 4 * 10}
    # Who gets less makes room for who gets more.
    change, ids = quota_for([*people[:6], first(shared)], 80)
    assert blocked(preview(cast.root, change, ids)) == {str(NO_ROOM): ["p5@shared.example"]}
    assert left_out(change_identities(cast.root, BulkPlan(change, ids))) == [
        ("p5@shared.example", "quota_exceeds_domain")
    ]
    assert allocated([shared.pk]) == {shared.pk: 6 * 80 + 10}


def test_many_lose_their_limit_only_where_somebody_may_give_that(cast: Cast, shared: Domain) -> None:
    people = [first(shared), box(cast.root, "open@mallory.example", quota=5)]
    add_administrators(cast.root, [Appointment(cast.mallory_example, "dora@dora.example")])
    change, ids = quota_for(people, 0)
    assert preview(cast.root, change, ids).blocked == []
    found = preview(cast.dora, change, ids)
    assert blocked(found) == {str(MAILBOX_NEEDS_QUOTA): ["first@shared.example"]}
    report = change_identities(cast.dora, BulkPlan(change, ids))
    assert left_out(report) == [("first@shared.example", "quota_required")]
    assert report.done[Kind.ACCOUNT] == found.ids[Kind.ACCOUNT]


def test_a_preview_names_mailboxes_that_use_more_and_they_are_left_without_a_word(
    cast: Cast, shared: Domain
) -> None:
    people = [first(shared), box(cast.root, "free@shared.example", quota=0)]
    people.append(box(cast.root, "small@shared.example", quota=10))
    for name, used in (("first", 150), ("free", 101), ("small", 3)):
        uses(f"{name}@shared.example", used * MIB)
    change, ids = quota_for(people, 100)
    found = preview(cast.root, change, ids)
    assert [(line.name, line.note) for line in found.crowded.shown] == [
        ("first@shared.example", "150 MB → 100 MB"),
        ("free@shared.example", "101 MB → 100 MB"),
    ]
    assert found.total == 3
    report = change_identities(cast.root, BulkPlan(change, ids))
    assert left_out(report) == [
        ("first@shared.example", "below_usage"),
        ("free@shared.example", "below_usage"),
    ]
    report = change_identities(cast.root, BulkPlan(change, ids, confirm_below_usage=True))
    assert report.skipped == ()
    assert allocated([shared.pk]) == {shared.pk: 300}
    assert preview(cast.root, change, ids).crowded.total == 0


def test_many_domains_keep_to_the_rules_of_one(cast: Cast, shared: Domain) -> None:
    limit_pool(cast.rita)
    update_account(cast.root, first(shared), quota=None)
    uses("first@shared.example", 60 * MIB)
    other = create_domain(cast.rita, name="other.example", quota=50, default_mailbox_quota=50)
    ids = {Kind.DOMAIN: (shared.pk, other.pk)}
    change = BulkChange(verb=Verb.QUOTA, default_mailbox_quota=40)
    found = preview(cast.rita, change, ids)
    assert [(line.name, line.note) for line in found.crowded.shown] == [("first@shared.example", "40 MB")]
    assert left_out(change_domains(cast.rita, BulkPlan(change, ids))) == [("shared.example", "below_usage")]
    change_domains(cast.rita, BulkPlan(change, ids, confirm_below_usage=True))
    assert quota_of(first(shared)) == 40
    change = BulkChange(verb=Verb.QUOTA, quota=0)
    assert blocked(preview(cast.rita, change, ids)) == {
        str(DOMAIN_NEEDS_QUOTA): ["other.example", "shared.example"]
    }
    assert left_out(change_domains(cast.rita, BulkPlan(change, ids))) == [
        ("other.example", "quota_required"),
        ("shared.example", "quota_required"),
    ]
    assert preview(cast.root, change, ids).blocked == []


def test_of_many_domains_those_get_more_for_whom_their_owner_has_room(cast: Cast) -> None:
    limit_pool(cast.rita, 5000)
    specs = [DomainSpec(name=f"d{n:02}.example", quota=100, default_mailbox_quota=10) for n in range(12)]
    domains = create_domains(cast.rita, specs)
    foreign = create_domain(cast.root, name="foreign.example", quota=100)
    add_administrators(cast.root, [Appointment(foreign, "rita")])
    rick = guest(cast, *domains)
    ids = {Kind.DOMAIN: (*(each.pk for each in domains), foreign.pk)}
    # 1200 are given, and each takes 900 more.
    change = BulkChange(verb=Verb.QUOTA, quota=1000)
    left = [f"d{n:02}.example" for n in range(4, 12)]
    assert blocked(preview(rick, change, {Kind.DOMAIN: ids[Kind.DOMAIN][:12]})) == {
        str(NO_ROOM_IN_POOL): left
    }
    found = preview(cast.rita, change, ids)
    assert blocked(found) == {str(NO_ROOM_IN_POOL): left}
    report = change_domains(cast.rita, BulkPlan(change, ids))
    assert left_out(report) == [(name, "limit_reached") for name in left]
    assert sorted(report.done[Kind.DOMAIN]) == sorted(found.ids[Kind.DOMAIN])
    assert used_of(cast.rita) == 4 * 1000 + 8 * 100
    # Who gives back makes room: 200 were left, 4 times 400 come, enough for 3 times 500.
    change = BulkChange(verb=Verb.QUOTA, quota=600)
    found = preview(cast.rita, change, ids)
    assert blocked(found) == {str(NO_ROOM_IN_POOL): [f"d{n:02}.example" for n in range(7, 12)]}
    report = change_domains(cast.rita, BulkPlan(change, ids))
    assert sorted(report.done[Kind.DOMAIN]) == sorted(found.ids[Kind.DOMAIN])
    assert used_of(cast.rita) == 7 * 600 + 5 * 100
    change = BulkChange(verb=Verb.QUOTA, quota=3000)
    assert preview(cast.root, change, ids).blocked == []
    assert change_domains(cast.root, BulkPlan(change, ids)).skipped == ()
    assert used_of(cast.rita) == 12 * 3000


def test_what_is_refused_for_another_reason_neither_takes_nor_makes_room(cast: Cast) -> None:
    limit_pool(cast.rita, 1000)
    specs = [
        DomainSpec(name="big.example", quota=400, default_mailbox_quota=300),  # new mailboxes: too much
        DomainSpec(name="full.example", quota=300, default_mailbox_quota=10),  # has more already
        DomainSpec(name="a.example", quota=60, default_mailbox_quota=10),
        DomainSpec(name="b.example", quota=60, default_mailbox_quota=10),
    ]
    domains = create_domains(cast.rita, specs)
    box(cast.rita, "a@full.example", quota=290)
    ids = {Kind.DOMAIN: tuple(each.pk for each in domains)}
    change = BulkChange(verb=Verb.QUOTA, quota=240)
    found = preview(cast.rita, change, ids)
    assert blocked(found) == {
        str(DEFAULT_TOO_BIG): ["big.example"],
        str(BELOW_ALLOCATED): ["full.example"],
        str(NO_ROOM_IN_POOL): ["b.example"],
    }
    report = change_domains(cast.rita, BulkPlan(change, ids))
    assert left_out(report) == [
        ("b.example", "limit_reached"),
        ("big.example", "default_quota_too_big"),
        ("full.example", "below_allocated"),
    ]
    assert report.done[Kind.DOMAIN] == found.ids[Kind.DOMAIN]
    assert used_of(cast.rita) == 400 + 300 + 240 + 60


def test_many_domains_give_their_followers_no_more_than_they_have(cast: Cast, shared: Domain) -> None:
    limit_pool(cast.rita)
    other = create_domain(cast.rita, name="other.example", quota=500, default_mailbox_quota=50)
    create_accounts(cast.root, [simple(f"f{number}@shared.example") for number in range(3)])
    uses("f0@shared.example", 180 * MIB)
    ids = {Kind.DOMAIN: (shared.pk, other.pk)}
    change = BulkChange(verb=Verb.QUOTA, default_mailbox_quota=150)
    found = preview(cast.rita, change, ids)
    assert blocked(found) == {str(FOLLOWERS_TOO_BIG): ["shared.example"]}
    assert found.crowded.total == 0
    report = change_domains(cast.rita, BulkPlan(change, ids, confirm_below_usage=True))
    assert left_out(report) == [("shared.example", "quota_exceeds_domain")]
    assert report.done[Kind.DOMAIN] == found.ids[Kind.DOMAIN] == (other.pk,)
    assert preview(cast.root, change, ids).blocked == []


def test_a_preview_of_30_domains_costs_as_many_statements_as_one_of_3(cast: Cast) -> None:
    costs = []
    for number in (3, 30):
        limit_pool(cast.rita, 10**6)
        names = [f"n{each}.of{number}.example" for each in range(number)]
        specs = [DomainSpec(name=name, quota=100, default_mailbox_quota=10) for name in names]
        domains = create_domains(cast.rita, specs)
        create_accounts(cast.root, [simple(f"a@{name}") for name in names])
        limit_pool(cast.rita, used_of(cast.rita) + 100)
        ids = {Kind.DOMAIN: tuple(each.pk for each in domains)}
        change = BulkChange(verb=Verb.QUOTA, quota=150, default_mailbox_quota=20)
        with statements() as run:
            found = preview(cast.rita, change, ids)
        assert found.total == 2
        with statements() as done:
            report = change_domains(cast.rita, BulkPlan(change, ids))
        assert sorted(report.done[Kind.DOMAIN]) == sorted(found.ids[Kind.DOMAIN])
        costs.append((len(run), len(done)))
    assert costs[0] == costs[1]


def test_a_preview_of_30_costs_as_many_statements_as_one_of_3(cast: Cast) -> None:
    costs = []
    for number in (3, 30):
        change, ids = quota_for(people_of(cast, number, number), 3)
        with statements() as run:
            assert preview(cast.root, change, ids).crowded.total == number
        with statements() as done:
            change_identities(cast.root, BulkPlan(change, ids, confirm_below_usage=True))
        costs.append((len(run), len(done)))
    assert costs[0] == costs[1]
