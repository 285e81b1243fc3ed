"""Accounts with and without mailbox: every refusal, then what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import override_settings

from admin import publication
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    Mailbox,
    MailUser,
    Quota,
    SenderAddress,
)
from admin.models.domain import MAX_QUOTA_MB
from admin.operations import (
    AccountChange,
    AccountSpec,
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_domain,
    delete_accounts,
    update_account,
    update_accounts,
    update_domain,
)
from core.models import ApiToken, Log, User
from core.passwords import verify_password
from core.roles import Role
from parameters.tools import forget
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused,
    refused_as,
    sentences,
    statements,
    versions,
)
from tests.operations.people import account_of, person, simple, without_limits
from tests.published import routes, sends_from, who_sends
from tests.stored_parameters import store

# --- who ------------------------------------------------------------------------------------------------------


def test_a_simple_user_changes_no_account(cast: Cast) -> None:
    with forbidden():
        create_accounts(cast.sam, [simple("new@dora.example")])
    with forbidden():
        update_account(cast.sam, account_of(cast.sam), first_name="Sam")
    with forbidden():
        delete_accounts(cast.sam, [account_of(cast.sam)])


def test_a_disabled_actor_may_do_nothing(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.dora), is_active=False)
    dora = replace(cast.dora, user=account_of(cast.dora))
    with forbidden():
        create_accounts(dora, [simple("new@dora.example")])
    with forbidden():
        update_account(dora, account_of(cast.sam), first_name="Sam")
    with forbidden():
        delete_accounts(dora, [account_of(cast.sam)])


@pytest.mark.parametrize(
    ("who", "refused_roles"),
    [
        ("root", ()),
        ("rita", ("SuperAdmins", "Resellers")),
        ("dora", ("SuperAdmins", "Resellers", "DomainAdmins")),
    ],
)
def test_nobody_gives_a_role_that_he_cannot_give(
    cast: Cast, who: str, refused_roles: tuple[str, ...]
) -> None:
    actor = cast.everybody[who]
    domain = "dora.example" if who == "dora" else "reseller.example"
    for role in Role:
        spec = simple(f"{role.value.lower()}@{domain}", role=role)
        if role in refused_roles:
            with refused_as("role", "role_not_yours"):
                create_accounts(actor, [spec])
        else:
            assert create_accounts(actor, [spec])[0].account.role == role


# --- create: refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field", "code"),
    [
        (AccountSpec(username="", role=Role.RESELLER), "username", "name_not_allowed"),
        (AccountSpec(username="two words", role=Role.RESELLER), "username", "name_not_allowed"),
        (AccountSpec(username="-rf", role=Role.RESELLER), "username", "name_not_allowed"),
        (AccountSpec(username="bj\u00f6rn", role=Role.RESELLER), "username", "name_not_allowed"),
        (AccountSpec(username="a" * 255, role=Role.RESELLER), "username", "name_not_allowed"),
        (AccountSpec(username="a@b@c.example", role=Role.RESELLER), "username", "address_at_sign"),
        (AccountSpec(username="rita", role=Role.RESELLER), "username", "name_taken"),
        (AccountSpec(username=" RITA ", role=Role.RESELLER), "username", "name_taken"),
        (AccountSpec(username="sam@dora.example", role=Role.RESELLER), "username", "name_taken"),
        (AccountSpec(username="x@dora.example"), "address", "mailbox_needed"),
        (
            AccountSpec(username="y@dora.example", mailbox=MailboxSpec(address="x@dora.example")),
            "username",
            "name_is_not_address",
        ),
        (simple("x@nowhere.example"), "address", "unknown_domain"),
        (simple("sam@dora.example"), "address", "address_taken"),
        (simple("SAM@DORA.example"), "address", "address_taken"),
        (
            AccountSpec(username="new", role=Role.RESELLER, mailbox=MailboxSpec(address="sam@dora.example")),
            "address",
            "address_taken",
        ),
        (simple("x@dora.example", quota=-1), "quota", "quota_out_of_range"),
        (simple("x@dora.example", quota=MAX_QUOTA_MB + 1), "quota", "quota_out_of_range"),
        (simple("x@dora.example", sender_addresses=("no address",)), "sender_addresses", "address_at_sign"),
        (simple("x@dora.example", password=""), "password", "password_empty"),
        (simple("x@dora.example", password="Nul-\0-password-1"), "password", "password_character"),
        (simple("x@dora.example", password="Aa1" * 200), "password", "password_too_long"),
        (simple("x@dora.example", password="Ab1"), "password", "password_too_short"),
        (simple("x@dora.example", password="Dora.example1"), "password", "password_too_similar"),
        (simple("x@dora.example", password="only-small-letters-1"), "password", "password_no_upper"),
        (simple("x@dora.example", first_name="n" * 151), "first_name", "too_long"),
        (simple("x@dora.example", last_name="zero\u200bwidth"), "last_name", "hidden_character"),
        (simple("x@dora.example", first_name="nul\0"), "first_name", "hidden_character"),
        (simple("x@dora.example", phone_number="1" * 129), "phone_number", "too_long"),
        (simple("x@dora.example", secondary_email="nobody"), "secondary_email", "invalid_email"),
        (simple("x@dora.example", language="tlh"), "language", "unknown_language"),
        (simple("x@dora.example", administers=("dora.example",)), "administers", "administers_nothing"),
        (
            AccountSpec(username="new", role=Role.DOMAIN_ADMIN, administers=("nowhere.example",)),
            "administers",
            "unknown_domain",
        ),
        (
            AccountSpec(username="new", role=Role.DOMAIN_ADMIN, administers=("a\0.example",)),
            "administers",
            "domain_hidden_character",
        ),
    ],
)
def test_a_wrong_account_is_refused(cast: Cast, spec: AccountSpec, field: str, code: str) -> None:
    with refused_as(field, code):
        create_accounts(cast.root, [spec])


def test_an_address_that_cannot_be_a_mailbox_is_refused_at_both_places_where_it_stands(cast: Cast) -> None:
    with refused((0, "username", "local_part_character"), (0, "address", "local_part_character")):
        create_accounts(cast.root, [simple("a+b@dora.example")])


def test_the_address_of_an_alias_is_no_address_of_a_mailbox(cast: Cast) -> None:
    create_alias(cast.dora, address="info@dora.example", recipients=("sam@dora.example",))
    with refused_as("address", "address_taken"):
        create_accounts(cast.root, [simple("info@dora.example")])


def test_a_login_name_is_nobody_elses_address_and_an_address_nobody_elses_login_name(cast: Cast) -> None:
    person(cast, "other@dora.example", Role.RESELLER, mailbox=False)
    spec = AccountSpec(username="new", role=Role.RESELLER, mailbox=MailboxSpec(address="other@dora.example"))
    with refused_as("address", "address_taken"):
        create_accounts(cast.root, [spec])
    create_account(
        cast.root, username="plain", role=Role.RESELLER, mailbox=MailboxSpec(address="plain@dora.example")
    )
    with refused_as("username", "name_taken"):
        create_accounts(cast.root, [AccountSpec(username="plain@dora.example", role=Role.RESELLER)])


def test_a_login_name_does_not_lie_in_a_domain_of_somebody_else(cast: Cast) -> None:
    spec = AccountSpec(username="boss@dora.example", role=Role.DOMAIN_ADMIN)
    with refused_as("username", "domain_not_yours"):
        create_accounts(cast.rita, [spec])
    assert create_accounts(cast.root, [spec])[0].account.username == "boss@dora.example"


def test_a_foreign_domain_and_one_that_does_not_exist_are_refused_in_the_same_words(cast: Cast) -> None:
    said = []
    for domain in ("dora.example", "nowhere.example"):
        with refused_as("address", "unknown_domain") as caught:
            create_accounts(cast.mallory, [simple(f"x@{domain}")])
        said.append(sentences(caught)[0].replace(domain, "…"))
        with refused_as("administers", "unknown_domain") as caught:
            create_accounts(
                cast.rita, [AccountSpec(username="new", role=Role.DOMAIN_ADMIN, administers=(domain,))]
            )
        said.append(sentences(caught)[0].replace(domain, "…"))
    assert len(set(said)) == 1


def test_nobody_sends_from_a_domain_of_somebody_else(cast: Cast) -> None:
    update_domain(cast.root, cast.mallory_example, aliases=("mallory-too.example",))
    for address in ("ceo@mallory.example", "@mallory.example", "ceo@Mallory-Too.example"):
        with refused_as("sender_addresses", "domain_not_yours"):
            create_accounts(cast.dora, [simple("x@dora.example", sender_addresses=(address,))])
        with refused_as("sender_addresses", "domain_not_yours"):
            update_account(cast.dora, account_of(cast.sam), sender_addresses=(address,))
    # What a super admin allowed stays when the list is saved again.
    update_account(cast.root, account_of(cast.sam), sender_addresses=("ceo@mallory.example",))
    wanted = ("ceo@mallory.example", "@dora.example", "sam@outside.example")
    update_account(cast.dora, account_of(cast.sam), sender_addresses=wanted)
    assert set(SenderAddress.objects.values_list("address", flat=True)) == set(wanted)


def test_a_batch_does_not_ask_twice_for_one_name_or_address(cast: Cast) -> None:
    with refused(
        (0, "username", "repeated"),
        (1, "username", "repeated"),
        (2, "address", "repeated"),
    ):
        create_accounts(
            cast.root,
            [
                simple("new@dora.example"),
                AccountSpec(username="NEW@dora.example", role=Role.RESELLER),
                AccountSpec(
                    username="x", role=Role.RESELLER, mailbox=MailboxSpec(address="new@dora.example")
                ),
            ],
        )


def test_every_reason_of_a_batch_is_reported_at_once_and_nothing_is_created(cast: Cast) -> None:
    with refused(
        (1, "address", "unknown_domain"),
        (1, "first_name", "too_long"),
        (3, "password", "password_too_short"),
        (3, "password", "password_no_upper"),
        (3, "quota", "quota_out_of_range"),
    ):
        create_accounts(
            cast.root,
            [
                simple("good@dora.example", password=PASSWORD),
                simple("x@nowhere.example", first_name="n" * 151),
                simple("fine@dora.example"),
                simple("bad@dora.example", password="ab1", quota=-1),
            ],
        )


# --- create: what is stored -----------------------------------------------------------------------------------


def test_a_created_account_is_stored_published_and_recorded(cast: Cast) -> None:
    before, history = len(events()), len(versions())
    new = create_account(
        cast.dora,
        username=" New@DORA.example ",
        password=PASSWORD,
        first_name=" Nina ",
        last_name="Newman",
        language="fr",
        phone_number=" +33 1 ",
        secondary_email=" nina@out.example ",
        mailbox=MailboxSpec(
            address="new@dora.example",
            quota=50,
            sender_addresses=("Team@out.example", "@dora.example", "team@OUT.example", " "),
        ),
    )
    assert new.password is None
    account = User.objects.get(username="new@dora.example")
    assert (account.email, account.role, account.is_active) == ("new@dora.example", "SimpleUsers", True)
    assert (account.first_name, account.last_name, account.language) == ("Nina", "Newman", "fr")
    assert (account.phone_number, account.secondary_email) == ("+33 1", "nina@out.example")
    assert account.owner_id == cast.dora.pk
    assert verify_password(PASSWORD, account.password)
    box = Mailbox.objects.get(user=account)
    assert (box.address, box.domain_id, box.quota, box.use_domain_quota) == (
        "new",
        cast.dora_example.pk,
        50,
        False,
    )
    assert Quota.objects.filter(username="new@dora.example").values_list("bytes", "messages").get() == (0, 0)
    assert set(box.sender_addresses.values_list("address", flat=True)) == {
        "team@out.example",
        "@dora.example",
    }
    published = MailUser.objects.get(address="new@dora.example")
    assert (published.password, published.home, published.quota) == (account.password, "dora.example/new", 50)
    assert sends_from("new@dora.example") == {"new@dora.example", "team@out.example", "@dora.example"}
    assert {address for address, _login in who_sends("extra_logins")} == {"team@out.example", "@dora.example"}
    assert events()[before:] == [("account.create", "new@dora.example", [])]
    assert versions()[history:] == [
        ("account.create", "new@dora.example"),
        ("account.create", "new@dora.example"),
    ]
    assert not list(publication.drift())


def test_no_hash_reaches_the_history_or_the_log(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.sam), password="Another-Horse-8")
    hashed = account_of(cast.sam).password
    with connection.cursor() as cursor:
        for table in ("reversion_version", "core_log"):
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608  two literals
            assert hashed not in repr(cursor.fetchall())


def test_a_mailbox_without_a_quota_follows_its_domain(cast: Cast) -> None:
    create_accounts(cast.root, [simple("a@dora.example"), simple("b@dora.example", quota=0)])
    boxes = Mailbox.objects.filter(address__in=["a", "b"]).order_by("address")
    assert list(boxes.values_list("quota", "use_domain_quota")) == [(100, True), (0, False)]


def test_a_random_password_is_shown_once_works_and_passes_the_validators(cast: Cast) -> None:
    store("core", random_password_length=20)
    created = create_accounts(cast.dora, [simple(f"p{number}@dora.example") for number in range(3)])
    passwords = [each.password for each in created]
    assert len(set(passwords)) == 3
    for each in created:
        assert each.password is not None
        assert len(each.password) == 20
        assert verify_password(each.password, User.objects.get(pk=each.account.pk).password)


def test_drawing_passwords_for_a_batch_opens_no_further_connection(cast: Cast) -> None:
    forget()
    with statements() as run:
        create_accounts(cast.dora, [simple(f"p{number}@dora.example") for number in range(8)])
    assert len([sql for sql in run if "parameters_siteparameters" in sql]) == 1


def test_a_row_that_dovecot_wrote_before_us_is_kept(cast: Cast) -> None:
    Quota.objects.create(username="new@dora.example", bytes=7, messages=1)
    create_accounts(cast.dora, [simple("new@dora.example")])
    assert Quota.objects.get(username="new@dora.example").bytes == 7


def test_an_administrator_gets_the_domains_that_are_named(cast: Cast) -> None:
    create_domain(cast.root, name="bücher.example")
    account = create_account(
        cast.root,
        username="new",
        role=Role.DOMAIN_ADMIN,
        administers=("Dora.example", "dora.example", "bücher.example", ""),
    ).account
    assert set(account.administered_domains.values_list("name", flat=True)) == {
        "dora.example",
        "xn--bcher-kva.example",
    }
    assert not Mailbox.objects.filter(user=account).exists()
    assert not MailUser.objects.filter(address="").exists()


@override_settings(MODOBOA_UTF8_LOCAL_PARTS=True)
def test_a_local_part_in_another_script_is_accepted_where_the_setting_allows_it(cast: Cast) -> None:
    create_accounts(cast.dora, [simple("BJÖRN@dora.example")])
    assert MailUser.objects.get(address="björn@dora.example").home == "dora.example/björn"


# --- rank -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.SUPER_ADMIN, Role.RESELLER])
def test_a_domain_admin_does_not_reach_an_account_above_him_that_lives_in_his_domain(
    cast: Cast, role: Role
) -> None:
    above = account_of(person(cast, "boss@dora.example", role))
    with refused_as("", "gone"):
        update_account(cast.dora, above, password="Taken-Over-99")
    with refused_as("", "gone"):
        delete_accounts(cast.dora, [above])


def test_a_domain_admin_edits_another_one_in_his_domain_without_demoting_him(cast: Cast) -> None:
    beside = account_of(person(cast, "beside@dora.example", Role.DOMAIN_ADMIN, administers=("dora.example",)))
    update_account(cast.dora, beside, first_name="Bea")
    stored = Account.objects.get(pk=beside.pk)
    assert (stored.first_name, stored.role) == ("Bea", Role.DOMAIN_ADMIN)
    assert cast.dora_example.administrators.filter(pk=beside.pk).exists()


def test_nobody_acts_on_an_equal_who_also_looks_after_domains_of_others(cast: Cast) -> None:
    beside = account_of(
        person(cast, "beside@dora.example", Role.DOMAIN_ADMIN, administers=("mallory.example",))
    )
    with forbidden():
        update_account(cast.dora, beside, password="Taken-Over-99")
    with forbidden():
        delete_accounts(cast.dora, [account_of(cast.sam), beside])


def test_a_reseller_acts_on_domain_admins_but_not_on_resellers_with_domains_of_their_own(cast: Cast) -> None:
    beside = person(cast, "beside@reseller.example", Role.RESELLER)
    below = account_of(person(cast, "below@reseller.example", Role.DOMAIN_ADMIN))
    create_domain(beside, name="beside.example")
    with forbidden():
        update_account(cast.rita, account_of(beside), first_name="X")
    update_account(cast.rita, below, first_name="X")
    delete_accounts(cast.rita, [below])


def test_accounts_of_others_do_not_exist(cast: Cast) -> None:
    for actor in (cast.mallory, cast.rita):
        with refused_as("", "gone"):
            update_account(actor, account_of(cast.sam), first_name="X")
        with refused((0, "", "gone"), (1, "", "gone")):
            delete_accounts(actor, [account_of(cast.sam), account_of(cast.dora)])


# --- change: refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"password": "Ab1"}, "password", "password_too_short"),
        ({"password": ""}, "password", "password_empty"),
        ({"first_name": "n" * 151}, "first_name", "too_long"),
        ({"last_name": "a\nb"}, "last_name", "hidden_character"),
        ({"secondary_email": "nobody"}, "secondary_email", "invalid_email"),
        ({"language": "tlh"}, "language", "unknown_language"),
        ({"quota": -1}, "quota", "quota_out_of_range"),
        ({"quota": MAX_QUOTA_MB + 1}, "quota", "quota_out_of_range"),
        ({"sender_addresses": ("x",)}, "sender_addresses", "address_at_sign"),
        ({"administers": ("dora.example",)}, "administers", "administers_nothing"),
        ({"role": Role.SUPER_ADMIN}, "role", "role_not_yours"),
        ({"role": Role.DOMAIN_ADMIN}, "role", "role_not_yours"),
    ],
)
def test_a_wrong_change_of_an_account_is_refused(
    cast: Cast, values: dict[str, Any], field: str, code: str
) -> None:
    with refused_as(field, code):
        update_account(cast.dora, account_of(cast.sam), **values)


@pytest.mark.parametrize("values", [{"quota": 5}, {"quota": None}, {"sender_addresses": ()}])
def test_an_account_without_a_mailbox_has_nothing_of_a_mailbox(cast: Cast, values: dict[str, Any]) -> None:
    with refused_as(next(iter(values)), "no_mailbox"):
        update_account(cast.root, account_of(cast.rita), **values)


def test_an_account_that_does_not_sign_in_with_its_address_does_not_become_a_simple_user(cast: Cast) -> None:
    with refused_as("address", "mailbox_needed"):
        update_account(cast.root, account_of(cast.rita), role=Role.SIMPLE_USER)
    update_account(cast.root, account_of(cast.rita), address="rita@reseller.example")
    with refused_as("role", "name_is_not_address"):
        update_account(cast.root, account_of(cast.rita), role=Role.SIMPLE_USER)


def test_nobody_gives_himself_a_password_or_a_secondary_address_without_the_present_password(
    cast: Cast,
) -> None:
    for actor in (cast.root, cast.dora):
        with refused((0, "password", "not_yourself"), (0, "secondary_email", "not_yourself")):
            update_account(
                actor, account_of(actor), password="Another-Horse-8", secondary_email="x@out.example"
            )


def test_nobody_takes_a_login_under_a_domain_that_others_may_add_one_day(cast: Cast) -> None:
    login = AccountSpec(username="ceo@victim.example", role=Role.DOMAIN_ADMIN, password=PASSWORD)
    with refused_as("username", "unknown_domain"):
        create_accounts(cast.rita, [login])
    create_accounts(cast.root, [login])
    own = account_of(person(cast, "own@reseller.example", Role.DOMAIN_ADMIN, by=cast.rita))
    with refused_as("username", "unknown_domain"):
        update_account(cast.rita, own, username="boss@victim.example")


def test_a_reseller_does_not_demote_his_equal(cast: Cast) -> None:
    equal = account_of(person(cast, "equal@reseller.example", Role.RESELLER))
    with refused_as("role", "role_not_yours"):
        update_account(cast.rita, equal, role=Role.DOMAIN_ADMIN)


def test_a_password_given_by_somebody_else_ends_the_tokens_of_the_account(cast: Cast) -> None:
    ApiToken.objects.create(owner_id=cast.sam.pk, name="script", digest="x" * 64, scopes=[])
    update_account(cast.dora, account_of(cast.sam), password="Another-Horse-8")
    assert not ApiToken.objects.exists()


def test_administered_domains_must_exist_for_the_actor(cast: Cast) -> None:
    for name in ("mallory.example", "nowhere.example"):
        with refused_as("administers", "unknown_domain"):
            update_account(cast.dora, account_of(cast.dora), administers=(name, "dora.example"))


def test_an_account_that_is_gone_is_refused_and_the_others_keep_their_places(cast: Cast) -> None:
    gone = create_accounts(cast.dora, [simple("gone@dora.example")])[0].account
    delete_accounts(cast.dora, [gone])
    gone.pk = 10**6
    with refused((0, "", "gone"), (1, "quota", "quota_out_of_range")):
        update_accounts(
            cast.dora,
            [AccountChange(account=gone, quota=1), AccountChange(account=account_of(cast.sam), quota=-1)],
        )
    with refused_as("", "gone"):
        delete_accounts(cast.dora, [gone])


def test_nobody_disables_demotes_or_deletes_himself(cast: Cast) -> None:
    create_account(cast.root, username="deputy", role=Role.SUPER_ADMIN)
    for actor in (cast.root, cast.rita, cast.dora):
        with refused_as("is_active", "not_yourself"):
            update_account(actor, account_of(actor), is_active=False)
        with refused_as("", "not_yourself"):
            delete_accounts(actor, [account_of(actor)])
    with refused_as("role", "not_yourself"):
        update_account(cast.root, account_of(cast.root), role=Role.RESELLER)
    with refused_as("role", "not_yourself"):
        update_account(cast.dora, account_of(cast.dora), role=Role.SIMPLE_USER)


def test_a_super_admin_remains(cast: Cast) -> None:
    last = account_of(cast.root)
    with refused((0, "role", "not_yourself"), (0, "role", "last_super_admin")):
        update_account(cast.root, last, role=Role.RESELLER)
    with refused((0, "is_active", "not_yourself"), (0, "role", "last_super_admin")):
        update_account(cast.root, last, is_active=False)
    deputy = create_account(cast.root, username="deputy", role=Role.SUPER_ADMIN, is_active=False).account
    with refused((0, "is_active", "not_yourself"), (0, "role", "last_super_admin")):
        update_account(cast.root, last, is_active=False)
    update_account(cast.root, deputy, is_active=True)
    update_account(replace(cast.root, user=Account.objects.get(pk=deputy.pk)), last, role=Role.RESELLER)
    assert list(User.objects.super_admins().values_list("username", flat=True)) == ["deputy"]


def test_a_super_admin_whose_own_account_is_gone_does_not_delete_the_last_other_one(cast: Cast) -> None:
    deputy = create_account(cast.root, username="deputy", role=Role.SUPER_ADMIN).account
    ghost = replace(cast.root, user=Account.objects.get(pk=deputy.pk))
    delete_accounts(cast.root, [deputy])
    with refused_as("", "last_super_admin"):
        delete_accounts(ghost, [account_of(cast.root)])


# --- change: what is stored -----------------------------------------------------------------------------------


def test_a_changed_account_is_stored_published_and_recorded(cast: Cast) -> None:
    before, history = len(events()), len(versions())
    update_account(
        cast.dora,
        account_of(cast.sam),
        password="Another-Horse-8",
        first_name=" Samuel ",
        quota=33,
        sender_addresses=("Team@out.example",),
    )
    sam = account_of(cast.sam)
    assert verify_password("Another-Horse-8", sam.password)
    assert sam.first_name == "Samuel"
    published = MailUser.objects.get(address="sam@dora.example")
    assert (published.password, published.quota) == (sam.password, 33)
    assert ("team@out.example", "sam@dora.example") in who_sends()
    verb, name, changed = events()[-1]
    assert (verb, name, sorted(changed)) == (
        "account.update",
        "sam@dora.example",
        ["first_name", "password", "quota", "sender_addresses"],
    )
    assert len(events()) == before + 1
    assert len(versions()) == history + 2
    assert not list(publication.drift())


def test_a_change_that_changes_nothing_writes_nothing(cast: Cast) -> None:
    with nothing_written():
        update_account(
            cast.dora,
            account_of(cast.sam),
            role=Role.SIMPLE_USER,
            first_name=" ",
            is_active=True,
            quota=None,
            sender_addresses=(),
        )
        update_account(cast.root, account_of(cast.dora), administers=("dora.example",))


def test_the_list_of_sender_addresses_is_replaced(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), sender_addresses=("a@out.example", "b@out.example"))
    kept = SenderAddress.objects.get(address="b@out.example").pk
    update_account(cast.dora, account_of(cast.sam), sender_addresses=("b@out.example", "c@out.example"))
    assert dict(SenderAddress.objects.values_list("address", "pk"))["b@out.example"] == kept
    assert {address for address, _login in who_sends("extra_logins")} == {"b@out.example", "c@out.example"}


def test_a_disabled_account_neither_signs_in_nor_receives_nor_sends(cast: Cast) -> None:
    create_alias(cast.dora, address="team@dora.example", recipients=("sam@dora.example", "dora@dora.example"))
    create_alias(cast.dora, address="only@dora.example", recipients=("sam@dora.example",))
    create_alias(cast.dora, address="@dora.example", recipients=("dora@dora.example",))
    update_account(cast.dora, account_of(cast.sam), sender_addresses=("team@out.example",))
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    assert not MailUser.objects.filter(address="sam@dora.example").exists()
    assert not sends_from("sam@dora.example")
    assert ("sam@dora.example", "sam@dora.example") in routes(), "or the catch-all would take its mail"
    assert ("only@dora.example", "only@dora.example") in routes()
    assert ("team@dora.example", "sam@dora.example") not in routes()
    assert not list(publication.drift())


def test_who_loses_the_role_loses_the_domains(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.dora), role=Role.SIMPLE_USER)
    assert not Domain.administrators.through.objects.filter(user_id=cast.dora.pk).exists()


def test_who_loses_the_role_opens_no_other_mailbox_any_more(cast: Cast) -> None:
    master = person(cast, "master", Role.SUPER_ADMIN, mailbox=False)
    User.objects.filter(pk=master.pk).update(master_user=True)
    update_account(cast.root, account_of(master), role=Role.RESELLER)
    assert not User.objects.get(pk=master.pk).master_user


def test_the_list_of_administered_domains_is_replaced_and_recorded(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.dora), administers=("Mallory.example", "reseller.example"))
    domains = account_of(cast.dora).administered_domains.values_list("name", flat=True)
    assert set(domains) == {"mallory.example", "reseller.example"}
    assert events()[-1] == ("account.update", "dora@dora.example", ["administers"])
    update_account(cast.root, account_of(cast.dora), first_name="Dora")
    assert set(domains.all()) == {"mallory.example", "reseller.example"}, "not mentioned, not touched"


def test_a_reseller_does_not_touch_rights_in_domains_that_he_does_not_see(cast: Cast) -> None:
    below = person(cast, "below@reseller.example", Role.DOMAIN_ADMIN)
    update_account(cast.root, account_of(below), administers=("reseller.example", "mallory.example"))
    for change in ({"administers": ()}, {"password": "Another-Horse-8"}, {"role": Role.SIMPLE_USER}):
        with pytest.raises(PermissionDenied):
            update_account(cast.rita, account_of(below), **change)
    with pytest.raises(PermissionDenied):
        delete_accounts(cast.rita, [account_of(below)])
    assert account_of(below).administered_domains.count() == 2


# --- delete ---------------------------------------------------------------------------------------------------


def test_a_deleted_account_takes_everything_of_its_mailbox_along(cast: Cast) -> None:
    sam = account_of(cast.sam)
    update_account(cast.dora, sam, sender_addresses=("team@out.example",))
    create_alias(cast.dora, address="sam@dora.example", recipients=("sam@dora.example", "away@out.example"))
    both = create_alias(
        cast.root, address="both@mallory.example", recipients=("sam@dora.example", "x@out.example")
    )
    only = create_alias(cast.root, address="only@mallory.example", recipients=("sam+lists@dora.example",))
    chain = create_alias(cast.root, address="chain@dora.example", recipients=("only@mallory.example",))
    before, history = len(events()), len(versions())
    delete_accounts(cast.dora, [sam])
    assert not User.objects.filter(username="sam@dora.example").exists()
    assert not Mailbox.objects.filter(address="sam").exists()
    assert not Quota.objects.filter(username="sam@dora.example").exists()
    assert not SenderAddress.objects.exists()
    assert not Alias.objects.filter(address="sam@dora.example").exists(), "the forward"
    assert not Alias.objects.filter(pk__in=[only.pk, chain.pk]).exists(), "nobody is left to deliver to"
    assert [row.address for row in AliasRecipient.objects.filter(alias=both)] == ["x@out.example"]
    assert not MailUser.objects.filter(address="sam@dora.example").exists()
    assert not sends_from("sam@dora.example")
    assert routes() == {
        ("both@mallory.example", "x@out.example"),
        ("dora@dora.example", "dora@dora.example"),
        ("mallory@mallory.example", "mallory@mallory.example"),
    }
    assert {(verb, name) for verb, name, _changed in events()[before:]} == {
        ("account.delete", "sam@dora.example"),
        ("account.delete", "only@mallory.example"),
        ("account.delete", "chain@dora.example"),
        ("alias.update", "both@mallory.example"),
    }
    assert (
        Log.objects.get(verb="account.delete", kind="account").message
        == "Account 'sam@dora.example' deleted by 'dora@dora.example'"
    )
    assert len(versions()) == history
    assert not list(publication.drift())


def test_what_a_deleted_account_owned_passes_to_its_owner(cast: Cast) -> None:
    admin = person(cast, "admin@reseller.example", Role.DOMAIN_ADMIN, by=cast.rita)
    without_limits(admin)
    update_account(cast.rita, account_of(admin), administers=("reseller.example",))
    child = create_accounts(admin, [simple("child@reseller.example")])[0].account
    delete_accounts(cast.root, [account_of(admin)])
    assert User.objects.get(pk=child.pk).owner_id == cast.rita.pk
    delete_accounts(cast.root, [account_of(cast.rita)])
    assert User.objects.get(pk=child.pk).owner_id == cast.root.pk
    assert Domain.objects.get(name="reseller.example").owner_id == cast.root.pk


def test_what_an_account_owned_passes_to_the_actor_when_its_owner_is_deleted_too(cast: Cast) -> None:
    admin = person(cast, "admin@reseller.example", Role.DOMAIN_ADMIN, by=cast.rita)
    without_limits(admin)
    update_account(cast.rita, account_of(admin), administers=("reseller.example",))
    child = create_accounts(admin, [simple("child@reseller.example")])[0].account
    deputy = person(cast, "deputy", Role.SUPER_ADMIN, mailbox=False)
    delete_accounts(deputy, [account_of(admin), account_of(cast.rita)])
    assert User.objects.get(pk=child.pk).owner_id == deputy.pk
    assert Domain.objects.get(name="reseller.example").owner_id == cast.root.pk, "rita was created by root"
    delete_accounts(deputy, [account_of(cast.root)])
    assert Domain.objects.get(name="reseller.example").owner_id == deputy.pk


def test_the_event_log_outlives_the_actor(cast: Cast) -> None:
    deputy = person(cast, "deputy", Role.SUPER_ADMIN, mailbox=False)
    create_domain(deputy, name="new.example")
    delete_accounts(cast.root, [account_of(deputy)])
    event = Log.objects.get(object_name="new.example", verb="domain.create")
    assert (event.actor_id, event.actor_name) == (deputy.pk, "deputy")
    assert ("domain.create", "new.example") in versions()


# --- how many statements --------------------------------------------------------------------------------------


def test_creating_one_account_costs_at_most_25_statements(cast: Cast) -> None:
    for actor in (cast.root, cast.dora):
        forget()
        with statements() as run:
            create_accounts(actor, [simple(f"x{actor.pk}@dora.example", password=PASSWORD)])
        assert len(run) <= 25, "\n".join(run)


def _delete(cast: Cast, accounts: list[Account]) -> None:
    delete_accounts(cast.root, accounts)


def _change(cast: Cast, accounts: list[Account]) -> None:
    update_accounts(
        cast.root,
        [
            AccountChange(
                account=account,
                first_name="New",
                password=PASSWORD,
                is_active=False,
                quota=9,
                sender_addresses=(f"new{account.pk}@out.example",),
                role=Role.DOMAIN_ADMIN,
                administers=("dora.example", "mallory.example"),
            )
            for account in accounts
        ],
    )


def _take_rights(cast: Cast, accounts: list[Account]) -> None:
    update_accounts(
        cast.root,
        [
            AccountChange(account=each, administers=("mallory.example",), role=Role.RESELLER)
            for each in accounts
        ],
    )


def test_the_number_of_statements_does_not_depend_on_the_size_of_the_batch(cast: Cast) -> None:
    steps: list[Callable[[Cast, list[Account]], None]] = [_change, _take_rights, _delete]

    def life(prefix: str, size: int) -> list[int]:
        specs = [
            simple(f"{prefix}{number}@dora.example", sender_addresses=(f"{prefix}{number}@out.example",))
            for number in range(size)
        ]
        with statements() as create:
            accounts = [each.account for each in create_accounts(cast.root, specs)]
        counts = [len(create)]
        for number, account in enumerate(accounts):
            create_alias(
                cast.root, address=f"{prefix}-alias{number}@mallory.example", recipients=(account.username,)
            )
        for step in steps:
            with statements() as run:
                step(cast, accounts)
            counts.append(len(run))
        return counts

    life("warm", 1)
    assert life("few", 2) == life("many", 22)


# --- over the head and across the fence -------------------------------------------------------------------------


def test_a_right_to_an_account_ends_with_the_right_to_its_domain(cast: Cast) -> None:
    made = create_accounts(cast.dora, [simple("made@dora.example")])[0].account
    update_account(cast.root, account_of(cast.dora), administers=())
    assert not Account.objects.visible_to(cast.dora).filter(pk=made.pk).exists()
    with refused((0, "", "gone")):
        update_account(cast.dora, made, password="Another-Horse-8")


def test_nobody_signs_in_under_a_domain_of_others_beside_his_own_mailbox(cast: Cast) -> None:
    with refused((0, "username", "domain_not_yours")):
        create_accounts(
            cast.rita,
            [
                AccountSpec(
                    username="ceo@mallory.example",
                    role=Role.DOMAIN_ADMIN,
                    mailbox=MailboxSpec(address="x@reseller.example"),
                )
            ],
        )


def test_nobody_sends_as_somebody_above_him(cast: Cast) -> None:
    person(cast, "boss@dora.example", Role.SUPER_ADMIN)
    with refused((0, "sender_addresses", "above_you")):
        create_accounts(cast.dora, [simple("x@dora.example", sender_addresses=("boss@dora.example",))])
    with refused((0, "sender_addresses", "above_you")):
        update_account(cast.dora, account_of(cast.sam), sender_addresses=("boss@dora.example",))


def test_nobody_raises_his_own_quota_where_he_administers_nothing(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.dora), administers=("mallory.example",))
    with refused((0, "quota", "domain_not_yours")):
        update_account(cast.dora, account_of(cast.dora), quota=0)
    update_account(cast.dora, account_of(cast.dora), first_name="Dora", quota=None)


def test_too_many_lines_are_refused_before_any_work(cast: Cast) -> None:
    many = tuple(f"a{number}@out.example" for number in range(501))
    with refused((0, "sender_addresses", "too_many")):
        create_accounts(cast.dora, [simple("x@dora.example", sender_addresses=many)])
