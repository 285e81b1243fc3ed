"""The real servers and the Python side of the lookups agree: the exact row or nothing, never an error.

`MODOBOA_TEST_KEYS` sets how many keys each map is asked for; bin/ask-maps asks for as many as a night allows.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from admin import lookups, publication
from admin.lookups import Lookup, Mailboxes, postfix_maps
from admin.models import (
    Account,
    Alias,
    Domain,
    MailboxOperation,
    MailCheck,
    MailDomain,
    MailRoute,
    MailSender,
    MailTransport,
    MailUser,
)
from admin.operations import (
    AccountSpec,
    AliasSpec,
    DomainSpec,
    MailboxSpec,
    create_accounts,
    create_aliases,
    create_domains,
    update_account,
    update_alias,
    update_domain,
)
from core.actor import Actor
from relaydomains.operations import RelaySpec, start_relaying
from tests.cast import PASSWORD
from tests.mail.panel import Panel
from tests.servers import userdb
from tests.servers.database import Database, Engine
from tests.servers.owner import mailbox_owner
from tests.servers.packages import program
from tests.servers.processes import run
from tests.servers.stack import MailStack

KEYS = int(os.environ.get("MODOBOA_TEST_KEYS", "5000"))
# Of the keys without a row, one in so many is also looked up by the Python side of the lookup.
SAMPLE = 20
SEED = 20_261_122
# What a local part and what may stand behind a key without being it.
LOCAL_PARTS = ("sam", "a.b", "a-b", "_x", "0", "info", "o.brien", "k" * 64)
SPOILERS = (
    "'",
    '"',
    "\\",
    "\\'",
    "' OR '1'='1",
    "'; DROP TABLE mail_user; --",
    "%s",
    "%u",
    "%d",
    "%%",
    "%27",
    "$u",
    "${user}",
    ";",
    "--",
    "/*",
    "`",
    " ",
    "\t",
    ".",
    "+tag",
    "é",
    "ß",
    "\u0301",
    "\u212a",  # the Kelvin sign, which folds to k
    "\u017f",  # the long s, which folds to s
    "\u0130",  # the Turkish dotted capital I, which folds to i and a dot
    "😀",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\uff41",  # a full-width a
    "*",
    "?",
    "=",
    ",",
    "|",
    "<>",
    "{}",
    "()",
    "@",
    "\u2028",  # line ends to Unicode, not to Postfix
    "\x85",
    "\x0b",
    "x" * 300,
)
INVALID = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf")


@pytest.fixture(scope="module")
def published(panel: Panel) -> list[str]:
    """Something of everything, as the operations derive it; the keys that have rows in any published table."""
    root = panel.root
    names = [f"d{number}-agreement.example" for number in range(6)] + ["bücher-agreement.example"]
    specs = [DomainSpec(name=name, aliases=(f"alias-{name}",)) for name in names]
    domains = [domain.name for domain in create_domains(root, specs)]
    people = [
        AccountSpec(
            username=f"{local}@{domain}",
            password=PASSWORD,
            mailbox=MailboxSpec(
                address=f"{local}@{domain}",
                quota=10,
                sender_addresses=(f"{local}@partner.test", f"@{domain}"),
            ),
        )
        for domain in domains
        for local in LOCAL_PARTS
    ]
    create_accounts(root, people)
    soon = timezone.now() + timedelta(days=1)
    aliases = create_aliases(
        root,
        [
            spec
            for domain in domains
            for spec in (
                AliasSpec(address=f"alias@{domain}", recipients=(f"sam@{domain}", f"a.b@{domain}")),
                AliasSpec(address=f"o'brien@{domain}", recipients=(f"o.brien@{domain}",), expire_at=soon),
                AliasSpec(address=f"x&y=z@{domain}", recipients=("else@elsewhere.test",)),
                AliasSpec(address=f"late@{domain}", recipients=(f"sam@{domain}",), expire_at=soon),
                AliasSpec(address=f"0@{domain}", recipients=("'\"@elsewhere.test".replace("'\"", "x'y"),)),
                AliasSpec(address=f"@{domain}", recipients=(f"_x@{domain}",)),
            )
        ],
    )
    expire([alias for alias in aliases if alias.address.startswith("late@")])
    update_account(root, Account.objects.get(username=f"a-b@{domains[0]}"), is_active=False)
    update_alias(root, Alias.objects.get(address=f"alias@{domains[1]}"), enabled=False)
    update_domain(root, Domain.objects.get(name=domains[2]), enabled=False)
    relay(root, [domains[4], domains[5]])
    move(f"info@{domains[3]}", f"moved@{domains[3]}")
    columns = (
        (MailDomain, "name"),
        *((model, "address") for model in (MailRoute, MailUser, MailSender, MailTransport, MailCheck)),
    )
    keys = {key for model, column in columns for key in model.objects.values_list(column, flat=True)}
    return sorted(key for key in keys if re.search(r"agreement|partner\.test", key))


def relay(root: Actor, names: Sequence[str]) -> None:
    """Two domains with people, aliases and other names become relay domains; one asks its host for recipients."""
    hosts = ("192.0.2.1", "2001:db8::1")
    start_relaying(
        root,
        [
            RelaySpec(
                domain=Domain.objects.get(name=name),
                target_host=host,
                target_port=25 + n,
                verify_recipients=n == 1,
            )
            for n, (name, host) in enumerate(zip(names, hosts, strict=True))
        ],
    )


def expire(aliases: Iterable[Alias]) -> None:
    """Let time pass, which no operation can do."""
    before = timezone.now() - timedelta(seconds=5)
    with transaction.atomic():
        for alias in aliases:
            alias.expire_at = before
            alias.save()
        publication.publish(publication.Keys(addresses={alias.address for alias in aliases}))


def move(old: str, new: str) -> None:
    kind = MailboxOperation.Kind.RENAME
    with transaction.atomic():
        MailboxOperation.objects.create(kind=kind, mailbox_id=1, old_address=old, new_address=new, source="x")
        publication.publish(publication.Keys(addresses={old, new}))


def generated_keys(published: Sequence[str], seed: str) -> list[bytes]:
    """Known keys, known keys that are spoiled a little, and noise; the same ones in every run."""
    chance = random.Random(f"{SEED} {seed}")
    keys = {key.encode() for key in published} | {key.upper().encode() for key in published}
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: spoiled(chance, chance.choice(published)).encode(),
        lambda: spoiled(chance, spoiled(chance, chance.choice(published))).encode(),
        lambda: recased(chance, chance.choice(published)).encode(),
        lambda: chance.choice(published).partition("@")[2].encode() or b"@",
        lambda: b"@" + chance.choice(published).rpartition("@")[2].encode(),
        lambda: b"".join((chance.choice(published).encode(), chance.choice(INVALID))),
        lambda: chance.choice(INVALID) + chance.choice(published).encode(),
        lambda: "".join(chance.choices(SPOILERS, k=chance.randint(1, 6))).encode(),
        lambda: bytes(chance.choice(range(1, 256)) for _ in range(chance.randint(1, 80))).replace(b"\n", b""),
    )
    while len(keys) < KEYS:
        keys.add(chance.choice(kinds)() or b"x")
    some = sorted(keys)
    chance.shuffle(some)
    return some


def spoiled(chance: random.Random, key: str) -> str:
    """The key with something put in at a random place, or with a character less."""
    place = chance.randint(0, len(key))
    if chance.random() < 0.1:
        return key[:place] + key[place + 1 :]
    return key[:place] + chance.choice(SPOILERS) + key[place:]


def recased(chance: random.Random, key: str) -> str:
    return "".join(chance.choice((character.lower(), character.upper())) for character in key)


# --- Postfix ----------------------------------------------------------------------------------------------------


def folded_by_postfix(key: bytes, engine: Engine) -> str | None:
    """What reaches the database; None where Postfix finds nothing without asking it.

    Postfix (UTF-8 support is on by default) refuses a key that is not UTF-8 and applies Unicode's case folding:
    ß is ss, the Kelvin sign k. Before 3.8 it calls a PostgreSQL client's text LATIN1, whatever it is: a key that
    is not ASCII then finds nothing.
    """
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    text = text.casefold()
    if engine is Engine.POSTGRESQL and not text.isascii() and postfix_version() < (3, 8):
        return None
    return text


@cache
def postfix_version() -> tuple[int, int]:
    text = run([program("postconf"), "-d", "-h", "mail_version"]).stdout.decode()
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def python_answers(
    lookup: Lookup, keys: Sequence[bytes], rows: Sequence[str], engine: Engine
) -> dict[bytes, set[str]]:
    """What the Python side says of each key; a key without a row of its own has no answer, whatever it is like."""
    known, answers = set(rows), {}
    for number, key in enumerate(keys):
        text = folded_by_postfix(key, engine)
        asked = text is not None and (text in known or number % SAMPLE == 0)
        answers[key] = set(lookup.answer(text)) if asked and text is not None else set()
    return answers


LOOKUPS = [each for each in postfix_maps() if isinstance(each, Lookup)]


@pytest.mark.parametrize("lookup", LOOKUPS, ids=lambda lookup: lookup.name)
def test_postmap_agrees(stack: MailStack, database: Database, published: list[str], lookup: Lookup) -> None:
    keys = generated_keys(published, lookup.name)
    answers = stack.postmap_many(lookup.file_name, keys)
    found = {key: split_answer(lookup, given) for key, given in zip(keys, answers, strict=True)}
    expected = python_answers(lookup, keys, published, database.engine)
    assert found == expected
    assert len(keys) >= KEYS
    assert any(expected.values())
    assert not all(expected.values())


def split_answer(lookup: Lookup, given: str | None) -> set[str]:
    """Postfix joins several rows with commas; texts that we wrote ourselves may hold some."""
    if given is None:
        return set()
    return {given} if lookup.name in {"maintain", "spliteddomains-transport"} else set(given.split(","))


# --- Dovecot ----------------------------------------------------------------------------------------------------

# Dovecot's default auth_username_chars: a name with another character is nobody's, before any query.
LOGIN = re.compile(rb"[A-Za-z0-9._@-]+")


SERVICES = pytest.mark.parametrize("service", ["doveadm", "lmtp"])


@SERVICES
def test_the_userdb_of_dovecot_23_agrees(
    stack: MailStack, ground: Path, published: list[str], service: str
) -> None:
    check_userdb(stack, ground, userdb_rows(published), "userdb", service)


@SERVICES
def test_the_userdb_of_dovecot_24_agrees(
    stack_24: MailStack, ground: Path, published: list[str], service: str
) -> None:
    check_userdb(stack_24, ground, userdb_rows(published), "userdb-2.4", service)


def userdb_rows(published: list[str]) -> list[str]:
    """Those in other names of domains, too: they have no row of their own."""
    people = [key for key in published if key.partition("@")[0] in LOCAL_PARTS]
    return [*published, *(key.replace("@", "@alias-") for key in people)]


def check_userdb(stack: MailStack, ground: Path, rows: list[str], seed: str, service: str) -> None:
    keys, known = generated_keys(rows, seed), {key.lower().encode() for key in rows}
    found = userdb.users(stack.dovecot.directory / "run" / "auth-userdb", keys, service=service)
    answers = [
        python_user(key, ground, service) if key.lower() in known or number % SAMPLE == 0 else None
        for number, key in enumerate(keys)
    ]
    assert list(map(known_fields, found)) == list(map(known_fields, answers))
    for key, user, wanted in zip(keys, found, answers, strict=True):
        if user and wanted and user != userdb.TEMPORARY:
            assert user["user"] == wanted.get("user", key.decode().lower())
    others = sum("user" in answer for answer in answers if answer)
    assert others > 40 if service == "lmtp" else not others
    assert sum(answer is not None for answer in found) > 40 + others


def known_fields(user: dict[str, str] | None) -> dict[str, str] | None:
    """Without what Dovecot adds by itself; the quota as version 2.3 has it."""
    if user is None or user == userdb.TEMPORARY:
        return user
    if "quota_storage_size" in user:
        user = {**user, "quota_rule": f"*:bytes={user['quota_storage_size']}"}
    return {name: user[name] for name in ("home", "uid", "gid", "quota_rule")}


def python_user(key: bytes, ground: Path, service: str) -> dict[str, str] | None:
    if not LOGIN.fullmatch(key):
        return None
    owner = mailbox_owner()
    mailboxes = Mailboxes(str(ground / "mail"), str(owner.pw_uid), str(owner.pw_gid))
    ask = lookups.delivery_user if service == "lmtp" else lookups.dovecot_user
    return ask(key.decode(), mailboxes)


def test_the_socket_says_what_doveadm_says(stack: MailStack, published: list[str]) -> None:
    """A sample, so that nothing depends on our reading of the protocol."""
    sample = [key for key in published if "@" in key and key.isascii() and not {"*", "?", "'"} & set(key)][
        :12
    ]
    found = userdb.users(stack.dovecot.directory / "run" / "auth-userdb", [key.encode() for key in sample])
    by_doveadm = [stack.doveadm_user(key) for key in sample]
    assert list(map(known_fields, found)) == list(map(known_fields, by_doveadm))
    assert any(found)


@pytest.mark.usefixtures("published")
def test_dovecot_lists_everybody_who_may_sign_in(each_stack: MailStack) -> None:
    listed = set(each_stack.doveadm("user", "*").split())
    assert listed == set(MailUser.objects.filter(is_moving=False).values_list("address", flat=True))
    assert listed
