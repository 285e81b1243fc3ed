"""New names for domains and mailboxes: everything under the old name follows, and nothing else."""

from __future__ import annotations

import pytest

from admin import publication
from admin.models import (
    Account,
    AliasRecipient,
    DomainAlias,
    DomainName,
    Mailbox,
    MailboxOperation,
    MailUser,
    Quota,
    SenderAddress,
)
from admin.operations import (
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_domain,
    delete_accounts,
    delete_domains,
    update_account,
    update_accounts,
    update_domain,
    update_domains,
)
from admin.operations.account_changes import AccountChange
from admin.operations.domains import DomainChange
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import events, refused, refused_as, statements
from tests.operations.people import account_of, person, set_parameter, simple
from tests.published import who_sends


def recipients(address: str) -> list[str]:
    return sorted(AliasRecipient.objects.filter(alias__address=address).values_list("address", flat=True))


def no_drift() -> bool:
    return not list(publication.drift())


# --- a domain --------------------------------------------------------------------------------------------------


def test_a_renamed_domain_carries_accounts_recipients_usage_and_sender_addresses(cast: Cast) -> None:
    person(cast, "boss@dora.example", Role.DOMAIN_ADMIN, mailbox=False)
    create_alias(cast.root, address="@dora.example", recipients=("sam+junk@dora.example",))
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example", "x@out.example"))
    create_alias(cast.root, address="far@mallory.example", recipients=("sam@dora.example",))
    update_account(
        cast.root, account_of(cast.mallory), sender_addresses=("sam@dora.example", "@dora.example")
    )
    Quota.objects.filter(username="sam@dora.example").update(bytes=5_000, messages=7)
    update_domain(cast.root, cast.dora_example, name="New.Example")
    sam = Account.objects.get(pk=cast.sam.pk)
    assert (sam.username, sam.email) == ("sam@new.example", "sam@new.example")
    assert Account.objects.filter(username="boss@new.example").exists()
    assert recipients("@new.example") == ["sam+junk@new.example"]
    assert recipients("sam@new.example") == ["sam@new.example", "x@out.example"]
    assert recipients("far@mallory.example") == ["sam@new.example"]
    assert sorted(SenderAddress.objects.values_list("address", flat=True)) == [
        "@new.example",
        "sam@new.example",
    ]
    assert Quota.objects.values_list("bytes", "messages").get(username="sam@new.example") == (5_000, 7)
    assert not Quota.objects.filter(username__endswith="@dora.example").exists()
    assert not DomainName.objects.filter(name="dora.example").exists()
    assert DomainName.objects.get(name="new.example").domain_id == cast.dora_example.pk
    assert events()[-1] == ("domain.update", "new.example", ["name"])
    assert no_drift()


def test_a_domain_whose_name_ends_in_the_old_one_keeps_its_own(cast: Cast) -> None:
    create_domain(cast.root, name="also-dora.example")
    create_domain(cast.root, name="dora.example.br")
    for name in ("also-dora.example", "dora.example.br"):
        create_accounts(cast.root, [simple(f"u@{name}", password=PASSWORD)])
    update_domain(cast.root, cast.dora_example, name="new.example")
    for name in ("also-dora.example", "dora.example.br"):
        assert Account.objects.filter(username=f"u@{name}", email=f"u@{name}").exists()
        assert Quota.objects.filter(username=f"u@{name}").exists()


def test_the_old_name_is_kept_as_an_alias_by_choice(cast: Cast) -> None:
    update_domain(
        cast.root, cast.dora_example, name="new.example", keep_old_name=True, aliases=("third.example",)
    )
    assert sorted(DomainAlias.objects.values_list("name", "target__name")) == [
        ("dora.example", "new.example"),
        ("third.example", "new.example"),
    ]
    assert no_drift()


def test_a_domain_takes_the_name_of_its_own_alias(cast: Cast) -> None:
    update_domain(cast.root, cast.dora_example, aliases=("new.example", "third.example"))
    update_domain(cast.root, cast.dora_example, name="new.example", keep_old_name=True)
    assert sorted(DomainAlias.objects.values_list("name", flat=True)) == ["dora.example", "third.example"]
    assert no_drift()


@pytest.mark.parametrize(
    ("name", "code"),
    [("mallory.example", "name_taken"), ("no domain", "domain_character"), ("", "domain_empty")],
)
def test_a_wrong_new_name_is_refused(cast: Cast, name: str, code: str) -> None:
    with refused_as("name", code):
        update_domain(cast.root, cast.dora_example, name=name)


