"""Domains, accounts and aliases as CSV files: what a list shows on all its pages, or what was selected in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from admin import policies
from admin.bulk_changes import Ids, Kind
from admin.exports.domain_rows import domain_rows
from admin.exports.identity_rows import identity_rows
from admin.forms.bulk import opened_selection, sealed, ticked
from admin.forms.csv_exports import CsvExportForm
from admin.queries.bulk import in_words
from admin.views.access import only
from admin.views.answers import answer_form, posted
from admin.views.selections import back_to_list, filter_of, list_url, objection_to
from core.middleware import AuthedRequest
from core.spreadsheets import Row, csv_bytes

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True, slots=True)
class _List:
    """A list that can be exported; *key* is its name in the template."""

    key: str
    label: _StrOrPromise
    url_name: str
    export_url_name: str
    kinds: tuple[Kind, ...]
    rows: Callable[..., Iterator[Row]]


_DOMAINS: Final = _List(
    "domains",
    gettext_lazy("Domains"),
    "admin:domain_list",
    "admin:domain_export",
    (Kind.DOMAIN,),
    domain_rows,
)
_IDENTITIES: Final = _List(
    "identities",
    gettext_lazy("Identities"),
    "admin:identity_list",
    "admin:identity_export",
    (Kind.ACCOUNT, Kind.ALIAS),
    identity_rows,
)


@only(policies.may_see_domains)
@require_http_methods(["GET", "HEAD", "POST"])
def domain_export(request: AuthedRequest) -> HttpResponseBase:
    """Domains, relay domains and domain aliases."""
    return _answer(request, _DOMAINS)


@only(policies.may_see_identities)
@require_http_methods(["GET", "HEAD", "POST"])
def identity_export(request: AuthedRequest) -> HttpResponseBase:
    """Accounts and aliases."""
    return _answer(request, _IDENTITIES)


def _answer(request: AuthedRequest, listed: _List) -> HttpResponseBase:
    """The form, then the file; the bar of a list posts a selection and no form yet."""
    if request.method == "POST" and "filename" not in request.POST:
        return _begin_with_selection(request, listed)
    ids = None
    if selection := request.POST.get("selection"):
        ids = opened_selection(request.actor, selection, listed.kinds)
        if ids is None:
            return back_to_list(request, listed.url_name, _("This selection is too old. Select again."))
    form = CsvExportForm(posted(request), initial=_initial(request, listed))
    if form.is_valid():
        rows = listed.rows(request.actor, filter_of(request) if ids is None else {}, ids)
        return _download(form.cleaned_data["filename"], csv_bytes(rows, form.cleaned_data["sepchar"]))
    return _show(request, listed, form, ids)


def _begin_with_selection(request: AuthedRequest, listed: _List) -> HttpResponse:
    if "all" in request.POST:
        query = filter_of(request).urlencode()
        return HttpResponseRedirect(f"{reverse(listed.export_url_name)}?{query}")
    ids = ticked(request.POST, listed.kinds)
    if objection := objection_to(ids):
        return back_to_list(request, listed.url_name, objection)
    initial = _initial(request, listed) | {"selection": sealed(request.actor, ids)}
    return _show(request, listed, CsvExportForm(initial=initial), ids)


def _initial(request: AuthedRequest, listed: _List) -> dict[str, str]:
    return {"filename": f"modoboa-{listed.key}.csv", "filter": filter_of(request).urlencode()}


def _show(request: AuthedRequest, listed: _List, form: CsvExportForm, ids: Ids | None) -> HttpResponse:
    filters = {name for name, value in filter_of(request).items() if value} - {"page", "sort"}
    return answer_form(
        request,
        "admin/csv_export.html",
        form,
        key=listed.key,
        list_label=listed.label,
        list_url=list_url(request, listed.url_name),
        selected="" if ids is None else in_words(ids),
        is_filtered=bool(filters),
        has_hashes=policies.may_export_hashes(request.actor),
    )


def _download(filename: str, pieces: Iterator[bytes]) -> StreamingHttpResponse:
    # The first rows are read here: what goes wrong with them is an answer still.
    first = next(pieces, b"")
    disposition = content_disposition_header(as_attachment=True, filename=filename)
    return StreamingHttpResponse(
        chain((first,), pieces),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": disposition},
    )
