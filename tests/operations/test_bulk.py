"""Many things at once: what a plan changes, what it leaves out and why, and that nothing else happens."""

from __future__ import annotations

import pytest

from admin import publication
from admin.bulk_changes import BulkChange, Ids, Kind, Verb
from admin.models import Account, Alias, Domain, Mailbox, MailboxOperation, MailUser
from admin.operations import (
    AccountSpec,
    AliasSpec,
    DomainSpec,
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_aliases,
    create_domains,
    update_account,
)
from admin.operations.bulk import (
    BulkPlan,
    BulkReport,
    change_domains,
    change_identities,
    decide_about_directories,
)
from admin.queries.bulk import ABOVE, GONE, Preview, matching_domains, matching_identities, preview
from core.actor import Actor
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import events, forbidden, nothing_written, refused_as, statements

ENABLE, DISABLE, DELETE = (BulkChange(verb=verb) for verb in (Verb.ENABLE, Verb.DISABLE, Verb.DELETE))


def quota(size: int | None) -> BulkChange:
    return BulkChange(verb=Verb.QUOTA, quota=size)


def people(cast: Cast, count: int, domain: str = "dora.example") -> list[int]:
    """New simple users, p0, p1, …"""
    names = [f"p{number}@{domain}" for number in range(count)]
    specs = [
        AccountSpec(username=name, password=PASSWORD, mailbox=MailboxSpec(address=name)) for name in names
    ]
    return [each.account.pk for each in create_accounts(cast.root, specs)]


def aliases(cast: Cast, count: int, *recipients: str) -> list[int]:
    """New aliases, a0, a1, …"""
    to = recipients or ("sam@dora.example",)
    specs = [AliasSpec(address=f"a{number}@dora.example", recipients=to) for number in range(count)]
    return [alias.pk for alias in create_aliases(cast.root, specs)]


def both(accounts: list[int], others: list[int] | None = None) -> Ids:
    return {Kind.ACCOUNT: tuple(accounts), Kind.ALIAS: tuple(others or ())}


def carry_out(actor: Actor, change: BulkChange, ids: Ids) -> BulkReport:
    return change_identities(actor, BulkPlan(change, ids))


def left_out(report: BulkReport) -> list[tuple[str, str]]:
    return sorted((each.name, each.code) for each in report.skipped)


def blocked(found: Preview) -> dict[str, list[str]]:
    return {str(group.title): [line.name for line in group.shown] for group in found.blocked}


# --- what is done ----------------------------------------------------------------------------------------------


def test_accounts_and_aliases_are_disabled_together(cast: Cast) -> None:
    ids = both(people(cast, 2), aliases(cast, 2))
    assert preview(cast.dora, DISABLE, ids).ids == ids
    report = carry_out(cast.dora, DISABLE, ids)
    assert (report.done, report.skipped) == (ids, ())
    assert not Account.objects.filter(pk__in=ids[Kind.ACCOUNT], is_active=True).exists()
    assert not Alias.objects.filter(pk__in=ids[Kind.ALIAS], enabled=True).exists()
    assert not MailUser.objects.filter(address__startswith="p").exists()
    assert not list(publication.drift())


def test_every_changed_thing_is_an_event_of_its_own(cast: Cast) -> None:
    ids = both(people(cast, 1), aliases(cast, 1))
    before = len(events())
    carry_out(cast.dora, DISABLE, ids)
    assert events()[before:] == [
        ("alias.update", "a0@dora.example", ["enabled"]),
        ("account.update", "p0@dora.example", ["is_active"]),
    ]


def test_a_plan_that_is_sent_twice_does_nothing_the_second_time(cast: Cast) -> None:
    accounts, others = people(cast, 2), aliases(cast, 1)
    carry_out(cast.dora, DISABLE, both(accounts, others))
    with nothing_written():
        again = carry_out(cast.dora, DISABLE, both(accounts, others))
    assert again.done == {Kind.ACCOUNT: (), Kind.ALIAS: ()}
    assert again.unchanged == both(accounts, others)
    carry_out(cast.dora, DELETE, both(accounts, others))
    with nothing_written():
        again = carry_out(cast.dora, DELETE, both(accounts, others))
    assert left_out(again) == [("", "gone")] * 3


