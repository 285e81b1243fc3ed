"""Screens of imports: a file, what its columns mean, the plan, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin import policies
from admin.forms.imports import MB, ImportColumnsForm, ImportForm, too_long
from admin.gateways.import_files import ImportFiles
from admin.imports import jobs
from admin.imports.examples import EXAMPLE, examples
from admin.imports.files import FileError
from admin.imports.jobs import Job, NotNow, State
from admin.imports.plans import plan_of
from admin.views.access import only
from admin.views.answers import answer_form, posted
from core.middleware import AuthedRequest

if TYPE_CHECKING:
    from pathlib import Path

# What a form says besides its file.
_REST: Final = 100_000
_JOBS_SHOWN: Final = 10


@csrf_exempt  # the token is looked for below: whoever looks has read the whole body
@only(policies.may_import)
@require_http_methods(["GET", "HEAD", "POST"])
def import_create(request: AuthedRequest) -> HttpResponse:
    """Show the form, and take the file; a body that is too long is not even read."""
    length = request.META.get("CONTENT_LENGTH", "")
    if length.isdigit() and int(length) > settings.MODOBOA_IMPORT_MAX_MB * MB + _REST:
        form = ImportForm(actor=request.actor)
        context = {"form": form, "too_long": too_long(), **_around(request)}
        return render(request, "admin/import_create.html", context, status=413)
    return _import_create(request)


@csrf_protect
def _import_create(request: AuthedRequest) -> HttpResponse:
    form = ImportForm(posted(request), request.FILES or None, actor=request.actor)
    if form.is_valid():
        file = form.cleaned_data["file"]
        job = Job(
            owner=request.actor.pk,
            address=request.actor.address,
            name=file.name,
            created_at=time.time(),
            **form.values(),
        )
        try:
            jobs.begin(request.actor, job, file.chunks())
        except (NotNow, FileError) as refusal:
            form.add_error(None, str(refusal))
        except OSError as error:
            form.add_error(None, _("The file cannot be kept here: %(reason)s") % {"reason": error.strerror})
        else:
            return redirect("admin:import_detail", job.token)
    return answer_form(request, "admin/import_create.html", form, **_around(request))


def _around(request: AuthedRequest) -> dict[str, Any]:
    return {"jobs": jobs.jobs_of(request.actor)[:_JOBS_SHOWN], "examples": examples(request.actor)}


@only(policies.may_import)
@require_safe
def import_example(request: AuthedRequest) -> HttpResponse:
    """A file to begin with."""
    content = "".join(f"{example.line}\r\n" for example in examples(request.actor))
    disposition = {"Content-Disposition": f'attachment; filename="{EXAMPLE}"'}
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=disposition)


@only(policies.may_import)
@require_http_methods(["GET", "HEAD", "POST"])
def import_columns(request: AuthedRequest, token: str) -> HttpResponse:
    """Ask what the columns mean, and plan."""
    job = _own(request, token)
    if job.state != State.ASKING or not job.has_upload:
        return redirect("admin:import_detail", token)
    form = ImportColumnsForm(posted(request), beginning=jobs.look_at(job))
    if form.is_valid():
        return _begun(request, job, lambda: jobs.explain(request.actor, job, form.layout()))
    return answer_form(request, "admin/import_columns.html", form, job=job)


@only(policies.may_import)
@require_safe
def import_detail(request: AuthedRequest, token: str) -> HttpResponse:
    """The bar while it works (htmx asks for that part), then the plan, then the result."""
    job = _own(request, token)
    if job.state == State.ASKING and job.has_upload:
        return redirect("admin:import_columns", token)
    if job.is_working:
        return _progress(request, job)
    if request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"):
        return HttpResponse(headers={"HX-Refresh": "true"})
    plan = plan_of(job, request.GET) if job.state in {State.PLANNED, State.APPLIED} else None
    if plan is None:
        return render(request, "admin/import_ended.html", {"job": job})
    return render(request, "admin/import_detail.html", {"job": job, "plan": plan, "page": plan.page})


def _progress(request: AuthedRequest, job: Job) -> HttpResponse:
    is_part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    template = "admin/import_progress.html"
    percent = f"{job.done * 100 / job.total:.1f}" if job.total else "0"
    response = render(
        request, f"{template}#progress" if is_part else template, {"job": job, "percent": percent}
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


@only(policies.may_import)
@require_POST
def import_plan(request: AuthedRequest, token: str) -> HttpResponse:
    """The same file once more."""
    job = _own(request, token)
    return _begun(request, job, lambda: jobs.plan(request.actor, job))


@only(policies.may_import)
@require_POST
def import_apply(request: AuthedRequest, token: str) -> HttpResponse:
    """Exactly the plan that was shown."""
    job = _own(request, token)
    job.digest = request.POST.get("digest", "")
    return _begun(request, job, lambda: jobs.apply(request.actor, job))


@only(policies.may_import)
@require_POST
def import_cancel(request: AuthedRequest, token: str) -> HttpResponse:
    """End it, whatever it does."""
    jobs.cancel(_own(request, token))
    return redirect("admin:import_detail", token)


@only(policies.may_import)
@require_safe
def import_refused(request: AuthedRequest, token: str) -> FileResponse:
    """The refused lines as they stood in the file, to be corrected and uploaded again."""
    return _download(_own(request, token), "refused")


@only(policies.may_import)
@require_safe
def import_reasons(request: AuthedRequest, token: str) -> FileResponse:
    """Why lines were refused, as a table."""
    return _download(_own(request, token), "reasons")


def _download(job: Job, which: str) -> FileResponse:
    path: Path = getattr(ImportFiles(job.token), which)
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    stem = job.name.rpartition(".")[0] or job.name
    return FileResponse(stream, as_attachment=True, filename=f"{stem}-{which}.csv", content_type="text/csv")


def _own(request: AuthedRequest, token: str) -> Job:
    job = jobs.job_of(request.actor, token)
    if job is None:
        raise Http404
    return job


def _begun(request: AuthedRequest, job: Job, begin: Callable[[], None]) -> HttpResponse:
    try:
        begin()
    except NotNow as refusal:
        messages.warning(request, str(refusal))
    return redirect("admin:import_detail", job.token)
