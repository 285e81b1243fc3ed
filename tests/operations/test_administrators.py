"""Who looks after a domain: appointing and withdrawing."""

from __future__ import annotations

import pytest

from admin.models import Account, Domain
from admin.operations import (
    Appointment,
    add_administrators,
    create_domain,
    delete_domains,
    remove_administrators,
    update_account,
)
from core.actor import Actor
from core.refusals import Refusal
from core.roles import Role
from tests.cast import Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused,
    refused_as,
    sentences,
    statements,
)
from tests.operations.people import account_of, person

OPERATIONS = [add_administrators, remove_administrators]


def administrators(domain: Domain) -> set[str]:
    return set(domain.administrators.values_list("username", flat=True))


def helper(cast: Cast, by: Actor | None = None) -> Actor:
    """A domain admin in the reseller's domain who looks after nothing yet."""
    return person(cast, "help@reseller.example", Role.DOMAIN_ADMIN, by=by or cast.rita)


# --- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dora", "sam", "mallory"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_only_resellers_and_super_admins_say_who_looks_after_a_domain(
    cast: Cast, operation: object, who: str
) -> None:
    assert callable(operation)
    with forbidden():
        operation(cast.everybody[who], [Appointment(cast.dora_example, "dora@dora.example")])


@pytest.mark.parametrize("who", ["root", "rita"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_disabled_actor_changes_nothing(cast: Cast, operation: object, who: str) -> None:
    assert callable(operation)
    actor = cast.everybody[who]
    actor.user.is_active = False
    with forbidden():
        operation(actor, [Appointment(cast.reseller_example, "rita")])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_domain_that_is_gone_or_foreign_is_gone(cast: Cast, operation: object) -> None:
    assert callable(operation)
    helper(cast)
    gone = create_domain(cast.rita, name="gone.example")
    delete_domains(cast.rita, [gone])
    with refused((0, "", "gone"), (1, "", "gone")):
        operation(
            cast.rita,
            [
                Appointment(cast.dora_example, "help@reseller.example"),
                Appointment(gone, "help@reseller.example"),
            ],
        )
    with refused((1, "", "gone")):
        operation(
            cast.root,
            [Appointment(cast.dora_example, "dora@dora.example"), Appointment(gone, "help@reseller.example")],
        )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_accounts_of_others_and_accounts_that_never_were_are_unknown_in_the_same_words(
    cast: Cast, operation: object
) -> None:
    assert callable(operation)
    told = set()
    for name in ("mallory@mallory.example", "nobody@mallory.example", "root", "no name"):
        with refused_as("username", "unknown_account") as caught:
            operation(cast.rita, [Appointment(cast.reseller_example, name)])
        told.add(sentences(caught)[0].replace(name, "…"))
    assert len(told) == 1
    with refused_as("username", "unknown_account"):
        operation(cast.root, [Appointment(cast.reseller_example, "nobody")])


def test_only_domain_admins_and_resellers_are_appointed(cast: Cast) -> None:
    for name in ("root", "sam@dora.example"):
        with refused_as("username", "administers_nothing") as caught:
            add_administrators(cast.root, [Appointment(cast.dora_example, name)])
        assert name in sentences(caught)[0]


def test_a_reseller_does_not_act_on_who_also_looks_after_domains_of_others(cast: Cast) -> None:
    beside = helper(cast)
    add_administrators(cast.root, [Appointment(cast.mallory_example, beside.user.username)])
    for operation in OPERATIONS:
        with refused_as("username", "unknown_account"):
            operation(cast.rita, [Appointment(cast.reseller_example, beside.user.username)])


def test_every_reason_of_a_batch_is_reported_and_nothing_is_written(cast: Cast) -> None:
    with refused((0, "username", "unknown_account"), (1, "username", "administers_nothing")):
        add_administrators(
            cast.root,
            [
                Appointment(cast.dora_example, "nobody"),
                Appointment(cast.dora_example, "sam@dora.example"),
                Appointment(cast.dora_example, "rita"),
            ],
        )


# --- what happens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["root", "rita"])
def test_who_is_appointed_sees_the_domain_and_all_that_is_in_it(cast: Cast, who: str) -> None:
    new = helper(cast)
    person(cast, "below@reseller.example")
    now = Actor(account_of(new), new.credential)
    assert not Domain.objects.visible_to(now).exists()
    add_administrators(cast.everybody[who], [Appointment(cast.reseller_example, " Help@Reseller.Example ")])
    assert administrators(cast.reseller_example) == {"help@reseller.example"}
    assert Domain.objects.visible_to(now).get() == cast.reseller_example
    assert Account.objects.visible_to(now).filter(username="below@reseller.example").exists()
    assert events()[-2:] == [
        ("domain.update", "reseller.example", ["administrators"]),
        ("domain.update", "help@reseller.example", ["administers"]),
    ]
    remove_administrators(cast.everybody[who], [Appointment(cast.reseller_example, "help@reseller.example")])
    assert administrators(cast.reseller_example) == set()
    assert not Domain.objects.visible_to(now).exists()
    assert events()[-2:] == [
        ("domain.update", "reseller.example", ["administrators"]),
        ("domain.update", "help@reseller.example", ["administers"]),
    ]


def test_who_looks_after_it_already_goes_on_and_who_does_not_loses_nothing(cast: Cast) -> None:
    appointment = Appointment(cast.dora_example, "dora@dora.example")
    with nothing_written():
        add_administrators(cast.root, [appointment, appointment])
    with nothing_written():
        remove_administrators(cast.root, [Appointment(cast.dora_example, "rita")])
    assert administrators(cast.dora_example) == {"dora@dora.example"}


def test_one_appointment_twice_is_one(cast: Cast) -> None:
    new = helper(cast)
    appointment = Appointment(cast.reseller_example, new.user.username)
    add_administrators(cast.rita, [appointment, appointment])
    assert administrators(cast.reseller_example) == {new.user.username}
    remove_administrators(cast.rita, [appointment, appointment])
    assert administrators(cast.reseller_example) == set()


def test_the_owner_of_a_domain_stays_its_owner(cast: Cast) -> None:
    add_administrators(cast.root, [Appointment(cast.reseller_example, "rita")])
    remove_administrators(cast.rita, [Appointment(cast.reseller_example, "rita")])
    assert Domain.objects.visible_to(cast.rita).get().owner_id == cast.rita.pk


def test_pairs_are_not_mixed_up(cast: Cast) -> None:
    new = helper(cast)
    second = create_domain(cast.rita, name="second.example")
    both = [Appointment(domain, new.user.username) for domain in (cast.reseller_example, second)]
    add_administrators(cast.root, [*both, Appointment(second, "dora@dora.example")])
    remove_administrators(
        cast.root,
        [Appointment(second, new.user.username), Appointment(cast.reseller_example, "dora@dora.example")],
    )
    assert administrators(cast.reseller_example) == {new.user.username}
    assert administrators(second) == {"dora@dora.example"}


def test_a_domain_admin_who_lost_a_domain_changes_nothing_in_it(cast: Cast) -> None:
    remove_administrators(cast.root, [Appointment(cast.dora_example, "dora@dora.example")])
    with refused_as("", "gone"):
        update_account(cast.dora, account_of(cast.sam), first_name="X")


def test_the_number_of_statements_does_not_depend_on_the_size_of_the_batch(cast: Cast) -> None:
    def cost(prefix: str, size: int) -> list[int]:
        domains = [create_domain(cast.rita, name=f"{prefix}{n}.example") for n in range(size)]
        names = [
            person(cast, f"{prefix}{n}@reseller.example", Role.DOMAIN_ADMIN, by=cast.rita).user.username
            for n in range(size)
        ]
        batch = [Appointment(domain, name) for domain, name in zip(domains, names, strict=True)]
        counts = []
        for operation in OPERATIONS:
            with statements() as run:
                operation(cast.rita, batch)
            counts.append(len(run))
        return counts

    cost("warm", 1)
    assert cost("few", 2) == cost("many", 12)


def test_a_refusal_names_its_place_in_the_batch(cast: Cast) -> None:
    new = helper(cast)
    with pytest.raises(Refusal) as caught:
        add_administrators(
            cast.rita,
            [
                Appointment(cast.reseller_example, new.user.username),
                Appointment(cast.reseller_example, "nobody"),
            ],
        )
    assert caught.value.codes == [(1, "username", "unknown_account")]
    assert administrators(cast.reseller_example) == set()
