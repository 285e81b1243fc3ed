"""Wiring of the app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Users, roles, sign-in, operations and the event log."""

    name = "core"

    def ready(self) -> None:
        """Register the system checks."""
        from core import checks  # noqa: F401, PLC0415  the apps must be loaded; importing registers
