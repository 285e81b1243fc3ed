"""Allowances: how much an administrator may have, has, and handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from limits.kinds import HANDED_OUT, MAX_LIMIT, Kind


@dataclass(frozen=True, slots=True)
class Usage:
    """One kind in an allowance, in pieces or MB. ``maximum`` None: no limit."""

    kind: Kind
    maximum: int | None
    used: int
    granted: int = 0

    @property
    def taken(self) -> int:
        """What is not there any more: used, or handed out to others."""
        return self.used + self.granted

    @property
    def left(self) -> int | None:
        """What may still be taken (0 where more than allowed is taken already); None: no limit."""
        return None if self.maximum is None else max(0, self.maximum - self.taken)

    @property
    def percent(self) -> int | None:
        """Taken of the maximum, 100 where there is nothing to take; None: no limit."""
        if self.maximum is None:
            return None
        return min(100, self.taken * 100 // self.maximum) if self.maximum else 100


def room_for(amounts: Mapping[Kind, int]) -> Q:
    """Allowances in which all of this is left."""
    room = Q()
    for kind, amount in amounts.items():
        taken = F(f"{kind}_used") + (F(f"{kind}_granted") if kind in HANDED_OUT else 0) + amount
        room &= Q(**{f"{kind}_max": kind.unlimited}) | Q(**{f"{kind}_max__gte": taken})
    return room


class Allowance(models.Model):
    """Of a reseller or domain administrator; one row, so that one lock and one statement serve all kinds.

    ``*_used`` counts what the account owns: whoever creates something pays for it. ``*_granted`` is the sum of what
    a reseller handed out to the domain administrators whom he owns. What a role has no use for stays 0.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, primary_key=True, related_name="allowance"
    )
    domains_max = models.BigIntegerField(default=0, db_default=0)
    domains_used = models.BigIntegerField(default=0, db_default=0)
    domain_aliases_max = models.BigIntegerField(default=0, db_default=0)
    domain_aliases_used = models.BigIntegerField(default=0, db_default=0)
    domain_admins_max = models.BigIntegerField(default=0, db_default=0)
    domain_admins_used = models.BigIntegerField(default=0, db_default=0)
    mailboxes_max = models.BigIntegerField(default=0, db_default=0)
    mailboxes_used = models.BigIntegerField(default=0, db_default=0)
    mailboxes_granted = models.BigIntegerField(default=0, db_default=0)
    mailbox_aliases_max = models.BigIntegerField(default=0, db_default=0)
    mailbox_aliases_used = models.BigIntegerField(default=0, db_default=0)
    mailbox_aliases_granted = models.BigIntegerField(default=0, db_default=0)
    # MB; 0 = no limit.
    quota_max = models.BigIntegerField(default=0, db_default=0)
    quota_used = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "limits_allowance"
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")
        constraints = (
            *(
                models.CheckConstraint(
                    condition=Q(
                        **{f"{kind}_max__gte": min(kind.unlimited, 0), f"{kind}_max__lte": MAX_LIMIT}
                    ),
                    name=f"limits_{kind}_max_in_range",
                )
                for kind in Kind
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{kind}_used__gte": 0}), name=f"limits_{kind}_used_not_negative"
                )
                for kind in Kind
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{kind}_granted__gte": 0}), name=f"limits_{kind}_granted_not_negative"
                )
                for kind in HANDED_OUT
            ),
        )

    def __str__(self) -> str:
        return str(self.user_id)

    def usage(self, kind: Kind) -> Usage:
        """How *kind* stands."""
        maximum: int = getattr(self, f"{kind}_max")
        return Usage(
            kind,
            None if maximum == kind.unlimited else maximum,
            getattr(self, f"{kind}_used"),
            getattr(self, f"{kind}_granted", 0),
        )
