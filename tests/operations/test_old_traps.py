"""What the old panel did wrong with people, domains, aliases, forwards and passwords, each by its behaviour.

====  ==========================================================================================================
trap  test
====  ==========================================================================================================
T1    test_a_forward_without_a_local_copy_delivers_nothing_locally
T2    test_a_renamed_mailbox_signs_in_and_receives_under_its_new_name
T3    test_a_renamed_domain_takes_logins_addresses_and_recipients_along
T4    test_a_removed_or_disabled_domain_alias_leaves_no_route
T5    test_a_domain_whose_name_continues_another_one_keeps_its_usage
T9    test_the_usage_of_a_renamed_mailbox_is_moved_and_not_counted_anew
T10   test_an_empty_current_password_changes_no_password
T11   test_a_domain_admin_gets_no_hold_of_somebody_above_who_lives_in_his_domain
T13   test_a_domain_admin_who_edits_another_one_does_not_demote_him
T14   test_every_administrator_of_a_domain_sees_every_alias_in_it
T16   test_a_forward_is_read_with_commas_spaces_and_lines
T18   test_names_and_addresses_are_stored_in_lower_case_whoever_writes_them
T24   test_nobody_sees_domains_or_accounts_of_others
T25   test_two_recipients_may_be_one_mailbox
T29   test_a_weak_password_is_refused_with_a_reason
T35   test_accounts_without_an_owner_or_with_themselves_as_owner_are_deleted_and_a_super_admin_remains
T38   test_a_simple_user_always_has_a_mailbox_and_signs_in_with_its_address
T44   test_a_hash_of_an_unknown_scheme_is_never_compared_as_text
====  ==========================================================================================================
"""

from __future__ import annotations

import pytest

from admin import publication
from admin.forms.forwards import ForwardForm, forward_values
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    MailDomain,
    MailRoute,
    MailSender,
    MailUser,
    Quota,
)
from admin.operations import (
    DomainAliasSpec,
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_domain,
    create_domain_aliases,
    delete_accounts,
    delete_domains,
    update_account,
    update_alias,
    update_domain,
)
from admin.operations.forwards import set_own_forward
from admin.queries.forwards import own_forward
from core.models import User
from core.operations.own_account import change_own_password
from core.passwords import verify_password
from core.refusals import Refusal
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import nothing_written, refused, refused_as, sentences
from tests.operations.people import account_of, person, simple
from tests.published import sends_from, targets_of

SAM = "sam@dora.example"


def routes(address: str) -> set[str]:
    """Where mail for the address goes; what is published is checked along with it."""
    assert not list(publication.drift())
    return targets_of(address)


def test_a_forward_without_a_local_copy_delivers_nothing_locally(cast: Cast) -> None:
    assert routes(SAM) == {SAM}
    set_own_forward(cast.sam, recipients=["x@out.example"], keep_copy=False)
    assert routes(SAM) == {"x@out.example"}
    set_own_forward(cast.sam, recipients=["x@out.example"], keep_copy=True)
    assert routes(SAM) == {"x@out.example", SAM}
    set_own_forward(cast.sam, recipients=[], keep_copy=False)
    assert routes(SAM) == {SAM}


def test_a_renamed_mailbox_signs_in_and_receives_under_its_new_name(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), address="samuel@dora.example")
    assert account_of(cast.sam).email == account_of(cast.sam).username == "samuel@dora.example"
    assert routes(SAM) == set()
    assert routes("samuel@dora.example") == {"samuel@dora.example"}
    assert not MailUser.objects.filter(address=SAM).exists()
    assert MailUser.objects.filter(address="samuel@dora.example").exists()
    assert sends_from("samuel@dora.example") == {"samuel@dora.example"}


