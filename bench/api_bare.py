"""Addresses for bench/api.py: the panel, and beside it a view that returns bytes from memory.

``/bare/<name>/`` answers the JSON of the file <name>.json in BENCH_ANSWERS, through the library as any view of the API.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView


class Bare(APIView):
    """The same bytes from memory."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def get(self, _request: Any, name: str) -> Response:
        """Render them."""
        return Response(_value(name))


@cache
def _value(name: str) -> Any:
    return json.loads((Path(os.environ["BENCH_ANSWERS"]) / f"{name}.json").read_text(encoding="utf-8"))


urlpatterns = [path("bare/<slug:name>/", Bare.as_view()), path("", include("modoboa_site.urls"))]
