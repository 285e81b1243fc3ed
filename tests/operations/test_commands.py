"""Commands do what the operations do, say what went wrong in one line per reason, and then write nothing."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError, models, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from admin import publication
from admin.models import (
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    Mailbox,
    MailRoute,
    MailUser,
    SenderAddress,
)
from core.commands import PanelCommand
from core.models import Log, User
from core.roles import Role
from tests.cast import PASSWORD, Cast, first_super_admin


@pytest.fixture(autouse=True)
def _without_passwords_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODOBOA_ACCOUNT_PASSWORD", raising=False)
    monkeypatch.delenv("MODOBOA_ADMIN_PASSWORD", raising=False)


def run(*words: str, **options: Any) -> str:
    """What a command prints."""
    output = StringIO()
    call_command(*words, stdout=output, **options)
    return output.getvalue()


def content() -> dict[str, int]:
    """How many rows every table of ours has."""
    tables: tuple[type[models.Model], ...] = (
        *(User, Domain, DomainAlias, Mailbox, Alias, AliasRecipient, SenderAddress),
        *(MailUser, MailRoute, Log),
    )
    return {model.__name__: model._default_manager.count() for model in tables}


def refused(*words: str) -> list[str]:
    """The lines of a refusal; nothing was written."""
    before, output = content(), StringIO()
    with pytest.raises(CommandError) as caught, transaction.atomic():
        call_command(*words, stdout=output)
    assert caught.value.returncode == 1
    assert output.getvalue() == ""
    assert content() == before
    return str(caught.value).splitlines()


def signs_in(name: str, password: str) -> bool:
    answer = Client().post(reverse("core:sign_in"), {"username": name, "password": password})
    return answer.status_code == 302


# --- creating -----------------------------------------------------------------------------------------------------


def test_create_domain_takes_the_fields_of_a_domain(cast: Cast) -> None:
    words = ("create_domain", "Bücher.example", "--quota=100", "--default-mailbox-quota=10", "--disabled")
    assert run(*words, "--alias=a.example", "--alias=b.example") == ""
    domain = Domain.objects.get(name="xn--bcher-kva.example")
    assert (domain.quota, domain.default_mailbox_quota) == (100, 10)
    assert not domain.enabled
    assert set(domain.aliases.values_list("name", flat=True)) == {"a.example", "b.example"}
    assert domain.owner == cast.root.user


def test_create_domain_alias(cast: Cast) -> None:
    run("create_domain_alias", "other.example", cast.dora_example.name)
    run("create_domain_alias", "off.example", cast.dora_example.name, "--disabled")
    assert dict(cast.dora_example.aliases.values_list("name", "enabled")) == {
        "other.example": True,
        "off.example": False,
    }


def test_create_account_prints_a_random_password_once_and_it_signs_in(cast: Cast) -> None:
    password = run("create_account", "Nina@dora.example", "--quota=5", "--sender=nina@partner.test").strip()
    assert password
    assert signs_in("nina@dora.example", password)
    mailbox = Mailbox.objects.get(user__username="nina@dora.example")
    assert (mailbox.quota, mailbox.use_domain_quota) == (5, False)
    assert mailbox.sender_addresses.get().address == "nina@partner.test"
    assert password not in "".join(map(str, Log.objects.values_list()))
    assert not list(publication.drift())
    del cast


def test_create_account_takes_a_password_from_the_environment_and_does_not_repeat_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODOBOA_ACCOUNT_PASSWORD", "From-Environment-1")
    assert run("create_account", "nina@dora.example") == ""
    assert signs_in("nina@dora.example", "From-Environment-1")
    del cast


def test_create_account_asks_for_a_password(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.management.commands.create_account.getpass", lambda _prompt: "Typed-Secret-1")
    assert run("create_account", "nina@dora.example", "--ask-password") == ""
    assert signs_in("nina@dora.example", "Typed-Secret-1")
    del cast


def test_create_account_makes_administrators(cast: Cast) -> None:
    run("create_account", "anna", f"--role={Role.DOMAIN_ADMIN}", "--administers=dora.example")
    run("create_account", "rick@dora.example", f"--role={Role.RESELLER}", "--no-mailbox", "--disabled")
    anna, rick = User.objects.get(username="anna"), User.objects.get(username="rick@dora.example")
    assert cast.dora_example.administrators.filter(pk=anna.pk).exists()
    assert not Mailbox.objects.filter(user__in=[anna.pk, rick.pk]).exists()
    assert (rick.role, rick.is_active) == (Role.RESELLER, False)


def test_create_alias_takes_recipients_and_an_expiry(cast: Cast) -> None:
    run(
        "create_alias",
        "info@dora.example",
        "sam@dora.example",
        "x@elsewhere.test",
        "--expires=2099-01-31T18:00",
    )
    run("create_alias", "@dora.example", "sam@dora.example", "--disabled", "--description=rest")
    info, rest = Alias.objects.get(address="info@dora.example"), Alias.objects.get(address="@dora.example")
    assert set(info.recipients.values_list("address", flat=True)) == {"sam@dora.example", "x@elsewhere.test"}
    assert info.expire_at is not None
    assert info.expire_at.isoformat() == "2099-01-31T18:00:00+00:00"
    assert (rest.enabled, rest.description) == (False, "rest")
    del cast


def test_a_command_acts_as_the_account_it_names(cast: Cast) -> None:
    run("create_domain", "new.example", "--as=rita")
    assert Domain.objects.get(name="new.example").owner == cast.rita.user
    entry = Log.objects.get(verb="domain.create", object_name="new.example")
    assert (entry.actor_name, entry.credential, entry.address) == ("rita", "command", None)
    assert refused("create_domain", "other.example", "--as=sam@dora.example") == [
        "This account may not do that."
    ]
    assert refused("create_domain", "other.example", "--as=ghost") == ["There is no active account ghost."]
    # Somebody else's domain is one that does not exist.
    assert "dora.example" in refused("create_alias", "x@dora.example", "y@z.test", "--as=rita")[0]


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (("create_domain", "dora.example"), ["name"]),
        (("create_domain", "not a domain"), ["name"]),
        (("create_domain", "x.example", "--quota=-1"), ["quota"]),
        (("create_domain", "x.example", "--quota=5", "--default-mailbox-quota=6"), ["default_mailbox_quota"]),
        (
            ("create_domain", "not a domain", "--quota=-1", "--alias=dora.example"),
            ["aliases", "name", "quota"],
        ),
        (("create_domain_alias", "dora.example", "mallory.example"), ["name"]),
        (("create_domain_alias", "x.example", "nowhere.example"), ["target"]),
        (("create_account", "sam@dora.example"), ["address"]),
        (("create_account", "sam@nowhere.example"), ["address"]),
        (("create_account", "'; DROP TABLE core_user; --@dora.example"), ["address", "username"]),
        (("create_account", "x@dora.example", "--quota=-5"), ["quota"]),
        (("create_account", "plain"), ["address"]),
        (("create_account", "x@dora.example", "--sender=no-address"), ["sender_addresses"]),
        (("create_alias", "sam@dora.example/../x", "a@b.example"), ["address"]),
        (("create_alias", "info@nowhere.example", "a@b.example"), ["address"]),
        (
            ("create_alias", "info@dora.example", "ghost@dora.example", "no address"),
            ["recipients", "recipients"],
        ),
        (
            ("create_alias", "info@dora.example", "sam@dora.example", "--expires=2001-01-01T00:00"),
            ["expire_at"],
        ),
        (("create_alias", "info@dora.example", "sam@dora.example", "--expires=soon"), ["expires"]),
        (
            ("create_alias", "info@dora.example", "sam@dora.example", "--expires=2026-13-45T00:00"),
            ["expires"],
        ),
    ],
)
def test_every_reason_is_a_line_that_begins_with_its_field(
    cast: Cast, words: tuple[str, ...], fields: list[str]
) -> None:
    lines = refused(*words)
    assert sorted(line.partition(":")[0] for line in lines) == fields
    assert all(line.partition(": ")[2] for line in lines)
    del cast


def test_a_weak_password_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODOBOA_ACCOUNT_PASSWORD", "short")
    lines = refused("create_account", "nina@dora.example")
    assert {line.partition(":")[0] for line in lines} == {"password"}
    assert not any("short" in line.split() for line in lines)
    del cast


@pytest.mark.django_db
def test_without_a_super_administrator_nobody_can_act() -> None:
    assert "load_initial_data" in refused("create_domain", "a.example")[0]


@pytest.mark.parametrize(
    "words",
    [
        ("create_domain",),
        ("create_account", "x@dora.example", "--role=King"),
        ("create_alias", "x@dora.example"),
        ("create_account", "x@dora.example", "--quota=much"),
        ("modo", "publish"),
        ("modo", "publish", "--check", "--rebuild"),
        ("modo", "nonsense"),
    ],
)
def test_wrong_usage_is_told_before_anything_happens(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command(*words)


# --- the first account --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_load_initial_data_prints_a_random_password_and_does_nothing_the_second_time() -> None:
    words = run("load_initial_data").split()
    assert "admin," in words
    assert signs_in("admin", words[-1])
    before = content()
    assert run("load_initial_data") == ""
    assert run("load_initial_data", "--admin-username=second") == ""
    assert content() == before
    admin = User.objects.get()
    assert (admin.username, admin.role, admin.owner_id) == ("admin", Role.SUPER_ADMIN, admin.pk)


@pytest.mark.django_db
def test_the_known_password_is_for_debug_mode_only(settings: Settings) -> None:
    run("load_initial_data")
    assert not User.objects.get().check_password("password")
    User.objects.update(owner=None)
    User.objects.all().delete()
    settings.DEBUG = True
    run("load_initial_data")
    assert User.objects.get().check_password("password")


@pytest.mark.django_db
def test_the_first_password_may_come_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text("From-A-File-1\nsecond line\n")
    monkeypatch.setenv("MODOBOA_ADMIN_PASSWORD", "From-Environment-1")
    assert run("load_initial_data", f"--admin-password-file={file}", "--admin-username=Boss") == ""
    assert signs_in("boss", "From-A-File-1")
    User.objects.update(owner=None)
    User.objects.all().delete()
    assert run("load_initial_data") == ""
    assert signs_in("admin", "From-Environment-1")


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["password\n", "12345678901234\n", "kurz\n", "admin-admin\n"])
def test_a_weak_first_password_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    assert len(refused("load_initial_data", f"--admin-password-file={file}")) == 1
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_password_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\n")
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for file in (tmp_path / "missing", tmp_path, binary, empty):
        assert str(file) in refused("load_initial_data", f"--admin-password-file={file}")[0]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", "two words", "a/b", "x\ny", "n" * 300])
def test_a_name_that_cannot_sign_in_is_refused(name: str) -> None:
    assert len(refused("load_initial_data", f"--admin-username={name}")) == 1


# --- the rest -------------------------------------------------------------------------------------------------------


def test_publish_finds_and_repairs_what_somebody_broke(cast: Cast) -> None:
    assert run("modo", "publish", "--check") == ""
    MailUser.objects.filter(address="sam@dora.example").delete()
    MailRoute.objects.create(address="ghost@dora.example", targets="ghost@dora.example", ends_here=True)
    output = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("modo", "publish", "--check", stdout=output)
    assert caught.value.returncode == 1
    assert "2 rows" in str(caught.value)
    assert set(output.getvalue().splitlines()) == {
        "+ mail_user sam@dora.example",
        "- mail_route ghost@dora.example -> ghost@dora.example",
    }
    assert not MailUser.objects.filter(address="sam@dora.example").exists()
    assert "2 rows" in run("modo", "publish", "--rebuild")
    assert run("modo", "publish", "--rebuild") == ""
    assert run("modo", "publish", "--check") == ""
    del cast


def test_only_super_administrators_publish(cast: Cast) -> None:
    assert refused("modo", "publish", "--rebuild", "--as=dora@dora.example") == [
        "This account may not do that."
    ]
    del cast


def test_serve_refuses_outside_debug_mode() -> None:
    with pytest.raises(CommandError, match="MODOBOA_DEBUG"):
        call_command("serve")


@pytest.mark.django_db
def test_the_password_of_the_cast_is_a_good_one() -> None:
    """Else the refusals above would prove nothing."""
    assert signs_in(first_super_admin().user.username, PASSWORD)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationalError(2003, "Can't connect to MySQL server"), "does not answer"),
        (OperationalError("connection refused"), "does not answer"),
        (OperationalError(1142, "SELECT command denied to user"), "refused"),
        (ProgrammingError("permission denied for table core_user"), "refused"),
        (OperationalError(), "does not answer"),
    ],
)
def test_a_database_that_says_no_is_told_from_one_that_is_silent(error: Exception, said: str) -> None:
    class Broken(PanelCommand):
        def handle(self, **_options: object) -> None:
            raise error

    with pytest.raises(CommandError, match=said):
        call_command(Broken())
