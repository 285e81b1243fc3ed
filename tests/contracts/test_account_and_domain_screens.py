"""What the screens of accounts and domains offer beyond plain values: wizards, renaming, administrators, deletions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from admin.models import Account, Alias, Domain, DomainAlias, Mailbox, MailboxOperation, Quota
from admin.operations import (
    Appointment,
    DomainSpec,
    MailboxSpec,
    add_administrators,
    create_account,
    create_domain,
    create_domains,
    update_account,
    update_domain,
)
from core.actor import Actor
from core.models import User
from core.passwords import verify_password
from core.roles import Role
from limits.models import Allowance
from tests.cast import PASSWORD, Cast
from tests.contracts.conftest import Fingerprint
from tests.stored_parameters import store

Values = dict[str, Any]
Browsers = Callable[[Actor | None], Client]
DOMAIN: Values = {"name": "new.example", "enabled": "on", "enable_dns_checks": "on"}
ADMINISTRATOR: Values = DOMAIN | {
    "with_administrator": "yes",
    "administrator": "admin",
    "administrator_password_mode": "generate",
    "with_mailbox": "on",
    "with_postmaster": "on",
}
SAM: Values = {
    "address_local": "sam",
    "address_domain": "dora.example",
    "is_active": "on",
    "role": Role.SIMPLE_USER.value,
}


@pytest.fixture
def root(cast: Cast, browser_of: Browsers) -> Client:
    """The browser of the super admin."""
    return browser_of(cast.root)


def _url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def _set(app: str, name: str, value: object) -> None:
    store(app, **{name: value})


def _codes(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 422
    errors = answer.context["form"].errors.as_data()
    return {name: [one.code for one in found] for name, found in errors.items()}


def _fields(browser: Client, url: str) -> set[str]:
    return set(browser.get(url).context["form"].fields)


# --- the wizard of domains -------------------------------------------------------------------------------------


def test_one_post_makes_a_domain_with_its_administrator(root: Client) -> None:
    answer = root.post(_url("domain_create"), ADMINISTRATOR | {"administrator": "Boss"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    boss = Account.objects.get(username="boss@new.example")
    assert verify_password(answer.context["password"], boss.password)
    assert (boss.role, boss.email) == (Role.DOMAIN_ADMIN, "boss@new.example")
    domain = Domain.objects.get(name="new.example")
    assert [each.username for each in domain.administrators.all()] == ["boss@new.example"]
    assert Alias.objects.get(address="postmaster@new.example").recipients.get().address == boss.email
    page = answer.content.decode()
    assert _url("domain_detail", domain.pk) in page
    assert answer.context["password"] in page


def test_an_administrator_may_be_without_a_mailbox_and_without_an_alias(root: Client) -> None:
    values = ADMINISTRATOR | {"administrator_password_mode": "type", "administrator_password": PASSWORD}
    for name in ("with_mailbox", "with_postmaster"):
        del values[name]
    assert root.post(_url("domain_create"), values).status_code == 302
    boss = Account.objects.get(username="admin@new.example")
    assert boss.email == ""
    assert verify_password(PASSWORD, boss.password)
    assert not Alias.objects.exists()


def test_the_default_password_is_offered_when_there_is_one(root: Client) -> None:
    values = ADMINISTRATOR | {"administrator_password_mode": "default"}
    assert "Default password" not in root.get(_url("domain_create")).content.decode()
    assert _codes(root.post(_url("domain_create"), values)) == {
        "administrator_password_mode": ["invalid_choice"]
    }
    _set("core", "default_password", PASSWORD)
    assert "Default password" in root.get(_url("domain_create")).content.decode()
    assert root.post(_url("domain_create"), values).status_code == 302
    assert verify_password(PASSWORD, Account.objects.get(username="admin@new.example").password)


ADMINISTRATOR_REFUSALS: list[tuple[Values, dict[str, list[str]]]] = [
    ({"administrator": "a b"}, {"administrator": ["local_part_character"]}),
    ({"administrator": "a@b"}, {"administrator": ["address_at_sign"]}),
    ({"administrator": ""}, {"administrator": ["local_part_empty"]}),
    ({"name": "dora.example", "administrator": "x y"}, {"name": ["name_taken"]}),
    (
        {"administrator_password_mode": "type", "administrator_password": "aB3"},
        {"administrator_password": ["password_too_short"]},
    ),
]


def test_a_refusal_of_a_later_step_stands_there_and_nothing_is_made(
    root: Client, fingerprint: Fingerprint
) -> None:
    before = fingerprint()
    for values, refusals in ADMINISTRATOR_REFUSALS:
        answer = root.post(_url("domain_create"), ADMINISTRATOR | values)
        assert _codes(answer) == refusals, values
        step = "general" if "name" in refusals else "options"
        refused = re.findall(r'data-step="(\w+)" data-refused', answer.content.decode())
        assert refused == [step]
    assert fingerprint() == before


def test_without_an_administrator_the_rest_of_the_step_does_not_count(root: Client) -> None:
    values = ADMINISTRATOR | {"with_administrator": "no", "administrator": "a b"}
    assert root.post(_url("domain_create"), values).status_code == 302
    assert not Account.objects.filter(username__endswith="new.example").exists()


def test_the_steps_are_one_page_without_javascript(root: Client) -> None:
    page = root.get(_url("account_create")).content.decode()
    assert re.findall(r'data-step="(\w+)"', page) == ["general", "mail", "resources"]
    assert (
        page.index('name="address_local"') < page.index('name="quota"') < page.index('type="submit">Create')
    )


def test_an_account_is_created_with_aliases_and_as_a_master_user(root: Client) -> None:
    values = {
        "address_local": "jo",
        "address_domain": "dora.example",
        "role": "SuperAdmins",
        "password_mode": "type",
        "password": PASSWORD,
        "is_active": "on",
        "master_user": "on",
        "aliases": ["info@dora.example", "sales@mallory.example"],
    }
    assert root.post(_url("account_create"), values).status_code == 302
    jo = Account.objects.get(username="jo@dora.example")
    assert jo.master_user
    assert sorted(Alias.objects.values_list("address", flat=True)) == [
        "info@dora.example",
        "sales@mallory.example",
    ]
    values |= {"address_local": "al", "role": "SimpleUsers"}
    assert root.post(_url("account_create"), values).status_code == 302
    assert not Account.objects.filter(username="al@dora.example", master_user=True).exists()


# --- renaming --------------------------------------------------------------------------------------------------


def test_another_address_renames_and_may_keep_the_old_one(cast: Cast, root: Client) -> None:
    url = _url("account_update", cast.sam.pk)
    values = {
        "role": "SimpleUsers",
        "is_active": "on",
        "address_local": "samuel",
        "address_domain": "mallory.example",
        "keep_old_address": "on",
    }
    assert root.post(url, values).status_code == 302
    sam = Account.objects.get(pk=cast.sam.pk)
    assert (sam.username, sam.email) == ("samuel@mallory.example", "samuel@mallory.example")
    assert Alias.objects.get(address="sam@dora.example").recipients.get().address == sam.email
    del values["keep_old_address"]
    assert root.post(url, values | {"address_local": "sammy"}).status_code == 302
    assert not Alias.objects.filter(address="samuel@mallory.example").exists()
    taken = {"address_local": "dora", "address_domain": "dora.example"}
    assert _codes(root.post(url, values | taken)) == {"address": ["address_taken"]}
    assert _codes(root.post(url, values | {"address_local": ""})) == {"address": ["mailbox_stays"]}


def test_an_account_without_a_mailbox_gets_one(cast: Cast, root: Client) -> None:
    url = _url("account_update", cast.rita.pk)
    values = {"role": "Resellers", "is_active": "on", "username": "rita"}
    assert root.post(url, values | {"quota_mode": "own", "quota": "1 GB"}).status_code == 422
    values |= {"address_local": "rita", "address_domain": "dora.example"}
    answer = root.post(
        url, values | {"quota_mode": "own", "quota": "1 GB", "sender_addresses": ["r@else.example"]}
    )
    assert answer.status_code == 302
    mailbox = Mailbox.objects.get(user=cast.rita.pk)
    assert (mailbox.quota, mailbox.use_domain_quota) == (1024, False)
    assert mailbox.sender_addresses.get().address == "r@else.example"
    assert Account.objects.get(pk=cast.rita.pk).username == "rita"


def test_who_becomes_a_simple_user_signs_in_with_the_address(cast: Cast, root: Client) -> None:
    update_account(cast.root, Account.objects.get(pk=cast.dora.pk), username="dora")
    values = {"role": "SimpleUsers", "is_active": "on", "username": "dora", "address_local": "dora"}
    answer = root.post(_url("account_update", cast.dora.pk), values | {"address_domain": "dora.example"})
    assert answer.status_code == 302
    dora = Account.objects.get(pk=cast.dora.pk)
    assert (dora.role, dora.username) == (Role.SIMPLE_USER, "dora@dora.example")


def test_a_mailbox_in_a_strange_domain_stays_there_when_its_owner_is_edited(
    cast: Cast, browser_of: Browsers
) -> None:
    update_account(cast.root, Account.objects.get(pk=cast.rita.pk), address="rita@mallory.example")
    rita = browser_of(Actor(User.objects.get(pk=cast.rita.pk), cast.rita.credential, "127.0.0.1"))
    url = _url("account_update", cast.rita.pk)
    page = rita.get(url).content.decode()
    assert 'value="mallory.example" selected' in page
    values = {"address_local": "rita", "address_domain": "mallory.example", "last_name": "Reseller"}
    assert rita.post(url, values).status_code == 302
    assert Account.objects.get(pk=cast.rita.pk).last_name == "Reseller"
    answer = rita.post(url, values | {"address_domain": "reseller.example"})
    assert _codes(answer) == {"address": ["domain_not_yours"]}


def test_a_domain_is_renamed_and_may_keep_its_old_name(cast: Cast, root: Client) -> None:
    url = _url("domain_update", cast.dora_example.pk)
    values = {"name": "Bücher.example", "keep_old_name": "on", "enabled": "on", "quota": "1000 MB"}
    answer = root.post(url, values | {"default_mailbox_quota": "100 MB"}, follow=True)
    assert "bücher.example was changed" in answer.content.decode()
    domain = Domain.objects.get(pk=cast.dora_example.pk)
    assert (domain.name, domain.quota, domain.enable_dns_checks) == ("xn--bcher-kva.example", 1000, False)
    assert DomainAlias.objects.get().name == "dora.example"
    assert Account.objects.get(pk=cast.sam.pk).username == "sam@xn--bcher-kva.example"
    assert 'value="bücher.example"' in root.get(url).content.decode()
    assert _codes(root.post(url, {"name": "mallory.example"})) == {"name": ["name_taken"]}
    assert list(_codes(root.post(url, {"name": ""}))) == ["name"]


# --- quotas ----------------------------------------------------------------------------------------------------


def test_a_quota_below_what_is_used_asks_back_and_is_set_when_the_box_is_ticked(
    cast: Cast, root: Client
) -> None:
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"bytes": 60 * 2**20})
    url = _url("account_update", cast.sam.pk)
    assert "confirm_below_usage" not in _fields(root, url)
    values = SAM | {"quota_mode": "own", "quota": "50 MB", "first_name": "Samuel"}
    refused = root.post(url, values)
    assert _codes(refused) == {"quota": ["below_usage"]}
    page = refused.content.decode()
    assert "60 MB are used already." in page
    assert re.search('<input type="checkbox" name="confirm_below_usage"[^>]*>', page)
    assert not re.search('name="confirm_below_usage"[^>]*checked', page)
    assert 'value="50 MB"' in page
    assert _codes(root.post(url, values)) == {"quota": ["below_usage"]}
    assert _codes(root.post(url, values | {"confirm_below_usage": ""})) == {"quota": ["below_usage"]}
    assert root.post(url, values | {"confirm_below_usage": "on"}).status_code == 302
    assert cast.sams_mailbox.quota == 50
    assert Account.objects.get(pk=cast.sam.pk).first_name == "Samuel"
    assert root.post(url, values | {"first_name": "Sam"}).status_code == 302


def test_a_ticked_box_stays_beside_another_refusal(cast: Cast, root: Client) -> None:
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"bytes": 60 * 2**20})
    values = SAM | {
        "quota_mode": "own",
        "quota": "50 MB",
        "confirm_below_usage": "on",
        "secondary_email": "no",
    }
    refused = root.post(_url("account_update", cast.sam.pk), values)
    assert _codes(refused) == {"secondary_email": ["invalid_email"]}
    assert re.search('name="confirm_below_usage"[^>]*checked', refused.content.decode())


def test_what_is_wrong_with_the_value_of_the_domain_stands_beside_that_choice(
    cast: Cast, root: Client
) -> None:
    update_domain(cast.root, cast.dora_example, quota=250)
    values = SAM | {"address_local": "new", "quota_mode": "domain", "password_mode": "generate"}
    assert _codes(root.post(_url("account_create"), values)) == {"quota_mode": ["quota_exceeds_domain"]}
    own = values | {"quota_mode": "own", "quota": "51"}
    assert _codes(root.post(_url("account_create"), own)) == {"quota": ["quota_exceeds_domain"]}
    update_account(cast.root, Account.objects.get(pk=cast.sam.pk), quota=60)
    update_domain(cast.root, cast.dora_example, quota=190)
    refused = root.post(_url("account_update", cast.sam.pk), SAM | {"quota_mode": "domain"})
    assert _codes(refused) == {"quota_mode": ["quota_exceeds_domain"]}


def test_a_default_below_what_followers_use_asks_back(cast: Cast, root: Client) -> None:
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"bytes": 60 * 2**20})
    url = _url("domain_update", cast.dora_example.pk)
    assert "confirm_below_usage" not in _fields(root, url)
    values = {"name": "dora.example", "quota": "100 GB", "default_mailbox_quota": "50 MB", "enabled": "on"}
    refused = root.post(url, values)
    assert _codes(refused) == {"default_mailbox_quota": ["below_usage"]}
    assert (
        "1 mailbox that gets this value uses more than 50 MB: sam@dora.example." in refused.content.decode()
    )
    names = list(refused.context["form"].fields)
    assert names.index("confirm_below_usage") == names.index("default_mailbox_quota") + 1
    assert root.post(url, values | {"confirm_below_usage": "on"}).status_code == 302
    assert cast.sams_mailbox.quota == 50


def test_screens_tell_when_more_was_given_than_a_domain_has(cast: Cast, root: Client) -> None:
    detail, edit = (_url(name, cast.dora_example.pk) for name in ("domain_detail", "domain_update"))
    assert "200 MB of 100 GB" in root.get(detail).content.decode()
    assert "With less, they keep theirs" in root.get(edit).content.decode()
    update_domain(cast.root, cast.dora_example, quota=150)
    page = root.get(detail).content.decode()
    assert "200 MB of 150 MB" in page
    assert "More than the domain has" in page
    assert "200 MB together, more than its 150 MB" in root.get(edit).content.decode()
    update_domain(cast.root, cast.dora_example, quota=0)
    assert "Given to mailboxes" not in root.get(detail).content.decode()


def test_what_less_would_do_is_told_as_it_is_out_of_a_limited_quota(
    cast: Cast, browser_of: Browsers, root: Client
) -> None:
    domain = cast.reseller_example
    values = {"name": domain.name, "quota": "150 MB", "default_mailbox_quota": "100 MB", "enabled": "on"}
    url, rita = _url("domain_update", domain.pk), browser_of(cast.rita)
    update_domain(cast.root, domain, quota=300, default_mailbox_quota=100)
    mailbox = MailboxSpec(address="one@reseller.example", quota=200)
    create_account(cast.rita, username=mailbox.address, password=PASSWORD, mailbox=mailbox)
    assert "With less, they keep theirs" in rita.get(url).content.decode()
    Allowance.objects.filter(user=cast.rita.pk).update(quota_max=1_000)
    page = rita.get(url).content.decode()
    assert "200 MB together. The domain cannot be given less than they have." in page
    assert "no limit" not in page.partition('name="quota"')[2].partition('name="default_mailbox_quota"')[0]
    assert _codes(rita.post(url, values)) == {"quota": ["below_allocated"]}
    assert "With less, they keep theirs" in root.get(url).content.decode()
    update_domain(cast.root, domain, quota=150)
    assert "200 MB together, more than its 150 MB. None of them gets more." in rita.get(url).content.decode()


# --- what an account form offers to whom -----------------------------------------------------------------------


def test_an_equal_is_edited_without_losing_the_role(cast: Cast, browser_of: Browsers) -> None:
    peer = create_account(
        cast.root,
        username="peer@dora.example",
        role=Role.DOMAIN_ADMIN,
        mailbox=MailboxSpec(address="peer@dora.example"),
        administers=("dora.example",),
    ).account
    dora, url = browser_of(cast.dora), _url("account_update", peer.pk)
    assert not {"role", "administers", "username", "master_user"} & _fields(dora, url)
    values = {"is_active": "on", "first_name": "Pia", "role": "SimpleUsers", "administers": []}
    assert dora.post(url, values).status_code == 302
    stored = Account.objects.get(pk=peer.pk)
    assert (stored.role, stored.first_name) == (Role.DOMAIN_ADMIN, "Pia")
    assert [domain.name for domain in stored.administered_domains.all()] == ["dora.example"]


def test_fields_are_offered_where_they_count(cast: Cast, browser_of: Browsers) -> None:
    root, rita = browser_of(cast.root), browser_of(cast.rita)
    assert "master_user" not in _fields(rita, _url("account_create"))
    assert "master_user" in _fields(root, _url("account_update", cast.root.pk))
    assert not {"role", "is_active", "administers"} & _fields(root, _url("account_update", cast.root.pk))
    assert {"role", "administers", "username"} <= _fields(root, _url("account_update", cast.dora.pk))
    assert "keep_old_address" not in _fields(root, _url("account_update", cast.rita.pk))


def test_a_disabled_domain_is_mentioned_beside_the_switch(cast: Cast, root: Client) -> None:
    url = _url("account_update", cast.sam.pk)
    assert "is disabled" not in root.get(url).content.decode()
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert "The domain dora.example is disabled" in root.get(url).content.decode()
    assert (
        "The domain of the mailbox is disabled."
        in root.get(_url("account_detail", cast.sam.pk)).content.decode()
    )


def test_with_many_domains_rights_are_lines_and_with_many_rights_one_text(cast: Cast, root: Client) -> None:
    names = [f"d{number:04}.example" for number in range(300)]
    create_domains(cast.root, [DomainSpec(name=name) for name in names])
    url = _url("account_update", cast.dora.pk)
    page = root.get(url).content.decode()
    assert f'data-suggest="{_url("domain_names")}"' in page
    values = {"role": "DomainAdmins", "is_active": "on", "administers": ["dora.example", *names]}
    assert root.post(url, values).status_code == 302
    assert cast.dora.user.administered_domains.count() == 301
    page = root.get(url).content.decode()
    assert '<textarea name="administers"' in page
    assert root.post(url, values | {"administers": "\n".join(names[1:])}).status_code == 302
    assert cast.dora.user.administered_domains.count() == 299


def test_buttons_lead_only_where_the_actor_may_go(cast: Cast, browser_of: Browsers) -> None:
    carer = create_account(
        cast.root,
        username="carer@dora.example",
        role=Role.DOMAIN_ADMIN,
        mailbox=MailboxSpec(address="carer@dora.example"),
        administers=("dora.example", "mallory.example"),
    ).account
    dora = browser_of(cast.dora)
    address = f"{_url('address_detail')}?address=carer@dora.example"
    for url in (_url("account_detail", carer.pk), _url("identity_list"), _url("quota_list"), address):
        page = dora.get(url).content.decode()
        assert _url("account_update", carer.pk) not in page, url
        assert _url("account_delete", carer.pk) not in page, url
    page = dora.get(_url("identity_list")).content.decode()
    assert _url("account_update", cast.sam.pk) in page
    assert _url("account_update", cast.dora.pk) in page
    assert _url("account_delete", cast.dora.pk) not in page


# --- administrators of a domain --------------------------------------------------------------------------------


def test_an_administrator_is_added_and_removed_on_the_page_of_the_domain(cast: Cast, root: Client) -> None:
    domain = cast.reseller_example
    add = _url("domain_administrator_add", domain.pk)
    answer = root.post(add, {"username": " Dora@Dora.example "}, follow=True)
    assert "administers reseller.example now" in answer.content.decode()
    remove = _url("domain_administrator_remove", domain.pk, cast.dora.pk)
    assert remove in answer.content.decode()
    assert domain.administrators.filter(pk=cast.dora.pk).exists()
    assert "will no longer administer reseller.example" in root.get(remove).content.decode()
    assert root.post(remove).headers["Location"] == _url("domain_detail", domain.pk)
    assert not domain.administrators.exists()
    assert root.get(remove).status_code == 404
    assert _codes(root.post(add, {"username": "sam@dora.example"})) == {"username": ["administers_nothing"]}
    assert _codes(root.post(add, {"username": "nobody"})) == {"username": ["unknown_account"]}
    assert _codes(root.post(add, {})) == {"username": ["required"]}


def test_who_withdraws_himself_is_led_to_what_is_left(cast: Cast, browser_of: Browsers) -> None:
    add_administrators(cast.root, [Appointment(cast.dora_example, "rita")])
    remove = _url("domain_administrator_remove", cast.dora_example.pk, cast.rita.pk)
    assert browser_of(cast.rita).post(remove).headers["Location"] == _url("domain_list")


def test_a_domain_administrator_sees_no_buttons_for_administrators(cast: Cast, browser_of: Browsers) -> None:
    page = browser_of(cast.dora).get(_url("domain_detail", cast.dora_example.pk)).content.decode()
    assert "administrators/" not in page


def test_counters_lead_to_the_lists_that_they_count(cast: Cast, root: Client) -> None:
    page = root.get(_url("domain_detail", cast.dora_example.pk)).content.decode()
    for kind, rows in (("account", 2), ("aliases", 0)):
        assert f"?domain=dora.example&amp;kind={kind}" in page
        listed = root.get(_url("identity_list"), {"domain": "dora.example", "kind": kind})
        assert len(listed.context["rows"]) == rows


def test_suggestions_stay_within_sight(cast: Cast, browser_of: Browsers) -> None:
    create_domain(cast.root, name="bücher.example")
    root, rita, dora = (browser_of(actor) for actor in (cast.root, cast.rita, cast.dora))
    names = _url("domain_names")
    assert root.get(names, {"q": "bü"}).json() == ["bücher.example"]
    assert root.get(names, {"q": "LORY"}).json() == ["mallory.example"]
    assert root.get(names, {"q": "\0%_"}).json() == []
    assert dora.get(names, {"q": ""}).json() == ["dora.example"]
    people = _url("administrator_names")
    assert root.get(people, {"q": "r"}).json() == ["dora@dora.example", "mallory@mallory.example", "rita"]
    assert rita.get(people, {"q": "r"}).json() == ["rita"]
    assert root.get(people, {"q": "sam"}).json() == []


# --- deletions -------------------------------------------------------------------------------------------------


def test_a_deleted_domain_takes_its_people_with_it(cast: Cast, root: Client) -> None:
    url = _url("domain_delete", cast.dora_example.pk)
    answer = root.get(url)
    assert answer.context["consequences"] == [
        "Mail to dora.example is refused from now on.",
        "1 account is deleted with its mailbox.",
        "1 administrator loses the mailbox here and keeps the account.",
        (
            "Their mail directories stay on the disk, since the panel does not handle directories; no new mailbox gets "
            "them."
        ),
    ]
    _set("admin", "auto_account_removal", value=True)
    assert "2 accounts are deleted with their mailboxes." in root.get(url).context["consequences"]
    assert root.post(url, {"confirmation": "dora.example"}).status_code == 302
    assert not Account.objects.filter(username__endswith="dora.example").exists()


def test_the_own_mailbox_is_named_before_anything_is_typed(cast: Cast, browser_of: Browsers) -> None:
    update_account(cast.root, Account.objects.get(pk=cast.root.pk), address="root@dora.example")
    root, url = browser_of(cast.root), _url("domain_delete", cast.dora_example.pk)
    page = root.get(url).content.decode()
    assert "Your own mailbox is in “dora.example”." in page
    assert 'name="confirmation"' not in page
    assert _codes(root.post(url, {"confirmation": "dora.example"})) == {"__all__": ["own_mailbox"]}


def test_mail_directories_may_be_kept_when_the_panel_handles_them(cast: Cast, root: Client) -> None:
    pages = [_url("domain_delete", cast.dora_example.pk), _url("account_delete", cast.sam.pk)]
    assert not any("keep_directories" in root.get(url).content.decode() for url in pages)
    _set("admin", "handle_mailboxes", value=True)
    assert all("keep_directories" in root.get(url).content.decode() for url in pages)
    assert "keep_directories" not in root.get(_url("account_delete", cast.rita.pk)).content.decode()
    values = {"confirmation": "sam@dora.example", "keep_directories": "on"}
    assert root.post(_url("account_delete", cast.sam.pk), values).status_code == 302
    assert [order.kind for order in MailboxOperation.objects.all()] == ["keep"]
    assert root.post(pages[0], {"confirmation": "dora.example"}).status_code == 302
    assert MailboxOperation.objects.filter(kind="delete").exists()


# --- aliases ---------------------------------------------------------------------------------------------------


def test_an_alias_may_have_a_random_address(root: Client) -> None:
    values = {
        "address_local": "whatever",
        "address_domain": "dora.example",
        "random_address": "on",
        "recipients": ["sam@dora.example"],
        "enabled": "on",
    }
    assert root.post(_url("alias_create"), values).status_code == 302
    assert root.post(_url("alias_create"), values).status_code == 302
    addresses = set(Alias.objects.values_list("address", flat=True))
    assert len(addresses) == 2
    assert all(re.fullmatch(r"[0-9a-f]{20}@dora\.example", address) for address in addresses)
    answer = root.post(_url("alias_create"), values | {"address_domain": "nowhere.example"})
    assert _codes(answer) == {"address": ["unknown_domain"]}


def test_an_account_page_tells_everything_about_the_person(cast: Cast, root: Client) -> None:
    sam = Account.objects.get(pk=cast.sam.pk)
    update_account(
        cast.root,
        sam,
        first_name="Sam",
        secondary_email="sam@home.example",
        phone_number="+41 1",
        sender_addresses=("s@else.example",),
        aliases=("info@dora.example",),
    )
    page = root.get(_url("account_detail", cast.sam.pk)).content.decode()
    for text in (
        "Sam",
        "sam@home.example",
        "+41 1",
        "s@else.example",
        "info@dora.example",
        "Never signed in",
    ):
        assert text in page
    assert "Changed: first name" in page
    assert "aliases" in page
