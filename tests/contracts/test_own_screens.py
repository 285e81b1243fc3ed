"""The pages of "My account": what stands where, in which language, and what is kept of what was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django import forms
from django.test import Client
from django.utils.html import escape

from admin.models import Alias
from admin.operations import create_alias
from core.actor import Actor
from core.models import ApiToken, Scope, User
from core.operations.tokens import create_token
from modoboa.parameters import forms as plugin_forms
from parameters import tools
from tests.cast import PASSWORD, Cast

BrowserOf = Callable[[Actor | None], Client]
NEW = "Another-Horse-8"


def codes(answer: Any, status: int = 422) -> dict[str, list[str]]:
    """Codes by field; every message must stand on the page, beside its field or above the form."""
    assert answer.status_code == status
    form, page = answer.context["form"], answer.content.decode()
    for name, errors in form.errors.items():
        assert name == "__all__" or f'id="{form[name].auto_id}_error"' in page
        assert all(str(escape(message)) in page for message in errors)
    return {name: [one.code for one in errors] for name, errors in form.errors.as_data().items()}


@pytest.fixture
def sam(cast: Cast, browser_of: BrowserOf) -> Client:
    return browser_of(cast.sam)


# --- profile and password --------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_profile_stands_beside_its_field(sam: Client) -> None:
    values = {"first_name": "x" * 151, "secondary_email": "nowhere", "current_password": PASSWORD}
    assert codes(sam.post("/user/profile/", values)) == {
        "first_name": ["too_long"],
        "secondary_email": ["invalid_email"],
    }
    values = {"secondary_email": "sam@home.example"}
    assert codes(sam.post("/user/profile/", values)) == {"current_password": ["wrong_password"]}


def test_what_is_wrong_with_a_password_stands_beside_its_field(sam: Client) -> None:
    def post(current: str, new: str, again: str) -> dict[str, list[str]]:
        values = {"current_password": current, "password": new, "repeated": again}
        return codes(sam.post("/user/password/", values))

    assert post("", NEW, NEW) == {"current_password": ["wrong_password"]}
    assert post("Wrong-Horse-7", NEW, NEW) == {"current_password": ["wrong_password"]}
    assert post(PASSWORD, NEW, f"{NEW} ") == {"repeated": ["passwords_differ"]}
    assert post(PASSWORD, "no-capital-7", "no-capital-7") == {"password": ["password_no_upper"]}
    assert post(PASSWORD, "", "") == {"password": ["required"], "repeated": ["required"]}


def test_no_password_comes_back_with_the_page(sam: Client) -> None:
    values = {"current_password": PASSWORD, "password": "no-capital-7", "repeated": "no-capital-7"}
    page = sam.post("/user/password/", values).content.decode()
    assert PASSWORD not in page
    assert "no-capital-7" not in page


def test_too_many_wrong_passwords_are_an_honest_429(sam: Client) -> None:
    values = {"current_password": "Wrong-Horse-7", "password": NEW, "repeated": NEW}
    for _time in range(5):
        assert sam.post("/user/password/", values).status_code == 422
    answer = sam.post("/user/password/", values)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) in {1, 2}
    assert "Too many attempts" in answer.content.decode()
    values = {"secondary_email": "x@home.example", "current_password": PASSWORD}
    assert sam.post("/user/profile/", values).status_code == 429, "another page gives no further guesses"


# --- preferences ------------------------------------------------------------------------------------------------


def test_the_new_language_is_active_in_the_answer(sam: Client) -> None:
    answer = sam.post("/user/preferences/", {"language": "fr"}, follow=True)
    assert '<html lang="fr"' in answer.content.decode()
    answer = sam.post("/user/preferences/", {"language": ""}, follow=True, headers={"accept-language": "de"})
    assert '<html lang="de"' in answer.content.decode()


def test_a_language_that_nobody_speaks_is_refused_beside_the_field(sam: Client) -> None:
    assert codes(sam.post("/user/preferences/", {"language": "tlh"})) == {"language": ["unknown_language"]}


def test_where_nothing_can_be_chosen_the_page_says_so(sam: Client) -> None:
    assert "There is nothing else to choose yet" in sam.get("/user/preferences/").content.decode()


class Colours(plugin_forms.UserParametersForm):
    app = "tests"

    lines = forms.IntegerField(label="Lines of a page", min_value=1, initial=20)

    def clean_lines(self) -> int:
        lines: int = self.cleaned_data["lines"]
        return lines


@pytest.fixture
def plugin() -> Iterator[None]:
    tools.registry.add("user", Colours, "Colours")
    yield
    del tools.registry._declarations["user", "tests"]


@pytest.mark.usefixtures("plugin")
def test_a_form_that_a_plugin_registers_is_shown_and_saved(cast: Cast, sam: Client) -> None:
    page = sam.get("/user/preferences/").content.decode()
    assert "Lines of a page" in page
    assert "nothing else to choose" not in page
    refused = sam.post("/user/preferences/", {"language": "fr", "tests-lines": "0"})
    assert refused.status_code == 422
    assert 'id="id_tests-lines_error"' in refused.content.decode()
    assert User.objects.get(pk=cast.sam.pk).language == ""
    assert sam.post("/user/preferences/", {"language": "", "tests-lines": "7"}).status_code == 302
    assert tools.get_user_parameters(cast.sam.user, "tests") == {"lines": 7}


# --- forward -----------------------------------------------------------------------------------------------------


def test_a_refused_forward_keeps_what_was_typed(sam: Client) -> None:
    typed = "a@out.example; nobody@dora.example"
    answer = sam.post("/user/forward/", {"recipients": typed})
    assert codes(answer) == {"recipients": ["unknown_recipient"]}
    assert typed in answer.content.decode()


def test_the_first_page_shows_the_forward_and_leads_to_it(sam: Client) -> None:
    assert "Mail is not forwarded." in sam.get("/user/").content.decode()
    assert sam.post("/user/forward/", {"recipients": "a@out.example b@out.example"}).status_code == 302
    page = sam.get("/user/").content.decode()
    for words in ("a@out.example", "b@out.example", "without a copy here", 'href="/user/forward/"'):
        assert words in page
    form = sam.get("/user/forward/").context["form"]
    assert form["recipients"].value() == "a@out.example\nb@out.example"


def test_what_an_administrator_switched_off_is_said_and_not_offered(cast: Cast, sam: Client) -> None:
    create_alias(cast.dora, address="sam@dora.example", recipients=("a@out.example",), enabled=False)
    page = sam.get("/user/forward/").content.decode()
    assert "Switched off by an administrator." in page
    assert "<textarea" not in page
    assert sam.post("/user/forward/", {"recipients": ""}).status_code == 422
    assert not Alias.objects.get().enabled


# --- tokens -----------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once(cast: Cast, sam: Client) -> None:
    values = {
        "name": "report",
        "scopes": ["domains:read"],
        "expires_on": "2099-12-31",
        "current_password": PASSWORD,
    }
    answer = sam.post("/user/tokens/new/", values)
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    clear = answer.context["clear"]
    assert clear in answer.content.decode()
    page = sam.get("/user/tokens/").content.decode()
    assert "report" in page
    assert clear not in page
    token = ApiToken.objects.get(owner=cast.sam.pk)
    assert token.expires_at is not None
    assert token.expires_at.isoformat() == "2099-12-31T23:59:59+00:00"


def test_a_token_for_some_domains_says_which(cast: Cast, browser_of: BrowserOf, sam: Client) -> None:
    dora = browser_of(cast.dora)
    values = {"name": "report", "scopes": ["domains:read"], "current_password": PASSWORD}
    assert dora.post("/user/tokens/new/", values | {"domains": ["", "dora.example"]}).status_code == 201
    assert "only in dora.example" in dora.get("/user/tokens/").content.decode()
    wrong = dora.post("/user/tokens/new/", values | {"domains": ["mallory.example"]})
    assert codes(wrong) == {"domains": ["unknown_domain"]}
    assert "domains" not in sam.get("/user/tokens/new/").context["form"].fields


def test_all_tokens_are_revoked_after_a_question(cast: Cast, sam: Client) -> None:
    for actor in (cast.sam, cast.sam, cast.dora):
        create_token(actor, name="x", scopes=["domains:read"], current_password=PASSWORD)
    assert "2 tokens" in sam.get("/user/tokens/revoke/").content.decode()
    assert ApiToken.objects.count() == 3
    page = sam.post("/user/tokens/revoke/", follow=True).content.decode()
    assert "2 tokens were revoked." in page
    assert ApiToken.objects.get().owner_id == cast.dora.pk


def test_settings_api_gives_a_token_and_takes_it_back(cast: Cast, browser_of: BrowserOf) -> None:
    root, url, on = browser_of(cast.root), "/settings/api/", {"enable_api_access": "on"}
    page = root.get("/user/profile/").content.decode()
    assert page.index("/admin/identities/") < page.index(url) < page.index("/admin/information/")
    assert codes(root.post(url, on)) == {"current_password": ["wrong_password"]}
    assert not ApiToken.objects.exists()
    answer = root.post(url, on | {"current_password": PASSWORD})
    assert answer.status_code == 201
    clear = answer.context["clear"]
    assert clear in answer.content.decode()
    everything = Client(headers={"Authorization": f"Token {clear}"})
    assert everything.get("/api/v1/domains/").status_code == 200
    assert ApiToken.objects.get().scopes == sorted(Scope.values)
    assert "checked" in str(root.get(url).context["form"]["enable_api_access"])
    assert clear not in root.get(url).content.decode()
    assert "Nothing was changed." in root.post(url, on, follow=True).content.decode()
    assert "1 token was revoked." in root.post(url, {}, follow=True).content.decode()
    assert everything.get("/api/v1/domains/").status_code == 401


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"scopes": []}, "scopes", "no_scope"),
        ({"scopes": ["everything"]}, "scopes", "unknown_scope"),
        ({"expires_on": "2001-01-01"}, "expires_on", "expiry_past"),
        ({"expires_on": "soon"}, "expires_on", "invalid"),
        ({"networks": ["home"]}, "networks", "invalid_network"),
        ({"current_password": ""}, "current_password", "wrong_password"),
    ],
)
def test_what_is_wrong_with_a_token_stands_beside_its_field(
    sam: Client, values: dict[str, Any], field: str, code: str
) -> None:
    good = {"name": "report", "scopes": ["domains:read"], "current_password": PASSWORD}
    assert codes(sam.post("/user/tokens/new/", good | values)) == {field: [code]}


def test_a_token_is_revoked_after_a_question(sam: Client) -> None:
    sam.post("/user/tokens/new/", {"name": "x", "scopes": ["domains:read"], "current_password": PASSWORD})
    url = f"/user/tokens/{ApiToken.objects.get().pk}/revoke/"
    assert sam.get(url).status_code == 200
    assert ApiToken.objects.exists()
    assert sam.post(url).status_code == 302
    assert not ApiToken.objects.exists()
    assert sam.get(url).status_code == 404


# --- where it is found --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["root", "rita", "dora", "sam", "mallory"])
def test_everybody_finds_the_own_pages_in_the_menu(cast: Cast, browser_of: BrowserOf, person: str) -> None:
    actor = cast.everybody[person]
    answer = browser_of(actor).get("/user/profile/")
    urls = [entry["url"] for entry in answer.context["own_pages"]]
    with_mailbox = ["/user/", "/user/forward/"] if actor.user.email else []
    always = ["/user/profile/", "/user/password/", "/user/preferences/", "/user/tokens/"]
    assert sorted(urls) == sorted(with_mailbox + always)
    assert [entry["url"] for entry in answer.context["own_pages"] if entry["active"]] == ["/user/profile/"]
    menu = answer.content.decode().partition('class="menu-panel"')[2]
    assert all(f'href="{url}"' in menu for url in urls)
    rail = answer.content.decode().partition("</nav>")[0]
    assert ('href="/user/password/"' in rail) is (person == "sam")


def test_the_sign_in_page_leads_to_a_new_password(client: Client, cast: Cast) -> None:
    del cast
    assert 'href="/accounts/password_reset/"' in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/password_reset/",
        "/accounts/password_reset/done/",
        "/accounts/reset/MQ/x-y/",
        "/accounts/reset/MQ/new-password/",
        "/accounts/reset/done/",
    ],
)
def test_pages_about_a_forgotten_password_are_kept_by_nobody(client: Client, cast: Cast, path: str) -> None:
    del cast
    answer = client.get(path)
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"


def test_the_cookie_with_the_token_is_for_one_page_and_no_script(
    client: Client, cast: Cast, settings: Any
) -> None:
    del cast
    settings.SESSION_COOKIE_SECURE = True
    cookie = client.get("/accounts/reset/MQ/x-y/").cookies["reset"]
    assert (cookie.value, cookie["path"]) == ("x-y", "/accounts/reset/MQ/new-password/")
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
