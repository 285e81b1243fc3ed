"""Wiring of the app."""

import reversion
from django.apps import AppConfig


class ParametersConfig(AppConfig):
    """Typed settings kept in the database."""

    name = "parameters"

    def ready(self) -> None:
        """Declare the tab "General" and hand the core what it needs of it."""
        from django.utils.translation import gettext_lazy as _  # noqa: PLC0415  the apps must be loaded

        from core import hashing_policy, mailing, navigation, preferences  # noqa: PLC0415
        from parameters import general, models, policies, tools  # noqa: PLC0415

        tools.registry.add("global", general.GeneralParametersForm, _("General"))
        hashing_policy.read_from(general.hashing_policy)
        mailing.sender_from(general.sender_address)
        preferences.read_from(tools.OwnValues)
        for model in (models.SiteParameters, models.Preferences):
            reversion.register(model)
        navigation.add(
            navigation.Entry(
                navigation.SETTINGS,
                _("Parameters"),
                "parameters:site_parameters",
                "gear",
                policies.may_change_parameters,
            )
        )
        navigation.add_own_page(
            navigation.OwnPage(50, _("Preferences"), "parameters:user_preferences", "sliders")
        )