def test_a_quota_is_set_for_all_or_given_back_to_the_domain(cast: Cast) -> None:
    accounts = people(cast, 3)
    update_account(cast.root, Account.objects.get(pk=accounts[0]), quota=512)
    found = preview(cast.dora, quota(512), both(accounts))
    assert found.ids == {Kind.ACCOUNT: tuple(accounts[1:])}
    assert [line.name for line in found.unchanged.shown] == ["p0@dora.example"]
    assert found.changing.shown[0].note == "100 MB (the domain's value) → 512 MB"
    carry_out(cast.dora, quota(512), both(accounts))
    boxes = Mailbox.objects.filter(user__in=accounts)
    assert set(boxes.values_list("quota", "use_domain_quota")) == {(512, False)}
    carry_out(cast.dora, quota(None), both(accounts))
    assert set(boxes.values_list("quota", "use_domain_quota")) == {(100, True)}
    assert not list(publication.drift())


def test_a_forward_is_deleted_with_its_account_and_counted_once(cast: Cast) -> None:
    forward = create_alias(cast.root, address="sam@dora.example", recipients=("x@else.example",))
    report = carry_out(cast.dora, DELETE, both([cast.sam.pk], [forward.pk]))
    assert report.done == both([cast.sam.pk], [forward.pk])
    assert report.skipped == ()


def test_domains_are_disabled_and_their_quotas_set(cast: Cast) -> None:
    domains = [d.pk for d in create_domains(cast.rita, [DomainSpec(name=f"d{n}.example") for n in range(3)])]
    ids = {Kind.DOMAIN: tuple(domains)}
    assert change_domains(cast.rita, BulkPlan(DISABLE, ids)).done == ids
    assert not Domain.objects.filter(pk__in=domains, enabled=True).exists()
    change = BulkChange(verb=Verb.QUOTA, quota=2048, default_mailbox_quota=100)
    assert [line.note for line in preview(cast.rita, change, ids).changing.shown] == [
        "domain: no limit → 2 GB, new mailboxes: no limit → 100 MB"
    ] * 3
    assert change_domains(cast.rita, BulkPlan(change, ids)).done == ids
    assert set(Domain.objects.filter(pk__in=domains).values_list("quota", "default_mailbox_quota")) == {
        (2048, 100)
    }
    half = BulkChange(verb=Verb.QUOTA, quota=50)
    assert preview(cast.rita, half, ids).total == 0
    report = change_domains(cast.rita, BulkPlan(half, ids))
    assert {skipped.code for skipped in report.skipped} == {"default_quota_too_big"}


def test_domains_are_deleted_with_the_people_in_them(cast: Cast) -> None:
    people(cast, 2, "reseller.example")
    ids = {Kind.DOMAIN: (cast.reseller_example.pk,)}
    found = preview(cast.rita, DELETE, ids)
    assert found.ids == ids
    assert "2 accounts in there are deleted." in found.consequences
    assert change_domains(cast.rita, BulkPlan(DELETE, ids)).done == ids
    assert not Account.objects.filter(username__endswith="@reseller.example").exists()
    assert not list(publication.drift())


# --- everything that matches the filter -------------------------------------------------------------------------


def test_everything_that_matches_is_what_all_pages_of_the_list_show(cast: Cast) -> None:
    accounts, others = people(cast, 30), aliases(cast, 30)
    given = {"q": "dora.example", "domain": "dora.example", "page": "2", "sort": "-name"}
    found = matching_identities(cast.dora, given, 100)
    assert found == both(sorted([cast.dora.pk, cast.sam.pk, *accounts]), others)
    assert matching_identities(cast.dora, {"kind": "alias"}, 100) == both([], others)
    assert matching_identities(cast.dora, {"q": "p1@"}, 100) == both([accounts[1]])
    assert matching_identities(cast.mallory, {"domain": "dora.example"}, 100) == both([])
    assert matching_domains(cast.rita, {}, 100) == {Kind.DOMAIN: (cast.reseller_example.pk,)}
    assert matching_domains(cast.root, {"status": "disabled"}, 100) == {Kind.DOMAIN: ()}


# --- what is left out -------------------------------------------------------------------------------------------


def test_foreign_things_look_like_deleted_ones_and_are_not_touched(cast: Cast) -> None:
    ids = both([*people(cast, 2), 999_999], aliases(cast, 1))
    for change in (ENABLE, DISABLE, DELETE, quota(5)):
        found = preview(cast.mallory, change, ids)
        assert (found.total, found.unchanged.total) == (0, 0)
        assert blocked(found) == {str(GONE): []}
        assert found.blocked[0].more == 4
        with nothing_written():
            report = carry_out(cast.mallory, change, ids)
        assert left_out(report) == [("", "gone")] * 4
    domains = {Kind.DOMAIN: (cast.dora_example.pk,)}
    with nothing_written():
        assert left_out(change_domains(cast.rita, BulkPlan(DELETE, domains))) == [("", "gone")]


