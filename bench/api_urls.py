"""The panel's addresses, and a bare view beside them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from modoboa_site.urls import urlpatterns as product


@cache
def _value() -> Any:
    return json.loads(Path(os.environ["MODOBOA_BENCH_BARE"]).read_text(encoding="utf-8"))


class Bare(APIView):
    """A page of the API, from memory: what the framework costs by itself."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def get(self, _request: Request) -> Response:
        """Render it."""
        return Response(_value())


urlpatterns = [*product, path("bare/", Bare.as_view())]
