"""Two people at one object: a form that remembers the values it began with, and so tells what somebody else changed.

The values travel in a signed hidden field. When the form comes back, three values of each field are compared: the one
that it began with, the one that is sent, and the one that is stored now. Only what this person changed is written;
what somebody else changed stays; what both changed is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, TypeAlias, cast

from django import forms
from django.core import signing
from django.db.models import Max
from django.http import QueryDict
from django.utils.translation import gettext, gettext_lazy

from core.form_rendering import PanelForm
from core.models import Log
from core.presentation import unicode_domain

_HIDDEN: Final = "began_with"
# Entries of a list that a refusal names.
_SHOWN: Final = 8

# A value as a browser sends it, in words of JSON.
Sent: TypeAlias = str | bool | list[str]


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Something that happened to the object: who did it, and which fields it changed."""

    actor_name: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """The object of a form. *seen*: the last event about it, read before its values; *since* tells what came after."""

    kind: str
    pk: int
    seen: int
    since: Callable[[int], Sequence[Meanwhile]]


def edited(kind: str, pk: int) -> Edited:
    """What a form about an object needs to tell changes meanwhile. Ask before you read the values of the object."""
    return Edited(kind, pk, newest_event(kind, pk), partial(_since, kind, pk))


def newest_event(kind: str, pk: int) -> int:
    """Number of the last event about an object; 0 when there is none."""
    newest: int | None = Log.objects.filter(kind=kind, object_id=pk).aggregate(pk=Max("pk"))["pk"]
    return newest or 0


def _since(kind: str, pk: int, seen: int) -> list[Meanwhile]:
    """Events about an object after the one with the number *seen*, oldest first."""
    rows = Log.objects.filter(kind=kind, object_id=pk, pk__gt=seen).order_by("pk")
    return [Meanwhile(row.actor_name, tuple(row.changed)) for row in rows]


@dataclass(frozen=True, slots=True)
class _Beginning:
    seen: int
    values: dict[str, Sent]


