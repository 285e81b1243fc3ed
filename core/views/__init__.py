"""Screens of the core."""

from core.views.failures import page_not_found, server_error

__all__ = ["page_not_found", "server_error"]
