"""Every screen, wide and phone-sized, light and dark: axe finds nothing, nothing sticks out, and a picture is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from admin.models import Account, Alias, MailboxOperation
from admin.operations import (
    MailboxSpec,
    create_account,
    create_alias,
    delete_accounts,
    update_account,
    update_domain,
)
from core.models import Scope, User
from core.operations.resets import link_of
from core.operations.tokens import create_token
from core.roles import Role
from limits.kinds import Kind
from relaydomains.operations import create_relay_domain
from tests.cast import PASSWORD, Cast
from tests.e2e.conftest import ARTIFACTS, PHONE, WIDE
from tests.e2e.test_main_path import sign_in
from tests.servers.packages import is_ci
from tests.stored_parameters import store

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, ViewportSize

SIZES = [pytest.param(WIDE, id="wide"), pytest.param(PHONE, id="phone")]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# What axe finds depends on the colours for these only.
_ABOUT_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}


def screens(people: Cast) -> dict[str, str]:
    """Name and path of every screen."""
    domain, sam, alias = people.dora_example.pk, people.sam.pk, Alias.objects.get().pk
    return {
        "dashboard": "/dashboard/",
        "domain_list": "/admin/domains/",
        "domain_list_empty": "/admin/domains/?q=nothing-like-this",
        "domain_create": "/admin/domains/new/",
        "domain_detail": f"/admin/domains/{domain}/",
        "domain_update": f"/admin/domains/{domain}/edit/",
        "domain_delete": f"/admin/domains/{domain}/delete/",
        "domain_administrator_add": f"/admin/domains/{domain}/administrators/add/",
        "domain_administrator_remove": f"/admin/domains/{domain}/administrators/{people.dora.pk}/remove/",
        "identity_list": "/admin/identities/",
        "account_create": "/admin/accounts/new/",
        "account_detail": f"/admin/accounts/{sam}/",
        "account_update": f"/admin/accounts/{sam}/edit/",
        "account_delete": f"/admin/accounts/{sam}/delete/",
        "alias_create": "/admin/aliases/new/",
        "alias_detail": f"/admin/aliases/{alias}/",
        "alias_update": f"/admin/aliases/{alias}/edit/",
        "alias_delete": f"/admin/aliases/{alias}/delete/",
        "quota_list": "/admin/identities/quotas/",
        "search": "/search/?q=dora",
        "search_empty": "/search/?q=nothing-like-this",
        "address_of_a_mailbox": "/admin/addresses/?address=sam@dora.example",
        "address_of_an_alias": "/admin/addresses/?address=info@dora.example",
        "address_of_nobody": "/admin/addresses/?address=nobody@dora.example",
        "address_elsewhere": "/admin/addresses/?address=friend@elsewhere.example",
        "my_mailbox": "/user/",
        "user_profile": "/user/profile/",
        "user_password": "/user/password/",
        "user_preferences": "/user/preferences/",
        "user_token_list": "/user/tokens/",
        "user_token_create": "/user/tokens/new/",
        "user_token_delete_all": "/user/tokens/revoke/",
        "settings_api": "/settings/api/",
        "site_parameters": "/settings/parameters/",
        "parameter_history": "/settings/parameters/history/",
        "preference_history": "/user/preferences/history/",
        "style_guide": "/style-guide/",
        "not_found": "/nowhere/",
    }


def look_at(page: Page, name: str) -> None:
    """Keep pictures, light and dark, unless in CI; no finding of axe, nothing wider than the window."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    width = page.evaluate("window.innerWidth")
    findings = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
        if not is_ci():
            page.screenshot(path=ARTIFACTS / f"{name}-{width}-{scheme}.png", full_page=True)
        if scheme == "light":
            findings += Axe().run(page).response["violations"]
        else:
            findings += page.evaluate("options => axe.run(options)", _ABOUT_COLOURS)["violations"]
    assert [(f["id"], [node["target"] for node in f["nodes"]]) for f in findings] == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_is_clean(page: Page, people: Cast, size: ViewportSize) -> None:
    recipients = ("sam@dora.example", "friend@elsewhere.example")
    create_alias(people.dora, address="info@dora.example", recipients=recipients)
    for name, domains in (("Nightly report", ()), ("Shop", ("dora.example", "mallory.example"))):
        create_token(people.root, name=name, scopes=Scope.values, domains=domains, current_password=PASSWORD)
    page.set_viewport_size(size)

    page.goto("/")
    look_at(page, "sign_in")
    page.get_by_label("User name or address").fill("nobody")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    look_at(page, "sign_in_refused")

    sign_in(page, "root")
    for name, path in screens(people).items():
        page.goto(path)
        look_at(page, name)

    page.goto("/admin/domains/")
    page.keyboard.press("Control+k")
    page.keyboard.type("sam@dora.example")
    expect(page.get_by_role("option").first).to_be_visible()
    look_at(page, "find")

    page.goto("/admin/identities/")
    page.get_by_label("Select info@dora.example").click()
    look_at(page, "identity_list_selected")
    page.get_by_role("button", name="Set quota").click()
    look_at(page, "identity_bulk_quota")
    page.goto("/admin/identities/?q=dora.example")
    page.locator("[data-select-all]").click()
    page.locator("#bulk").get_by_role("button", name="Delete").click()
    look_at(page, "identity_bulk_delete")
    page.goto("/admin/identities/?kind=forward")
    page.get_by_label("Select info@dora.example").click()
    page.locator("#bulk").get_by_role("button", name="Disable").click()
    look_at(page, "identity_bulk")
    page.locator("main").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Disabled:")
    look_at(page, "identity_bulk_report")

    page.goto("/admin/accounts/new/")
    page.get_by_role("button", name="Create account", exact=True).click()
    look_at(page, "account_create_refused")
    page.get_by_role("textbox", name="Address").fill("new-one")
    page.get_by_role("button", name="Create account", exact=True).click()
    expect(page.locator("#secret")).to_be_visible()
    assert Account.objects.filter(username__startswith="new-one@").exists()
    look_at(page, "account_created")

    page.locator("summary", has=page.get_by_text("RO", exact=True)).click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "sam@dora.example")
    expect(page.get_by_role("heading", level=1)).to_contain_text("sam@dora.example")
    look_at(page, "my_mailbox_of_a_simple_user")


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_with_limits_is_clean(page: Page, people: Cast, size: ViewportSize) -> None:
    store("limits", enable_domain_limits=True)
    domain, rita = people.reseller_example, people.rita.pk
    update_domain(people.root, domain, mailboxes_limit=5, mailbox_aliases_limit=0, domain_admins_limit=-1)
    limits = {Kind.DOMAINS: 1, Kind.DOMAIN_ADMINS: 4, Kind.MAILBOXES: 20, Kind.MAILBOX_ALIASES: 0}
    update_account(people.root, Account.objects.get(pk=rita), limits=limits)
    child = create_account(
        people.rita,
        username="child",
        password=PASSWORD,
        role=Role.DOMAIN_ADMIN,
        administers=(domain.name,),
        limits={Kind.MAILBOXES: 17},
    ).account.pk
    page.set_viewport_size(size)
    sign_in(page, "rita")
    screens = {
        "domain_list": "/admin/domains/",
        "identity_list": "/admin/identities/",
        "account_create": f"/admin/accounts/new/?domain={domain.name}",
        "alias_create": f"/admin/aliases/new/?domain={domain.name}",
        "domain_create": "/admin/domains/new/",
        "domain_detail": f"/admin/domains/{domain.pk}/",
        "domain_update": f"/admin/domains/{domain.pk}/edit/",
        "account_detail": f"/admin/accounts/{rita}/",
        "account_update": f"/admin/accounts/{child}/edit/",
    }
    for name, path in screens.items():
        page.goto(path)
        look_at(page, f"limits_{name}")
    page.get_by_label("Mailboxes").fill("21")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("left to hand out")).to_be_visible()
    look_at(page, "limits_account_update_refused")

    # A step for limits is there while the role has some.
    page.goto("/admin/accounts/new/")
    step = page.get_by_role("button", name="Resources")
    expect(step).to_be_hidden()
    page.get_by_text("Domain administrator", exact=True).click()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    expect(step).to_have_attribute("aria-current", "step")
    expect(page.get_by_role("button", name="Next")).to_be_hidden()
    look_at(page, "limits_account_create_resources")


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_about_relay_domains_is_clean(
    page: Page, people: Cast, size: ViewportSize, tmp_path: Path
) -> None:
    domain = create_relay_domain(
        people.root, name="old.example", target_host="2001:db8::25", verify_recipients=True
    ).domain
    create_relay_domain(people.root, name="branch.example", target_host="mx.branch.example", service="smtp")
    mailbox = MailboxSpec(address="here@old.example")
    create_account(people.root, username="here@old.example", password=PASSWORD, mailbox=mailbox)
    create_alias(people.dora, address="team@dora.example", recipients=("boss@old.example",))
    store("relaydomains", master_cf_path=str(tmp_path / "master.cf"))
    page.set_viewport_size(size)
    sign_in(page, "root")
    screens = {
        "domain_list_relayed": "/admin/domains/?type=relaydomain",
        "domain_detail_relayed": f"/admin/domains/{domain.pk}/",
        "relay_domain_create": "/admin/domains/relays/new/",
        "relay_domain_update": f"/admin/domains/{domain.pk}/relay/edit/",
        "relay_domain_start": f"/admin/domains/{people.dora_example.pk}/relay/",
        "relay_domain_stop": f"/admin/domains/{domain.pk}/relay/stop/",
        "address_relayed": "/admin/addresses/?address=boss@old.example",
        "service_list": "/admin/domains/relays/services/",
    }
    for name, path in screens.items():
        page.goto(path)
        look_at(page, name)

    page.get_by_role("button", name="Scan master.cf").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be read")
    look_at(page, "service_scan_refused")
    lines = ["smtp unix - - y - - smtp", "slow unix - - y - 1 smtp", "Odd unix - - y - - smtp"]
    (tmp_path / "master.cf").write_text("\n".join(lines))
    page.get_by_role("button", name="Scan master.cf").click()
    expect(page.get_by_text("New: slow")).to_be_visible()
    look_at(page, "service_scan_report")

    page.goto("/admin/domains/")
    page.get_by_role("link", name="Only smtp").click()
    expect(page.get_by_role("link", name="old.example")).to_be_hidden()
    expect(page.get_by_role("link", name="branch.example")).to_be_visible()
    page.goto(screens["relay_domain_stop"])
    page.get_by_label("Type old.example to confirm").fill("old.example")
    page.get_by_role("button", name="Stop relaying").click()
    expect(page.get_by_role("link", name="team@dora.example")).to_be_visible()
    look_at(page, "relay_domain_stop_refused")
    page.goto(screens["relay_domain_create"])
    page.get_by_role("textbox", name="Name", exact=True).fill("dora.example")
    page.get_by_label("Target host").fill("not a host")
    page.get_by_role("button", name="Create relay domain").click()
    expect(page.get_by_text("cannot contain a space")).to_be_visible()
    look_at(page, "relay_domain_create_refused")


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_about_mail_directories_is_clean(page: Page, people: Cast, size: ViewportSize) -> None:
    store("admin", handle_mailboxes=True)
    domain, sam = people.dora_example.pk, Account.objects.get(pk=people.sam.pk)
    for name in ("max", "eva"):
        address = f"{name}@dora.example"
        create_account(people.root, username=address, password=PASSWORD, mailbox=MailboxSpec(address=address))
    update_account(people.root, sam, address="samuel@dora.example")
    MailboxOperation.objects.update(state="failed", attempts=12, last_error="dora.example/samuel is there.")
    update_account(
        people.root, Account.objects.get(email="max@dora.example"), address="maximilian@dora.example"
    )
    delete_accounts(people.root, [Account.objects.get(email="eva@dora.example")])
    deleted = MailboxOperation.objects.filter(kind="delete")
    deleted.update(state="done", trash="kept", trash_path=".trash/1", finished_at=timezone.now())
    page.set_viewport_size(size)
    sign_in(page, "root")
    screens = {
        "directory_list": "/admin/directories/",
        "directory_list_trash": "/admin/directories/?trash=kept",
        "directory_list_empty": "/admin/directories/?q=nothing-like-this",
        "information": "/admin/information/",
        "account_detail_not_moved": f"/admin/accounts/{sam.pk}/",
        "address_being_moved": "/admin/addresses/?address=max@dora.example",
        "account_delete_to_the_trash": f"/admin/accounts/{sam.pk}/delete/",
        "domain_delete_to_the_trash": f"/admin/domains/{domain}/delete/",
    }
    for name, path in screens.items():
        page.goto(path)
        look_at(page, name)

    page.goto(screens["account_detail_not_moved"])
    page.get_by_role("link", name="Show the order").click()
    page.get_by_label("Actions for sam@dora.example").click()
    look_at(page, "directory_list_menu")
    page.get_by_role("button", name="Retry").first.click()
    look_at(page, "directory_bulk_retry")
    page.goto("/admin/directories/")
    page.locator("tbody").get_by_label("Select max@dora.example").click()
    page.locator("#bulk").get_by_role("button", name="Give up").click()
    look_at(page, "directory_bulk_give_up")
    page.get_by_role("button", name="Give up 1 order").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Given up: 1 order")
    look_at(page, "directory_bulk_report")
    page.goto(screens["directory_list_trash"])
    page.get_by_label("Actions for eva@dora.example").click()
    page.get_by_role("button", name="Restore").first.click()
    page.get_by_role("button", name="Restore from the trash").click()
    expect(page.get_by_text("Choose the mailbox")).to_be_visible()
    look_at(page, "directory_bulk_restore_refused")
    page.get_by_label("For the mailbox").fill("maximilian@dora.example")
    page.get_by_role("button", name="Restore from the trash").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Coming back")


