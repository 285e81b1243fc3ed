"""Tags and filters of the design system: ``{% load panel %}``."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms.boundfield import BoundField
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext

from core import presentation
from core.parts import Widget

register = template.Library()

_MINUTE = timedelta(minutes=1)
WARN_FROM, BAD_FROM = 0.8, 0.95
DIRECTIONAL = frozenset({"chevron-left", "chevron-right", "arrow-right", "forward", "box-arrow-right"})


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; decorative unless it has a *label*. Mirrored in right-to-left languages if it points."""
    address = f"{static('vendor/bootstrap-icons/icons.svg')}#{name}"
    css_class = "icon icon-directional" if name in DIRECTIONAL else "icon"
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}" viewBox="0 0 16 16"><use href="{}"></use></svg>',
            css_class,
            label,
            address,
        )
    return format_html(
        '<svg class="{}" aria-hidden="true" viewBox="0 0 16 16"><use href="{}"></use></svg>',
        css_class,
        address,
    )


@register.inclusion_tag("components/badge.html", name="badge")
def badge(text: str, tone: str = "plain", icon: str = "") -> dict[str, str]:
    """A word with a tint; tones: plain, good, warn, bad, brand."""
    return {"text": text, "tone": tone, "icon": icon}


@register.inclusion_tag("components/status.html", name="status")
def status(on: object, on_text: str = "", off_text: str = "") -> dict[str, object]:
    """The badge "Enabled" or "Disabled", or other words for the two states."""
    return {
        "on": bool(on),
        "on_text": on_text or gettext("Enabled"),
        "off_text": off_text or gettext("Disabled"),
    }


def _bar(used: int, limit: int) -> dict[str, str]:
    """Percent as text for SVG and ARIA (never localized), and the tone that goes with it."""
    if limit <= 0:
        return {"percent": "", "tone": "brand"}
    share = min(max(used / limit, 0.0), 1.0)
    return {
        "percent": f"{share * 100:.1f}",
        "tone": "bad" if share >= BAD_FROM else "warn" if share >= WARN_FROM else "brand",
    }


@register.inclusion_tag("components/meter.html", name="usage_bar")
def usage_bar(
    used: int | None, limit: int | None = 0, label: str = "", limit_mb: int | None = 0
) -> dict[str, str]:
    """Used of a limit, in bytes (or *limit_mb*, the unit of quota columns); no bar when there is no limit."""
    used, limit = int(used or 0), int(limit or 0) or int(limit_mb or 0) * presentation.MIB
    return _bar(used, limit) | {
        "text": presentation.usage_text(used, limit),
        "label": label or gettext("Storage"),
    }


