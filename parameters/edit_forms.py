"""What declarations become on a screen: forms that tell what this person changed, and how they are laid out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.utils.translation import gettext_lazy

from core.editing import Edited, EditForm, sent
from core.form_rendering import PanelForm, Switch
from parameters.forms import ParametersForm, SeparatorField
from parameters.not_used_yet import is_used
from parameters.registry import default_of, is_secret
from parameters.wording import value_in_words

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from parameters.registry import Declaration

_CLEAR: Final = "clear"
_RESET: Final = "reset"


@dataclass(frozen=True, slots=True)
class Line:
    """One parameter: its control, and what stands below it."""

    field: BoundField
    name: str
    is_used: bool = True
    # In words, blank for secrets.
    default: str = ""
    differs: bool = False
    # The default as a browser sends it, for the script; as JSON.
    default_sent: str = ""
    # Of a secret: whether there is one; None for all others.
    is_set: bool | None = None

    @property
    def clear_name(self) -> str:
        """Name of the box that empties a secret."""
        return f"{self.field.html_name}-{_CLEAR}"


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters under one heading."""

    title: _StrOrPromise
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Tab:
    """The parameters of one app."""

    app: str
    title: _StrOrPromise
    form: forms.Form
    groups: tuple[Group, ...]
    unused: tuple[Group, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Something in it is wrong."""
        return bool(self.form.errors)

    @property
    def unused_count(self) -> int:
        """How many parameters nothing reads yet."""
        return sum(len(group.lines) for group in self.unused)

    @property
    def unused_is_open(self) -> bool:
        """A refusal must not hide in there."""
        return any(line.field.errors for group in self.unused for line in group.lines)


class ParametersEdit(EditForm, ParametersForm):
    """Values of one app. Secrets are blank; what is typed replaces them, a box of their own empties them."""

    declaration: Declaration

    def __init__(
        self, data: QueryDict | None, *, present: Mapping[str, Any], edited: Edited, prefix: str
    ) -> None:
        secrets = self.declaration.secrets
        watched = {name: value for name, value in present.items() if name not in secrets}
        super().__init__(data, initial=watched, edited=edited, prefix=prefix)
        self.present = present
        for field in self.fields.values():
            if type(field.widget) is forms.CheckboxInput:
                field.widget = Switch(field.widget.attrs)
        for name in secrets:
            self.fields[name].required = False

    @cached_property
    def shown_when(self) -> dict[str, str]:  # type: ignore[override]  # of this form, because the names have its prefix
        """The visibility rules in the words of the script."""
        rules = {}
        for name, rule in self.visibility_rules.items():
            other, _equals, wanted = rule.partition("=")
            if isinstance(self.fields[other].widget, forms.CheckboxInput):
                wanted = "on" if wanted == "True" else "off"
            rules[name] = f"{self.add_prefix(other)}={wanted}"
        return rules

    def full_clean(self) -> None:
        """What nobody sees keeps its value, and so does what is to have its default."""
        kept = self.hidden_names() | self._reset() if self.is_bound else ()
        for name in kept:
            self.fields[name].disabled = True
        super().full_clean()
        for name in kept:
            self.fields[name].disabled = False

    def values(self) -> dict[str, Any]:
        """What the operation takes: only what this person changed."""
        found = {name: default_of(self.fields[name]) for name in self._reset()}
        for name in self.declaration.fields.keys() - found - self.hidden_names():
            typed = self.cleaned_data.get(name)
            if name not in self.declaration.secrets:
                if self.changes(name):
                    found[name] = typed
            elif typed:
                found[name] = typed
            elif self._is_cleared(name):
                found[name] = default_of(self.fields[name])
        return found

    def _is_cleared(self, name: str) -> bool:
        return bool(self.data.get(f"{self.add_prefix(name)}-{_CLEAR}"))

    def _compare(self) -> None:
        """As for every form; secrets are not watched, but the log knows who changed them."""
        super()._compare()
        beginning = self._opened()
        mine = {
            name
            for name in self.declaration.secrets - self.hidden_names()
            if self.cleaned_data.get(name) or self._is_cleared(name)
        }
        if beginning is None or not mine:
            return
        theirs = {
            name: event.actor_name for event in self.edited.since(beginning.seen) for name in event.changed
        }
        for name in sorted(mine & theirs.keys()):
            words = gettext_lazy("Changed meanwhile by %(who)s. Enter yours again to replace it.")
            self.add_error(
                name, forms.ValidationError(words, code="changed_meanwhile", params={"who": theirs[name]})
            )
        if not mine.isdisjoint(theirs):
            self._renew(self.edited.seen, beginning.values)

    def _reset(self) -> frozenset[str]:
        """Parameters that are to have their defaults, as a button says where no script runs."""
        asked = self.data.get(_RESET)
        return frozenset(name for name in self.declaration.fields if self.add_prefix(name) == asked)

    def tab(self) -> Tab:
        """The form, laid out: headings from separators, what nothing reads yet at the end."""
        used: list[tuple[_StrOrPromise, list[Line]]] = [("", [])]
        unused: list[tuple[_StrOrPromise, list[Line]]] = [("", [])]
        for name, field in self.fields.items():
            if isinstance(field, SeparatorField):
                for groups in (used, unused):
                    groups.append((field.label or "", []))
            elif name in self.declaration.fields:
                line = self._line(name)
                (used if line.is_used else unused)[-1][1].append(line)
        return Tab(self.declaration.app, self.declaration.title, self, _groups(used), _groups(unused))

    def _line(self, name: str) -> Line:
        field, value = self.fields[name], self.present[name]
        default, secret = default_of(field), is_secret(field)
        return Line(
            self[name],
            name,
            is_used(self.declaration.app, name),
            "" if secret else value_in_words(field, default),
            not secret and value != default,
            "" if secret else json.dumps(sent(field, default)),
            bool(value) if secret else None,
        )


def edit_form_of(declaration: Declaration) -> type[ParametersEdit]:
    """The declared form as one that is edited on a screen."""
    form_class = declaration.form_class
    return type(form_class.__name__, (ParametersEdit, form_class), {"declaration": declaration})


def plain_tab(title: _StrOrPromise, form: PanelForm) -> Tab:
    """A form of our own among those of the apps."""
    lines = (Line(field, field.name) for field in form.visible_fields())
    return Tab("own", title, form, (Group("", tuple(lines)),))


def _groups(found: Sequence[tuple[_StrOrPromise, list[Line]]]) -> tuple[Group, ...]:
    return tuple(Group(title, tuple(lines)) for title, lines in found if lines)