def test_a_name_under_which_recipients_lie_or_logins_clash_is_refused(cast: Cast) -> None:
    create_alias(cast.root, address="far@mallory.example", recipients=("x@new.example",))
    with refused_as("name", "recipients_there"):
        update_domain(cast.root, cast.dora_example, name="new.example")
    person(cast, "boss@dora.example", Role.DOMAIN_ADMIN, mailbox=False)
    person(cast, "boss@other.example", Role.DOMAIN_ADMIN, mailbox=False)
    with refused_as("name", "logins_there"):
        update_domain(cast.root, cast.dora_example, name="other.example")


def test_a_reseller_does_not_rename_a_domain_under_which_somebody_above_him_lives_or_signs_in(
    cast: Cast,
) -> None:
    ruth = create_domain(cast.rita, name="ruth.example")
    person(cast, "ruth@ruth.example", Role.SUPER_ADMIN)
    with refused_as("name", "above_you"):
        update_domain(cast.rita, ruth, name="new.example")
    person(cast, "boss@reseller.example", Role.SUPER_ADMIN, mailbox=False)
    with refused_as("name", "above_you"):
        update_domain(cast.rita, cast.reseller_example, name="new.example")
    update_domain(cast.root, ruth, name="new.example")


def test_sender_addresses_under_the_new_name_stay_with_the_domain_and_leave_others(cast: Cast) -> None:
    for who in (cast.sam, cast.mallory):
        update_account(cast.root, account_of(who), sender_addresses=("dora@new.example", "@new.example"))
    update_account(
        cast.root, account_of(cast.sam), sender_addresses=("dora@new.example", "dora@dora.example")
    )
    update_domain(cast.root, cast.dora_example, name="new.example")
    assert list(SenderAddress.objects.values_list("mailbox__user__email", "address")) == [
        ("sam@new.example", "dora@new.example")
    ]
    assert no_drift()


def test_a_reseller_does_not_rename_to_a_reserved_name(cast: Cast) -> None:
    with refused_as("name", "reserved_name"):
        update_domain(cast.rita, cast.reseller_example, name="gmail.com")


def test_one_domain_is_not_changed_twice_in_a_batch(cast: Cast) -> None:
    with refused((1, "", "repeated")):
        update_domains(
            cast.root,
            [
                DomainChange(domain=cast.dora_example, name="one.example"),
                DomainChange(domain=cast.dora_example, name="two.example"),
            ],
        )


def test_deleting_a_domain_costs_the_same_for_few_and_for_many_mailboxes(cast: Cast) -> None:
    counts = []
    for number, name in ((2, "few.example"), (20, "many.example")):
        domain = create_domain(cast.root, name=name)
        create_accounts(
            cast.root,
            [simple(f"u{i}@{name}", password=PASSWORD, aliases=(f"a{i}@{name}",)) for i in range(number)],
        )
        with statements() as run:
            delete_domains(cast.root, [domain])
        counts.append(len(run))
    assert counts[0] == counts[1] <= 60, counts


def test_renaming_a_domain_costs_the_same_for_few_and_for_many_mailboxes(cast: Cast) -> None:
    counts = []
    for number, name in ((2, "few.example"), (40, "many.example")):
        domain = create_domain(cast.root, name=name)
        create_accounts(cast.root, [simple(f"u{i}@{name}", password=PASSWORD) for i in range(number)])
        with statements() as run:
            update_domain(cast.root, domain, name=f"new-{name}")
        counts.append(len(run))
    assert counts[0] == counts[1] <= 60, counts


def test_sender_addresses_that_others_hold_under_the_old_name_follow_in_the_published_tables(
    cast: Cast,
) -> None:
    update_account(cast.root, account_of(cast.mallory), sender_addresses=("nobody@dora.example",))
    update_domain(cast.root, cast.dora_example, name="new.example")
    assert who_sends("extra_logins") == {("nobody@new.example", "mallory@mallory.example")}
    assert no_drift()


@pytest.mark.parametrize("login", ["sam@new.example", "dora@new.example"])
def test_a_login_that_people_of_the_domain_would_get_stops_the_rename(cast: Cast, login: str) -> None:
    """Also where they sign in with another name: nobody signs in under the address of somebody else."""
    update_account(cast.root, account_of(cast.dora), username="dora")
    person(cast, login, Role.DOMAIN_ADMIN, mailbox=False)
    with refused_as("name", "logins_there"):
        update_domain(cast.root, cast.dora_example, name="new.example")


