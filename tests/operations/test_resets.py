"""A new password through the secondary address: who gets a link, how long it is good, and that it is good once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from admin import publication
from admin.models import Domain, MailUser
from admin.operations import MailboxSpec, create_account, create_domain, update_account
from core import background
from core.actor import Actor
from core.middleware import client_address
from core.models import ApiToken, Log, Throttle, User
from core.operations import resets
from core.operations.own_account import update_own_profile
from core.operations.resets import account_of_link, actor_of_link, link_of, request_reset, reset_password
from core.operations.tokens import create_token
from core.roles import Role
from core.throttling import Throttled
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import events, forbidden, refused_as, statements
from tests.operations.test_races import DONE, race
from tests.servers.sink import Sink

NEW = "Another-Horse-8"
SAM = "sam@dora.example"
HOME = "sam@home.example"
ASK = "/accounts/password_reset/"


def give_secondary(actor: Actor, address: str = HOME) -> User:
    User.objects.filter(pk=actor.pk).update(secondary_email=address)
    return User.objects.get(pk=actor.pk)


def ask(name: str, address: str | None = "192.0.2.7") -> None:
    request_reset(name, address)
    assert background.wait_until_idle(10)


def link_in(text: str) -> str:
    found = re.search(r"https://\S+", text)
    assert found is not None, text
    return found[0]


def secret_of(account: User) -> str:
    return link_of(account).rstrip("/").rpartition("/")[2]


def use(account: User, secret: str, password: str = NEW) -> User:
    return reset_password(actor_of_link(account, "192.0.2.7"), token=secret, password=password)


# --- who gets a link (the job reads what is committed) ------------------------------------------------------------


@pytest.mark.parametrize("name", [SAM, " SAM@Dora.Example ", "root", "ROOT"])
def test_a_link_goes_to_the_secondary_address_and_nowhere_else(real_cast: Cast, name: str) -> None:
    give_secondary(real_cast.sam)
    give_secondary(real_cast.root, "root@home.example")
    ask(name)
    [letter] = mail.outbox
    assert letter.recipients() == [HOME if "am" in name.lower() else "root@home.example"]
    assert letter.from_email == "noreply@yourdomain.test"


def test_an_address_may_be_typed_with_its_international_domain(real_cast: Cast) -> None:
    create_domain(real_cast.root, name="bücher.example")
    address = "a@bücher.example"
    create_account(
        real_cast.root,
        username=address,
        password=PASSWORD,
        mailbox=MailboxSpec(address=address),
        secondary_email=HOME,
    )
    ask("A@Bücher.example")
    assert [letter.to for letter in mail.outbox] == [[HOME]]


def test_an_administrator_is_found_by_the_address_of_his_mailbox_too(real_cast: Cast) -> None:
    create_account(
        real_cast.root,
        username="boss",
        role=Role.RESELLER,
        password=PASSWORD,
        mailbox=MailboxSpec(address="boss@dora.example"),
        secondary_email=HOME,
    )
    ask("boss@dora.example")
    ask("boss")
    assert [letter.to for letter in mail.outbox] == [[HOME], [HOME]]


@pytest.mark.parametrize("changes", [{"secondary_email": ""}, {"is_active": False}, {"is_local": False}])
def test_who_cannot_use_a_link_gets_none(real_cast: Cast, changes: dict[str, Any]) -> None:
    give_secondary(real_cast.sam)
    User.objects.filter(pk=real_cast.sam.pk).update(**changes)
    ask(SAM)
    assert mail.outbox == []


def test_a_link_leads_to_the_site_of_the_settings_whatever_the_browser_calls_it(
    real_cast: Cast, settings: Any
) -> None:
    give_secondary(real_cast.sam)
    settings.ALLOWED_HOSTS = ["*"]
    Client().post(
        ASK, {"username": SAM}, headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
    )
    assert background.wait_until_idle(10)
    [letter] = mail.outbox
    assert link_in(str(letter.body)).startswith(f"https://{settings.SITE_HOST}/accounts/reset/")
    assert "evil" not in letter.message().as_string()


def test_a_link_is_noted_in_the_history_of_its_account(real_cast: Cast) -> None:
    give_secondary(real_cast.sam)
    ask(SAM)
    row = Log.objects.get(verb="password.link")
    assert (row.kind, row.object_id, row.address) == ("account", real_cast.sam.pk, "192.0.2.7")
    assert secret_of(User.objects.get(pk=real_cast.sam.pk)) not in row.message


# --- nobody learns whether there is an account --------------------------------------------------------------------


def test_the_answer_does_not_tell_whether_there_is_an_account(cast: Cast) -> None:
    give_secondary(cast.sam)

    def answer(name: str) -> tuple[int, str, list[str]]:
        response = Client().post(ASK, {"username": name})
        return response.status_code, response["Location"], sorted(response.headers)

    assert answer(SAM) == answer("nobody@dora.example") == answer("rita")


def test_the_answer_takes_as_long_whether_there_is_an_account_or_not(cast: Cast) -> None:
    give_secondary(cast.sam)
    browser = Client()

    def typical(name: str) -> float:
        times = []
        for number in range(9):
            Throttle.objects.all().delete()
            start = time.thread_time()
            browser.post(ASK, {"username": name}, REMOTE_ADDR=f"192.0.{number}.1")
            times.append(time.thread_time() - start)
        return median(times)

    typical(SAM)
    known, unknown = typical(SAM), typical("nobody@dora.example")
    assert 0.6 < known / unknown < 1.6


def test_the_request_itself_looks_nobody_up(cast: Cast) -> None:
    give_secondary(cast.sam)
    with statements() as run:
        request_reset(SAM, "192.0.2.7")
    assert run
    assert [sql for sql in run if "core_throttle" not in sql] == []


def test_who_asks_too_often_is_told_when_to_come_back(cast: Cast) -> None:
    del cast
    browser = Client()
    for _time in range(3):
        assert browser.post(ASK, {"username": SAM}).status_code == 302
    response = browser.post(ASK, {"username": SAM})
    assert response.status_code == 429
    assert response["Retry-After"] == "60"
    assert "Try again in 1 minute" in response.content.decode()


def test_a_secondary_mailbox_is_not_flooded_from_many_networks(cast: Cast) -> None:
    del cast
    for number in range(6):
        request_reset(SAM, f"192.0.{number}.1")
    with pytest.raises(Throttled):
        request_reset(SAM, "192.0.77.1")


# --- how long a link is good ---------------------------------------------------------------------------------------


def test_a_link_is_good_for_an_hour(cast: Cast) -> None:
    account = give_secondary(cast.sam)
    secret = secret_of(account)
    uid = link_of(account).split("/")[-3]
    with time_machine.travel(timezone.now() + timedelta(minutes=59), tick=False):
        assert account_of_link(uid, secret) == account
    with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
        assert account_of_link(uid, secret) is None
        with refused_as("", "link_not_good"):
            use(account, secret)


def sign_in(cast: Cast) -> None:
    assert Client().post("/accounts/login/", {"username": SAM, "password": PASSWORD}).status_code == 302
    assert cast.sam.pk


def change_password(cast: Cast) -> None:
    update_account(cast.root, cast.sam.user, password="Third-Horse-9")  # type: ignore[arg-type]  # a proxy of it


def change_secondary(cast: Cast) -> None:
    update_own_profile(
        cast.sam,
        first_name="",
        last_name="",
        phone_number="",
        secondary_email="thief@home.example",
        current_password=PASSWORD,
    )


def disable(cast: Cast) -> None:
    User.objects.filter(pk=cast.sam.pk).update(is_active=False)


@pytest.mark.parametrize("event", [sign_in, change_password, change_secondary, disable])
def test_a_link_dies_with_what_it_was_made_for(cast: Cast, event: Callable[[Cast], None]) -> None:
    account = give_secondary(cast.sam)
    secret = secret_of(account)
    assert account_of_link(link_of(account).split("/")[-3], secret) == account
    event(cast)
    assert account_of_link(link_of(account).split("/")[-3], secret) is None
    User.objects.filter(pk=account.pk, is_active=False).update(is_active=True)
    if event is not disable:
        with refused_as("", "link_not_good"):
            use(account, secret)


def test_a_mail_program_that_still_knows_the_password_does_not_kill_the_link(cast: Cast) -> None:
    account = give_secondary(cast.sam)
    secret = secret_of(account)
    User.objects.filter(pk=account.pk).update(last_login=timezone.now())  # as Dovecot does
    assert use(account, secret).check_password(NEW)


@pytest.mark.parametrize("uid", ["", "x", "MQ", "////", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "\u0663"])
@pytest.mark.parametrize("secret", ["", "x", "x-y", "c-0", "\0"])
def test_nonsense_is_no_link(cast: Cast, uid: str, secret: str) -> None:
    del cast
    assert account_of_link(uid, secret) is None


def test_a_link_is_for_one_account(cast: Cast) -> None:
    sam, dora = give_secondary(cast.sam), give_secondary(cast.dora, "dora@home.example")
    with refused_as("", "link_not_good"):
        use(dora, secret_of(sam))


def test_without_a_link_nobody_resets_anything(cast: Cast) -> None:
    account = give_secondary(cast.sam)
    with forbidden():
        reset_password(cast.sam, token=secret_of(account), password=NEW)


# --- using it -----------------------------------------------------------------------------------------------------


def test_a_weak_password_is_refused_and_the_link_stays_good(cast: Cast) -> None:
    account = give_secondary(cast.sam)
    secret = secret_of(account)
    with refused_as("password", "password_no_upper"):
        use(account, secret, "no-capital-letter-7")
    assert use(account, secret).check_password(NEW)


def test_a_link_works_once_and_ends_sessions_and_tokens(cast: Cast) -> None:
    account = give_secondary(cast.sam)
    create_token(cast.sam, name="thief", scopes=["domains:read"], current_password=PASSWORD)
    browser = Client()
    browser.force_login(account)
    secret = secret_of(account)
    use(account, secret)
    with refused_as("", "link_not_good"):
        use(account, secret, "Third-Horse-9")
    stored = User.objects.get(pk=account.pk)
    assert stored.check_password(NEW)
    assert MailUser.objects.get(address=SAM).password == stored.password
    assert not list(publication.drift())
    assert browser.get("/user/").status_code == 302
    assert not ApiToken.objects.exists()
    assert events()[-2:] == [("token.delete", "thief", []), ("password.reset", SAM, [])]
    row = Log.objects.get(verb="password.reset")
    assert (row.kind, row.credential, row.actor_name, row.address) == ("account", "reset", SAM, "192.0.2.7")
    assert background.wait_until_idle(10)
    assert [letter.to for letter in mail.outbox] == [[HOME]]


def test_of_two_who_use_a_link_at_once_one_succeeds(real_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    account = give_secondary(real_cast.sam)
    secret = secret_of(account)
    is_good = resets._is_good

    def slowly(*args: Any) -> bool:
        found = is_good(*args)
        if connection.vendor != "sqlite":
            time.sleep(0.3)
        return found

    monkeypatch.setattr(resets, "_is_good", slowly)
    passwords = ["First-Horse-1", "Second-Horse-2", "Third-Horse-3"]
    outcomes = race(*(lambda password=each: use(account, secret, password) for each in passwords))
    assert sorted(outcomes) == [DONE, "link_not_good", "link_not_good"]
    winner = passwords[outcomes.index(DONE)]
    assert User.objects.get(pk=account.pk).check_password(winner)
    assert Log.objects.filter(verb="password.reset").count() == 1
    assert not list(publication.drift())


# --- in a browser ---------------------------------------------------------------------------------------------------


def test_from_the_forgotten_password_to_the_next_sign_in(real_cast: Cast, settings: Any) -> None:
    give_secondary(real_cast.sam)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    browser = Client()
    with Sink() as sink:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        page = browser.post(ASK, {"username": SAM}, follow=True)
        assert page.status_code == 200
        letter = sink.wait_for("/accounts/reset/")
        assert letter.recipients == (HOME,)
        assert letter.sender == "noreply@yourdomain.test"
        path = link_in(letter.data.decode()).removeprefix(f"https://{settings.SITE_HOST}")
        secret = path.rstrip("/").rpartition("/")[2]

        page = browser.get(path, follow=True)
        assert page.status_code == 200
        assert secret not in page.content.decode()
        assert secret not in page.redirect_chain[-1][0], "neither the history nor a referrer has it"
        assert "no-store" in page["Cache-Control"]
        form_url = page.redirect_chain[-1][0]
        wrong = browser.post(form_url, {"password": "short", "repeated": "other"})
        assert wrong.status_code == 422
        done = browser.post(form_url, {"password": NEW, "repeated": NEW}, follow=True)
        assert done.status_code == 200
        assert done.redirect_chain[-1][0] == "/accounts/reset/done/"
        assert background.wait_until_idle(10)
        sink.wait_for("was changed")
    assert browser.get(form_url).status_code == 410
    assert Client().get(path, follow=True).status_code == 410
    assert browser.post("/accounts/login/", {"username": SAM, "password": NEW}).status_code == 302


def test_a_mail_server_that_does_not_answer_delays_and_fails_nothing(
    real_cast: Cast, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    give_secondary(real_cast.sam)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    start = time.monotonic()
    assert Client().post(ASK, {"username": SAM}).status_code == 302
    assert time.monotonic() - start < 2
    assert background.wait_until_idle(20)
    assert not Log.objects.filter(verb="password.link").exists()
    del caplog


def test_the_wrong_confirmation_is_said_beside_it(cast: Cast) -> None:
    account = give_secondary(cast.sam)
    browser = Client()
    page = browser.get(link_of(account).removeprefix("https://localhost"), follow=True)
    answer = browser.post(page.redirect_chain[-1][0], {"password": NEW, "repeated": f"{NEW} "})
    assert [error.code for error in answer.context["form"].errors.as_data()["repeated"]] == [
        "passwords_differ"
    ]


def test_the_address_of_the_asker_is_that_of_the_socket(rf: Any) -> None:
    request = rf.post(ASK, {"username": SAM}, headers={"x-forwarded-for": "203.0.113.9"})
    assert client_address(request) == "127.0.0.1"


def test_no_link_goes_to_a_domain_here_whose_keepers_may_not_act_on_the_account(real_cast: Cast) -> None:
    """Somebody may have added the domain for that purpose."""
    root = give_secondary(real_cast.root, "boss@corp.example")
    secret = secret_of(root)
    domain = create_domain(real_cast.rita, name="corp.example")
    ask("root")
    assert not mail.outbox
    with refused_as("", "link_not_good"):
        use(root, secret)
    Domain.objects.filter(pk=domain.pk).update(owner=root.pk)
    ask("root")
    assert [message.to for message in mail.outbox] == [["boss@corp.example"]]
