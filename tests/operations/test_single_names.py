"""Domain aliases and sender addresses one by one, and a password that one knows: what the API adds to the forms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from admin import publication
from admin.models import DomainAlias, DomainName, SenderAddress
from admin.operations import (
    DomainAliasChange,
    DomainAliasSpec,
    SenderAddressSpec,
    add_sender_addresses,
    create_alias,
    create_domain,
    create_domain_aliases,
    delete_domain_aliases,
    remove_sender_addresses,
    replace_password,
    update_domain_aliases,
)
from core.models import User
from core.refusals import Refusal
from core.throttling import Throttled
from limits.models import Allowance
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import events, forbidden, nothing_written, refused, refused_as, statements
from tests.operations.people import account_of, set_parameter

NEW = "Another-Horse-8"


def no_drift() -> bool:
    """The published tables say what they would say if they were made anew."""
    return not list(publication.drift())


def alias_of(cast: Cast, name: str = "alias.example", target: str = "dora.example") -> DomainAlias:
    [alias] = create_domain_aliases(cast.root, [DomainAliasSpec(name=name, target=target)])
    return alias


def change(cast: Cast, alias: DomainAlias, **values: object) -> DomainAlias:
    [changed] = update_domain_aliases(cast.root, [DomainAliasChange(alias=alias, **values)])  # type: ignore[arg-type]  # a test's shorthand
    return changed


# --- domain aliases --------------------------------------------------------------------------------------------


def test_a_domain_alias_changes_its_name_target_and_state(cast: Cast) -> None:
    alias = alias_of(cast)
    changed = change(cast, alias, name="Other.Example", target="mallory.example", enabled=False)
    stored = DomainAlias.objects.get(pk=alias.pk)
    assert (stored.name, stored.target.name, stored.enabled) == ("other.example", "mallory.example", False)
    assert (changed.name, changed.target.name) == ("other.example", "mallory.example")
    assert list(DomainName.objects.filter(alias=alias).values_list("name", flat=True)) == ["other.example"]
    assert events()[-1] == ("domain_alias.update", "other.example", ["name", "target", "enabled"])
    assert no_drift()


def test_the_same_again_is_no_change(cast: Cast) -> None:
    alias = alias_of(cast)
    with nothing_written():
        change(cast, alias, name="alias.example", target="dora.example", enabled=True)


def test_what_is_wrong_with_a_changed_domain_alias_is_refused(cast: Cast) -> None:
    alias, other = alias_of(cast), alias_of(cast, "other.example")
    with refused_as("name", "name_taken"):
        change(cast, alias, name="mallory.example")
    with refused_as("target", "unknown_domain"):
        change(cast, alias, target="nowhere.example")
    create_alias(cast.root, address="a@dora.example", recipients=("x@far.example",))
    with refused_as("name", "recipients_there"):
        change(cast, alias, name="far.example")
    with refused((1, "", "repeated")):
        update_domain_aliases(cast.root, [DomainAliasChange(alias=alias), DomainAliasChange(alias=alias)])
    delete_domain_aliases(cast.root, [other])
    with refused((1, "", "gone")):
        update_domain_aliases(cast.root, [DomainAliasChange(alias=alias), DomainAliasChange(alias=other)])


def test_a_domain_alias_that_changed_meanwhile_is_not_changed(cast: Cast) -> None:
    alias = alias_of(cast)
    change(cast, alias, enabled=False)
    with refused_as("", "changed_meanwhile"):
        change(cast, alias, enabled=True, seen=0)


def test_strangers_change_no_domain_alias(cast: Cast) -> None:
    alias = alias_of(cast)
    with forbidden():
        update_domain_aliases(cast.dora, [DomainAliasChange(alias=alias, enabled=False)])
    with forbidden():
        delete_domain_aliases(cast.dora, [alias])
    with refused_as("", "gone"):
        update_domain_aliases(cast.rita, [DomainAliasChange(alias=alias, enabled=False)])
    with refused_as("", "gone"):
        delete_domain_aliases(cast.rita, [alias])
    own = create_domain_aliases(cast.rita, [DomainAliasSpec(name="own.example", target="reseller.example")])
    with refused_as("target", "unknown_domain"):
        update_domain_aliases(cast.rita, [DomainAliasChange(alias=own[0], target="dora.example")])


def test_a_target_that_is_full_takes_no_domain_alias(cast: Cast) -> None:
    set_parameter("enable_domain_limits", value=True, app="limits")
    create_domain(cast.root, name="full.example", domain_aliases_limit=0)
    alias = alias_of(cast)
    with refused_as("target", "domain_limit_reached"):
        change(cast, alias, target="full.example")


def test_a_domain_alias_that_is_deleted_is_free_again(cast: Cast) -> None:
    [alias] = create_domain_aliases(cast.rita, [DomainAliasSpec(name="a.example", target="reseller.example")])
    used = Allowance.objects.get(user=cast.rita.pk).domain_aliases_used
    delete_domain_aliases(cast.rita, [alias])
    assert not DomainName.objects.filter(name="a.example").exists()
    assert Allowance.objects.get(user=cast.rita.pk).domain_aliases_used == used - 1
    assert events()[-1] == ("domain_alias.delete", "a.example", [])
    assert no_drift()
    create_domain(cast.root, name="a.example")


def test_changing_many_domain_aliases_costs_what_changing_one_costs(cast: Cast) -> None:
    counts = []
    for size in (2, 12):
        aliases = create_domain_aliases(
            cast.root,
            [DomainAliasSpec(name=f"a{n}.b{size}.example", target="dora.example") for n in range(size)],
        )
        with statements() as run:
            update_domain_aliases(cast.root, [DomainAliasChange(alias=a, enabled=False) for a in aliases])
        counts.append(len(run))
        with statements() as run:
            delete_domain_aliases(cast.root, aliases)
        counts.append(len(run))
    assert counts[:2] == counts[2:]


# --- sender addresses ------------------------------------------------------------------------------------------


def test_sender_addresses_are_added_and_taken_back(cast: Cast) -> None:
    specs = [SenderAddressSpec(address=f"{n}@dora.example", mailbox="Sam@dora.example") for n in "ab"]
    rows = add_sender_addresses(cast.dora, specs)
    assert [row.address for row in rows] == ["a@dora.example", "b@dora.example"]
    add_sender_addresses(cast.dora, [SenderAddressSpec(address="@dora.example", mailbox="sam@dora.example")])
    assert SenderAddress.objects.count() == 3
    remove_sender_addresses(cast.dora, rows[:1])
    left = SenderAddress.objects.order_by("address").values_list("address", flat=True)
    assert list(left) == ["@dora.example", "b@dora.example"]
    assert events()[-1] == ("account.update", "sam@dora.example", ["sender_addresses"])
    assert no_drift()
    with refused_as("", "gone"):
        remove_sender_addresses(cast.dora, rows[:1])


def test_what_is_wrong_with_sender_addresses_is_refused_in_its_place(cast: Cast) -> None:
    good = SenderAddressSpec(address="a@dora.example", mailbox="sam@dora.example")
    with refused((0, "mailbox", "unknown_mailbox"), (2, "address", "repeated")):
        add_sender_addresses(cast.dora, [replace(good, mailbox="mallory@mallory.example"), good, good])
    with refused((0, "sender_addresses", "domain_not_yours")):
        add_sender_addresses(cast.dora, [replace(good, address="x@mallory.example")])
    with forbidden():
        add_sender_addresses(cast.sam, [good])
    [row] = add_sender_addresses(cast.root, [good])
    with refused_as("", "gone"):
        remove_sender_addresses(cast.mallory, [row])
    with forbidden():
        remove_sender_addresses(cast.sam, [row])


# --- a password that one knows ---------------------------------------------------------------------------------


def test_who_knows_a_password_replaces_it(cast: Cast) -> None:
    sam = account_of(cast.sam)
    replace_password(cast.dora, sam, current_password=PASSWORD, password=NEW)
    assert User.objects.get(pk=sam.pk).check_password(NEW)
    replace_password(cast.dora, account_of(cast.dora), current_password=PASSWORD, password=NEW)
    assert User.objects.get(pk=cast.dora.pk).check_password(NEW)


def test_who_does_not_know_it_is_slowed_down(cast: Cast) -> None:
    sam = account_of(cast.sam)
    for typed in ("", "Wrong-Horse-7", "Wrong-Horse-7"):
        with refused_as("current_password", "wrong_password"):
            replace_password(cast.dora, sam, current_password=typed, password=NEW)
    for _time in range(3):
        with pytest.raises(Refusal):
            replace_password(cast.dora, sam, current_password="Wrong-Horse-7", password=NEW)
    with pytest.raises(Throttled):
        replace_password(cast.dora, sam, current_password=PASSWORD, password=NEW)
    with refused_as("", "gone"):
        replace_password(cast.mallory, account_of(cast.rita), current_password=PASSWORD, password=NEW)
