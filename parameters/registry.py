"""What apps declare: forms by level and app, and what a declaration says of a single parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from django import forms

from core import plugins
from core.exceptions import NotFound
from parameters.forms import AdminParametersForm, ParametersForm, SeparatorField, UserParametersForm

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

Level: TypeAlias = Literal["global", "user"]
_BASES: Mapping[str, type[ParametersForm]] = {"global": AdminParametersForm, "user": UserParametersForm}


class NotDefined(NotFound, LookupError):  # noqa: N818  documented name
    """No form declares this parameter. Where a view of a plugin does not catch it, the answer is 404."""

    def __init__(self, app: str, name: str) -> None:
        super().__init__(f"Parameter {name!r} of {app!r} is not defined.")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A registered form and the title of its tab."""

    form_class: type[ParametersForm]
    title: _StrOrPromise

    @property
    def app(self) -> str:
        """App whose parameters these are."""
        return self.form_class.app

    @property
    def fields(self) -> dict[str, forms.Field]:
        """Parameters by name; headings are none."""
        declared = self.form_class.base_fields.items()
        return {name: field for name, field in declared if not isinstance(field, SeparatorField)}

    @property
    def secrets(self) -> frozenset[str]:
        """Parameters that are written and never shown."""
        return frozenset(name for name, field in self.fields.items() if is_secret(field))


class Registry:
    """Forms by level and app."""

    def __init__(self) -> None:
        self._declarations: dict[tuple[Level, str], Declaration] = {}

    def add(self, level: Level, form_class: type[ParametersForm], title: _StrOrPromise) -> None:
        """Declare the parameters of ``form_class.app`` at *level*."""
        if not issubclass(form_class, _BASES[level]):
            msg = f"{form_class.__name__} must extend {_BASES[level].__name__}."
            raise TypeError(msg)
        _check_rules(form_class)
        self._declarations[level, form_class.app] = Declaration(form_class, title)

    def declarations(self, level: Level) -> Iterator[Declaration]:
        """Registered forms: the core first, then by title; not those of plugins that failed later."""
        chosen = [
            entry
            for (of_level, _app), entry in self._declarations.items()
            if of_level == level and not plugins.is_disabled(entry.form_class.__module__)
        ]
        yield from sorted(chosen, key=lambda entry: (entry.app != "core", str(entry.title)))

    def declaration(self, level: Level, app: str) -> Declaration | None:
        """What an app declares, if it does."""
        return self._declarations.get((level, app))

    def field(self, level: Level, app: str, name: str) -> forms.Field:
        """The field of a parameter; raises :class:`NotDefined`."""
        declaration = self._declarations.get((level, app))
        field = None if declaration is None else declaration.form_class.base_fields.get(name)
        if field is None or isinstance(field, SeparatorField):
            raise NotDefined(app, name)
        return field

    def default(self, level: Level, app: str, name: str) -> Any:
        """Default value; raises :class:`NotDefined`."""
        return default_of(self.field(level, app, name))

    def names(self, level: Level, app: str) -> list[str]:
        """Parameters of one app."""
        declaration = self._declarations.get((level, app))
        return [] if declaration is None else list(declaration.fields)

    def without_secrets(
        self, level: Level, values: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Values for everybody who may read them: of a secret only that there is one, of the unknown nothing."""
        told = {}
        for declaration in self.declarations(level):
            stored, secrets = values.get(declaration.app, {}), declaration.secrets
            own = {name: stored[name] for name in declaration.fields if name in stored}
            if own:
                told[declaration.app] = own | dict.fromkeys(secrets & own.keys(), True)
        return told


registry = Registry()


_YES, _NO = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


class NotYesOrNo(ValueError):  # noqa: N818  an answer, not a fault
    """A text means neither yes nor no."""


def parsed(field: forms.Field, value: object) -> object:
    """A value for a field. Yes and no in words become booleans: a checkbox takes every text for a yes."""
    if not isinstance(field, forms.BooleanField) or not isinstance(value, str):
        return value
    word = value.strip().lower()
    if word not in _YES | _NO:
        raise NotYesOrNo(value)
    return word in _YES


def default_of(field: forms.Field) -> Any:
    """The default that a field declares."""
    return field.initial() if callable(field.initial) else field.initial


def is_secret(field: forms.Field) -> bool:
    """Whether the value of a field is written and never shown."""
    return isinstance(field.widget, forms.PasswordInput)


def _check_rules(form_class: type[ParametersForm]) -> None:
    rules = form_class.visibility_rules
    for name, text in rules.items():
        chain = [name]
        while chain[-1] in rules:
            other = rules[chain[-1]].partition("=")[0]
            if other not in form_class.base_fields or other in chain:
                msg = f"{form_class.__name__}: the visibility rule {text!r} of {name!r} leads nowhere."
                raise ValueError(msg)
            chain.append(other)
