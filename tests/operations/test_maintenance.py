"""What timers and people at the terminal run: old events, unused accounts, the name of the site, repairs."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from admin import publication
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    DomainName,
    Mailbox,
    MailboxOperation,
    MailUser,
)
from admin.operations import DomainAliasSpec, create_alias, create_domain_aliases, repairing
from admin.operations.forwards import set_own_forward
from core.actor import Actor, Credential
from core.models import Log, User
from core.operations.cleaning import delete_old_events
from core.repair import Problem
from core.roles import Role
from limits.models import Allowance
from limits.operations import recount
from parameters.operations import update_parameters
from tests.cast import Cast
from tests.operations.evidence import nothing_written
from tests.operations.people import person


def run(*words: str) -> str:
    """What a command prints."""
    output = StringIO()
    call_command(*words, stdout=output)
    return output.getvalue()


def ago(**values: int) -> datetime:
    return timezone.now() - timedelta(**values)


# --- cleanlogs --------------------------------------------------------------------------------------------------


def event(**values: Any) -> Log:
    return Log.objects.create(level="INFO", logger="modoboa.admin", message="something", **values)


def test_events_are_deleted_when_they_are_older_than_the_parameter_says(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"log_maximum_age": 10}})
    old, young = event(date_created=ago(days=11)), event(date_created=ago(days=9))
    before = Log.objects.count()
    assert run("cleanlogs") == ""
    assert not Log.objects.filter(pk=old.pk).exists()
    assert Log.objects.filter(pk=young.pk).exists()
    assert Log.objects.count() == before - 1


@pytest.mark.usefixtures("cast")
def test_without_a_word_in_the_parameters_events_live_for_a_year() -> None:
    old, young = event(date_created=ago(days=366)), event(date_created=ago(days=364))
    run("cleanlogs")
    assert list(Log.objects.filter(pk__in=[old.pk, young.pk])) == [young]


@pytest.mark.usefixtures("cast")
def test_thousands_of_old_events_go_at_once() -> None:
    Log.objects.bulk_create(Log(message="old", date_created=ago(days=400)) for _ in range(2_001))
    assert "2001" in run("cleanlogs", "--verbose")
    assert not Log.objects.filter(message="old").exists()


@pytest.mark.usefixtures("cast")
def test_cleanlogs_shows_its_statements_when_it_is_asked_to() -> None:
    assert "core_log" in run("cleanlogs", "--debug")


@pytest.mark.parametrize("who", ["rita", "dora", "sam"])
def test_only_a_super_administrator_deletes_events(cast: Cast, who: str) -> None:
    event(date_created=ago(days=400))
    with nothing_written(), pytest.raises(CommandError):
        run("cleanlogs", f"--as={cast.everybody[who].user.username}")


def test_nobody_deletes_events_from_a_browser(cast: Cast) -> None:
    with pytest.raises(PermissionDenied):
        delete_old_events(cast.root, days=1)


# --- clean_inactive_accounts ------------------------------------------------------------------------------------


@pytest.fixture
def idle(cast: Cast) -> Account:
    """Sam has not signed in for 31 days, dora and mallory are busy; rita never came, root is long gone."""
    User.objects.filter(pk=cast.sam.pk).update(last_login=ago(days=31))
    User.objects.filter(pk__in=[cast.dora.pk, cast.mallory.pk]).update(last_login=ago(days=29))
    User.objects.filter(pk=cast.root.pk).update(last_login=ago(days=900))
    return Account.objects.get(pk=cast.sam.pk)


def active() -> set[str]:
    return set(User.objects.active().values_list("username", flat=True))


def test_accounts_that_nobody_uses_are_disabled(idle: Account) -> None:
    everybody = active()
    assert run("clean_inactive_accounts", "--silent") == ""
    assert everybody - active() == {idle.username}
    assert not MailUser.objects.filter(address=idle.email, closed=False).exists()
    assert Log.objects.filter(verb="account.update", object_id=idle.pk, actor_name="root").exists()


@pytest.mark.usefixtures("cast")
def test_nothing_is_said_when_everybody_is_busy() -> None:
    assert run("clean_inactive_accounts", "--verbose") == ""


@pytest.mark.usefixtures("idle")
def test_the_threshold_is_a_parameter(cast: Cast) -> None:
    update_parameters(cast.root, {"core": {"inactive_account_threshold": 32}})
    assert run("clean_inactive_accounts", "--dry-run") == ""
    update_parameters(cast.root, {"core": {"inactive_account_threshold": 28}})
    assert len(run("clean_inactive_accounts", "--dry-run").splitlines()) == 3


def test_a_rehearsal_lists_and_does_nothing(idle: Account) -> None:
    with nothing_written():
        listed = run("clean_inactive_accounts", "--dry-run", "--delete")
    assert listed.startswith(f"{idle.username} 2")


def test_deleted_accounts_go_with_their_mailboxes(cast: Cast, idle: Account) -> None:
    update_parameters(cast.root, {"admin": {"handle_mailboxes": True}})
    run("clean_inactive_accounts", "--delete", "--silent")
    assert not User.objects.filter(pk=idle.pk).exists()
    assert not Mailbox.objects.filter(user_id=idle.pk).exists()
    assert MailboxOperation.objects.filter(kind="delete").count() == 1


@pytest.mark.parametrize(("answer", "agreed"), [("y", True), ("Yes", True), ("n", False), ("", False)])
def test_a_person_is_asked_first(
    idle: Account, monkeypatch: pytest.MonkeyPatch, answer: str, *, agreed: bool
) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    if agreed:
        run("clean_inactive_accounts")
    else:
        with pytest.raises(CommandError):
            run("clean_inactive_accounts")
    assert (idle.username in active()) is not agreed


@pytest.mark.usefixtures("idle")
def test_nothing_is_done_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(""))
    with nothing_written(), pytest.raises(CommandError):
        run("clean_inactive_accounts")


def test_who_signs_in_while_a_person_thinks_about_it_stays(
    idle: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def think(_question: str) -> str:
        User.objects.filter(pk=idle.pk).update(last_login=timezone.now())
        return "y"

    monkeypatch.setattr("builtins.input", think)
    run("clean_inactive_accounts", "--delete")
    assert idle.username in active()


# --- set_default_site -------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "panel.env"
    path.write_text("MODOBOA_SECRET_KEY='a b'\nMODOBOA_SITE_HOST=old.example.org\n# a remark\n")
    path.chmod(0o640)
    return path


def test_the_name_of_the_site_is_written_where_the_panel_reads_it(file: Path) -> None:
    assert run("set_default_site", "Panel.example.org", f"--file={file}") == ""
    assert file.read_text().splitlines() == [
        "MODOBOA_SECRET_KEY='a b'",
        "# a remark",
        "MODOBOA_SITE_HOST=panel.example.org",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_the_same_name_again_changes_nothing(file: Path) -> None:
    before = file.stat().st_ino
    run("set_default_site", "old.example.org", f"--file={file}")
    assert file.stat().st_ino == before


def test_settings_that_no_longer_follow_the_name_are_pointed_out(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with file.open("a") as stream:
        stream.write("MODOBOA_SITE_ORIGIN=https://old.example.org\n")
    run("set_default_site", "panel.example.org", f"--file={file}")
    assert "MODOBOA_SITE_ORIGIN" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["no host", "a_b", "-x.example.org", "x.example.org\nMODOBOA_DEBUG=yes"])
def test_what_is_no_host_name_is_refused(file: Path, name: str) -> None:
    before = file.read_bytes()
    with pytest.raises(CommandError):
        run("set_default_site", name, f"--file={file}")
    assert file.read_bytes() == before


def test_without_such_a_file_one_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"MODOBOA_SITE_HOST=panel\.example\.org"):
        run("set_default_site", "panel.example.org", f"--file={tmp_path / 'panel.env'}")


# --- load_initial_data ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_things_to_try_are_made_once_and_in_debug_mode_only(settings: Settings) -> None:
    with nothing_written(), pytest.raises(CommandError):
        run("load_initial_data", "--extra-fixtures")
    settings.DEBUG = True
    for _time in range(2):
        run("load_initial_data", "--extra-fixtures")
        assert set(Domain.objects.values_list("name", "quota", "default_mailbox_quota")) == {
            ("test.com", 50, 10),
            ("test2.com", 50, 10),
        }
        assert Mailbox.objects.count() == 4
        assert Alias.objects.count() == 3
    admin = Account.objects.get(username="admin@test2.com")
    assert (admin.role, [d.name for d in admin.administered_domains.all()]) == (
        Role.DOMAIN_ADMIN,
        ["test2.com"],
    )
    assert not list(publication.drift())


# --- modo repair ------------------------------------------------------------------------------------------------


@pytest.fixture
def harmed(cast: Cast) -> Cast:
    """Rows as somebody leaves them who writes SQL."""
    person(cast, "new@dora.example", Role.SIMPLE_USER)
    create_alias(cast.dora, address="info@dora.example", recipients=("sam@dora.example",))
    create_domain_aliases(cast.root, [DomainAliasSpec(name="dora.test", target="dora.example")])
    set_own_forward(cast.sam, recipients=["new@dora.example"], keep_copy=True)
    for model in (Account, Domain, DomainAlias, Mailbox, Alias):
        model._default_manager.update(owner=None)
    DomainName.objects.filter(name="dora.test").delete()
    AliasRecipient.objects.filter(alias__address="info@dora.example").update(mailbox=None)
    MailUser.objects.filter(address="sam@dora.example").delete()
    return cast


def titles(said: str) -> list[str]:
    return [line for line in said.splitlines() if not line.startswith(" ")]


@pytest.mark.usefixtures("cast")
def test_a_healthy_panel_needs_no_repair() -> None:
    run("modo", "repair")  # root was made by hand, and nobody owns him
    with nothing_written():
        said = run("modo", "repair")
    assert len(titles(said)) == 5
    assert titles(said) == said.splitlines()
    assert run("modo", "repair", "--quiet") == ""


@pytest.mark.usefixtures("harmed")
def test_a_rehearsal_says_the_same_as_the_repair_and_writes_nothing() -> None:
    with nothing_written():
        rehearsed = run("modo", "repair", "--dry-run")
    assert "dora.test" in rehearsed
    assert "info@dora.example → sam@dora.example" in rehearsed
    assert "mail_user sam@dora.example" in rehearsed
    repaired = run("modo", "repair")
    # What is wrong because of something else is found right when that was mended.
    assert of_first_kinds(rehearsed) == of_first_kinds(repaired)
    assert len(of_first_kinds(repaired)) > 10


def of_first_kinds(said: str) -> list[str]:
    """About owners, names and recipients."""
    lines = said.splitlines()
    return lines[: lines.index(titles(said)[3])]


def test_everything_is_as_it_was_afterwards(harmed: Cast) -> None:
    run("modo", "repair", "--quiet")
    assert not list(publication.drift())
    assert recount() == []
    assert titles(again := run("modo", "repair")) == again.splitlines()
    assert DomainName.objects.get(name="dora.test").alias is not None
    row = AliasRecipient.objects.get(alias__address="info@dora.example")
    assert row.mailbox == harmed.sams_mailbox


def test_what_nobody_owns_gets_the_first_administrator_of_its_domain(harmed: Cast) -> None:
    run("modo", "repair", "--quiet")
    root, dora = harmed.root.pk, harmed.dora.pk
    assert set(Account.objects.values_list("owner_id", flat=True)) == {root}
    assert set(Domain.objects.values_list("owner_id", flat=True)) == {root}
    assert DomainAlias.objects.get().owner_id == dora
    assert harmed.sams_mailbox.owner_id == dora
    assert Alias.objects.get(address="info@dora.example").owner_id == dora
    assert Alias.objects.get(address="sam@dora.example").owner_id is None, "a forward is nobody's"
    assert Log.objects.filter(verb="mailbox.update", object_id=harmed.sams_mailbox.pk).exists()


def test_a_domain_goes_to_a_reseller_who_administers_it(cast: Cast) -> None:
    cast.dora_example.administrators.add(cast.rita.user)
    Domain.objects.update(owner=None)
    run("modo", "repair", "--quiet")
    owners = dict(Domain.objects.values_list("name", "owner_id"))
    assert owners["dora.example"] == cast.rita.pk
    assert owners["mallory.example"] == cast.root.pk


def test_a_name_that_two_things_have_is_left_to_a_person(cast: Cast) -> None:
    create_domain_aliases(cast.root, [DomainAliasSpec(name="dora.test", target="dora.example")])
    DomainAlias.objects.update(name="mallory.example")
    root = replace(cast.root, credential=Credential.COMMAND)
    with nothing_written():
        [line] = repairing.register_names(root, dry_run=False)
    assert line.startswith("mallory.example is the name of something else")
    assert DomainName.objects.get(name="mallory.example").domain_id == cast.mallory_example.pk


def test_a_name_that_its_holder_does_not_have_is_given_back(cast: Cast) -> None:
    DomainName.objects.filter(domain=cast.dora_example).delete()
    DomainName.objects.filter(domain=cast.mallory_example).update(name="dora.example")
    run("modo", "repair")
    run("modo", "repair")
    for domain in (cast.dora_example, cast.mallory_example):
        assert DomainName.objects.get(name=domain.name).domain_id == domain.pk


@pytest.mark.usefixtures("harmed")
def test_counters_are_mended_last() -> None:
    Allowance.objects.update(mailboxes_used=77)
    run("modo", "repair", "--quiet")
    assert recount() == []


@pytest.mark.parametrize("who", ["rita", "dora", "sam"])
def test_only_a_super_administrator_repairs(harmed: Cast, who: str) -> None:
    with nothing_written(), pytest.raises(CommandError):
        run("modo", "repair", f"--as={harmed.everybody[who].user.username}")


def test_nobody_repairs_from_a_browser(harmed: Cast) -> None:
    actor = Actor(harmed.root.user, Credential.SESSION)
    for mend in (repairing.adopt_orphans, repairing.register_names, repairing.link_recipients_again):
        with nothing_written(), pytest.raises(PermissionDenied):
            mend(actor, dry_run=False)


@pytest.mark.usefixtures("cast")
def test_a_rehearsal_undoes_what_a_plugin_writes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def mend(_actor: Actor, _dry_run: bool) -> list[str]:  # noqa: FBT001  as Problem calls it
        Domain.objects.filter(name="dora.example").update(enable_dns_checks=False)
        return ["dora.example"]

    monkeypatch.setattr("limits.known_problems.known_problems", [Problem("Something of a plugin", mend)])
    with nothing_written():
        assert "Something of a plugin\n  dora.example\n" in run("modo", "repair", "--dry-run")
    run("modo", "repair")
    assert not Domain.objects.get(name="dora.example").enable_dns_checks
