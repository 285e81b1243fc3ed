"""What the plugin adds to the settings of the panel."""


def apply(settings):
    """Called with the names of the settings module."""
    settings["EXAMPLE_GREETING"] = "Hello from a plugin"
