"""Each form: what it stores, what it refuses and where the words stand, and what hostile values do (nothing)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from admin.models import Account, Alias, Domain, Mailbox, Quota, SenderAddress
from admin.operations import create_alias, create_domain, create_domains
from admin.operations.domains import DomainSpec
from core.actor import Actor
from core.models import Log, User
from core.passwords import verify_password
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.contracts.conftest import Fingerprint
from tests.stored_parameters import store

Values = dict[str, Any]
DOMAIN: Values = {"name": "new.example", "enabled": "on"}
ACCOUNT: Values = {
    "address_local": "jo",
    "address_domain": "dora.example",
    "role": "SimpleUsers",
    "password_mode": "type",
    "password": PASSWORD,
    "is_active": "on",
}
ALIAS: Values = {
    "address_local": "info",
    "address_domain": "dora.example",
    "recipients": ["sam@dora.example"],
    "enabled": "on",
}


@pytest.fixture
def root(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> Client:
    """The browser of the super admin."""
    return browser_of(cast.root)


@pytest.fixture
def info(cast: Cast) -> Alias:
    """An alias to look at and to change."""
    return create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))


def _url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def _refusals(answer: Any) -> dict[str, list[str]]:
    """Codes by field; every message must stand beside its field (or above the form)."""
    assert answer.status_code == 422
    form = answer.context["form"]
    page = answer.content.decode()
    for name, errors in form.errors.items():
        place = "" if name == "__all__" else f'id="{form[name].auto_id}_error"'
        assert place in page, name
        for message in errors:
            assert str(escape(message)) in page, (name, message)
    return {name: [one.code for one in errors] for name, errors in form.errors.as_data().items()}


# --- domains ---------------------------------------------------------------------------------------------------


def test_a_domain_is_created_with_everything_that_was_entered(root: Client) -> None:
    values = {
        "name": " Bücher.Example ",
        "quota": "2 GB",
        "default_mailbox_quota": "500",
        "enabled": "on",
        "aliases": ["buch.example, books.example", "", "livres.example"],
    }
    answer = root.post(_url("domain_create"), values, follow=True)
    domain = Domain.objects.get(name="xn--bcher-kva.example")
    assert answer.redirect_chain == [(_url("domain_detail", domain.pk), 302)]
    assert "bücher.example was created" in answer.content.decode()
    assert (domain.quota, domain.default_mailbox_quota) == (2048, 500)
    assert domain.enabled
    names = list(domain.aliases.order_by("name").values_list("name", flat=True))
    assert names == ["books.example", "buch.example", "livres.example"]


def test_a_new_domain_begins_with_the_parameters(root: Client) -> None:
    store("admin", default_domain_quota=2048, default_mailbox_quota=300)
    page = root.get(_url("domain_create")).content.decode()
    assert 'value="2 GB"' in page
    assert 'value="300 MB"' in page


def test_add_another_comes_back_to_an_empty_form(root: Client) -> None:
    answer = root.post(_url("domain_create"), DOMAIN | {"another": "1"})
    assert (answer.status_code, answer.headers["Location"]) == (302, _url("domain_create"))


DOMAIN_REFUSALS: list[tuple[Values, dict[str, list[str]]]] = [
    ({}, {"name": ["required"]}),
    ({"name": "dora.example"}, {"name": ["name_taken"]}),
    ({"name": "nodots"}, {"name": ["domain_one_label"]}),
    ({"name": "a_b.example"}, {"name": ["domain_character"]}),
    ({"name": "127.0.0.1"}, {"name": ["domain_ip_literal"]}),
    ({"name": "new.example", "quota": "much"}, {"quota": ["quota_format"]}),
    ({"name": "new.example", "quota": "0.2"}, {"quota": ["quota_format"]}),
    ({"name": "new.example", "quota": "-1"}, {"quota": ["quota_out_of_range"]}),
    ({"name": "new.example", "quota": "999999999 TB"}, {"quota": ["quota_out_of_range"]}),
    (
        {"name": "new.example", "quota": "1 GB", "default_mailbox_quota": "2 GB"},
        {"default_mailbox_quota": ["default_quota_too_big"]},
    ),
    ({"name": "new.example", "aliases": ["dora.example"]}, {"aliases": ["name_taken"]}),
    (
        {"name": "new.example", "aliases": ["new.example"]},
        {"name": ["repeated"], "aliases": ["repeated"]},
    ),
    (
        {"name": "dora.example", "quota": "-1", "aliases": ["x"]},
        {"name": ["name_taken"], "quota": ["quota_out_of_range"], "aliases": ["domain_one_label"]},
    ),
]


def test_a_domain_is_refused_beside_the_field(root: Client, fingerprint: Fingerprint) -> None:
    before = fingerprint()
    for values, refusals in DOMAIN_REFUSALS:
        assert _refusals(root.post(_url("domain_create"), values)) == refusals, values
    assert fingerprint() == before


def test_a_domain_is_changed(cast: Cast, root: Client) -> None:
    url = _url("domain_update", cast.dora_example.pk)
    assert 'value="100 GB"' in root.get(url).content.decode()
    values = {"quota": "5 GB", "default_mailbox_quota": "", "aliases": ["other.example"]}
    assert root.post(url, values).status_code == 302
    domain = Domain.objects.get(pk=cast.dora_example.pk)
    assert (domain.quota, domain.default_mailbox_quota, domain.enabled) == (5120, 0, False)
    assert [alias.name for alias in domain.aliases.all()] == ["other.example"]
    assert _refusals(root.post(url, {"aliases": ["mallory.example"]})) == {"aliases": ["name_taken"]}


def test_a_domain_page_shows_numbers_people_and_history(cast: Cast, root: Client) -> None:
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"bytes": 734_003_200})
    page = root.get(_url("domain_detail", cast.dora_example.pk)).content.decode()
    for text in ("sam@dora.example", "dora@dora.example", "700", "Created", "Owner", "100 MB"):
        assert text in page


def test_a_deletion_asks_for_the_name_in_either_script(cast: Cast, root: Client) -> None:
    domain = create_domain(cast.root, name="bücher.example", aliases=("books.example",))
    url = _url("domain_delete", domain.pk)
    page = root.get(url).content.decode()
    assert "Mail to bücher.example is refused from now on." in page
    assert "1 domain alias stops working." in page
    for wrong in ("", "bucher.example", "bücher", "\0"):
        answer = root.post(url, {"confirmation": wrong})
        assert list(_refusals(answer)) == ["confirmation"]
    assert root.post(url, {"confirmation": " BÜCHER.example"}).headers["Location"] == _url("domain_list")
    assert not Domain.objects.filter(pk=domain.pk).exists()


# --- accounts --------------------------------------------------------------------------------------------------


def test_an_account_is_created_with_everything_that_was_entered(root: Client) -> None:
    values = ACCOUNT | {
        "first_name": " Jo ",
        "last_name": "Miller",
        "quota_mode": "own",
        "quota": "2 GB",
        "sender_addresses": ["sales@else.example", "@shop.example"],
        "language": "de",
        "secondary_email": "jo@home.example",
        "phone_number": "+41 1",
    }
    answer = root.post(_url("account_create"), values, follow=True)
    jo = Account.objects.get(username="jo@dora.example")
    assert answer.redirect_chain == [(_url("account_detail", jo.pk), 302)]
    assert (jo.full_name, jo.role, jo.language, jo.is_active) == ("Jo Miller", Role.SIMPLE_USER, "de", True)
    assert (jo.secondary_email, jo.phone_number) == ("jo@home.example", "+41 1")
    assert verify_password(PASSWORD, jo.password)
    mailbox = Mailbox.objects.get(user=jo.pk)
    assert (mailbox.quota, mailbox.use_domain_quota) == (2048, False)
    senders = SenderAddress.objects.filter(mailbox=mailbox).order_by("address")
    assert [sender.address for sender in senders] == ["@shop.example", "sales@else.example"]


def test_a_mailbox_takes_the_value_of_its_domain_unless_told_otherwise(root: Client) -> None:
    assert root.post(_url("account_create"), ACCOUNT | {"quota": "7 GB"}).status_code == 302
    mailbox = Mailbox.objects.get(user__username="jo@dora.example")
    assert (mailbox.quota, mailbox.use_domain_quota) == (100, True)


def test_a_random_password_is_shown_in_the_answer_and_kept_nowhere(
    root: Client, fingerprint: Fingerprint
) -> None:
    answer = root.post(_url("account_create"), ACCOUNT | {"password_mode": "generate"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    secret = answer.context["password"]
    jo = Account.objects.get(username="jo@dora.example")
    assert secret in answer.content.decode()
    assert verify_password(secret, jo.password)
    assert "jo@dora.example" in answer.content.decode()
    assert secret not in str(list(root.session.items()))
    assert secret not in str(list(Log.objects.values_list()))
    before = fingerprint()
    again = root.post(_url("account_create"), ACCOUNT | {"password_mode": "generate"})
    assert _refusals(again) == {"address": ["address_taken"]}
    assert fingerprint() == before


def test_an_administrator_needs_no_mailbox(root: Client) -> None:
    values = ACCOUNT | {
        "address_local": "",
        "username": "ralf",
        "role": "Resellers",
        "administers": ["dora.example", "mallory.example"],
    }
    assert root.post(_url("account_create"), values).status_code == 302
    ralf = Account.objects.get(username="ralf")
    assert (ralf.role, ralf.email) == (Role.RESELLER, "")
    assert sorted(domain.name for domain in ralf.administered_domains.all()) == [
        "dora.example",
        "mallory.example",
    ]


def test_what_another_choice_rules_out_does_not_count(root: Client) -> None:
    values = ACCOUNT | {"username": "x y", "administers": ["no.example"], "quota": "nonsense"}
    assert root.post(_url("account_create"), values).status_code == 302
    assert Account.objects.filter(username="jo@dora.example").exists()


def test_a_link_from_a_domain_chooses_it(root: Client) -> None:
    page = root.get(_url("account_create"), {"domain": "mallory.example"})
    assert 'value="mallory.example" selected' in page.content.decode()
    page = root.get(_url("alias_create"), {"domain": "mallory.example", "recipient": "sam@dora.example"})
    assert 'value="mallory.example" selected' in page.content.decode()
    assert 'value="sam@dora.example"' in page.content.decode()
    answer = root.post(_url("account_create"), ACCOUNT | {"another": "1"})
    assert answer.headers["Location"] == f"{_url('account_create')}?domain=dora.example"


ACCOUNT_REFUSALS: list[tuple[Values, dict[str, list[str]]]] = [
    ({"address_local": ""}, {"address": ["required"]}),
    ({"address_local": "sam"}, {"address": ["address_taken"]}),
    ({"address_local": "info"}, {"address": ["address_taken"]}),
    ({"address_local": "a b"}, {"address": ["local_part_character"]}),
    ({"address_local": "../../etc"}, {"address": ["local_part_character"]}),
    ({"address_domain": "nowhere.example"}, {"address": ["unknown_domain"]}),
    ({"address_local": "x" * 65}, {"address": ["local_part_too_long"]}),
    ({"role": "Emperors"}, {"role": ["invalid_choice"]}),
    ({"role": ""}, {"role": ["required"]}),
    ({"role": "DomainAdmins", "username": "ro ot"}, {"username": ["name_not_allowed"]}),
    ({"role": "DomainAdmins", "username": "rita"}, {"username": ["name_taken"]}),
    ({"role": "DomainAdmins", "administers": ["no.example"]}, {"administers": ["unknown_domain"]}),
    ({"password": ""}, {"password": ["password_empty"]}),
    ({"password": "aB3"}, {"password": ["password_too_short"]}),
    ({"password_mode": "guess"}, {"password_mode": ["invalid_choice"]}),
    ({"quota_mode": "own"}, {"quota": ["required"]}),
    ({"quota_mode": "own", "quota": "2 PB"}, {"quota": ["quota_format"]}),
    ({"quota_mode": "own", "quota": "-2"}, {"quota": ["quota_out_of_range"]}),
    ({"first_name": "x" * 200}, {"first_name": ["too_long"]}),
    ({"secondary_email": "nobody"}, {"secondary_email": ["invalid_email"]}),
    ({"language": "tlh"}, {"language": ["unknown_language"]}),
    ({"sender_addresses": ["@"]}, {"sender_addresses": ["domain_empty"]}),
    (
        {"address_local": "sam", "first_name": "x" * 200, "quota_mode": "own", "quota": "-1"},
        {"address": ["address_taken"], "first_name": ["too_long"], "quota": ["quota_out_of_range"]},
    ),
]


@pytest.mark.usefixtures("info")
def test_an_account_is_refused_beside_the_field(root: Client, fingerprint: Fingerprint) -> None:
    before = fingerprint()
    for values, refusals in ACCOUNT_REFUSALS:
        assert _refusals(root.post(_url("account_create"), ACCOUNT | values)) == refusals, values
    assert fingerprint() == before


def test_a_refused_form_keeps_what_was_typed_but_never_the_password(root: Client) -> None:
    values = ACCOUNT | {"address_local": "sam", "first_name": "Jo", "sender_addresses": ["a@b.example"]}
    page = root.post(_url("account_create"), values).content.decode()
    assert 'value="sam"' in page
    assert 'value="Jo"' in page
    assert 'value="a@b.example"' in page
    assert PASSWORD not in page


def test_an_account_is_changed_and_the_rest_stays(cast: Cast, root: Client) -> None:
    url = _url("account_update", cast.sam.pk)
    before = User.objects.get(pk=cast.sam.pk).password
    values = {
        "role": "SimpleUsers",
        "is_active": "on",
        "last_name": "Sample",
        "quota_mode": "own",
        "quota": "1 GB",
    }
    assert root.post(url, values).headers["Location"] == _url("account_detail", cast.sam.pk)
    sam = User.objects.get(pk=cast.sam.pk)
    assert (sam.last_name, sam.password, sam.is_active) == ("Sample", before, True)
    assert cast.sams_mailbox.quota == 1024
    page = root.get(url).content.decode()
    assert 'value="1 GB"' in page
    assert 'value="Sample"' in page


def test_a_changed_account_may_get_a_typed_or_a_random_password(cast: Cast, root: Client) -> None:
    url = _url("account_update", cast.sam.pk)
    values = {
        "role": "SimpleUsers",
        "is_active": "on",
        "password_mode": "type",
        "password": "Another-Horse-8",
    }
    assert root.post(url, values).status_code == 302
    assert verify_password("Another-Horse-8", User.objects.get(pk=cast.sam.pk).password)
    answer = root.post(url, values | {"password_mode": "generate"})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert verify_password(answer.context["password"], User.objects.get(pk=cast.sam.pk).password)
    assert _refusals(root.post(url, values | {"password": "short"})) == {
        "password": ["password_too_short", "password_no_upper", "password_no_digit"]
    }


def test_rights_that_were_not_touched_stay(cast: Cast, root: Client) -> None:
    url = _url("account_update", cast.dora.pk)
    values = {"role": "DomainAdmins", "is_active": "on", "administers": ["dora.example"]}
    assert root.post(url, values).status_code == 302
    assert [domain.name for domain in cast.dora.user.administered_domains.all()] == ["dora.example"]
    assert root.post(url, values | {"administers": ["mallory.example"]}).status_code == 302
    assert [domain.name for domain in cast.dora.user.administered_domains.all()] == ["mallory.example"]
    assert root.post(url, {"role": "SimpleUsers", "is_active": "on"}).status_code == 302
    assert not cast.dora.user.administered_domains.exists()


def test_an_account_page_shows_usage_aliases_rights_and_history(
    cast: Cast, root: Client, info: Alias
) -> None:
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example", "sam@else.example"))
    Quota.objects.update_or_create(username="sam@dora.example", defaults={"bytes": 52_428_800})
    page = root.get(_url("account_detail", cast.sam.pk)).content.decode()
    for text in ("50 of 100 MB", info.address, "sam@else.example", "and keeps a copy here", "Created"):
        assert text in page
    assert (
        _url("domain_detail", cast.dora_example.pk)
        in root.get(_url("account_detail", cast.dora.pk)).content.decode()
    )


def test_the_deletion_of_an_account_lists_what_it_takes_with_it(
    cast: Cast, root: Client, info: Alias
) -> None:
    create_alias(cast.root, address="two@dora.example", recipients=("sam@dora.example", "dora@dora.example"))
    create_alias(cast.root, address="sam@dora.example", recipients=("sam@dora.example",))
    url = _url("account_delete", cast.sam.pk)
    sentences = root.get(url).context["consequences"]
    assert sentences == [
        "sam@dora.example stops receiving and sending mail at once.",
        "Its mail directory stays on the disk, since the panel does not handle directories; no new mailbox gets it.",
        "Its forward is deleted with it.",
        "1 other alias loses a recipient.",
        "1 other alias loses its last recipient and is deleted too.",
    ]
    assert root.post(url, {"confirmation": "sam@dora.example"}).status_code == 302
    assert not Alias.objects.filter(address__in=["sam@dora.example", info.address]).exists()
    assert Alias.objects.filter(address="two@dora.example").exists()


def test_with_many_domains_an_address_is_typed_as_a_whole(cast: Cast, root: Client) -> None:
    create_domains(cast.root, [DomainSpec(name=f"d{number}.example") for number in range(200)])
    assert "<select" not in root.get(_url("alias_create")).content.decode()
    values = {key: value for key, value in ACCOUNT.items() if not key.startswith("address_")}
    assert root.post(_url("account_create"), values | {"address": "jo@d7.example"}).status_code == 302
    assert Mailbox.objects.get(user__username="jo@d7.example").domain.name == "d7.example"
    assert _refusals(root.post(_url("account_create"), values | {"address": "jo"})) == {
        "address": ["address_at_sign"]
    }


# --- aliases ---------------------------------------------------------------------------------------------------


def test_an_alias_is_created_with_everything_that_was_entered(root: Client) -> None:
    values = ALIAS | {
        "recipients": ["sam@dora.example dora@dora.example", "", "x@else.example;y@else.example"],
        "expire_at": "2099-12-31T23:59",
        "description": "For orders\nand returns",
    }
    answer = root.post(_url("alias_create"), values, follow=True)
    alias = Alias.objects.get(address="info@dora.example")
    assert answer.redirect_chain == [(_url("alias_detail", alias.pk), 302)]
    addresses = sorted(alias.recipients.values_list("address", flat=True))
    assert addresses == ["dora@dora.example", "sam@dora.example", "x@else.example", "y@else.example"]
    assert alias.expire_at == datetime(2099, 12, 31, 23, 59, tzinfo=UTC)
    assert alias.description.splitlines() == ["For orders", "and returns"]
    page = answer.content.decode()
    assert _url("account_detail", Account.objects.get(username="sam@dora.example").pk) in page


def test_nothing_before_the_at_sign_is_a_catch_all(root: Client) -> None:
    assert root.post(_url("alias_create"), ALIAS | {"address_local": ""}).status_code == 302
    alias = Alias.objects.get(address="@dora.example")
    assert "Catch-all" in root.get(_url("alias_detail", alias.pk)).content.decode()


ALIAS_REFUSALS: list[tuple[Values, dict[str, list[str]]]] = [
    ({"recipients": []}, {"recipients": ["no_recipient"]}),
    ({"recipients": ["nobody@dora.example"]}, {"recipients": ["unknown_recipient"]}),
    ({"recipients": ["new@dora.example"], "address_local": "new"}, {"recipients": ["points_to_itself"]}),
    ({"recipients": ["a@b"]}, {"recipients": ["domain_one_label"]}),
    ({"recipients": ["|/bin/sh"]}, {"recipients": ["address_at_sign"]}),
    ({"address_local": "taken"}, {"address": ["address_taken"]}),
    ({"address_domain": "nowhere.example"}, {"address": ["unknown_domain"]}),
    ({"address_domain": ""}, {"address": ["address_at_sign"]}),
    ({"expire_at": "2001-01-01T00:00"}, {"expire_at": ["expiry_past"]}),
    ({"expire_at": "0001-01-01T00:00"}, {"expire_at": ["expiry_past"]}),
    ({"expire_at": "soon"}, {"expire_at": ["invalid"]}),
    ({"expire_at": "2099-02-30T00:00"}, {"expire_at": ["invalid"]}),
    ({"description": "x" * 3000}, {"description": ["description_too_long"]}),
    ({"address_local": "sam", "expire_at": "2099-01-01T00:00"}, {"expire_at": ["forward_cannot_expire"]}),
]


def test_an_alias_is_refused_beside_the_field(cast: Cast, root: Client, fingerprint: Fingerprint) -> None:
    create_alias(cast.root, address="taken@dora.example", recipients=("sam@dora.example",))
    before = fingerprint()
    for values, refusals in ALIAS_REFUSALS:
        assert _refusals(root.post(_url("alias_create"), ALIAS | values)) == refusals, values
    assert fingerprint() == before


@pytest.mark.parametrize(
    ("zone", "instant"),
    [("America/New_York", "9999-12-31T23:59"), ("Asia/Tokyo", "0001-01-01T00:00")],
)
def test_an_instant_beyond_the_calendar_is_refused(zone: str, instant: str, root: Client) -> None:
    with override_settings(TIME_ZONE=zone):
        answer = root.post(_url("alias_create"), ALIAS | {"expire_at": instant})
        assert _refusals(answer) == {"expire_at": ["invalid"]}


def test_wrong_recipients_are_shown_again_as_they_were_typed(root: Client) -> None:
    page = root.post(_url("alias_create"), ALIAS | {"recipients": ["Sam@DORA.example,  nobody@dora.example"]})
    assert 'value="Sam@DORA.example,  nobody@dora.example"' in page.content.decode()


def test_an_alias_is_changed(root: Client, info: Alias) -> None:
    url = _url("alias_update", info.pk)
    assert 'value="sam@dora.example"' in root.get(url).content.decode()
    values = {"recipients": ["x@else.example"], "description": "New"}
    assert root.post(url, values).headers["Location"] == _url("alias_detail", info.pk)
    info.refresh_from_db()
    assert (info.description, info.enabled) == ("New", False)
    assert [recipient.address for recipient in info.recipients.all()] == ["x@else.example"]
    assert _refusals(root.post(url, {"recipients": [info.address]})) == {"recipients": ["points_to_itself"]}


def test_an_alias_that_leads_back_is_refused(cast: Cast, root: Client, info: Alias) -> None:
    create_alias(cast.root, address="b@dora.example", recipients=(info.address,))
    answer = root.post(_url("alias_update", info.pk), {"recipients": ["b@dora.example"]})
    assert _refusals(answer) == {"recipients": ["loop"]}


def test_an_alias_page_says_that_it_has_expired(root: Client, info: Alias) -> None:
    Alias.objects.filter(pk=info.pk).update(expire_at=timezone.now())
    page = root.get(_url("alias_detail", info.pk)).content.decode()
    assert "Expired" in page
    assert "Expired" in root.get(_url("identity_list"), {"q": "info@"}).content.decode()


def test_the_expiry_is_shown_again_in_the_form(root: Client, info: Alias) -> None:
    Alias.objects.filter(pk=info.pk).update(expire_at=datetime(2099, 5, 4, 3, 2, tzinfo=UTC))
    assert 'value="2099-05-04T03:02"' in root.get(_url("alias_update", info.pk)).content.decode()


def test_the_deletion_of_an_alias_lists_what_it_takes_with_it(cast: Cast, root: Client, info: Alias) -> None:
    create_alias(cast.root, address="chain@dora.example", recipients=(info.address,))
    url = _url("alias_delete", info.pk)
    assert root.get(url).context["consequences"] == [
        "Mail to info@dora.example reaches its 1 recipient no longer.",
        "1 other alias loses its last recipient and is deleted too.",
    ]
    assert root.post(url, {"confirmation": info.address}).headers["Location"] == _url("identity_list")
    assert not Alias.objects.exists()


# --- the simple user -------------------------------------------------------------------------------------------


@override_settings(SITE_HOST="mail.host.example")
def test_a_simple_user_lands_on_his_mailbox(
    cast: Cast, browser_of: Callable[[Actor | None], Client], info: Alias
) -> None:
    answer = browser_of(cast.sam).get("/", follow=True)
    assert answer.redirect_chain == [(_url("my_mailbox"), 302)]
    page = answer.content.decode()
    for text in (
        "sam@dora.example",
        info.address,
        "mail.host.example:993",
        "mail.host.example:587",
        "100 MB",
    ):
        assert text in page
    assert _url("identity_list") not in page


def test_an_account_without_a_mailbox_is_told_so(root: Client) -> None:
    assert "No mailbox" in root.get(_url("my_mailbox")).content.decode()


# --- hostile values --------------------------------------------------------------------------------------------

HOSTILE = [
    "\0",
    "a\0b",
    "x" * 20_000,
    "<script>alert(1)</script>",
    "{{ 7|add:7 }}{% now 'Y' %}%(x)s%s",
    "'; DROP TABLE core_user; --",
    "\u202eelpmaxe@mas",
    "a\u200bb",
    "😀",
    "line\r\nBcc: all@else.example",
    "9" * 6000,
    "1e999",
    "NaN",
    "٣",
    "\ufeff",
    "..",
    "-rf",
    "=1+1",
    "@",
]
FIELDS = {
    "domain_create": [
        "name",
        "quota",
        "default_mailbox_quota",
        "aliases",
        "enabled",
        "with_administrator",
        "administrator",
        "administrator_password_mode",
        "administrator_password",
    ],
    "domain_update": ["began_with", "name", "quota", "default_mailbox_quota", "aliases", "enabled"],
    "domain_delete": ["confirmation"],
    "account_create": [
        "address_local",
        "address_domain",
        "first_name",
        "role",
        "username",
        "administers",
        "password_mode",
        "password",
        "quota_mode",
        "quota",
        "aliases",
        "sender_addresses",
        "language",
        "secondary_email",
        "phone_number",
    ],
    "account_update": [
        "began_with",
        "last_name",
        "role",
        "username",
        "address_local",
        "address_domain",
        "password",
        "quota",
        "aliases",
        "sender_addresses",
        "administers",
    ],
    "domain_administrator_add": ["username"],
    "account_delete": ["confirmation"],
    "alias_create": ["address_local", "address_domain", "recipients", "expire_at", "description"],
    "alias_update": ["recipients", "expire_at", "description"],
    "alias_delete": ["confirmation"],
}
# The choice that makes a field count.
RULED_IN: dict[str, Values] = {
    "quota": {"quota_mode": "own"},
    "password": {"password_mode": "type"},
    "username": {"role": "DomainAdmins"},
    "address_local": {"address_domain": "dora.example"},
    "address_domain": {"address_local": "jo"},
    "administrator": {"with_administrator": "yes"},
    "administrator_password": {"with_administrator": "yes", "administrator_password_mode": "type"},
    "administers": {"role": "DomainAdmins"},
}


@pytest.mark.parametrize("route", sorted(FIELDS))
def test_a_hostile_value_is_refused_with_words_or_stored_as_text(
    route: str, cast: Cast, root: Client, info: Alias, fingerprint: Fingerprint
) -> None:
    pks = {"domain": cast.dora_example.pk, "account": cast.sam.pk, "alias": info.pk}
    url = _url(route, *([] if route.endswith("create") else [pks[route.partition("_")[0]]]))
    valid = {"domain_create": DOMAIN, "account_create": ACCOUNT, "alias_create": ALIAS}.get(
        route, {"role": "DomainAdmins", "recipients": ["sam@dora.example"], "is_active": "on"}
    )
    before = fingerprint()
    for field in FIELDS[route]:
        for value in HOSTILE:
            with transaction.atomic():
                answer = root.post(url, valid | RULED_IN.get(field, {}) | {field: value})
                assert answer.status_code in {422, 302, 200}, (field, value)
                if answer.status_code == 422:
                    _refusals(answer)
                elif answer.status_code == 302:
                    answer = root.get(answer.headers["Location"])
                    assert answer.status_code == 200, (field, value)
                assert b"<script>alert" not in answer.content
                transaction.set_rollback(answer.status_code != 422)  # what was refused must have left nothing
    assert fingerprint() == before


@pytest.mark.parametrize("route", ["domain_create", "account_create", "alias_create"])
def test_an_empty_form_is_refused_and_shown_again(route: str, root: Client, fingerprint: Fingerprint) -> None:
    before = fingerprint()
    assert _refusals(root.post(_url(route), {}))
    assert fingerprint() == before


@pytest.mark.parametrize("pk", [0, 999_999, 2**63, 10**40])
def test_a_page_about_nothing_is_not_found(pk: int, root: Client) -> None:
    for noun in ("domain", "account", "alias"):
        for verb in ("detail", "update", "delete"):
            assert root.get(_url(f"{noun}_{verb}", pk)).status_code == 404