def test_a_renamed_domain_takes_logins_addresses_and_recipients_along(cast: Cast) -> None:
    create_alias(cast.root, address="far@mallory.example", recipients=("sam+x@dora.example",))
    update_domain(cast.root, cast.dora_example, name="new.example")
    sam = account_of(cast.sam)
    assert (sam.username, sam.email) == ("sam@new.example", "sam@new.example")
    assert routes("far@mallory.example") == {"sam+x@new.example"}
    assert routes("sam@new.example") == {"sam@new.example"}
    for model, column in ((MailUser, "address"), (MailRoute, "address"), (MailRoute, "targets")):
        assert not model._default_manager.filter(**{f"{column}__contains": "@dora.example"}).exists()
    assert not MailDomain.objects.filter(name="dora.example").exists()


def test_a_removed_or_disabled_domain_alias_leaves_no_route(cast: Cast) -> None:
    create_domain_aliases(cast.root, [DomainAliasSpec(name="old.example", target="dora.example")])
    assert routes("@old.example") == {"@dora.example"}
    update_domain(cast.root, cast.dora_example, aliases=("new.example",))
    assert routes("@old.example") == set()
    assert routes("@new.example") == {"@dora.example"}
    create_domain_aliases(
        cast.root, [DomainAliasSpec(name="off.example", target="dora.example", enabled=False)]
    )
    assert routes("@off.example") == set()
    assert not MailDomain.objects.filter(name__in=["old.example", "off.example"]).exists()
    update_domain(cast.root, cast.dora_example, name="new.example")
    assert not DomainAlias.objects.filter(name="new.example").exists()
    assert routes("@new.example") == set()


@pytest.mark.parametrize("name", ["dora.example.br", "also-dora.example"])
@pytest.mark.parametrize("deleted", [True, False])
def test_a_domain_whose_name_continues_another_one_keeps_its_usage(
    cast: Cast,
    name: str,
    deleted: bool,  # noqa: FBT001  a parameter
) -> None:
    create_domain(cast.root, name=name)
    create_accounts(cast.root, [simple(f"sam@{name}", password=PASSWORD)])
    Quota.objects.filter(username=f"sam@{name}").update(bytes=77)
    if deleted:
        delete_domains(cast.root, [cast.dora_example])
    else:
        update_domain(cast.root, cast.dora_example, name="z.example")
    assert Quota.objects.get(username=f"sam@{name}").bytes == 77
    assert Account.objects.filter(username=f"sam@{name}", email=f"sam@{name}").exists()
    assert not Quota.objects.filter(username__endswith="@dora.example").exists()


@pytest.mark.parametrize("of", ["mailbox", "domain"])
def test_the_usage_of_a_renamed_mailbox_is_moved_and_not_counted_anew(cast: Cast, of: str) -> None:
    Quota.objects.filter(username=SAM).update(bytes=5_000, messages=7)
    Quota.objects.create(username="sam@new.example", bytes=1, messages=1)  # of somebody long ago
    if of == "mailbox":
        create_domain(cast.root, name="new.example")
        update_account(cast.root, account_of(cast.sam), address="sam@new.example")
    else:
        update_domain(cast.root, cast.dora_example, name="new.example")
    assert Quota.objects.values_list("bytes", "messages").get(username="sam@new.example") == (5_000, 7)
    assert not Quota.objects.filter(username=SAM).exists()


@pytest.mark.parametrize("typed", ["", " ", "Wrong-Horse-7"])
def test_an_empty_current_password_changes_no_password(cast: Cast, typed: str) -> None:
    with refused_as("current_password", "wrong_password"):
        change_own_password(cast.sam, current_password=typed, password="Another-Horse-8")


@pytest.mark.parametrize("role", [Role.RESELLER, Role.SUPER_ADMIN])
@pytest.mark.parametrize("promoted_later", [True, False])
def test_a_domain_admin_gets_no_hold_of_somebody_above_who_lives_in_his_domain(
    cast: Cast,
    role: Role,
    promoted_later: bool,  # noqa: FBT001  a parameter
) -> None:
    if promoted_later:
        boss = account_of(person(cast, "boss@dora.example", by=cast.dora))
        update_account(cast.root, boss, role=role)
    else:
        boss = account_of(person(cast, "boss@dora.example", role))
    assert not Account.objects.visible_to(cast.dora).filter(pk=boss.pk).exists()
    with refused_as("", "gone"):
        update_account(cast.dora, boss, password="Taken-Over-99")
    with refused_as("address", "above_you"):
        create_alias(cast.dora, address="boss@dora.example", recipients=("spy@out.example",))


