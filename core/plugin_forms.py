"""Forms of plugins: tabs beside the panel's own fields, steps of its wizards, and two kinds of fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import plugins
from core.form_rendering import SegmentedSelect, Tab
from core.hooks import guarded, objection
from core.refusals import WHOLE_OBJECT, Refusal

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.functional import _StrOrPromise


class WizardStep:
    """A step of the wizard "New domain". ``save(user=…, domain=…)`` of its form is called with the new domain."""

    def __init__(
        self,
        uid: str,
        cls: type[forms.BaseForm],
        title: _StrOrPromise,
        formtpl: str | None = None,
        new_args: Sequence[Any] | None = None,
    ) -> None:
        self.uid, self.cls, self.title = uid, cls, title
        self.formtpl, self.new_args = formtpl, new_args

    def description(self) -> dict[str, Any]:
        """As a tab is described."""
        return {
            "id": self.uid,
            "title": self.title,
            "cls": self.cls,
            "formtpl": self.formtpl,
            "new_args": self.new_args,
        }


def tabs(
    request: HttpRequest, described: Iterable[Mapping[str, Any]], instances: Mapping[str, Any]
) -> list[Tab]:
    """Forms as plugins describe them: ``id``, ``title``, ``cls``, and maybe ``formtpl``, ``new_args``, ``mandatory``.

    The names of their fields begin with the ``id``. Mandatory ones come first. What cannot be made is left out.
    """
    made = []
    for each in sorted(described, key=lambda each: not each.get("mandatory")):
        tab = guarded(each.get("cls"), "form", partial(_tab, request, each, instances))
        if tab is not None:
            made.append(tab)
    return made


def _tab(request: HttpRequest, described: Mapping[str, Any], instances: Mapping[str, Any]) -> Tab:
    key = str(described["id"])
    known = {"instance": instances[key]} if key in instances else {}
    make = partial(described["cls"], *(described.get("new_args") or ()))
    tab = Tab(key, str(described["title"]), make(prefix=key, **known), described.get("formtpl") or "")
    tab.try_to_render(request)
    if request.method != "POST":
        return tab
    return replace(tab, form=make(request.POST, request.FILES, prefix=key, **known))


def save(made: Iterable[Tab], *values: Any, **named: Any) -> None:
    """Save forms that are valid, inside the transaction of what they belong to; a failure refuses the whole."""
    for tab in made:
        try:
            tab.form.save(*values, **named)  # type: ignore[attr-defined]  # documented: forms of tabs have it
        except Exception as error:
            words = objection(error)
            if words is None:
                plugins.report(type(tab.form).__module__, "save", error)
                words = _("The plugin failed, so nothing was changed.")
            raise Refusal.single(WHOLE_OBJECT, "plugin_refused", f"{tab.label}: {words}") from error


# --- fields ----------------------------------------------------------------------------------------------------


class YesNoField(forms.TypedChoiceField):
    """Yes or no, as two words side by side; cleans to a boolean."""

    widget = SegmentedSelect

    def __init__(self, **kwargs: Any) -> None:
        choices = ((True, gettext_lazy("Yes")), (False, gettext_lazy("No")))
        super().__init__(**{"choices": choices, "coerce": lambda value: value == "True", **kwargs})


class SeparatorWidget(forms.Widget):
    """A line between fields."""

    template_name = "components/widgets/separator.html"


class SeparatorField(forms.Field):
    """A heading between fields; it has no value."""

    widget = SeparatorWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "required": False})
