"""Views are closed to strangers by the panel; who may do what is the plugin's business."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from rest_framework.response import Response
from rest_framework.views import APIView

from admin.models import Domain
from core.api.authentication import actor_of
from modoboa.admin.lib import needs_mailbox
from modoboa.lib import exceptions
from modoboa.lib.signals import get_request
from modoboa.parameters import tools as param_tools

from .models import DomainNote

ERRORS = {
    "bad": exceptions.BadRequest,
    "denied": exceptions.PermDeniedException,
    "missing": exceptions.NotFound,
    "conflict": exceptions.Conflict,
    "internal": exceptions.InternalError,
}


def index(request):
    """A page in the frame of the panel; notes of domains that the person sees."""
    seen = Domain.objects.visible_to(request.actor)
    notes = DomainNote.objects.filter(domain__in=seen).select_related("domain").order_by("domain__name")
    greeting = param_tools.get_global_parameter("greeting")
    same = get_request() is not None and get_request().path == request.path
    context = {"notes": notes, "greeting": greeting, "same": same}
    return render(request, "example_plugin/index.html", context)


def own(request):
    """Show a page among those of one's own account."""
    return render(request, "example_plugin/own.html")


def refused(request, kind):
    """Errors with a sentence and a status."""
    raise ERRORS[kind]("The plugin says no.")


@permission_required("example_plugin.change_domainnote", raise_exception=True)
def managers(request):
    """For roles that got the permission by ``extra_role_permissions``."""
    return HttpResponse("for managers")


@needs_mailbox()
def mailbox(request):
    """For accounts with a mailbox."""
    return HttpResponse(request.user.email)


def domain(request, pk):
    """Load objects through what the person sees: 404 for anything else."""
    found = get_object_or_404(Domain.objects.visible_to(request.actor), pk=pk)
    return HttpResponse(found.name, content_type="text/plain")


class NoteList(APIView):
    """Notes as JSON; a token needs the scope ``domains:read``."""

    areas = ("domains",)

    def get(self, request):
        """Those that whoever asks sees; a token may be for some domains only."""
        if request.query_params.get("fail"):
            raise exceptions.Conflict("The plugin says no.")
        seen = Domain.objects.visible_to(actor_of(request))
        notes = DomainNote.objects.filter(domain__in=seen).order_by("domain__name")
        return Response(list(notes.values("domain__name", "text")))
