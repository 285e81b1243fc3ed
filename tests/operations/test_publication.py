"""The published tables: each documented rule, and what is published step by step equals what is published anew."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from admin import publication
from admin.lookups import POSTFIX
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    DomainName,
    Mailbox,
    MailboxOperation,
    MailCheck,
    MailDomain,
    MailRoute,
    MailSender,
    MailTransport,
    MailUser,
    Quota,
)
from admin.models.published import CLOSED_ACTION
from admin.operations import (
    AccountChange,
    AccountSpec,
    AliasChange,
    AliasSpec,
    Appointment,
    DomainAliasSpec,
    DomainChange,
    DomainSpec,
    MailboxSpec,
    add_administrators,
    create_accounts,
    create_alias,
    create_aliases,
    create_domain_aliases,
    create_domains,
    delete_accounts,
    delete_aliases,
    delete_domains,
    publish_due,
    rebuild_published,
    remove_administrators,
    update_account,
    update_accounts,
    update_alias,
    update_aliases,
    update_domain,
    update_domains,
)
from admin.queries.tracing import trace
from core.actor import Actor, Credential
from core.models import User
from core.refusals import Refusal
from core.roles import Role
from parameters import tools
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import forbidden, statements
from tests.operations.people import set_parameter
from tests.published import routes, sends_from, targets_of, who_sends

TABLES: list[type[models.Model]] = [MailDomain, MailRoute, MailUser, MailSender, MailTransport, MailCheck]
U_LABEL, A_LABEL = "bücher.example", "xn--bcher-kva.example"


def published() -> dict[str, set[tuple[Any, ...]]]:
    return {model._meta.db_table: set(model._default_manager.values_list()) for model in TABLES}


def drifting() -> list[tuple[str, list[Any], list[Any]]]:
    """What is wrong, in a form that a failing test can show."""
    return [(each.model.__name__, each.surplus, each.missing) for each in publication.drift()]


def account_of(actor: Actor) -> Account:
    return Account.objects.get(pk=actor.pk)


def rename_pending(box: Mailbox, new_address: str, **values: Any) -> MailboxOperation:
    """What a rename will write."""
    return MailboxOperation.objects.create(
        **{
            "kind": MailboxOperation.Kind.RENAME,
            "mailbox_id": box.pk,
            "old_address": box.user.email,
            "new_address": new_address,
            "source": publication.home_of(box),
            **values,
        }
    )


# --- the documented rules -------------------------------------------------------------------------------------


def test_a_name_is_published_when_it_and_its_target_are_enabled(cast: Cast) -> None:
    update_domain(cast.root, cast.dora_example, aliases=("too.example",))
    assert MailDomain.objects.get(name="too.example").target == "dora.example"
    assert ("@too.example", "@dora.example") in routes()
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert not MailDomain.objects.filter(name__in=["dora.example", "too.example"]).exists()
    assert ("@too.example", "@dora.example") not in routes()
    DomainAlias.objects.update(enabled=False)
    update_domain(cast.root, cast.dora_example, enabled=True)
    assert MailDomain.objects.filter(name="dora.example").exists()
    assert not MailDomain.objects.filter(name="too.example").exists()


def test_an_international_name_is_published_as_its_a_label(cast: Cast) -> None:
    domain = create_domains(cast.root, [DomainSpec(name=U_LABEL)])[0]
    assert set(MailDomain.objects.filter(name__contains="cher").values_list("name", "kind", "target")) == {
        (A_LABEL, "mailbox", ""),
    }
    create_accounts(
        cast.root, [AccountSpec(username=f"a@{U_LABEL}", mailbox=MailboxSpec(address=f"A@{U_LABEL}"))]
    )
    assert MailUser.objects.get(address=f"a@{A_LABEL}").home == f"{A_LABEL}/a"
    delete_accounts(cast.root, list(Account.objects.filter(email=f"a@{A_LABEL}")))
    delete_domains(cast.root, [domain])
    assert not MailDomain.objects.filter(name__contains="cher").exists()
    assert not MailRoute.objects.filter(address__contains="cher").exists()


def test_what_is_switched_off_answers_for_itself_and_is_not_left_to_the_catch_all(cast: Cast) -> None:
    create_aliases(
        cast.dora,
        [
            AliasSpec(address="@dora.example", recipients=("dora@dora.example",)),
            AliasSpec(address="off@dora.example", recipients=("x@out.example",), enabled=False),
        ],
    )
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    for address in ("off@dora.example", "sam@dora.example"):
        assert (address, address) in routes()
        assert not MailUser.objects.filter(address=address).exists()


def closed() -> set[str]:
    """Addresses that Postfix refuses."""
    return set(MailCheck.objects.filter(action="closed").values_list("address", flat=True))


def test_what_is_switched_off_is_closed_and_what_works_is_not(cast: Cast) -> None:
    create_aliases(
        cast.dora,
        [
            AliasSpec(address="@dora.example", recipients=("dora@dora.example",), enabled=False),
            AliasSpec(address="off@dora.example", recipients=("x@out.example",), enabled=False),
            AliasSpec(address="on@dora.example", recipients=("x@out.example",)),
            AliasSpec(address="idle@dora.example", recipients=("sam@dora.example",)),
            AliasSpec(address="sam@dora.example", recipients=("x@out.example", "sam@dora.example")),
        ],
    )
    assert closed() == {"off@dora.example"}
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    assert closed() == {"off@dora.example", "idle@dora.example", "sam@dora.example"}
    update_account(cast.dora, account_of(cast.sam), is_active=True)
    update_alias(cast.dora, Alias.objects.get(address="off@dora.example"), enabled=True)
    assert closed() == set()


def time_passes(*addresses: str) -> None:
    """The aliases expire, which no operation can do."""
    Alias.objects.filter(address__in=addresses).update(expire_at=LONG_AGO)
    MailRoute.objects.filter(address__in=addresses).update(expires_at=LONG_AGO)


LONG_AGO = timezone.now() - timedelta(days=1)


def test_an_address_closes_when_its_alias_expires(cast: Cast) -> None:
    end = timezone.now() + timedelta(hours=1)
    create_aliases(
        cast.dora,
        [
            AliasSpec(address="a@dora.example", recipients=("sam@dora.example",), expire_at=end),
            AliasSpec(address="@dora.example", recipients=("sam@dora.example",), expire_at=end),
            AliasSpec(address="b@dora.example", recipients=("sam@dora.example",)),
        ],
    )
    ours = {"a@dora.example", "@dora.example"}
    assert set(MailRoute.objects.filter(expires_at=end).values_list("address", flat=True)) == ours
    assert sends_from("sam@dora.example") == {*ours, "sam@dora.example", "b@dora.example"}
    assert publish_due(cast.root) == 0
    assert closed() == set()
    time_passes(*ours)
    assert {each.model for each in publication.drift()} == {MailRoute, MailSender, MailCheck}
    assert publish_due(cast.root)
    assert closed() == {"a@dora.example"}
    assert targets_of("a@dora.example") == {"a@dora.example"}
    assert not targets_of("@dora.example")
    assert sends_from("sam@dora.example") == {"sam@dora.example", "b@dora.example"}
    assert not drifting()
    assert publish_due(cast.root) == 0


def test_what_expired_a_moment_ago_is_not_called_wrong(cast: Cast) -> None:
    end = timezone.now() + timedelta(hours=1)
    create_alias(cast.dora, address="a@dora.example", recipients=("sam@dora.example",), expire_at=end)
    time_passes("a@dora.example")
    assert drifting()
    MailRoute.objects.filter(address="a@dora.example").update(expires_at=timezone.now())
    assert not drifting()


def test_only_a_super_admin_publishes_what_is_due(cast: Cast) -> None:
    for name in ("rita", "dora", "sam", "mallory"):
        with forbidden():
            publish_due(cast.everybody[name])


def test_an_alias_at_an_extended_address_does_not_close_with_the_plain_one(cast: Cast) -> None:
    end = timezone.now() + timedelta(hours=1)
    create_aliases(
        cast.dora,
        [
            AliasSpec(address="sam+list@dora.example", recipients=("dora@dora.example",)),
            AliasSpec(address="sam+late@dora.example", recipients=("dora@dora.example",), expire_at=end),
            AliasSpec(address="sam+off@dora.example", recipients=("dora@dora.example",), enabled=False),
        ],
    )
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    answers = {lookup.name: lookup.answer for lookup in POSTFIX}["maintain"]
    assert answers("sam@dora.example") == answers("sam+off@dora.example") == [CLOSED_ACTION]
    assert answers("sam+list@dora.example") == answers("sam+late@dora.example") == ["DUNNO"]
    assert {end.value for end, _address in trace("sam+list@dora.example").ends} == {"kept"}
    assert {end.value for end, _address in trace("sam+any@dora.example").ends} == {"refused"}
    delete_aliases(cast.dora, list(Alias.objects.all()))
    assert not MailCheck.objects.filter(action="open").exists()


def test_a_domain_that_is_switched_off_or_deleted_closes_no_address(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert closed() == set()
    update_domain(cast.root, cast.dora_example, enabled=True)
    assert closed() == {"sam@dora.example"}
    delete_domains(cast.root, [cast.dora_example])
    assert closed() == set()


def test_a_forward_of_a_disabled_account_forwards_nothing(cast: Cast) -> None:
    create_alias(cast.dora, address="sam@dora.example", recipients=("x@out.example", "dora@dora.example"))
    assert ("sam@dora.example", "dora@dora.example") in who_sends()
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    assert not {login for address, login in who_sends() if address == "sam@dora.example"}
    assert {target for address, target in routes() if address == "sam@dora.example"} == {"sam@dora.example"}


def test_only_recipients_that_can_take_mail_are_published(cast: Cast) -> None:
    create_aliases(
        cast.root,
        [
            AliasSpec(address="inner@dora.example", recipients=("x@out.example",)),
            AliasSpec(
                address="list@mallory.example",
                recipients=("sam@dora.example", "inner@dora.example", "mallory@mallory.example"),
            ),
            AliasSpec(address="only@mallory.example", recipients=("sam+x@dora.example",)),
        ],
    )
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert {target for address, target in routes() if address == "list@mallory.example"} == {
        "mallory@mallory.example"
    }
    assert ("only@mallory.example", "only@mallory.example") in routes()


def test_a_catch_all_whose_recipients_are_off_is_not_published(cast: Cast) -> None:
    create_alias(cast.dora, address="@dora.example", recipients=("sam@dora.example",))
    update_account(cast.dora, account_of(cast.sam), is_active=False)
    assert not [target for address, target in routes() if address == "@dora.example"]


def test_only_enabled_accounts_in_enabled_domains_sign_in_receive_and_send(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), sender_addresses=("team@out.example",))
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert set(MailUser.objects.values_list("address", flat=True)) == {"mallory@mallory.example"}
    assert who_sends() == {("mallory@mallory.example", "mallory@mallory.example")}


def test_a_sender_is_published_for_every_reason(cast: Cast) -> None:
    update_account(cast.dora, account_of(cast.sam), sender_addresses=("info@dora.example",))
    create_alias(
        cast.dora, address="info@dora.example", recipients=("sam@dora.example", "sam+x@dora.example")
    )
    assert sends_from("sam@dora.example") == {"sam@dora.example", "info@dora.example"}
    for column in ("alias_logins", "extra_logins"):
        assert who_sends(column) == {("info@dora.example", "sam@dora.example")}


@pytest.mark.parametrize("state", ["pending", "prepared"])
def test_while_a_mailbox_moves_both_of_its_addresses_answer_try_again(cast: Cast, state: str) -> None:
    rename_pending(cast.sams_mailbox, "samuel@dora.example", state=state)
    assert {each.model for each in publication.drift()} == {MailUser, MailTransport, MailCheck}
    publication.publish(publication.Keys(addresses={"sam@dora.example", "samuel@dora.example"}))
    both = {"sam@dora.example", "samuel@dora.example"}
    assert set(MailTransport.objects.values_list("address", flat=True)) == both
    assert set(MailCheck.objects.values_list("address", flat=True)) == both
    assert set(MailUser.objects.filter(is_moving=True).values_list("address", flat=True)) == both
    assert not drifting()
    MailboxOperation.objects.update(state="done")
    publication.rebuild()
    assert not MailTransport.objects.exists()
    assert not MailCheck.objects.exists()
    assert not MailUser.objects.filter(is_moving=True).exists()
    assert MailUser.objects.filter(address="sam@dora.example").exists()


@pytest.mark.usefixtures("cast")
def test_a_rename_whose_new_address_is_unknown_yet_is_noticed_too() -> None:
    MailboxOperation.objects.create(kind="rename", mailbox_id=0, old_address="old@dora.example", source="x")
    assert publication.rebuild() == 3
    assert set(MailCheck.objects.values_list("address", flat=True)) == {"old@dora.example"}


def test_a_directory_that_waits_for_deletion_stops_no_mail(cast: Cast) -> None:
    rename_pending(cast.sams_mailbox, "", kind="delete")
    assert not drifting()


# --- check and rebuild ----------------------------------------------------------------------------------------


def everything(cast: Cast) -> None:
    """Something in every published table."""
    update_domain(cast.root, cast.dora_example, aliases=(U_LABEL, "too.example"))
    create_alias(cast.dora, address="@dora.example", recipients=("dora@dora.example",))
    create_alias(cast.dora, address="info@dora.example", recipients=("sam@dora.example", "x@out.example"))
    update_account(cast.dora, account_of(cast.sam), sender_addresses=("team@out.example",))
    rename_pending(cast.sams_mailbox, "samuel@dora.example")
    publication.rebuild()


TO_THE_SPY: dict[str, Any] = {"kind": "relay", "service": "smtp", "host": "spy.example", "port": 25}


def insert_strangers() -> None:
    MailDomain.objects.create(name="stranger.example", kind="mailbox")
    MailRoute.objects.filter(address="sam@dora.example").update(targets="sam@dora.example,spy@out.example")
    MailRoute.objects.create(address="@stranger.example", targets="spy@out.example", ends_here=False)
    MailUser.objects.create(address="spy@dora.example", password="{PLAIN}x", home="x", quota=0)
    MailSender.objects.create(address="ceo@mallory.example", logins="sam@dora.example")
    MailTransport.objects.create(address="stranger.example", **TO_THE_SPY)
    MailCheck.objects.create(address="mallory@mallory.example", action="retry")


DAMAGES: dict[str, Callable[[], object]] = {
    "rows are missing": lambda: [model._default_manager.all().delete() for model in TABLES],
    "rows are too many": insert_strangers,
    "a name has another kind": lambda: MailDomain.objects.update(kind="relay"),
    "a route expires": lambda: MailRoute.objects.update(expires_at=LONG_AGO),
    "a user has another hash": lambda: MailUser.objects.update(password="{PLAIN}guessed"),
    "a user has another home": lambda: MailUser.objects.update(home="mallory.example/mallory"),
    "a user has another quota": lambda: MailUser.objects.update(quota=1),
    "a mailbox does not end here": lambda: MailRoute.objects.update(ends_here=False),
    "somebody else sends": lambda: MailSender.objects.update(logins="mallory@mallory.example"),
    "a transport leads elsewhere": lambda: MailTransport.objects.update(**TO_THE_SPY),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_damage_is_reported_and_repaired(cast: Cast, damage: str) -> None:
    everything(cast)
    before = published()
    DAMAGES[damage]()
    assert published() != before
    wrong = sum(each.size for each in publication.drift())
    assert wrong
    assert rebuild_published(cast.root) == wrong
    assert published() == before
    assert not drifting()
    assert rebuild_published(cast.root) == 0


def test_only_a_super_admin_rebuilds(cast: Cast) -> None:
    for name in ("rita", "dora", "sam", "mallory"):
        with forbidden():
            rebuild_published(cast.everybody[name])


def test_a_disabled_super_admin_does_not_rebuild(cast: Cast) -> None:
    cast.root.user.is_active = False
    with pytest.raises(PermissionDenied):
        rebuild_published(cast.root)


def test_a_check_needs_no_more_statements_for_more_mailboxes(cast: Cast) -> None:
    def count() -> int:
        with statements() as run:
            assert not drifting()
        return len(run)

    few = count()
    names = [f"n{number}@dora.example" for number in range(22)]
    create_accounts(
        cast.root, [AccountSpec(username=name, mailbox=MailboxSpec(address=name)) for name in names]
    )
    assert count() == few


def test_more_keys_than_one_chunk_are_checked_and_repaired(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(cast)
    before = published()
    monkeypatch.setattr(publication, "_CHUNK", 2)
    monkeypatch.setattr(publication.chunks, "__defaults__", (2,))
    assert not drifting()
    insert_strangers()
    assert publication.rebuild() == 8
    assert published() == before


# --- incremental = rebuilt ------------------------------------------------------------------------------------

NAMES = ["dora.example", "mallory.example", "reseller.example", "one.example", "two.example", U_LABEL]
LOCAL_PARTS = ["sam", "dora", "mallory", "a", "b", "info"]
names_ = st.sampled_from(NAMES)
local_addresses = st.builds(lambda local, name: f"{local}@{name}", st.sampled_from(LOCAL_PARTS), names_)
alias_addresses = local_addresses | st.builds("@{}".format, names_)
recipients_ = st.lists(
    local_addresses | st.sampled_from(["sam+x@dora.example", "x@out.example"]),
    max_size=4,
).map(tuple)
senders = st.lists(alias_addresses | st.just("team@out.example"), max_size=2).map(tuple)
actors = st.sampled_from([*["root"] * 8, "rita", "rita", "dora", "dora", "mallory", "sam"])
picks = st.integers(0, 1_000)
switches = st.sampled_from([True, True, False])
expiries = st.sampled_from([None, None, timedelta(days=1)])


class Life(RuleBasedStateMachine):
    """Random people do random things; the published tables follow exactly."""

    succeeded: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.done = 0
        self.example = transaction.atomic()
        self.example.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)
        tools.forget()  # what the example has set

    def actor(self, name: str) -> Actor | None:
        """The person as of now: a request loads him anew."""
        user = User.objects.filter(username__startswith=name).order_by("pk").first()
        return None if user is None else Actor(user, Credential.SESSION)

    def attempt(self, name: str, operation: Callable[..., object], *args: object) -> None:
        """Do it; refused and forbidden things must leave no trace either, which the invariant sees."""
        actor = self.actor(name)
        if actor is None:
            return
        try:
            operation(actor, *args)
        except PermissionDenied:
            return
        except Refusal as refusal:
            if "conflict" in {reason.code for reason in refusal.reasons}:
                raise  # there is nobody else who could have changed something
            return
        self.succeeded[operation.__name__] += 1
        self.done += 1

    def some(self, queryset: Any, pick: int) -> Any:
        rows = list(queryset.order_by("pk"))
        return rows[pick % len(rows)] if rows else None

    def here(self, address: str) -> str:
        """The same in a domain that there is: whatever else is refused without telling much."""
        local_part, name = address.split("@")
        names = list(Domain.objects.order_by("pk").values_list("name", flat=True))
        if not names or name in names or (name == U_LABEL and A_LABEL in names):
            return address
        return f"{local_part}@{names[NAMES.index(name) % len(names)]}"

    def reachable(self, address: str) -> str:
        """Itself, or, where nobody has it in a domain of ours, an address that somebody has."""
        local_part, name = address.split("@")
        if not Domain.objects.filter(name=name).exists() or Alias.objects.filter(address=address).exists():
            return address
        boxes = list(User.objects.exclude(email="").order_by("pk").values_list("email", flat=True))
        plain = f"{local_part.partition('+')[0]}@{name}"
        return address if plain in boxes or not boxes else boxes[len(address) % len(boxes)]

    @rule(actor=actors, name=names_, aliases=st.lists(names_, max_size=2).map(tuple), enabled=switches)
    def create_domain(self, *, actor: str, name: str, aliases: tuple[str, ...], enabled: bool) -> None:
        spec = DomainSpec(name=name, aliases=aliases, enabled=enabled, default_mailbox_quota=3)
        self.attempt(actor, create_domains, [spec])

    @rule(actor=actors, name=names_, of=names_, enabled=switches)
    def create_domain_alias(self, *, actor: str, name: str, of: str, enabled: bool) -> None:
        spec = DomainAliasSpec(name=name, target=of, enabled=enabled)
        self.attempt(actor, create_domain_aliases, [spec])

    @rule(
        actor=actors,
        pick=picks,
        enabled=switches,
        quota=st.integers(0, 9),
        aliases=st.none() | st.lists(names_, max_size=2).map(tuple),
    )
    def update_domain(
        self,
        *,
        actor: str,
        pick: int,
        enabled: bool,
        quota: int,
        aliases: tuple[str, ...] | None,
    ) -> None:
        if domain := self.some(Domain.objects, pick):
            change = DomainChange(domain=domain, enabled=enabled, default_mailbox_quota=quota)
            if aliases is not None:
                change = DomainChange(domain=domain, aliases=aliases)
            self.attempt(actor, update_domains, [change])

    @precondition(lambda self: self.done > 3)
    @rule(actor=actors, pick=picks)
    def delete_domain(self, actor: str, pick: int) -> None:
        if domain := self.some(Domain.objects, pick):
            self.attempt(actor, delete_domains, [domain])

    @rule(actor=actors, address=local_addresses, active=switches, senders=senders)
    def create_account(self, *, actor: str, address: str, active: bool, senders: tuple[str, ...]) -> None:
        address = self.here(address)
        box = MailboxSpec(address=address, sender_addresses=senders)
        spec = AccountSpec(username=address, password=PASSWORD, is_active=active, mailbox=box)
        self.attempt(actor, create_accounts, [spec])

    @rule(actor=actors, pick=picks, active=switches, senders=senders, quota=st.none() | st.integers(0, 9))
    def update_account(
        self,
        *,
        actor: str,
        pick: int,
        active: bool,
        senders: tuple[str, ...],
        quota: int | None,
    ) -> None:
        if account := self.some(Account.objects, pick):
            change = AccountChange(account=account, is_active=active)
            if Mailbox.objects.filter(user=account).exists():
                change = AccountChange(
                    account=account,
                    is_active=active,
                    sender_addresses=senders,
                    quota=quota,
                    password=PASSWORD,
                )
            self.attempt(actor, update_accounts, [change])

    @rule(actor=actors, pick=picks, name=names_, keep=st.booleans())
    def rename_domain(self, *, actor: str, pick: int, name: str, keep: bool) -> None:
        if domain := self.some(Domain.objects, pick):
            self.attempt(actor, update_domains, [DomainChange(domain=domain, name=name, keep_old_name=keep)])

    @rule(
        actor=actors,
        pick=picks,
        address=local_addresses,
        keep=st.booleans(),
        aliases=st.none() | st.lists(alias_addresses, max_size=2).map(tuple),
    )
    def rename_mailbox(
        self, *, actor: str, pick: int, address: str, keep: bool, aliases: tuple[str, ...] | None
    ) -> None:
        """Or give somebody the first one."""
        if account := self.some(Account.objects, pick):
            change = AccountChange(account=account, address=self.here(address), keep_old_address=keep)
            if aliases is not None:
                change = replace(change, aliases=tuple(map(self.here, aliases)))
            self.attempt(actor, update_accounts, [change])

    @rule(actor=actors, pick=picks, more=picks, aliases=st.lists(alias_addresses, max_size=3).map(tuple))
    def edit_aliases_of_accounts(self, *, actor: str, pick: int, more: int, aliases: tuple[str, ...]) -> None:
        people = Account.objects.exclude(email="")
        accounts = {self.some(people, pick), self.some(people, more)} - {None}
        wanted = tuple(map(self.here, aliases))
        changes = [AccountChange(account=each, aliases=wanted) for each in accounts]
        self.attempt(actor, update_accounts, changes)

    @rule(actor=actors, pick=picks, role=st.sampled_from(list(Role)), username=st.none() | local_addresses)
    def change_role(self, *, actor: str, pick: int, role: Role, username: str | None) -> None:
        if account := self.some(Account.objects, pick):
            change = AccountChange(account=account, role=role)
            if username is not None:
                change = replace(change, username=username)
            self.attempt(actor, update_accounts, [change])

    @rule(actor=actors, address=local_addresses, role=st.sampled_from(list(Role)), box=st.booleans())
    def create_somebody(self, *, actor: str, address: str, role: Role, box: bool) -> None:
        address = self.here(address)
        mailbox = MailboxSpec(address=address) if box or role is Role.SIMPLE_USER else None
        spec = AccountSpec(
            username=address,
            role=role,
            password=PASSWORD,
            mailbox=mailbox,
            administers=(address.partition("@")[2],) if role.administers else (),
        )
        self.attempt(actor, create_accounts, [spec])

    @rule(actor=actors, pick=picks, who=picks, appoint=switches)
    def change_administrators(self, *, actor: str, pick: int, who: int, appoint: bool) -> None:
        people = Account.objects.filter(role__in=[Role.RESELLER, Role.DOMAIN_ADMIN])
        domain, account = self.some(Domain.objects, pick), self.some(people, who)
        if domain and account:
            act = add_administrators if appoint else remove_administrators
            self.attempt(actor, act, [Appointment(domain, account.username)])

    @rule(actor=actors, pick=picks, administers=st.lists(names_, max_size=3).map(tuple))
    def change_rights(self, *, actor: str, pick: int, administers: tuple[str, ...]) -> None:
        people = Account.objects.filter(role__in=[Role.RESELLER, Role.DOMAIN_ADMIN])
        there = set(Domain.objects.values_list("name", flat=True))
        if account := self.some(people, pick):
            change = AccountChange(account=account, administers=tuple(there & set(administers)))
            self.attempt(actor, update_accounts, [change])

    @precondition(lambda self: self.done > 3)
    @rule(actor=actors, pick=picks)
    def delete_anybody(self, actor: str, pick: int) -> None:
        if account := self.some(Account.objects, pick):
            self.attempt(actor, delete_accounts, [account])

    @rule(actor=actors, pick=picks, more=picks)
    def delete_accounts(self, actor: str, pick: int, more: int) -> None:
        simple = Account.objects.filter(role=Role.SIMPLE_USER)
        if accounts := {each for number in (pick, more) if (each := self.some(simple, number))}:
            self.attempt(actor, delete_accounts, list(accounts))

    @rule(actor=actors, address=alias_addresses, recipients=recipients_, enabled=switches, expiry=expiries)
    def create_alias(
        self,
        *,
        actor: str,
        address: str,
        recipients: tuple[str, ...],
        enabled: bool,
        expiry: timedelta | None,
    ) -> None:
        expire_at = None if expiry is None else timezone.now() + expiry
        spec = AliasSpec(
            address=self.here(address),
            recipients=tuple(map(self.reachable, recipients)),
            enabled=enabled,
            expire_at=expire_at,
        )
        self.attempt(actor, create_aliases, [spec])

    @precondition(lambda _self: Alias.objects.exists())
    @rule(actor=actors, pick=picks, recipients=recipients_, enabled=switches)
    def update_alias(self, *, actor: str, pick: int, recipients: tuple[str, ...], enabled: bool) -> None:
        alias = self.some(Alias.objects, pick)
        change = AliasChange(alias=alias, enabled=enabled)
        if recipients:
            wanted = tuple(map(self.reachable, recipients))
            change = AliasChange(alias=alias, recipients=wanted, enabled=enabled)
        self.attempt(actor, update_aliases, [change])

    @precondition(lambda _self: Alias.objects.exists())
    @rule(actor=actors, pick=picks, more=picks)
    def delete_aliases(self, actor: str, pick: int, more: int) -> None:
        aliases = {self.some(Alias.objects, pick), self.some(Alias.objects, more)}
        self.attempt(actor, delete_aliases, list(aliases))

    @precondition(lambda _self: Mailbox.objects.exists())
    @rule(
        pick=picks,
        local_part=st.sampled_from(LOCAL_PARTS),
        state=st.sampled_from(["pending", "prepared", "done"]),
    )
    def begin_a_move(self, pick: int, local_part: str, state: str) -> None:
        box = self.some(Mailbox.objects.select_related("user", "domain"), pick)
        rename_pending(box, f"{local_part}@{box.domain.name}", state=state)
        publication.publish(publication.Keys(addresses={box.user.email, f"{local_part}@{box.domain.name}"}))

    @rule(handled=st.booleans())
    def let_the_panel_move_directories(self, *, handled: bool) -> None:
        set_parameter("handle_mailboxes", value=handled)

    @precondition(lambda _self: MailboxOperation.objects.exists())
    @rule(pick=picks)
    def finish_a_move(self, pick: int) -> None:
        operation = self.some(MailboxOperation.objects, pick)
        operation.state = "done"
        operation.save()
        publication.publish(publication.Keys(addresses={operation.old_address, operation.new_address}))

    @precondition(lambda self: self.done)
    @rule(seed=picks)
    def damage_and_repair(self, seed: int) -> None:
        before, chance = published(), random.Random(seed)
        for model in TABLES:
            for row in model._default_manager.all():
                if chance.random() < 0.3:
                    row.delete()
        lost = sum(len(rows) for rows in before.values()) - sum(len(rows) for rows in published().values())
        assert sum(each.size for each in publication.drift()) == lost
        assert publication.rebuild() == lost
        assert published() == before

    @precondition(lambda _self: Alias.objects.exists())
    @rule(pick=picks)
    def let_an_alias_expire(self, pick: int) -> None:
        """Nothing is published yet: the invariant must not see it before."""
        time_passes(self.some(Alias.objects, pick).address)
        assert publication.catch_up() >= 0

    @invariant()
    def what_is_published_is_what_would_be_published_anew(self) -> None:
        assert drifting() == []

    @invariant()
    def names_and_people_fit_together(self) -> None:
        """In plain rows, not through the code that keeps them so."""
        boxes = dict(Mailbox.objects.values_list("user_id", "pk"))
        addresses = {
            pk: f"{local_part}@{name}"
            for pk, local_part, name in Mailbox.objects.values_list("pk", "address", "domain__name")
        }
        people = list(User.objects.values_list("pk", "username", "email", "role", "is_active"))
        for pk, username, email, role, _active in people:
            assert email == (addresses[boxes[pk]] if pk in boxes else ""), username
            assert role != Role.SIMPLE_USER or (email and username == email), username
        logins = {username: pk for pk, username, *_rest in people}
        assert not [email for pk, _name, email, *_rest in people if email and logins.get(email, pk) != pk]
        assert any(active and role == Role.SUPER_ADMIN for *_names, role, active in people)
        columns = ("address", "alias__address", "mailbox_id", "target_alias__address")
        for text, alias, mailbox, target in AliasRecipient.objects.values_list(*columns):
            assert not (mailbox and target)
            plain = f"{text.partition('@')[0].partition('+')[0]}@{text.partition('@')[2]}"
            if mailbox:
                assert addresses[mailbox] == plain, (alias, text)
            elif target:
                assert target in {text, plain}, (alias, text)
            else:
                assert text not in addresses.values(), (alias, text)
        assert {name.partition("@")[2] for name in Alias.objects.values_list("address", flat=True)} <= set(
            Domain.objects.values_list("name", flat=True)
        )
        for address, name in Alias.objects.values_list("address", "domain__name"):
            assert address.endswith(f"@{name}")
            assert AliasRecipient.objects.filter(alias__address=address).exists(), address
        usage = set(Quota.objects.values_list("username", flat=True))
        assert usage == set(addresses.values()), "or a newcomer inherits what somebody else used"
        names = set(Domain.objects.values_list("name", flat=True))
        aliases = set(DomainAlias.objects.values_list("name", flat=True))
        assert not names & aliases
        assert names | aliases == set(DomainName.objects.values_list("name", flat=True))
        able = {Role.SUPER_ADMIN, Role.RESELLER}
        assert set(Domain.objects.values_list("owner__role", flat=True)) <= able
        rights = Domain.administrators.through.objects.values_list("user__role", flat=True)
        assert set(rights) <= {Role.RESELLER, Role.DOMAIN_ADMIN}
        homes = list(MailUser.objects.exclude(home="").values_list("home", flat=True))
        assert len(homes) == len(set(homes)), "two people share a directory"

    @invariant()
    def nothing_is_published_for_nobody(self) -> None:
        """A second, simpler reading of the rules, so that both sides of the comparison cannot be wrong alike."""
        active = User.objects.filter(is_active=True, mailbox__domain__enabled=True)
        logins = set(active.values_list("email", flat=True))
        served = MailUser.objects.filter(is_moving=False)
        assert set(served.values_list("address", flat=True)) <= logins
        assert {login for _address, login in who_sends()} <= logins
        names = set(MailDomain.objects.values_list("name", flat=True))
        enabled = set(Domain.objects.filter(enabled=True).values_list("name", flat=True))
        assert enabled <= names
        assert {address.rpartition("@")[2] for address, _target in routes()} <= names
        held = set(User.objects.filter(mailbox__domain__enabled=True).values_list("email", flat=True))
        held |= set(
            Alias.objects.filter(domain__enabled=True)
            .exclude(address__startswith="@")
            .values_list("address", flat=True)
        )
        assert held <= {address for address, _target in routes()}, "or a catch-all takes their mail"


def live(life: type[Life]) -> None:
    """A few random lives, or as many as the environment asks for."""
    life.succeeded.clear()
    profile = settings.get_profile("operations")
    wanted = os.environ.get("MODOBOA_TEST_EXAMPLES")
    examples = int(wanted or profile.max_examples)
    # The usual few are the same every time; whoever asks for more gets new ones.
    chosen = settings(profile, max_examples=examples, derandomize=wanted is None, database=None)
    run_state_machine_as_test(life, settings=chosen)
    assert life.succeeded.total() > examples, "most things are refused: the test proves nothing"


@pytest.mark.usefixtures("cast")
def test_random_operations_of_random_people_never_drift() -> None:
    live(Life)
