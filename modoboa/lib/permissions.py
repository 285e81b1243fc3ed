"""Stable import path for plugins: roles, owners and who sees what."""

from admin.plugin_access import add_permissions_to_group, get_account_roles, get_object_owner, may_access

__all__ = ["add_permissions_to_group", "get_account_roles", "get_object_owner", "may_access"]
