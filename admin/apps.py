"""Wiring of the app."""

from django.apps import AppConfig


class AdminConfig(AppConfig):
    """Domains, accounts, mailboxes, aliases, and what mail servers read of them."""

    name = "admin"

    def ready(self) -> None:
        """Register history, navigation, parameters, lookups and system checks."""
        from admin import wiring  # noqa: PLC0415  the apps must be loaded

        wiring.wire()
