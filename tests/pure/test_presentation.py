"""Sizes, names and fields look the way people read them."""

from datetime import timedelta

import pytest
from django import forms
from django.http import QueryDict
from django.template import RequestContext, Template
from django.test import RequestFactory
from django.utils import timezone, translation

from core import presentation
from core.form_rendering import AddressField, FieldGroup, PanelForm, Switch, UnitInput, ValueListField
from core.templatetags import panel

MIB, GIB = 1024**2, 1024**3


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KB"),
        (1536, "1.5 KB"),
        (GIB - 1, "1 GB"),
        (382 * GIB // 10, "38.2 GB"),
        (171 * GIB + 400 * MIB, "171 GB"),
        (2048 * 1024**5, "2048 PB"),
    ],
)
def test_a_size_has_at_most_one_decimal_and_the_unit_of_mail_servers(size: int, text: str) -> None:
    assert presentation.size_text(size) == text


def test_a_size_uses_the_decimal_mark_of_the_language() -> None:
    with translation.override("de"):
        assert presentation.size_text(382 * GIB // 10).startswith("38,2")


@pytest.mark.parametrize(
    ("used", "limit", "text"),
    [
        (382 * GIB // 10, 60 * GIB, "38.2 of 60 GB"),
        (512 * MIB, GIB, "512 MB of 1 GB"),
        (0, 5 * GIB, "0 of 5 GB"),
        (11 * GIB // 10, 0, "1.1 GB, no limit"),
        (0, 0, "Empty, no limit"),
    ],
)
def test_usage_names_the_unit_once_where_it_is_the_same(used: int, limit: int, text: str) -> None:
    assert presentation.usage_text(used, limit) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("xn--bcher-kva.example", "bücher.example"),
        ("Jo@xn--bcher-kva.example", "Jo@bücher.example"),
        ("@xn--bcher-kva.example", "@bücher.example"),
        ("example.org", "example.org"),
        ("xn--a.example", "xn--a.example"),
        ("", ""),
    ],
)
def test_a_name_is_shown_in_its_own_script_or_as_it_is(name: str, text: str) -> None:
    assert presentation.unicode_domain(name) == text


@pytest.mark.parametrize(
    ("used", "limit", "percent", "tone"),
    [
        (0, 10, "0.0", "brand"),
        (79, 100, "79.0", "brand"),
        (80, 100, "80.0", "warn"),
        (95, 100, "95.0", "bad"),
        (300, 100, "100.0", "bad"),
        (7, 0, "", "brand"),
    ],
)
def test_the_bar_warns_before_the_limit_and_never_leaves_its_frame(
    used: int, limit: int, percent: str, tone: str
) -> None:
    bar = panel.usage_bar(used, limit)
    assert (bar["percent"], bar["tone"]) == (percent, tone)


def test_the_width_of_a_bar_is_never_localized() -> None:
    with translation.override("de"):
        assert panel.usage_bar(1, 3)["percent"] == "33.3"


def test_a_quota_column_in_megabytes_is_a_limit_too() -> None:
    assert panel.usage_bar(GIB, limit_mb=2048)["text"] == "1 of 2 GB"


def rendered(source: str, url: str = "/domains/", **values: object) -> str:
    return Template(source).render(RequestContext(RequestFactory().get(url), values))


def test_a_second_click_on_a_header_turns_the_order_and_starts_on_the_first_page() -> None:
    header = rendered('{% sort_link "name" "Name" %}', "/?q=a&page=3", sort="name")
    assert 'aria-sort="ascending"' in header
    assert 'href="?q=a&amp;sort=-name"' in header
    assert "aria-sort" not in rendered('{% sort_link "name" "Name" %}', sort="-storage")
    assert 'aria-sort="ascending"' in rendered('{% sort_link "name" "Name" default=True %}', sort="")


def test_a_filter_keeps_the_search_and_drops_the_page() -> None:
    assert rendered('{% filter_url "status" "on" %}', "/?q=a+b&page=3&status=off") == "?q=a+b&amp;status=on"
    assert rendered('{% filter_url "status" "" %}', "/?q=a&status=off") == "?q=a"


def test_another_page_keeps_everything_else() -> None:
    assert rendered("{% page_url 2 %}", "/?q=%26x&page=9") == "?q=%26x&amp;page=2"


def test_an_icon_is_silent_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in panel.icon("pencil")
    assert 'aria-label="&lt;Edit&gt;"' in panel.icon("pencil", "<Edit>")


class SampleForm(PanelForm):
    halves = frozenset({"quota"})
    shown_when = {"notes": "enabled=on"}
    more = (FieldGroup("More", "at", ("notes", "missing")), FieldGroup("Gone", "at", ("missing",)))

    address = AddressField(
        label="Address", domains=("example.org", "xn--bcher-kva.example"), help_text="Lower case"
    )
    quota = forms.IntegerField(label="Quota", widget=UnitInput("MB"))
    enabled = forms.BooleanField(label="Enabled", required=False, widget=Switch)
    recipients = ValueListField(label="Recipients", required=False)
    notes = forms.CharField(label="Notes", required=False, widget=forms.Textarea)


def field_html(form: forms.Form, name: str) -> str:
    return str(form[name].as_field_group())


def test_an_address_is_one_value_with_its_domain_offered_in_its_own_script() -> None:
    form = SampleForm({"address_local": " jo ", "address_domain": "xn--bcher-kva.example", "quota": "1"})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["address"] == "jo@xn--bcher-kva.example"
    assert ">bücher.example</option>" in field_html(form, "address")


@pytest.mark.parametrize("data", [{}, {"address_local": "jo"}, {"address_domain": "example.org"}])
def test_half_an_address_is_refused(data: dict[str, str]) -> None:
    assert "address" in SampleForm(data).errors


def test_a_domain_that_was_not_offered_is_refused() -> None:
    assert "address" in SampleForm({"address_local": "jo", "address_domain": "other.example"}).errors


def test_an_empty_local_part_is_a_catch_all_where_the_field_allows_it() -> None:
    class CatchAll(PanelForm):
        address = AddressField(domains=("example.org",), local_required=False)

    form = CatchAll({"address_local": "", "address_domain": "example.org"})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["address"] == "@example.org"


def test_offered_domains_of_one_form_do_not_leak_into_the_next() -> None:
    first, second = SampleForm(), SampleForm()
    field = first.fields["address"]
    assert isinstance(field, AddressField)
    field.offer(["secret.example"])
    assert "secret.example" not in field_html(second, "address")
    assert "secret.example" not in field_html(SampleForm(), "address")


def test_a_refusal_stands_at_its_field_and_is_named_by_it() -> None:
    html = field_html(SampleForm({"quota": "many"}), "quota")
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_quota_error"' in html
    assert 'id="id_quota_error"' in html
    help_and_error = field_html(SampleForm({}), "address")
    assert 'aria-describedby="id_address_helptext id_address_error"' in help_and_error
    assert 'id="id_address_helptext"' in help_and_error


def test_a_label_belongs_to_the_control_that_is_there() -> None:
    assert 'for="id_address_0"' in field_html(SampleForm(), "address")
    assert 'id="id_address_0"' in field_html(SampleForm(), "address")


def test_controls_get_their_classes_from_the_renderer() -> None:
    form = SampleForm()
    assert 'class="form-control"' in field_html(form, "quota")
    assert 'class="form-select"' in field_html(form, "address")
    assert 'class="form-check-input"' in field_html(form, "enabled")
    assert 'class="form-control"' in field_html(form, "notes")


def test_a_hostile_value_is_text() -> None:
    form = SampleForm(QueryDict("quota=%22%3E%3Cscript%3E&recipients=%22%3E%3Cscript%3E"))
    assert "<script>" not in field_html(form, "quota") + field_html(form, "recipients")


def test_blank_lines_of_a_list_are_no_values_and_spare_lines_are_there() -> None:
    form = SampleForm(
        QueryDict(
            "address_local=jo&address_domain=example.org&quota=1&recipients=a&recipients=+&recipients=b"
        )
    )
    assert form.is_valid(), form.errors
    assert form.cleaned_data["recipients"] == ["a", "b"]
    assert (
        field_html(form, "recipients").count('name="recipients"') == 5
    )  # two values, two spare, the template


def test_a_form_shows_the_short_part_first_and_drops_groups_without_fields() -> None:
    form = SampleForm()
    assert [field.name for field in form.short_fields()] == ["address", "quota", "enabled", "recipients"]
    assert [(group.label, [field.name for field in group.fields]) for group in form.more_groups()] == [
        ("More", ["notes"])
    ]
    assert 'data-shown-when="enabled=on"' in field_html(form, "notes")
    assert "half" in field_html(form, "quota")


def test_a_refusal_never_hides_in_a_folded_group() -> None:
    form = SampleForm({"address_local": "jo", "address_domain": "example.org", "quota": "1"})
    form.add_error("notes", "Too long.")
    assert [group.is_open for group in form.more_groups()] == [True]


def test_what_happened_within_a_minute_happened_just_now() -> None:
    now = timezone.now()
    assert panel.ago(now - timedelta(seconds=59)) == "just now"
    assert panel.ago(now - timedelta(hours=2, seconds=5)) == "2\xa0hours ago"
