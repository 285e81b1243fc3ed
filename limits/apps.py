"""Wiring of the app."""

from django.apps import AppConfig


class LimitsConfig(AppConfig):
    """The app ``limits``."""

    name = "limits"
    label = "limits"
    default_auto_field = "django.db.models.BigAutoField"
