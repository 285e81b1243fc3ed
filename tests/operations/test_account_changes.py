"""Changing accounts: their aliases, roles that go up and down, the first mailbox, and who reaches whom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from admin import publication
from admin.models import Account, Alias, AliasRecipient, Domain, Mailbox, MailUser, Quota, SenderAddress
from admin.operations import (
    AccountChange,
    AccountSpec,
    Appointment,
    MailboxSpec,
    add_administrators,
    create_account,
    create_accounts,
    create_alias,
    create_domain,
    delete_accounts,
    delete_domains,
    update_account,
    update_accounts,
    update_alias,
)
from core.actor import Actor
from core.models import Log
from core.refusals import Refusal
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused,
    refused_as,
    sentences,
    statements,
)
from tests.operations.people import account_of, person, set_parameter, simple

SAM = "sam@dora.example"


def recipients(address: str) -> list[str]:
    return sorted(AliasRecipient.objects.filter(alias__address=address).values_list("address", flat=True))


def administered_by(actor: Actor) -> list[str]:
    return sorted(account_of(actor).administered_domains.values_list("name", flat=True))


def owned_by(actor: Actor) -> list[str]:
    return sorted(Domain.objects.filter(owner=actor.pk).values_list("name", flat=True))


def no_drift() -> bool:
    return not list(publication.drift())


# --- aliases of an account -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["root", "dora"])
def test_a_new_alias_leads_to_the_mailbox(cast: Cast, who: str) -> None:
    update_account(
        cast.everybody[who], account_of(cast.sam), aliases=("Info@dora.example", " ", "@dora.example")
    )
    assert recipients("info@dora.example") == [SAM]
    assert recipients("@dora.example") == [SAM]
    linked = AliasRecipient.objects.filter(alias__address="info@dora.example")
    assert linked.get().mailbox_id == cast.sams_mailbox.pk
    assert no_drift()


def test_an_alias_that_is_there_gets_the_mailbox_as_a_further_recipient(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=("x@out.example",))
    update_account(cast.dora, account_of(cast.sam), aliases=("info@dora.example",))
    assert recipients("info@dora.example") == [SAM, "x@out.example"]
    assert Alias.objects.get(address="info@dora.example").pk == alias.pk
    assert events()[-2:] == [
        ("alias.update", "info@dora.example", ["recipients"]),
        ("account.update", SAM, ["aliases"]),
    ]
    assert no_drift()


def test_an_alias_that_is_not_named_any_more_loses_the_mailbox_and_goes_with_its_last_recipient(
    cast: Cast,
) -> None:
    create_alias(
        cast.dora, address="both@dora.example", recipients=("sam+both@dora.example", "x@out.example")
    )
    create_alias(cast.dora, address="only@dora.example", recipients=(SAM,))
    create_alias(cast.dora, address="kept@dora.example", recipients=(SAM,))
    create_alias(cast.dora, address="far@dora.example", recipients=("only@dora.example",))
    update_account(cast.dora, account_of(cast.sam), aliases=("kept@dora.example",))
    assert recipients("both@dora.example") == ["x@out.example"]
    assert recipients("kept@dora.example") == [SAM]
    assert not Alias.objects.filter(address__in=["only@dora.example", "far@dora.example"]).exists()
    assert no_drift()


def test_aliases_that_stay_as_they_are_write_nothing(cast: Cast) -> None:
    create_alias(cast.dora, address="info@dora.example", recipients=(SAM, "x@out.example"))
    with nothing_written():
        update_account(cast.dora, account_of(cast.sam), aliases=("info@dora.example",))


def test_the_forward_of_a_mailbox_is_none_of_its_aliases(cast: Cast) -> None:
    create_alias(cast.dora, address=SAM, recipients=(SAM, "x@out.example"))
    with nothing_written():
        update_account(cast.dora, account_of(cast.sam), aliases=())


def test_an_alias_in_a_domain_of_somebody_else_stays_and_is_not_replaced(cast: Cast) -> None:
    create_alias(cast.mallory, address="far@mallory.example", recipients=(SAM,))
    update_account(cast.dora, account_of(cast.sam), aliases=("info@dora.example",))
    assert recipients("far@mallory.example") == [SAM]
    update_account(cast.root, account_of(cast.sam), aliases=("info@dora.example",))
    assert not Alias.objects.filter(address="far@mallory.example").exists()


def test_a_disabled_account_gets_a_disabled_alias(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), is_active=False, aliases=("info@dora.example",))
    assert Alias.objects.get(address="info@dora.example").enabled is False
    assert no_drift()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("info@mallory.example", "unknown_domain"),
        ("info@nowhere.example", "unknown_domain"),
        ("dora@dora.example", "address_taken"),
        (SAM, "address_taken"),
        ("a b@dora.example", "local_part_character"),
        ("nobody", "address_at_sign"),
    ],
)
def test_a_wrong_alias_of_an_account_is_refused(cast: Cast, address: str, code: str) -> None:
    with refused((0, "aliases", code)):
        update_account(cast.dora, account_of(cast.sam), first_name="X", aliases=("ok@dora.example", address))
    if address != SAM:
        with refused((0, "aliases", code)):
            create_accounts(cast.dora, [simple("new@dora.example", password=PASSWORD, aliases=(address,))])


def test_the_alias_of_a_domain_of_others_is_no_place_for_an_alias_either(cast: Cast) -> None:
    create_alias(cast.mallory, address="info@mallory.example", recipients=("x@out.example",))
    with refused_as("aliases", "unknown_domain"):
        update_account(cast.dora, account_of(cast.sam), aliases=("info@mallory.example",))


def test_an_alias_that_leads_back_is_refused_beside_the_account_that_asked(cast: Cast) -> None:
    create_alias(cast.dora, address="info@dora.example", recipients=("x@out.example",))
    create_alias(cast.dora, address=SAM, recipients=("info@dora.example",))
    with refused((1, "aliases", "loop")):
        update_accounts(
            cast.dora,
            [
                AccountChange(account=account_of(cast.dora), first_name="D", aliases=("d@dora.example",)),
                AccountChange(account=account_of(cast.sam), aliases=("info@dora.example",)),
            ],
        )


def test_two_accounts_of_a_batch_share_an_alias(cast: Cast) -> None:
    create_alias(cast.dora, address="old@dora.example", recipients=("x@out.example",))
    names = ("old@dora.example", "new@dora.example", "New@dora.example")
    update_accounts(
        cast.dora,
        [AccountChange(account=account_of(actor), aliases=names) for actor in (cast.dora, cast.sam)],
    )
    assert recipients("new@dora.example") == ["dora@dora.example", SAM]
    assert recipients("old@dora.example") == ["dora@dora.example", SAM, "x@out.example"]
    assert no_drift()


def test_an_alias_passes_from_one_account_of_a_batch_to_the_other(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=(SAM,))
    update_accounts(
        cast.dora,
        [
            AccountChange(account=account_of(cast.sam), aliases=()),
            AccountChange(account=account_of(cast.dora), aliases=("info@dora.example",)),
        ],
    )
    assert recipients("info@dora.example") == ["dora@dora.example"]
    assert Alias.objects.get(address="info@dora.example").pk == alias.pk
    assert no_drift()


def test_one_account_is_not_changed_twice_in_a_batch(cast: Cast) -> None:
    changes = [
        AccountChange(account=account_of(cast.sam), first_name="One"),
        AccountChange(account=account_of(cast.sam), last_name="Two"),
    ]
    with refused((1, "", "repeated")):
        update_accounts(cast.dora, changes)


def test_aliases_of_an_account_of_somebody_above_are_not_taken_away(cast: Cast) -> None:
    person(cast, "boss@dora.example", Role.SUPER_ADMIN)
    create_alias(cast.root, address="boss@dora.example", recipients=(SAM, "boss@dora.example"))
    with refused_as("aliases", "above_you"):
        update_account(cast.dora, account_of(cast.sam), aliases=())


def test_an_account_without_a_mailbox_has_no_aliases(cast: Cast) -> None:
    with refused_as("aliases", "no_mailbox"):
        update_account(cast.root, account_of(cast.rita), aliases=("info@reseller.example",))
    with refused_as("aliases", "no_mailbox"):
        create_account(cast.root, username="new", role=Role.RESELLER, aliases=("info@reseller.example",))


def test_aliases_follow_a_renamed_mailbox_in_the_same_change(cast: Cast) -> None:
    create_alias(cast.dora, address="info@dora.example", recipients=("sam+info@dora.example",))
    update_account(
        cast.dora,
        account_of(cast.sam),
        address="samuel@dora.example",
        aliases=("info@dora.example", SAM, "more@dora.example"),
    )
    assert recipients("info@dora.example") == ["samuel+info@dora.example"]
    assert recipients(SAM) == recipients("more@dora.example") == ["samuel@dora.example"]
    assert no_drift()


def test_an_old_address_that_is_asked_for_twice_is_kept_once(cast: Cast) -> None:
    update_account(
        cast.dora,
        account_of(cast.sam),
        address="samuel@dora.example",
        keep_old_address=True,
        aliases=(SAM, "more@dora.example"),
    )
    assert recipients(SAM) == ["samuel@dora.example"]
    assert no_drift()


def test_an_old_address_is_kept_where_an_account_gives_its_other_one_up(cast: Cast) -> None:
    update_account(
        cast.dora, account_of(cast.sam), address="samuel@dora.example", keep_old_address=True, aliases=()
    )
    assert recipients(SAM) == ["samuel@dora.example"]
    assert no_drift()


def test_too_many_aliases_are_refused_before_any_work(cast: Cast) -> None:
    many = tuple(f"a{number}@dora.example" for number in range(501))
    with refused_as("aliases", "too_many"):
        update_account(cast.dora, account_of(cast.sam), aliases=many)


def test_aliases_cost_the_same_for_few_and_for_many_accounts(cast: Cast) -> None:
    def cost(prefix: str, size: int) -> int:
        made = create_accounts(
            cast.dora, [simple(f"{prefix}{n}@dora.example", password=PASSWORD) for n in range(size)]
        )
        for number in range(size):
            create_alias(
                cast.dora,
                address=f"lost-{prefix}{number}@dora.example",
                recipients=(made[number].account.email,),
            )
            create_alias(
                cast.dora, address=f"old-{prefix}{number}@dora.example", recipients=("x@out.example",)
            )
        with statements() as run:
            update_accounts(
                cast.dora,
                [
                    AccountChange(
                        account=each.account,
                        aliases=(f"old-{prefix}{n}@dora.example", f"new-{prefix}{n}@dora.example"),
                    )
                    for n, each in enumerate(made)
                ],
            )
        return len(run)

    cost("warm", 1)
    assert cost("few", 2) == cost("many", 22)


# --- the first mailbox -----------------------------------------------------------------------------------------


def test_an_account_gets_its_first_mailbox_with_all_that_belongs_to_it(cast: Cast) -> None:
    create_alias(cast.root, address="far@mallory.example", recipients=("rita@late.example",))
    create_domain(cast.root, name="late.example", default_mailbox_quota=33)
    update_account(
        cast.root,
        account_of(cast.rita),
        address="Rita@Late.example",
        sender_addresses=("office@out.example",),
        aliases=("boss@late.example",),
    )
    rita = account_of(cast.rita)
    assert (rita.username, rita.email) == ("rita", "rita@late.example")
    box = Mailbox.objects.get(user=rita)
    assert (box.address, box.quota, box.use_domain_quota) == ("rita", 33, True)
    assert Quota.objects.filter(username="rita@late.example").exists()
    assert [row.address for row in SenderAddress.objects.filter(mailbox=box)] == ["office@out.example"]
    assert recipients("boss@late.example") == ["rita@late.example"]
    assert AliasRecipient.objects.get(alias__address="far@mallory.example").mailbox_id == box.pk
    assert MailUser.objects.filter(address="rita@late.example", quota=33).exists()
    assert no_drift()


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"address": SAM}, "address", "address_taken"),
        ({"address": "list@dora.example"}, "address", "address_taken"),
        ({"address": "new@nowhere.example"}, "address", "unknown_domain"),
        ({"address": "new@dora.example", "quota": -1}, "quota", "quota_out_of_range"),
        ({"address": "new@dora.example", "sender_addresses": ("x",)}, "sender_addresses", "address_at_sign"),
        ({"address": "dora"}, "address", "address_at_sign"),
    ],
)
def test_a_wrong_first_mailbox_is_refused(cast: Cast, values: dict[str, Any], field: str, code: str) -> None:
    create_alias(cast.root, address="list@dora.example", recipients=("x@out.example",))
    with refused_as(field, code):
        update_account(cast.root, account_of(cast.rita), **values)


def test_the_first_mailbox_lies_in_a_domain_of_the_actor(cast: Cast) -> None:
    with refused_as("address", "unknown_domain"):
        update_account(cast.rita, account_of(cast.rita), address="rita@mallory.example")
    update_account(cast.rita, account_of(cast.rita), address="rita@reseller.example")
    assert account_of(cast.rita).email == "rita@reseller.example"
    assert no_drift()


def test_somebody_without_a_mailbox_becomes_a_simple_user_with_one(cast: Cast) -> None:
    with refused_as("address", "mailbox_needed"):
        update_account(cast.root, account_of(cast.rita), role=Role.SIMPLE_USER)
    update_account(cast.root, account_of(cast.rita), role=Role.SIMPLE_USER, address="rita@dora.example")
    rita = account_of(cast.rita)
    assert (rita.username, rita.email, rita.role) == ("rita@dora.example", "rita@dora.example", "SimpleUsers")
    assert owned_by(cast.rita) == []
    assert no_drift()


# --- the master user -------------------------------------------------------------------------------------------


def test_only_a_super_admin_makes_a_master_user_and_only_of_a_super_admin(cast: Cast) -> None:
    boss = account_of(person(cast, "boss", Role.SUPER_ADMIN, mailbox=False))
    update_account(cast.root, boss, master_user=True)
    assert account_of(cast.root).master_user is False
    assert Account.objects.get(pk=boss.pk).master_user is True
    with refused_as("master_user", "master_needs_super_admin"):
        update_account(cast.root, account_of(cast.rita), master_user=True)
    for actor, target in ((cast.dora, cast.sam), (cast.rita, cast.rita)):
        with refused_as("master_user", "master_not_yours"):
            update_account(actor, account_of(target), master_user=True)
    with refused_as("master_user", "master_needs_super_admin"):
        create_account(cast.root, username="x", role=Role.RESELLER, master_user=True)


def test_who_steps_down_and_asks_to_stay_a_master_user_is_refused(cast: Cast) -> None:
    boss = account_of(person(cast, "boss", Role.SUPER_ADMIN, mailbox=False))
    update_account(cast.root, boss, master_user=True)
    with refused_as("master_user", "master_needs_super_admin"):
        update_account(cast.root, boss, role=Role.RESELLER, master_user=True)
    update_account(cast.root, boss, role=Role.RESELLER)
    assert Account.objects.get(pk=boss.pk).master_user is False


# --- down ------------------------------------------------------------------------------------------------------


def test_a_reseller_who_becomes_a_domain_admin_goes_on_with_what_he_owned(cast: Cast) -> None:
    create_domain(cast.rita, name="second.example")
    below = person(cast, "below@second.example", by=cast.rita)
    update_account(cast.root, account_of(cast.rita), role=Role.DOMAIN_ADMIN)
    assert administered_by(cast.rita) == ["reseller.example", "second.example"]
    assert owned_by(cast.rita) == []
    assert {"reseller.example", "second.example"} <= set(owned_by(cast.root))
    assert account_of(below).owner_id == cast.root.pk
    assert ("domain.update", "reseller.example", ["owner"]) not in events(), "the verb is the operation's"
    assert "owner" in [
        name for _v, name_, changed in events() if name_ == "reseller.example" for name in changed
    ]
    assert no_drift()


def test_a_reseller_who_becomes_a_domain_admin_may_be_given_what_he_owned_by_name(cast: Cast) -> None:
    create_domain(cast.rita, name="second.example")
    add_administrators(cast.root, [Appointment(cast.dora_example, "rita")])
    names = ("reseller.example", "mallory.example")
    update_account(cast.root, account_of(cast.rita), role=Role.DOMAIN_ADMIN, administers=names)
    assert {"reseller.example", "mallory.example"} <= set(administered_by(cast.rita))
    assert "dora.example" not in administered_by(cast.rita)
    assert owned_by(cast.rita) == []


def test_a_reseller_owns_and_administers_one_domain_and_steps_down(cast: Cast) -> None:
    add_administrators(cast.root, [Appointment(cast.reseller_example, "rita")])
    update_account(cast.root, account_of(cast.rita), role=Role.DOMAIN_ADMIN)
    assert administered_by(cast.rita) == ["reseller.example"]


@pytest.mark.parametrize("before", [Role.SUPER_ADMIN, Role.RESELLER, Role.DOMAIN_ADMIN])
def test_who_becomes_a_simple_user_looks_after_nothing_any_more(cast: Cast, before: Role) -> None:
    gone = person(
        cast,
        "gone@dora.example",
        before,
        administers=("dora.example", "mallory.example") if before.administers else (),
    )
    if before is not Role.DOMAIN_ADMIN:
        create_domain(gone, name="gone.example")
    update_account(cast.root, account_of(gone), role=Role.SIMPLE_USER)
    assert (administered_by(gone), owned_by(gone)) == ([], [])
    assert not Account.objects.filter(owner=gone.pk).exists()
    assert not Domain.objects.visible_to(Actor(account_of(gone), gone.credential)).exists()
    assert no_drift()


def test_a_super_admin_who_becomes_a_reseller_owns_nothing(cast: Cast) -> None:
    boss = person(cast, "boss", Role.SUPER_ADMIN, mailbox=False)
    create_domain(boss, name="boss.example")
    person(cast, "a@boss.example", by=boss)
    update_account(cast.root, account_of(boss), role=Role.RESELLER)
    assert owned_by(boss) == []
    assert "boss.example" in owned_by(cast.root)
    assert list(Domain.objects.visible_to(Actor(account_of(boss), boss.credential))) == []


def test_a_promotion_to_super_admin_leaves_no_right_for_the_day_of_a_demotion(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.mallory), role=Role.SUPER_ADMIN)
    assert administered_by(cast.mallory) == [], "super admins administer everything, by role"
    update_account(cast.root, account_of(cast.mallory), role=Role.DOMAIN_ADMIN)
    assert administered_by(cast.mallory) == []


def test_ownership_passes_to_the_owner_of_who_steps_down(cast: Cast) -> None:
    boss = person(cast, "boss", Role.SUPER_ADMIN, mailbox=False)
    rex = person(cast, "rex", Role.RESELLER, by=boss, mailbox=False)
    create_domain(rex, name="rex.example")
    update_account(cast.root, account_of(rex), role=Role.DOMAIN_ADMIN)
    assert owned_by(boss) == ["rex.example"]


def test_ownership_never_passes_to_somebody_who_may_own_nothing(cast: Cast) -> None:
    made = person(cast, "made@dora.example", by=cast.dora)
    for step in (Role.RESELLER, Role.DOMAIN_ADMIN):
        update_account(cast.root, account_of(made), role=step)
        if step is Role.RESELLER:
            create_domain(Actor(account_of(made), made.credential), name="made.example")
    assert owned_by(cast.dora) == []
    assert "made.example" in owned_by(cast.root)


def test_ownership_of_a_deleted_account_never_passes_to_somebody_who_may_own_nothing(cast: Cast) -> None:
    made = person(cast, "made@dora.example", by=cast.dora)
    update_account(cast.root, account_of(made), role=Role.RESELLER)
    create_domain(Actor(account_of(made), made.credential), name="made.example")
    delete_accounts(cast.root, [account_of(made)])
    assert "made.example" in owned_by(cast.root)


def test_ownership_passes_to_the_actor_where_owner_and_owned_step_down_together(cast: Cast) -> None:
    boss = person(cast, "boss", Role.SUPER_ADMIN, mailbox=False)
    rex = person(cast, "rex", Role.RESELLER, by=boss, mailbox=False)
    create_domain(rex, name="rex.example")
    update_accounts(
        cast.root,
        [
            AccountChange(account=account_of(rex), role=Role.DOMAIN_ADMIN),
            AccountChange(account=account_of(boss), role=Role.RESELLER),
        ],
    )
    assert "rex.example" in owned_by(cast.root)
    assert owned_by(boss) == []


# --- up --------------------------------------------------------------------------------------------------------


def test_a_reseller_promotes_his_people_to_domain_admins_and_no_further(cast: Cast) -> None:
    below = person(cast, "below@reseller.example", by=cast.rita)
    update_account(cast.rita, account_of(below), role=Role.DOMAIN_ADMIN, administers=("reseller.example",))
    assert administered_by(below) == ["reseller.example"]
    for role in (Role.RESELLER, Role.SUPER_ADMIN):
        with refused_as("role", "role_not_yours"):
            update_account(cast.rita, account_of(below), role=role)
    update_account(cast.rita, account_of(below), role=Role.SIMPLE_USER)
    assert administered_by(below) == []


def test_a_domain_admin_neither_promotes_nor_demotes(cast: Cast) -> None:
    beside = person(cast, "beside@dora.example", Role.DOMAIN_ADMIN, administers=("dora.example",))
    with refused_as("role", "role_not_yours"):
        update_account(cast.dora, account_of(cast.sam), role=Role.DOMAIN_ADMIN)
    update_account(cast.dora, account_of(beside), last_name="Beside", role=Role.DOMAIN_ADMIN)
    stored = account_of(beside)
    assert (stored.role, stored.last_name) == (Role.DOMAIN_ADMIN, "Beside")


def test_a_domain_admin_gives_and_withdraws_no_rights(cast: Cast) -> None:
    """The permission to add and to remove administrators is a reseller's, by whichever door."""
    beside = person(cast, "beside@dora.example", Role.DOMAIN_ADMIN, administers=("dora.example",))
    new = person(cast, "new@dora.example", Role.DOMAIN_ADMIN)
    with refused_as("administers", "rights_not_yours"):
        update_account(cast.dora, account_of(beside), administers=())
    with refused_as("administers", "rights_not_yours"):
        update_account(cast.dora, account_of(new), administers=("dora.example",))
    with nothing_written():
        update_account(cast.dora, account_of(beside), administers=("dora.example",))


