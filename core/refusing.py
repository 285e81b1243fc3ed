"""The one translation of a refusal into errors of a form."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from core.refusals import Refusal


def refuse(form: forms.Form, refusal: Refusal, *, beside: Mapping[str, str] | None = None) -> None:
    """Put every reason beside its field; what concerns the whole, or a field that nobody sees, stands above the form.

    *beside* names another field for those that the person did not fill in himself. A form is a batch of one, so
    positions say nothing here. The same sentence is said once per field.
    """
    shown = {field.name for field in form.visible_fields()}
    said: set[tuple[str, str]] = set()
    for reason in refusal.reasons:
        field = (beside or {}).get(reason.field, reason.field)
        place = field if field in shown else NON_FIELD_ERRORS
        if (place, str(reason.message)) not in said:
            said.add((place, str(reason.message)))
            form.add_error(
                None if place == NON_FIELD_ERRORS else place,
                ValidationError(reason.message, code=reason.code),
            )
