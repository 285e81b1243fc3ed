"""Imports: everything or nothing, every fault at once, and nobody creates what a form would refuse him."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.dispatch import receiver
from pytest_django import Settings

from admin import publication
from admin.imports import running
from admin.imports.files import CsvFile, Layout
from admin.imports.report import Outcome, Report
from admin.imports.row_types import Options, columns
from admin.imports.running import Cancelled, Changed, Import, Incomplete, Unwatched
from admin.models import Account, Alias, Domain, DomainAlias, Mailbox
from admin.operations import create_alias, create_domain
from core.actor import Actor
from core.models import User
from core.passwords import hash_password, verify_password
from core.roles import Role
from limits.kinds import Kind
from limits.operations import Grant, grant, recount
from modoboa.admin.signals import import_object
from parameters.operations import update_parameters
from relaydomains.models import RelayDomain
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import nothing_written

pytestmark = pytest.mark.django_db

HASH = hash_password(PASSWORD, "sha512crypt", 1_000)
HASHED = Options()
CLEAR = Options(crypt_password=True)
EVERYTHING = f"""
alias;'@new.example;true;jo@new.example
alias;team@new.example;true;jo@new.example;x@out.example;all@new.example
account;Jo@new.example;{HASH};Jo;Doe;yes;SimpleUsers;jo@New.example;100
account;chief;{HASH};;;1;DomainAdmins;;;new.example;also.example
account;mia@new.example;{HASH};Mia;"Do; e";TRUE;SimpleUsers;mia@new.example;;
account;nil@new.example;{HASH};;;y;SimpleUsers;nil@new.example;0
forward;mia@new.example;false;mia@new.example;x@out.example
dlist;all@new.example;true;jo@new.example;mia@new.example
domainalias;second.example;new.example;true
domain;new.example;1000;50;true
domain;also.example;0;0;no
relaydomain;relayed.example;192.0.2.9;2525;relay;true;yes
"""


@contextmanager
def importing(
    actor: Actor, text: str, options: Options = HASHED, watch: Unwatched | None = None, **layout: Any
) -> Iterator[Import]:
    with CsvFile(columns(), Layout(**layout)) as source, Report() as report:
        source.add(io.BytesIO(text.encode()), "people.csv")
        yield Import(actor, source, options, report, watch)


def plan(actor: Actor, text: str, options: Options = HASHED, **layout: Any) -> list[tuple[int, str, str]]:
    """Line, outcome and code of every line; nothing is written."""
    with nothing_written(), importing(actor, text, options, **layout) as work:
        work.plan()
        return [(line.line, line.outcome.value, line.code) for line in work.report.lines()]


def reasons(actor: Actor, text: str, options: Options = HASHED) -> list[tuple[int, int, str]]:
    """Line, cell and code of everything that is wrong."""
    with nothing_written(), importing(actor, text, options) as work:
        work.plan()
        lines = list(work.report.lines(Outcome.REFUSED))
        told = [
            (line.line, cell, code, message)
            for line in lines
            for cell, code, message in work.report.reasons(line)
        ]
        assert all(message for *_place, message in told)
        return [(line, cell, code) for line, cell, code, _message in told]


def apply(actor: Actor, text: str, options: Options = HASHED, **how: Any) -> dict[str, int]:
    """Import it; how many lines of each outcome."""
    with importing(actor, text, options) as work:
        work.apply(**how)
        return {outcome.value: work.report.total(outcome) for outcome in Outcome}


def modo_import(*words: str) -> tuple[str, str]:
    """What the command prints, on both outputs; raises CommandError."""
    output, errors = io.StringIO(), io.StringIO()
    call_command("modo", "import", *words, stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


# --- what comes out ----------------------------------------------------------------------------------------------


def test_every_type_in_any_order(cast: Cast) -> None:
    assert apply(cast.root, EVERYTHING) == {"created": 12, "skipped": 0, "refused": 0}
    new, also = Domain.objects.get(name="new.example"), Domain.objects.get(name="also.example")
    assert (new.quota, new.default_mailbox_quota, new.enabled, new.owner_id) == (1000, 50, True, cast.root.pk)
    assert not also.enabled
    assert DomainAlias.objects.get(name="second.example").target == new
    relay = RelayDomain.objects.get(domain__name="relayed.example")
    assert (relay.target_host, relay.target_port, relay.verify_recipients) == ("192.0.2.9", 2525, True)
    boxes = {box.full_address: box for box in Mailbox.objects.filter(domain=new).select_related("domain")}
    quotas = {name.partition("@")[0]: (box.quota, box.use_domain_quota) for name, box in boxes.items()}
    assert quotas == {"jo": (100, False), "mia": (50, True), "nil": (0, False)}
    chief = Account.objects.get(username="chief")
    assert (chief.role, chief.email, chief.owner_id) == (Role.DOMAIN_ADMIN, "", cast.root.pk)
    assert set(chief.administered_domains.values_list("name", flat=True)) == {"new.example", "also.example"}
    mia = Account.objects.get(username="mia@new.example")
    assert (mia.first_name, mia.last_name, mia.is_active, mia.password) == ("Mia", "Do; e", True, HASH)
    recipients = {
        a.address: {r.address for r in a.recipients.all()} for a in Alias.objects.filter(domain=new)
    }
    assert recipients == {
        "@new.example": {"jo@new.example"},
        "team@new.example": {"jo@new.example", "x@out.example", "all@new.example"},
        "mia@new.example": {"mia@new.example", "x@out.example"},
        "all@new.example": {"jo@new.example", "mia@new.example"},
    }
    assert not Alias.objects.get(address="mia@new.example").enabled
    assert not list(publication.drift())


def test_the_old_order_of_lines_means_the_same(cast: Cast) -> None:
    lines = EVERYTHING.strip().splitlines()
    order = ("domain;", "domainalias", "relaydomain", "account", "forward", "dlist", "alias")
    in_order = sorted(
        lines, key=lambda line: next(n for n, kind in enumerate(order) if line.startswith(kind))
    )
    assert apply(cast.root, "\n".join(in_order))["created"] == 12


def test_passwords_that_are_clear_are_hashed_as_they_are(cast: Cast) -> None:
    text = (
        "account;a@dora.example;Correct-Horse-9;;;true;SimpleUsers;a@dora.example\n"
        "account;b@dora.example;{PLAIN}Correct-Horse-9;;;true;SimpleUsers;b@dora.example\n"
    )
    with importing(cast.root, text, CLEAR) as work:
        work.apply()
        assert [code for *_place, code, _message in work.report.warnings()] == ["looks_hashed"]
    a, b = (User.objects.get(username=f"{name}@dora.example") for name in "ab")
    assert verify_password("Correct-Horse-9", a.password)
    assert verify_password("{PLAIN}Correct-Horse-9", b.password)
    assert not verify_password("Correct-Horse-9", b.password)


GOOD_HASHES = (
    "{CRYPT}$6$rounds=1000$saltsalt$" + "a" * 86,
    "{SHA512-CRYPT}$6$saltsalt$" + "a" * 86,
    "{sha256-crypt}$5$saltsalt$" + "a" * 43,
    "{MD5-CRYPT}$1$saltsalt$" + "a" * 22,
    "{BLF-CRYPT}$2y$05$" + "a" * 21 + "." + "a" * 30 + ".",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "{SSHA}" + "MTIzNDU2Nzg5MDEyMzQ1Njc4OTBzYWx0",
    "{PLAIN-MD5}0123456789abcdef0123456789abcdef",
    "{CRYPT}!" + "a" * 40,
)
BAD_HASHES = (
    *(
        "",
        "clear",
        "$6$saltsalt$" + "a" * 86,
        "{PLAIN}clear",
        "{CLEARTEXT}clear",
        "{CRAM-MD5}0123",
        "{NOPE}x",
    ),
    *("{SHA512-CRYPT}", "{SHA512-CRYPT}clear", "{SHA512-CRYPT}$6$rounds=999999999$saltsalt$" + "a" * 86),
    *(
        "{BLF-CRYPT}$2y$31$" + "a" * 53,
        "{MD5}0123",
        "{CRYPT}!",
        "{ARGON2ID}$argon2id$v=19$m=9999999,t=3,p=1$a$b",
    ),
    "{SHA512-CRYPT}$6$saltsalt$" + "a" * 86 + " " * 300 + "x",
)


@pytest.mark.parametrize("stored", GOOD_HASHES)
def test_a_hash_of_a_known_scheme_is_taken_over(cast: Cast, stored: str) -> None:
    apply(cast.root, f"account;a@dora.example;{stored};;;true;SimpleUsers;a@dora.example")
    assert User.objects.get(username="a@dora.example").password == stored


@pytest.mark.parametrize("stored", BAD_HASHES)
def test_what_is_no_hash_is_refused(cast: Cast, stored: str) -> None:
    text = f"account;a@dora.example;{stored};;;true;SimpleUsers;a@dora.example"
    assert reasons(cast.root, text) == [(1, 3, "hash_unacceptable")]


# --- faults ------------------------------------------------------------------------------------------------------


FAULTS = """domain;dora.example;0;0;true
domain;x.example;many;;true
domain;y.example;0;0
domainalias;z.example;nowhere.example;true
account;dora2;Correct-Horse-9;;;true;Emperor
account;short@dora.example;abc;;;true;SimpleUsers;short@dora.example;x
account;other@dora.example;Correct-Horse-9;;;true;SimpleUsers;sam2@dora.example
account;fine@dora.example;Correct-Horse-9;;;true;SimpleUsers;fine@dora.example
alias;fine2@dora.example;true;nobody@dora.example
alias;empty@dora.example;true
alias;circle@dora.example;true;ring@dora.example
alias;ring@dora.example;true;circle@dora.example
spam;x
account;"open
domain;w.example;0;0;true;what
"""


def test_all_faults_are_told_at_once_with_line_and_column(cast: Cast) -> None:
    assert reasons(cast.root, FAULTS, CLEAR) == [
        (1, 2, "exists"),
        (2, 3, "not_a_number"),
        (2, 4, "not_a_number"),
        (3, 5, "cell_missing"),
        (4, 3, "unknown_domain"),
        (5, 7, "unknown_role"),
        (6, 9, "not_a_number"),
        (7, 2, "name_is_not_address"),
        (9, 4, "unknown_recipient"),
        (10, 4, "no_recipient"),
        (11, 4, "loop"),
        (12, 4, "loop"),
        (13, 1, "unknown_type"),
        (14, 0, "quote_open"),
        (15, 6, "cell_unknown"),
    ]


def test_a_refused_line_undoes_the_others(cast: Cast) -> None:
    with nothing_written(), importing(cast.root, FAULTS, CLEAR) as work, pytest.raises(Incomplete):
        work.apply()
    assert apply(cast.root, FAULTS, CLEAR, skip_errors=True) == {"created": 1, "skipped": 0, "refused": 14}
    again = Options(crypt_password=True, continue_if_exists=True)
    with nothing_written():
        assert apply(cast.root, FAULTS, again, skip_errors=True) == {
            "created": 0,
            "skipped": 2,
            "refused": 13,
        }


def test_what_exists_is_skipped_and_nothing_else(cast: Cast) -> None:
    apply(cast.root, EVERYTHING)
    assert {code for _line, _outcome, code in plan(cast.root, EVERYTHING)} == {"exists"}
    skipping = Options(continue_if_exists=True)
    with nothing_written():
        assert apply(cast.root, EVERYTHING, skipping) == {"created": 0, "skipped": 12, "refused": 0}
    # An alias has the name: that is no domain, and no account.
    create_alias(cast.root, address="jo@dora.example", recipients=("x@out.example",))
    text = (
        f"domain;second.example;0;0;true\naccount;jo@dora.example;{HASH};;;true;SimpleUsers;jo@dora.example"
    )
    assert reasons(cast.root, text, skipping) == [(1, 2, "name_taken"), (2, 8, "address_taken")]


def test_of_two_lines_with_one_name_the_first_counts(cast: Cast) -> None:
    text = "alias;t@dora.example;true;x@out.example\nalias;T@DORA.example;true;y@out.example"
    assert plan(cast.root, text) == [(1, "created", ""), (2, "refused", "repeated")]
    assert plan(cast.root, text, Options(continue_if_exists=True))[1] == (2, "skipped", "repeated")


@pytest.mark.parametrize(("strict", "outcome"), [(True, "refused"), (False, "created")])
def test_a_misspelt_word_means_no_unless_it_is_refused(cast: Cast, *, strict: bool, outcome: str) -> None:
    text = "domain;x.example;0;0;ture"
    assert plan(cast.root, text, Options(strict=strict)) == [(1, outcome, "not_a_boolean" if strict else "")]
    with importing(cast.root, text, Options(strict=strict)) as work:
        work.plan()
        warned = [(line, cell, code) for line, cell, code, _message in work.report.warnings()]
        assert warned == ([] if strict else [(1, 5, "not_a_boolean")])
    for word, truth in (("", False), ("0", False), ("No", False), ("YES", True), ("y", True), ("1", True)):
        apply(cast.root, f"domain;{word or 'blank'}.example;0;0;{word};", Options(strict=True))
        assert Domain.objects.get(name=f"{(word or 'blank').lower()}.example").enabled is truth


# --- chunks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_CHUNK", 2)


@pytest.mark.usefixtures("_small_chunks")
def test_aliases_wait_for_each_other_across_chunks(cast: Cast) -> None:
    chain = [f"alias;a{n}@dora.example;true;a{n + 1}@dora.example" for n in range(9)]
    assert apply(cast.root, "\n".join([*chain, "alias;a9@dora.example;true;x@out.example"]))["created"] == 10
    lost = [line.replace("@dora", "@mallory") for line in chain]
    assert {code for *_place, code in reasons(cast.root, "\n".join(lost))} == {"unknown_recipient"}


@pytest.mark.usefixtures("_small_chunks")
def test_small_chunks_come_to_the_same(cast: Cast) -> None:
    found = reasons(cast.root, FAULTS, CLEAR)
    assert [line for line, *_rest in found] == [1, 2, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15]
    assert apply(cast.root, EVERYTHING)["created"] == 12


def _random_line(chance: Random) -> str:
    """Out of so few names that lines mean, hide and contradict each other."""
    domains = ("new.example", "also.example", "third.example", "dora.example", "relayed.example")
    domain = chance.choice(domains)
    person = f"{chance.choice('abcdefgh')}{chance.randrange(12)}@{domain}"
    yes = chance.choice(("true", "true", "no"))
    quota = chance.choice(("", "0", "5", "50", "500"))
    recipients = [
        f"{chance.choice('abcdefgh')}{chance.randrange(12)}@{chance.choice((*domains, 'out.example'))}"
        for _recipient in range(chance.randrange(1, 4))
    ]
    role = chance.choice(("SimpleUsers", "SimpleUsers", "SimpleUsers", "DomainAdmins", "Resellers"))
    right = domain if role == "DomainAdmins" else ""
    address = person if role == "SimpleUsers" or chance.random() < 0.5 else ""
    alias = chance.choice((person, person, f"{person.partition('@')[0]}+x@{domain}", f"@{domain}"))
    return chance.choices(
        (
            f"domain;{domain};{chance.choice(('0', '400'))};{chance.choice(('0', '40'))};{yes}",
            f"domainalias;{chance.choice('xyz')}.{domain};{domain};{yes}",
            f"relaydomain;{domain};mx.relay.example;25;relay;{yes};{chance.choice(('true', 'no'))}",
            f"account;{person};{HASH};Jo;\\N\\;{yes};{role};{address};{quota};{right}",
            f"alias;{alias};{yes};{';'.join(recipients)}",
            f"forward;{person};{yes};{person};{recipients[0]}",
        ),
        (3, 2, 1, 40, 15, 5),
    )[0]


@pytest.mark.parametrize("chunk", [3, 4_000])
def test_random_files_leave_every_table_in_step(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """MODOBOA_TEST_EXAMPLES=100 for more, and others."""
    monkeypatch.setattr(running, "_CHUNK", chunk)
    wanted = os.environ.get("MODOBOA_TEST_EXAMPLES")
    for number in range(int(wanted or 2)):
        chance = Random() if wanted else Random(number)
        text = "\n".join(_random_line(chance) for _line in range(chance.choice((20, 150, 400))))
        point, created = transaction.savepoint(), 0
        for _twice in range(2):
            with importing(cast.root, text, Options(continue_if_exists=True)) as work:
                work.plan()
                planned = work.report.digest()
                work.apply(skip_errors=True, planned=planned)
                created = work.report.total(Outcome.CREATED)
            assert not list(publication.drift()), text
            assert recount() == [], text
        assert not created, "the second time all is there"
        transaction.savepoint_rollback(point)


# --- who may -----------------------------------------------------------------------------------------------------


def people(names: Sequence[str], domain: str, role: str = "SimpleUsers") -> str:
    return "\n".join(
        f"account;{name}@{domain};Correct-Horse-9;;;true;{role};{name}@{domain};10" for name in names
    )


@pytest.mark.parametrize(
    ("who", "line", "code"),
    [
        ("rita", "account;a@reseller.example;{hash};;;true;SimpleUsers;a@reseller.example", "hash_not_yours"),
        ("dora", "domain;new.example;0;0;true", "permission_denied"),
        ("dora", "domainalias;new.example;dora.example;true", "permission_denied"),
        ("dora", "relaydomain;new.example;mx.example.net;25;relay;true;true", "permission_denied"),
        ("sam", "alias;x@dora.example;true;x@out.example", "permission_denied"),
        ("sam", "spam;x", "unknown_type"),
    ],
)
def test_a_role_is_told_what_it_may_not(cast: Cast, who: str, line: str, code: str) -> None:
    found = reasons(cast.everybody[who], line.format(hash=HASH))
    assert [each for *_place, each in found] == [code]


@pytest.mark.parametrize(
    ("who", "line", "codes"),
    [
        ("rita", "account;a;Correct-Horse-9;;;true;SuperAdmins", {"role_not_yours"}),
        ("rita", "account;a;Correct-Horse-9;;;true;Resellers", {"role_not_yours"}),
        ("rita", "account;a;Correct-Horse-9;;;true;DomainAdmins;;;dora.example", {"unknown_domain"}),
        ("rita", "domainalias;new.example;dora.example;true", {"unknown_domain"}),
        ("rita", "domain;dora.example;0;0;true", {"name_taken"}),
        ("rita", "relaydomain;new.example;127.0.0.1;25;relay;true;true", {"target_private"}),
        (
            "dora",
            "account;a@mallory.example;Correct-Horse-9;;;true;SimpleUsers;a@mallory.example",
            {"unknown_domain"},
        ),
        (
            "dora",
            "account;a@dora.example;Correct-Horse-9;;;true;DomainAdmins;a@dora.example",
            {"role_not_yours"},
        ),
        ("dora", "account;mallory@mallory.example;Correct-Horse-9;;;true;SimpleUsers;x@dora.example", None),
        ("dora", "alias;a@mallory.example;true;x@out.example", {"unknown_domain"}),
        ("dora", "alias;a@dora.example;true;x@out.example", set()),
        ("dora", "account;a@dora.example;Correct-Horse-9;;;true;SimpleUsers;a@dora.example", set()),
    ],
)
def test_nobody_imports_what_a_form_would_refuse_him(
    cast: Cast, who: str, line: str, codes: set[str] | None
) -> None:
    found = {code for *_place, code in reasons(cast.everybody[who], line, CLEAR)}
    assert found == codes if codes is not None else found


def test_limits_stop_an_import_at_the_line_where_they_are_reached(cast: Cast) -> None:
    update_parameters(cast.root, {"limits": {"enable_admin_limits": True}})
    grant(cast.root, [Grant(account=cast.dora.user, limits={Kind.MAILBOXES: 5})])
    used = Mailbox.objects.filter(owner=cast.dora.pk).count()
    text = people([f"u{n}" for n in range(10)], "dora.example")
    found = plan(cast.dora, text, CLEAR)
    fit = 5 - used
    assert [outcome for _line, outcome, _code in found] == ["created"] * fit + ["refused"] * (10 - fit)
    assert {code for _line, _outcome, code in found} == {"", "limit_reached"}
    with importing(cast.dora, text, CLEAR) as work:
        effects = work.plan()
    before, after = next(pair for pair in effects.resources if pair[0].usage.kind is Kind.MAILBOXES)
    assert (before.usage.used, after.usage.used) == (used, 5)


def test_a_domain_gives_no_more_than_it_has(cast: Cast) -> None:
    create_domain(cast.root, name="small.example", quota=35, default_mailbox_quota=5)
    text = people([f"u{n}" for n in range(9)], "small.example")
    text += "\naccount;tiny@small.example;Correct-Horse-9;;;true;SimpleUsers;tiny@small.example;5"
    found = plan(cast.dora, text, CLEAR)
    assert {code for _line, _outcome, code in found} == {"unknown_domain"}
    outcomes = [(outcome, code) for _line, outcome, code in plan(cast.rita, text, CLEAR)]
    assert set(outcomes) == {("refused", "unknown_domain")}
    with importing(cast.root, text, CLEAR) as work:
        effects = work.plan()
    assert [(each.name, each.quota) for each in effects.storage] == [("small.example", 35)]
    assert effects.storage[0].percent == min(100, effects.storage[0].given * 100 // 35)


# --- the world, the watcher, plugins -----------------------------------------------------------------------------


def test_a_plan_holds_only_while_the_world_does(cast: Cast) -> None:
    text = "alias;t@dora.example;true;x@out.example"
    with importing(cast.root, text) as work:
        work.plan()
        planned = work.report.digest()
        create_alias(cast.root, address="t@dora.example", recipients=("y@out.example",))
        with nothing_written(), pytest.raises(Changed):
            work.apply(skip_errors=True, planned=planned)
    Alias.objects.get(address="t@dora.example")


@pytest.mark.parametrize("when", ["while lines are counted", "in the middle"])
def test_who_cancels_leaves_nothing(cast: Cast, when: str) -> None:
    class Impatient(Unwatched):
        def advance(self, lines: int) -> None:
            if lines or when == "while lines are counted":
                raise Cancelled

    with (
        nothing_written(),
        importing(cast.root, EVERYTHING, watch=Impatient()) as work,
        pytest.raises(Cancelled),
    ):
        work.apply()


def test_a_plugin_imports_lines_of_its_own(cast: Cast) -> None:
    seen: list[object] = []

    def import_note(user: User, row: Sequence[str], formopts: dict[str, Any]) -> None:
        seen.append((user.username, list(row), formopts["continue_if_exists"]))
        Domain.objects.filter(name="dora.example").update(enable_dns_checks=False)
        if row[1] == "bad":
            raise ValueError("not this one")  # noqa: TRY003  a plugin's way

    @receiver(import_object)
    def functions(sender: object, objtype: str, **_sent: object) -> object:
        assert sender is None
        return import_note if objtype == "note" else None

    assert reasons(cast.root, "note;bad\nnote;good\n") == [(1, 0, "plugin")]
    assert apply(cast.root, "note;good;x\n")["created"] == 1
    assert seen[-1] == ("root", ["note", "good", "x"], False)
    assert not Domain.objects.get(name="dora.example").enable_dns_checks


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command_imports_several_files(cast: Cast, tmp_path: Path) -> None:
    assert cast.root.pk
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("alias;t@new.example;true;x@out.example\n")
    second.write_text("\ufeffdomain,new.example,0,0,true\r\n", encoding="utf-8", newline="")
    with pytest.raises(CommandError):
        modo_import(str(first))
    output, errors = modo_import(str(first), str(second))
    assert output.splitlines() == ["created: 1 alias, 1 domain"]
    assert errors == ""


def test_the_command_lists_every_bad_line_and_fails(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(FAULTS)
    with nothing_written(), pytest.raises(CommandError, match="Nothing was imported"):
        modo_import("--crypt-password", str(path))
    with pytest.raises(CommandError, match="14 lines were refused"):
        modo_import("--crypt-password", "--skip-errors", str(path))
    assert cast.root.pk
    assert Account.objects.filter(username="fine@dora.example").exists()


def test_the_command_shows_the_plan(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("domain;a.example;0;0;maybe\nalias;x@a.example;true;x@out.example\n")
    assert cast.root.pk
    with nothing_written():
        output, errors = modo_import("--dry-run", str(path))
    assert output.splitlines() == [
        "line 1 to be created domain a.example no limit of storage",
        "line 2 to be created alias x@a.example to x@out.example",
        "to be created: 1 alias, 1 domain",
    ]
    assert errors.splitlines() == [
        "warning: line 1, column 5: “maybe” is neither yes nor no; it was taken for no."
    ]


def test_the_command_names_what_it_cannot_read(cast: Cast, tmp_path: Path, settings: Settings) -> None:
    assert cast.root.pk
    settings.DEBUG = False
    with pytest.raises(CommandError, match="file not found"):
        modo_import(str(tmp_path / "none.csv"))
    (tmp_path / "a.csv").write_bytes(b"domain;\xff\n")
    with pytest.raises(CommandError, match="line 1: this is not UTF-8"):
        modo_import(str(tmp_path / "a.csv"))
    with pytest.raises(CommandError, match="NAME=MEANING"):
        modo_import("--column", "x", str(tmp_path / "a.csv"))