# --- oneself, and the last one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["root", "rita", "dora"])
def test_nobody_disables_demotes_or_deletes_himself(cast: Cast, who: str) -> None:
    person(cast, "other", Role.SUPER_ADMIN, mailbox=False)
    actor = cast.everybody[who]
    with refused_as("is_active", "not_yourself"):
        update_account(actor, account_of(actor), is_active=False)
    with refused_as("", "not_yourself"):
        delete_accounts(actor, [account_of(actor)])
    with pytest.raises(Refusal) as caught, nothing_written():
        update_account(actor, account_of(actor), role=Role.SIMPLE_USER)
    assert (0, "role", "not_yourself") in caught.value.codes
    update_account(actor, account_of(actor), first_name="Still", last_name="Here")
    assert account_of(actor).full_name == "Still Here"


def test_the_last_super_admin_stays_one(cast: Cast) -> None:
    other = person(cast, "other", Role.SUPER_ADMIN, mailbox=False)
    update_account(cast.root, account_of(other), is_active=False)
    for values in ({"role": Role.RESELLER}, {"is_active": False}):
        with pytest.raises(Refusal) as caught, nothing_written():
            update_account(cast.root, account_of(cast.root), **values)
        assert "last_super_admin" in {code for _p, _f, code in caught.value.codes}
    with refused((0, "", "not_yourself"), (0, "", "last_super_admin")):
        delete_accounts(cast.root, [account_of(cast.root), account_of(other)])


