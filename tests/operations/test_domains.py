"""Domains and domain aliases: every refusal, then what is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import override_settings
from django.utils import timezone

from admin import publication
from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    DomainName,
    Mailbox,
    MailDomain,
    MailRoute,
    MailUser,
    Quota,
)
from admin.models.domain import MAX_QUOTA_MB
from admin.operations import (
    DomainAliasSpec,
    DomainChange,
    DomainSpec,
    MailboxSpec,
    create_account,
    create_alias,
    create_domain,
    create_domain_aliases,
    create_domains,
    delete_domains,
    update_account,
    update_domain,
    update_domains,
)
from core.actor import Actor
from core.models import Log
from core.refusals import Refusal
from core.roles import Role
from tests.cast import Cast
from tests.operations.evidence import (
    events,
    forbidden,
    nothing_written,
    refused,
    refused_as,
    sentences,
    statements,
    versions,
)
from tests.operations.people import account_of, person, set_parameter
from tests.published import routes, targets_of, who_sends

U_LABEL, A_LABEL = "bücher.example", "xn--bcher-kva.example"


# --- who ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["dora", "sam", "mallory"])
def test_only_super_admins_and_resellers_create_change_and_delete_domains(cast: Cast, who: str) -> None:
    actor = cast.everybody[who]
    with forbidden():
        create_domain(actor, name="new.example")
    with forbidden():
        create_domain_aliases(actor, [DomainAliasSpec(name="new.example", target="dora.example")])
    with forbidden():
        update_domain(actor, cast.dora_example, quota=1)
    with forbidden():
        delete_domains(actor, [cast.dora_example])


def test_a_disabled_actor_may_do_nothing(cast: Cast) -> None:
    update_account(cast.root, Account.objects.get(username="rita"), is_active=False)
    rita = replace(cast.rita, user=Account.objects.get(username="rita"))
    with forbidden():
        create_domain(rita, name="new.example")
    with forbidden():
        update_domain(rita, cast.reseller_example, quota=1)


# --- create ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"name": ""}, "name", "domain_empty"),
        ({"name": "localhost"}, "name", "domain_one_label"),
        ({"name": "a..example"}, "name", "domain_label_empty"),
        ({"name": "127.0.0.1"}, "name", "domain_ip_literal"),
        ({"name": "a\0.example"}, "name", "domain_hidden_character"),
        ({"name": "new.example", "aliases": ("a b.example",)}, "aliases", "domain_character"),
        ({"name": "dora.example"}, "name", "name_taken"),
        ({"name": " DORA.Example\t"}, "name", "name_taken"),
        ({"name": "new.example", "aliases": ("dora.example",)}, "aliases", "name_taken"),
        ({"name": "new.example", "quota": -1}, "quota", "quota_out_of_range"),
        ({"name": "new.example", "quota": MAX_QUOTA_MB + 1}, "quota", "quota_out_of_range"),
        (
            {"name": "new.example", "default_mailbox_quota": -1},
            "default_mailbox_quota",
            "quota_out_of_range",
        ),
        (
            {"name": "new.example", "quota": 10, "default_mailbox_quota": 11},
            "default_mailbox_quota",
            "default_quota_too_big",
        ),
    ],
)
def test_a_wrong_domain_is_refused(cast: Cast, values: dict[str, object], field: str, code: str) -> None:
    with refused_as(field, code):
        create_domain(cast.root, **values)


def test_a_name_is_asked_for_once_in_a_batch(cast: Cast) -> None:
    specs = [
        DomainSpec(name="one.example"),
        DomainSpec(name="two.example", aliases=("ONE.example", "three.example")),
        DomainSpec(name="three.example"),
    ]
    with refused(
        (0, "name", "repeated"),
        (1, "aliases", "repeated"),
        (1, "aliases", "repeated"),
        (2, "name", "repeated"),
    ):
        create_domains(cast.root, specs)


def test_every_reason_of_a_batch_is_reported_at_once(cast: Cast) -> None:
    specs = [
        DomainSpec(name="good.example"),
        DomainSpec(name="bad", quota=-1),
        DomainSpec(name="dora.example", aliases=("mallory.example",)),
    ]
    with refused(
        (1, "name", "domain_one_label"),
        (1, "quota", "quota_out_of_range"),
        (2, "name", "name_taken"),
        (2, "aliases", "name_taken"),
    ):
        create_domains(cast.root, specs)


@pytest.mark.parametrize(
    "name", ["co.uk", "example", "gmail.com", "mail.gmail.com", "panel.here.example", "here.example"]
)
@override_settings(MODOBOA_RESERVED_DOMAINS=("panel.here.example",))
def test_a_name_that_no_customer_owns_needs_a_super_admin(cast: Cast, name: str) -> None:
    if "." in name:
        with refused_as("name", "reserved_name"):
            create_domain(cast.rita, name=name)
        with refused_as("aliases", "reserved_name"):
            update_domain(cast.rita, cast.reseller_example, aliases=(name,))
        with refused_as("name", "reserved_name"):
            create_domain_aliases(cast.rita, [DomainAliasSpec(name=name, target="reseller.example")])
        assert create_domain(cast.root, name=name).name == name
    else:
        with refused_as("name", "domain_one_label"):
            create_domain(cast.rita, name=name)


def test_who_may_not_see_the_holder_of_a_name_learns_only_that_it_is_taken(cast: Cast) -> None:
    update_domain(cast.root, cast.dora_example, aliases=("secret.example",))
    said = []
    for name in ("dora.example", "secret.example"):
        with refused_as("name", "name_taken") as caught:
            create_domain(cast.rita, name=name)
        said.append(sentences(caught)[0].replace(name, "…"))
    assert said[0] == said[1]
    assert "dora.example" not in said[1]
    with pytest.raises(Refusal, match=r"alias of dora\.example"):
        create_domain(cast.root, name="secret.example")


def test_a_created_domain_is_stored_published_and_recorded(cast: Cast) -> None:
    before, history = len(events()), len(versions())
    domain = create_domain(
        cast.rita,
        name=" New.Example ",
        quota=500,
        default_mailbox_quota=50,
        enable_dns_checks=False,
        aliases=("Other.example", "", "other.example", U_LABEL),
    )
    stored = Domain.objects.get(pk=domain.pk)
    assert (stored.name, stored.owner_id) == ("new.example", cast.rita.pk)
    assert (stored.quota, stored.default_mailbox_quota) == (500, 50)
    assert (stored.enabled, stored.enable_dns_checks, stored.type) == (True, False, "domain")
    assert set(stored.aliases.values_list("name", flat=True)) == {"other.example", A_LABEL}
    names = DomainName.objects.filter(name__in=["new.example", "other.example", A_LABEL])
    assert sorted(names.values_list("name", "domain__name", "alias__name")) == [
        ("new.example", "new.example", None),
        ("other.example", None, "other.example"),
        (A_LABEL, None, A_LABEL),
    ]
    assert set(MailDomain.objects.filter(target="new.example").values_list("name", "kind")) == {
        ("other.example", "alias"),
        (A_LABEL, "alias"),
    }
    assert MailDomain.objects.get(name="new.example").kind == "mailbox"
    assert events()[before:] == [
        ("domain.create", "new.example", []),
        ("domain.create", "other.example", []),
        ("domain.create", A_LABEL, []),
    ]
    assert versions()[history:] == [
        ("domain.create", "new.example"),
        ("domain.create", "other.example"),
        ("domain.create", A_LABEL),
    ]
    event = Log.objects.get(object_name="new.example")
    assert (event.level, event.logger, event.kind, event.object_id) == (
        "INFO",
        "modoboa.admin",
        "domain",
        domain.pk,
    )
    assert (event.actor_id, event.actor_name, event.credential, event.address) == (
        cast.rita.pk,
        "rita",
        "session",
        "127.0.0.1",
    )
    assert event.message == "Domain 'new.example' added by 'rita'"
    assert not list(publication.drift())


def test_the_language_of_the_actor_does_not_reach_the_log(cast: Cast) -> None:
    from django.utils import translation  # noqa: PLC0415  for this test only

    with translation.override("fr"):
        create_domain(cast.root, name="new.example")
    assert Log.objects.get(object_name="new.example").message == "Domain 'new.example' added by 'root'"


def test_a_disabled_domain_is_created_without_being_published(cast: Cast) -> None:
    create_domain(cast.root, name="new.example", enabled=False, aliases=("other.example",))
    assert not MailDomain.objects.filter(name__in=["new.example", "other.example"]).exists()
    assert not MailRoute.objects.filter(address="@other.example").exists()


def test_nobody_asks_for_nothing(cast: Cast) -> None:
    with nothing_written():
        assert create_domains(cast.root, []) == []
        assert update_domains(cast.root, []) == []
        assert create_domain_aliases(cast.root, []) == []
        delete_domains(cast.root, [])


# --- domain aliases -------------------------------------------------------------------------------------------


def test_a_wrong_domain_alias_is_refused(cast: Cast) -> None:
    with refused(
        (0, "name", "domain_one_label"),
        (1, "target", "unknown_domain"),
        (2, "name", "name_taken"),
        (3, "name", "repeated"),
        (4, "name", "repeated"),
        (5, "target", "domain_empty"),
    ):
        create_domain_aliases(
            cast.root,
            [
                DomainAliasSpec(name="bad", target="dora.example"),
                DomainAliasSpec(name="new1.example", target="nowhere.example"),
                DomainAliasSpec(name="mallory.example", target="dora.example"),
                DomainAliasSpec(name="new2.example", target="dora.example"),
                DomainAliasSpec(name="NEW2.example", target="mallory.example"),
                DomainAliasSpec(name="new3.example", target=""),
            ],
        )


def test_a_foreign_domain_and_one_that_does_not_exist_are_the_same_to_a_reseller(cast: Cast) -> None:
    said = []
    for target in ("dora.example", "nowhere.example"):
        with refused_as("target", "unknown_domain") as caught:
            create_domain_aliases(cast.rita, [DomainAliasSpec(name="new.example", target=target)])
        said.append(sentences(caught)[0].replace(target, "…"))
    assert said[0] == said[1]


def test_domain_aliases_are_stored_published_and_recorded(cast: Cast) -> None:
    before, history = len(events()), len(versions())
    create_domain_aliases(
        cast.root,
        [
            DomainAliasSpec(name=U_LABEL, target="DORA.example"),
            DomainAliasSpec(name="off.example", target="dora.example", enabled=False),
        ],
    )
    assert set(DomainAlias.objects.values_list("name", "target__name", "enabled")) == {
        (A_LABEL, "dora.example", True),
        ("off.example", "dora.example", False),
    }
    assert routes(address__startswith="@") == {
        (f"@{A_LABEL}", "@dora.example"),
    }
    assert not MailDomain.objects.filter(name="off.example").exists()
    assert [event[:2] for event in events()[before:]] == [
        ("domain_alias.create", A_LABEL),
        ("domain_alias.create", "off.example"),
    ]
    assert versions()[history:] == [
        ("domain_alias.create", A_LABEL),
        ("domain_alias.create", "off.example"),
    ]
    assert not list(publication.drift())


# --- change ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"quota": -1, "default_mailbox_quota": 0}, "quota", "quota_out_of_range"),
        ({"quota": 99}, "default_mailbox_quota", "default_quota_too_big"),
        ({"default_mailbox_quota": 102_401}, "default_mailbox_quota", "default_quota_too_big"),
        ({"aliases": ("nodots",)}, "aliases", "domain_one_label"),
        ({"aliases": ("mallory.example",)}, "aliases", "name_taken"),
        ({"aliases": ("dora.example",)}, "aliases", "name_taken"),
    ],
)
def test_a_wrong_change_of_a_domain_is_refused(
    cast: Cast, values: dict[str, object], field: str, code: str
) -> None:
    with refused_as(field, code):
        update_domain(cast.root, cast.dora_example, **values)


def test_a_domain_that_is_gone_or_foreign_cannot_be_changed_or_deleted(cast: Cast) -> None:
    with refused_as("", "gone"):
        update_domain(cast.rita, cast.dora_example, quota=1)
    with refused_as("", "gone"):
        delete_domains(cast.rita, [cast.dora_example])
    delete_domains(cast.rita, [cast.reseller_example])
    with refused_as("", "gone"):
        update_domain(cast.rita, cast.reseller_example, quota=1)
    new = create_domain(cast.root, name="new.example")
    with refused((1, "", "gone")):
        delete_domains(cast.root, [new, cast.reseller_example])


def test_a_reason_keeps_its_place_behind_a_domain_that_is_gone(cast: Cast) -> None:
    delete_domains(cast.rita, [cast.reseller_example])
    with refused((0, "", "gone"), (1, "aliases", "name_taken")):
        update_domains(
            cast.root,
            [
                DomainChange(domain=cast.reseller_example, quota=1),
                DomainChange(domain=cast.dora_example, aliases=("mallory.example",)),
            ],
        )


def test_two_domains_cannot_get_the_same_alias_in_one_batch(cast: Cast) -> None:
    with refused((0, "aliases", "repeated"), (1, "aliases", "repeated")):
        update_domains(
            cast.root,
            [
                DomainChange(domain=cast.dora_example, aliases=("new.example",)),
                DomainChange(domain=cast.mallory_example, aliases=("new.example",)),
            ],
        )


def test_a_changed_domain_is_stored_and_recorded_with_the_names_of_the_fields(cast: Cast) -> None:
    before, history, start = len(events()), len(versions()), timezone.now()
    update_domain(
        cast.root, cast.dora_example, quota=2000, default_mailbox_quota=100, enable_dns_checks=False
    )
    domain = Domain.objects.get(name="dora.example")
    assert (domain.quota, domain.default_mailbox_quota, domain.enable_dns_checks) == (2000, 100, False)
    assert domain.last_modification >= start
    assert events()[before:] == [("domain.update", "dora.example", ["quota", "enable_dns_checks"])]
    assert versions()[history:] == [("domain.update", "dora.example")]
    assert Log.objects.get(verb="domain.update").message == "Domain 'dora.example' modified by 'root'"


def test_a_change_that_changes_nothing_writes_nothing(cast: Cast) -> None:
    with nothing_written():
        update_domain(cast.root, cast.dora_example, quota=102_400, enabled=True, aliases=())


def test_a_new_default_quota_reaches_the_mailboxes_that_follow_it(cast: Cast) -> None:
    own = MailboxSpec(address="own@dora.example", quota=7)
    create_account(cast.dora, username="own@dora.example", mailbox=own)
    update_domains(
        cast.root,
        [
            DomainChange(domain=cast.dora_example, default_mailbox_quota=300),
            DomainChange(domain=cast.mallory_example, default_mailbox_quota=400),
        ],
    )
    expected = {
        "dora@dora.example": 300,
        "sam@dora.example": 300,
        "own@dora.example": 7,
        "mallory@mallory.example": 400,
    }
    assert dict(Mailbox.objects.values_list("user__email", "quota")) == expected
    assert dict(MailUser.objects.values_list("address", "quota")) == expected
    assert not list(publication.drift())


def test_the_list_of_aliases_is_replaced(cast: Cast) -> None:
    update_domain(cast.root, cast.dora_example, aliases=("one.example", "two.example"))
    kept = DomainAlias.objects.get(name="two.example").pk
    update_domain(cast.root, cast.dora_example, aliases=("two.example", "three.example"))
    assert dict(DomainAlias.objects.values_list("name", "pk"))["two.example"] == kept
    assert set(DomainAlias.objects.values_list("name", flat=True)) == {"two.example", "three.example"}
    assert not DomainName.objects.filter(name="one.example").exists()
    assert not MailDomain.objects.filter(name="one.example").exists()
    assert not MailRoute.objects.filter(address="@one.example").exists()
    assert Log.objects.filter(verb="domain.update").count() == 2
    assert not list(publication.drift())
    assert create_domain(cast.rita, name="one.example").name == "one.example"


def test_a_disabled_domain_leaves_the_published_tables_and_comes_back(cast: Cast) -> None:
    create_alias(cast.mallory, address="all@mallory.example", recipients=("x@out.example",))
    alias = create_alias(
        cast.root, address="both@mallory.example", recipients=("sam@dora.example", "x@out.example")
    )
    create_alias(cast.dora, address="@dora.example", recipients=("sam@dora.example",))
    published = routes()
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert not MailDomain.objects.filter(name="dora.example").exists()
    assert not MailUser.objects.filter(address__endswith="@dora.example").exists()
    assert not MailRoute.objects.filter(address__endswith="@dora.example").exists()
    assert targets_of(alias.address) == {"x@out.example"}
    assert not list(publication.drift())
    update_domain(cast.root, cast.dora_example, enabled=True)
    assert routes() == published
    assert not list(publication.drift())


# --- delete ---------------------------------------------------------------------------------------------------


def test_a_deleted_domain_takes_its_people_along_and_administrators_stay_without_a_mailbox(
    cast: Cast,
) -> None:
    delete_domains(cast.root, [cast.dora_example])
    assert not Account.objects.filter(username="sam@dora.example").exists()
    dora = Account.objects.get(username="dora@dora.example")
    assert (dora.email, dora.role, dora.is_active) == ("", Role.DOMAIN_ADMIN, True)
    assert not Mailbox.objects.filter(domain=cast.dora_example.pk).exists()
    assert not Quota.objects.filter(username__endswith="@dora.example").exists()
    assert ("account.delete", "sam@dora.example", []) not in events(), "the verb is the operation's"
    assert ("domain.delete", "sam@dora.example", []) in events()
    assert ("account.update", "dora@dora.example", ["email"]) in events()
    assert not list(publication.drift())


def test_with_automatic_removal_administrators_go_with_their_domain(cast: Cast) -> None:
    set_parameter("auto_account_removal", value=True)
    delete_domains(cast.root, [cast.dora_example])
    assert not Account.objects.filter(email__endswith="@dora.example").exists()
    assert not Account.objects.filter(username="dora@dora.example").exists()


def test_nobody_deletes_the_domain_of_his_own_mailbox_or_of_somebody_above(cast: Cast) -> None:
    update_account(cast.root, account_of(cast.rita), address="rita@reseller.example")
    with refused_as("", "own_mailbox"):
        delete_domains(cast.rita, [cast.reseller_example])
    ruth = create_domain(cast.rita, name="ruth.example")
    person(cast, "ruth@ruth.example", Role.SUPER_ADMIN)
    with refused_as("", "above_you"):
        delete_domains(cast.rita, [ruth])
    delete_domains(cast.root, [ruth])


def test_a_deleted_domain_takes_its_aliases_along_also_as_recipients_elsewhere(cast: Cast) -> None:
    update_domain(cast.rita, cast.reseller_example, aliases=("other.example",))
    inner = create_alias(cast.rita, address="in@reseller.example", recipients=("x@out.example",))
    create_alias(cast.rita, address="@reseller.example", recipients=("y@out.example",))
    mixed = create_alias(
        cast.root, address="mixed@dora.example", recipients=("in@reseller.example", "sam@dora.example")
    )
    only = create_alias(cast.root, address="only@dora.example", recipients=("in@reseller.example",))
    further = create_alias(cast.root, address="further@dora.example", recipients=("only@dora.example",))
    before, history = len(events()), len(versions())
    delete_domains(cast.rita, [cast.reseller_example])
    assert not Domain.objects.filter(name="reseller.example").exists()
    assert not DomainName.objects.filter(name__in=["reseller.example", "other.example"]).exists()
    assert not Alias.objects.filter(pk__in=[inner.pk, only.pk, further.pk]).exists()
    assert [r.address for r in AliasRecipient.objects.filter(alias=mixed)] == ["sam@dora.example"]
    for name in ("reseller.example", "other.example"):
        assert not MailDomain.objects.filter(name=name).exists()
        assert not MailRoute.objects.filter(address__endswith=f"@{name}").exists()
    assert not MailRoute.objects.filter(address__in=["only@dora.example", "further@dora.example"]).exists()
    assert {(verb, name) for verb, name, _changed in events()[before:]} == {
        ("domain.delete", "reseller.example"),
        ("domain.delete", "@reseller.example"),
        ("domain.delete", "in@reseller.example"),
        ("domain.delete", "only@dora.example"),
        ("domain.delete", "further@dora.example"),
        ("alias.update", "mixed@dora.example"),
    }
    assert set(Log.objects.filter(verb="domain.delete").values_list("level", flat=True)) == {"CRITICAL"}
    assert len(versions()) == history
    assert not list(publication.drift())


def test_administrators_of_a_deleted_domain_stay(cast: Cast) -> None:
    rights = Domain.administrators.through.objects
    domain = create_domain(cast.root, name="new.example")
    update_account(
        cast.root, Account.objects.get(pk=cast.dora.pk), administers=("new.example", "dora.example")
    )
    assert rights.filter(user_id=cast.dora.pk).count() == 2
    delete_domains(cast.root, [domain])
    assert rights.filter(user_id=cast.dora.pk).count() == 1


# --- how many statements --------------------------------------------------------------------------------------


def test_the_number_of_statements_does_not_depend_on_the_size_of_the_batch(cast: Cast) -> None:
    def life(actor: Actor, prefix: str, size: int) -> list[int]:
        counts = []
        names = [f"{prefix}{number}.example" for number in range(size)]
        with statements() as create:
            domains = create_domains(
                actor, [DomainSpec(name=name, aliases=(f"alias-{name}",)) for name in names]
            )
        counts.append(len(create))
        with statements() as alias:
            create_domain_aliases(
                actor, [DomainAliasSpec(name=f"more-{name}", target=name) for name in names]
            )
        counts.append(len(alias))
        with statements() as update:
            update_domains(
                actor,
                [
                    DomainChange(
                        domain=domain,
                        quota=20,
                        default_mailbox_quota=10,
                        enabled=False,
                        aliases=(f"new-{domain.name}", f"more-{domain.name}"),
                    )
                    for domain in domains
                ],
            )
        counts.append(len(update))
        with statements() as delete:
            delete_domains(actor, domains)
        return [*counts, len(delete)]

    for actor in (cast.root, cast.rita):
        assert life(actor, "few", 2) == life(actor, "many", 22)


# --- what stood under the name before it was ours ---------------------------------------------------------------


def test_sender_addresses_under_a_name_end_when_the_name_gets_an_owner(cast: Cast) -> None:
    given = ("@late.example", "ceo@late.example", "ceo@out.example")
    update_account(cast.dora, Account.objects.get(pk=cast.sam.pk), sender_addresses=given)
    create_domain(cast.rita, name="late.example")
    assert who_sends("extra_logins") == {("ceo@out.example", "sam@dora.example")}
    assert not list(publication.drift())
    update_domain(cast.rita, cast.reseller_example, aliases=("out.example",))
    assert not who_sends("extra_logins")
    assert not list(publication.drift())


def test_a_domain_alias_that_recipients_lie_under_is_refused(cast: Cast) -> None:
    create_alias(cast.dora, address="info@dora.example", recipients=("info@old.example",))
    with refused((0, "aliases", "recipients_there")):
        update_domain(cast.root, cast.dora_example, aliases=("old.example",))
    with refused((0, "name", "recipients_there")):
        create_domain_aliases(cast.root, [DomainAliasSpec(name="old.example", target="dora.example")])
    create_domain(cast.root, name="old.example")
