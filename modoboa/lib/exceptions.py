"""Stable import path for plugins: errors with a sentence and a status."""

from core.exceptions import (
    BadRequest,
    Conflict,
    InternalError,
    ModoboaException,
    NotFound,
    PermDeniedException,
)

__all__ = ["BadRequest", "Conflict", "InternalError", "ModoboaException", "NotFound", "PermDeniedException"]
