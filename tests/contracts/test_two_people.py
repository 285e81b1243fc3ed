"""Two administrators at one object: the second is told what changed, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django import forms
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from admin.forms.aliases import AliasUpdateForm
from admin.forms.forwards import ForwardForm
from admin.models import Account, Alias, Domain
from admin.operations import create_alias, delete_aliases, update_account, update_alias, update_domain
from admin.operations.forwards import set_own_forward
from core.actor import Actor
from core.forms import ProfileForm
from core.models import Log, User
from tests.cast import PASSWORD, Cast

Values = dict[str, Any]


@pytest.fixture
def root(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> Client:
    """The browser of the second person."""
    return browser_of(cast.root)


def _opened(browser: Client, url: str) -> Values:
    """What the form would send if nobody touched it."""
    form = browser.get(url).context["form"]
    values: Values = {}
    for field in form:
        widget, value = field.field.widget, field.value()
        if hasattr(widget, "widgets_names"):
            parts = zip(widget.widgets_names, widget.decompress(value), strict=True)
            values |= {f"{field.name}{suffix}": part for suffix, part in parts}
        elif isinstance(widget, forms.DateTimeInput):
            values[field.name] = widget.format_value(value) or ""
        elif isinstance(value, bool):
            values |= {field.name: "on"} if value else {}
        elif value is not None:
            values[field.name] = field.field.prepare_value(value)
    return values


def _codes(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 422
    return {
        name: [one.code for one in errors] for name, errors in answer.context["form"].errors.as_data().items()
    }


def _words(answer: Any, field: str) -> str:
    return " ".join(answer.context["form"].errors[field])


def _sealed(answer: Any) -> str:
    return str(answer.context["form"]["began_with"].value())


def _account_url(cast: Cast) -> str:
    return reverse("admin:account_update", args=[cast.sam.pk])


def test_nothing_touched_is_nothing_changed(cast: Cast, root: Client) -> None:
    alias = create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    update_alias(cast.root, alias, expire_at=datetime(2099, 1, 1, 0, 0, 7, 5, UTC))
    update_domain(cast.root, cast.dora_example, quota=0, aliases=("bücher.example",))
    pages = {
        "account": (cast.sam.pk, cast.dora.pk, cast.rita.pk, cast.root.pk),
        "domain": (cast.dora_example.pk, cast.reseller_example.pk),
        "alias": (alias.pk,),
    }
    for noun, pks in pages.items():
        for pk in pks:
            url = reverse(f"admin:{noun}_update", args=[pk])
            values, before = _opened(root, url), Log.objects.count()
            assert root.post(url, values).status_code == 302, (noun, pk)
            assert Log.objects.count() == before, (noun, pk)


def test_different_fields_of_an_account_both_stand_and_the_second_person_is_told(
    cast: Cast, root: Client
) -> None:
    values = _opened(root, _account_url(cast))
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), quota=500, first_name="Samuel")
    answer = root.post(_account_url(cast), values | {"last_name": "Sample"})
    assert answer.status_code == 302
    sam = Account.objects.get(pk=cast.sam.pk)
    assert (sam.first_name, sam.last_name, cast.sams_mailbox.quota) == ("Samuel", "Sample", 500)
    told = [str(message) for message in get_messages(answer.wsgi_request)]
    assert told[:1] == ["Changed meanwhile by dora@dora.example, and kept: First name, Quota."]


def test_the_same_field_is_refused_once_and_saving_again_replaces_it(cast: Cast, root: Client) -> None:
    values = _opened(root, _account_url(cast)) | {"quota_mode": "own", "quota": "2 GB", "last_name": "Sample"}
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), quota=5120)
    answer = root.post(_account_url(cast), values)
    assert _codes(answer) == {"quota": ["changed_meanwhile"]}
    words = "Changed meanwhile by dora@dora.example to “5 GB”. Save again to replace it."
    assert _words(answer, "quota") == words
    assert cast.sams_mailbox.quota == 5120
    page = answer.content.decode()
    assert 'value="2 GB"' in page
    assert 'value="Sample"' in page
    assert root.post(_account_url(cast), values | {"began_with": _sealed(answer)}).status_code == 302
    assert cast.sams_mailbox.quota == 2048
    assert Account.objects.get(pk=cast.sam.pk).last_name == "Sample"


def test_the_same_value_from_both_is_no_conflict(cast: Cast, root: Client) -> None:
    values = _opened(root, _account_url(cast)) | {"first_name": "Samuel"}
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), first_name="Samuel")
    assert root.post(_account_url(cast), values).status_code == 302


def test_an_emptied_field_and_a_switch_are_told_in_words(cast: Cast, root: Client) -> None:
    update_account(cast.root, Account.objects.get(pk=cast.sam.pk), first_name="Sam")
    values = _opened(root, _account_url(cast)) | {"first_name": "Samuel"}
    del values["is_active"]
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), first_name="")
    answer = root.post(_account_url(cast), values)
    assert _words(answer, "first_name") == (
        "Emptied meanwhile by dora@dora.example. Save again to replace it."
    )
    update_domain(cast.root, cast.dora_example, enabled=False)
    url = reverse("admin:domain_update", args=[cast.dora_example.pk])
    opened = _opened(root, url)
    update_domain(cast.root, cast.dora_example, enabled=True, quota=3000)
    answer = root.post(url, opened | {"enabled": "", "quota": "7 GB"})
    assert _codes(answer) == {"quota": ["changed_meanwhile"]}


def test_a_domain_and_an_alias_keep_what_the_other_person_changed(cast: Cast, root: Client) -> None:
    url = reverse("admin:domain_update", args=[cast.dora_example.pk])
    values = _opened(root, url)
    update_domain(cast.root, cast.dora_example, aliases=("other.example",), quota=4096)
    assert root.post(url, values | {"default_mailbox_quota": "200 MB"}).status_code == 302
    domain = Domain.objects.get(pk=cast.dora_example.pk)
    assert (domain.quota, domain.default_mailbox_quota) == (4096, 200)
    assert domain.aliases.get().name == "other.example"

    alias = create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    url = reverse("admin:alias_update", args=[alias.pk])
    values = _opened(root, url)
    update_alias(cast.dora, alias, recipients=("dora@dora.example",))
    assert root.post(url, values | {"description": "Shop"}).status_code == 302
    stored = Alias.objects.get(pk=alias.pk)
    assert (stored.description, stored.recipients.get().address) == ("Shop", "dora@dora.example")
    answer = root.post(url, values | {"recipients": ["x@else.example"]})
    assert _words(answer, "recipients") == (
        "Changed meanwhile by dora@dora.example to “dora@dora.example”. Save again to replace it."
    )


def test_who_wrote_an_alias_of_the_account_elsewhere_is_somebody(cast: Cast, root: Client) -> None:
    values = _opened(root, _account_url(cast))
    create_alias(cast.dora, address="info@dora.example", recipients=("sam@dora.example",))
    answer = root.post(_account_url(cast), values | {"aliases": ["shop@dora.example"]})
    assert _words(answer, "aliases") == (
        "Changed meanwhile by somebody else to “info@dora.example”. Save again to replace it."
    )
    assert root.post(_account_url(cast), values | {"last_name": "Sample"}).status_code == 302
    assert Alias.objects.filter(address="info@dora.example").exists()


FORGED = ["", "x", "eyJzZWVuIjowfQ:1abc:xyz", "\0", "😀", ":", "x" * 20_000]


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_beginning_counts_as_what_is_stored(forged: str, cast: Cast, root: Client) -> None:
    values = _opened(root, _account_url(cast))
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), first_name="Samuel")
    answer = root.post(_account_url(cast), values | {"last_name": "Sample", "began_with": forged})
    assert answer.status_code == 302
    sam = Account.objects.get(pk=cast.sam.pk)
    assert (sam.first_name, sam.last_name) == ("", "Sample")


def test_the_beginning_of_another_object_is_none(cast: Cast, root: Client) -> None:
    strange = _opened(root, reverse("admin:account_update", args=[cast.mallory.pk]))["began_with"]
    values = _opened(root, _account_url(cast)) | {"began_with": strange, "last_name": "Sample"}
    assert root.post(_account_url(cast), values).status_code == 302
    assert Account.objects.get(pk=cast.sam.pk).email == "sam@dora.example"


def test_a_refused_form_with_a_forged_beginning_gets_a_real_one(cast: Cast, root: Client) -> None:
    values = _opened(root, _account_url(cast)) | {"began_with": "forged", "secondary_email": "nobody"}
    answer = root.post(_account_url(cast), values)
    assert _codes(answer) == {"secondary_email": ["invalid_email"]}
    assert _sealed(answer) not in {"", "forged"}


Change = Callable[..., None]


@pytest.fixture
def at_the_last_moment(monkeypatch: pytest.MonkeyPatch) -> Change:
    """A function that lets somebody change an alias after a form looked at it, before the operation locks it."""
    first = AliasUpdateForm.values

    def arrange(actor: Actor, alias: Alias, **values: Any) -> None:
        def slow(form: AliasUpdateForm) -> Values:
            monkeypatch.setattr(AliasUpdateForm, "values", first)
            update_alias(actor, alias, **values)
            return first(form)

        monkeypatch.setattr(AliasUpdateForm, "values", slow)

    return arrange


def test_what_changes_between_the_look_and_the_lock_is_refused_and_shown(
    cast: Cast, root: Client, at_the_last_moment: Change
) -> None:
    alias = create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    url = reverse("admin:alias_update", args=[alias.pk])
    values = _opened(root, url) | {"description": "Mine"}
    at_the_last_moment(cast.dora, alias, description="Theirs")
    answer = root.post(url, values)
    assert _codes(answer) == {
        "description": ["changed_meanwhile"],
        "__all__": ["changed_meanwhile"],
    }
    assert "to “Theirs”" in _words(answer, "description")
    assert "dora@dora.example changed this at the same time" in answer.content.decode()
    assert root.post(url, values | {"began_with": _sealed(answer)}).status_code == 302
    assert Alias.objects.get(pk=alias.pk).description == "Mine"


def test_another_field_at_the_last_moment_is_named_and_saving_again_keeps_it(
    cast: Cast, root: Client, at_the_last_moment: Change
) -> None:
    alias = create_alias(cast.root, address="info@dora.example", recipients=("sam@dora.example",))
    url = reverse("admin:alias_update", args=[alias.pk])
    values = _opened(root, url) | {"description": "Mine"}
    at_the_last_moment(cast.dora, alias, enabled=False)
    answer = root.post(url, values)
    assert _codes(answer) == {"__all__": ["changed_meanwhile"]}
    assert "Changed meanwhile by dora@dora.example, and kept: Enabled." in answer.content.decode()
    assert root.post(url, values | {"began_with": _sealed(answer)}).status_code == 302
    stored = Alias.objects.get(pk=alias.pk)
    assert (stored.description, stored.enabled) == ("Mine", False)


# --- one's own account -----------------------------------------------------------------------------------------

PROFILE = "/user/profile/"
FORWARD = "/user/forward/"
SAM = "sam@dora.example"


@pytest.fixture
def sam(cast: Cast, browser_of: Callable[[Actor | None], Client]) -> Client:
    """The browser of the owner."""
    return browser_of(cast.sam)


def _told(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def _forward(cast: Cast) -> set[str]:
    alias = Alias.objects.filter(address=cast.sam.user.email).first()
    return set(alias.recipients.values_list("address", flat=True)) if alias else set()


def test_a_profile_keeps_what_an_administrator_changed_and_its_owner_is_told(cast: Cast, sam: Client) -> None:
    values = _opened(sam, PROFILE)
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), phone_number="+49 1")
    answer = sam.post(PROFILE, values | {"first_name": "Samuel"})
    assert answer.status_code == 302
    stored = User.objects.get(pk=cast.sam.pk)
    assert (stored.first_name, stored.phone_number) == ("Samuel", "+49 1")
    assert _told(answer)[:1] == ["Changed meanwhile by dora@dora.example, and kept: Phone number."]


def test_the_same_field_of_a_profile_is_asked_about(cast: Cast, sam: Client) -> None:
    values = _opened(sam, PROFILE) | {"phone_number": "+49 2"}
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), phone_number="+49 1")
    answer = sam.post(PROFILE, values)
    assert _codes(answer) == {"phone_number": ["changed_meanwhile"]}
    assert "by dora@dora.example to “+49 1”" in _words(answer, "phone_number")
    assert User.objects.get(pk=cast.sam.pk).phone_number == "+49 1"
    assert sam.post(PROFILE, values | {"began_with": _sealed(answer)}).status_code == 302
    assert User.objects.get(pk=cast.sam.pk).phone_number == "+49 2"


def test_a_secondary_address_that_an_administrator_changed_needs_no_password_and_stays(
    cast: Cast, sam: Client
) -> None:
    values = _opened(sam, PROFILE)
    account = Account.objects.get(pk=cast.sam.pk)
    update_account(cast.dora, account, secondary_email="sam@home.example")
    assert sam.post(PROFILE, values | {"last_name": "Sample"}).status_code == 302
    assert User.objects.get(pk=cast.sam.pk).secondary_email == "sam@home.example"


def test_a_profile_that_changes_between_the_look_and_the_lock_is_refused(
    cast: Cast, sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ProfileForm.values

    def slow(form: ProfileForm) -> Values:
        monkeypatch.setattr(ProfileForm, "values", first)
        update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), phone_number="+49 1")
        return first(form)

    values = _opened(sam, PROFILE) | {"phone_number": "+49 2", "secondary_email": "sam@home.example"}
    monkeypatch.setattr(ProfileForm, "values", slow)
    answer = sam.post(PROFILE, values | {"current_password": PASSWORD})
    assert _codes(answer) == {"phone_number": ["changed_meanwhile"], "__all__": ["changed_meanwhile"]}
    values |= {"began_with": _sealed(answer), "current_password": PASSWORD}
    assert sam.post(PROFILE, values).status_code == 302
    stored = User.objects.get(pk=cast.sam.pk)
    assert (stored.phone_number, stored.secondary_email) == ("+49 2", "sam@home.example")


def test_a_forward_keeps_what_an_administrator_changed_and_its_owner_is_told(cast: Cast, sam: Client) -> None:
    alias = set_own_forward(cast.sam, recipients=["a@out.example", "b@out.example"], keep_copy=False)
    assert alias
    values = _opened(sam, FORWARD)
    update_alias(cast.dora, alias, recipients=("c@out.example", "d@out.example"))
    # A browser ends lines in its own way: that is no change.
    values["recipients"] = values["recipients"].replace("\n", "\r\n")
    answer = sam.post(FORWARD, values | {"keep_copy": "on"})
    assert answer.status_code == 302
    assert _forward(cast) == {"c@out.example", "d@out.example", SAM}
    assert _told(answer)[:1] == ["Changed meanwhile by dora@dora.example, and kept: Forward to."]


def test_the_same_recipients_are_asked_about(cast: Cast, sam: Client) -> None:
    alias = set_own_forward(cast.sam, recipients=["a@out.example"], keep_copy=True)
    assert alias
    values = _opened(sam, FORWARD) | {"recipients": "mine@out.example"}
    update_alias(cast.dora, alias, recipients=("c@out.example", "d@out.example", SAM))
    answer = sam.post(FORWARD, values)
    assert _codes(answer) == {"recipients": ["changed_meanwhile"]}
    assert "by dora@dora.example to “c@out.example, d@out.example”" in _words(answer, "recipients")
    assert _forward(cast) == {"c@out.example", "d@out.example", SAM}
    assert sam.post(FORWARD, values | {"began_with": _sealed(answer)}).status_code == 302
    assert _forward(cast) == {"mine@out.example", SAM}


def test_a_forward_that_an_administrator_began_is_not_ended_by_an_empty_page(cast: Cast, sam: Client) -> None:
    values = _opened(sam, FORWARD)
    create_alias(cast.dora, address=SAM, recipients=("a@out.example", SAM))
    answer = sam.post(FORWARD, values)
    assert answer.status_code == 302
    assert _forward(cast) == {"a@out.example", SAM}
    assert _told(answer)[:1] == ["Changed meanwhile by dora@dora.example, and kept: Forward to."]
    answer = sam.post(FORWARD, values | {"recipients": "mine@out.example"})
    assert _codes(answer) == {"recipients": ["changed_meanwhile"]}


def test_a_forward_that_an_administrator_deleted_does_not_come_back_by_itself(
    cast: Cast, sam: Client
) -> None:
    alias = set_own_forward(cast.sam, recipients=["a@out.example"], keep_copy=True)
    assert alias
    values = _opened(sam, FORWARD)
    delete_aliases(cast.dora, [alias])
    assert sam.post(FORWARD, values).status_code == 302
    assert _forward(cast) == set()
    answer = sam.post(FORWARD, values | {"recipients": "mine@out.example"})
    assert _codes(answer) == {"recipients": ["changed_meanwhile"]}
    assert _words(answer, "recipients") == "Emptied meanwhile by dora@dora.example. Save again to replace it."
    assert _forward(cast) == set()
    assert (
        sam.post(
            FORWARD, values | {"recipients": "mine@out.example", "began_with": _sealed(answer)}
        ).status_code
        == 302
    )
    assert _forward(cast) == {"mine@out.example", SAM}


@pytest.mark.parametrize("what", ["changed", "deleted", "begun"])
def test_a_forward_that_changes_between_the_look_and_the_lock_is_refused(
    what: str, cast: Cast, sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ForwardForm.values
    alias = None
    if what != "begun":
        alias = set_own_forward(cast.sam, recipients=["a@out.example"], keep_copy=True)

    def slow(form: ForwardForm) -> Values:
        monkeypatch.setattr(ForwardForm, "values", first)
        if alias is None:
            create_alias(cast.dora, address=SAM, recipients=("c@out.example", SAM))
        elif what == "changed":
            update_alias(cast.dora, alias, recipients=("c@out.example", SAM))
        else:
            delete_aliases(cast.dora, [Alias.objects.get(pk=alias.pk)])
        return first(form)

    values = _opened(sam, FORWARD) | {"recipients": "mine@out.example"}
    monkeypatch.setattr(ForwardForm, "values", slow)
    answer = sam.post(FORWARD, values)
    assert _codes(answer) == {"recipients": ["changed_meanwhile"], "__all__": ["changed_meanwhile"]}
    assert "mine@out.example" not in _forward(cast)
    assert sam.post(FORWARD, values | {"began_with": _sealed(answer)}).status_code == 302
    assert _forward(cast) == {"mine@out.example", SAM}
