"""Wiring of the app."""

from django.apps import AppConfig


class ParametersConfig(AppConfig):
    """Typed settings kept in the database."""

    name = "parameters"

    def ready(self) -> None:
        """Declare the tab "General" and hand its hashing policy to the core."""
        from django.utils.translation import gettext_lazy as _  # noqa: PLC0415  the apps must be loaded

        from core import hashing_policy  # noqa: PLC0415
        from parameters import general, tools  # noqa: PLC0415

        tools.registry.add("global", general.GeneralParametersForm, _("General"))
        hashing_policy.read_from(general.hashing_policy)