def test_a_domain_admin_who_edits_another_one_does_not_demote_him(cast: Cast) -> None:
    beside = person(cast, "beside@dora.example", Role.DOMAIN_ADMIN, administers=("dora.example",))
    update_account(cast.dora, account_of(beside), first_name="Bea", quota=7, aliases=("b@dora.example",))
    assert account_of(beside).role == Role.DOMAIN_ADMIN
    assert cast.dora_example.administrators.filter(pk=beside.pk).exists()


@pytest.mark.parametrize("maker", ["root", "dora", "beside"])
def test_every_administrator_of_a_domain_sees_every_alias_in_it(cast: Cast, maker: str) -> None:
    beside = person(cast, "beside@dora.example", Role.DOMAIN_ADMIN, administers=("dora.example",))
    actors = {"root": cast.root, "dora": cast.dora, "beside": beside}
    alias = create_alias(actors[maker], address="info@dora.example", recipients=("x@out.example",))
    for actor in actors.values():
        assert list(Alias.objects.visible_to(actor)) == [alias]
        update_alias(actor, alias, description=f"by {actor}")
    for stranger in (cast.rita, cast.mallory, cast.sam):
        assert not Alias.objects.visible_to(stranger).exists()


@pytest.mark.parametrize(
    "typed", ["a@x.example,b@x.example", "a@x.example b@x.example", "a@x.example\r\nb@x.example"]
)
def test_a_forward_is_read_with_commas_spaces_and_lines(cast: Cast, typed: str) -> None:
    present = own_forward(cast.sam.user)
    given = {"recipients": typed, "keep_copy": "on"}
    form = ForwardForm(given, initial=forward_values(present), edited=present.edited)
    assert form.is_valid(), form.errors
    set_own_forward(cast.sam, **form.values())
    assert routes(SAM) == {"a@x.example", "b@x.example", SAM}


def test_names_and_addresses_are_stored_in_lower_case_whoever_writes_them(cast: Cast) -> None:
    domain = create_domain(cast.root, name="UPPER.Example", aliases=("Other.EXAMPLE",))
    new = create_account(
        cast.root,
        username="Who@Upper.example",
        password=PASSWORD,
        mailbox=MailboxSpec(address="WHO@upper.Example", sender_addresses=("Team@OUT.example",)),
        aliases=("INFO@Upper.Example",),
    ).account
    update_account(cast.root, new, address="WhoElse@UPPER.example")
    create_alias(cast.root, address="All@UPPER.example", recipients=("WhoElse+Tag@OTHER.example",))
    update_domain(cast.root, domain, name="Lower.EXAMPLE")
    stored = [
        *Domain.objects.values_list("name", flat=True),
        *DomainAlias.objects.values_list("name", flat=True),
    ]
    stored += User.objects.values_list("username", flat=True)
    stored += User.objects.values_list("email", flat=True)
    stored += Alias.objects.values_list("address", flat=True)
    stored += AliasRecipient.objects.values_list("address", flat=True)
    stored += MailSender.objects.values_list("address", flat=True)
    assert [text for text in stored if text != text.lower()] == []
    assert routes("all@lower.example") == {"whoelse+tag@lower.example"}


def test_nobody_sees_domains_or_accounts_of_others(cast: Cast) -> None:
    seen = {
        name: (
            set(Domain.objects.visible_to(actor).values_list("name", flat=True)),
            set(Account.objects.visible_to(actor).values_list("username", flat=True)),
        )
        for name, actor in cast.everybody.items()
        if name != "root"
    }
    assert seen == {
        "rita": ({"reseller.example"}, {"rita"}),
        "dora": ({"dora.example"}, {"dora@dora.example", SAM}),
        "sam": (set(), {SAM}),
        "mallory": ({"mallory.example"}, {"mallory@mallory.example"}),
    }


