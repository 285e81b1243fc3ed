"""A domain on its first day: with an administrator, his mailbox and the postmaster, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from admin import publication
from admin.models import Account, Alias, AliasRecipient, Domain, Mailbox, MailUser
from admin.operations import DomainSetup, FirstAdministrator, NewDomain, create_alias, set_up_domains
from admin.operations.domains import DomainSpec
from core.actor import Actor
from core.passwords import verify_password
from core.roles import Role
from parameters.operations import update_parameters
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import events, forbidden, refused, refused_as, sentences, statements
from tests.operations.people import person
from tests.servers.dns import DnsServer, Zone

HERE, ELSEWHERE = "192.0.2.10", "198.51.100.7"
ZONE: Zone = {
    "here.example": {"MX": ["10 mx.here.example."]},
    "mx.here.example": {"A": [HERE]},
    "away.example": {"A": [ELSEWHERE]},
}


def set_up(actor: Actor, name: str = "new.example", **values: object) -> NewDomain:
    """One domain with an administrator; *values* are the fields of FirstAdministrator."""
    first = FirstAdministrator(**values)  # type: ignore[arg-type]  # each test knows what it gives
    return set_up_domains(actor, [DomainSetup(domain=DomainSpec(name=name), administrator=first)])[0]


def recipients(address: str) -> list[str]:
    return list(AliasRecipient.objects.filter(alias__address=address).values_list("address", flat=True))


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dora", "sam", "mallory"])
def test_only_resellers_and_super_admins_set_domains_up(cast: Cast, who: str) -> None:
    with forbidden():
        set_up(cast.everybody[who])
    with forbidden():
        set_up_domains(cast.everybody[who], [DomainSetup(domain=DomainSpec(name="new.example"))])


@pytest.mark.parametrize("who", ["root", "rita"])
def test_a_disabled_actor_sets_nothing_up(cast: Cast, who: str) -> None:
    actor = cast.everybody[who]
    actor.user.is_active = False
    with forbidden():
        set_up(actor)


@pytest.mark.any_engine
@pytest.mark.parametrize("with_mailbox", [True, False])
@pytest.mark.parametrize("who", ["root", "rita"])
@pytest.mark.parametrize(
    ("local_part", "code"),
    [
        ("", "local_part_empty"),
        ("a b", "local_part_character"),
        ("x@y", "address_at_sign"),
        ("-rf", "local_part_start"),
        ("a..b", "local_part_dot"),
        ("a" * 65, "local_part_too_long"),
    ],
)
def test_a_local_part_that_cannot_be_one_is_refused_once_beside_the_administrator(
    cast: Cast,
    local_part: str,
    code: str,
    who: str,
    with_mailbox: bool,  # noqa: FBT001  a parameter
) -> None:
    with refused_as("administrator", code):
        set_up(cast.everybody[who], local_part=local_part, with_mailbox=with_mailbox)


@pytest.mark.parametrize("who", ["root", "rita"])
def test_a_weak_password_is_refused_beside_its_field(cast: Cast, who: str) -> None:
    with refused_as("administrator_password", "password_too_short") as caught:
        set_up(cast.everybody[who], password="Ab1")
    assert "8" in sentences(caught)[0], "with the words of the validator"
    with refused_as("administrator_password", "password_empty"):
        set_up(cast.everybody[who], password="")


@pytest.mark.parametrize("who", ["root", "rita"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("dora.example", "name_taken"),
        ("no domain", "domain_character"),
        ("", "domain_empty"),
        ("nodots", "domain_one_label"),
    ],
)
def test_a_wrong_domain_is_refused_with_all_that_comes_with_it(
    cast: Cast, who: str, name: str, code: str
) -> None:
    with refused_as("name", code):
        set_up(cast.everybody[who], name)


@override_settings(MODOBOA_RESERVED_DOMAINS=("mail.host.example",))
@pytest.mark.parametrize("name", ["gmail.com", "co.uk", "mail.host.example", "host.example"])
def test_reserved_names_are_for_super_admins(cast: Cast, name: str) -> None:
    with refused_as("name", "reserved_name"):
        set_up(cast.rita, name)
    assert set_up(cast.root, name).domain.name == name


def test_a_name_that_somebody_signs_in_with_is_refused(cast: Cast) -> None:
    person(cast, "admin@new.example", Role.DOMAIN_ADMIN, mailbox=False)
    with refused((0, "administrator", "address_taken")):
        set_up(cast.root)
    with refused_as("administrator", "name_taken"):
        set_up(cast.root, with_mailbox=False)


def test_quotas_are_checked_as_for_any_domain(cast: Cast) -> None:
    spec = DomainSpec(name="new.example", quota=5, default_mailbox_quota=6)
    with refused_as("default_mailbox_quota", "default_quota_too_big"):
        set_up_domains(cast.root, [DomainSetup(domain=spec, administrator=FirstAdministrator())])


def test_one_wrong_part_of_a_batch_stops_all_of_it_at_its_place(cast: Cast) -> None:
    with refused(
        (2, "administrator", "local_part_character"), (3, "administrator_password", "password_too_short")
    ):
        set_up_domains(
            cast.root,
            [
                DomainSetup(domain=DomainSpec(name="one.example")),
                DomainSetup(domain=DomainSpec(name="two.example"), administrator=FirstAdministrator()),
                DomainSetup(
                    domain=DomainSpec(name="three.example"),
                    administrator=FirstAdministrator(local_part="a b"),
                ),
                DomainSetup(
                    domain=DomainSpec(name="four.example"), administrator=FirstAdministrator(password="Ab1")
                ),
            ],
        )


# --- authorized MX ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[DnsServer]:
    with DnsServer(ZONE) as server:
        yield server


def test_a_reseller_sets_up_only_domains_whose_mail_comes_here(cast: Cast, server: DnsServer) -> None:
    values = {"enable_mx_checks": True, "domains_must_have_authorized_mx": True, "valid_mxs": HERE}
    update_parameters(cast.root, {"admin": values})
    with override_settings(MODOBOA_DNS_SERVERS=[server.endpoint]):
        for name, code in (("away.example", "mx_not_authorized"), ("nobody.example", "mx_missing")):
            with refused_as("name", code):
                set_up(cast.rita, name)
        with refused((0, "aliases", "mx_not_authorized")):
            setup = DomainSetup(domain=DomainSpec(name="here.example", aliases=("away.example",)))
            set_up_domains(cast.rita, [setup])
        assert set_up(cast.rita, "here.example").domain.owner_id == cast.rita.pk
        server.asked.clear()
        assert set_up(cast.root, "away.example").domain.owner_id == cast.root.pk
        assert server.asked == []


# --- what is there then ----------------------------------------------------------------------------------------


def test_a_domain_alone_has_no_administrator(cast: Cast) -> None:
    new = set_up_domains(cast.rita, [DomainSetup(domain=DomainSpec(name="new.example"))])[0]
    assert (new.domain.name, new.administrator, new.password) == ("new.example", None, None)
    assert not Mailbox.objects.filter(domain=new.domain).exists()
    assert not Alias.objects.filter(domain=new.domain).exists()


@pytest.mark.parametrize("who", ["root", "rita"])
def test_an_administrator_gets_a_random_password_a_mailbox_and_the_postmasters_mail(
    cast: Cast, who: str
) -> None:
    new = set_up(cast.everybody[who], "Bücher.example")
    assert new.administrator is not None
    assert new.password is not None
    account = Account.objects.get(pk=new.administrator.pk)
    address = "admin@xn--bcher-kva.example"
    assert (account.username, account.email, account.role) == (address, address, Role.DOMAIN_ADMIN)
    assert verify_password(new.password, account.password)
    assert account.owner_id == cast.everybody[who].pk
    assert list(account.administered_domains.all()) == [new.domain]
    assert recipients("postmaster@xn--bcher-kva.example") == [address]
    assert MailUser.objects.filter(address=address).exists()
    assert [event[0] for event in events()[-3:]] == ["domain.create", "account.create", "alias.create"]
    assert not list(publication.drift())


def test_a_typed_password_is_not_shown_again(cast: Cast) -> None:
    new = set_up(cast.rita, password=PASSWORD)
    assert new.administrator is not None
    assert new.password is None
    assert verify_password(PASSWORD, new.administrator.password)


def test_without_a_mailbox_there_is_an_account_and_no_postmaster(cast: Cast) -> None:
    new = set_up(cast.rita, with_mailbox=False)
    assert new.administrator is not None
    assert (new.administrator.username, new.administrator.email) == ("admin@new.example", "")
    assert not Mailbox.objects.filter(domain=new.domain).exists()
    assert not Alias.objects.filter(domain=new.domain).exists()
    assert list(new.administrator.administered_domains.all()) == [new.domain]
    assert not list(publication.drift())


def test_the_postmaster_can_be_left_out(cast: Cast) -> None:
    new = set_up(cast.rita, with_postmaster=False)
    assert not Alias.objects.filter(domain=new.domain).exists()


@pytest.mark.parametrize("local_part", ["postmaster", "PostMaster", " postmaster", "postmaster "])
def test_an_administrator_called_postmaster_needs_no_alias(cast: Cast, local_part: str) -> None:
    new = set_up(cast.rita, local_part=local_part)
    assert new.administrator is not None
    assert new.administrator.email == "postmaster@new.example"
    assert not Alias.objects.filter(domain=new.domain).exists()
    assert not list(publication.drift())


def test_the_administrator_sees_this_domain_only(cast: Cast) -> None:
    new = set_up(cast.rita)
    assert new.administrator is not None
    actor = Actor(new.administrator, cast.rita.credential)
    assert list(Domain.objects.visible_to(actor)) == [new.domain]
    assert not Account.objects.visible_to(actor).filter(pk=cast.rita.pk).exists()


def test_a_recipient_that_waited_for_the_administrator_is_linked(cast: Cast) -> None:

    create_alias(
        cast.dora, address="boss@dora.example", recipients=("admin@new.example", "postmaster@new.example")
    )
    new = set_up(cast.root)
    assert new.administrator is not None
    rows = AliasRecipient.objects.filter(alias__address="boss@dora.example")
    assert set(rows.values_list("mailbox__user__email", "target_alias__address")) == {
        ("admin@new.example", None),
        (None, "postmaster@new.example"),
    }
    assert not list(publication.drift())


def test_many_domains_cost_as_many_statements_as_few(cast: Cast) -> None:
    def cost(prefix: str, size: int) -> int:
        with statements() as run:
            set_up_domains(
                cast.rita,
                [
                    DomainSetup(
                        domain=DomainSpec(name=f"{prefix}{n}.example"),
                        administrator=FirstAdministrator(password=PASSWORD),
                    )
                    for n in range(size)
                ],
            )
        return len(run)

    cost("warm", 1)
    assert cost("few", 2) == cost("many", 12)
