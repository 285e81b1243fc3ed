"""What plugins add to every page: scripts and styles, notices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.utils.safestring import SafeString

from core import signals
from core.extensions import exts_pool
from core.hooks import trusted
from core.parts import notices

if TYPE_CHECKING:
    from django.http import HttpRequest

    from core.actor import Actor
    from core.models import User

_CALLERS: Final = (
    ("/admin/domains/", "domains"),
    ("/admin/identities/", "identities"),
    ("/admin/accounts/", "identities"),
    ("/admin/aliases/", "identities"),
    ("/user/", "user_index"),
)


def context(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``plugin_static``, ``notices``, and after how many seconds an open page asks for these again.

    Asked only where a template shows them.
    """
    actor: Actor | None = getattr(request, "actor", None)
    if actor is None:
        return {}
    return {
        "plugin_static": partial(_static, request, actor.user),
        "notices": partial(notices, signals.get_top_notifications, include_all=True),
        "notices_every": partial(_interval_s, request),
    }


def _interval_s(request: HttpRequest) -> int:
    """0 where no plugin has notices."""
    if not signals.get_top_notifications.has_listeners():
        return 0
    values = request.localconfig.parameters  # type: ignore[attr-defined]  # set by the app ``parameters``
    return int(values.get_value("top_notifications_check_interval", app="core"))


def _static(request: HttpRequest, user: User) -> SafeString:
    """Links to styles, then to scripts."""
    if not signals.extra_static_content.has_listeners():
        return trusted("")
    callers = ["top", *_caller(request)]
    return trusted(
        "".join(
            signals.extra_static_content.html(caller=caller, st_type=kind, user=user)
            for kind in ("css", "js")
            for caller in callers
        )
    )


def _caller(request: HttpRequest) -> list[str]:
    """The part of the panel that a page belongs to."""
    namespace = request.resolver_match.app_name if request.resolver_match else ""
    if exts_pool.get_extension(namespace) is not None:
        return ["plugins"]
    return [caller for prefix, caller in _CALLERS if request.path.startswith(prefix)]