def test_a_domain_that_is_renamed_and_back_again_meets_its_own_logins_only(cast: Cast) -> None:
    person(cast, "boss@dora.example", Role.DOMAIN_ADMIN, mailbox=False)
    update_domain(cast.root, cast.dora_example, name="new.example")
    update_domain(cast.root, cast.dora_example, name="dora.example", aliases=())
    assert Account.objects.filter(username__endswith="@dora.example").count() == 3
    assert no_drift()


LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 50, "example"])


@pytest.mark.parametrize(
    "longest",
    ["mailbox", "alias", "recipient", "login", "sender address"],
)
def test_a_name_that_makes_an_address_too_long_is_refused(cast: Cast, longest: str) -> None:
    """254 bytes: nobody could deliver to more."""
    local_part = "l" * 20
    address = f"{local_part}@reseller.example"
    if longest == "mailbox":
        person(cast, address)
    elif longest == "login":
        person(cast, address, Role.DOMAIN_ADMIN, mailbox=False)
    elif longest == "sender address":
        update_account(cast.root, account_of(cast.sam), sender_addresses=(address,))
    elif longest == "alias":
        create_alias(cast.root, address=address, recipients=("x@out.example",))
    else:
        person(cast, "l@reseller.example")
        create_alias(cast.root, address="a@dora.example", recipients=(f"l+{local_part}@reseller.example",))
    with refused_as("name", "address_too_long"):
        update_domain(cast.root, cast.reseller_example, name=LONG)
    name = LONG.removeprefix("a" * 40)
    update_domain(cast.root, cast.reseller_example, name=name)
    assert no_drift()


# --- a mailbox -------------------------------------------------------------------------------------------------


def test_a_renamed_mailbox_carries_login_forward_recipients_usage_and_sender_addresses(cast: Cast) -> None:
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example", "x@out.example"))
    create_alias(
        cast.root, address="team@dora.example", recipients=("sam+team@dora.example", "dora@dora.example")
    )
    update_account(cast.root, account_of(cast.dora), sender_addresses=("sam@dora.example",))
    Quota.objects.filter(username="sam@dora.example").update(bytes=5_000, messages=7)
    update_account(cast.dora, account_of(cast.sam), address="Samuel@dora.example")
    sam = account_of(cast.sam)
    assert (sam.username, sam.email) == ("samuel@dora.example", "samuel@dora.example")
    assert cast.sams_mailbox.full_address == "samuel@dora.example"
    assert recipients("samuel@dora.example") == ["samuel@dora.example", "x@out.example"]
    assert recipients("team@dora.example") == ["dora@dora.example", "samuel+team@dora.example"]
    assert [s.address for s in SenderAddress.objects.all()] == ["samuel@dora.example"]
    assert Quota.objects.values_list("bytes", "messages").get(username="samuel@dora.example") == (5_000, 7)
    assert not Quota.objects.filter(username="sam@dora.example").exists()
    assert events()[-1] == ("account.update", "samuel@dora.example", ["email", "username"])
    assert no_drift()


def test_the_old_address_is_kept_as_an_alias_by_choice(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), address="samuel@dora.example", keep_old_address=True)
    assert recipients("sam@dora.example") == ["samuel@dora.example"]
    assert no_drift()


def test_a_mailbox_takes_the_place_of_a_recipient_with_an_extension_that_waited_for_it(cast: Cast) -> None:
    create_alias(
        cast.dora, address="team@dora.example", recipients=("sam+x@dora.example", "samuel+x@late.example")
    )
    create_domain(cast.root, name="late.example")
    update_account(cast.root, account_of(cast.sam), address="samuel@late.example")
    assert recipients("team@dora.example") == ["samuel+x@late.example"]
    assert no_drift()


def test_a_mailbox_moves_to_another_domain_and_follows_its_quota(cast: Cast) -> None:
    create_domain(cast.root, name="second.example", default_mailbox_quota=55)
    update_account(cast.root, account_of(cast.sam), address="sam@second.example")
    box = cast.sams_mailbox
    assert (box.domain.name, box.quota, box.use_domain_quota) == ("second.example", 55, True)
    assert no_drift()


