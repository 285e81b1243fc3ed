"""Stable import path for plugins: the class that describes one, and the pool that loads it."""

from core.extensions import ExtensionsPool, ModoExtension, exts_pool

__all__ = ["ExtensionsPool", "ModoExtension", "exts_pool"]
