"""Bodies of requests: how large and deep they may be, and what no text or number in them may hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

_DEEPEST: Final = 20
_LARGEST_NUMBER: Final = 2**63 - 1


class BodyTooLarge(exceptions.APIException):
    """More than the setting allows."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body is too large.")
    default_code = "body_too_large"


def check_size(request: Request) -> None:
    """Refuse by the announced length; what is not announced is not read."""
    announced = str(request.META.get("CONTENT_LENGTH") or "0")
    if announced.isdigit() and int(announced[:12]) > settings.MODOBOA_API_MAX_BODY_BYTES:
        raise BodyTooLarge


def check_query(given: Mapping[str, str]) -> None:
    """No database takes a NUL."""
    if any("\0" in text for pair in given.items() for text in pair):
        _refuse("The address holds a NUL character.")


class StrictJSONParser(BaseParser):
    """JSON as the standard has it, within limits: every mistake is a 400."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002  the library's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002  as above
    ) -> Any:
        """The value of the body."""
        try:
            value = json.loads(
                stream.read().decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
            )
        except RecursionError:
            _refuse("The body is nested too deeply.")
        except ValueError as error:  # bytes that are no UTF-8, grammar, numbers with thousands of digits
            raise exceptions.ParseError from error
        check_values(value)
        return value


def check_values(value: Any) -> None:
    """Refuse texts that cannot be stored and numbers that do not fit, however deep."""
    level: list[Any] = [value]
    for _depth in range(_DEEPEST):
        level = [each for one in level for each in _inside(one)]
        if not level:
            return
    _refuse("The body is nested too deeply.")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        _refuse("A number is too large.")
    elif isinstance(value, dict):
        for key in value:
            _check_text(key)
        return value.values()
    elif isinstance(value, list):
        return value
    return ()


def _check_text(text: str) -> None:
    if "\0" in text:
        _refuse("A text holds a NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        _refuse("A text holds half a surrogate pair.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse("A number is too large.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    _refuse(f"{name} is no JSON.")


def _refuse(words: str) -> NoReturn:
    raise exceptions.ParseError(words)