def test_a_domain_that_goes_with_its_people_leaves_a_super_admin(cast: Cast) -> None:
    set_parameter("auto_account_removal", value=True)
    boss = person(cast, "boss@mallory.example", Role.SUPER_ADMIN)
    delete_domains(cast.root, [cast.mallory_example])
    assert not Account.objects.filter(pk=boss.pk).exists()
    assert Account.objects.super_admins().active().exists()


# --- two at the same time --------------------------------------------------------------------------------------


def last_event(account: Account) -> int:
    newest = Log.objects.filter(kind="account", object_id=account.pk).order_by("-pk").first()
    return newest.pk if newest else 0


def test_who_did_not_see_a_change_is_told_of_it_and_loses_nothing(cast: Cast) -> None:
    sam = account_of(cast.sam)
    seen = last_event(sam)
    update_account(cast.root, sam, first_name="Samuel", seen=seen)
    with refused((0, "", "changed_meanwhile")) as caught:
        update_account(cast.dora, sam, last_name="Smith", seen=seen)
    assert "root" in sentences(caught)[0]
    update_account(cast.dora, sam, last_name="Smith", seen=last_event(sam))
    assert account_of(cast.sam).full_name == "Samuel Smith"


def test_a_change_of_somebody_else_is_no_change_meanwhile(cast: Cast) -> None:
    seen = last_event(account_of(cast.sam))
    update_account(cast.root, account_of(cast.dora), first_name="D")
    update_account(cast.dora, account_of(cast.sam), last_name="Smith", seen=seen)


