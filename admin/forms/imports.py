"""Forms of an import: the file, and what its columns mean."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from admin import policies
from admin.imports.files import Beginning, FileError, Layout, check_meanings, plain_name
from admin.imports.row_types import columns, row_types
from core.form_rendering import PanelForm, SegmentedSelect
from core.roles import Role

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor

MB: Final = 1_000_000
_FOUND: Final = "found"
_LEFT_OUT: Final = "-"
_A_COLUMN: Final = "column"
_NAMES: Final = "names"
_ROW: Final = "row"
_MOST_COLUMNS: Final = 100
_TYPE: Final = "type"
_VALUES_SHOWN: Final = 3
_LETTERS_SHOWN: Final = 60


class ImportForm(PanelForm):
    """A file to plan."""

    halves: ClassVar[frozenset[str]] = frozenset({"separator", "encoding"})

    file = forms.FileField(
        label=_("CSV file"), widget=forms.FileInput({"accept": ".csv,.txt,text/csv,text/plain"})
    )
    passwords = forms.ChoiceField(
        label=_("The passwords in this file are"),
        choices=(("clear", _("Clear text")), ("hashes", _("Hashes"))),
        initial="clear",
        widget=SegmentedSelect,
        help_text=_("Clear text is hashed here. A hash looks like {SHA512-CRYPT}$6$…"),
    )
    continue_if_exists = forms.BooleanField(
        label=_("Skip what exists already"),
        required=False,
        initial=True,
        help_text=_("Otherwise such lines are refused. What exists is never changed."),
    )
    separator = forms.ChoiceField(
        label=_("Between cells"),
        choices=(
            (_FOUND, _("found out")),
            (";", _("semicolon ;")),
            (",", _("comma ,")),
            ("tab", _("tab")),
            ("|", _("bar |")),
        ),
    )
    encoding = forms.ChoiceField(
        label=_("Encoding"),
        choices=(
            (_FOUND, _("found out")),
            ("utf-8-sig", "UTF-8"),
            ("cp1252", "Windows-1252"),
            ("iso-8859-1", "ISO-8859-1"),
            ("utf-16", "UTF-16"),
        ),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = gettext("At most %(most)s MB.") % {
            "most": settings.MODOBOA_IMPORT_MAX_MB
        }
        if not policies.may_give_hashes(actor):
            del self.fields["passwords"]

    def clean_file(self) -> UploadedFile[bytes]:
        """Not longer than the setting says."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.MODOBOA_IMPORT_MAX_MB * MB:
            raise forms.ValidationError(too_long(), code="too_long")
        return file

    def values(self) -> dict[str, Any]:
        """What a job is told, besides the file."""
        given = self.cleaned_data
        return {
            "continue_if_exists": given["continue_if_exists"],
            "crypt_password": given.get("passwords") != "hashes",
            "separator": {_FOUND: "", "tab": "\t"}.get(given["separator"], given["separator"]),
            "encoding": "" if given["encoding"] == _FOUND else given["encoding"],
        }


def too_long() -> str:
    """Why a file was not taken."""
    message = gettext("This file is longer than %(most)s MB. Divide it, or use “modo import” on the server.")
    return message % {"most": settings.MODOBOA_IMPORT_MAX_MB}


# --- what columns mean -----------------------------------------------------------------------------------------

_MEANINGS: Final[dict[str, _StrOrPromise]] = {
    "name": _("name of the domain"),
    "quota": _("quota"),
    "default_mailbox_quota": _("quota of new mailboxes"),
    "enabled": _("enabled"),
    "target": _("target of the domain alias"),
    "username": _("user name"),
    "password": _("password"),
    "first_name": _("first name"),
    "last_name": _("last name"),
    "role": _("role"),
    "address": _("address"),
    "domain": _("domain to administer"),
    "recipient": _("recipient"),
    "target_host": _("target host"),
    "target_port": _("target port"),
    "service": _("service"),
    "verify_recipients": _("verify recipients"),
}
# How others call the same.
_SYNONYMS: Final = {
    "login": "username",
    "user": "username",
    "user_name": "username",
    "account": "username",
    "email": "address",
    "e_mail": "address",
    "mail": "address",
    "email_address": "address",
    "mailbox": "address",
    "firstname": "first_name",
    "given_name": "first_name",
    "lastname": "last_name",
    "surname": "last_name",
    "family_name": "last_name",
    "active": "enabled",
    "pass": "password",
    "passwd": "password",
    "pw": "password",
    "quota_mb": "quota",
    "size": "quota",
    "goto": "recipient",
    "destination": "recipient",
    "forward_to": "recipient",
    "kind": _TYPE,
    "vorname": "first_name",
    "nachname": "last_name",
    "prénom": "first_name",
    "nom": "last_name",
}
# Of names of columns whose values nobody should see over somebody's shoulder.
_SECRET: Final = (
    *("pass", "pw", "secret", "hash", "crypt", "kennwort", "senha", "contrase", "clave", "heslo"),
    *("wachtwoord", "lösenord", "losenord", "mot_de", "парол", "パスワード", "密码", "密碼"),
)

