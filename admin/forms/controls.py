"""Fields that more than one form needs. They read what a person types; what is allowed is the operations' matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django import forms
from django.urls import reverse_lazy
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from core.editing import EditForm
from core.form_rendering import VERBATIM, AddressField, ValueListField, ValueListWidget

# From so many domains on, an address is typed as a whole: a menu of a thousand names helps nobody.
MENU_LIMIT: Final = 200

_MB_PER_UNIT: Final = {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}
# The French write octets; "i" is the pedant's; the sign and the size are judged by the operation.
_QUOTA: Final = re.compile(r"(-?[0-9]{1,15})(?:[.,]([0-9]{1,3}))?\s*(?:([MGT])(?:I?[BO])?)?", re.IGNORECASE)
_QUESTION: Final = "confirm_below_usage"
_SEPARATORS: Final = re.compile(r"[\s,;]+")


def wished_address(given: Mapping[str, str], domains: Sequence[str]) -> dict[str, str]:
    """What a link asks the field ``address`` to begin with: ``?address=`` in an offered domain, or ``?domain=``."""
    local, _at_sign, domain = given.get("address", "").rpartition("@")
    domain = domain or given.get("domain", "")
    return {"address": f"{local}@{domain}"} if domain in domains and local.isprintable() else {}


class QuotaField(forms.CharField):
    """An amount of storage: ``2 GB``, ``500 MB``, ``1.5 TB``; a number alone is MB. Cleans to whole MB, or None."""

    default_error_messages = {
        "quota_format": _("Enter a number with its unit, for example 500 MB or 2 GB; 0 means no limit."),
    }

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "off", "spellcheck": "false"}
        super().__init__(widget=forms.TextInput(attrs), **kwargs)

    def clean(self, value: Any) -> int | None:
        """Megabytes; None for a blank."""
        text = super().clean(value)
        return megabytes(text, self.error_messages["quota_format"]) if text else None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare amounts: ``2048 MB`` is ``2 GB``."""
        try:
            return self.clean(self.prepare_value(initial)) != self.clean(data)
        except forms.ValidationError:
            return True

    def prepare_value(self, value: Any) -> Any:
        """Stored megabytes in the largest unit that divides them; what was typed stays as it is."""
        return quota_text(value) if isinstance(value, int) else value


def megabytes(text: str, message: Any) -> int:
    """Whole megabytes; raises :class:`ValidationError` with *message* for what is not an amount."""
    match = _QUOTA.fullmatch(text.strip())
    refused = forms.ValidationError(message, code="quota_format")
    if match is None:
        raise refused
    whole, fraction, unit = match.groups()
    amount = Decimal(f"{whole}.{fraction or 0}") * _MB_PER_UNIT[(unit or "").upper()]
    rounded = int(amount.to_integral_value(ROUND_HALF_UP))
    if amount and not rounded:
        raise refused  # less than a megabyte must not become "no limit"
    return rounded


class UseAwareForm(EditForm):
    """A form with a quota that is refused when more is used already: then, and only then, it asks back."""

    confirm_below_usage = forms.BooleanField(
        label=_("Set it anyway"),
        required=False,
        help_text=_("Nothing is deleted, but further mail is refused until there is room again."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._question = self.fields.pop(_QUESTION)
        if self._question.widget.value_from_datadict(self.data, self.files, self.add_prefix(_QUESTION)):
            self._ask()

    def _ask(self) -> None:
        self.fields[_QUESTION] = self._question
        self.order_fields(self.field_order)

    def add_error(self, field: str | None, error: Any) -> None:
        """Ask where the answer would help."""
        if getattr(error, "code", "") == "below_usage":
            self._ask()
        super().add_error(field, error)

    @property
    def confirmed(self) -> dict[str, bool]:
        """What the operation takes of the answer."""
        return {_QUESTION: True} if self.cleaned_data.get(_QUESTION) else {}


def quota_text(size: int) -> str:
    """``2 GB``; 0 stays a plain number."""
    for unit, factor in (("TB", 1024 * 1024), ("GB", 1024)):
        if size and size % factor == 0:
            return f"{number_format(size // factor, use_l10n=False)} {unit}"
    return f"{size} MB" if size else "0"


class WordListField(ValueListField):
    """Addresses or names, one per line; commas, semicolons and spaces divide lines too."""

    def to_python(self, value: object) -> list[str]:
        """Words in their order, from lines or from one text."""
        lines = [value] if isinstance(value, str) else super().to_python(value)
        return [word for line in lines for word in _SEPARATORS.split(line) if word]

    def has_changed(self, initial: object, data: object) -> bool:
        """Their order says nothing."""
        return set(self.to_python(initial)) != set(self.to_python(data))

    def validate(self, value: object) -> None:
        """Whether nothing is enough is said by the operation; ``required`` only marks the label."""
        del value


class NamesField(forms.MultipleChoiceField):
    """Any of the offered names; a name that was not offered is refused by the operation, in its words."""

    def valid_value(self, value: str) -> bool:
        """Every text is."""
        del value
        return True


class LocalAddressField(AddressField):
    """An address in one of the actor's domains; a domain that was not offered is the operation's to refuse."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields = (self.fields[0], forms.CharField(required=False))


def address_field(domains: Sequence[str], *, local_required: bool = True, **kwargs: Any) -> forms.Field:
    """The control for an address: local part and menu of domains, or one line when there are many domains."""
    if len(domains) < MENU_LIMIT:
        return LocalAddressField(domains=domains, local_required=local_required, **kwargs)
    attrs = VERBATIM | {"inputmode": "email", "placeholder": _("name@example.com")}
    return forms.CharField(widget=forms.TextInput(attrs), **kwargs)


class _Lines(forms.Textarea):
    """A long list as one text: a form with thousands of inputs is too much for browser and server."""

    def format_value(self, value: Any) -> str | None:
        return "\n".join(value) if isinstance(value, list | tuple) else super().format_value(value)


def names_field(
    domains: Sequence[str], labels: Iterable[str], *, chosen: int = 0, **kwargs: Any
) -> forms.Field:
    """The control for several domains, of which *chosen* many are set already.

    Checkboxes; lines with suggestions while somebody types when there are many to choose from; one text when many are
    chosen.
    """
    if len(domains) < MENU_LIMIT:
        choices = list(zip(domains, labels, strict=True))
        return NamesField(choices=choices, widget=forms.CheckboxSelectMultiple, **kwargs)
    if chosen >= MENU_LIMIT:
        return WordListField(widget=_Lines({"rows": 12}), help_text=_("One name per line."), **kwargs)
    widget = ValueListWidget(
        item=_("Domain"), add=_("Add a domain"), suggest=reverse_lazy("admin:domain_names")
    )
    return WordListField(widget=widget, help_text=_("Type the beginning of a name."), **kwargs)