def test_each_change_of_a_batch_has_seen_something_of_its_own(cast: Cast) -> None:
    seen = {actor.pk: last_event(account_of(actor)) for actor in (cast.sam, cast.dora)}
    update_account(cast.root, account_of(cast.sam), first_name="S")
    with refused((1, "", "changed_meanwhile")):
        update_accounts(
            cast.root,
            [
                AccountChange(account=account_of(actor), last_name="X", seen=seen[actor.pk])
                for actor in (cast.dora, cast.sam)
            ],
        )


def test_aliases_that_changed_meanwhile_are_a_change_of_the_account(cast: Cast) -> None:
    """They are edited with it: the second one would bring back what the first one removed."""
    create_alias(cast.dora, address="info@dora.example", recipients=(SAM,))
    seen = last_event(account_of(cast.sam))
    update_account(cast.root, account_of(cast.sam), aliases=(), seen=seen)
    with refused((0, "", "changed_meanwhile")):
        update_account(cast.dora, account_of(cast.sam), aliases=("info@dora.example",), seen=seen)


# --- who reaches whom ------------------------------------------------------------------------------------------

# What the actor gets: it is done; it is not there for him; he may not; refused with this code.
DONE, GONE, FORBIDDEN = "done", "gone", "forbidden"


def edit(actor: Actor, target: Account) -> None:
    update_account(actor, target, first_name="New")


