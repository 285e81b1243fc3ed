"""CSV files: what stands in them, in an order in which it can be made again, however much it is."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin.bulk_changes import MOST, Kind
from admin.exports import identity_rows as identities_exported
from admin.exports.domain_rows import domain_rows
from admin.exports.identity_rows import identity_rows
from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias, Mailbox
from admin.operations import (
    AccountSpec,
    AliasSpec,
    DomainAliasSpec,
    MailboxSpec,
    create_account,
    create_accounts,
    create_alias,
    create_aliases,
    create_domain,
    create_domain_aliases,
    update_alias,
    update_domain,
)
from core import spreadsheets, streaming
from core.models import User
from core.roles import Role
from core.spreadsheets import Row, csv_bytes
from relaydomains.models import Service
from relaydomains.operations import create_relay_domain
from tests.cast import PASSWORD, Cast, first_super_admin
from tests.operations.test_directories import TOP, environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from core.actor import Actor

ELSEWHERE = "x@elsewhere.example"
HASH = "{SHA512-CRYPT}$6$rounds=70000$0123456789abcdef$" + "x" * 86


def texts(rows: Iterable[Row]) -> list[str]:
    """Rows in few letters."""
    return [";".join(row) for row in rows]


def run(*words: str) -> str:
    """What the command prints."""
    output = io.StringIO()
    call_command("modo", "export", *words, stdout=output)
    return output.getvalue()


def without_hashes(rows: Iterable[Row]) -> list[str]:
    return texts((*row[:2], "", *row[3:]) if row[0] == "account" else row for row in rows)


# --- what stands in it -----------------------------------------------------------------------------------------


def test_a_domain_is_followed_by_its_aliases(cast: Cast) -> None:
    specs = [
        DomainAliasSpec(name=name, target="dora.example", enabled=name != "b.test")
        for name in ("b.test", "a.test")
    ]
    create_domain_aliases(cast.root, specs)
    create_domain(cast.root, name="bücher.example", enabled=False)
    assert texts(domain_rows(cast.root)) == [
        "domain;dora.example;102400;100;True",
        "domainalias;a.test;dora.example;True",
        "domainalias;b.test;dora.example;False",
        "domain;mallory.example;0;0;True",
        "domain;reseller.example;0;0;True",
        "domain;xn--bcher-kva.example;0;0;False",
    ]


def test_a_relay_domain_keeps_its_settings_and_has_quotas_only_when_they_say_something(cast: Cast) -> None:
    create_relay_domain(
        cast.root, name="a-relay.example", target_host="9.9.9.9", target_port=2525, aliases=("a-relay.test",)
    )
    create_relay_domain(
        cast.root,
        name="b-relay.example",
        target_host="mx.elsewhere.example",
        service="smtp",
        verify_recipients=True,
        enabled=False,
        default_mailbox_quota=20,
    )
    assert [line for line in texts(domain_rows(cast.root)) if "relay" in line] == [
        "relaydomain;a-relay.example;9.9.9.9;2525;relay;True;False",
        "domainalias;a-relay.test;a-relay.example;True",
        "relaydomain;b-relay.example;mx.elsewhere.example;25;smtp;False;True;0;20",
    ]


def test_an_account_says_how_its_quota_came_about_and_what_it_administers(cast: Cast) -> None:
    for name, quota in (("own@dora.example", 7), ("none@mallory.example", 0)):
        create_account(
            cast.root, username=name, password=PASSWORD, mailbox=MailboxSpec(address=name, quota=quota)
        )
    create_account(
        cast.root,
        username="both",
        password=PASSWORD,
        first_name="Zoë",
        last_name="Müller",
        is_active=False,
        role=Role.DOMAIN_ADMIN,
        administers=("mallory.example", "dora.example"),
    )
    assert without_hashes(identity_rows(cast.root)) == [
        "account;both;;Zoë;Müller;False;DomainAdmins;;;dora.example;mallory.example",
        "account;dora@dora.example;;;;True;DomainAdmins;dora@dora.example;;dora.example",
        "account;mallory@mallory.example;;;;True;DomainAdmins;mallory@mallory.example;;mallory.example",
        "account;none@mallory.example;;;;True;SimpleUsers;none@mallory.example;0",
        "account;own@dora.example;;;;True;SimpleUsers;own@dora.example;7",
        "account;rita;;;;True;Resellers",
        "account;root;;;;True;SuperAdmins",
        "account;sam@dora.example;;;;True;SimpleUsers;sam@dora.example",
    ]


def test_domains_that_a_reseller_owns_are_not_named_but_those_that_others_let_him_administer_are(
    cast: Cast,
) -> None:
    cast.dora_example.administrators.add(cast.rita.pk)
    (row,) = (row for row in identity_rows(cast.root) if row[1] == "rita")
    assert row[3:] == ("", "", "True", "Resellers", "", "", "dora.example")


def test_an_alias_lists_its_recipients_and_nothing_internal_is_written(cast: Cast) -> None:
    create_alias(
        cast.root, address="info@dora.example", recipients=("sam@dora.example", ELSEWHERE, "a@a.test")
    )
    create_alias(cast.root, address="@dora.example", recipients=("sam@dora.example",), enabled=False)
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example", ELSEWHERE))
    assert texts(row for row in identity_rows(cast.root) if row[0] != "account") == [
        "alias;@dora.example;False;sam@dora.example",
        "alias;info@dora.example;True;a@a.test;sam@dora.example;x@elsewhere.example",
        "alias;sam@dora.example;True;sam@dora.example;x@elsewhere.example",
    ]


def test_what_has_expired_does_not_come_to_life_again(cast: Cast) -> None:
    alias = create_alias(cast.root, address="info@dora.example", recipients=(ELSEWHERE,))
    for days, enabled in ((1, "True"), (-1, "False")):
        Alias.objects.filter(pk=alias.pk).update(expire_at=timezone.now() + timedelta(days=days))
        assert texts(identity_rows(cast.root))[-1] == f"alias;info@dora.example;{enabled};{ELSEWHERE}"


# --- for whom --------------------------------------------------------------------------------------------------


def test_only_super_administrators_get_hashes_and_nobody_else_reads_them(cast: Cast) -> None:
    stored = dict(User.objects.values_list("username", "password"))
    assert {row[1]: row[2] for row in identity_rows(cast.root)} == stored
    for actor in (cast.rita, cast.dora, cast.mallory):
        with CaptureQueriesContext(connection) as queries:
            assert {row[2] for row in identity_rows(actor)} == {""}
        assert not any('"password"' in q["sql"] or "`password`" in q["sql"] for q in queries)


def test_everybody_gets_what_he_sees(cast: Cast) -> None:
    create_relay_domain(cast.root, name="relay.example", target_host="9.9.9.9", aliases=("relay.test",))
    create_domain_aliases(cast.root, [DomainAliasSpec(name="m.test", target="mallory.example")])
    for domain in ("dora.example", "mallory.example"):
        create_alias(cast.root, address=f"info@{domain}", recipients=(ELSEWHERE,))
    seen = {name: names(actor) for name, actor in cast.everybody.items()}
    assert seen == {
        "root": {
            *("dora.example", "mallory.example", "m.test", "relay.example", "relay.test", "reseller.example"),
            *("dora@dora.example", "mallory@mallory.example", "rita", "root", "sam@dora.example"),
            *("info@dora.example", "info@mallory.example"),
        },
        "rita": {"reseller.example", "rita"},
        "dora": {"dora.example", "dora@dora.example", "sam@dora.example", "info@dora.example"},
        "sam": {"sam@dora.example"},
        "mallory": {"mallory.example", "m.test", "mallory@mallory.example", "info@mallory.example"},
    }


def names(actor: Actor) -> set[str]:
    return {row[1] for row in (*domain_rows(actor), *identity_rows(actor))}


def test_administered_domains_that_somebody_does_not_see_are_not_told(cast: Cast) -> None:
    cast.mallory_example.administrators.add(cast.dora.pk)
    administered = {
        name: row[9:]
        for name in ("root", "mallory", "dora")
        for row in identity_rows(cast.everybody[name])
        if row[1] == "dora@dora.example"
    }
    both = ("dora.example", "mallory.example")
    assert administered == {"root": both, "dora": both}  # mallory does not see dora's mailbox
    cast.dora_example.administrators.add(cast.mallory.pk)
    cast.reseller_example.administrators.add(cast.mallory.pk)
    (row,) = (row for row in identity_rows(cast.dora) if row[1] == "mallory@mallory.example")
    assert row[9:] == both


def test_ids_and_filters_choose_among_what_is_seen(cast: Cast) -> None:
    ids = {
        Kind.DOMAIN: (cast.dora_example.pk, cast.mallory_example.pk),
        Kind.ACCOUNT: (cast.sam.pk, cast.mallory.pk),
    }
    alias = create_alias(cast.root, address="info@mallory.example", recipients=(ELSEWHERE,))
    assert [row[1] for row in domain_rows(cast.dora, ids=ids)] == ["dora.example"]
    assert [row[1] for row in identity_rows(cast.dora, ids=ids)] == ["sam@dora.example"]
    chosen = {Kind.ALIAS: (alias.pk,)}
    assert [row[1] for row in identity_rows(cast.root, ids=chosen)] == ["info@mallory.example"]
    keys = {pk for model in (Domain, Account, Alias) for pk in model.objects.values_list("pk", flat=True)}
    as_many = dict.fromkeys(Kind, (*keys, *range(10**9, 10**9 + MOST)))
    assert list(domain_rows(cast.root, ids=as_many)) == list(domain_rows(cast.root))
    assert list(identity_rows(cast.root, ids=as_many)) == list(identity_rows(cast.root))
    assert list(identity_rows(cast.root, ids={})) == list(domain_rows(cast.root, ids={})) == []
    assert [row[1] for row in domain_rows(cast.root, {"q": "mallory"})] == ["mallory.example"]
    found = identity_rows(cast.root, {"domain": "mallory.example", "kind": "account"})
    assert [row[1] for row in found] == ["mallory@mallory.example"]


# --- order -----------------------------------------------------------------------------------------------------


def test_aliases_come_after_those_that_they_deliver_to(cast: Cast) -> None:
    ways = {
        "d@dora.example": ("sam@dora.example",),
        "c@dora.example": ("d@dora.example", "sam@dora.example"),
        "b@dora.example": ("c@dora.example", "d@dora.example"),
        "a@dora.example": ("b@dora.example",),
        "e@dora.example": ("sam+x@dora.example", "d+x@dora.example"),
        "f@dora.example": (ELSEWHERE,),
    }
    create_aliases(cast.root, [AliasSpec(address=a, recipients=r) for a, r in ways.items()])
    found = [row[1][0] for row in identity_rows(cast.root) if row[0] == "alias"]
    assert found == ["d", "f", "c", "e", "b", "a"]


@pytest.mark.any_engine
def test_what_goes_round_in_circles_is_written_all_the_same(cast: Cast) -> None:
    made = create_aliases(
        cast.root,
        [AliasSpec(address=f"{name}@dora.example", recipients=(ELSEWHERE,)) for name in "abcdefg"],
    )
    a, b, c, d, e, f, g = (alias.pk for alias in made)
    # a, b and c in a circle, to which d leads; e leads to itself, f to g.
    for alias, target in ((a, b), (b, c), (c, a), (d, a), (e, e), (f, g)):
        AliasRecipient.objects.filter(alias=alias).update(target_alias=target)
    found = [row[1][0] for row in identity_rows(cast.root) if row[0] == "alias"]
    assert found == ["e", "g", "f", "a", "b", "c", "d"]


def test_an_alias_that_begins_to_lead_to_another_meanwhile_is_written_once(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_CHUNK", 1)
    made = create_aliases(
        cast.root, [AliasSpec(address=f"{name}@dora.example", recipients=(ELSEWHERE,)) for name in "abc"]
    )
    update_alias(cast.root, made[1], recipients=("a@dora.example",))
    rows = (row for row in identity_rows(cast.root) if row[0] == "alias")
    first = next(rows)
    update_alias(cast.root, made[1], recipients=(ELSEWHERE,))
    update_alias(cast.root, made[2], recipients=("a@dora.example",))
    assert sorted(row[1][0] for row in (first, *rows)) == ["a", "b", "c"]


@pytest.mark.parametrize("order", ["as exported", "backwards"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "x"])
def test_what_is_imported_into_an_empty_panel_is_exported_the_same(
    cast: Cast, tmp_path: Path, separator: str, order: str
) -> None:
    _furnish(cast)
    before = _exported(cast.root, separator)
    _empty(cast.root)
    for name, content in before.items():
        lines = content.splitlines(keepends=True)
        (tmp_path / name).write_bytes(b"".join(lines if order == "as exported" else reversed(lines)))
    files = [str(tmp_path / name) for name in before]
    if order == "backwards":
        files.reverse()
    # The one who imports is in the file, too.
    call_command(
        "modo", "import", "--continue-if-exists", "--sepchar", separator, *files, stdout=io.StringIO()
    )
    assert _exported(cast.root, separator) == before


def _empty(actor: Actor) -> None:
    """Nobody is left but one."""
    kept = {ContentType, Permission, Service}
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.managed and not model._meta.proxy and model not in kept:
                but = f" WHERE id <> {actor.pk}" if model is User else ""
                cursor.execute(f"DELETE FROM {model._meta.db_table}{but}")  # noqa: S608  names of a model's own


def _furnish(cast: Cast) -> None:
    """Some of everything, some of it with names that a spreadsheet would run."""
    root = cast.root
    create_relay_domain(root, name="a-relay.example", target_host="9.9.9.9", aliases=("a-relay.test",))
    create_relay_domain(root, name="z.example", target_host="9.9.9.9", quota=50, default_mailbox_quota=5)
    create_domain_aliases(root, [DomainAliasSpec(name="a.test", target="dora.example", enabled=False)])
    specs = [
        AccountSpec(
            username=f"p{n}@z.example",
            first_name=name,
            mailbox=MailboxSpec(address=f"p{n}@z.example", quota=n),
        )
        for n, name in enumerate(("=1+1", "'=1+1", "@x", 'the; "boss"'), start=1)
    ]
    create_accounts(
        root, [*specs, AccountSpec(username="zack", role=Role.DOMAIN_ADMIN, administers=("z.example",))]
    )
    aliases = {
        "a@dora.example": ("b@dora.example", "x@local.test"),
        "b@dora.example": ("z@dora.example",),
        "z@dora.example": ("sam+x@dora.example",),
        "sam@dora.example": ("sam@dora.example", ELSEWHERE),
        "@dora.example": ("p1@z.example",),
        "p1@z.example": ("a@dora.example", "nobody@z.example"),
        "c@z.example": ("c@z.example",),
    }
    create_aliases(root, [AliasSpec(address=a, recipients=r) for a, r in aliases.items()])
    update_domain(root, cast.mallory_example, enabled=False)


def _exported(actor: Actor, separator: str = ";") -> dict[str, bytes]:
    return {
        "domains": b"".join(csv_bytes(domain_rows(actor), separator)),
        "identities": b"".join(csv_bytes(identity_rows(actor), separator)),
    }


def _make_account(actor: Actor, name: str, secret: str, *cells: str) -> None:
    first, last, enabled, role, *rest = cells
    address, quota, *administered = (*rest, "", "")[: max(2, len(rest))]
    account = create_account(
        actor,
        username=name,
        first_name=first,
        last_name=last,
        is_active=enabled == "True",
        role=Role(role),
        mailbox=MailboxSpec(address=address, quota=int(quota) if quota else None) if address else None,
        administers=tuple(administered),
    ).account
    Account.objects.filter(pk=account.pk).update(password=secret)


# --- however much it is ----------------------------------------------------------------------------------------


def _domains(cast: Cast, first: int, last: int) -> None:
    """Written without the operations, each with an alias."""
    del cast
    for some in _hundreds(first, last):
        domains = Domain.objects.bulk_create(Domain(name=f"d{n:06}.example") for n in some)
        DomainAlias.objects.bulk_create(DomainAlias(name=f"{d.name}.test", target=d) for d in domains)


def _identities(cast: Cast, first: int, last: int) -> None:
    """As many accounts as aliases, with everything that can stand in their rows."""
    home, through = cast.dora_example, Domain.administrators.through
    for some in _hundreds(first, last):
        people = Account.objects.bulk_create(
            Account(username=f"p{n:06}", email=f"p{n:06}@dora.example", password=HASH, role=Role.DOMAIN_ADMIN)
            for n in some
        )
        Mailbox.objects.bulk_create(
            Mailbox(address=person.username, domain=home, user=person) for person in people
        )
        through.objects.bulk_create(through(domain=home, user_id=person.pk) for person in people)
        aliases = Alias.objects.bulk_create(Alias(address=f"a{n:06}@dora.example", domain=home) for n in some)
        AliasRecipient.objects.bulk_create(
            AliasRecipient(alias=alias, address=ELSEWHERE) for alias in aliases
        )


def _hundreds(first: int, last: int) -> Iterator[range]:
    return (range(n, min(n + 500, last)) for n in range(first, last, 500))


EXPORTS = pytest.mark.parametrize(
    ("exported", "crowd"),
    [(domain_rows, _domains), (identity_rows, _identities)],
    ids=["domains", "identities"],
)


def _statements(actor: Actor, exported: Any) -> tuple[int, int]:
    """How many rows, and how many statements they cost."""
    with CaptureQueriesContext(connection) as queries:
        rows = sum(1 for _row in exported(actor))
    return rows, len(queries)


@EXPORTS
def test_every_thousand_rows_cost_the_same_few_statements(
    cast: Cast, exported: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With chunks of 100 instead of 1,000."""
    monkeypatch.setattr(streaming, "_CHUNK", 100)
    crowd(cast, 0, 100)
    costs = [_statements(cast.root, exported)]
    for number in (1, 2):
        crowd(cast, 100 * number, 100 * (number + 1))
        costs.append(_statements(cast.root, exported))
    (few, first), (more, second), (most, third) = costs
    assert most - more == more - few == 200
    assert third - second == second - first <= 6


