"""Stable import path for plugins: signals that they may answer."""

from core.signals import register_postfix_maps

__all__ = ["register_postfix_maps"]