def test_a_login_of_its_own_stays_and_can_be_changed_apart(cast: Cast) -> None:
    deputy = person(cast, "deputy", Role.DOMAIN_ADMIN, mailbox=False)
    update_account(cast.root, account_of(deputy), address="deputy@dora.example")
    assert (account_of(deputy).username, account_of(deputy).email) == ("deputy", "deputy@dora.example")
    update_account(cast.root, account_of(deputy), username="vice")
    assert account_of(deputy).username == "vice"
    assert no_drift()


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"address": "dora@dora.example"}, "address", "address_taken"),
        ({"address": "list@dora.example"}, "address", "address_taken"),
        ({"address": "sam@nowhere.example"}, "address", "unknown_domain"),
        ({"address": "sam@mallory.example"}, "address", "unknown_domain"),
        ({"address": "a b@dora.example"}, "address", "local_part_character"),
        ({"address": ""}, "address", "mailbox_stays"),
        ({"username": "other"}, "username", "name_is_not_address"),
        ({"username": "dora@dora.example"}, "username", "name_taken"),
    ],
)
def test_a_wrong_new_address_is_refused(cast: Cast, values: dict[str, str], field: str, code: str) -> None:
    create_alias(cast.root, address="list@dora.example", recipients=("x@out.example",))
    with (
        refused_as(field, code)
        if code != "name_taken"
        else refused((0, field, code), (0, field, "name_is_not_address"))
    ):
        update_account(cast.dora, account_of(cast.sam), **values)


def test_nobody_takes_a_mailbox_out_of_a_domain_that_he_does_not_see(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.rita), address="rita@mallory.example")
    with refused_as("address", "domain_not_yours"):
        update_account(cast.rita, account_of(cast.rita), address="rita@reseller.example")


def test_two_changes_of_a_batch_do_not_take_one_address(cast: Cast) -> None:
    other = account_of(person(cast, "other@dora.example"))
    with refused((0, "username", "repeated"), (1, "username", "repeated")):
        update_accounts(
            cast.root,
            [
                AccountChange(account=account_of(cast.sam), address="new@dora.example"),
                AccountChange(account=other, address="new@dora.example"),
            ],
        )


# --- directories -----------------------------------------------------------------------------------------------


def home(address: str) -> str:
    return MailUser.objects.get(address=address).home


def test_a_renamed_mailbox_keeps_its_directory_while_nobody_moves_it(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.sam), address="samuel@dora.example")
    assert home("samuel@dora.example") == "dora.example/sam"
    update_domain(cast.root, cast.dora_example, name="new.example")
    assert home("samuel@new.example") == "dora.example/sam"
    assert home("dora@new.example") == "dora.example/dora"
    update_domain(cast.root, cast.dora_example, name="dora.example")
    assert Mailbox.objects.get(user=cast.dora.pk).home == "", "back in the documented place"


def test_who_gets_the_old_address_does_not_get_the_old_mail(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.sam), address="samuel@dora.example")
    create_account(
        cast.root,
        username="sam@dora.example",
        password=PASSWORD,
        mailbox=MailboxSpec(address="sam@dora.example"),
    )
    assert home("samuel@dora.example") == "dora.example/sam"
    assert home("sam@dora.example").startswith("dora.example/sam+")


def test_a_panel_that_handles_directories_orders_moves_and_nobody_is_served_meanwhile(cast: Cast) -> None:
    set_parameter("handle_mailboxes", value=True)
    update_account(cast.root, account_of(cast.sam), address="samuel@dora.example")
    update_domain(cast.root, cast.dora_example, name="new.example")
    orders = MailboxOperation.objects.filter(mailbox_id=cast.sams_mailbox.pk).order_by("pk")
    assert list(orders.values_list("kind", "old_address", "new_address", "source", "target")) == [
        ("rename", "sam@dora.example", "samuel@dora.example", "dora.example/sam", "dora.example/samuel"),
        (
            "rename",
            "samuel@dora.example",
            "samuel@new.example",
            "dora.example/samuel",
            "new.example/samuel",
        ),
    ]
    assert MailUser.objects.get(address="samuel@new.example").is_moving
    assert no_drift()


@pytest.mark.parametrize("handled", [True, False])
def test_who_gets_the_address_of_a_deleted_mailbox_does_not_get_its_mail(
    cast: Cast, *, handled: bool
) -> None:
    set_parameter("handle_mailboxes", value=handled)
    delete_accounts(cast.root, [account_of(cast.sam)])
    person(cast, "sam@dora.example")
    assert home("sam@dora.example").startswith("dora.example/sam+")
    delete_domains(cast.root, [cast.dora_example], keep_directories=True)
    create_domain(cast.root, name="dora.example")
    person(cast, "sam@dora.example")
    assert home("sam@dora.example").startswith("dora.example+")