def test_who_may_not_change_one_may_not_change_many(cast: Cast) -> None:
    with forbidden():
        carry_out(cast.sam, DISABLE, both([cast.sam.pk]))
    for actor in (cast.sam, cast.dora):
        with forbidden():
            change_domains(actor, BulkPlan(DISABLE, {Kind.DOMAIN: (cast.dora_example.pk,)}))


def test_nobody_disables_or_deletes_himself_but_all_others(cast: Cast) -> None:
    accounts = [cast.dora.pk, *people(cast, 2)]
    for change in (DISABLE, DELETE):
        found = preview(cast.dora, change, both(accounts))
        assert found.ids == {Kind.ACCOUNT: tuple(accounts[1:])}
        assert list(blocked(found).values()) == [["dora@dora.example"]]
        report = carry_out(cast.dora, change, both(accounts))
        assert report.done[Kind.ACCOUNT] == tuple(accounts[1:])
        assert left_out(report) == [("dora@dora.example", "not_yourself")]


def test_the_last_super_admin_stays_and_the_other_one_goes(cast: Cast) -> None:
    other = create_account(cast.root, username="alice", role=Role.SUPER_ADMIN, password=PASSWORD).account
    report = carry_out(cast.root, DISABLE, both([other.pk, cast.root.pk]))
    assert report.done[Kind.ACCOUNT] == (other.pk,)
    assert left_out(report) == [("root", "not_yourself")]


def above_dora(cast: Cast) -> tuple[int, int]:
    """A reseller's account and the forward of his mailbox, in dora's domain."""
    boss = create_account(
        cast.root,
        username="boss@dora.example",
        role=Role.RESELLER,
        password=PASSWORD,
        mailbox=MailboxSpec(address="boss@dora.example"),
        administers=("mallory.example",),
    ).account
    forward = create_alias(cast.root, address="boss@dora.example", recipients=("x@else.example",))
    return boss.pk, forward.pk


def test_accounts_above_and_their_forwards_are_left_alone(cast: Cast) -> None:
    boss, forward = above_dora(cast)
    accounts, others = people(cast, 1), aliases(cast, 1)
    ids = both([boss, *accounts], [forward, *others])
    for change in (DISABLE, DELETE):
        found = preview(cast.dora, change, ids)
        assert found.ids == both(accounts, others)
        assert "boss@dora.example" in blocked(found).get(str(ABOVE), []) or str(GONE) in blocked(found)
        report = carry_out(cast.dora, change, ids)
        assert report.done == both(accounts, others)
        assert ("boss@dora.example", "above_you") in left_out(report)
    assert Account.objects.get(pk=boss).is_active
    assert Alias.objects.get(pk=forward).enabled


def test_an_administrator_who_looks_after_other_domains_too_is_left_alone(cast: Cast) -> None:
    peer = create_account(
        cast.root,
        username="peer@dora.example",
        role=Role.DOMAIN_ADMIN,
        password=PASSWORD,
        mailbox=MailboxSpec(address="peer@dora.example"),
        administers=("dora.example", "mallory.example"),
    ).account
    found = preview(cast.dora, DISABLE, both([peer.pk, cast.sam.pk]))
    assert blocked(found) == {str(ABOVE): ["peer@dora.example"]}
    report = carry_out(cast.dora, DISABLE, both([peer.pk, cast.sam.pk]))
    assert (report.done[Kind.ACCOUNT], left_out(report)) == (
        (cast.sam.pk,),
        [("peer@dora.example", "above_you")],
    )


def test_an_alias_and_an_account_without_a_mailbox_have_no_quota(cast: Cast) -> None:
    (alias,) = aliases(cast, 1)
    ids = both([cast.rita.pk, cast.sam.pk], [alias])
    assert preview(cast.root, quota(5), ids).ids == {Kind.ACCOUNT: (cast.sam.pk,)}
    report = carry_out(cast.root, quota(5), ids)
    assert report.done[Kind.ACCOUNT] == (cast.sam.pk,)
    assert left_out(report) == [("a0@dora.example", "no_quota"), ("rita", "no_mailbox")]


def test_a_quota_that_no_mailbox_can_have_is_refused_for_all(cast: Cast) -> None:
    with nothing_written():
        report = carry_out(cast.dora, quota(-1), both([cast.sam.pk]))
    assert left_out(report) == [("sam@dora.example", "quota_out_of_range")]


