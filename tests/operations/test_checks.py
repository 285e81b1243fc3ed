"""System checks say what would make an installation unsafe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pytest_django import Settings

from core.checks import DEVELOPMENT_PASSWORD, refuse_development_password
from core.models import User
from core.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _directory_for_media(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def said(**options: Any) -> set[str | None]:
    """Codes of our own messages."""
    messages = run_checks(**options)
    return {m.id for m in messages if m.id and m.id.startswith(("core.", "admin."))}


def test_a_sound_installation_hears_nothing() -> None:
    assert said(include_deployment_checks=True, databases=["default"]) == set()


def test_djangos_own_admin_cannot_be_installed_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its label is taken, so Django itself refuses earlier; the check speaks when it comes under another label.
    monkeypatch.setattr("core.checks.apps.is_installed", lambda name: name == "django.contrib.admin")
    assert "core.E001" in said()


def test_the_development_password_keeps_a_production_server_from_starting() -> None:
    admin = User(username="admin", role=Role.SUPER_ADMIN)
    admin.set_password(DEVELOPMENT_PASSWORD)
    admin.save()
    assert "core.E002" in said(include_deployment_checks=True)
    with pytest.raises(ImproperlyConfigured, match="change it first"):
        refuse_development_password()
    admin.set_password("Another-Password-7")
    admin.save()
    assert said(include_deployment_checks=True) == set()
    refuse_development_password()


TRIGGERS = {
    "sqlite": ["CREATE TRIGGER mergequota BEFORE INSERT ON admin_quota BEGIN SELECT 1; END"],
    "mysql": [
        "CREATE TRIGGER mergequota BEFORE INSERT ON admin_quota FOR EACH ROW SET NEW.bytes = NEW.bytes"
    ],
    "postgresql": [
        "CREATE FUNCTION merge_quota() RETURNS trigger AS 'BEGIN RETURN NEW; END' LANGUAGE plpgsql",
        "CREATE TRIGGER mergequota BEFORE INSERT ON admin_quota FOR EACH ROW EXECUTE FUNCTION merge_quota()",
    ],
}


@pytest.mark.django_db(transaction=True)
def test_the_merge_trigger_of_old_guides_is_named() -> None:
    with connection.cursor() as cursor:
        for statement in TRIGGERS[connection.vendor]:
            cursor.execute(statement)
        try:
            assert said(databases=["default"]) == {"admin.W001"}
        finally:
            cursor.execute(
                f"DROP TRIGGER mergequota {'ON admin_quota' if connection.vendor == 'postgresql' else ''}"
            )
    assert said(databases=["default"]) == set()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, "core.W001"),
        ({"SITE_ORIGIN": "http://panel.example"}, "core.W002"),
        ({"EMAIL_HOST": "mail.example", "EMAIL_HOST_PASSWORD": "secret"}, "core.W003"),
    ],
)
def test_mail_about_passwords_does_not_travel_unsafely_or_nowhere(
    settings: Any, values: dict[str, str], code: str
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert said(include_deployment_checks=True) == {code}
    if code == "core.W003":
        settings.EMAIL_USE_TLS = True
        assert said(include_deployment_checks=True) == set()