def test_a_living_domain_keeps_single_directories_of_a_domain_that_was_deleted(cast: Cast) -> None:
    other = create_domain(cast.root, name="other.example")
    person(cast, "own@other.example")
    update_account(cast.root, account_of(cast.sam), address="sam@other.example")
    delete_domains(cast.root, [other])
    kept = MailboxOperation.objects.filter(kind="keep").order_by("source")
    assert list(kept.values_list("source", flat=True)) == ["dora.example/sam", "other.example/"]
    person(cast, "new@dora.example")
    assert Mailbox.objects.get(address="new").home == ""
    person(cast, "sam@dora.example")
    assert home("sam@dora.example").startswith("dora.example/sam+")
    create_domain(cast.root, name="other.example")
    person(cast, "own@other.example")
    assert home("own@other.example").startswith("other.example+")


def test_directories_of_domains_that_go_together_are_kept_as_a_whole(cast: Cast) -> None:
    other, empty = (create_domain(cast.root, name=name) for name in ("other.example", "empty.example"))
    moved = account_of(person(cast, "moved@empty.example"))
    update_account(cast.root, moved, address="moved@other.example")
    Mailbox.objects.filter(user=cast.sam.pk).update(home="long-gone.example/sam")
    delete_domains(cast.root, [cast.dora_example, other, empty])
    kept = MailboxOperation.objects.filter(kind="keep").order_by("source").values_list("source", flat=True)
    assert list(kept) == ["dora.example/", "empty.example/", "long-gone.example/"]


def test_who_gets_the_first_address_of_a_deleted_mailbox_does_not_get_its_mail(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.sam), address="samuel@dora.example")
    delete_accounts(cast.root, [account_of(cast.sam)])
    person(cast, "sam@dora.example")
    assert home("sam@dora.example").startswith("dora.example/sam+")


def test_a_move_under_way_is_followed_by_a_move_although_the_panel_stopped_handling_directories(
    cast: Cast,
) -> None:
    set_parameter("handle_mailboxes", value=True)
    update_account(cast.root, account_of(cast.sam), address="samuel@dora.example")
    set_parameter("handle_mailboxes", value=False)
    update_account(cast.root, account_of(cast.sam), address="sammy@dora.example")
    update_domain(cast.root, cast.dora_example, name="new.example")
    orders = MailboxOperation.objects.filter(mailbox_id=cast.sams_mailbox.pk).order_by("pk")
    assert list(orders.values_list("source", "target")) == [
        ("dora.example/sam", "dora.example/samuel"),
        ("dora.example/samuel", "dora.example/sammy"),
        ("dora.example/sammy", "new.example/sammy"),
    ]
    assert MailUser.objects.get(address="sammy@new.example").is_moving
    orders.update(state=MailboxOperation.State.FAILED)
    publication.rebuild()
    assert MailUser.objects.get(address="sammy@new.example").is_moving, "what failed stays closed"


def test_domains_of_others_are_gone(cast: Cast) -> None:
    with refused_as("", "gone"):
        update_domain(cast.rita, cast.dora_example, name="new.example")


@pytest.mark.parametrize("keep", [True, False])
def test_a_domain_takes_its_old_name_back_while_its_directories_wait_to_be_moved(
    cast: Cast, *, keep: bool
) -> None:
    set_parameter("handle_mailboxes", value=True)
    domain = cast.dora_example
    update_domain(cast.root, domain, name="b.example", keep_old_name=keep)
    domain.refresh_from_db()
    update_domain(cast.root, domain, name="dora.example", keep_old_name=keep)
    domain.refresh_from_db()
    assert not list(publication.drift())
    update_domain(cast.root, domain, name="c.example", keep_old_name=keep)
    delete_domains(cast.root, [domain])
    assert not list(publication.drift())


def test_another_domain_takes_a_name_whose_directories_wait_to_be_moved(cast: Cast) -> None:
    set_parameter("handle_mailboxes", value=True)
    update_domain(cast.root, cast.dora_example, name="b.example", keep_old_name=False)
    update_domain(cast.root, cast.mallory_example, name="dora.example", keep_old_name=False)
    assert not list(publication.drift())
