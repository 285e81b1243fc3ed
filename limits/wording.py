"""Limits in words."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from core.models import User
from core.presentation import MIB, size_text
from core.roles import Role
from limits.kinds import Kind


def who_can_raise(account: int) -> str:
    """Who can raise the limits of an account: the reseller who owns it, and super administrators."""
    pair = User.objects.filter(pk=account).values_list("role", "owner__role", "owner__username").first()
    if pair is not None and pair[:2] == (Role.DOMAIN_ADMIN, Role.RESELLER):
        return _("Your reseller, %(name)s,") % {"name": pair[2]}
    return _("A super administrator")


def amount_text(kind: Kind, amount: int) -> str:
    """An amount as people read it."""
    return size_text(amount * MIB) if kind is Kind.QUOTA else number_format(amount, force_grouping=True)
