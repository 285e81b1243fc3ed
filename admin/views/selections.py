"""What was selected in a list, and the way back to it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from admin.bulk_changes import MOST, Ids, number_of
from core.middleware import AuthedRequest


def filter_of(request: AuthedRequest) -> QueryDict:
    """What stood in the URL of the list: carried along in a field, or still in the URL."""
    return QueryDict(request.POST["filter"]) if "filter" in request.POST else request.GET


def list_url(request: AuthedRequest, url_name: str) -> str:
    """The list as it was."""
    given = filter_of(request).urlencode()
    return f"{reverse(url_name)}?{given}" if given else reverse(url_name)


def back_to_list(request: AuthedRequest, url_name: str, words: str) -> HttpResponseRedirect:
    """To the list, with a word about what is missing."""
    messages.warning(request, words)
    return HttpResponseRedirect(list_url(request, url_name))


def objection_to(ids: Ids) -> str:
    """Why nothing can be done with these; "" when something can."""
    if not number_of(ids):
        return _("Nothing was selected. Tick some rows first.")
    if number_of(ids) > MOST:
        shown = {"most": number_format(MOST, use_l10n=True, force_grouping=True)}
        return _("At most %(most)s fit into one go. Narrow the list first.") % shown
    return ""
