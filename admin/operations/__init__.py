"""Every change of domains, accounts and aliases. Import what a door needs from here."""

from admin.operations.account_changes import (
    AccountChange,
    replace_password,
    update_account,
    update_accounts,
)
from admin.operations.accounts import (
    AccountSpec,
    MailboxSpec,
    NewAccount,
    create_account,
    create_accounts,
    delete_accounts,
)
from admin.operations.administrators import Appointment, add_administrators, remove_administrators
from admin.operations.aliases import (
    AliasChange,
    AliasSpec,
    create_alias,
    create_aliases,
    delete_aliases,
    random_alias_address,
    update_alias,
    update_aliases,
)
from admin.operations.directory_orders import (
    Restoration,
    give_up_directory_orders,
    only_order,
    restore_directories,
    retry_directory_orders,
)
from admin.operations.domains import (
    DomainAliasChange,
    DomainAliasSpec,
    DomainChange,
    DomainSpec,
    create_domain,
    create_domain_aliases,
    create_domains,
    delete_domain_aliases,
    delete_domains,
    update_domain,
    update_domain_aliases,
    update_domains,
)
from admin.operations.logins import collect_last_logins
from admin.operations.publishing import publish_due, rebuild_published
from admin.operations.sender_addresses import (
    SenderAddressSpec,
    add_sender_addresses,
    remove_sender_addresses,
)
from admin.operations.setting_up import DomainSetup, FirstAdministrator, NewDomain, set_up_domains

__all__ = [
    "AccountChange",
    "AccountSpec",
    "AliasChange",
    "AliasSpec",
    "Appointment",
    "DomainAliasChange",
    "DomainAliasSpec",
    "DomainChange",
    "DomainSetup",
    "DomainSpec",
    "FirstAdministrator",
    "MailboxSpec",
    "NewAccount",
    "NewDomain",
    "Restoration",
    "SenderAddressSpec",
    "add_administrators",
    "add_sender_addresses",
    "collect_last_logins",
    "create_account",
    "create_accounts",
    "create_alias",
    "create_aliases",
    "create_domain",
    "create_domain_aliases",
    "create_domains",
    "delete_accounts",
    "delete_aliases",
    "delete_domain_aliases",
    "delete_domains",
    "give_up_directory_orders",
    "only_order",
    "publish_due",
    "random_alias_address",
    "rebuild_published",
    "remove_administrators",
    "remove_sender_addresses",
    "replace_password",
    "restore_directories",
    "retry_directory_orders",
    "set_up_domains",
    "update_account",
    "update_accounts",
    "update_alias",
    "update_aliases",
    "update_domain",
    "update_domain_aliases",
    "update_domains",
]
