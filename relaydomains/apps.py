"""Wiring of the app."""

from django.apps import AppConfig


class RelaydomainsConfig(AppConfig):
    """Domains whose mail is handed to another host."""

    name = "relaydomains"
    label = "relaydomains"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register history, parameters, maps, and what is published of relay domains."""
        from relaydomains import wiring  # noqa: PLC0415  the apps must be loaded

        wiring.wire()
