"""Limits in words."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from core.models import User
from core.presentation import MIB, size_text
from core.roles import Role
from limits.kinds import Kind
from limits.models import Usage


def who_can_raise(account: int) -> str:
    """Who can raise the limits of an account: the reseller who owns it, and super administrators."""
    pair = User.objects.filter(pk=account).values_list("role", "owner__role", "owner__username").first()
    if pair is not None and pair[:2] == (Role.DOMAIN_ADMIN, Role.RESELLER):
        return _("Your reseller, %(name)s,") % {"name": pair[2]}
    return _("A super administrator")


def amount_text(kind: Kind, amount: int) -> str:
    """An amount as people read it."""
    return size_text(amount * MIB) if kind is Kind.QUOTA else number_format(amount, force_grouping=True)


def taken_words(usage: Usage, asked: int, above: str) -> str:
    """That a limit is reached, how much of what is *asked* for would fit, and who can raise it."""
    words = _("%(kind)s: %(taken)s of %(maximum)s are taken. %(above)s can raise this limit.")
    if asked > 1:
        words = _(
            "%(kind)s: %(taken)s of %(maximum)s are taken; %(asked)s more are asked for, %(left)s would fit. "
            "%(above)s can raise this limit."
        )
    return words % (_figures(usage, asked) | {"above": above})


def full_words(usage: Usage, name: str, asked: int) -> str:
    """As :func:`taken_words`, of the domain *name*."""
    words = _(
        "%(kind)s in “%(name)s”: %(taken)s of %(maximum)s are taken. "
        "Whoever manages the domain can raise this limit."
    )
    if asked > 1:
        words = _(
            "%(kind)s in “%(name)s”: %(taken)s of %(maximum)s are taken; %(asked)s more are asked for, "
            "%(left)s would fit. Whoever manages the domain can raise this limit."
        )
    return words % (_figures(usage, asked) | {"name": name})


def _figures(usage: Usage, asked: int) -> dict[str, object]:
    return {
        "kind": usage.kind.label,
        "taken": amount_text(usage.kind, usage.taken),
        "maximum": amount_text(usage.kind, usage.maximum or 0),
        "asked": amount_text(usage.kind, asked),
        "left": amount_text(usage.kind, usage.left or 0),
    }