def test_the_domain_of_ones_own_mailbox_is_not_deleted(cast: Cast) -> None:
    rita = create_account(
        cast.root,
        username="rita@reseller.example",
        role=Role.RESELLER,
        password=PASSWORD,
        mailbox=MailboxSpec(address="rita@reseller.example"),
        administers=("reseller.example",),
    ).account
    actor = Actor(rita, cast.rita.credential, cast.rita.address)
    ids = {Kind.DOMAIN: (cast.reseller_example.pk,)}
    assert preview(actor, DELETE, ids).total == 0
    report = change_domains(actor, BulkPlan(DELETE, ids))
    assert left_out(report) == [("reseller.example", "own_mailbox")]


def test_what_was_changed_since_the_preview_does_not_stop_the_rest(cast: Cast) -> None:
    accounts, others = people(cast, 3), aliases(cast, 2)
    found = preview(cast.dora, DELETE, both(accounts, others))
    carry_out(cast.root, DELETE, both(accounts[:1], others[:1]))
    update_account(cast.root, Account.objects.get(pk=accounts[1]), role=Role.RESELLER)
    report = carry_out(cast.dora, DELETE, found.ids)
    assert report.done == both(accounts[2:], others[1:])
    assert sorted(each.code for each in report.skipped) == ["gone", "gone", "gone"]


def test_what_came_to_match_since_the_preview_is_not_touched(cast: Cast) -> None:
    aliases(cast, 2)
    found = preview(cast.dora, DISABLE, matching_identities(cast.dora, {"kind": "alias"}, 100))
    late = create_alias(cast.root, address="late@dora.example", recipients=("sam@dora.example",))
    carry_out(cast.dora, DISABLE, found.ids)
    assert Alias.objects.get(pk=late.pk).enabled


# --- consequences -----------------------------------------------------------------------------------------------


def test_the_consequences_of_a_deletion_are_those_of_all_together(cast: Cast) -> None:
    accounts = people(cast, 2)
    to = ("p0@dora.example", "p1@dora.example")
    ending = create_alias(cast.root, address="ending@dora.example", recipients=to)
    create_alias(cast.root, address="behind@dora.example", recipients=(ending.address,))
    create_alias(cast.root, address="losing@dora.example", recipients=(*to, "sam@dora.example"))
    create_alias(cast.root, address="p0@dora.example", recipients=("x@else.example",))
    assert preview(cast.dora, DELETE, both(accounts)).consequences == [
        "2 mailboxes stop receiving and sending at once.",
        (
            "Their mail directories stay on the disk, since the panel does not handle directories; no new mailbox gets "
            "them."
        ),
        "1 alias or forward goes with them.",
        "1 other alias loses a recipient.",
        "2 other aliases lose their last recipient and are deleted too.",
    ]
    before = Alias.objects.count()
    carry_out(cast.dora, DELETE, both(accounts))
    assert before - Alias.objects.count() == 3
    assert Alias.objects.get().address == "losing@dora.example"


def test_one_of_two_recipients_is_not_the_last_one(cast: Cast) -> None:
    accounts = people(cast, 2)
    create_alias(cast.root, address="both@dora.example", recipients=("p0@dora.example", "p1@dora.example"))
    assert preview(cast.dora, DELETE, both(accounts[:1])).consequences[2:] == [
        "1 other alias loses a recipient."
    ]


# --- how much it costs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [DISABLE, quota(77), DELETE], ids=["disable", "quota", "delete"])
def test_300_cost_as_many_statements_as_3(change: BulkChange, cast: Cast) -> None:
    accounts, others = people(cast, 303), aliases(cast, 303)
    counts = []
    for first, last in ((0, 3), (3, 303)):
        ids = both(accounts[first:last], others[first:last])
        with statements() as looked:
            found = preview(cast.dora, change, ids)
        with statements() as ran:
            report = carry_out(cast.dora, change, found.ids)
        assert len(report.done[Kind.ACCOUNT]) == last - first
        counts.append((len(looked), len(ran)))
    (few_looked, few_ran), (many_looked, many_ran) = counts
    assert many_looked == few_looked <= 20
    # Chunks of what one statement holds; SQLite has place for a thousand values.
    assert many_ran - few_ran <= 300 // 15


def test_names_are_shown_up_to_fifty_and_counted_beyond(cast: Cast) -> None:
    found = preview(cast.dora, DISABLE, both(people(cast, 60)))
    assert (found.total, len(found.changing.shown), found.changing.more) == (60, 50, 10)
    assert found.changing.shown[0].name == "p0@dora.example"