def set_password(actor: Actor, target: Account) -> None:
    update_account(actor, target, password="Taken-Over-99")


def delete(actor: Actor, target: Account) -> None:
    delete_accounts(actor, [target])


def rename(actor: Actor, target: Account) -> None:
    update_account(actor, target, address=f"new-{target.email}")


def add_alias(actor: Actor, target: Account) -> None:
    update_account(actor, target, aliases=(f"alias-{target.email}",))


ACTS: dict[str, Callable[[Actor, Account], None]] = {
    "edit": edit,
    "password": set_password,
    "delete": delete,
    "rename": rename,
    "alias": add_alias,
}

ACTORS = [Role.SUPER_ADMIN, Role.RESELLER, Role.DOMAIN_ADMIN, Role.SIMPLE_USER]
# The target lives in the actor's domain; "elsewhere" it lives, and looks after a domain, where the actor does not.
PLACES = ["here", "here and elsewhere", "elsewhere"]


def expected(actor: Role, target: Role, place: str) -> str:
    """The rule in words: within sight, not above, and not beside somebody who looks after domains of others."""
    if actor is Role.SIMPLE_USER:
        return FORBIDDEN
    if actor is Role.SUPER_ADMIN:
        return DONE
    if place == "elsewhere" or target.rank > actor.rank:
        return GONE
    if place == "here and elsewhere" and target.administers:
        return FORBIDDEN
    return DONE


