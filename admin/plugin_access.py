"""Who may do what, under the names that plugins know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _

from admin.models import Account
from admin.roles_on_offer import roles_on_offer
from core.actor import Actor, Credential
from core.exceptions import PermDeniedException
from core.models import User
from core.role_permissions import RolePermission, add_to_group

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest, HttpResponseBase

P = ParamSpec("P")
View = Callable[Concatenate["HttpRequest", P], "HttpResponseBase"]


def needs_mailbox() -> Callable[[View[P]], View[P]]:
    """Close a view (403) to accounts without a mailbox."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = request.user
            if isinstance(user, User) and user.email:  # the address of the mailbox, blank without one
                return view(request, *args, **kwargs)
            raise PermDeniedException(_("This needs a mailbox, and your account has none."))

        return guarded

    return decorate


def may_access(user: User, instance: Model) -> bool:
    """Whether *user* sees a domain, domain alias, account, mailbox, alias or relay domain."""
    kind: Any = Account if isinstance(instance, User) else type(instance)
    seen = kind.objects.visible_to(Actor(user, Credential.SESSION))
    return bool(seen.filter(pk=instance.pk).exists())


def get_object_owner(instance: Any) -> User | None:
    """The account that owns an object."""
    owner: User | None = instance.owner
    return owner


def get_account_roles(user: User, account: User | None = None) -> list[tuple[str, str]]:
    """Roles that *user* may give (to *account*), with their labels."""
    return [
        (role.value, str(role.label)) for role in roles_on_offer(Actor(user, Credential.SESSION), account)
    ]


def add_permissions_to_group(group: Group | str, permissions: Sequence[RolePermission]) -> None:
    """Let a role (a group, or its name) do more, until ``load_initial_data`` writes the groups again.

    Answer ``extra_role_permissions`` for what is to last.
    """
    add_to_group(Group.objects.get(name=group) if isinstance(group, str) else group, permissions)
