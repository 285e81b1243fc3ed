"""Aliases, catch-alls and forwards: every refusal, then what is stored."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from admin import publication
from admin.models import Account, Alias, AliasRecipient, MailRoute, MailSender
from admin.operations import (
    AccountSpec,
    AliasChange,
    AliasSpec,
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_aliases,
    create_domain,
    delete_accounts,
    delete_aliases,
    random_alias_address,
    update_account,
    update_alias,
    update_aliases,
    update_domain,
)
from core.models import Log
from core.roles import Role
from relaydomains.operations import RelaySpec, start_relaying
from tests.cast import Cast
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
from tests.operations.people import account_of, person
from tests.published import targets_of

OUT = ("x@out.example",)
SAM = ("sam@dora.example",)


def routes(address: str) -> set[str]:
    return targets_of(address)


def recipients(alias: Alias) -> set[str]:
    return set(AliasRecipient.objects.filter(alias=alias).values_list("address", flat=True))


# --- who ------------------------------------------------------------------------------------------------------


def test_a_simple_user_changes_no_alias(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=SAM)
    with forbidden():
        create_alias(cast.sam, address="new@dora.example", recipients=SAM)
    with forbidden():
        update_alias(cast.sam, alias, enabled=False)
    with forbidden():
        delete_aliases(cast.sam, [alias])


def test_a_disabled_actor_may_do_nothing(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=SAM)
    update_account(cast.root, Account.objects.get(pk=cast.dora.pk), is_active=False)
    dora = replace(cast.dora, user=Account.objects.get(pk=cast.dora.pk))
    with forbidden():
        create_alias(dora, address="new@dora.example", recipients=SAM)
    with forbidden():
        update_alias(dora, alias, enabled=False)
    with forbidden():
        delete_aliases(dora, [alias])


def test_aliases_of_others_do_not_exist(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=SAM)
    for actor in (cast.mallory, cast.rita):
        with refused_as("", "gone"):
            update_alias(actor, alias, enabled=False)
        with refused_as("", "gone"):
            delete_aliases(actor, [alias])


def test_a_foreign_domain_and_one_that_does_not_exist_are_refused_in_the_same_words(cast: Cast) -> None:
    said = []
    for domain in ("dora.example", "nowhere.example"):
        with refused_as("address", "unknown_domain") as caught:
            create_alias(cast.mallory, address=f"info@{domain}", recipients=OUT)
        said.append(sentences(caught)[0].replace(domain, "…"))
    assert said[0] == said[1]


# --- create: refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"address": "dora.example"}, "address", "address_at_sign"),
        ({"address": "a..b@dora.example"}, "address", "local_part_dot"),
        ({"address": "a/b@dora.example"}, "address", "local_part_character"),
        ({"address": "@nowhere.example"}, "address", "unknown_domain"),
        ({"address": "taken@dora.example"}, "address", "address_taken"),
        ({"address": "TAKEN@Dora.example"}, "address", "address_taken"),
        ({"recipients": ()}, "recipients", "no_recipient"),
        ({"recipients": (" ", "")}, "recipients", "no_recipient"),
        ({"recipients": ("nobody",)}, "recipients", "address_at_sign"),
        ({"recipients": ("a b@out.example",)}, "recipients", "local_part_character"),
        ({"recipients": ("|/bin/sh@out.example",)}, "recipients", "local_part_character"),
        ({"recipients": ("@out.example",)}, "recipients", "local_part_empty"),
        ({"recipients": ("nobody@dora.example",)}, "recipients", "unknown_recipient"),
        ({"recipients": ("nobody+x@mallory.example",)}, "recipients", "unknown_recipient"),
        ({"recipients": ("new@dora.example",)}, "recipients", "points_to_itself"),
        ({"recipients": ("new+x@dora.example", *OUT)}, "recipients", "points_to_itself"),
        (
            {"recipients": tuple(f"r{number}@out.example" for number in range(2_001))},
            "recipients",
            "too_many",
        ),
        ({"description": "d" * 2_001}, "description", "description_too_long"),
        ({"description": "nul\0"}, "description", "hidden_character"),
        ({"description": "half \ud83d pair"}, "description", "hidden_character"),
        ({"expire_at": timezone.now() - timedelta(seconds=1)}, "expire_at", "expiry_past"),
        (
            {"address": "sam@dora.example", "expire_at": timezone.now() + timedelta(days=1)},
            "expire_at",
            "forward_cannot_expire",
        ),
    ],
)
def test_a_wrong_alias_is_refused(cast: Cast, values: dict[str, Any], field: str, code: str) -> None:
    create_alias(cast.dora, address="taken@dora.example", recipients=OUT)
    with refused_as(field, code):
        create_alias(cast.dora, **{"address": "new@dora.example", "recipients": OUT, **values})


def test_every_reason_of_a_batch_is_reported_at_once_and_nothing_is_created(cast: Cast) -> None:
    with refused(
        (1, "address", "unknown_domain"),
        (1, "recipients", "unknown_recipient"),
        (1, "recipients", "unknown_recipient"),
        (2, "address", "repeated"),
        (3, "address", "repeated"),
        (4, "recipients", "no_recipient"),
    ):
        create_aliases(
            cast.dora,
            [
                AliasSpec(address="good@dora.example", recipients=OUT),
                AliasSpec(
                    address="x@mallory.example", recipients=("no1@dora.example", "no2@dora.example", *OUT)
                ),
                AliasSpec(address="twice@dora.example", recipients=OUT),
                AliasSpec(address="TWICE@dora.example", recipients=OUT),
                AliasSpec(address="empty@dora.example", recipients=()),
            ],
        )


# --- loops ----------------------------------------------------------------------------------------------------


def test_a_batch_does_not_create_a_loop(cast: Cast) -> None:
    with refused((0, "recipients", "loop"), (1, "recipients", "loop"), (2, "recipients", "loop")):
        create_aliases(
            cast.dora,
            [
                AliasSpec(address="a@dora.example", recipients=("b@dora.example", *OUT)),
                AliasSpec(address="b@dora.example", recipients=("c+x@dora.example",)),
                AliasSpec(address="c@dora.example", recipients=("a@dora.example",)),
                AliasSpec(address="d@dora.example", recipients=("a@dora.example",)),
            ],
        )


def test_a_change_does_not_close_a_loop(cast: Cast) -> None:
    create_aliases(
        cast.dora,
        [
            AliasSpec(address="a@dora.example", recipients=("b@dora.example",)),
            AliasSpec(address="b@dora.example", recipients=("c@dora.example",)),
            AliasSpec(address="c@dora.example", recipients=OUT),
        ],
    )
    last = Alias.objects.get(address="c@dora.example")
    for recipient in ("a@dora.example", "b@dora.example", "a+x@dora.example"):
        with refused_as("recipients", "loop"):
            update_alias(cast.dora, last, recipients=(*OUT, recipient))
    with refused_as("recipients", "points_to_itself"):
        update_alias(cast.dora, last, recipients=("c@dora.example",))


def test_two_changes_of_a_batch_do_not_close_a_loop(cast: Cast) -> None:
    a, b = create_aliases(
        cast.dora,
        [
            AliasSpec(address="a@dora.example", recipients=OUT),
            AliasSpec(address="b@dora.example", recipients=OUT),
        ],
    )
    with refused((0, "recipients", "loop"), (1, "recipients", "loop")):
        update_aliases(
            cast.dora,
            [
                AliasChange(alias=a, recipients=("b@dora.example",)),
                AliasChange(alias=b, recipients=("a@dora.example",)),
            ],
        )


def test_two_mailboxes_do_not_forward_everything_to_each_other(cast: Cast) -> None:
    away = create_alias(cast.dora, address="sam@dora.example", recipients=("dora@dora.example",))
    with refused_as("recipients", "loop"):
        create_alias(cast.dora, address="dora@dora.example", recipients=("sam@dora.example",))
    back = create_alias(
        cast.dora, address="dora@dora.example", recipients=("sam@dora.example", "dora@dora.example")
    )
    assert routes("dora@dora.example") == {"sam@dora.example", "dora@dora.example"}, "a copy ends the way"
    with refused_as("recipients", "loop"):
        update_alias(cast.dora, back, recipients=("sam@dora.example",))
    update_alias(cast.dora, away, recipients=("sam@dora.example", "dora@dora.example"))
    update_alias(cast.dora, back, recipients=("sam@dora.example",))


def test_a_mailbox_does_not_forward_everything_to_a_list_that_delivers_to_it(cast: Cast) -> None:
    create_alias(cast.dora, address="team@dora.example", recipients=("sam@dora.example",))
    with refused_as("recipients", "loop"):
        create_alias(cast.dora, address="sam@dora.example", recipients=("team@dora.example",))


def test_an_alias_for_an_extension_is_no_loop(cast: Cast) -> None:
    create_alias(cast.dora, address="info+x@dora.example", recipients=OUT)
    alias = create_alias(cast.dora, address="team@dora.example", recipients=("info+x@dora.example",))
    assert AliasRecipient.objects.filter(alias=alias, target_alias__address="info+x@dora.example").exists()


# --- create: what is stored -----------------------------------------------------------------------------------


def test_a_created_alias_is_stored_published_and_recorded(cast: Cast) -> None:
    before, history = len(events()), len(versions())
    until = timezone.now() + timedelta(days=3)
    alias = create_alias(
        cast.dora,
        address=" Info@DORA.example ",
        recipients=("Sam+Lists@dora.example", "X@Out.example", "", "x@out.EXAMPLE", "dora@dora.example"),
        description="First line\nsecond\tline",
        expire_at=until,
    )
    stored = Alias.objects.get(pk=alias.pk)
    assert (stored.address, stored.domain_id, stored.enabled) == (
        "info@dora.example",
        cast.dora_example.pk,
        True,
    )
    assert (stored.description, stored.expire_at) == ("First line\nsecond\tline", until)
    assert set(stored.recipients.values_list("address", "mailbox__user__email")) == {
        ("sam+lists@dora.example", "sam@dora.example"),
        ("x@out.example", None),
        ("dora@dora.example", "dora@dora.example"),
    }
    assert targets_of("info@dora.example") == {"sam+lists@dora.example", "x@out.example", "dora@dora.example"}
    assert MailRoute.objects.get(address="info@dora.example").expires_at == until
    assert MailSender.objects.get(address="info@dora.example").logins == "dora@dora.example,sam@dora.example"
    assert events()[before:] == [("alias.create", "info@dora.example", [])]
    assert versions()[history:] == [("alias.create", "info@dora.example")]
    assert not list(publication.drift())


def test_recipients_in_a_domain_alias_are_those_of_its_target(cast: Cast) -> None:
    update_domain(cast.root, cast.dora_example, aliases=("dora-too.example", "bücher.example"))
    alias = create_alias(
        cast.dora,
        address="a@dora.example",
        recipients=("sam@Dora-Too.example", "sam@dora.example", "dora@Bücher.example"),
    )
    assert recipients(alias) == {"sam@dora.example", "dora@dora.example"}
    with refused_as("recipients", "unknown_recipient"):
        create_alias(cast.dora, address="b@dora.example", recipients=("nobody@dora-too.example",))
    with refused_as("recipients", "points_to_itself"):
        update_alias(cast.dora, alias, recipients=("a@dora-too.example",))


def test_recipients_may_be_aliases_of_the_same_batch_and_mailboxes_of_others(cast: Cast) -> None:
    first, second = create_aliases(
        cast.dora,
        [
            AliasSpec(address="a@dora.example", recipients=("b@dora.example", "mallory@mallory.example")),
            AliasSpec(address="b@dora.example", recipients=OUT),
        ],
    )
    assert first.recipients.get(address="b@dora.example").target_alias_id == second.pk
    assert not list(publication.drift())


def test_a_forward_keeps_a_copy_only_when_it_says_so(cast: Cast) -> None:
    forward = create_alias(cast.dora, address="sam@dora.example", recipients=OUT)
    assert routes("sam@dora.example") == {"x@out.example"}
    update_alias(cast.dora, forward, recipients=(*OUT, *SAM))
    assert routes("sam@dora.example") == {"x@out.example", "sam@dora.example"}
    assert AliasRecipient.objects.get(address="sam@dora.example").mailbox == cast.sams_mailbox
    update_alias(cast.dora, forward, enabled=False)
    assert routes("sam@dora.example") == {"sam@dora.example"}, (
        "a switched-off forward delivers as if there were none"
    )
    delete_aliases(cast.dora, [forward])
    assert routes("sam@dora.example") == {"sam@dora.example"}


def test_a_catch_all_leaves_everybody_his_own_mail(cast: Cast) -> None:
    create_alias(cast.dora, address="off@dora.example", recipients=OUT, enabled=False)
    create_alias(cast.dora, address="@dora.example", recipients=SAM)
    assert routes("@dora.example") == {"sam@dora.example"}
    assert routes("dora@dora.example") == {"dora@dora.example"}
    assert routes("off@dora.example") == {"off@dora.example"}
    assert MailSender.objects.get(address="@dora.example").logins == "sam@dora.example"


# --- change ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"recipients": ()}, "recipients", "no_recipient"),
        ({"recipients": ("nobody",)}, "recipients", "address_at_sign"),
        ({"recipients": ("nobody@dora.example",)}, "recipients", "unknown_recipient"),
        (
            {"recipients": tuple(f"r{number}@out.example" for number in range(2_001))},
            "recipients",
            "too_many",
        ),
        ({"description": "d" * 2_001}, "description", "description_too_long"),
        ({"description": "nul\0"}, "description", "hidden_character"),
        ({"expire_at": timezone.now() - timedelta(seconds=1)}, "expire_at", "expiry_past"),
    ],
)
def test_a_wrong_change_of_an_alias_is_refused(
    cast: Cast, values: dict[str, Any], field: str, code: str
) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=OUT)
    with refused_as(field, code):
        update_alias(cast.dora, alias, **values)


def test_a_forward_gets_no_expiry_by_a_change_either(cast: Cast) -> None:
    forward = create_alias(cast.dora, address="sam@dora.example", recipients=OUT)
    with refused_as("expire_at", "forward_cannot_expire"):
        update_alias(cast.dora, forward, expire_at=timezone.now() + timedelta(days=1))


def test_an_alias_that_is_gone_is_refused_and_the_others_keep_their_places(cast: Cast) -> None:
    gone, stays = create_aliases(
        cast.dora,
        [
            AliasSpec(address="gone@dora.example", recipients=OUT),
            AliasSpec(address="stays@dora.example", recipients=OUT),
        ],
    )
    delete_aliases(cast.dora, [gone])
    with refused((0, "", "gone"), (1, "recipients", "no_recipient")):
        update_aliases(
            cast.dora, [AliasChange(alias=gone, recipients=SAM), AliasChange(alias=stays, recipients=())]
        )
    with refused((1, "", "gone")):
        delete_aliases(cast.dora, [stays, gone])


def test_one_alias_is_not_changed_twice_in_a_batch(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=("x@out.example",))
    with refused((1, "", "repeated")):
        update_aliases(
            cast.dora,
            [AliasChange(alias=alias, enabled=False), AliasChange(alias=alias, description="twice")],
        )


def test_an_expired_alias_can_still_be_changed_and_prolonged(cast: Cast) -> None:
    alias = create_alias(
        cast.dora, address="info@dora.example", recipients=OUT, expire_at=timezone.now() + timedelta(days=1)
    )
    past = timezone.now() - timedelta(days=1)
    Alias.objects.filter(pk=alias.pk).update(expire_at=past)
    publication.rebuild()
    update_alias(cast.dora, alias, description="It was expired", expire_at=past)
    later = timezone.now() + timedelta(days=9)
    update_alias(cast.dora, alias, expire_at=later)
    assert MailRoute.objects.get(address="info@dora.example").expires_at == later
    update_alias(cast.dora, alias, expire_at=None)
    assert MailRoute.objects.get(address="info@dora.example").expires_at is None


def test_a_changed_alias_is_stored_published_and_recorded(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=(*OUT, *SAM))
    kept = AliasRecipient.objects.get(alias=alias, address="sam@dora.example").pk
    before, history = len(events()), len(versions())
    update_alias(cast.dora, alias, recipients=("sam@dora.example", "dora@dora.example"), description="New")
    assert recipients(alias) == {"sam@dora.example", "dora@dora.example"}
    assert AliasRecipient.objects.get(alias=alias, address="sam@dora.example").pk == kept
    assert routes("info@dora.example") == {"sam@dora.example", "dora@dora.example"}
    assert events()[before:] == [("alias.update", "info@dora.example", ["description", "recipients"])]
    assert versions()[history:] == [("alias.update", "info@dora.example")]
    assert not list(publication.drift())


def test_a_change_that_changes_nothing_writes_nothing(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="info@dora.example", recipients=SAM)
    with nothing_written():
        update_alias(cast.dora, alias, recipients=SAM, enabled=True, description="", expire_at=None)


def test_switching_an_alias_off_takes_it_from_the_aliases_that_deliver_to_it(cast: Cast) -> None:
    inner, _outer = create_aliases(
        cast.dora,
        [
            AliasSpec(address="inner@dora.example", recipients=OUT),
            AliasSpec(address="outer@dora.example", recipients=("inner@dora.example", *SAM)),
        ],
    )
    update_alias(cast.dora, inner, enabled=False)
    assert routes("inner@dora.example") == {"inner@dora.example"}
    assert routes("outer@dora.example") == {"sam@dora.example"}
    assert not list(publication.drift())


def test_an_alias_with_very_many_recipients_shrinks_again(cast: Cast) -> None:
    many = tuple(f"r{number}@out.example" for number in range(2_000))
    alias = create_alias(cast.dora, address="all@dora.example", recipients=many)
    assert len(routes("all@dora.example")) == 2_000
    update_alias(cast.dora, alias, recipients=many[:1])
    assert routes("all@dora.example") == {many[0]}
    update_alias(cast.dora, alias, recipients=many)
    delete_aliases(cast.dora, [alias])
    assert routes("all@dora.example") == set()


# --- delete ---------------------------------------------------------------------------------------------------


def test_a_deleted_alias_leaves_no_trace_and_takes_emptied_aliases_along(cast: Cast) -> None:
    a, _b, _c, d = create_aliases(
        cast.dora,
        [
            AliasSpec(address="a@dora.example", recipients=SAM),
            AliasSpec(address="b@dora.example", recipients=("a@dora.example",)),
            AliasSpec(address="c@dora.example", recipients=("b@dora.example",)),
            AliasSpec(address="d@dora.example", recipients=("a@dora.example", *OUT)),
        ],
    )
    before, history = len(events()), len(versions())
    delete_aliases(cast.dora, [a])
    assert list(Alias.objects.values_list("address", flat=True)) == ["d@dora.example"]
    assert recipients(d) == {"x@out.example"}
    for address in ("a", "b", "c"):
        assert routes(f"{address}@dora.example") == set()
    assert not MailSender.objects.filter(address="a@dora.example").exists()
    assert events()[before:] == [
        ("alias.delete", "a@dora.example", []),
        ("alias.update", "d@dora.example", ["recipients"]),
        ("alias.delete", "b@dora.example", []),
        ("alias.delete", "c@dora.example", []),
    ]
    assert set(Log.objects.filter(verb="alias.delete").values_list("level", flat=True)) == {"CRITICAL"}
    assert len(versions()) == history
    assert not list(publication.drift())


# --- how many statements --------------------------------------------------------------------------------------


def test_the_number_of_statements_does_not_depend_on_the_size_of_the_batch(cast: Cast) -> None:
    def life(prefix: str, size: int) -> list[int]:
        names = [f"{prefix}{number}@dora.example" for number in range(size)]
        create_accounts(
            cast.dora, [AccountSpec(username=name, mailbox=MailboxSpec(address=name)) for name in names]
        )
        specs = [
            AliasSpec(address=f"alias-{name}", recipients=(name, f"{name}.out.example", "sam@dora.example"))
            for name in names
        ]
        with statements() as create:
            aliases = create_aliases(cast.dora, specs)
        changes = [
            AliasChange(alias=alias, enabled=False, recipients=("dora@dora.example", *alias_recipients))
            for alias, alias_recipients in zip(aliases, ((name,) for name in names), strict=True)
        ]
        with statements() as update:
            update_aliases(cast.dora, changes)
        with statements() as delete:
            delete_aliases(cast.dora, aliases)
        return [len(create), len(update), len(delete)]

    life("warm", 1)
    assert life("few", 2) == life("many", 22)


def test_creating_one_alias_costs_at_most_25_statements(cast: Cast) -> None:
    create_account(cast.dora, username="x@dora.example", mailbox=MailboxSpec(address="x@dora.example"))
    with statements() as run:
        create_alias(cast.dora, address="info@dora.example", recipients=("x@dora.example", *OUT, *SAM))
    assert len(run) <= 25, "\n".join(run)


# --- over the head, and what was outside ------------------------------------------------------------------------


def test_nobody_diverts_the_mail_of_somebody_above_him(cast: Cast) -> None:
    create_accounts(
        cast.root,
        [
            AccountSpec(
                username="boss@dora.example",
                role=Role.SUPER_ADMIN,
                mailbox=MailboxSpec(address="boss@dora.example"),
            )
        ],
    )
    with refused((0, "address", "above_you")):
        create_alias(cast.dora, address="boss@dora.example", recipients=("dora@dora.example",))
    forward = create_alias(cast.root, address="boss@dora.example", recipients=OUT)
    with refused((0, "", "above_you")):
        update_alias(cast.dora, forward, recipients=("dora@dora.example",))
    with refused((0, "", "above_you")):
        delete_aliases(cast.dora, [forward])
    create_alias(cast.dora, address="dora@dora.example", recipients=OUT)


def test_a_recipient_that_was_outside_is_linked_when_its_address_arrives(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="n@dora.example", recipients=("n@late.example", "m@late.example"))
    create_domain(cast.root, name="late.example")
    box = create_accounts(
        cast.root, [AccountSpec(username="n@late.example", mailbox=MailboxSpec(address="n@late.example"))]
    )[0].account
    inner = create_alias(cast.root, address="m@late.example", recipients=("n@late.example",))
    assert AliasRecipient.objects.get(alias=alias, address="n@late.example").mailbox == box.mailbox
    assert AliasRecipient.objects.get(alias=alias, address="m@late.example").target_alias == inner
    delete_accounts(cast.root, [box])
    assert not Alias.objects.filter(pk__in=[alias.pk, inner.pk]).exists(), "nobody is left to deliver to"
    assert not list(publication.drift())


def test_a_loop_through_an_address_that_was_outside_is_seen(cast: Cast) -> None:
    create_alias(cast.dora, address="n@dora.example", recipients=("n@late.example",))
    create_domain(cast.root, name="late.example")
    with refused((0, "recipients", "loop")):
        create_alias(cast.root, address="n@late.example", recipients=("n@dora.example",))


# --- two people, and addresses that nobody guesses --------------------------------------------------------------


def test_what_changed_since_it_was_seen_is_refused(cast: Cast) -> None:
    alias = create_alias(cast.dora, address="n@dora.example", recipients=OUT)
    seen = Log.objects.order_by("-pk").values_list("pk", flat=True)[0]
    update_alias(cast.dora, alias, description="first", seen=seen)
    with refused((0, "", "changed_meanwhile")) as caught:
        update_alias(cast.root, alias, description="second", seen=seen)
    assert "dora@dora.example" in sentences(caught)[0]
    update_alias(cast.root, alias, description="second", seen=Log.objects.order_by("-pk")[0].pk)
    update_alias(cast.root, alias, description="third")


def test_a_random_address_is_an_alias_like_any_other(cast: Cast) -> None:
    address = random_alias_address("dora.example")
    alias = create_alias(cast.dora, address=address, recipients=SAM)
    assert re.fullmatch(r"[0-9a-f]{20}@dora\.example", alias.address)
    assert random_alias_address("dora.example") != address


# --- extended addresses ---------------------------------------------------------------------------------------


def test_an_alias_at_an_extended_address_takes_over_from_the_mailbox_and_closes_no_circle(cast: Cast) -> None:
    create_alias(cast.root, address="a@dora.example", recipients=("sam+x@dora.example",))
    with refused_as("recipients", "loop"):
        create_alias(cast.root, address="sam+x@dora.example", recipients=("a@dora.example",))
    create_alias(cast.root, address="sam+x@dora.example", recipients=("dora@dora.example",))
    row = AliasRecipient.objects.select_related("target_alias").get(alias__address="a@dora.example")
    assert row.mailbox_id is None
    assert row.target_alias is not None
    assert row.target_alias.address == "sam+x@dora.example"
    delete_accounts(cast.root, [account_of(cast.sam)])
    assert Alias.objects.filter(address="a@dora.example").exists()
    assert not list(publication.drift())


def test_nobody_diverts_an_extension_of_somebody_above_him(cast: Cast) -> None:
    person(cast, "boss@dora.example", Role.SUPER_ADMIN)
    with refused_as("address", "above_you"):
        create_alias(cast.dora, address="boss+bank@dora.example", recipients=("x@out.example",))
    with refused_as("sender_addresses", "above_you"):
        update_account(cast.dora, account_of(cast.sam), sender_addresses=("boss+ceo@dora.example",))


# --- recipients with an extension, in a domain that another host knows ------------------------------------------


@pytest.fixture
def split(cast: Cast) -> Cast:
    """The domain of dora is relayed."""
    start_relaying(cast.root, [RelaySpec(domain=cast.dora_example, target_host="192.0.2.1")])
    return cast


def recipient_of(address: str) -> AliasRecipient:
    return AliasRecipient.objects.select_related("mailbox__user", "target_alias").get(alias__address=address)


def test_who_arrives_takes_recipients_with_an_extension_too(split: Cast) -> None:
    root = split.root
    for number, recipient in enumerate(
        ("bob+a@dora.example", "bobby+a@dora.example", "bob+a@mallory.example")
    ):
        outside = recipient.replace("mallory.example", "out.example")
        create_alias(root, address=f"team{number}@mallory.example", recipients=(outside,))
    person(split, "bob@dora.example")
    linked = recipient_of("team0@mallory.example")
    assert linked.mailbox is not None
    assert linked.mailbox.user.email == "bob@dora.example"
    assert recipient_of("team1@mallory.example").mailbox is None
    assert recipient_of("team2@mallory.example").mailbox is None
    create_alias(split.dora, address="bobby@dora.example", recipients=("dora@dora.example",))
    assert recipient_of("team1@mallory.example").target_alias is not None
    account = Account.objects.get(email="bob@dora.example")
    update_account(split.dora, account, is_active=False)
    assert targets_of("team0@mallory.example") == {"team0@mallory.example"}
    assert not list(publication.drift())


def test_a_circle_through_an_extension_is_refused(split: Cast) -> None:
    create_alias(split.root, address="team@mallory.example", recipients=("bob+a@dora.example",))
    with refused((0, "recipients", "loop")):
        create_alias(split.root, address="bob@dora.example", recipients=("team@mallory.example",))
