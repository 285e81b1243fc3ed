"""The forward of one's own mailbox: every refusal, then where mail goes."""

from __future__ import annotations

import pytest

from admin import publication
from admin.forms.forwards import ForwardForm, forward_values
from admin.models import Alias, AliasRecipient
from admin.operations import create_alias, create_domain_aliases, update_alias
from admin.operations.domains import DomainAliasSpec
from admin.operations.forwards import set_own_forward
from admin.queries.forwards import own_forward
from tests.cast import Cast
from tests.operations.evidence import events, forbidden, nothing_written, refused_as
from tests.operations.test_races import DONE, meet, race
from tests.published import targets_of

SAM = "sam@dora.example"
OUT = "sam@out.example"


def routes(address: str = SAM) -> set[str]:
    assert not list(publication.drift())
    return targets_of(address)


# --- refusals -------------------------------------------------------------------------------------------------


def test_who_has_no_mailbox_forwards_nothing(cast: Cast) -> None:
    with forbidden():
        set_own_forward(cast.root, recipients=[OUT], keep_copy=True)


@pytest.mark.parametrize("keep_copy", [True, False])
@pytest.mark.parametrize(
    ("recipients", "code"),
    [
        (["nobody@dora.example"], "unknown_recipient"),
        (["nobody@mallory.example"], "unknown_recipient"),
        ([f"x{number}@out.example" for number in range(2_001)], "too_many"),
        (["not-an-address"], "address_at_sign"),
        (["sam+x@dora.example"], "points_to_itself"),
    ],
)
def test_a_wrong_recipient_is_refused(
    cast: Cast,
    recipients: list[str],
    code: str,
    keep_copy: bool,  # noqa: FBT001  a parameter
) -> None:
    with refused_as("recipients", code):
        set_own_forward(cast.sam, recipients=recipients, keep_copy=keep_copy)


def test_a_forward_to_oneself_is_none(cast: Cast) -> None:
    with refused_as("recipients", "points_to_itself"):
        set_own_forward(cast.sam, recipients=[SAM, OUT], keep_copy=False)
    with refused_as("recipients", "no_recipient"):
        set_own_forward(cast.sam, recipients=[SAM], keep_copy=True)


def test_a_forward_does_not_go_round_in_circles(cast: Cast) -> None:
    set_own_forward(cast.dora, recipients=[SAM], keep_copy=False)
    with refused_as("recipients", "loop"):
        set_own_forward(cast.sam, recipients=["dora@dora.example"], keep_copy=False)
    set_own_forward(cast.sam, recipients=["dora@dora.example"], keep_copy=True)


def test_what_an_administrator_switched_off_stays_off(cast: Cast) -> None:
    alias = create_alias(cast.dora, address=SAM, recipients=(OUT,), enabled=False)
    for recipients in ([], [OUT], ["other@out.example"]):
        with refused_as("", "switched_off"):
            set_own_forward(cast.sam, recipients=recipients, keep_copy=True)
    assert routes() == {SAM}
    update_alias(cast.dora, alias, enabled=True)
    set_own_forward(cast.sam, recipients=[], keep_copy=True)


# --- where mail goes -------------------------------------------------------------------------------------------


def test_a_forward_without_a_copy_delivers_nothing_locally(cast: Cast) -> None:
    set_own_forward(cast.sam, recipients=[OUT], keep_copy=False)
    assert routes() == {OUT}
    assert events()[-1] == ("alias.create", SAM, [])


def test_a_forward_with_a_copy_delivers_to_both(cast: Cast) -> None:
    set_own_forward(cast.sam, recipients=[OUT, "dora@dora.example"], keep_copy=True)
    assert routes() == {OUT, "dora@dora.example", SAM}
    linked = AliasRecipient.objects.filter(mailbox__isnull=False).values_list("address", flat=True)
    assert set(linked) == {SAM, "dora@dora.example"}


