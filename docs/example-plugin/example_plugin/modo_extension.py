"""What the panel is told about this plugin."""

from django.utils.translation import gettext_lazy as _

from modoboa.core.extensions import ModoExtension, exts_pool
from modoboa.parameters import tools as param_tools

from . import forms


class ExamplePlugin(ModoExtension):
    """Notes beside domains and accounts."""

    name = "example_plugin"
    label = _("Example")
    version = "0.1"
    description = _("Notes beside domains and accounts; shows every hook once.")
    url = "example"
    topredirection_url = "/example/"
    needs_media = True

    def load(self):
        """Declare parameters and connect the receivers."""
        param_tools.registry.add("global", forms.ExampleParameters, _("Example"))
        param_tools.registry.add("user", forms.ExamplePreferences, _("Example"))
        from . import handlers  # noqa: F401  its receivers connect themselves

    def load_initial_data(self):
        """One colour to begin with; this runs again and again."""
        from .models import Colour

        Colour.objects.get_or_create(name="green")


exts_pool.register_extension(ExamplePlugin)
