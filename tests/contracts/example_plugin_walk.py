"""What the example plugin adds, and that broken plugins are told of; ``test_example_plugin.py`` runs it with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from admin import signals as of_admin
from admin.exports.identity_rows import identity_rows
from admin.lookups import postfix_maps
from admin.models import Account, Domain
from admin.operations import (
    create_account,
    create_alias,
    create_domain,
    create_domains,
    delete_accounts,
    delete_domains,
    update_account,
)
from admin.operations.accounts import MailboxSpec
from admin.operations.domains import DomainSpec
from core import plugins
from core import signals as of_core
from core.actor import Actor
from core.extensions import exts_pool
from core.hooks import Hook
from core.management.commands.modo import subcommands
from core.models import Log, User
from core.operations.tokens import create_token
from core.refusals import Refusal
from core.roles import Role
from core.signals import account_auto_created
from modoboa.core.extensions import exts_pool as documented_pool
from modoboa.lib.permissions import get_account_roles, get_object_owner, may_access
from parameters import tools
from tests.cast import PASSWORD, Cast
from tests.contracts.opened_forms import opened
from tests.servers.example_plugin import BROKEN
from tests.stored_parameters import store

Browser = Callable[[Actor | None], Client]

Colour, DomainNote, AccountNote, Event = (
    apps.get_model("example_plugin", name) for name in ("Colour", "DomainNote", "AccountNote", "Event")
)
XHR = {"X-Requested-With": "XMLHttpRequest"}


@pytest.fixture(autouse=True)
def _nothing_was_told_yet() -> None:
    """A fault is written to the event log once in a process; tests undo what earlier ones wrote."""
    plugins._told.clear()


@pytest.fixture
def root(cast: Cast, browser_of: Browser) -> Client:
    return browser_of(cast.root)


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def told(name: str) -> list[str]:
    return list(Event.objects.filter(name=name).order_by("pk").values_list("detail", flat=True))


def posted_form(client: Client, url: str, **changed: str) -> Any:
    """Send the form of a page as a browser would, with some values of one's own."""
    return client.post(url, opened(client, url) | changed)


# --- the pool ------------------------------------------------------------------------------------------------------


def test_the_pool_knows_what_works_and_only_that() -> None:
    assert documented_pool is exts_pool
    names = {infos["name"] for infos in exts_pool.list_all()}
    assert names == {"example_plugin", "broken_data", "broken_command"}
    assert exts_pool.get_extension_infos("example_plugin") == {
        "name": "example_plugin",
        "label": "Example",
        "version": "0.1",
        "description": "Notes beside domains and accounts; shows every hook once.",
        "url": "example",
        "topredirection_url": "/example/",
        "always_active": False,
    }
    for unknown in ("broken_load", "broken_urls", "nothing"):
        assert exts_pool.get_extension(unknown) is None
        assert exts_pool.get_extension_infos(unknown) is None
    assert [module.__name__ for module in exts_pool.known_problems()] == [
        "example_plugin.known_problems",
        "broken_command.known_problems",
    ]


@pytest.mark.usefixtures("cast")
def test_apps_of_the_panel_are_not_disabled_by_their_names_in_the_list() -> None:
    assert not plugins.is_disabled("admin.lookups")
    assert {"admin", "core"} <= {each.app for each in tools.registry.declarations("global")}
    assert len(postfix_maps()) > 9


@pytest.mark.django_db
def test_commands_of_a_broken_plugin_are_left_out_and_those_of_the_panel_are_its_own() -> None:
    found = subcommands()
    assert "greet" not in found
    assert found["publish"].__module__ == "admin.management.subcommands.publish"


@pytest.mark.django_db
def test_the_check_names_every_broken_plugin() -> None:
    said = {m.id: "" for m in run_checks()} | {}
    words = " ".join(f"{m.id} {m.msg}" for m in run_checks())
    assert {"core.W004", "core.W005"} <= set(said)
    for name in {*BROKEN, "no_such_plugin"} - {"broken_data", "broken_command", "silent", "plain"}:
        assert f"core.W004 The plugin {name} is disabled." in words
    for name in ("silent", "plain"):
        assert f"core.W005 The plugin {name} does nothing." in words


