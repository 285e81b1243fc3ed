"""Stable import path for plugins: signals that they may answer."""

from admin.signals import import_object

__all__ = ["import_object"]
