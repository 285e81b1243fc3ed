"""What people change of themselves: profile, language, preferences, password, API tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from django.core import mail
from django.test import Client
from django.utils import timezone

from admin import publication
from admin.models import Account, MailUser
from admin.operations import create_account, delete_accounts
from admin.queries.events import recent_events
from core import background
from core.actor import Actor, Credential
from core.models import ApiToken, Log, User
from core.operations.own_account import change_own_password, update_own_language, update_own_profile
from core.operations.passwords import hashed_secrets
from core.operations.tokens import MAX_TOKENS, create_token, digest_of, revoke_token, revoke_tokens
from core.roles import Role
from core.throttling import Throttled
from modoboa.parameters import forms as plugin_forms
from parameters import tools
from parameters.models import Preferences
from parameters.operations import update_own_preferences
from tests.cast import PASSWORD, Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused,
    refused_as,
    sentences,
    versions,
)

NEW = "Another-Horse-8"
EVERYBODY = ["root", "rita", "dora", "sam"]
THIS_APP = "tests"


def profile(actor: Actor, **values: str) -> User:
    stored = User.objects.get(pk=actor.pk)
    names = ("first_name", "last_name", "phone_number", "secondary_email")
    return update_own_profile(actor, **({name: getattr(stored, name) for name in names} | values))


def stored(actor: Actor) -> User:
    return User.objects.get(pk=actor.pk)


# --- profile --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"first_name": "x" * 151}, "first_name", "too_long"),
        ({"last_name": "a\u202eb"}, "last_name", "hidden_character"),
        ({"phone_number": "1" * 129}, "phone_number", "too_long"),
        ({"secondary_email": "nowhere", "current_password": PASSWORD}, "secondary_email", "invalid_email"),
        ({"secondary_email": "sam@home.example"}, "current_password", "wrong_password"),
        (
            {"secondary_email": "sam@home.example", "current_password": "x"},
            "current_password",
            "wrong_password",
        ),
    ],
)
def test_a_wrong_profile_is_refused_beside_its_field(
    cast: Cast, values: dict[str, str], field: str, code: str
) -> None:
    with refused_as(field, code):
        profile(cast.sam, **values)


def test_a_disabled_account_changes_nothing_of_itself(cast: Cast) -> None:
    User.objects.filter(pk=cast.sam.pk).update(is_active=False)
    ghost = replace(cast.sam, user=stored(cast.sam))
    with forbidden():
        profile(ghost, first_name="Ghost")
    with forbidden():
        change_own_password(ghost, current_password=PASSWORD, password=NEW)


@pytest.mark.parametrize("person", EVERYBODY)
def test_everybody_changes_the_own_profile(cast: Cast, person: str) -> None:
    actor = cast.everybody[person]
    profile(
        actor,
        first_name=" Jo ",
        phone_number="+41 1",
        secondary_email="jo@home.example",
        current_password=PASSWORD,
    )
    account = stored(actor)
    assert (account.first_name, account.phone_number, account.secondary_email) == (
        "Jo",
        "+41 1",
        "jo@home.example",
    )
    changed = ["first_name", "phone_number", "secondary_email"]
    assert events()[-1] == ("profile.update", account.username, changed)
    assert versions()[-1] == ("profile.update", account.username)


def test_the_history_of_an_account_shows_what_its_owner_changed(cast: Cast) -> None:
    profile(cast.sam, first_name="Sam")
    change_own_password(cast.sam, current_password=PASSWORD, password=NEW)
    shown = [event.text for event in recent_events("account", cast.sam.pk)]
    assert shown[:2] == ["Changed: password", "Changed: first name"]


def test_a_profile_that_stays_as_it_is_leaves_no_trace(cast: Cast) -> None:
    with nothing_written():
        profile(cast.sam)


def test_the_former_secondary_address_hears_of_the_new_one(cast: Cast) -> None:
    User.objects.filter(pk=cast.sam.pk).update(secondary_email="old@home.example")
    profile(cast.sam, secondary_email="new@home.example", current_password=PASSWORD)
    assert background.wait_until_idle(10)
    [letter] = mail.outbox
    assert letter.to == ["old@home.example"]
    assert "sam@dora.example" in letter.body


# --- language and preferences ----------------------------------------------------------------------------------


class Colours(plugin_forms.UserParametersForm):
    app = THIS_APP

    colour = forms.ChoiceField(choices=[("red", "Red"), ("blue", "Blue")], initial="red")
    lines = forms.IntegerField(min_value=1, initial=20)


@pytest.fixture
def plugin() -> Iterator[None]:
    tools.registry.add("user", Colours, "Colours")
    yield
    del tools.registry._declarations["user", THIS_APP]


def test_a_language_that_the_panel_does_not_speak_is_refused(cast: Cast) -> None:
    with refused_as("language", "unknown_language"):
        update_own_language(cast.sam, "tlh")


@pytest.mark.parametrize("person", EVERYBODY)
def test_everybody_chooses_a_language(cast: Cast, person: str) -> None:
    update_own_preferences(cast.everybody[person], language="fr")
    assert stored(cast.everybody[person]).language == "fr"
    update_own_preferences(cast.everybody[person], language="")
    assert stored(cast.everybody[person]).language == ""


@pytest.mark.usefixtures("plugin")
def test_wrong_preferences_of_a_plugin_are_refused_and_nothing_is_saved(cast: Cast) -> None:
    with refused((0, "tests-lines", "min_value"), (0, "tests-wheels", "unknown_parameter")):
        update_own_preferences(cast.sam, language="fr", values={THIS_APP: {"lines": 0, "wheels": 4}})


@pytest.mark.usefixtures("plugin")
def test_preferences_of_a_plugin_belong_to_one_person(cast: Cast) -> None:
    update_own_preferences(cast.sam, language="", values={THIS_APP: {"colour": "blue"}})
    assert tools.get_user_parameters(stored(cast.sam), THIS_APP) == {"colour": "blue", "lines": 20}
    assert tools.get_user_parameters(stored(cast.dora), THIS_APP) == {"colour": "red", "lines": 20}
    with nothing_written():
        update_own_preferences(cast.sam, language="", values={THIS_APP: {"colour": "blue"}})


# --- password -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", EVERYBODY)
def test_an_empty_current_password_is_refused(cast: Cast, person: str) -> None:
    with refused_as("current_password", "wrong_password"):
        change_own_password(cast.everybody[person], current_password="", password=NEW)


@pytest.mark.parametrize("typed", ["Wrong-Horse-7", PASSWORD.lower(), f"{PASSWORD} ", "x" * 5000, "\0"])
def test_a_wrong_current_password_is_refused(cast: Cast, typed: str) -> None:
    with refused_as("current_password", "wrong_password"):
        change_own_password(cast.sam, current_password=typed, password=NEW)


def test_an_account_without_a_usable_password_cannot_leave_the_current_one_blank(cast: Cast) -> None:
    User.objects.filter(pk=cast.sam.pk).update(password="")
    with refused_as("current_password", "wrong_password"):
        change_own_password(cast.sam, current_password="", password=NEW)


def test_a_weak_new_password_is_refused_with_the_words_of_the_validators(cast: Cast) -> None:
    with refused(
        (0, "password", "password_too_short"),
        (0, "password", "password_entirely_numeric"),
        (0, "password", "password_too_common"),
        (0, "password", "password_no_upper"),
        (0, "password", "password_no_lower"),
    ) as caught:
        change_own_password(cast.sam, current_password=PASSWORD, password="1234")
    assert any("8 characters" in sentence for sentence in sentences(caught))


def test_a_password_that_is_kept_by_another_system_is_not_changed_here(cast: Cast) -> None:
    User.objects.filter(pk=cast.sam.pk).update(is_local=False)
    with refused_as("", "not_local"):
        change_own_password(cast.sam, current_password=PASSWORD, password=NEW)


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(given: list[str | None]) -> Any:
        User.objects.filter(pk=cast.sam.pk).update(password="{PLAIN}somebody-else-was-faster")
        return hashed_secrets(given)

    monkeypatch.setattr("core.operations.own_account.hashed_secrets", slow)
    with pytest.raises(Exception, match="conflict"):
        change_own_password(cast.sam, current_password=PASSWORD, password=NEW)
    assert stored(cast.sam).password == "{PLAIN}somebody-else-was-faster"


@pytest.mark.parametrize("person", EVERYBODY)
def test_a_new_password_counts_at_once_and_reaches_the_mail_servers(cast: Cast, person: str) -> None:
    actor = cast.everybody[person]
    change_own_password(actor, current_password=PASSWORD, password=NEW)
    account = stored(actor)
    assert account.check_password(NEW)
    assert not account.check_password(PASSWORD)
    for published in MailUser.objects.filter(address=account.username):
        assert published.password == account.password
    assert not list(publication.drift())
    assert events()[-1] == ("password.update", account.username, ["password"])
    assert NEW not in str(list(Log.objects.values_list()))


def test_wrong_current_passwords_make_one_wait_even_for_the_right_one(cast: Cast) -> None:
    for _time in range(5):
        with refused_as("current_password", "wrong_password"):
            change_own_password(cast.sam, current_password="Wrong-Horse-7", password=NEW)
    with nothing_written(), pytest.raises(Throttled) as caught:
        change_own_password(cast.sam, current_password=PASSWORD, password=NEW)
    assert caught.value.retry_after_s == 2


def test_the_other_sessions_end_and_this_one_goes_on(cast: Cast) -> None:
    here, there = Client(), Client()
    for browser in (here, there):
        browser.force_login(cast.sam.user)
    values = {"current_password": PASSWORD, "password": NEW, "repeated": NEW}
    assert here.post("/user/password/", values).status_code == 302
    assert here.get("/user/").status_code == 200
    assert there.get("/user/").status_code == 302


def test_the_secondary_address_hears_of_a_new_password(cast: Cast) -> None:
    User.objects.filter(pk=cast.sam.pk).update(secondary_email="sam@home.example")
    change_own_password(cast.sam, current_password=PASSWORD, password=NEW)
    assert background.wait_until_idle(10)
    [letter] = mail.outbox
    assert letter.to == ["sam@home.example"]
    assert NEW not in letter.body


# --- API tokens -----------------------------------------------------------------------------------------------


def token(actor: Actor, **values: Any) -> Any:
    defaults = {"name": "report", "scopes": ["domains:read"], "current_password": PASSWORD}
    return create_token(actor, **(defaults | values))


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"current_password": ""}, "current_password", "wrong_password"),
        ({"current_password": "Wrong-Horse-7"}, "current_password", "wrong_password"),
        ({"name": "  "}, "name", "required"),
        ({"name": "x" * 101}, "name", "too_long"),
        ({"name": "a\nb"}, "name", "hidden_character"),
        ({"scopes": []}, "scopes", "no_scope"),
        ({"scopes": ["domains:read", "everything"]}, "scopes", "unknown_scope"),
        ({"networks": ["192.0.2.7/24"]}, "networks", "invalid_network"),
        ({"networks": ["home"]}, "networks", "invalid_network"),
        ({"networks": ["192.0.2.1"] * 51}, "networks", "too_many"),
    ],
)
def test_a_wrong_token_is_refused(cast: Cast, values: dict[str, Any], field: str, code: str) -> None:
    with refused_as(field, code):
        token(cast.sam, **values)


def test_a_token_does_not_end_before_it_begins(cast: Cast) -> None:
    with refused_as("expires_at", "expiry_past"):
        token(cast.sam, expires_at=timezone.now())


def test_a_token_makes_no_further_tokens(cast: Cast) -> None:
    with forbidden():
        token(replace(cast.sam, credential=Credential.TOKEN))
    with forbidden():
        token(replace(cast.sam, credential=Credential.RESET_LINK))


def test_nobody_has_more_tokens_than_anybody_needs(cast: Cast) -> None:
    rows = (
        ApiToken(owner=cast.sam.user, name="x", digest=str(number), beginning="x")
        for number in range(MAX_TOKENS)
    )
    ApiToken.objects.bulk_create(rows)
    with refused_as("", "too_many"):
        token(cast.sam)


def test_only_a_keyed_hash_of_a_token_is_stored(cast: Cast, settings: Any) -> None:
    created = token(
        cast.dora,
        name=" report ",
        scopes=["aliases:read", "domains:read", "aliases:read"],
        networks=["192.0.2.0/24", "2001:db8::1", "192.0.2.0/24"],
        expires_at=timezone.now() + timedelta(days=1),
    )
    row = ApiToken.objects.get()
    assert row.owner_id == cast.dora.pk
    assert (row.name, row.scopes) == ("report", ["aliases:read", "domains:read"])
    assert row.networks == ["192.0.2.0/24", "2001:db8::1/128"]
    assert created.clear.startswith(row.beginning)
    assert len(created.clear) > 40
    assert row.digest == digest_of(created.clear)
    assert created.clear not in str(list(ApiToken.objects.values_list())) + str(
        list(Log.objects.values_list())
    )
    settings.SECRET_KEY = "another"
    assert digest_of(created.clear) != row.digest, "without the key, nobody makes a token that is stored"
    assert events()[-1] == ("token.create", "report", [])


def test_a_token_is_revoked_by_its_owner_only(cast: Cast) -> None:
    mine = token(cast.sam).token
    for other in (cast.root, cast.dora):
        with refused_as("", "gone"):
            revoke_token(other, mine)
    revoke_token(cast.sam, mine)
    assert not ApiToken.objects.exists()
    assert events()[-1] == ("token.delete", "report", [])
    with refused_as("", "gone"):
        revoke_token(cast.sam, mine)


def test_all_tokens_of_ones_own_are_revoked_at_once(cast: Cast) -> None:
    for owner in (cast.sam, cast.sam, cast.dora):
        token(owner)
    assert revoke_tokens(cast.sam) == 2
    assert ApiToken.objects.get().owner_id == cast.dora.pk
    assert events()[-2:] == [("token.delete", "report", [])] * 2
    assert revoke_tokens(cast.sam) == 0
    with forbidden():
        revoke_tokens(replace(cast.dora, credential=Credential.TOKEN))


@pytest.mark.usefixtures("plugin")
def test_tokens_and_preferences_go_with_their_account(cast: Cast) -> None:
    person = create_account(cast.root, username="temp", role=Role.RESELLER, password=PASSWORD).account
    actor = Actor(person, Credential.SESSION)
    token(actor)
    token(cast.sam)
    update_own_preferences(actor, language="", values={THIS_APP: {"colour": "blue"}})
    delete_accounts(cast.root, [Account.objects.get(pk=person.pk)])
    assert [each.owner_id for each in ApiToken.objects.all()] == [cast.sam.pk]
    assert not Preferences.objects.exists()
