"""The style guide: tokens and components with realistic data, for people who build screens."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from core.form_rendering import (
    AddressField,
    FieldGroup,
    PanelForm,
    PasswordBox,
    SegmentedSelect,
    Switch,
    UnitInput,
    ValueListField,
    ValueListWidget,
)
from core.middleware import AuthedRequest

GIB = 1024**3
ICON_LIST = "static/vendor/bootstrap-icons/icons.txt"
TOKENS = (
    ("canvas", "#f6f7f9", "#0d131c"),
    ("surface", "#ffffff", "#151d29"),
    ("sunken", "#eef0f3", "#0f1620"),
    ("line", "#e3e6eb", "#263142"),
    ("control", "#8b95a4", "#66758a"),
    ("ink", "#15202b", "#e8edf4"),
    ("ink-2", "#4a5768", "#b3bfce"),
    ("ink-3", "#5f6b7b", "#8f9cae"),
    ("brand", "#2456d6", "#7ea2ff"),
    ("brand-tint", "#e8eefc", "#1d2b4d"),
    ("good", "#11703f", "#5fd39c"),
    ("good-tint", "#e2f4ea", "#12301f"),
    ("warn", "#8a5000", "#f0b55c"),
    ("warn-tint", "#fdeed8", "#36260f"),
    ("bad", "#b3261e", "#ff8f86"),
    ("bad-tint", "#fde9e7", "#3c1716"),
    ("selected", "#f2f5fe", "#18233c"),
    ("rail", "#0f1a2b", "#0a0f17"),
)


@dataclass(frozen=True)
class Sample:
    """One row of the sample list."""

    name: str
    note: str
    mailboxes: int
    used: int
    limit: int
    enabled: bool


SAMPLES = (
    Sample("example.org", "2 domain aliases", 48, 382 * GIB // 10, 60 * GIB, enabled=True),
    Sample("acme-industries.com", "1 domain alias", 212, 171 * GIB, 200 * GIB, enabled=True),
    Sample("xn--bcher-kva.example", "", 9, 11 * GIB // 10, 0, enabled=True),
    Sample("northwind.net", "", 1204, 873 * GIB, 900 * GIB, enabled=False),
)


class SampleForm(PanelForm):
    """Every kind of control once."""

    halves: ClassVar[frozenset[str]] = frozenset({"first_name", "last_name"})
    shown_when: ClassVar[Mapping[str, str]] = {"password": "password_mode=type"}
    more: ClassVar[tuple[FieldGroup, ...]] = (
        FieldGroup(_("Aliases and sender addresses"), "at", ("recipients",)),
        FieldGroup(_("Language and contact"), "translate", ("language", "notes")),
    )

    address = AddressField(label=_("Address"), domains=("example.org", "xn--bcher-kva.example"))
    first_name = forms.CharField(label=_("First name"), required=False)
    last_name = forms.CharField(label=_("Last name"), required=False)
    role = forms.ChoiceField(
        label=_("Role"),
        choices=(
            ("user", _("Simple user")),
            ("admin", _("Domain administrator")),
            ("reseller", _("Reseller")),
        ),
        widget=SegmentedSelect,
    )
    password_mode = forms.ChoiceField(
        label=_("Password"),
        choices=(("generate", _("Generate")), ("type", _("Type one"))),
        widget=SegmentedSelect,
        help_text=_("Shown once after saving, with the mail settings to hand over."),
    )
    password = forms.CharField(label=_("New password"), widget=PasswordBox(new=True))
    quota = forms.IntegerField(
        label=_("Quota"),
        widget=UnitInput("MB"),
        help_text=_("21.8 GB of 60 GB are still free in this domain."),
    )
    enabled = forms.BooleanField(
        label=_("Enabled"), required=False, widget=Switch, help_text=_("Off: no sign-in, no delivery.")
    )
    copies = forms.BooleanField(label=_("Keep local copies"), required=False)
    recipients = ValueListField(
        label=_("Recipients"),
        required=False,
        widget=ValueListWidget(item=_("Recipient"), add=_("Add a recipient")),
    )
    language = forms.ChoiceField(label=_("Language"), choices=(("en", "English"), ("de", "Deutsch")))
    notes = forms.CharField(label=_("Notes"), required=False, widget=forms.Textarea({"rows": 3}))


def sample_form() -> SampleForm:
    """The form after a refusal, as people see it at its worst."""
    data = {
        "address_local": "jo.miller",
        "address_domain": "example.org",
        "first_name": "Jo",
        "last_name": "Miller",
        "role": "user",
        "password_mode": "type",
        "password": "",
        "quota": "2048",
        "enabled": "on",
        "language": "en",
        "recipients": ["jo@example.org", "mia@example.org"],
    }
    form = SampleForm(data)
    form.is_valid()
    form.add_error("address", _("This address is an alias of sales@example.org already. Choose another."))
    return form


def icon_names() -> list[str]:
    """Names in the sprite, as the maintainer's script wrote them."""
    path = Path(settings.BASE_DIR) / ICON_LIST
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def page(request: HttpRequest) -> HttpResponse:
    """The page itself, without asking who looks."""
    context = {
        "tokens": TOKENS,
        "rows": SAMPLES,
        "page": {
            "number": 2,
            "pages": 22,
            "first": 7,
            "last": 10,
            "total": 128,
            "has_previous": True,
            "has_next": True,
        },
        "query": request.GET.get("q", ""),
        "sort": request.GET.get("sort", "name"),
        "filters": [
            {
                "name": "status",
                "label": _("Status"),
                "value": "enabled",
                "value_label": _("Enabled"),
                "choices": [
                    {"value": "enabled", "label": _("Enabled"), "selected": True},
                    {"value": "disabled", "label": _("Disabled"), "selected": False},
                ],
            },
            {
                "name": "storage",
                "label": _("Storage"),
                "value": "",
                "value_label": "",
                "choices": [{"value": "full", "label": _("Nearly full"), "selected": False}],
            },
        ],
        "form": sample_form(),
        "icons": icon_names(),
        "tabs": [
            {"label": _("Overview"), "url": "#tabs", "active": True},
            {"label": _("Accounts"), "url": "#tabs", "active": False, "count": 48},
            {"label": _("Aliases"), "url": "#tabs", "active": False, "count": 31},
        ],
        "consequences": [
            _("48 mailboxes stop receiving and sending mail at once."),
            _("31 aliases stop; 3 forwards from other domains break."),
        ],
        "mail_settings": [
            {"label": _("User name"), "value": "jo.miller@example.org", "note": ""},
            {"label": _("Incoming mail (IMAP)"), "value": "mail.example.org:993", "note": _("TLS")},
            {"label": _("Outgoing mail (SMTP)"), "value": "mail.example.org:465", "note": _("TLS")},
        ],
    }
    return render(request, "core/style_guide.html", context)


def style_guide(request: AuthedRequest) -> HttpResponse:
    """Show the guide to super administrators; it is about the program, not about anybody's data."""
    if not request.actor.is_super:
        raise PermissionDenied
    return page(request)