_HARMLESS: Final = frozenset({"true", "false", "yes", "no", *row_types(), *(r.value.lower() for r in Role)})


def _sounds_secret(plain: str) -> bool:
    return any(word in plain for word in _SECRET)


def _guesses(names: Sequence[str], known: Collection[str]) -> list[str]:
    """What columns probably mean, each meaning at most once; the others are left out."""
    guesses: list[str] = []
    for name in map(plain_name, names):
        guess = _SYNONYMS.get(name, name)
        if guess not in known and _sounds_secret(name):
            guess = "password"
        taken = guess in guesses and guess != "recipient"
        guesses.append(guess if guess in known and not taken else _LEFT_OUT)
    return guesses


def _is_harmless(value: str) -> bool:
    """No password is like this; for columns that have no name which tells."""
    return "@" in value or value.isdigit() or value.lower() in _HARMLESS


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """A column of the file beside the question what it means; *values* is None for what may be secret."""

    name: str
    field: BoundField
    values: list[str] | None


class ImportColumnsForm(PanelForm):
    """What the columns of a file mean."""

    halves: ClassVar[frozenset[str]] = frozenset({"first_line", "kind"})

    first_line = forms.ChoiceField(
        label=_("The first line"),
        choices=((_NAMES, _("names the columns")), (_ROW, _("is like the others"))),
        widget=SegmentedSelect,
    )
    kind = forms.ChoiceField(label=_("Each line is"))

    def __init__(self, *args: Any, beginning: Beginning, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._beginning = beginning
        self._number = min(max(map(len, (beginning.names, *beginning.rows))), _MOST_COLUMNS)
        names = beginning.names[: self._number] if beginning.is_header else ()
        known = dict.fromkeys(column.name for each in columns().values() for column in each)
        guesses = _guesses(names, known.keys() | {_TYPE})
        self.initial["first_line"] = _NAMES if beginning.is_header else _ROW
        if {"username", "password"} <= set(guesses) and _TYPE not in guesses:
            self.initial["kind"] = "account"
        types = [(name, each.label) for name, each in row_types().items() if name not in {"forward", "dlist"}]
        self.fields["kind"] = forms.ChoiceField(
            label=self.fields["kind"].label, choices=[(_A_COLUMN, gettext("what a column says")), *types]
        )
        choices = [(_LEFT_OUT, gettext("leave out")), (_TYPE, gettext("type of the line"))]
        choices += [(name, str(_MEANINGS.get(name, name))) for name in known]
        for at in range(self._number):
            name = names[at] if at < len(names) else ""
            self.fields[f"column_{at}"] = forms.ChoiceField(
                label=name or gettext("Column %(number)d") % {"number": at + 1},
                choices=choices,
                initial=guesses[at] if name else _LEFT_OUT,
            )

    def column_choices(self) -> Iterator[ColumnChoice]:
        """Every column, with its first values."""
        for at in range(self._number):
            field = self[f"column_{at}"]
            values = [row[at] for row in self._beginning.rows if at < len(row) and row[at]]
            shown = [value[:_LETTERS_SHOWN] for value in values[:_VALUES_SHOWN]]
            is_secret = field.value() == "password" or self._may_be_secret(str(field.label), values)
            yield ColumnChoice(str(field.label), field, None if is_secret else shown)

    def _may_be_secret(self, name: str, values: Sequence[str]) -> bool:
        if not self._beginning.is_header:
            return not all(map(_is_harmless, values))
        return _sounds_secret(plain_name(name)) or any(value.startswith("{") for value in values)

    def clean(self) -> dict[str, Any]:
        """Every type has the columns that it needs, and no two for the same."""
        if self.errors:
            return self.cleaned_data
        repeat = {column.name for each in columns().values() for column in each if column.repeats}
        seen: set[str] = set()
        for at, meaning in enumerate(self.layout().meanings):
            if meaning in seen:
                message = gettext("Another column is this already.")
                self.add_error(f"column_{at}", forms.ValidationError(message, code="twice"))
            seen |= {meaning} - repeat - {_LEFT_OUT}
        if not self.errors:
            try:
                check_meanings(columns(), self.layout())
            except FileError as error:
                raise forms.ValidationError(str(error), code="columns") from error
        return self.cleaned_data

    def layout(self) -> Layout:
        """What was said."""
        given = self.cleaned_data
        return Layout(
            header=given["first_line"] == _NAMES,
            kind="" if given["kind"] == _A_COLUMN else given["kind"],
            meanings=[given[f"column_{at}"] for at in range(self._number)],
        )
