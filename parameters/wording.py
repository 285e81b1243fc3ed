"""Values of parameters as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from core.editing import in_words, sent
from core.form_rendering import UnitInput
from parameters.registry import is_secret

if TYPE_CHECKING:
    from django.forms import Field


def value_in_words(field: Field, value: Any) -> str:
    """A value with its unit; of a secret only whether there is one."""
    if is_secret(field):
        return _("set") if value else _("not set")
    text = in_words(field, sent(field, value))
    if text and isinstance(field.widget, UnitInput):
        return f"{text} {field.widget.unit}"
    return text or _("blank")