def test_the_page_of_information_says_what_is_broken(root: Client) -> None:
    call_command("load_initial_data", stdout=StringIO(), stderr=StringIO())
    page = text_of(root, reverse("admin:information"))
    assert "Example" in page
    assert "0.1" in page
    for fault in (
        "import: ImportError: no such library",
        "models: ZeroDivisionError: division by zero",
        "ready: RuntimeError: not ready",
        "load: KeyError: &#x27;missing&#x27;",
        "settings: KeyError: &#x27;NO&#x27;",
        "templatetags: ModuleNotFoundError",
        "migrations: ModuleNotFoundError",
        "urls: ImportError: cannot import name &#x27;nothing_like_this&#x27;",
        "urls: ValueError: Your URL pattern 1 is invalid",
        "import: ModuleNotFoundError: No module named &#x27;no_such_plugin&#x27;",
        "another app has the label “core”",
        "another app has the label “admin”",
        "load_initial_data: ValueError: no data today",
    ):
        assert fault in page, fault


def test_receivers_of_a_disabled_plugin_are_not_asked(root: Client) -> None:
    assert "Of a broken plugin" not in text_of(root, "/dashboard/")


# --- initial data, parameters, roles -------------------------------------------------------------------------------


def test_initial_data_is_loaded_again_and_again_and_a_failure_is_told(cast: Cast) -> None:
    for _time in range(2):
        errors = StringIO()
        call_command("load_initial_data", stdout=StringIO(), stderr=errors)
        assert errors.getvalue().strip() == "broken_data: ValueError: no data today"
    assert list(Colour.objects.values_list("name", flat=True)) == ["green"]
    assert told("initial_data_loaded") == ["example_plugin", "broken_command"] * 2
    assert User.objects.super_admins().get().pk == cast.root.pk


def test_parameters_of_both_levels_are_registered(cast: Cast) -> None:
    assert tools.get_global_parameter("greeting", "example_plugin") == "Good morning"
    assert tools.get_global_parameter("show_widget", "example_plugin") is True
    assert tools.get_user_parameters(cast.sam.user, "example_plugin") == {"nickname": ""}


def test_a_role_gets_the_permissions_that_a_plugin_names(cast: Cast, browser_of: Browser) -> None:
    managers = reverse("example_plugin:managers")
    assert browser_of(cast.rita).get(managers).status_code == 403
    call_command("load_initial_data", stdout=StringIO(), stderr=StringIO())
    assert set(Group.objects.values_list("name", flat=True)) == {"SimpleUsers", "DomainAdmins", "Resellers"}
    allowed = {
        name for name, actor in cast.everybody.items() if browser_of(actor).get(managers).status_code == 200
    }
    assert allowed == {"root", "rita"}
    rita = User.objects.get(pk=cast.rita.pk)
    assert rita.has_perms(
        ["example_plugin.add_domainnote", "admin.add_domain", "relaydomains.change_service"]
    )
    assert rita.has_module_perms("example_plugin")
    dora = User.objects.get(pk=cast.dora.pk)
    assert dora.has_perms(["core.add_user", "admin.view_domain", "admin.delete_alias"])
    assert not dora.has_perm("admin.add_domain")
    assert not dora.has_module_perms("example_plugin")
    assert not User.objects.get(pk=cast.sam.pk).has_module_perms("admin")


# --- views ---------------------------------------------------------------------------------------------------------


