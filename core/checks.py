"""System checks: what would make an installation unsafe, said before it starts."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's name
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.urls import get_resolver

from core import plugins
from core.models import User

# The documented pair of a development instance.
DEVELOPMENT_ADMIN = "admin"
DEVELOPMENT_PASSWORD = "password"  # noqa: S105  meant to be known, on loopback and in debug mode only


@register()
def app_label_is_ours(**_options: Any) -> Sequence[CheckMessage]:
    """The documented SQL reads tables named ``admin_…``: Django's own admin cannot be installed beside ours."""
    if not apps.is_installed("django.contrib.admin"):
        return []
    return [
        Error(
            "django.contrib.admin is installed, but the label “admin” belongs to the panel.",
            hint="Remove django.contrib.admin from INSTALLED_APPS.",
            id="core.E001",
        )
    ]


@register(deploy=True)
def development_password_is_gone(**_options: Any) -> Sequence[CheckMessage]:
    """Outside debug mode nobody signs in with the published pair."""
    if not development_password_works():
        return []
    return [
        Error(
            "The account “admin” still has the password of a development instance.",
            hint="Change it before the panel is reachable.",
            id="core.E002",
        )
    ]


@register()
def mail_leaves_the_panel(**_options: Any) -> Sequence[CheckMessage]:
    """Outside debug mode, links for a new password have to reach people."""
    if settings.DEBUG or not settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        return []
    return [
        Warning(
            "No mail server is named: the panel cannot send links for a new password.",
            hint="Set MODOBOA_MAIL_HOST.",
            id="core.W001",
        )
    ]


@register(deploy=True)
def links_are_safe(**_options: Any) -> Sequence[CheckMessage]:
    """A link for a new password must not travel in the clear."""
    if settings.SITE_ORIGIN.startswith("https://"):
        return []
    return [
        Warning(
            "Links in mail do not begin with https://.",
            hint="Set MODOBOA_SITE_ORIGIN to https:// and the name of the site.",
            id="core.W002",
        )
    ]


@register(deploy=True)
def mail_password_is_safe(**_options: Any) -> Sequence[CheckMessage]:
    """The panel's own mail password must not travel in the clear to another machine."""
    is_far = settings.EMAIL_HOST not in {"", "localhost", "127.0.0.1", "::1"}
    if not (settings.EMAIL_HOST_PASSWORD and is_far) or settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL:
        return []
    return [
        Warning(
            "The panel sends its mail password to another machine without TLS.",
            hint="Set MODOBOA_MAIL_TLS to starttls or tls.",
            id="core.W003",
        )
    ]


@register(deploy=True)
def media_directory_is_right(**_options: Any) -> Sequence[CheckMessage]:
    """The panel and its plugins keep files there, and nobody else writes them."""
    place = Path(settings.MEDIA_ROOT)
    hint = "Make it with install -d -m 0750, owned by the user who runs the panel, or set MODOBOA_MEDIA_ROOT."
    if not place.is_dir():
        return [Warning(f"There is no directory {place} for files (MEDIA_ROOT).", hint=hint, id="core.W006")]
    if not os.access(place, os.W_OK | os.X_OK):
        return [Warning(f"This user may not write to {place} (MEDIA_ROOT).", hint=hint, id="core.W007")]
    if place.stat().st_mode & stat.S_IWOTH:
        return [Warning(f"Everybody may write to {place} (MEDIA_ROOT).", hint=hint, id="core.W008")]
    return []


@register()
def logo_is_a_file_of_media(**_options: Any) -> Sequence[CheckMessage]:
    """A custom logo lies below MEDIA_URL and is there."""
    found: list[CheckMessage] = []
    for name in ("MODOBOA_CUSTOM_LOGO", "MODOBOA_CUSTOM_LOGO_DARK"):
        url: str = getattr(settings, name)
        if url and not (
            url.startswith(settings.MEDIA_URL)
            and Path(settings.MEDIA_ROOT, url.removeprefix(settings.MEDIA_URL)).is_file()
        ):
            found.append(
                Warning(
                    f"{name} is {url}, which is no file of {settings.MEDIA_ROOT}.",
                    hint=f"Copy the picture there, and write the setting as {settings.MEDIA_URL}custom_logo.png.",
                    id="core.W009",
                )
            )
    return found


@register()
def plugins_work(**_options: Any) -> Sequence[CheckMessage]:
    """A broken plugin is left out; somebody should know."""
    get_resolver().url_patterns  # noqa: B018  its addresses are looked at when they are first asked for
    return [
        *(
            Warning(
                f"The plugin {plugin.name} is disabled. {plugin.fault}",
                hint="Mend or update it, or take it out of MODOBOA_APPS.",
                id="core.W004",
            )
            for plugin in plugins.plugins()
            if plugin.fault
        ),
        *(
            Warning(f"The plugin {plugin.name} does nothing. {plugin.remark}", id="core.W005")
            for plugin in plugins.plugins()
            if plugin.remark
        ),
    ]


def development_password_works() -> bool:
    """True when the published pair signs in; False as well when the database cannot be asked yet."""
    try:
        admin = User.objects.active().filter(username=DEVELOPMENT_ADMIN).first()
    except DatabaseError:
        return False
    return admin is not None and admin.check_password(DEVELOPMENT_PASSWORD)


def refuse_development_password() -> None:
    """Raise :class:`ImproperlyConfigured` when a production server would start with the published pair."""
    if not settings.DEBUG and development_password_works():
        msg = "The account “admin” still has the password of a development instance: change it first."
        raise ImproperlyConfigured(msg)