def actor_of(cast: Cast, role: Role) -> Actor:
    """Somebody of this role who looks after dora.example, if the role does."""
    if role is Role.RESELLER:
        rex = person(cast, "rex@dora.example", Role.RESELLER, administers=("dora.example",))
        create_domain(rex, name="rex.example")
        return rex
    return {Role.SUPER_ADMIN: cast.root, Role.DOMAIN_ADMIN: cast.dora, Role.SIMPLE_USER: cast.sam}[role]


def target_of(cast: Cast, role: Role, place: str) -> Account:
    name = "mallory.example" if place == "elsewhere" else "dora.example"
    also = () if place == "here" or not role.administers else ("mallory.example",)
    here = ("dora.example",) if role.administers and place != "elsewhere" else ()
    return account_of(person(cast, f"target@{name}", role, administers=here + also))


def outcome(outcome_wanted: str) -> AbstractContextManager[object]:
    if outcome_wanted == GONE:
        return refused_as("", "gone")
    return forbidden() if outcome_wanted == FORBIDDEN else nullcontext()


@pytest.mark.any_engine
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target_role", list(Role))
@pytest.mark.parametrize("actor_role", ACTORS)
def test_rank_and_scope_decide_about_every_act_on_an_account(
    cast: Cast, actor_role: Role, target_role: Role, place: str
) -> None:
    actor, target = actor_of(cast, actor_role), target_of(cast, target_role, place)
    wanted = expected(actor_role, target_role, place)
    for name, act in ACTS.items():
        if name == "delete":
            continue
        with outcome(wanted):
            act(actor, Account.objects.get(pk=target.pk))
    with outcome(wanted):
        delete(actor, Account.objects.get(pk=target.pk))
    assert Account.objects.filter(pk=target.pk).exists() is (wanted != DONE)
    assert no_drift()


