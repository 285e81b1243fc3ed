"""Wiring of the app."""

from django.apps import AppConfig


class RelaydomainsConfig(AppConfig):
    """The app ``relaydomains``."""

    name = "relaydomains"
    label = "relaydomains"
    default_auto_field = "django.db.models.BigAutoField"
