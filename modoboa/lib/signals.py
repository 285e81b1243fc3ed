"""Stable import path for plugins: the request that is being answered."""

from core.current_request import get_request

__all__ = ["get_request"]
