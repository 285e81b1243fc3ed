"""Parameters as somebody has set them before a test."""

from __future__ import annotations

from typing import Any

from parameters import tools
from parameters.models import SiteParameters


def store(app: str, **values: Any) -> None:
    """Set site-wide values, without the form that would check them."""
    row, _created = SiteParameters.objects.get_or_create(pk=SiteParameters.THE_ROW)
    row.parameters.setdefault(app, {}).update(values)
    row.save()
    tools.forget()


def unset(app: str) -> None:
    """Let the defaults of an app hold."""
    row = SiteParameters.objects.get(pk=SiteParameters.THE_ROW)
    row.parameters.pop(app, None)
    row.save()
    tools.forget()
