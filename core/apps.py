"""Wiring of the app."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Users, roles, sign-in, operations and the event log."""

    name = "core"

    def ready(self) -> None:
        """Register the system checks and the pages of one's own account."""
        from django.utils.translation import gettext_lazy as _  # noqa: PLC0415  the apps must be loaded

        from core import checks, connections, navigation, policies  # noqa: F401, PLC0415  importing the checks registers them
        from core.operations.passwords import has_password_here  # noqa: PLC0415

        connections.prepare_every_connection()

        for place, label, url_name, icon in (
            (20, _("Profile"), "core:user_profile", "person"),
            (60, _("API tokens"), "core:user_token_list", "fingerprint"),
        ):
            navigation.add_own_page(navigation.OwnPage(place, label, url_name, icon))
        navigation.add_own_page(
            navigation.OwnPage(30, _("Password"), "core:user_password", "key", has_password_here)
        )
        navigation.add(
            navigation.Entry(
                navigation.SETTINGS, _("API"), "core:settings_api", "key", policies.may_open_api_settings
            )
        )
