"""``/api/v1/resources/<pk of an account>/``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from rest_framework import serializers

from admin.models import Account
from core.api.endpoints import ItemEndpoint
from core.api.listing import Row
from core.roles import Role
from limits.kinds import LIMITED, MAX_LIMIT, Kind
from limits.models import Allowance
from limits.operations import Grant, grant
from limits.policies import may_grant, may_see_limits


def _limit(kind: Kind) -> serializers.IntegerField:
    words = "MB; 0: no limit." if kind is Kind.QUOTA else "-1: no limit."
    return serializers.IntegerField(min_value=kind.unlimited, max_value=MAX_LIMIT, help_text=words)


class ResourceShape(serializers.Serializer[Any]):
    """How much an administrator may create."""

    domains = _limit(Kind.DOMAINS)
    domain_aliases = _limit(Kind.DOMAIN_ALIASES)
    domain_admins = _limit(Kind.DOMAIN_ADMINS)
    mailboxes = _limit(Kind.MAILBOXES)
    mailbox_aliases = _limit(Kind.MAILBOX_ALIASES)
    quota = _limit(Kind.QUOTA)


class ResourceDetail(ItemEndpoint):
    """Limits of an account."""

    http_method_names = ("get", "head", "options", "put", "patch")
    areas = ("accounts",)
    kind = "account"
    shape = ResourceShape
    example = {
        "domains": 10,
        "domain_aliases": 10,
        "domain_admins": 5,
        "mailboxes": 100,
        "mailbox_aliases": 100,
        "quota": 102400,
    }
    beside = {kind.limit_name: kind.value for kind in Kind}
    statuses = {"pool_exhausted": 424, "pool_not_yours": 403}

    def rows(self) -> QuerySet[Account]:
        """Those who have limits, or could hand out without."""
        roles = [*LIMITED, Role.SUPER_ADMIN]
        return Account.objects.visible_to(self.actor).filter(role__in=roles).select_related("allowance")

    def load(self, pk: int) -> Account:
        """Nobody but super administrators looks at his own limits here."""
        account: Account = super().load(pk)
        if not may_see_limits(self.actor, account) and not self.actor.is_super:
            raise Http404
        if account.pk == self.actor.pk and not self.actor.is_super:
            raise Http404
        return account

    def present(self, rows: Sequence[Account]) -> list[Row]:
        """Limits as they are answered."""
        return [{kind.value: limit for kind, limit in _limits(row).items()} for row in rows]

    def may_write(self) -> bool:
        """Super administrators and resellers."""
        return may_grant(self.actor)

    def change(self, target: Account, values: Row, seen: int | None) -> None:  # noqa: ARG002  limits are all that is changed
        """What differs."""
        present = _limits(target)
        new = {Kind(name): limit for name, limit in values.items() if limit != present[Kind(name)]}
        grant(self.actor, [Grant(account=target, limits=new)])


def _limits(account: Account) -> dict[Kind, int]:
    if account.role == Role.SUPER_ADMIN:
        return {kind: kind.unlimited for kind in Kind}
    allowance = getattr(account, "allowance", None) or Allowance(user_id=account.pk)
    return {kind: getattr(allowance, f"{kind}_max") for kind in Kind}
