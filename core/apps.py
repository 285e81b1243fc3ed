"""Wiring of the app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The app ``core``."""

    name = "core"
    label = "core"
    default_auto_field = "django.db.models.BigAutoField"
