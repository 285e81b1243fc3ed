"""Accounts as the administrators of domains see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from admin.models.domain import Domain
from admin.models.mailbox import Mailbox
from core.models import User
from core.models.user import UserQuerySet

if TYPE_CHECKING:
    from core.actor import Actor


class AccountQuerySet(UserQuerySet["Account"]):
    """Accounts with scope: the relation to domains lives above the core."""

    def visible_to(self, actor: Actor) -> Self:
        """Oneself, accounts with a mailbox in a visible domain, own ones without a mailbox; nobody of higher rank.

        Where a mailbox is decides, not who made it: a right to a domain ends with the domain.
        """
        if actor.is_super:
            return self
        if not actor.administers:
            return self.filter(pk=actor.pk)
        tenants = Mailbox.objects.filter(domain__in=Domain.objects.visible_to(actor)).values("user_id")
        return self.filter(
            # A subquery: PostgreSQL locks no rows behind an outer join.
            Q(pk=actor.pk)
            | Q(~Exists(Mailbox.objects.filter(user=OuterRef("pk"))), owner_id=actor.pk)
            | Q(pk__in=tenants),
            role__in=actor.role.up_to_here(),
        )


class Account(User):
    """An account, reached through what an actor administers."""

    objects = AccountQuerySet.as_manager()  # type: ignore[misc]  # the stubs take a second manager for a variable

    class Meta:
        proxy = True
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