@pytest.mark.any_engine
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target_role", list(Role))
@pytest.mark.parametrize("actor_role", ACTORS)
def test_rank_and_scope_decide_who_diverts_mail_and_sends_in_a_name(
    cast: Cast, actor_role: Role, target_role: Role, place: str
) -> None:
    actor, target = actor_of(cast, actor_role), target_of(cast, target_role, place)
    reach = expected(actor_role, target_role, place)
    friend = account_of(person(cast, "friend@dora.example"))

    def expect(field: str, code: str) -> AbstractContextManager[object]:
        if reach == DONE:
            return nullcontext()
        if actor_role is Role.SIMPLE_USER:
            return forbidden()
        return refused_as(field, code)

    foreign = place == "elsewhere"
    with expect("address", "unknown_domain" if foreign else "above_you"):
        create_alias(actor, address=target.email, recipients=("spy@out.example", target.email))
    if reach != DONE:
        forward = create_alias(cast.root, address=target.email, recipients=("x@out.example",))
        with expect("", "gone" if foreign else "above_you"):
            update_alias(actor, forward, recipients=("spy@out.example",))
    if not foreign or actor_role in {Role.SUPER_ADMIN, Role.SIMPLE_USER}:
        with expect("sender_addresses", "above_you"):
            update_account(actor, friend, sender_addresses=(target.email,))
    else:
        with refused_as("sender_addresses", "domain_not_yours"):  # and not a word about the address
            update_account(actor, friend, sender_addresses=(target.email,))
    assert no_drift()


