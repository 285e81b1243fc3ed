"""Forms as a browser has them in front of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.test import Client

from core.form_rendering import PanelForm


def opened(browser: Client, url: str) -> dict[str, Any]:
    """What the form behind *url* would send if nobody touched it."""
    contexts: Any = browser.get(url).context
    found = [each["form"] for each in contexts if "form" in each]
    # Forms of plugins are tried before the page is made.
    form: forms.Form = next((each for each in found if isinstance(each, PanelForm)), found[0])
    values = {field.name: field.field.prepare_value(field.value()) for field in form}
    return {
        name: "on" if value is True else value for name, value in values.items() if value not in (None, False)
    }


def codes(answer: Any) -> set[str]:
    """Of what the form was refused for."""
    form = answer.context["form"] if answer.context and "form" in answer.context else None
    errors = form.errors.as_data() if form is not None else {}
    return {one.code for found in errors.values() for one in found}
