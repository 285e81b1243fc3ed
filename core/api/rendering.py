"""JSON, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer


class Written(str):
    """JSON that is written already."""

    __slots__ = ()


class PlainJSONRenderer(JSONRenderer):
    """Passes on what is written already."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Bytes of an answer."""
        if isinstance(data, Written):
            return data.encode()
        rendered: bytes = super().render(data, accepted_media_type, renderer_context)
        return rendered
