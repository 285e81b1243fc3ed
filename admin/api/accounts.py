"""``/api/v1/accounts/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from admin import policies
from admin.api.fields import QuotaField
from admin.api.narrowing import by_text
from admin.models import Account
from admin.operations import (
    AccountSpec,
    MailboxSpec,
    create_accounts,
    delete_accounts,
    replace_password,
    update_account,
)
from admin.queries.accounts import administered_names, email_exists, is_within_reach
from admin.queries.searching import a_labels, beginning_with, search_text
from core.api.endpoints import Endpoint, ItemEndpoint, ListEndpoint, Resource
from core.api.listing import CLOSENESS, Listing, Row, by_choice, by_flag
from core.roles import Role

_PLAIN = (
    "first_name",
    "last_name",
    "is_active",
    "master_user",
    "role",
    "language",
    "phone_number",
    "secondary_email",
)
_FIELDS = ("pk", "username", *_PLAIN, "mailbox", "domains")


class MailboxShape(serializers.Serializer[Any]):
    """The mailbox of an account."""

    full_address = serializers.CharField(max_length=254, help_text="Address.")
    use_domain_quota = serializers.BooleanField(required=False, help_text="Follow the default of the domain.")
    quota = QuotaField(required=False, allow_null=True, help_text="MB; 0: no limit.")


class AccountShape(serializers.Serializer[Any]):
    """An account, with or without a mailbox."""

    pk = serializers.IntegerField(read_only=True)
    username = serializers.CharField(
        max_length=254, help_text="Of a simple user: the address of the mailbox."
    )
    first_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    last_name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    is_active = serializers.BooleanField(required=False)
    master_user = serializers.BooleanField(
        required=False, help_text="Opens every mailbox; super administrators see and set it."
    )
    password = serializers.CharField(
        required=False,
        write_only=True,
        allow_blank=True,
        allow_null=True,
        trim_whitespace=False,
        max_length=1000,
    )
    random_password = serializers.BooleanField(
        required=False, write_only=True, help_text="On creation: nobody learns it."
    )
    role = serializers.ChoiceField(choices=Role.choices)
    language = serializers.CharField(max_length=10, required=False, allow_blank=True)
    phone_number = serializers.CharField(max_length=128, required=False, allow_blank=True, allow_null=True)
    secondary_email = serializers.CharField(max_length=254, required=False, allow_blank=True, allow_null=True)
    mailbox = MailboxShape(required=False, allow_null=True)
    domains = serializers.ListField(
        child=serializers.CharField(max_length=254),
        required=False,
        help_text="Names of the domains that it administers.",
    )

    def validate(self, attrs: Row) -> Row:
        """A new account needs a password."""
        if self.context["target"] is None and not attrs.get("random_password") and not attrs.get("password"):
            words = self.fields["password"].error_messages["required"]
            raise serializers.ValidationError({"password": [words]}, code="required")
        return attrs


class AccountResource(Resource):
    """Accounts of the actor."""

    areas = ("accounts",)
    kind = "account"
    shape = AccountShape
    example = {
        "username": "jo@example.org",
        "role": "SimpleUsers",
        "password": "Correct-Horse-7",
        "first_name": "Jo",
        "mailbox": {"full_address": "jo@example.org", "quota": 100, "use_domain_quota": False},
    }
    beside = {"address": "mailbox.full_address", "quota": "mailbox.quota", "administers": "domains"}
    # Old clients look for limits there.
    beside_codes = {"limit_reached": "domain", "domain_limit_reached": "domain"}
    statuses = {"unknown_domain": 404, "address_taken": 409, "not_yourself": 403, "last_super_admin": 403}

    def rows(self) -> QuerySet[Account]:
        """What the actor sees; simple users have no list."""
        if not policies.may_see_identities(self.actor):
            return Account.objects.none()
        return Account.objects.visible_to(self.actor).select_related("mailbox")

    def present(self, rows: Sequence[Account]) -> list[Row]:
        """Accounts as they are answered: one statement for the domains of all of them."""
        domains = administered_names(self.actor, [row.pk for row in rows if Role(row.role).administers])
        return [self._shown(row, domains.get(row.pk, [])) for row in rows]

    def _shown(self, row: Account, domains: list[str]) -> Row:
        shown = {"pk": row.pk, "username": row.username, **{name: getattr(row, name) for name in _PLAIN}}
        if not self.actor.is_super:
            del shown["master_user"]
        box = row.mailbox if row.email else None
        shown["mailbox"] = box and {
            "full_address": row.email,
            "use_domain_quota": box.use_domain_quota,
            "quota": box.quota,
        }
        shown["domains"] = domains
        return shown

    def may_write(self) -> bool:
        """Everybody but simple users."""
        return policies.may_manage_accounts(self.actor)


def _found(rows: QuerySet[Account], text: str) -> QuerySet[Account]:
    """Beginnings of names and addresses; what holds an ``@`` is an address, and an account of exactly that is first.

    Without an ``@`` those whose address or login begins so are before those of whom only the name of a person does.
    """
    text = search_text(text)
    canonical = a_labels(text)
    found = near = beginning_with("email", canonical) | beginning_with("username", canonical)
    if "@" in text:
        near = Q(email=canonical)
    else:
        found = near | Q(first_name__istartswith=text) | Q(last_name__istartswith=text)
    closeness = Case(When(near, then=Value(0)), default=Value(1), output_field=IntegerField())
    return rows.filter(found).annotate(**{CLOSENESS: closeness})


class AccountList(AccountResource, ListEndpoint):
    """Accounts that you see."""

    listing = Listing(
        orders={"username": ("username",), "pk": ("pk",), "role": ("role",), "last_name": ("last_name",)},
        filters={
            "domain": by_text("mailbox__domain__name"),
            "role": by_choice("role"),
            "is_active": by_flag("is_active"),
            "username": by_text("username"),
        },
        search=_found,
        fields=_FIELDS,
    )

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """New accounts of the actor."""
        return [each.account for each in create_accounts(self.actor, [_spec(values) for values in batch])]


def _spec(values: Row) -> AccountSpec:
    role, box = Role(values["role"]), values.get("mailbox")
    if box is None and role is Role.SIMPLE_USER:
        box = {"full_address": values["username"]}
    plain = {name: values[name] for name in _PLAIN if values.get(name) is not None}
    return AccountSpec(
        **plain | {"role": role},
        username=values["username"],
        password=None if values.get("random_password") else values["password"],
        mailbox=box and MailboxSpec(address=box["full_address"], quota=_own_quota(box)),
        administers=tuple(values.get("domains", ())),
    )


def _own_quota(box: Row) -> int | None:
    """None follows the domain."""
    return None if box.get("use_domain_quota") else box.get("quota")


class AccountDetail(AccountResource, ItemEndpoint):
    """One account."""

    def change(self, target: Account, values: Row, seen: int | None) -> None:
        """What was sent, and nothing else."""
        if not is_within_reach(self.actor, target):
            raise PermissionDenied
        update_account(self.actor, target, **_changes(target, values), seen=seen)

    def remove(self, target: Account) -> None:
        """With its mailbox."""
        if target.pk != self.actor.pk and not is_within_reach(self.actor, target):
            raise PermissionDenied
        delete_accounts(self.actor, [target])


def _changes(target: Account, values: Row) -> Row:
    changes: Row = {name: values[name] or "" for name in _PLAIN if name in values and values[name] is None}
    changes |= {name: values[name] for name in _PLAIN if values.get(name) is not None}
    role = Role(values.get("role", target.role))
    if "role" in changes:
        changes["role"] = role
    if "username" in values:
        changes["username"] = values["username"]
    if values.get("password"):
        changes["password"] = values["password"]
    if values.get("domains") or (role.administers and "domains" in values):
        changes["administers"] = tuple(values["domains"])
    return changes | _mailbox_changes(target, role, values)


def _mailbox_changes(target: Account, role: Role, values: Row) -> Row:
    if "mailbox" not in values:
        follows = role is Role.SIMPLE_USER and "username" in values
        return {"address": values["username"]} if follows else {}
    box = values["mailbox"]
    if box is None:
        return {"address": ""} if target.email else {}
    changes: Row = {"address": box["full_address"]} if "full_address" in box else {}
    if box.get("use_domain_quota"):
        changes["quota"] = None
    elif box.get("quota") is not None:
        changes["quota"] = box["quota"]
    elif "use_domain_quota" in box and target.email:
        changes["quota"] = target.mailbox.quota
    return changes


# --- further addresses -----------------------------------------------------------------------------------------


class PasswordShape(serializers.Serializer[Any]):
    """A new password, by somebody who knows the present one."""

    password = serializers.CharField(trim_whitespace=False, max_length=1000, help_text="The present one.")
    new_password = serializers.CharField(trim_whitespace=False, max_length=1000)


class AccountPassword(Endpoint):
    """Change a password that one knows."""

    http_method_names = ("put",)
    shape = PasswordShape
    example = {"password": "the present one", "new_password": "Another-Horse-8"}
    areas = ("accounts",)
    beside = {"password": "new_password", "current_password": "password"}

    def put(self, request: Request, pk: int) -> Response:  # noqa: ARG002  the library's signature
        """Answer 200 without a body."""
        if not policies.may_manage_accounts(self.actor):
            raise PermissionDenied
        target = Account.objects.visible_to(self.actor).filter(pk=pk).first()
        if target is None:
            raise exceptions.NotFound
        if not is_within_reach(self.actor, target):
            raise PermissionDenied
        shape = PasswordShape(data=self.sent())
        shape.is_valid(raise_exception=True)
        given = shape.validated_data

        def work() -> Response:
            replace_password(
                self.actor, target, current_password=given["password"], password=given["new_password"]
            )
            return Response()

        return self.write(work)


class ExistsShape(serializers.Serializer[Any]):
    """The answer."""

    exists = serializers.BooleanField()


class AccountExists(Endpoint):
    """Whether an address is that of a mailbox."""

    http_method_names = ("get", "head")
    shape = ExistsShape
    areas = ("accounts",)

    def get(self, request: Request) -> Response:
        """Any signed-in account may ask."""
        email = request.query_params.get("email", "").strip()
        if not email:
            message = "This field is required."
            raise exceptions.ValidationError({"email": [message]}, code="required")
        return Response({"exists": email_exists(a_labels(search_text(email)))})