@pytest.mark.any_engine
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target_role", [Role.RESELLER, Role.DOMAIN_ADMIN])
@pytest.mark.parametrize("actor_role", ACTORS)
def test_rank_and_scope_decide_who_appoints_whom(
    cast: Cast, actor_role: Role, target_role: Role, place: str
) -> None:
    actor, target = actor_of(cast, actor_role), target_of(cast, target_role, place)
    second = create_domain(cast.root, name="second.example")
    if actor_role is Role.RESELLER:
        add_administrators(cast.root, [Appointment(second, actor.user.username)])
    reach = expected(actor_role, target_role, place)
    if actor_role in {Role.DOMAIN_ADMIN, Role.SIMPLE_USER}:
        gate: AbstractContextManager[object] = forbidden()
    elif reach == DONE:
        gate = nullcontext()
    else:
        gate = refused_as("username", "unknown_account")
    with gate:
        add_administrators(actor, [Appointment(second, target.username)])
    assert second.administrators.filter(pk=target.pk).exists() is (
        reach == DONE and actor_role in {Role.SUPER_ADMIN, Role.RESELLER}
    )


def test_a_simple_user_changes_nobody_not_even_himself(cast: Cast) -> None:
    for actor in cast.everybody.values():
        with forbidden():
            update_account(cast.sam, account_of(actor), first_name="X")


def test_what_one_does_not_see_is_gone_for_every_field(cast: Cast) -> None:
    """The words about an account of others are those about one that never was."""
    ghost = Account(pk=10**6, username="ghost", role=Role.SIMPLE_USER)
    told = []
    for target in (account_of(cast.sam), ghost):
        with refused_as("", "gone") as caught:
            update_account(cast.mallory, target, username="x@mallory.example", aliases=("a@mallory.example",))
        told.append(sentences(caught))
    assert told[0] == told[1]


def test_an_account_spec_of_a_reseller_without_rights_is_complete(cast: Cast) -> None:
    made = create_accounts(
        cast.root,
        [
            AccountSpec(username="plain", role=Role.RESELLER),
            simple("p@dora.example", aliases=("q@dora.example",)),
        ],
    )
    assert [each.account.email for each in made] == ["", "p@dora.example"]
    assert made[0].password
    assert recipients("q@dora.example") == ["p@dora.example"]
    assert MailboxSpec(address="p@dora.example").quota is None
    assert no_drift()
