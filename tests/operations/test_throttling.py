"""Guessing is slow: what counts, for whom, what makes it better, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from core import throttling
from core.models import Throttle
from core.throttling import RULES, Thing, Throttled, begin, network_of
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import statements

LOGIN = "/accounts/login/"
SAM = "sam@dora.example"
HERE = "192.0.2.7"
WRONG = "Wrong-Horse-7"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Time stands still until a test moves it."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def guess(name: str = SAM, password: str = WRONG, address: str = HERE) -> int:
    return Client(REMOTE_ADDR=address).post(LOGIN, {"username": name, "password": password}).status_code


def fail(times: int, address: str | None = HERE, *, thing: Thing = Thing.SIGN_IN) -> None:
    for _time in range(times):
        begin(thing, SAM, address).failed()


def wait_of(address: str | None = HERE) -> int:
    try:
        begin(Thing.SIGN_IN, SAM, address)
    except Throttled as throttled:
        return throttled.retry_after_s
    return 0


# --- the sign-in page ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("cast", "clock")
def test_after_five_failures_even_the_right_password_has_to_wait() -> None:
    assert [guess() for _time in range(5)] == [401] * 5
    response = Client(REMOTE_ADDR=HERE).post(LOGIN, {"username": SAM, "password": PASSWORD})
    assert response.status_code == 429
    assert response["Retry-After"] == "2"
    assert "Too many attempts. Try again in 2 seconds." in response.content.decode()


@pytest.mark.usefixtures("cast", "clock")
def test_an_unknown_name_is_throttled_like_a_known_one() -> None:
    answers = [[guess(name) for _time in range(7)] for name in (SAM, "nobody@dora.example")]
    assert answers[0] == answers[1] == [401] * 5 + [429] * 2


@pytest.mark.usefixtures("cast", "clock")
def test_another_spelling_of_the_name_is_the_same_account() -> None:
    names = [SAM, "SAM@dora.example", " sam@DORA.example", SAM, SAM, "Sam@Dora.Example"]
    assert [guess(name) for name in names] == [401] * 5 + [429]


@pytest.mark.usefixtures("cast")
def test_the_wait_ends_by_itself(clock: time_machine.Traveller) -> None:
    for _time in range(5):
        guess()
    clock.shift(2)
    assert guess(password=PASSWORD) == 302


@pytest.mark.usefixtures("cast", "clock")
def test_success_takes_back_the_failures_of_its_network_only() -> None:
    for number in range(4):
        fail(4, f"192.0.{number}.7")
    assert guess(password=PASSWORD) == 302
    assert wait_of(HERE) == 0
    fail(4, HERE)
    assert wait_of("198.51.100.1") == 2, (
        "20 failures from everywhere: a success gives an attacker nothing back"
    )


@pytest.mark.usefixtures("cast", "clock")
def test_asking_for_a_new_password_gives_no_further_guesses() -> None:
    fail(5)
    throttling.count(Thing.RESET, SAM, HERE)
    begin(Thing.PASSWORD, SAM, HERE).succeeded()
    assert wait_of() == 2


# --- the numbers -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_further_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(
    clock: time_machine.Traveller,
) -> None:
    fail(5)
    waits = []
    for _time in range(12):
        waits.append(wait_of())
        clock.shift(waits[-1])
        fail(1)
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


@pytest.mark.django_db
def test_a_day_without_a_failure_forgets_everything(clock: time_machine.Traveller) -> None:
    fail(8 - 3)
    clock.shift(timedelta(hours=24))
    assert wait_of() == 0
    fail(5)
    assert wait_of() == 2
    Throttle.objects.update(last_at=timezone.now() - timedelta(hours=25))
    begin(Thing.SIGN_IN, "somebody else", HERE).failed()
    assert Throttle.objects.count() == 2, "what is forgotten is not kept either"


@pytest.mark.django_db
def test_an_attacker_with_many_networks_waits_for_the_account(clock: time_machine.Traveller) -> None:
    guesses, end = 0, timezone.now() + timedelta(hours=1)
    while timezone.now() < end:
        try:
            begin(Thing.SIGN_IN, SAM, f"10.{guesses // 200}.{guesses % 200}.1").failed()
            guesses += 1
        except Throttled as throttled:
            clock.shift(throttled.retry_after_s)
    rule = RULES[Thing.SIGN_IN].account
    assert guesses <= rule.free + 10 + 3600 // rule.longest_s


@pytest.mark.usefixtures("clock")
def test_a_network_that_the_account_knows_does_not_wait_for_strangers(cast: Cast) -> None:
    assert guess(password=PASSWORD, address="198.51.100.1") == 302
    for number in range(20):
        fail(1, f"10.0.{number}.1")
    assert wait_of("203.0.113.5") > 0
    assert guess(password=PASSWORD, address="203.0.113.5") == 429
    assert guess(password=PASSWORD, address="198.51.100.200") == 302, "the same /24"
    assert cast.sam.pk


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        (None, ""),
    ],
)
def test_an_address_stands_for_its_network(address: str | None, network: str) -> None:
    assert network_of(address) == network


# --- what it costs, and what it keeps -----------------------------------------------------------------------------


@pytest.mark.usefixtures("cast")
def test_a_sign_in_is_two_statements_dearer_at_most() -> None:
    def of_throttle() -> int:
        with statements() as run:
            assert guess(password=PASSWORD) == 302
        return len([sql for sql in run if "core_throttle" in sql])

    assert of_throttle() == 2
    fail(3)
    assert of_throttle() == 2
    assert wait_of() == 0
    assert of_throttle() == 2


@pytest.mark.usefixtures("cast")
def test_no_name_and_no_address_is_kept() -> None:
    guess("my-password-in-the-wrong-field")
    kept = str(list(Throttle.objects.values_list()))
    assert "my-password" not in kept
    assert "192.0.2" not in kept


def test_many_guesses_at_the_same_moment_are_not_answered_more_often(real_cast: Cast) -> None:
    assert real_cast.sam.pk
    together = Barrier(12)

    def one(_number: int) -> int:
        try:
            attempt = begin(Thing.SIGN_IN, SAM, HERE)
            together.wait(20)  # all of them were let in
            attempt.failed()
        except Throttled:
            return 429
        finally:
            connection.close()
        return 401

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(one, range(12)))
    assert answers == [401] * 5 + [429] * 7
    assert sorted(Throttle.objects.values_list("failures", flat=True)) == [5, 5]


def test_the_right_guess_among_many_is_not_answered_when_it_comes_too_late(real_cast: Cast) -> None:
    assert real_cast.sam.pk
    late = begin(Thing.SIGN_IN, SAM, HERE)
    fail(5)
    with pytest.raises(Throttled):
        late.succeeded()
    fresh = begin(Thing.SIGN_IN, "dora@dora.example", HERE)
    fresh.failed()
    slow = begin(Thing.SIGN_IN, "dora@dora.example", HERE)
    for _time in range(4):
        begin(Thing.SIGN_IN, "dora@dora.example", HERE).failed()
    with pytest.raises(Throttled):
        slow.succeeded()


# --- requests of programs ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("cast", "clock")
def test_as_many_requests_as_allowed_are_answered_each_minute(clock: time_machine.Traveller) -> None:
    start = timezone.now().replace(second=10, microsecond=0)
    clock.move_to(start)
    waits = [throttling.count_request("token 1", 100) for _request in range(101)]
    assert waits == [0] * 100 + [50]
    assert throttling.count_request("token 2", 100) == 0
    clock.move_to(start + timedelta(minutes=1))
    assert throttling.count_request("token 1", 100) == 0


def test_first_requests_at_the_same_moment_are_all_answered(real_cast: Cast) -> None:
    """As a minute begins, too."""
    assert real_cast.sam.pk
    together = Barrier(8)

    def ask(_number: int) -> int:
        together.wait()
        try:
            return throttling.count_request("token 1", 600)
        finally:
            connection.close()

    for minute in range(10):
        Throttle.objects.update(last_at=timezone.now() - timedelta(minutes=1))
        throttling.forget_requests()
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [0] * 8
        if minute % 2:
            Throttle.objects.all().delete()
