"""What a browser says about a selection: ticked boxes, "all that match", and what a preview handed out before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.core import signing
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from admin.bulk_changes import BulkChange, Ids, Kind, Verb
from admin.forms.controls import QuotaField
from core.addresses import AddressError, canonical_mailbox_address
from core.form_rendering import PanelForm, SegmentedSelect

if TYPE_CHECKING:
    from core.actor import Actor

_SALT: Final = "admin.bulk"
# Long enough to read a preview, and to ask somebody.
_GOOD_FOR_S: Final = 3600
_TICKED: Final = re.compile(rf"({'|'.join(Kind)}):([0-9]{{1,18}})", re.ASCII)


def ticked(data: QueryDict, kinds: Iterable[Kind]) -> Ids:
    """Boxes of this page (``selected``) and of other pages (``kept``, one text): ``account:12``; the rest is noise."""
    words = [*data.getlist("selected"), *data.get("kept", "").split()]
    found: dict[Kind, dict[int, None]] = {kind: {} for kind in kinds}
    for word in words:
        match = _TICKED.fullmatch(word)
        if match and (kind := Kind(match[1])) in found:
            found[kind][int(match[2])] = None
    return {kind: tuple(ids) for kind, ids in found.items()}


# --- what a preview hands out ----------------------------------------------------------------------------------


def sealed(actor: Actor, ids: Ids, change: BulkChange | None = None) -> str:
    """A selection, or a plan, for a hidden field: ids in order as differences, compressed and signed.

    A plan carries ids and not the filter, so that exactly what was shown is done, whatever has come to match since.
    The signature keeps what was shown and what is done the same; who may do it is asked again. 100,000 ids take some
    100 kB.
    """
    content: dict[str, Any] = {"actor": actor.pk}
    for kind, found in ids.items():
        ordered = sorted(found)
        content[kind.value] = [*ordered[:1], *(after - before for before, after in pairwise(ordered))]
    if change is not None:
        content |= {
            "verb": change.verb.value,
            "quota": change.quota,
            "default_mailbox_quota": change.default_mailbox_quota,
        }
    return signing.dumps(content, salt=_SALT, compress=True)


def opened_selection(actor: Actor, text: str, kinds: Iterable[Kind]) -> Ids | None:
    """The selection that *actor* was handed; None for anything else, and after an hour."""
    content = _opened(actor, text)
    return None if content is None else _ids(content, kinds)


def opened_plan(actor: Actor, text: str, kinds: Iterable[Kind]) -> tuple[Ids, BulkChange] | None:
    """The plan that *actor* was handed; None for anything else, and after an hour."""
    content = _opened(actor, text)
    if content is None or "verb" not in content:
        return None
    quotas = {name: content[name] for name in ("quota", "default_mailbox_quota")}
    return _ids(content, kinds), BulkChange(verb=Verb(content["verb"]), **quotas)


def _opened(actor: Actor, text: str) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = signing.loads(text, salt=_SALT, max_age=_GOOD_FOR_S)
    except signing.BadSignature:
        return None
    return content if content["actor"] == actor.pk else None


def _ids(content: Mapping[str, Any], kinds: Iterable[Kind]) -> Ids:
    return {kind: tuple(accumulate(content.get(kind.value, ()))) for kind in kinds}


# --- how much --------------------------------------------------------------------------------------------------


class MailboxQuotaForm(PanelForm):
    """One quota for many mailboxes."""

    shown_when: ClassVar[Mapping[str, str]] = {"quota": "quota_mode=own"}

    quota_mode = forms.ChoiceField(
        label=_("Quota"),
        choices=(("own", _("Same for all")), ("domain", _("Domain's value"))),
        initial="own",
        widget=SegmentedSelect,
    )
    quota = QuotaField(
        label=_("Quota of each mailbox"),
        required=False,
        help_text=_("For example 500 MB or 2 GB; a number alone means MB, and 0 means no limit."),
    )

    def clean(self) -> dict[str, Any]:
        """A quota is asked for where it counts, and read only there."""
        given = self.cleaned_data
        if given.get("quota_mode") == "domain":
            self.errors.pop("quota", None)
            given["quota"] = None
        elif given.get("quota", 0) is None:
            message = _("Enter the quota of these mailboxes; 0 means no limit.")
            self.add_error("quota", forms.ValidationError(message, code="required"))
        return given

    def change(self) -> BulkChange:
        """What was asked for."""
        return BulkChange(verb=Verb.QUOTA, quota=self.cleaned_data["quota"])


class DomainQuotaForm(PanelForm):
    """One quota for many domains."""

    halves: ClassVar[frozenset[str]] = frozenset({"quota", "default_mailbox_quota"})

    quota = QuotaField(
        label=_("Quota of each domain"),
        required=False,
        help_text=_("For example 20 GB; 0 means no limit. Blank: each keeps what it has."),
    )
    default_mailbox_quota = QuotaField(
        label=_("Quota of new mailboxes"),
        required=False,
        help_text=_("Mailboxes that follow their domain change with it. Blank: stays."),
    )

    def clean(self) -> dict[str, Any]:
        """At least one of them."""
        given = self.cleaned_data
        if not self.errors and given["quota"] is None and given["default_mailbox_quota"] is None:
            message = _("Enter one of the two quotas; 0 means no limit.")
            self.add_error("quota", forms.ValidationError(message, code="required"))
        return given

    def change(self) -> BulkChange:
        """What was asked for."""
        return BulkChange(verb=Verb.QUOTA, **self.cleaned_data)


# --- yes -------------------------------------------------------------------------------------------------------


class BulkForm(forms.Form):
    """The button under a preview; a deletion asks for its number in words."""

    plan = forms.CharField(widget=forms.HiddenInput)
    filter = forms.CharField(widget=forms.HiddenInput, required=False)

    keep_directories = forms.BooleanField(
        label=_("Keep the mail directories"),
        required=False,
        help_text=_("The mail stays on disk where it is; otherwise it goes to the trash."),
    )
    # Shown where the preview says that it matters.
    confirm_below_usage = forms.BooleanField(
        label=_("Set it for mailboxes that use more, too"),
        required=False,
        help_text=_(
            "Nothing is deleted, but further mail to them is refused until there is room again. "
            "Not ticked: they are left as they are."
        ),
    )
    mailbox = forms.CharField(
        label=_("For the mailbox"),
        required=False,
        max_length=254,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        help_text=_("Its address. Blank: the mailbox that has the old address now."),
    )
    confirmation = forms.CharField(label=_("Confirmation"), required=False)

    def __init__(self, *args: Any, number: int, verb: Verb, has_directories: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.words = deletion_words(number)
        asked = {
            "keep_directories": verb is Verb.DELETE and has_directories,
            "confirm_below_usage": verb is Verb.QUOTA,
            "mailbox": verb is Verb.RESTORE and number == 1,
            "confirmation": verb is Verb.DELETE,
        }
        for name in (name for name, is_asked in asked.items() if not is_asked):
            del self.fields[name]

    def clean_mailbox(self) -> str:
        """The stored form of the address; blank for none."""
        typed: str = self.cleaned_data["mailbox"]
        if not typed.strip():
            return ""
        try:
            return canonical_mailbox_address(typed, utf8=bool(settings.MODOBOA_UTF8_LOCAL_PARTS))
        except AddressError as wrong:
            raise forms.ValidationError(wrong.message, code=wrong.code) from None

    def clean_confirmation(self) -> str:
        """The words under the preview."""
        typed = " ".join(self.cleaned_data["confirmation"].split())
        if typed.lower() != self.words.lower():
            message = _("These are not the words. Type “%(words)s” to confirm.")
            raise forms.ValidationError(message, code="not_confirmed", params={"words": self.words})
        return typed


def deletion_words(number: int) -> str:
    """``delete 128``: what is typed before so many things are deleted."""
    return gettext("delete %(number)d") % {"number": number}
