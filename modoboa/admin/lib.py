"""Stable import path for plugins: who may open a view."""

from admin.plugin_access import needs_mailbox

__all__ = ["needs_mailbox"]
