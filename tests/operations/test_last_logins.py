"""Last logins that Dovecot noted, taken over by the panel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from admin.models import MailLogin
from admin.operations import collect_last_logins, logins
from core.models import User
from core.roles import Role
from tests.cast import Cast
from tests.operations.evidence import events, forbidden, statements

SAM, DORA = "sam@dora.example", "dora@dora.example"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def old_accounts(cast: Cast) -> None:
    """Everybody has been here for years."""
    del cast  # must be there, says nothing
    User.objects.update(date_joined=LONG_AGO, last_login=None)


def seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def logged_in(address: str, instant: datetime) -> datetime:
    """A row as Dovecot writes it; the instant without fractions."""
    MailLogin.objects.update_or_create(address=address, defaults={"seconds": seconds(instant)})
    return instant.replace(microsecond=0)


def last_logins() -> dict[str, datetime]:
    found = User.objects.exclude(last_login=None).values_list("username", "last_login")
    return {name: instant for name, instant in found if instant is not None}


def test_a_login_reaches_the_account_and_its_row_is_gone(cast: Cast) -> None:
    an_hour_ago = logged_in(SAM, timezone.now() - timedelta(hours=1))
    now = logged_in(DORA, timezone.now())
    assert collect_last_logins(cast.root) == 2
    assert last_logins() == {SAM: an_hour_ago, DORA: now}
    assert not MailLogin.objects.exists()
    assert collect_last_logins(cast.root) == 0


def test_a_later_login_is_not_moved_back(cast: Cast) -> None:
    later = timezone.now() - timedelta(minutes=5)
    User.objects.filter(email=SAM).update(last_login=later)
    logged_in(SAM, later - timedelta(seconds=1))
    assert collect_last_logins(cast.root) == 1
    assert last_logins() == {SAM: later}


def test_rows_that_say_nothing_are_dropped(cast: Cast) -> None:
    User.objects.filter(email=SAM).update(date_joined=timezone.now() - timedelta(hours=1))
    logged_in(SAM, timezone.now() - timedelta(hours=2))
    logged_in("nobody@dora.example", timezone.now())
    logged_in("", timezone.now())  # several accounts have no address
    MailLogin.objects.create(address=DORA, seconds=-(2**62))
    MailLogin.objects.create(address="mallory@mallory.example", seconds=0)
    assert collect_last_logins(cast.root) == 5
    assert last_logins() == {}
    assert not MailLogin.objects.exists()


def test_a_row_of_the_future_waits_until_it_is_none(cast: Cast) -> None:
    MailLogin.objects.create(address=SAM, seconds=2**62)
    logged_in(DORA, timezone.now() + timedelta(hours=1))
    assert collect_last_logins(cast.root) == 0
    assert last_logins() == {}
    assert MailLogin.objects.count() == 2


def test_a_login_in_between_stays_for_the_next_time(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    early = logged_in(SAM, timezone.now() - timedelta(hours=1))
    logged_in(DORA, timezone.now() - timedelta(hours=1))
    note = logins._note

    def note_while_sam_signs_in_again(rows: dict[str, int]) -> None:
        note(rows)
        logged_in(SAM, timezone.now())

    with monkeypatch.context() as patch:
        patch.setattr(logins, "_note", note_while_sam_signs_in_again)
        collect_last_logins(cast.root)
    assert last_logins()[SAM] == early
    assert list(MailLogin.objects.values_list("address", flat=True)) == [SAM]
    collect_last_logins(cast.root)
    assert last_logins()[SAM] > early


def test_many_rows_take_few_statements(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is no statement of its own; further chunks are found, in any order of addresses."""
    User.objects.bulk_create(
        User(username=f"{n:03}-ü@dora.example", email=f"{n:03}-ü@dora.example", role=Role.SIMPLE_USER)
        for n in range(50)
    )
    User.objects.update(date_joined=LONG_AGO)
    instant = timezone.now().replace(microsecond=0)
    MailLogin.objects.bulk_create(
        MailLogin(address=f"{n:03}-{letter}@dora.example", seconds=seconds(instant))
        for n in range(50)
        for letter in "Aü_"
    )
    monkeypatch.setattr(logins, "_CHUNK", 60)
    with statements() as run:
        assert collect_last_logins(cast.root) == 150
    assert len(run) <= 4 + 3 * 2
    assert set(last_logins().values()) == {instant}
    assert len(last_logins()) == 50
    assert not MailLogin.objects.exists()


@pytest.mark.parametrize("name", ["rita", "dora", "sam"])
def test_only_super_administrators_collect(cast: Cast, name: str) -> None:
    logged_in(SAM, timezone.now())
    with forbidden():
        collect_last_logins(cast.everybody[name])


def test_a_disabled_super_administrator_does_not_collect(cast: Cast) -> None:
    cast.root.user.is_active = False
    with forbidden():
        collect_last_logins(cast.root)


def test_the_command_collects_without_a_word_or_an_event(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    instant, before = logged_in(SAM, timezone.now()), events()
    call_command("collect_last_logins")
    assert last_logins() == {SAM: instant}
    assert capsys.readouterr() == ("", "")
    assert events() == before
    assert cast.root.user.last_login is None
