"""Accounts that nobody uses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from admin.models import Account
from core.roles import Role
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from core.actor import Actor


def inactive_accounts(actor: Actor) -> list[Account]:
    """Enabled accounts whose last sign-in is too long ago, by name.

    Never super administrators, and never those who have not signed in yet: nobody knows whether they will.
    """
    days = int(get_global_parameter("inactive_account_threshold", "core"))
    accounts = Account.objects.visible_to(actor).active().exclude(role=Role.SUPER_ADMIN)
    return list(accounts.filter(last_login__lt=timezone.now() - timedelta(days=days)).defer("password"))
