"""Screens of the core."""

from core.views.sessions import server_error

__all__ = ["server_error"]
