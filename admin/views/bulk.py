"""Many things at once: what was selected in a list, what would change, and what came of it.

Every step is an answer to a POST, and nothing is kept between them: the browser carries the selection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from admin import policies
from admin.bulk_changes import MOST, TO_ORDERS, TO_THINGS, BulkChange, Ids, Kind, Verb, number_of
from admin.forms.bulk import (
    BulkForm,
    DomainQuotaForm,
    MailboxQuotaForm,
    opened_plan,
    opened_selection,
    sealed,
    ticked,
)
from admin.operations.bulk import (
    BulkPlan,
    BulkReport,
    change_domains,
    change_identities,
    decide_about_directories,
)
from admin.operations.homes import panel_moves_directories
from admin.queries.bulk import (
    Preview,
    in_words,
    matching_domains,
    matching_identities,
    matching_orders,
    preview,
    reported,
)
from admin.views.access import only
from admin.views.selections import back_to_list, filter_of, list_url, objection_to
from core.middleware import AuthedRequest
from core.refusals import Refusal
from core.refusing import refuse

if TYPE_CHECKING:
    from django import forms
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor


@dataclass(frozen=True, slots=True)
class _List:
    """A list in which things are selected; *key* is its name in the browser."""

    key: str
    label: _StrOrPromise
    url_name: str
    kinds: tuple[Kind, ...]
    verbs: tuple[Verb, ...]
    matching: Callable[[Actor, Mapping[str, str], int], Ids]
    carry_out: Callable[[Actor, BulkPlan], BulkReport]
    quota_form: type[MailboxQuotaForm | DomainQuotaForm] = MailboxQuotaForm


_IDENTITIES: Final = _List(
    "identities",
    gettext_lazy("Identities"),
    "admin:identity_list",
    (Kind.ACCOUNT, Kind.ALIAS),
    TO_THINGS,
    matching_identities,
    change_identities,
    MailboxQuotaForm,
)
_DOMAINS: Final = _List(
    "domains",
    gettext_lazy("Domains"),
    "admin:domain_list",
    (Kind.DOMAIN,),
    TO_THINGS,
    matching_domains,
    change_domains,
    DomainQuotaForm,
)
_ORDERS: Final = _List(
    "orders",
    gettext_lazy("Mail directories"),
    "admin:directory_list",
    (Kind.ORDER,),
    TO_ORDERS,
    matching_orders,
    decide_about_directories,
)


@only(policies.may_manage_accounts)
@require_POST
def identity_bulk(request: AuthedRequest) -> HttpResponse:
    """Accounts and aliases."""
    return _answer(request, _IDENTITIES)


@only(policies.may_manage_domains)
@require_POST
def domain_bulk(request: AuthedRequest) -> HttpResponse:
    """Domains."""
    return _answer(request, _DOMAINS)


@only(policies.may_decide_about_directories)
@require_POST
def directory_bulk(request: AuthedRequest) -> HttpResponse:
    """Orders about mail directories."""
    return _answer(request, _ORDERS)


def _answer(request: AuthedRequest, listed: _List) -> HttpResponse:
    """First the question "how much", where there is one, then the preview, then the report."""
    if "plan" in request.POST:
        return _carry_out(request, listed)
    verb = request.POST.get("verb", "")
    if verb not in listed.verbs:
        return back_to_list(request, listed.url_name, _("Choose what to do with them."))
    ids = _selected(request, listed)
    if objection := objection_to(ids):
        return back_to_list(request, listed.url_name, objection)
    if verb == Verb.QUOTA:
        return _ask_how_much(request, listed, ids)
    return _show(request, listed, preview(request.actor, BulkChange(verb=Verb(verb)), ids))


def _selected(request: AuthedRequest, listed: _List) -> Ids:
    """Carried along from the question, everything that the filter leaves, or what was ticked."""
    if "selection" in request.POST:
        return opened_selection(request.actor, request.POST["selection"], listed.kinds) or {}
    if "all" in request.POST:
        return listed.matching(request.actor, filter_of(request), MOST + 1)
    return ticked(request.POST, listed.kinds)


def _ask_how_much(request: AuthedRequest, listed: _List, ids: Ids) -> HttpResponse:
    asked = "selection" in request.POST
    form = listed.quota_form(request.POST if asked else None)
    found = preview(request.actor, form.change(), ids) if form.is_valid() else None
    return _show(request, listed, found, amount=form, selection=sealed(request.actor, ids))


def _carry_out(request: AuthedRequest, listed: _List) -> HttpResponse:
    carried = opened_plan(request.actor, request.POST["plan"], listed.kinds)
    if carried is None or carried[1].verb not in listed.verbs:
        words = _("This preview is too old. Select again and look at it once more.")
        return back_to_list(request, listed.url_name, words)
    ids, change = carried
    form = _confirmation(ids, change, data=request.POST)
    if form.is_valid():
        answers = form.cleaned_data.keys() & {"keep_directories", "confirm_below_usage", "mailbox"}
        plan = BulkPlan(change, ids, **{name: form.cleaned_data[name] for name in answers})
        try:
            return _report(request, listed, change, listed.carry_out(request.actor, plan))
        except Refusal as refusal:
            refuse(form, refusal)
    found = preview(request.actor, change, ids)
    if number_of(found.ids) == number_of(ids):
        return _show(request, listed, found, form=form)
    messages.warning(request, _("Something changed meanwhile. Look at it once more."))
    return _show(request, listed, found)


def _confirmation(ids: Ids, change: BulkChange, **kwargs: Any) -> BulkForm:
    deletes_mailboxes = any(ids.get(kind) for kind in (Kind.ACCOUNT, Kind.DOMAIN))
    return BulkForm(
        number=number_of(ids),
        verb=change.verb,
        has_directories=deletes_mailboxes and panel_moves_directories(),
        **kwargs,
    )


def _show(
    request: AuthedRequest,
    listed: _List,
    found: Preview | None,
    *,
    form: BulkForm | None = None,
    amount: forms.Form | None = None,
    selection: str = "",
) -> HttpResponse:
    """The preview, with the plan to send back in *form*; before it, for quotas, the question *amount*."""
    if found is not None and form is None:
        initial = {
            "plan": sealed(request.actor, found.ids, found.change),
            "filter": filter_of(request).urlencode(),
        }
        form = _confirmation(found.ids, found.change, initial=initial)
    refused = any(asked.errors for asked in (form, amount) if asked is not None)
    context = {
        "preview": found,
        "verb": found.change.verb if found else Verb.QUOTA,
        "what": in_words(found.ids) if found else "",
        "form": form,
        "amount": amount,
        "selection": selection,
    }
    return render(
        request, "admin/bulk_preview.html", context | _place(request, listed), status=422 if refused else 200
    )


def _report(request: AuthedRequest, listed: _List, change: BulkChange, report: BulkReport) -> HttpResponse:
    """The answer to the last POST itself: sent again, it finds everything done already."""
    inverse = {Verb.ENABLE: Verb.DISABLE, Verb.DISABLE: Verb.ENABLE}.get(change.verb)
    context = {
        "verb": change.verb,
        "done": in_words(report.done),
        "unchanged": in_words(report.unchanged),
        "skipped": reported((s.kind, s.name, s.code, s.reason) for s in report.skipped),
        "inverse": inverse if number_of(report.done) else None,
        "selection": sealed(request.actor, report.done) if inverse else "",
    }
    return render(request, "admin/bulk_report.html", context | _place(request, listed))


def _place(request: AuthedRequest, listed: _List) -> dict[str, Any]:
    """Where all this started."""
    return {
        "key": listed.key,
        "list_label": listed.label,
        "list_url": list_url(request, listed.url_name),
        "filter": filter_of(request).urlencode(),
    }
