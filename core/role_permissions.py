"""Django's permissions of roles, for views of plugins; the panel itself asks its policies.

A role is a group of the same name. ``load_initial_data`` writes what is in it: the documented rights on the panel's own
things, and what plugins answer to ``extra_role_permissions``. Super administrators have every permission.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from core import plugins, signals
from core.hooks import guarded, module_of
from core.roles import Role

# App, model, codename: as plugins answer.
RolePermission = tuple[str, str, str]

_ALL: Final = ("add", "change", "delete")


def _rights(app: str, model: str, verbs: Iterable[str]) -> Iterator[RolePermission]:
    return ((app, model, f"{verb}_{model}") for verb in verbs)


_OF_DOMAIN_ADMINS: Final = (
    *_rights("core", "user", _ALL),
    *_rights("admin", "domain", ["view"]),
    *_rights("admin", "mailbox", (*_ALL, "view")),
    *_rights("admin", "alias", (*_ALL, "view")),
)
_OWN: Final[Mapping[Role, tuple[RolePermission, ...]]] = {
    Role.SIMPLE_USER: (),
    Role.DOMAIN_ADMIN: _OF_DOMAIN_ADMINS,
    Role.RESELLER: (
        *_OF_DOMAIN_ADMINS,
        *_rights("admin", "domain", _ALL),
        *_rights("admin", "domainalias", _ALL),
        *_rights("relaydomains", "relaydomain", _ALL),
        *_rights("relaydomains", "service", _ALL),
    ),
}


def write_groups() -> list[str]:
    """Make the groups say what the roles may; sentences about permissions that plugins named and nobody has."""
    unknown = []
    for role, own in _OWN.items():
        wanted = list(dict.fromkeys((*own, *_of_plugins(role))))
        found = _permissions(wanted)
        Group.objects.get_or_create(name=role.value)[0].permissions.set(found.values())
        unknown += [
            f"{role}: there is no permission {'.'.join(each)}." for each in wanted if each not in found
        ]
    return unknown


def _of_plugins(role: Role) -> Iterator[RolePermission]:
    for receiver, given in signals.extra_role_permissions.answered(role=role.value):
        yield from guarded(receiver, "answer", partial(list, _checked(receiver, given))) or ()


def _checked(receiver: object, given: Iterable[object]) -> Iterator[RolePermission]:
    for each in given:
        if isinstance(each, list | tuple) and len(each) == 3 and all(isinstance(part, str) for part in each):  # noqa: PLR2004  app, model, codename
            yield tuple(each)
        else:
            fault = TypeError(f"{each!r} is not (app, model, codename)")
            plugins.report(module_of(receiver), "extra_role_permissions", fault)


def _permissions(wanted: Iterable[RolePermission]) -> dict[RolePermission, Permission]:
    asked = Q(pk__in=())
    for app, model, codename in wanted:
        asked |= Q(content_type__app_label=app, content_type__model=model, codename=codename)
    rows = Permission.objects.filter(asked).select_related("content_type")
    return {(p.content_type.app_label, p.content_type.model, p.codename): p for p in rows}


def add_to_group(group: Group, wanted: Iterable[RolePermission]) -> None:
    """Let a group do more, until ``load_initial_data`` writes it again."""
    group.permissions.add(*_permissions(wanted).values())