def test_two_recipients_may_be_one_mailbox(cast: Cast) -> None:
    create_alias(cast.dora, address="info@dora.example", recipients=(SAM, "sam+info@dora.example"))
    assert routes("info@dora.example") == {SAM, "sam+info@dora.example"}
    update_account(cast.dora, account_of(cast.sam), address="samuel@dora.example")
    assert routes("info@dora.example") == {"samuel@dora.example", "samuel+info@dora.example"}
    delete_accounts(cast.dora, [account_of(cast.sam)])
    assert not Alias.objects.filter(address="info@dora.example").exists()


@pytest.mark.parametrize(
    ("password", "code"),
    [("Ab1", "password_too_short"), ("", "password_empty"), ("12345678901", "password_entirely_numeric")],
)
def test_a_weak_password_is_refused_with_a_reason(cast: Cast, password: str, code: str) -> None:
    for work in (
        lambda: create_accounts(cast.dora, [simple("new@dora.example", password=password)]),
        lambda: update_account(cast.dora, account_of(cast.sam), password=password),
    ):
        with nothing_written(), pytest.raises(Refusal) as caught:
            work()
        assert code in {each for _position, _field, each in caught.value.codes}
        assert {field for _position, field, _code in caught.value.codes} == {"password"}
        assert all(sentences(caught))


def test_accounts_without_an_owner_or_with_themselves_as_owner_are_deleted_and_a_super_admin_remains(
    cast: Cast,
) -> None:
    boss = person(cast, "boss", Role.SUPER_ADMIN, mailbox=False)
    rex = person(cast, "rex", Role.RESELLER, mailbox=False)
    create_domain(rex, name="rex.example")
    for pk, owner in ((cast.root.pk, None), (rex.pk, rex.pk), (cast.sam.pk, None)):
        User.objects.filter(pk=pk).update(owner=owner)
    delete_accounts(boss, [account_of(actor) for actor in (cast.root, rex, cast.sam)])
    assert set(Domain.objects.filter(owner=boss.pk).values_list("name", flat=True)) == {
        "dora.example",
        "mallory.example",
        "rex.example",
    }
    assert list(User.objects.super_admins()) == [User.objects.get(pk=boss.pk)]
    with refused((0, "", "not_yourself"), (0, "", "last_super_admin")):
        delete_accounts(boss, [account_of(boss)])


def test_a_simple_user_always_has_a_mailbox_and_signs_in_with_its_address(cast: Cast) -> None:
    with refused_as("address", "mailbox_needed"):
        create_account(cast.dora, username="new@dora.example", password=PASSWORD)
    with refused_as("username", "name_is_not_address"):
        create_account(
            cast.dora, username="other", password=PASSWORD, mailbox=MailboxSpec(address="new@dora.example")
        )
    with refused_as("address", "mailbox_stays"):
        update_account(cast.dora, account_of(cast.sam), address="")
    with refused_as("username", "name_is_not_address"):
        update_account(cast.dora, account_of(cast.sam), username="sam")
    with refused_as("address", "mailbox_needed"):
        update_account(cast.root, account_of(cast.rita), role=Role.SIMPLE_USER)
    update_account(cast.dora, account_of(cast.sam), address="samuel@dora.example")
    assert account_of(cast.sam).username == "samuel@dora.example"


@pytest.mark.parametrize("stored", ["{FOO}secret", "{FOO}", "secret", "{PLAIN-MD4}secret", ""])
def test_a_hash_of_an_unknown_scheme_is_never_compared_as_text(cast: Cast, stored: str) -> None:
    User.objects.filter(pk=cast.sam.pk).update(password=stored)
    for typed in ("secret", stored, stored.partition("}")[2]):
        assert not verify_password(typed, stored)
        assert not account_of(cast.sam).check_password(typed)