def test_pages_of_a_plugin_are_closed_to_strangers_and_show_what_one_sees(
    cast: Cast, browser_of: Browser
) -> None:
    index = reverse("example_plugin:index")
    assert index == "/example/"
    assert browser_of(None).get(index).status_code == 302
    DomainNote.objects.create(domain=cast.mallory_example, text="hers alone")
    assert "hers alone" in text_of(browser_of(cast.mallory), index)
    assert "hers alone" not in text_of(browser_of(cast.dora), index)
    assert "Good morning, dora@dora.example" in text_of(browser_of(cast.dora), index)
    page = reverse("example_plugin:domain", args=[cast.mallory_example.pk])
    assert browser_of(cast.dora).get(page).status_code == 404


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("bad", 400, "bad_request"),
        ("denied", 403, "permission_denied"),
        ("missing", 404, "not_found"),
        ("conflict", 409, "conflict"),
        ("internal", 500, "error"),
    ],
)
def test_errors_of_a_plugin_have_a_sentence_and_a_status(
    root: Client, kind: str, status: int, code: str
) -> None:
    url = reverse("example_plugin:refused", args=[kind])
    page = root.get(url)
    assert page.status_code == status
    assert "The plugin says no." in page.content.decode()
    for headers in (XHR, {"Accept": "application/json"}):
        answer = root.get(url, headers=headers)
        assert (answer.status_code, answer.json()) == (
            status,
            {"detail": "The plugin says no.", "code": code},
        )


def test_a_view_that_needs_a_mailbox_is_closed_without_one(cast: Cast, browser_of: Browser) -> None:
    url = reverse("example_plugin:mailbox")
    assert browser_of(cast.sam).get(url).content == b"sam@dora.example"
    assert browser_of(cast.root).get(url).status_code == 403


def test_the_api_of_a_plugin_answers_below_ours(cast: Cast) -> None:
    assert reverse("api:example-note-list") == "/api/v1/example/notes/"
    DomainNote.objects.create(domain=cast.mallory_example, text="hers")
    DomainNote.objects.create(domain=cast.dora_example, text="yours")
    yours = [{"domain__name": "dora.example", "text": "yours"}]

    def asked(
        scopes: list[str], actor: Actor = cast.dora, domains: tuple[str, ...] = (), **query: str
    ) -> Any:
        token = create_token(actor, name="t", scopes=scopes, domains=domains, current_password=PASSWORD).clear
        return Client(headers={"Authorization": f"Token {token}"}).get(
            reverse("api:example-note-list"), query
        )

    assert asked(["domains:read"]).json() == yours
    some = asked(["domains:read"], cast.root, ("dora.example",))
    assert some.json() == yours
    assert asked(["accounts:read"]).status_code == 403
    refused = asked(["domains:read"], fail="1")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


# --- every page ----------------------------------------------------------------------------------------------------


def test_menus_notices_and_files_of_a_plugin_are_on_the_pages(cast: Cast, browser_of: Browser) -> None:
    page = text_of(browser_of(cast.dora), "/admin/domains/")
    assert 'href="/example/"' in page
    assert "Example notes" in page
    assert "Example top_menu" in page
    assert "Example options_menu" in page
    assert page.count("Notes to read") == 1
    assert 'aria-label="1 notice"' in page
    assert "example_plugin/example.css" in page
    assert "example_plugin/example.js" in page
    assert '<p class="card card-body">Example on domains</p>\n' in page
    assert "Example on identities" in text_of(browser_of(cast.dora), "/admin/identities/")
    own = text_of(browser_of(cast.sam), "/user/profile/")
    assert "Example uprefs_menu" in own
    assert "Example notes" not in own
    assert text_of(browser_of(cast.sam), "/user/example/")
    assert "Hello from a plugin" in text_of(Client(), "/accounts/login/")


def test_an_open_page_asks_for_notices_again(cast: Cast, browser_of: Browser) -> None:
    dora = browser_of(cast.dora)
    assert 'data-notices="/core/top_notifications/check/"' in text_of(dora, "/admin/domains/")
    asked = dora.get("/core/top_notifications/check/")
    note = {"id": "example", "url": "/example/", "text": "Notes to read", "level": "info", "counter": 3}
    assert asked.json() == [note, {"id": "over"}]
    part = dora.get("/core/top_notifications/check/", headers={"Accept": "text/html"}).content.decode()
    assert 'aria-label="1 notice"' in part
    assert "<html" not in part


