"""Fields for limits, which the forms about accounts and about domains share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from admin.forms.controls import QuotaField
from core.form_rendering import Section
from core.roles import Role
from limits.kinds import LIMITED, OF_DOMAINS, Kind

if TYPE_CHECKING:
    from admin.queries.resources import Allotment

FIELDS: Final[Mapping[Kind, str]] = {kind: kind.limit_name for kind in Kind}
# On a phone everything stands in one line each; else two do.
HALVES: Final = frozenset(FIELDS.values())
OF_ACCOUNT: Final = Section("resources", _("Resources"), tuple(FIELDS.values()))
OF_NEW_ACCOUNT: Final = replace(
    OF_ACCOUNT,
    text=_(
        "How much a new reseller or domain administrator may create. Other roles have no limits of their own."
    ),
)
OF_DOMAIN: Final = Section("resources", _("Resources"), tuple(FIELDS[kind] for kind in OF_DOMAINS))
# Without JavaScript everything is shown; what the role rules out does not count.
SHOWN_WHEN: Final[Mapping[str, str]] = {
    FIELDS[kind]: "role=" + " ".join(role.value for role in Role if kind in LIMITED.get(role, ()))
    for kind in Kind
}


def add_limits(form: forms.Form, allotments: Iterable[Allotment]) -> None:
    """Give a form the fields for these limits, with their values."""
    for allotment in allotments:
        name = FIELDS[allotment.kind]
        form.fields[name] = _limit_field(allotment)
        form.initial = {**form.initial, name: allotment.value}


def _limit_field(allotment: Allotment) -> forms.Field:
    values: dict[str, Any] = {
        "label": allotment.kind.label,
        "required": False,  # who does not send it leaves it as it is
    }
    if allotment.kind is Kind.QUOTA:
        field: forms.Field = QuotaField(**values, help_text=_("For example 20 GB; 0: no limit."))
    else:
        field = forms.IntegerField(**values, help_text=_("-1: no limit."))
        field.widget.attrs |= {"min": -1, "autocomplete": "off"}
    if allotment.pool:
        field.help_text = allotment.pool
    field.widget.is_required = True
    field.note = allotment.note  # type: ignore[attr-defined]  # read by components/field.html
    return field


def refuse_blanks(form: forms.Form, ruled_out: Collection[str] = ()) -> None:
    """An emptied field is no limit that anybody meant; one that is not in the request was not asked."""
    for kind, name in FIELDS.items():
        if name in form.fields and name not in ruled_out and form[name].data == "":
            message = _("Enter a number; %(unlimited)d means no limit.")
            shown = {"unlimited": kind.unlimited}
            form.add_error(name, forms.ValidationError(message, code="required", params=shown))


def given_limits(form: forms.Form, names: Iterable[str]) -> dict[Kind, int]:
    """Limits that were entered, of the fields in *names*."""
    wanted = set(names)
    given = {kind: form.cleaned_data.get(name) for kind, name in FIELDS.items() if name in wanted}
    return {kind: limit for kind, limit in given.items() if limit is not None}
