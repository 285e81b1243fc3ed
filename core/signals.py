"""Signals that optional apps may answer (docs/plugins.md)."""

from typing import Final

from django.dispatch import Signal

# Receivers return a list of map files for Postfix; `admin.lookups.postfix_maps` says what one is.
register_postfix_maps: Final = Signal()
