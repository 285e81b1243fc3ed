"""How forms look: the renderer behind ``{{ field.as_field_group }}`` and the widgets of the design system.

``FORM_RENDERER = "core.form_rendering.PanelRenderer"`` (with ``django.forms`` in ``INSTALLED_APPS``) gives every
form, plugins' included, our field component. No form names CSS classes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from django import forms
from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core import plugins
from core.presentation import unicode_domain

CLASSES_BY_TEMPLATE = {"select": "form-select", "textarea": "form-control"}


def _css_class(widget: Mapping[str, Any]) -> str:
    """Bootstrap's class for one control, or "" for controls that nobody sees."""
    kind = widget.get("type")
    if kind in {"hidden", "submit"}:
        return ""
    if kind in {"checkbox", "radio"}:
        return "form-check-input"
    if kind:
        return "form-control"
    stem = str(widget.get("template_name", "")).rpartition("/")[2].removesuffix(".html")
    return CLASSES_BY_TEMPLATE.get(stem, "")


def _dress(widget: dict[str, Any]) -> None:
    """Put the classes on *widget*, its parts and its options, in place."""
    parts = [
        *widget.get("subwidgets", ()),
        *(option for _group, options, _n in widget.get("optgroups", ()) for option in options),
    ]
    for part in parts:
        _dress(part)
    css_class = _css_class(widget)
    if css_class and not widget.get("subwidgets"):
        attrs = widget.setdefault("attrs", {})
        attrs["class"] = " ".join(filter(None, (css_class, attrs.get("class"))))


class PanelRenderer(TemplatesSetting):
    """Renders fields with ``components/field.html`` and gives controls their classes."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        """As Django does, after dressing the widget."""
        if "widget" in context:
            _dress(context["widget"])
        return super().render(template_name, context, request=request)


class UnitInput(forms.NumberInput):
    """A number with its unit inside the control: ``UnitInput("MB")``."""

    template_name = "components/widgets/unit.html"

    def __init__(self, unit: str | Promise, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"inputmode": "numeric", **(attrs or {})})
        self.unit = unit

    def get_context(self, name: str, value: object, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Add ``widget.unit``."""
        context = super().get_context(name, value, attrs)
        context["widget"]["unit"] = self.unit
        return context


