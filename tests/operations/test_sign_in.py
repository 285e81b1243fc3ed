"""Signing in and out: who gets in, what the log says, and how old hashes are replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median
from unittest.mock import patch

import pytest
from django.test import Client

from admin import publication
from admin.models import Account, MailUser
from admin.operations import (
    AccountChange,
    MailboxSpec,
    create_account,
    create_domain,
    update_account,
    update_accounts,
)
from core import passwords
from core.models import Log, User
from core.passwords import hash_password, scheme_of, verify_password
from core.roles import Role
from parameters.operations import update_parameters
from tests.cast import PASSWORD, Cast
from tests.operations.people import set_parameter

pytestmark = pytest.mark.usefixtures("cast")

LOGIN = "/accounts/login/"
CLOSED = "/style-guide/"  # a page for staff


@pytest.fixture
def client() -> Client:
    return Client(REMOTE_ADDR="192.0.2.7")


def sign_in(client: Client, name: str, password: str = PASSWORD, **more: str) -> int:
    return client.post(LOGIN, {"username": name, "password": password, **more}).status_code


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def log() -> list[tuple[str, str, str, str | None]]:
    rows = Log.objects.filter(logger="modoboa.auth").order_by("pk")
    return list(rows.values_list("level", "verb", "message", "address"))


# --- who gets in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sam@dora.example", " SAM@Dora.example ", "sam@DORA.EXAMPLE"])
def test_name_and_password_open_a_session(cast: Cast, client: Client, name: str) -> None:
    assert sign_in(client, name) == 302
    assert is_in(client)
    assert log() == [("INFO", "session.login", "User 'sam@dora.example' logged in", "192.0.2.7")]
    event = Log.objects.get(verb="session.login")
    assert (event.actor_id, event.actor_name, event.credential) == (
        cast.sam.pk,
        "sam@dora.example",
        "session",
    )
    assert User.objects.get(pk=cast.sam.pk).last_login is not None


def test_an_address_may_be_typed_with_its_international_domain(cast: Cast, client: Client) -> None:
    create_domain(cast.root, name="bücher.example")
    address = "a@bücher.example"
    create_account(cast.root, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address))
    assert sign_in(client, "A@Bücher.example") == 302


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("sam@dora.example", "Wrong-Horse-7"),
        ("sam@dora.example", PASSWORD.lower()),
        ("sam@dora.example", f"{PASSWORD} "),
        ("nobody@dora.example", PASSWORD),
        ("sam", PASSWORD),
        ("sam@dora.example\0", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("", ""),
        ("root", ""),
        ("x" * 400, PASSWORD),
    ],
)
def test_anything_else_opens_none(client: Client, name: str, password: str) -> None:
    response = client.post(LOGIN, {"username": name, "password": password})
    assert response.status_code == 401
    assert not is_in(client)
    assert not Log.objects.filter(verb="session.login").exists()
    if password:
        assert password not in response.content.decode()


def test_a_wrong_name_and_a_wrong_password_look_alike(client: Client) -> None:
    def page(name: str) -> str:
        response = client.post(LOGIN, {"username": name, "password": "Wrong-Horse-7"})
        text = response.content.decode().replace(name, "…")
        nonsense = response.context["csrf_token"]
        return text.replace(str(nonsense), "token")

    assert page("sam@dora.example") == page("nob@dora.example")


def test_a_failure_is_logged_without_the_password_and_without_line_ends(client: Client) -> None:
    sign_in(client, "sam@dora.example", "Wrong-Horse-7")
    sign_in(client, "no\u202ebody\u2028x", "Wrong-Horse-8")
    assert log() == [
        ("WARNING", "session.failed", "Failed login as 'sam@dora.example' from 192.0.2.7", "192.0.2.7"),
        ("WARNING", "session.failed", "Failed login as 'no?body?x' from 192.0.2.7", "192.0.2.7"),
    ]
    assert "Horse" not in str(list(Log.objects.values_list()))


def test_a_disabled_account_does_not_sign_in_and_its_session_ends(cast: Cast, client: Client) -> None:
    deputy = create_account(cast.root, username="deputy", role=Role.SUPER_ADMIN, password=PASSWORD).account
    assert sign_in(client, "deputy") == 302
    assert client.get(CLOSED).status_code == 200
    update_account(cast.root, deputy, is_active=False)
    assert client.get(CLOSED).status_code == 302
    assert sign_in(client, "deputy") == 401
    assert log()[-1][1] == "session.failed"


def test_sessions_end_with_the_password(cast: Cast, client: Client) -> None:
    deputy = create_account(cast.root, username="deputy", role=Role.SUPER_ADMIN, password=PASSWORD).account
    sign_in(client, "deputy")
    update_accounts(cast.root, [AccountChange(account=deputy, password="Another-Horse-8")])
    assert client.get(CLOSED).status_code == 302


def test_signing_out_ends_the_session_and_is_logged(client: Client) -> None:
    sign_in(client, "root")
    key = client.session.session_key
    assert client.post("/accounts/logout/").status_code == 302
    assert not is_in(client)
    assert client.session.session_key != key
    assert client.get(CLOSED).status_code == 302
    assert log()[-1][:3] == ("INFO", "session.logout", "User 'root' logged out")


def test_a_link_does_not_sign_anybody_out(client: Client) -> None:
    sign_in(client, "root")
    assert client.get("/accounts/logout/").status_code == 405
    assert is_in(client)


def test_the_key_of_a_session_is_new_after_sign_in(client: Client) -> None:
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    client.cookies["sessionid"] = session.session_key or ""
    sign_in(client, "root")
    assert client.cookies["sessionid"].value != session.session_key


@pytest.mark.parametrize(("more", "ends_with_the_browser"), [({}, True), ({"rememberme": "on"}, False)])
def test_a_session_lasts_as_long_as_asked_for(
    client: Client,
    more: dict[str, str],
    ends_with_the_browser: bool,  # noqa: FBT001  a parameter
) -> None:
    sign_in(client, "root", **more)
    assert client.session.get_expire_at_browser_close() is ends_with_the_browser


# --- where to -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "http:evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "https://testserver@evil.example/",
        "https://testserver.evil.example/",
        "\thttps://evil.example/",
        "",
    ],
)
def test_nobody_is_sent_to_another_host(client: Client, wanted: str) -> None:
    response = client.post(LOGIN, {"username": "root", "password": PASSWORD, "next": wanted})
    assert (response.status_code, response["Location"]) == (302, "/")
    other = Client()
    response = other.post(f"{LOGIN}?next={wanted}", {"username": "root", "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")


def test_a_page_of_this_host_is_reached_after_sign_in(client: Client) -> None:
    response = client.get(CLOSED)
    assert response["Location"] == f"{LOGIN}?next={CLOSED}"
    response = client.post(LOGIN, {"username": "root", "password": PASSWORD, "next": CLOSED})
    assert response["Location"] == CLOSED


# --- hashes ---------------------------------------------------------------------------------------------------


def store(cast: Cast, scheme: str) -> str:
    hashed = hash_password(PASSWORD, scheme, 1_000)
    User.objects.filter(pk=cast.sam.pk).update(password=hashed)
    publication.rebuild()
    return hashed


@pytest.mark.parametrize("scheme", ["md5crypt", "sha256", "md5", "crypt", "plain", "sha256crypt", "blfcrypt"])
def test_a_hash_of_another_scheme_is_replaced_at_sign_in_and_published(
    cast: Cast, client: Client, scheme: str
) -> None:
    old = store(cast, scheme)
    assert sign_in(client, "sam@dora.example", "Wrong-Horse-7") == 401
    assert User.objects.get(pk=cast.sam.pk).password == old, "a wrong password replaces nothing"
    assert sign_in(client, "sam@dora.example") == 302
    new = User.objects.get(pk=cast.sam.pk).password
    assert scheme_of(new) == "SHA512-CRYPT"
    assert verify_password(PASSWORD, new)
    assert MailUser.objects.get(address="sam@dora.example").password == new
    assert not list(publication.drift())
    client.get(LOGIN)
    assert is_in(client), "the session belongs to the new hash"


def test_a_hash_of_the_preferred_scheme_and_strength_is_kept(cast: Cast, client: Client) -> None:
    old = User.objects.get(pk=cast.sam.pk).password
    sign_in(client, "sam@dora.example")
    assert User.objects.get(pk=cast.sam.pk).password == old


def test_a_new_number_of_rounds_reaches_an_account_at_its_next_sign_in(cast: Cast, client: Client) -> None:
    set_parameter("rounds_number", value=2_000, app="core")
    sign_in(client, "sam@dora.example")
    assert "$rounds=2000$" in User.objects.get(pk=cast.sam.pk).password


def test_a_password_that_the_preferred_scheme_cannot_take_keeps_its_hash(cast: Cast, client: Client) -> None:
    long = "Long-" * 30 + "1"
    User.objects.filter(pk=cast.sam.pk).update(password=hash_password(long, "sha512crypt", 1_000))
    set_parameter("password_scheme", value="blfcrypt", app="core")
    assert sign_in(client, "sam@dora.example", long) == 302
    assert scheme_of(User.objects.get(pk=cast.sam.pk).password) == "SHA512-CRYPT"


def test_a_password_that_changes_during_the_sign_in_is_not_put_back(cast: Cast, client: Client) -> None:
    store(cast, "md5crypt")
    changed = hash_password("Another-Horse-8", "sha512crypt", 1_000)
    from core import sessions  # noqa: PLC0415  beside its use

    def slow(secret: str) -> str:
        User.objects.filter(pk=cast.sam.pk).update(password=changed)
        return hash_password(secret, "sha512crypt", 1_000)

    with patch.object(sessions, "hash_secret", slow):
        sign_in(client, "sam@dora.example")
    assert User.objects.get(pk=cast.sam.pk).password == changed


@pytest.mark.parametrize("stored", ["", "{CRYPT}!", "plain text", "{UNKNOWN}x", "{SHA512-CRYPT}broken"])
def test_a_stored_value_that_is_no_hash_lets_nobody_in(cast: Cast, client: Client, stored: str) -> None:
    User.objects.filter(pk=cast.sam.pk).update(password=stored)
    for password in (PASSWORD, stored, "!"):
        assert sign_in(client, "sam@dora.example", password) == 401


@pytest.fixture
def verifications() -> Iterator[list[str]]:
    """Hashes that were really computed against."""
    seen: list[str] = []
    verify = passwords.verify_password

    def spied(secret: str, stored: str) -> bool:
        seen.append(stored)
        return verify(secret, stored)

    with patch.object(passwords, "verify_password", spied):
        yield seen


def test_an_unknown_name_costs_a_hash_too(client: Client, verifications: list[str]) -> None:
    sign_in(client, "nobody@dora.example", "Wrong-Horse-7")
    assert [scheme_of(stored) for stored in verifications] == ["SHA512-CRYPT"]


def test_an_unknown_name_costs_a_hash_of_the_scheme_in_force(
    cast: Cast, client: Client, verifications: list[str]
) -> None:
    update_parameters(cast.root, {"core": {"password_scheme": "argon2id"}})
    sign_in(client, "nobody@dora.example", "Wrong-Horse-7")
    assert [scheme_of(stored) for stored in verifications] == ["ARGON2ID"]


def test_an_unknown_name_takes_as_long_as_a_wrong_password(cast: Cast, client: Client) -> None:
    update_parameters(cast.root, {"core": {"rounds_number": 70_000}})
    hashed = hash_password(PASSWORD)
    User.objects.filter(pk=cast.sam.pk).update(password=hashed)

    def seconds(name: str) -> float:
        start = time.process_time()
        sign_in(client, name, "Wrong-Horse-7")
        return time.process_time() - start

    # in pairs: a processor that changes its speed changes it for both
    ratios = [seconds("nobody@dora.example") / seconds("sam@dora.example") for _pair in range(9)]
    assert 0.6 < median(ratios) < 1.6
    assert Account.objects.get(pk=cast.sam.pk).password == hashed