# --- orders about mail directories -----------------------------------------------------------------------------

RETRY, GIVE_UP, RESTORE = (BulkChange(verb=verb) for verb in (Verb.RETRY, Verb.GIVE_UP, Verb.RESTORE))


def orders(count: int, address: str = "", **values: str) -> list[int]:
    """Deletions of mailboxes that are not there any more, o0, o1, …"""
    made = [
        MailboxOperation(
            kind="delete",
            mailbox_id=9_000 + number,
            old_address=address or f"o{number}@dora.example",
            source=f"dora.example/o{number}",
            **values,
        )
        for number in range(count)
    ]
    return [order.pk for order in MailboxOperation.objects.bulk_create(made)]


def decided(actor: Actor, change: BulkChange, pks: list[int], mailbox: str = "") -> BulkReport:
    return decide_about_directories(actor, BulkPlan(change, {Kind.ORDER: tuple(pks)}, mailbox=mailbox))


def states() -> list[str]:
    found = MailboxOperation.objects.exclude(kind="keep").order_by("pk")
    return list(found.values_list("state", flat=True))


@pytest.mark.parametrize("change", [RETRY, GIVE_UP, RESTORE])
def test_only_super_administrators_decide_about_directories(cast: Cast, change: BulkChange) -> None:
    pks = orders(2, state="failed", trash="kept")
    for actor in (cast.rita, cast.dora, cast.sam):
        with forbidden():
            decided(actor, change, pks)


def test_what_does_not_wait_for_a_decision_is_left_out(cast: Cast) -> None:
    failed, done = orders(2, state="failed"), orders(1, state="done")
    report = decided(cast.root, RETRY, [*failed, *done, 999_999])
    assert report.done == {Kind.ORDER: tuple(failed)}
    assert left_out(report) == [("", "gone"), ("o0@dora.example", "not_failed")]
    assert states() == ["pending", "pending", "done"]
    assert left_out(decided(cast.root, RETRY, failed)) == [
        ("o0@dora.example", "not_failed"),
        ("o1@dora.example", "not_failed"),
    ]
    assert decided(cast.root, GIVE_UP, failed).done == {Kind.ORDER: tuple(failed)}
    assert states() == ["given_up", "given_up", "done"]
    assert [verb for verb, *_rest in events()][-2:] == ["mailboxoperation.give_up"] * 2


def test_notes_of_directories_that_are_kept_are_nobodys_to_decide(cast: Cast) -> None:
    note = MailboxOperation.objects.create(
        kind="keep", state="done", mailbox_id=9_000, source="dora.example/o"
    )
    assert left_out(decided(cast.root, GIVE_UP, [note.pk])) == [("", "gone")]


def test_one_restoration_alone_is_refused_and_asks_for_another_mailbox(cast: Cast) -> None:
    (pk,) = orders(1, state="done", trash="kept", trash_path=".trash/1")
    with refused_as("mailbox", "no_mailbox"):
        decided(cast.root, RESTORE, [pk])
    with refused_as("mailbox", "no_such_mailbox"):
        decided(cast.root, RESTORE, [pk], "nobody@dora.example")
    assert decided(cast.root, RESTORE, [pk], "sam@dora.example").done == {Kind.ORDER: (pk,)}
    with refused_as("", "not_in_trash"):
        decided(cast.root, RESTORE, [pk], "sam@dora.example")
    restoration = MailboxOperation.objects.latest("pk")
    assert (restoration.kind, restoration.new_address) == ("restore", "sam@dora.example")


def test_of_several_restorations_those_that_cannot_be_are_left_out(cast: Cast) -> None:
    kept = {"state": "done", "trash": "kept", "trash_path": ".trash/1"}
    (sams,) = orders(1, "sam@dora.example", **kept)
    (again,) = orders(1, "sam@dora.example", **kept)
    (nobodys,) = orders(1, **kept)
    report = decided(cast.root, RESTORE, [sams, again, nobodys])
    assert report.done == {Kind.ORDER: (sams,)}
    assert left_out(report) == [("o0@dora.example", "no_mailbox"), ("sam@dora.example", "twice")]


def test_deciding_costs_the_same_queries_for_the_preview_of_2_and_of_22(cast: Cast) -> None:
    pks = orders(22, state="done", trash="kept", trash_path=".trash/1")
    costs = []
    for some in (pks[:2], pks):
        with statements() as run:
            assert preview(cast.root, RESTORE, {Kind.ORDER: tuple(some)}).total == len(some)
        costs.append(len(run))
    assert costs[0] == costs[1]