def test_a_forward_is_changed_and_keeps_what_the_administrator_wrote(cast: Cast) -> None:
    alias = create_alias(cast.dora, address=SAM, recipients=(OUT,), description="until spring")
    set_own_forward(cast.sam, recipients=[OUT, "b@out.example"], keep_copy=True)
    assert routes() == {OUT, "b@out.example", SAM}
    assert events()[-1] == ("alias.update", SAM, ["recipients"])
    assert Alias.objects.get(pk=alias.pk).description == "until spring"
    set_own_forward(cast.sam, recipients=[OUT], keep_copy=False)
    assert routes() == {OUT}
    with nothing_written():
        set_own_forward(cast.sam, recipients=[OUT], keep_copy=False)


def test_an_empty_list_ends_the_forward(cast: Cast) -> None:
    info = create_alias(cast.dora, address="info@dora.example", recipients=(SAM,))
    set_own_forward(cast.sam, recipients=[OUT], keep_copy=False)
    set_own_forward(cast.sam, recipients=[], keep_copy=False)
    assert routes() == {SAM}
    assert not Alias.objects.filter(address=SAM).exists()
    assert Alias.objects.filter(pk=info.pk).exists(), "what leads to the mailbox stays"
    assert events()[-1] == ("alias.delete", SAM, [])
    with nothing_written():
        set_own_forward(cast.sam, recipients=[], keep_copy=True)


def test_every_role_with_a_mailbox_forwards_its_own_mail_only(cast: Cast) -> None:
    for actor in (cast.dora, cast.sam, cast.mallory):
        set_own_forward(actor, recipients=[f"x@{actor.user.username.partition('@')[0]}.test"], keep_copy=True)
    assert set(Alias.objects.values_list("address", flat=True)) == {
        "dora@dora.example",
        SAM,
        "mallory@mallory.example",
    }


def test_a_recipient_under_another_name_of_the_domain_is_the_same_mailbox(cast: Cast) -> None:
    create_domain_aliases(cast.root, [DomainAliasSpec(name="dora.test", target="dora.example")])
    set_own_forward(cast.sam, recipients=["Dora@DORA.test"], keep_copy=False)
    assert routes() == {"dora@dora.example"}
    with refused_as("recipients", "points_to_itself"):
        set_own_forward(cast.sam, recipients=["sam@dora.test"], keep_copy=False)


def test_the_owner_and_an_administrator_begin_a_forward_at_once(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch, publication, "publish", before=True)
    outcomes = race(
        lambda: set_own_forward(real_cast.sam, recipients=[OUT], keep_copy=False),
        lambda: create_alias(real_cast.dora, address=SAM, recipients=("a@out.example",)),
    )
    assert outcomes in ([DONE, "address_taken"], [DONE, DONE])
    assert Alias.objects.filter(address=SAM).count() == 1
    assert routes() == {OUT}


def test_an_administrator_switches_a_forward_off_while_its_owner_changes_it(
    real_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    alias = set_own_forward(real_cast.sam, recipients=[OUT], keep_copy=False)
    assert alias is not None
    meet(monkeypatch, publication, "publish", before=True)
    outcomes = race(
        lambda: set_own_forward(real_cast.sam, recipients=["b@out.example"], keep_copy=False),
        lambda: update_alias(real_cast.dora, alias, enabled=False),
    )
    assert outcomes in (["switched_off", DONE], [DONE, DONE])
    assert routes() == {SAM}


# --- the form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "a@out.example,b@out.example",
        "a@out.example, b@out.example",
        "a@out.example b@out.example",
        "a@out.example;b@out.example;",
        "a@out.example\nb@out.example",
        "\r\n a@out.example ,\r\n\tb@out.example\r\n",
    ],
)
def test_a_forward_accepts_commas_spaces_and_lines(typed: str, cast: Cast) -> None:
    present = own_forward(cast.sam.user)
    given = {"recipients": typed, "keep_copy": "on"}
    form = ForwardForm(given, initial=forward_values(present), edited=present.edited)
    assert form.is_valid()
    assert form.values() == {"recipients": ("a@out.example", "b@out.example"), "keep_copy": True}


def test_a_forward_is_shown_one_address_per_line(cast: Cast) -> None:
    set_own_forward(cast.sam, recipients=["b@out.example", "a@xn--bcher-kva.example"], keep_copy=False)
    shown = forward_values(own_forward(cast.sam.user))
    assert shown == {"recipients": "a@bücher.example\nb@out.example", "keep_copy": False}