@pytest.mark.parametrize(
    ("page", "arrives"),
    [
        pytest.param("/example/", "/example/", id="an address"),
        pytest.param("example_plugin:index", "/example/", id="a name"),
        pytest.param("example_plugin:nothing", "/user/mailbox/", id="a name that is none"),
        pytest.param(None, "/user/mailbox/", id="nothing"),
    ],
)
def test_people_without_rights_may_arrive_at_a_plugin(
    page: str | None, arrives: str, cast: Cast, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = reverse("admin:my_mailbox")
    sam, dora = browser_of(cast.sam), browser_of(cast.dora)
    assert sam.get("/").headers["Location"] == own
    store("core", default_top_redirection="example_plugin")
    extension = exts_pool.get_extension("example_plugin")
    monkeypatch.setattr(type(extension), "topredirection_url", page)
    assert sam.get("/").headers["Location"] == arrives.replace("/user/mailbox/", own)
    assert dora.get("/").headers["Location"] == reverse("admin:dashboard")


def test_widgets_are_on_the_dashboard_and_one_that_fails_is_left_out(root: Client) -> None:
    page = text_of(root, "/dashboard/")
    assert "Good morning, root" in page
    fault = Log.objects.get(kind="plugin", object_name="example_plugin")
    assert re.match(r"example_plugin/broken.html: [\w.]+: example_plugin/there_is_no", fault.message)
    text_of(root, "/dashboard/")
    assert Log.objects.filter(kind="plugin", object_name="example_plugin").count() <= 1


# --- accounts ------------------------------------------------------------------------------------------------------


def test_the_tab_of_an_account_is_saved_with_the_account(cast: Cast, root: Client) -> None:
    url = reverse("admin:account_update", args=[cast.sam.pk])
    page = text_of(root, url)
    assert "Note about the person" in page
    assert "Hidden tab" not in page
    answer = posted_form(root, url, **{"first_name": "Sam", "note-text": "likes cats"})
    assert answer.status_code == 302
    assert AccountNote.objects.get(account=cast.sam.pk).text == "likes cats"
    assert "likes cats" in text_of(root, url)
    answer = posted_form(root, url, **{"first_name": "Other", "note-text": "forbidden"})
    assert answer.status_code == 422
    assert "This word is refused by the plugin." in answer.content.decode()
    assert User.objects.get(pk=cast.sam.pk).first_name == "Sam"
    detail = text_of(root, reverse("admin:account_detail", args=[cast.sam.pk]))
    assert "About sam@dora.example" in detail
    assert f"/example/?account={cast.sam.pk}" in detail
    assert f"/example/?account={cast.sam.pk}" in text_of(root, "/admin/identities/")


def test_a_tab_that_fails_while_it_is_saved_changes_nothing(
    cast: Cast, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = reverse("admin:account_update", args=[cast.sam.pk])

    def fail(_note: Any, *_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(AccountNote, "save", fail)
    answer = posted_form(root, url, **{"first_name": "Other", "note-text": "x"})
    assert answer.status_code == 422
    assert "Example note: The plugin failed, so nothing was changed." in answer.content.decode()
    assert User.objects.get(pk=cast.sam.pk).first_name == ""


def test_news_about_accounts_reach_the_plugin(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        new = create_account(
            cast.root,
            username="jo@dora.example",
            password=PASSWORD,
            mailbox=MailboxSpec(address="jo@dora.example"),
        ).account
        update_account(cast.root, new, role=Role.DOMAIN_ADMIN, password="Another-Horse-8")
    assert told("account_password_updated") == ["jo@dora.example 15 True", "jo@dora.example 15 False"]
    assert told("account_role_changed") == ["jo@dora.example SimpleUsers DomainAdmins"]
    client = Client()
    client.post("/accounts/login/", {"username": "jo@dora.example", "password": "Another-Horse-8"})
    client.post("/accounts/logout/")
    assert told("user_login") == ["jo@dora.example 15"]
    assert told("user_logout") == ["jo@dora.example"]
    AccountNote.objects.create(account_id=new.pk, text="goes with the account")
    delete_accounts(cast.root, [Account.objects.get(pk=new.pk)])
    assert told("account_deleted") == ["jo@dora.example"]
    assert not AccountNote.objects.exists()
    account_auto_created.tell(user=cast.sam.user)
    assert told("account_auto_created") == ["sam@dora.example"]


def test_a_plugin_may_keep_the_password(cast: Cast, root: Client, browser_of: Browser) -> None:
    update_account(cast.root, Account.objects.get(pk=cast.sam.pk), first_name="Elsewhere")
    sam = browser_of(cast.sam)
    assert sam.get("/user/password/").status_code == 403
    assert 'href="/user/password/"' not in text_of(sam, "/user/profile/")
    assert "password_mode" not in text_of(root, reverse("admin:account_update", args=[cast.sam.pk]))
    with pytest.raises(Refusal) as refused:
        update_account(cast.root, Account.objects.get(pk=cast.sam.pk), password="Another-Horse-8")
    assert refused.value.codes == [(0, "password", "kept_elsewhere")]


def test_a_plugin_may_be_against_a_role(cast: Cast, browser_of: Browser) -> None:
    User.objects.filter(pk=cast.root.pk).update(first_name="Careful")
    careful = Actor(User.objects.get(pk=cast.root.pk), cast.root.credential)
    roles = [role for role, _label in get_account_roles(careful.user)]
    assert roles == ["SimpleUsers", "DomainAdmins", "SuperAdmins"]
    assert 'value="Resellers"' not in text_of(browser_of(careful), "/admin/accounts/new/")
    with pytest.raises(Refusal) as refused:
        create_account(careful, username="resa", role=Role.RESELLER, password=PASSWORD)
    assert refused.value.codes == [(0, "role", "role_not_yours")]


def test_cells_of_a_plugin_leave_and_come_back(cast: Cast, tmp_path: Path) -> None:
    AccountNote.objects.create(account_id=cast.sam.pk, text="likes cats")
    rows = {row[1]: row for row in identity_rows(cast.root) if row[0] == "account"}
    assert rows["sam@dora.example"][7:] == ("sam@dora.example", "", "note=likes cats")
    assert rows["dora@dora.example"][7:] == ("dora@dora.example", "", "dora.example")
    file = tmp_path / "all.csv"
    file.write_text(
        "account;jo@dora.example;Correct-Horse-7;Jo;;true;DomainAdmins;jo@dora.example;10;dora.example;note=new\n"
        "colour;red\ncolour;\n"
    )
    with pytest.raises(CommandError):
        _import(cast, file)
    assert not Colour.objects.filter(name="red").exists()
    file.write_text(file.read_text().replace("colour;\n", ""))
    _import(cast, file)
    jo = Account.objects.get(username="jo@dora.example")
    assert AccountNote.objects.get(account=jo.pk).text == "new"
    assert [domain.name for domain in jo.administered_domains.all()] == ["dora.example"]
    assert Colour.objects.filter(name="red").exists()
    assert told("account_imported")[-1].startswith("root jo@dora.example ['jo@dora.example', '10'")


def _import(cast: Cast, file: Path) -> None:
    call_command(
        "modo", "import", str(file), "--crypt-password", f"--as={cast.root.user.username}", stdout=StringIO()
    )


# --- domains -------------------------------------------------------------------------------------------------------


def test_the_tab_of_a_domain_is_saved_with_the_domain(cast: Cast, root: Client) -> None:
    url = reverse("admin:domain_update", args=[cast.dora_example.pk])
    assert "Note about the domain" in text_of(root, url)
    assert posted_form(root, url, **{"note-text": "by %me%"}).status_code == 302
    assert DomainNote.objects.get(domain=cast.dora_example).text == "by root"
    page = text_of(root, reverse("admin:domain_detail", args=[cast.dora_example.pk]))
    assert "&lt;b&gt;About&lt;/b&gt; dora.example" in page
    assert f"/example/domains/{cast.dora_example.pk}/" in page
    delete_domains(cast.root, [cast.dora_example])
    assert not DomainNote.objects.exists()


def test_a_step_of_the_wizard_is_saved_with_the_new_domain(root: Client) -> None:
    url = reverse("admin:domain_create")
    assert 'data-step="plugin-firstnote"' in text_of(root, url)
    values = {"name": "new.example", "enabled": "on", "with_administrator": "no"}
    assert root.post(url, values | {"firstnote-text": "from the start"}).status_code == 302
    assert DomainNote.objects.get(domain__name="new.example").text == "from the start"
    # A refused domain has no note.
    assert root.post(url, values | {"firstnote-text": "again"}).status_code == 422
    assert DomainNote.objects.count() == 1


def test_tags_and_filters_of_a_plugin_narrow_the_list(cast: Cast, root: Client, browser_of: Browser) -> None:
    green = Colour.objects.create(name="green")
    DomainNote.objects.create(domain=cast.dora_example, text="a", colour=green)
    DomainNote.objects.create(domain=cast.mallory_example, text="b", colour=green)

    def names(client: Client, query: str = "") -> set[str]:
        return set(
            re.findall(
                r'class="row-name"\s+href="[^"]+">([^<]+)<', text_of(client, f"/admin/domains/{query}")
            )
        )

    page = text_of(root, "/admin/domains/")
    assert 'data-tone="good"' in page
    assert 'href="?colourfilter=green"' in page
    assert "Example of domains" in page
    assert f"/example/domains/{cast.dora_example.pk}/" in page
    assert "With a note" in page
    assert names(root, "?colourfilter=green") == {"dora.example", "mallory.example"}
    assert names(browser_of(cast.dora), "?colourfilter=green") == {"dora.example"}
    assert names(root, "?colourfilter=blue") == set()
    assert names(root, "?type=noted") == {"dora.example", "mallory.example"}
    assert len(names(root)) == 3


def test_the_list_stays_flat_with_a_plugin_that_asks_once(cast: Cast, root: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(root, "/admin/domains/")
        # A request is no transaction outside of tests, so no receiver has a savepoint there.
        return sum("SAVEPOINT" not in query["sql"] for query in queries.captured_queries)

    statements()
    few = statements()
    create_domains(cast.root, [DomainSpec(name=f"d{number}.example") for number in range(20)])
    assert statements() == few


def test_a_veto_is_a_refusal_beside_its_field(cast: Cast) -> None:
    quiet = create_domain(cast.root, name="quiet.example")
    with pytest.raises(Refusal) as refused:
        create_alias(cast.root, address="info@quiet.example", recipients=("friend@elsewhere.example",))
    assert refused.value.codes == [(0, "address", "vetoed")]
    assert str(refused.value.reasons[0].message) == "No aliases in quiet domains."
    assert get_object_owner(quiet) == cast.root.user
    assert may_access(cast.root.user, quiet)
    assert not may_access(cast.dora.user, quiet)
    assert may_access(cast.dora.user, cast.sam.user)


def test_a_plugin_may_know_recipients_that_nobody_has_here(cast: Cast) -> None:
    create_alias(cast.root, address="info@dora.example", recipients=("elsewhere-jo@dora.example",))
    with pytest.raises(Refusal):
        create_alias(cast.root, address="other@dora.example", recipients=("nobody@dora.example",))


def test_a_map_file_of_a_plugin_is_generated() -> None:
    assert "sql-example-notes.cf" in [each.file_name for each in postfix_maps()]


@pytest.mark.django_db
def test_every_hook_has_a_receiver_in_the_example() -> None:
    silent = [
        name
        for module in (of_core, of_admin)
        for name, hook in vars(module).items()
        if isinstance(hook, Hook)
        and not any(each.__module__ == "example_plugin.handlers" for each in hook._live_receivers(None)[0])
    ]
    assert silent == []
    assert Domain.objects.count() == 0
