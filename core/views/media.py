"""The one file of MEDIA_ROOT that everybody may see."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import http_date
from django.views.decorators.http import require_safe

# What browsers show as a picture. A type that is not here is not handed out.
_TYPES = {
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_KEPT_S = 3600


@login_not_required
@require_safe
def logo(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  a view takes it
    """The custom logo. Nothing else in that directory is anybody's business."""
    if settings.MEDIA_URL + name not in {settings.MODOBOA_CUSTOM_LOGO, settings.MODOBOA_CUSTOM_LOGO_DARK}:
        raise Http404
    file = Path(settings.MEDIA_ROOT, name)
    kind = _TYPES.get(file.suffix.lower())
    if (
        kind is None
        or not file.is_file()
        or not file.resolve().is_relative_to(Path(settings.MEDIA_ROOT).resolve())
    ):
        raise Http404
    response = HttpResponse(file.read_bytes(), content_type=kind)
    response.headers["Cache-Control"] = f"public, max-age={_KEPT_S}"
    response.headers["Last-Modified"] = http_date(file.stat().st_mtime)
    # An SVG that somebody opens by itself could run scripts.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response
