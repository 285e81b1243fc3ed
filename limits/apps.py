"""Wiring of the app."""

from django.apps import AppConfig


class LimitsConfig(AppConfig):
    """Allowances of resellers and domain administrators."""

    name = "limits"
    label = "limits"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Declare the tab "Limits"."""
        from django.utils.translation import gettext_lazy as _  # noqa: PLC0415  the apps must be loaded

        from limits.parameters_form import LimitsParametersForm  # noqa: PLC0415
        from parameters import tools  # noqa: PLC0415

        tools.registry.add("global", LimitsParametersForm, _("Limits"))
