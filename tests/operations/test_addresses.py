"""Everything about one address: what people are told is what the lookups of the mail servers answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from admin import publication
from admin.lookups import POSTFIX
from admin.models import (
    Account,
    Alias,
    Domain,
    DomainAlias,
    MailboxOperation,
    MailRoute,
    MailUser,
    Quota,
)
from admin.models.published import RETRY_ACTION
from admin.operations import (
    AccountSpec,
    AliasSpec,
    MailboxSpec,
    create_accounts,
    create_aliases,
    create_domain,
    update_account,
    update_domain,
)
from admin.queries.addresses import AddressPage, What, address_page, canonical_address
from admin.queries.tracing import End, trace
from core.actor import Actor
from core.addresses import without_extension
from core.presentation import unicode_domain
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import statements

STATEMENTS = 13  # of the page; with session and account 15 of a request
LOOKUPS = {lookup.name: lookup.answer for lookup in POSTFIX}


def followed(address: str) -> set[tuple[str, str]]:
    """What Postfix does with the recipient, asking one map after the other: the slow, obvious way."""
    keys = [address, without_extension(address)]
    said = next((text for key in keys for text in LOOKUPS["maintain"](key)), "DUNNO")
    if said != "DUNNO":
        return {("later" if said == RETRY_ACTION else "refused", address)}
    return {(end_of(each), each) for each in expanded(address, frozenset())}


def expanded(address: str, seen: frozenset[str]) -> set[str]:
    local, _at, domain = address.partition("@")
    base = without_extension(address)
    for key in (address, base, f"@{domain}"):
        answers = LOOKUPS["aliases"](key)
        if answers:
            break
    else:
        return {address}
    found: set[str] = set()
    for answer in answers:
        following = answer
        if answer.startswith("@"):
            following = local + answer
        elif key == base != address:
            name, _at, place = answer.partition("@")
            following = f"{name}{local[len(base.partition('@')[0]) :]}@{place}"
        again = following == address or following in seen
        found |= {following} if again else expanded(following, seen | {address})
    return found


def end_of(address: str) -> str:
    base, domain = without_extension(address), address.partition("@")[2]
    if not LOOKUPS["domains"](domain) and not LOOKUPS["domain-aliases"](domain):
        return "outside"
    if any(LOOKUPS["spliteddomains-transport"](key) for key in (address, base)):
        return "later"
    return "kept" if MailUser.objects.filter(address=base).exists() else "refused"


@pytest.fixture
def world(cast: Cast) -> Cast:
    """One of everything that can become of mail."""
    root = cast.root
    update_domain(root, cast.dora_example, aliases=("too.example", "asleep.example"))
    create_domain(root, name="bücher.example")
    off = create_domain(root, name="off.example", aliases=("off-too.example",))
    people = [
        *(f"{name}@dora.example" for name in ("closed", "copy", "away", "mover", "closed-forward")),
        "jo@bücher.example",
        "jo@off.example",
    ]
    create_accounts(
        root,
        [
            AccountSpec(
                username=address,
                password=PASSWORD,
                mailbox=MailboxSpec(address=address, sender_addresses=("sales@dora.example",)),
            )
            for address in people
        ],
    )
    soon = timezone.now() + timedelta(days=1)
    sam = "sam@dora.example"

    def alias(address: str, *recipients: str, **values: object) -> AliasSpec:
        return AliasSpec(address=address, recipients=recipients, **values)  # type: ignore[arg-type]  # a few fields

    create_aliases(
        root,
        [
            alias("info@dora.example", sam),
            alias("sales+eu@dora.example", sam),
            alias("out@dora.example", "x@elsewhere.example"),
            alias("tagged@dora.example", "sam+news@dora.example"),
            alias(
                "many@dora.example", sam, "closed@dora.example", "jo@bücher.example", "x@elsewhere.example"
            ),
            alias("dead@dora.example", "closed@dora.example"),
            alias("disabled@dora.example", sam, enabled=False),
            alias("late@dora.example", sam, expire_at=soon),
            alias("closed-forward@dora.example", "x@elsewhere.example"),
            alias("copy@dora.example", "copy@dora.example", "x@elsewhere.example"),
            alias("away@dora.example", "x@elsewhere.example"),
            alias("to-mover@dora.example", "mover@dora.example"),
            alias("@bücher.example", "jo@bücher.example"),
            alias("asleep@bücher.example", "jo@bücher.example", enabled=False),
        ],
    )
    create_aliases(root, [alias("one@dora.example", "info@dora.example", "out@dora.example", sam)])
    create_aliases(root, [alias("two@dora.example", "one@dora.example", "info@dora.example")])
    create_aliases(root, [alias("@mallory.example", "info@dora.example", "mallory@mallory.example")])
    for name in ("closed", "closed-forward"):
        update_account(root, Account.objects.get(email=f"{name}@dora.example"), is_active=False)
    update_domain(root, off, enabled=False)
    with transaction.atomic():
        Alias.objects.filter(address="late@dora.example").update(
            expire_at=timezone.now() - timedelta(seconds=5)
        )
        DomainAlias.objects.filter(name="asleep.example").update(enabled=False)
        mover = Account.objects.get(email="mover@dora.example")
        MailboxOperation.objects.create(
            kind="rename",
            mailbox_id=mover.mailbox.pk,
            old_address="before@dora.example",
            new_address="mover@dora.example",
            source="dora.example/before",
        )
        keys = {"late@dora.example", "before@dora.example", "mover@dora.example", "to-mover@dora.example"}
        publication.publish(publication.Keys({"asleep.example"}, keys | {"@asleep.example"}))
    return cast


# address: what it is, why its mail goes where it goes, and where (an address stands for itself when it is left out)
CASES: dict[str, tuple[str, str, set[str]]] = {
    "sam@dora.example": ("mailbox", "mailbox", {"kept"}),
    "sam+news@dora.example": ("mailbox", "mailbox", {"kept"}),
    "closed@dora.example": ("mailbox", "account_disabled", {"refused"}),
    "closed+x@dora.example": ("mailbox", "account_disabled", {"refused"}),
    "closed-forward@dora.example": ("forward", "account_disabled", {"refused"}),
    "copy@dora.example": ("forward", "forward", {"kept copy@dora.example", "outside x@elsewhere.example"}),
    "copy+x@dora.example": (
        "forward",
        "forward",
        {"kept copy+x@dora.example", "outside x+x@elsewhere.example"},
    ),
    "away@dora.example": ("forward", "forward", {"outside x@elsewhere.example"}),
    "info@dora.example": ("alias", "alias", {"kept sam@dora.example"}),
    "info+x@dora.example": ("alias", "alias", {"kept sam+x@dora.example"}),
    "sales+eu@dora.example": ("alias", "alias", {"kept sam@dora.example"}),
    "sales@dora.example": ("nobody", "nobody", {"refused"}),
    "out@dora.example": ("alias", "alias", {"outside x@elsewhere.example"}),
    "tagged@dora.example": ("alias", "alias", {"kept sam+news@dora.example"}),
    "many@dora.example": (
        "alias",
        "alias",
        {"kept sam@dora.example", "kept jo@xn--bcher-kva.example", "outside x@elsewhere.example"},
    ),
    "two@dora.example": ("alias", "alias", {"kept sam@dora.example", "outside x@elsewhere.example"}),
    "dead@dora.example": ("alias", "no_recipient", {"refused"}),
    "disabled@dora.example": ("alias", "alias_disabled", {"refused"}),
    "late@dora.example": ("alias", "alias_expired", {"refused"}),
    "mover@dora.example": ("mailbox", "moving", {"later"}),
    "mover+x@dora.example": ("mailbox", "moving", {"later"}),
    "before@dora.example": ("nobody", "moving", {"later"}),
    "to-mover@dora.example": ("alias", "alias", {"later mover@dora.example"}),
    "nobody@dora.example": ("nobody", "nobody", {"refused"}),
    "@dora.example": ("nobody", "nobody", {"refused"}),
    "nobody@bücher.example": ("nobody", "catch_all", {"kept jo@xn--bcher-kva.example"}),
    "nobody+x@bücher.example": ("nobody", "catch_all", {"kept jo@xn--bcher-kva.example"}),
    "@bücher.example": ("catch_all", "catch_all", {"kept jo@xn--bcher-kva.example"}),
    "asleep@bücher.example": ("alias", "alias_disabled", {"refused"}),
    "sam@too.example": ("domain_alias", "domain_alias", {"kept sam@dora.example"}),
    "info+x@too.example": ("domain_alias", "domain_alias", {"kept sam+x@dora.example"}),
    "nobody@too.example": ("domain_alias", "domain_alias", {"refused nobody@dora.example"}),
    "closed@too.example": ("domain_alias", "domain_alias", {"refused closed@dora.example"}),
    "@too.example": ("domain_alias", "domain_alias", {"refused @dora.example"}),
    "sam@asleep.example": ("domain_alias", "domain_alias_disabled", {"outside"}),
    "jo@off.example": ("mailbox", "domain_disabled", {"outside"}),
    "nobody@off.example": ("nobody", "domain_disabled", {"outside"}),
    "jo@off-too.example": ("domain_alias", "domain_disabled", {"outside"}),
    "x@elsewhere.example": ("not_known", "beyond", {"outside"}),
    "anybody@mallory.example": (
        "nobody",
        "catch_all",
        {"kept sam@dora.example", "kept mallory@mallory.example"},
    ),
}


@pytest.fixture
def page(world: Cast) -> dict[str, AddressPage]:
    """The pages of all cases, as the super administrator sees them."""
    return {typed: address_page(world.root, canonical_address(typed)) for typed in CASES}


def test_the_way_of_mail_is_the_one_that_the_lookups_give(page: dict[str, AddressPage]) -> None:
    wrong = {}
    for typed, (_what, _code, ends) in CASES.items():
        address = canonical_address(typed)
        told = {(end.value, each) for end, each in trace(address).ends}
        expected = {tuple(end.split(" ")) if " " in end else (end, address) for end in ends}
        if not told == followed(address) == expected:
            wrong[typed] = (told, followed(address), expected)
    assert wrong == {}
    assert page


def test_people_are_told_what_an_address_is_and_why_mail_goes_where_it_goes(
    page: dict[str, AddressPage],
) -> None:
    told = {typed: (one.what.value, one.steps[0].code) for typed, one in page.items()}
    assert told == {typed: (what, code) for typed, (what, code, _ends) in CASES.items()}
    assert all(step.sentences and all(step.sentences) for one in page.values() for step in one.steps)
    assert "%(" not in "".join(text for one in page.values() for step in one.steps for text in step.sentences)


def test_what_the_lines_say_ends_where_the_mail_ends(page: dict[str, AddressPage]) -> None:
    for typed, one in page.items():
        ends = {(step.end, step.address) for step in one.steps if step.end is not None}
        followed_ends = trace(one.address).ends
        if one.steps[0].code in {"domain_disabled", "domain_alias_disabled"}:
            # To the mail servers a disabled domain is a foreign one, and mail for those is refused.
            assert (ends, followed_ends) == ({(End.REFUSED, one.address)}, {(End.OUTSIDE, one.address)})
        else:
            assert ends == followed_ends, typed


def test_the_summary_counts_the_ends(page: dict[str, AddressPage]) -> None:
    summaries = {
        "sam@dora.example": ("Kept in 1 mailbox.", "good"),
        "many@dora.example": ("Kept in 2 mailboxes. Passed on to 1 address elsewhere.", "good"),
        "dead@dora.example": ("Mail is refused.", "bad"),
        "mover@dora.example": ("Senders are asked to try again later.", "warn"),
        "x@elsewhere.example": ("", "plain"),
    }
    assert {typed: (page[typed].summary, page[typed].tone) for typed in summaries} == summaries


def test_a_recipient_that_is_left_out_is_named_with_the_reason(page: dict[str, AddressPage]) -> None:
    assert "closed@dora.example is left out: it is disabled." in page["many@dora.example"].steps[0].sentences
    assert "closed@dora.example is left out: it is disabled." in page["dead@dora.example"].steps[0].sentences


def test_a_mailbox_is_shown_with_usage_aliases_senders_and_history(world: Cast) -> None:
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"bytes": 7_000})
    update_account(world.root, Account.objects.get(pk=world.sam.pk), sender_addresses=("boss@dora.example",))
    page = address_page(world.dora, "sam@dora.example")
    assert page.mailbox is not None
    assert (page.used_bytes, page.person) == (7_000, world.sam.user)
    assert {alias.address for alias in page.leading} == {
        "info@dora.example",
        "sales+eu@dora.example",
        "many@dora.example",
        "disabled@dora.example",
        "late@dora.example",
        "one@dora.example",
        "tagged@dora.example",
    }
    assert [(sender.login, sender.reason) for sender in page.senders] == [("sam@dora.example", "own address")]
    assert page.events[0].text == "Changed: sender addresses"
    assert (page.create_account_url, page.create_alias_url) == ("", "")
    boss = address_page(world.dora, "boss@dora.example")
    assert [sender.login for sender in boss.senders] == ["sam@dora.example"]


def test_the_senders_are_those_of_the_lookup(world: Cast) -> None:
    update_account(world.root, Account.objects.get(pk=world.sam.pk), sender_addresses=("@dora.example",))
    asked = [
        *(
            "sam@dora.example",
            "nobody@dora.example",
            "info@dora.example",
            "sales@dora.example",
            "@dora.example",
        ),
        *("sam+x@dora.example", "disabled@dora.example", "late@dora.example", "nobody@mallory.example"),
    ]
    for address in asked:
        domain = address.partition("@")[2]
        keys = (address, without_extension(address), f"@{domain}")
        answers = (LOOKUPS["sender-login-mailboxes"](key) for key in keys)
        expected = set(next(filter(None, answers), []))
        assert {sender.login for sender in address_page(world.root, address).senders} == expected, address


def test_a_free_address_offers_to_make_it_an_account_or_an_alias(world: Cast) -> None:
    page = address_page(world.dora, "new@dora.example")
    assert page.what is What.NOBODY
    assert page.create_account_url.endswith("/admin/accounts/new/?address=new%40dora.example")
    assert page.create_alias_url.endswith("/admin/aliases/new/?address=new%40dora.example")
    assert address_page(world.dora, "@dora.example").create_account_url == ""
    assert address_page(world.dora, "new@too.example").create_alias_url == ""


def _visible(page: AddressPage) -> list[object]:
    """Everything that the page says, without the address itself."""
    domain = unicode_domain(page.address.partition("@")[2])
    lines = [
        (step.code, [text.replace(domain, "…") for text in step.sentences], step.end) for step in page.steps
    ]
    return [page.what, page.domain, page.mailbox, page.person, page.alias, page.summary, lines, page.senders,
            page.leading, page.events, page.used_bytes]  # fmt: skip


@pytest.mark.any_engine
@pytest.mark.parametrize("person", ["mallory", "rita"])
@pytest.mark.parametrize("local", ["sam", "sam+x", "info", "nobody", "closed", "mover", "before", ""])
def test_an_address_in_a_domain_of_others_looks_like_one_that_does_not_exist(
    person: str, local: str, world: Cast
) -> None:
    actor: Actor = world.everybody[person]
    for theirs in ("dora.example", "too.example", "xn--bcher-kva.example", "off.example"):
        there = address_page(actor, f"{local}@{theirs}")
        nowhere = address_page(actor, f"{local}@nowhere.example")
        assert there.what is What.NOT_KNOWN
        # mallory's own catch-all leads to info@dora.example: that alias is hers to see, and nothing behind it.
        if (person, local, theirs) != ("mallory", "info", "dora.example"):
            assert _visible(there) == _visible(nowhere)


def test_the_way_stops_where_the_domains_of_others_begin(world: Cast) -> None:
    page = address_page(world.mallory, "anybody@mallory.example")
    assert [(step.depth, step.address, step.code) for step in page.steps] == [
        (0, "anybody@mallory.example", "catch_all"),
        (1, "info@dora.example", "beyond"),
        (1, "mallory@mallory.example", "mailbox"),
    ]
    assert "sam@dora.example" not in str(page)


def test_an_account_above_the_reader_is_a_mailbox_without_a_person(world: Cast) -> None:
    create_accounts(
        world.root,
        [
            AccountSpec(
                username="boss@dora.example",
                role="SuperAdmins",  # type: ignore[arg-type]  # a role by its name
                first_name="Bea",
                password=PASSWORD,
                mailbox=MailboxSpec(address="boss@dora.example"),
            )
        ],
    )
    page = address_page(world.dora, "boss@dora.example")
    assert (page.what, page.person, page.account_url) == (What.MAILBOX, None, "")
    assert address_page(world.root, "boss@dora.example").person is not None


def test_a_way_longer_than_shown_says_so(cast: Cast) -> None:
    create_aliases(cast.root, [AliasSpec(address="a0@dora.example", recipients=("sam@dora.example",))])
    for number in range(1, 7):
        recipients = (f"a{number - 1}@dora.example",)
        create_aliases(cast.root, [AliasSpec(address=f"a{number}@dora.example", recipients=recipients)])
    page = address_page(cast.root, "a6@dora.example")
    assert page.steps[-1].code == "unfollowed"
    assert page.summary == "The way is longer than shown."
    with statements() as run:
        address_page(cast.root, "a6@dora.example")
    assert len(run) <= STATEMENTS


def test_tables_that_are_out_of_date_are_not_explained_away(cast: Cast) -> None:
    MailUser.objects.filter(address="sam@dora.example").delete()
    assert address_page(cast.root, "sam@dora.example").steps[0].code == "unexplained"
    MailRoute.objects.filter(address="sam@dora.example").delete()
    assert address_page(cast.root, "sam@dora.example").steps[0].code == "unexplained"


def test_a_thousand_recipients_cost_no_more_than_two(cast: Cast) -> None:
    recipients = tuple(f"r{number}@elsewhere.example" for number in range(1_000))
    create_aliases(
        cast.root,
        [
            AliasSpec(address="few@dora.example", recipients=recipients[:2]),
            AliasSpec(address="many@dora.example", recipients=recipients),
        ],
    )
    with statements() as few:
        address_page(cast.root, "few@dora.example")
    with statements() as many:
        page = address_page(cast.root, "many@dora.example")
    assert len(few) == len(many) <= STATEMENTS
    assert len(page.steps) == 51
    assert page.steps[0].sentences[-1] == "950 more recipients are not shown."


def test_every_page_stays_below_its_number_of_statements(world: Cast) -> None:
    for typed in CASES:
        with statements() as run:
            address_page(world.dora, canonical_address(typed))
        assert len(run) <= STATEMENTS, typed


def test_a_deleted_domain_is_a_foreign_one_again(world: Cast) -> None:
    Domain.objects.filter(name="nowhere.example").delete()
    assert address_page(world.root, "x@nowhere.example").what is What.NOT_KNOWN
