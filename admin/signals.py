"""Hooks about accounts and domains that plugins answer (docs/plugins.md)."""

from typing import Final

from core.hooks import Hook

# --- accounts ------------------------------------------------------------------------------------------------------

# False: the tab is not shown for this account.
check_extra_account_form: Final = Hook("account", "form")
extra_account_dashboard_widgets: Final = Hook("user", "account")
extra_account_forms: Final = Hook("user", "account")
get_account_form_instances: Final = Hook("user", "account")
# True: recipients that nobody has here are taken as somebody else's business.
use_external_recipients: Final = Hook("recipients")

# --- domains -------------------------------------------------------------------------------------------------------

extra_domain_actions: Final = Hook("user", "domain")
extra_domain_dashboard_widgets: Final = Hook("user", "domain")
extra_domain_filters: Final = Hook()
extra_domain_forms: Final = Hook("user", "domain")
extra_domain_menu_entries: Final = Hook("user")
extra_domain_qset_filters: Final = Hook("domfilter", "extrafilters")
extra_domain_types: Final = Hook()
extra_domain_wizard_steps: Final = Hook()
get_domain_form_instances: Final = Hook("user", "domain")
get_domain_tags: Final = Hook("domain")

# --- both ----------------------------------------------------------------------------------------------------------

extra_admin_content: Final = Hook("user", "location", "currentpage")
# The function for lines of a type of an import; `admin.imports.plugins` says what it gets.
import_object: Final = Hook("objtype")