@register.inclusion_tag("components/meter.html", name="share_bar")
def share_bar(used: int, limit_mb: int, label: str = "") -> dict[str, str]:
    """As ``usage_bar``, but with the share in words: ``64 %``; for tables that have the sizes in other columns."""
    limit = int(limit_mb) * presentation.MIB
    percent = number_format(int(used) * 100 // limit, use_l10n=True, force_grouping=True) if limit else ""
    words = gettext("%(percent)s %%") % {"percent": percent} if limit else gettext("no limit")
    return _bar(int(used), limit) | {"text": words, "label": label or gettext("Usage")}


@register.inclusion_tag("components/meter.html", name="count_bar")
def count_bar(used: int, limit: int, label: str) -> dict[str, str]:
    """Used of a limit, for things that are counted: ``48 of 60``."""
    words = gettext("%(used)s of %(limit)s") if limit > 0 else gettext("%(used)s, no limit")
    return _bar(used, limit) | {"text": words % {"used": used, "limit": limit}, "label": label}


@register.inclusion_tag("components/stat.html", name="stat")
def stat(
    label: str, value: object, of: str = "", note: str = "", tone: str = "", *, url: str = ""
) -> dict[str, object]:
    """One number that matters; *url*: the list of what was counted."""
    return {"label": label, "value": value, "of": of, "note": note, "tone": tone, "url": url}


@register.inclusion_tag("components/stat.html", name="storage_stat")
def storage_stat(
    used: int | None,
    limit: int | None = 0,
    label: str = "",
    note: str = "",
    limit_mb: int | None = 0,
    *,
    url: str = "",
) -> dict[str, object]:
    """Storage used, with its bar; units as for ``usage_bar``, *url* as for ``stat``."""
    used, limit = int(used or 0), int(limit or 0) or int(limit_mb or 0) * presentation.MIB
    text = presentation.usage_text(used, limit)
    used_number, used_unit = presentation.scaled(used)
    limit_number, limit_unit = presentation.scaled(limit)
    values: dict[str, object] = {
        "label": label or gettext("Storage"),
        "value": used_number,
        "note": note,
        "url": url,
    }
    if limit <= 0:
        return values | {"of": used_unit, "note": note or gettext("no limit")}
    same = used_unit == limit_unit or used == 0
    of = gettext("of %(size)s") if same else gettext("%(unit)s of %(size)s")
    words = of % {"size": f"{limit_number} {limit_unit}", "unit": used_unit}
    return values | {"of": words, "bar": _bar(used, limit) | {"text": text}}


@register.inclusion_tag("components/sort_header.html", takes_context=True, name="sort_link")
def sort_link(
    context: Context,
    key: str,
    label: str,
    css_class: str = "",
    default: bool = False,  # noqa: FBT001, FBT002  template tags take keywords only by convention
) -> dict[str, object]:
    """The ``<th>`` of a column that sorts: first click ascending, second descending; page starts over.

    *default* marks the column that orders the list while the URL says nothing.
    """
    current = str(context.get("sort") or (key if default else ""))
    direction = "" if current.lstrip("-") != key else "descending" if current.startswith("-") else "ascending"
    return {
        "label": label,
        "css_class": css_class,
        "direction": direction,
        "next": f"-{key}" if direction == "ascending" else key,
    }


@register.simple_tag(takes_context=True)
def page_url(context: Context, number: int) -> str:
    """The same list on another page."""
    values = context["request"].GET.copy()
    values["page"] = str(number)
    return f"?{values.urlencode()}"


@register.simple_tag(takes_context=True)
def filter_url(context: Context, name: str, value: str = "") -> str:
    """The same list with the filter *name* set, or taken off by ""; from its first page.

    Django's ``querystring`` does the same for names known in the template.
    """
    values = context["request"].GET.copy()
    values.pop("page", None)
    values.pop(name, None)
    if value:
        values[name] = value
    return f"?{values.urlencode()}"


@register.simple_block_tag(end_name="endcard")
def card(  # the parameters are those of components/card.html
    content: str,
    title: str,
    icon: str = "",
    count: object = None,
    action_url: str = "",
    action_label: str = "",
    action_icon: str = "",
    flush: bool = False,  # noqa: FBT001, FBT002  template tags take keywords only by convention
) -> SafeString:
    """A surface with a heading around *content*."""
    values = {
        "content": content,
        "title": title,
        "icon": icon,
        "count": count,
        "action_url": action_url,
        "action_label": action_label,
        "action_icon": action_icon,
        "flush": flush,
    }
    return render_to_string("components/card.html", values)


@register.simple_tag(takes_context=True)
def plugin_widget(context: Context, widget: Widget) -> SafeString:
    """What a plugin shows on this page."""
    return widget.render(context.get("request"))


@register.filter("bytes")
def bytes_text(size: int | None) -> str:
    """``38.2 GB``; "" for nothing known."""
    return "" if size is None else presentation.size_text(int(size))


@register.filter("megabytes")
def megabytes_text(size: int | None) -> str:
    """As ``bytes``, for columns in MB."""
    return "" if size is None else presentation.size_text(int(size) * presentation.MIB)


@register.filter
def grouped(number: int) -> str:
    """``1,204``."""
    return number_format(number, use_l10n=True, force_grouping=True)


@register.filter
def ago(at: datetime) -> str:
    """How long ago an instant was; what happened within a minute happened just now."""
    if timezone.now() - at < _MINUTE:
        return gettext("just now")
    return gettext("%(span)s ago") % {"span": timesince(at)}


@register.filter
def unicode_domain(name: object) -> str:
    """Domain, or domain of an address, in its own script."""
    return presentation.unicode_domain(str(name))


@register.filter
def punycode_note(name: object) -> str:
    """The A-label form, when it differs from what ``unicode_domain`` shows; else ""."""
    return str(name) if presentation.unicode_domain(str(name)) != str(name) else ""


@register.filter
def layout_class(field: BoundField) -> str:
    """``half`` for fields that stand two in a line."""
    return "half" if field.name in getattr(field.form, "halves", ()) else ""


@register.filter
def shown_when(field: BoundField) -> str:
    """What the field depends on, as ``other=value value`` or ``other!=what it began with``; "" for always."""
    rules: dict[str, Any] = getattr(field.form, "shown_when", {})
    rule = str(rules.get(field.name, ""))
    if rule.endswith("!="):
        rule += str(field.form.initial.get(rule.removesuffix("!="), ""))
    return rule
