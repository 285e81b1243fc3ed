"""Signals that optional apps may answer (docs/plugins.md)."""

from typing import Final

from django.dispatch import Signal

# Receivers get `objtype`, the type of a line of an import; `admin.imports.plugins` says what they return.
import_object: Final = Signal()
