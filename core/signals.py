"""Hooks that plugins answer (docs/plugins.md): what each is sent with, and what it expects."""

from typing import Final

from core.hooks import Hook

# --- what happened: answers mean nothing ---------------------------------------------------------------------------

# An account was made at its first sign-in through another system.
account_auto_created: Final = Hook("user")
# An account is about to be deleted; inside the transaction.
account_deleted: Final = Hook("user")
# An account was made by a line of a CSV file: `row` is its cells after the role. Inside the transaction, also of a
# plan.
account_imported: Final = Hook("user", "account", "row")
# The password (in clear) that an account was given; after the transaction.
account_password_updated: Final = Hook("account", "password", "created")
# An account is about to get another role; inside the transaction.
account_role_changed: Final = Hook("account", "role")
# `load_initial_data` has loaded the data of an extension.
initial_data_loaded: Final = Hook("extname")
# Somebody signed in, with this password; somebody signs out.
user_login: Final = Hook("username", "password")
user_logout: Final = Hook("request")

# --- questions -----------------------------------------------------------------------------------------------------

# True: the password of this account is not changed here.
allow_password_change: Final = Hook("user")
# Raise to veto. `context` is the account or the domain that has to have room, `instance` None.
can_create_object: Final = Hook("context", "klass", "object_type", "count", "instance")
# False: the role is not given.
user_can_set_role: Final = Hook("user", "role", "account")

# --- parts of screens and files ------------------------------------------------------------------------------------

account_exported: Final = Hook("user")
extra_account_actions: Final = Hook("account")
extra_admin_dashboard_widgets: Final = Hook("user")
extra_admin_menu_entries: Final = Hook("location", "user")
extra_role_permissions: Final = Hook("role")
extra_static_content: Final = Hook("caller", "st_type", "user")
extra_uprefs_routes: Final = Hook()
extra_user_menu_entries: Final = Hook("location", "user")
get_announcements: Final = Hook("location")
get_top_notifications: Final = Hook("include_all")
# Map files for Postfix; `admin.lookups.postfix_maps` says what one is.
register_postfix_maps: Final = Hook()
