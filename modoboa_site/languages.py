"""Languages that the panel speaks. Read without settings as well, when an instance is made."""

from django.utils.translation import gettext_lazy as _

LANGUAGES = [
    ("cs", _("Czech")),
    ("de", _("German")),
    ("en", _("English")),
    ("es", _("Spanish")),
    ("fr", _("French")),
    ("it", _("Italian")),
    ("ja", _("Japanese")),
    ("nl", _("Dutch")),
    ("pt", _("Portuguese")),
    ("pt-br", _("Brazilian Portuguese")),
    ("ru", _("Russian")),
    ("sv", _("Swedish")),
]