@EXPORTS
def test_memory_does_not_grow_with_the_number_of_rows(
    cast: Cast, exported: Any, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of everything: chunks of 100 rows, 200 of them and 2,000."""
    monkeypatch.setattr(streaming, "_CHUNK", 100)
    monkeypatch.setattr(spreadsheets, "_ROWS_AT_ONCE", 100)
    crowd(cast, 0, 200)
    with_few = _peak(cast.root, exported)
    crowd(cast, 200, 2_000)
    assert _peak(cast.root, exported) < with_few + 100_000


def _peak(actor: Actor, exported: Any) -> int:
    """Bytes at most, beyond what was there before."""
    tracemalloc.start()
    try:
        for _piece in csv_bytes(exported(actor)):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- the command -----------------------------------------------------------------------------------------------


def test_the_command_writes_everything_with_the_separator_asked_for(cast: Cast) -> None:
    _furnish(cast)
    assert run("domains").encode() == _exported(cast.root)["domains"]
    assert run("identities").encode() == _exported(cast.root)["identities"]
    last = run("domains", r"--sepchar=\t").splitlines()[-1]
    assert last == "relaydomain z.example 9.9.9.9 25 relay True False 50 5".replace(" ", "\t")


def test_the_command_can_act_as_somebody_else(cast: Cast) -> None:
    assert run("domains", f"--as={cast.dora}") == "domain;dora.example;102400;100;True\r\n"
    for what in ("domains", "identities"):
        with pytest.raises(CommandError, match="may not"):
            run(what, f"--as={cast.sam}")


@pytest.mark.parametrize("text", ["", ";;", '"', "\n"])
def test_the_command_refuses_what_separates_nothing(cast: Cast, text: str) -> None:
    with pytest.raises(CommandError, match="one visible character"):
        run("domains", f"--sepchar={text}")
    del cast


def test_a_file_is_for_its_owner_alone_and_replaces_what_was_there(cast: Cast, tmp_path: Path) -> None:
    place = tmp_path / "identities.csv"
    place.write_text("before")
    place.chmod(0o644)
    assert run("identities", f"--output={place}") == ""
    assert place.read_bytes() == _exported(cast.root)["identities"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [place]


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "identities.csv"
    place.write_text("before")

    def full(*_args: object) -> Iterator[Row]:
        yield from islice(identity_rows(cast.root), 2)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(identities_exported, "_alias_rows", full)
    with pytest.raises(CommandError, match="no space left"):
        run("identities", f"--output={place}")
    with pytest.raises(CommandError, match="is a directory"):
        run("identities", f"--output={tmp_path}")
    with pytest.raises(CommandError, match="no such file"):
        run("identities", f"--output={tmp_path / 'none' / 'x.csv'}")
    assert place.read_text() == "before"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.any_engine
@pytest.mark.usefixtures("transactional_db")
def test_whoever_reads_only_the_beginning_hears_no_complaint() -> None:
    first_super_admin()
    Domain.objects.bulk_create(
        Domain(name=f"d{n:06}.example") for n in range(9_000)
    )  # more than a pipe holds
    process = subprocess.Popen(
        [sys.executable, "manage.py", "modo", "export", "domains"],
        cwd=TOP,
        env=environment() | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"domain;d000000.example;0;0;True\r\n"
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