@pytest.mark.parametrize("size", SIZES)
def test_every_page_of_the_own_account_is_clean(page: Page, people: Cast, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    sign_in(page, people.sam.user.username)
    page.goto("/user/forward/")
    page.get_by_label("Forward to").fill("sam@elsewhere.example, nobody@dora.example")
    page.get_by_role("button", name="Save").click()
    look_at(page, "user_forward_refused")
    page.get_by_label("Forward to").fill("sam@elsewhere.example")
    page.get_by_role("button", name="Save").click()
    look_at(page, "user_forward")

    page.goto("/user/password/")
    page.get_by_label("New password", exact=True).fill("short")
    page.get_by_label("New password again").fill("other")
    page.get_by_role("button", name="Change the password").click()
    look_at(page, "user_password_refused")

    page.goto("/user/tokens/new/")
    page.get_by_label("Name").fill("Nightly report")
    page.get_by_label("Read domains").check()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Create the token").click()
    expect(page.locator("#secret")).to_be_visible()
    look_at(page, "user_token_created")
    page.goto("/user/tokens/")
    look_at(page, "user_token_list_of_a_simple_user")
    page.get_by_role("link", name="Revoke Nightly report").click()
    look_at(page, "user_token_delete")
    page.get_by_role("button", name="Revoke the token").click()

    account = User.objects.get(username="sam@dora.example")
    account.secondary_email = "sam@home.example"
    account.save(update_fields=["secondary_email"])
    for name, path in {
        "password_reset": "/accounts/password_reset/",
        "password_reset_done": "/accounts/password_reset/done/",
        "password_reset_confirm": link_of(account).partition("localhost")[2],
        "password_reset_dead": "/accounts/reset/MQ/x-y/",
        "password_reset_complete": "/accounts/reset/done/",
    }.items():
        page.goto(path)
        look_at(page, name)
