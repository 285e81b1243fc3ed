"""What is wrong, in JSON: ``{"detail", "code"}``, or ``{field: [messages], "codes": {field: [codes]}}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core.exceptions import ModoboaException
from core.refusals import WHOLE_OBJECT, Reason, Refusal
from core.throttling import Throttled

# Codes of refusals that are no 400; endpoints add theirs.
STATUSES: Final[Mapping[str, int]] = {
    "conflict": status.HTTP_409_CONFLICT,
    "referred_to": status.HTTP_409_CONFLICT,
    "changed_meanwhile": status.HTTP_409_CONFLICT,
    "gone": status.HTTP_404_NOT_FOUND,
    "above_you": status.HTTP_403_FORBIDDEN,
}


# What shapes say, as it is called at every door.
_CODES: Final[Mapping[str, str]] = {"blank": "required", "null": "required", "max_length": "too_long"}


class KeyReused(exceptions.APIException):
    """An idempotency key came with another body before."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key was used with another body."
    default_code = "idempotency_key_reused"


def answer_to(error: Exception, context: dict[str, Any]) -> Response | None:
    """Translate everything that a request can be refused with; None for our own faults."""
    if isinstance(error, Throttled):
        error = exceptions.Throttled(error.retry_after_s)
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, ModoboaException):
        return Response({"detail": str(error), "code": error.code}, error.http_code)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    if isinstance(error, exceptions.ValidationError):
        response.data = invalid_body(error.detail)
    else:
        response.data = {
            "detail": str(error.detail),
            "code": getattr(error.detail, "code", error.default_code),
        }
    return response


def invalid_body(detail: Any) -> Any:
    """Messages and codes of what a serializer refuses; a list for a batch."""
    if isinstance(detail, list):
        if detail and not isinstance(detail[0], exceptions.ErrorDetail):
            return [invalid_body(each) if each else {} for each in detail]
        detail = {"non_field_errors": detail}
    return {**_each(detail, str), "codes": _each(detail, _code)}


def _code(error: exceptions.ErrorDetail) -> str:
    code = error.code or "invalid"
    return _CODES.get(code, code)


def _each(detail: Any, value: Callable[[Any], Any]) -> Any:
    if isinstance(detail, dict):
        return {str(field): _each(each, value) for field, each in detail.items()}
    if isinstance(detail, list | tuple):
        return [_each(each, value) for each in detail]
    return value(detail)


# --- refusals of operations ------------------------------------------------------------------------------------


def refused(
    refusal: Refusal,
    *,
    size: int | None,
    place: Callable[[Reason], str],
    statuses: Mapping[str, int],
) -> Response:
    """All reasons. *size*: of a batch (None: no list was sent); *place*: dotted name of the field of a reason."""
    reasons = refusal.reasons
    told = {{**STATUSES, **statuses}.get(reason.code, status.HTTP_400_BAD_REQUEST) for reason in reasons}
    code = told.pop() if len(told) == 1 else status.HTTP_400_BAD_REQUEST
    if size is None:
        return Response(_body(reasons, place, code), code)
    bodies = [
        _body([reason for reason in reasons if reason.position == position], place, code)
        for position in range(size)
    ]
    return Response(bodies, code)


def _body(reasons: Sequence[Reason], place: Callable[[Reason], str], code: int) -> dict[str, Any]:
    if not reasons:
        return {}
    body: dict[str, Any] = {}
    codes: dict[str, Any] = {}
    for reason in reasons:
        path = (place(reason) or "non_field_errors").split(".")
        for where, value in ((body, str(reason.message)), (codes, reason.code)):
            _listed(where, path, value)
    first = reasons[0]
    if code != status.HTTP_400_BAD_REQUEST or all(each.field == WHOLE_OBJECT for each in reasons):
        body |= {"detail": str(first.message), "code": first.code}
    return body | {"codes": codes}


def _listed(where: dict[str, Any], path: list[str], value: str) -> None:
    *outer, field = path
    for name in outer:
        where = where.setdefault(name, {})
    values: list[str] = where.setdefault(field, [])
    if value not in values:
        values.append(value)
