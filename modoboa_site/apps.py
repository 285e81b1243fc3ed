"""The last app: when it is ready, all others are, and plugins can be loaded."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Wiring of the panel with its plugins."""

    name = "modoboa_site"

    def ready(self) -> None:
        """Load every plugin that works."""
        from core.extensions import exts_pool  # noqa: PLC0415  the apps must be loaded

        exts_pool.load_all()
