"""Accounts as the administrators of domains see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from admin.models.domain import Domain
from admin.models.mailbox import Mailbox
from core.models import User
from core.models.user import UserQuerySet
from core.roles import Role

if TYPE_CHECKING:
    from core.actor import Actor


class AccountQuerySet(UserQuerySet["Account"]):
    """Accounts with scope: the relation to domains lives above the core."""

    def visible_to(self, actor: Actor) -> Self:
        """Oneself, accounts with a mailbox in a visible domain, own ones without a mailbox; nobody of higher rank.

        Where a mailbox is decides, not who made it: a right to a domain ends with the domain. A token for some domains
        sees nobody elsewhere.
        """
        if actor.is_super:
            return self
        if not actor.administers:
            return self.filter(pk=actor.pk) if actor.domains is None else self.none()
        visible = Q(
            pk__in=Mailbox.objects.filter(domain__in=Domain.objects.visible_to(actor)).values("user_id")
        )
        if actor.domains is None:
            # A subquery: PostgreSQL locks no rows behind an outer join.
            without_mailbox = ~Exists(Mailbox.objects.filter(user=OuterRef("pk")))
            visible |= Q(pk=actor.pk) | Q(without_mailbox, owner_id=actor.pk)
        return self.filter(visible, role__in=actor.role.up_to_here())

    def beyond_reach_of(self, actor: Actor) -> Self:
        """Accounts on which *actor* never acts: of higher rank, or looking after a domain that he does not see.

        Who could edit the account, divert its mail or write in its name would stand where it stands. A token for some
        domains never acts on its owner, who may be at home in one of them, and more than that.
        """
        if actor.is_super:
            return self.none()
        unseen = Domain.objects.exclude(pk__in=Domain.objects.visible_to(actor).values("pk"))
        administered = Domain.administrators.through.objects.filter(user_id=OuterRef("pk"))
        looks_after_others = Q(role__in=[role for role in Role if role.administers]) & (
            Exists(unseen.filter(owner=OuterRef("pk")))
            | Exists(administered.filter(domain__in=unseen.values("pk")))
        )
        others = self.filter(looks_after_others).exclude(pk=actor.pk)
        beyond = self.exclude(role__in=actor.role.up_to_here()) | others
        return beyond if actor.domains is None else beyond | self.filter(pk=actor.pk)

    def within_reach_of(self, actor: Actor) -> Self:
        """Visible accounts that *actor* may edit."""
        return self.visible_to(actor).exclude(pk__in=self.model.objects.beyond_reach_of(actor).values("pk"))


class Account(User):
    """An account, reached through what an actor administers."""

    objects = AccountQuerySet.as_manager()  # type: ignore[misc]  # the stubs take a second manager for a variable

    class Meta:
        proxy = True
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