class EditForm(PanelForm):
    """A form about an object that others may change, too. It watches the fields that ``initial`` names.

    ``together`` maps a field to another one of which it is a part (a quota to the choice whether there is one);
    ``logged_as`` maps a field to its name in the event log, where it has another one there.
    """

    together: ClassVar[Mapping[str, str]] = {}
    logged_as: ClassVar[Mapping[str, str]] = {}

    # No validation: what is not ours counts as missing.
    began_with = forms.Field(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, edited: Edited, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.edited = edited
        self.fields[_HIDDEN].initial = lambda: self._sealed(edited.seen, self._present())
        # What this person changed, and what others did (sentences); known once the form is clean.
        self.touched: frozenset[str] = frozenset()
        self.kept: list[str] = []

    def full_clean(self) -> None:
        """Then look at what happened since the form began."""
        super().full_clean()
        if self.is_bound:
            self._compare()

    def changes(self, *names: str) -> bool:
        """Whether this person changed one of the fields."""
        self.is_valid()  # it is known only then
        return not self.touched.isdisjoint(names)

    def _compare(self) -> None:
        present = self._present()
        beginning = self._opened()
        began = present if beginning is None else present | _known(beginning.values, present)
        mine = {name for name in present if self._differs(name, began[name], self[name].data)}
        theirs = {name for name in present if self._differs(name, began[name], present[name])}
        again = {name for name in mine if self._differs(name, present[name], self[name].data)}
        self.touched = frozenset(again)
        if beginning is None:
            self._renew(self.edited.seen, present)
        if not theirs:
            return
        since = self.edited.since(beginning.seen) if beginning else ()
        refused = []
        kept: dict[str, list[str]] = {}
        for name, unit in self._units(present).items():
            if theirs.isdisjoint(unit):
                continue
            who = _who(since, {self.logged_as.get(each, each) for each in unit})
            mine_too = [each for each in unit if each in again]
            if mine_too:
                refused += unit
                news = {each: in_words(self.fields[each], present[each]) for each in unit if each in theirs}
                told = next((each for each in reversed(news) if news[each]), next(iter(news)))
                self._refuse(told if told in mine_too else mine_too[0], who, news[told])
            elif mine.isdisjoint(unit):
                kept.setdefault(who, []).append(str(self.fields[name].label))
        self.kept = [_kept_words(who, labels) for who, labels in kept.items()]
        if refused and beginning is not None:
            # Saved again, the same values replace what is there now.
            self._renew(beginning.seen, began | {name: present[name] for name in refused})

    def _present(self) -> dict[str, Sent]:
        """The watched fields as a browser would send what is stored now."""
        return {
            name: sent(field, self.initial[name])
            for name, field in self.fields.items()
            if name in self.initial and name != _HIDDEN and not field.disabled
        }

    def _units(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Fields that are one thing to a person, by the first of them."""
        units: dict[str, list[str]] = {}
        for name in names:
            units.setdefault(self.together.get(name, name), []).append(name)
        return units

    def _differs(self, name: str, one: Sent, other: object) -> bool:
        """Compare as the field does; what is missing in a request was not changed."""
        if other is None or (isinstance(other, list) and other and all(part is None for part in other)):
            return False
        field = self.fields[name]
        try:
            first: Any = one if isinstance(field, forms.MultiValueField) else field.to_python(one)
        except forms.ValidationError:
            return True
        return field.has_changed(first, other)

    def _refuse(self, name: str, who: str, value: str) -> None:
        shown = {"who": who, "value": value}
        if not value:
            message = gettext_lazy("Emptied meanwhile by %(who)s. Save again to replace it.")
        else:
            message = gettext_lazy("Changed meanwhile by %(who)s to “%(value)s”. Save again to replace it.")
        self.add_error(name, forms.ValidationError(message, code="changed_meanwhile", params=shown))

    def _salt(self) -> str:
        return f"core.editing.{self.edited.kind}.{self.edited.pk}"

    def _sealed(self, seen: int, values: Mapping[str, Sent]) -> str:
        return signing.dumps({"seen": seen, "values": values}, salt=self._salt(), compress=True)

    def _opened(self) -> _Beginning | None:
        """What the form began with; None when that is missing or not ours."""
        try:
            return _Beginning(**signing.loads(str(self[_HIDDEN].data or ""), salt=self._salt()))
        except signing.BadSignature:
            return None

    def _renew(self, seen: int, values: Mapping[str, Sent]) -> None:
        """Show the form again as one that begins with *values*."""
        data = cast("QueryDict", self.data).copy()
        data[self.add_prefix(_HIDDEN)] = self._sealed(seen, values)
        self.data = data


def _known(values: Mapping[str, Sent], present: Mapping[str, Sent]) -> dict[str, Sent]:
    """Without fields that the form had before its program changed."""
    return {name: value for name, value in values.items() if name in present}


def sent(field: forms.Field, value: Any) -> Sent:
    """A value as a browser would send it."""
    prepared, widget = field.prepare_value(value), field.widget
    if isinstance(widget, forms.MultiWidget):
        return [str(part or "") for part in widget.decompress(prepared) or ()]
    if isinstance(widget, forms.CheckboxInput):
        return bool(value)
    if isinstance(prepared, list | tuple):
        return [str(each) for each in prepared]
    if isinstance(widget, forms.DateTimeInput):
        return str(widget.format_value(prepared) or "")
    return "" if prepared is None else str(prepared)


def in_words(field: forms.Field, value: Sent) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    if isinstance(field.widget, forms.MultiWidget):
        value = "@".join(value) if any(value) else ""
    words = {str(key): str(label) for key, label in getattr(field.widget, "choices", ())}
    texts = [text for text in (value.splitlines() if isinstance(value, str) else value) if text]
    shown = [words.get(text) or unicode_domain(text) for text in texts[:_SHOWN]]
    return ", ".join(shown) + (", …" if len(texts) > _SHOWN else "")


def _who(since: Sequence[Meanwhile], names: set[str]) -> str:
    """Who changed one of *names* last; in aliases or in a domain it may not be noted at the object itself."""
    found = [event.actor_name for event in since if not names.isdisjoint(event.changed)]
    return found[-1] if found else gettext("somebody else")


def _kept_words(who: str, labels: Sequence[str]) -> str:
    words = gettext("Changed meanwhile by %(who)s, and kept: %(fields)s.")
    return words % {"who": who, "fields": ", ".join(labels)}