class PasswordBox(forms.PasswordInput):
    """A password with "show", and for new passwords also "generate" and a hint of its strength."""

    template_name = "components/widgets/password.html"

    def __init__(self, attrs: dict[str, Any] | None = None, *, new: bool = False) -> None:
        super().__init__({"autocomplete": "new-password" if new else "current-password", **(attrs or {})})
        self.new = new

    def get_context(self, name: str, value: object, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Add ``widget.new``."""
        context = super().get_context(name, value, attrs)
        context["widget"]["new"] = self.new
        return context


class SegmentedSelect(forms.RadioSelect):
    """Few choices side by side, as radio buttons that look like one control."""

    template_name = "components/widgets/segmented.html"


class Switch(forms.CheckboxInput):
    """A checkbox that acts like a switch: "Enabled"."""


# Of controls for names and addresses: nothing corrects or completes them.
VERBATIM: Final = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class AddressWidget(forms.MultiWidget):
    """Local part and domain as one control; posts ``<name>_local`` and ``<name>_domain``."""

    template_name = "components/widgets/address.html"
    use_fieldset = False

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        local = forms.TextInput(VERBATIM)
        super().__init__({"local": local, "domain": forms.Select({"aria-label": _("Domain")})}, attrs)

    def decompress(self, value: str | None) -> list[str]:
        """Split at the last ``@``."""
        local, _at, domain = (value or "").rpartition("@")
        return [local, domain] if value else ["", ""]

    def id_for_label(self, id_: str) -> str:
        """The label belongs to the local part."""
        return f"{id_}_0" if id_ else id_


class AddressField(forms.MultiValueField):
    """An address in one of the offered domains; cleans to ``local@domain`` (grammar is the operation's matter).

    With ``local_required=False`` an empty local part cleans to ``@domain``, the way a catch-all is written.
    """

    widget = AddressWidget

    def __init__(self, *, domains: Iterable[str] = (), local_required: bool = True, **kwargs: Any) -> None:
        fields = (forms.CharField(required=local_required), forms.ChoiceField())
        super().__init__(fields, require_all_fields=local_required, **kwargs)
        self.offer(domains)

    def offer(self, domains: Iterable[str]) -> None:
        """Set the domains to choose from: A-labels as values, U-labels as words."""
        choices = [(name, unicode_domain(name)) for name in domains]
        cast("forms.ChoiceField", self.fields[1]).choices = choices
        cast("forms.Select", cast("AddressWidget", self.widget).widgets[1]).choices = choices

    def compress(self, data_list: Sequence[Any]) -> str:
        """Join the two parts; "" when nothing was given."""
        if not data_list:
            return ""
        local, domain = data_list
        return f"{str(local or '').strip()}@{domain}" if domain else ""


class ValueListWidget(forms.Widget):
    """One input per value, all with the same name; spare lines make it work without JavaScript.

    *suggest* is an address that answers ``?q=`` with a JSON list of values to offer while somebody types.
    """

    template_name = "components/widgets/value_list.html"
    use_fieldset = True

    def __init__(
        self,
        attrs: dict[str, Any] | None = None,
        *,
        item: str | Promise = "",
        add: str | Promise = "",
        spare: int = 2,
        suggest: str | Promise = "",
    ) -> None:
        super().__init__(attrs)
        self.item, self.add, self.spare = item or _("Value"), add or _("Add a line"), spare
        self.suggest = suggest

    def value_from_datadict(self, data: Mapping[str, Any], files: Mapping[str, Any], name: str) -> list[str]:
        """Every line that is not blank."""
        del files
        values = data.getlist(name) if isinstance(data, MultiValueDict) else data.get(name, [])
        return [text for value in values if (text := str(value).strip())]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Mapping[str, Any], name: str) -> bool:
        """An empty list is an answer, not an omission."""
        del data, files, name
        return False

    def get_context(self, name: str, value: object, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Add ``widget.lines`` (values, then spare blanks), ``item``, ``add``, ``suggest`` and ``invalid``."""
        context = super().get_context(name, None, attrs)
        values = [str(line) for line in value] if isinstance(value, list | tuple) else []
        lines = values + [""] * (self.spare if values else self.spare + 1)
        invalid = "aria-invalid" in context["widget"]["attrs"]
        own = {"lines": lines, "item": self.item, "add": self.add, "suggest": self.suggest}
        context["widget"] |= own | {"invalid": invalid}
        return context

    def use_required_attribute(self, initial: object) -> bool:
        """Never: spare lines may stay blank."""
        del initial
        return False


class ValueListField(forms.Field):
    """Cleans to a list of stripped texts, blanks left out: recipients, sender addresses."""

    widget = ValueListWidget

    def to_python(self, value: object) -> list[str]:
        """Lines as they were given, in their order."""
        return list(value) if isinstance(value, list | tuple) else []

    def has_changed(self, initial: object, data: object) -> bool:
        """Compare as lists."""
        return self.to_python(initial) != self.to_python(data)


@dataclass(frozen=True)
class FieldGroup:
    """Fields that stand at the side under "More", folded until somebody needs them."""

    label: str | Promise
    icon: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Fields of the short part that stand together under a heading; in a form with ``steps`` one step."""

    key: str
    label: str | Promise
    fields: tuple[str, ...]
    text: str | Promise = ""


@dataclass(frozen=True)
class BoundSection:
    """A :class:`Section` of one form, for templates; without a label when the form has no sections.

    A *form* of its own, and perhaps a *template*, has the section of a plugin.
    """

    key: str
    label: str | Promise
    fields: tuple[BoundField, ...]
    text: str | Promise = ""
    form: forms.BaseForm | None = None
    template: str = ""

    @property
    def is_refused(self) -> bool:
        """Where to begin after a refusal."""
        return bool(self.form and self.form.errors) or any(field.errors for field in self.fields)


@dataclass(frozen=True, slots=True)
class Tab:
    """A form of a plugin that is shown and saved with one of ours; *template* renders it, blank: as all forms."""

    key: str
    label: str | Promise
    form: forms.BaseForm
    template: str = ""

    def try_to_render(self, request: HttpRequest) -> None:
        """Raise what rendering it raises."""
        section = _bound(self)
        render_to_string(
            "components/form_section.html",
            {"title": self.label, "fields": section.fields, "form": self.form, "template": self.template},
            request,
        )


def is_valid_of_plugin(form: forms.BaseForm, module: str) -> bool:
    """Whether a form is; it is not where the plugin that has the *module* fails, and then it says so."""
    try:
        return form.is_valid()
    except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
        plugins.report(module, "clean", error)
        form.add_error(None, gettext("The plugin failed, so nothing was changed."))
        return False


def _bound(tab: Tab) -> BoundSection:
    return BoundSection(
        f"plugin-{tab.key}",
        tab.label,
        tuple(tab.form.visible_fields()),
        form=tab.form,
        template=tab.template,
    )


@dataclass(frozen=True)
class BoundGroup:
    """A :class:`FieldGroup` of one form, for templates."""

    label: str | Promise
    icon: str
    fields: tuple[BoundField, ...]

    @property
    def is_open(self) -> bool:
        """A refusal must never hide in a folded group."""
        return any(field.errors for field in self.fields)


class PanelForm(forms.Form):
    """A form that knows its layout: the short part first, the rest in groups at the side.

    ``halves`` stand two in a line; ``sections`` divide the short part, and with ``steps`` a browser shows one of them
    at a time; ``shown_when`` maps a field to ``"other=value value"``, on which it depends, or to ``"other!="``: shown
    while the other one is not what it began with.
    """

    halves: ClassVar[frozenset[str]] = frozenset()
    sections: ClassVar[tuple[Section, ...]] = ()
    steps: ClassVar[bool] = False
    more: ClassVar[tuple[FieldGroup, ...]] = ()
    shown_when: ClassVar[Mapping[str, str]] = {}
    # Forms of plugins, set by the view.
    tabs: Sequence[Tab] = ()

    def is_valid(self) -> bool:
        """Together with the forms of plugins."""
        others = [is_valid_of_plugin(tab.form, type(tab.form).__module__) for tab in self.tabs]
        return all([super().is_valid(), *others])

    @property
    def is_refused(self) -> bool:
        """Something in it, or in the form of a plugin, is wrong."""
        return bool(self.errors) or any(tab.form.errors for tab in self.tabs)

    def is_multipart(self) -> bool:
        """Whether files can be sent with it."""
        return super().is_multipart() or any(tab.form.is_multipart() for tab in self.tabs)

    def short_fields(self) -> Iterator[BoundField]:
        """Visible fields that are in no group."""
        grouped = {name for group in self.more for name in group.fields}
        return (field for field in self.visible_fields() if field.name not in grouped)

    def short_sections(self) -> list[BoundSection]:
        """The short part, divided; what no section names stands in the first one."""
        named = {name for section in self.sections for name in section.fields}
        others = tuple(field for field in self.short_fields() if field.name not in named)
        found: list[BoundSection] = []
        for section in self.sections or (Section("", "", ()),):
            own = tuple(self[name] for name in section.fields if name in self.fields)
            if fields := own if found else (*own, *others):
                found.append(BoundSection(section.key, section.label, fields, section.text))
        return [*found, *map(_bound, self.tabs)]

    def more_groups(self) -> list[BoundGroup]:
        """The groups that have at least one field in this form (forms drop fields that an actor may not set)."""
        groups = []
        for group in self.more:
            fields = tuple(self[name] for name in group.fields if name in self.fields)
            if fields:
                groups.append(BoundGroup(group.label, group.icon, fields))
        return groups
