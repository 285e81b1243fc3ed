"""Parameters of the documentation that are kept, and shown as such, although nothing in the panel reads them yet."""

from collections.abc import Mapping
from typing import Final

# Whoever reads one of them takes it out of here; a test compares this with the source.
NOT_USED_YET: Final[Mapping[str, frozenset[str]]] = {
    "core": frozenset(
        {
            "authentication_type",
            "check_new_versions",
            "enable_api_communication",
            "hide_features_widget",
            "ldap_admin_groups",
            "ldap_auth_method",
            "ldap_bind_dn",
            "ldap_bind_password",
            "ldap_group_type",
            "ldap_groups_search_base",
            "ldap_is_active_directory",
            "ldap_password_attribute",
            "ldap_search_base",
            "ldap_search_filter",
            "ldap_secured",
            "ldap_server_address",
            "ldap_server_port",
            "ldap_user_dn_template",
            "rss_feed_url",
            "secret_key",
            "send_statistics",
        }
    ),
    "admin": frozenset({"auto_create_domain_and_mailbox", "enable_dnsbl_checks"}),
}


def is_used(app: str, name: str) -> bool:
    """Whether the panel reads the parameter."""
    return name not in NOT_USED_YET.get(app, ())
