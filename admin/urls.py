"""Addresses of the administration. One stem joins URL, name, view, template and operation."""

from django.urls import path

from admin.api import accounts as api_accounts
from admin.api import aliases as api_aliases
from admin.api import domain_aliases as api_domain_aliases
from admin.api import domains as api_domains
from admin.api import quotas as api_quotas
from admin.api import resources as api_resources
from admin.api import sender_addresses as api_sender_addresses
from admin.views import (
    accounts,
    aliases,
    bulk,
    csv_exports,
    dashboard,
    directories,
    domains,
    forwards,
    identities,
    imports,
    information,
    quotas,
    search,
)

app_name = "admin"

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("user/", accounts.my_mailbox, name="my_mailbox"),
    path("user/forward/", forwards.user_forward, name="user_forward"),
    path("admin/domains/", domains.domain_list, name="domain_list"),
    path("admin/domains/new/", domains.domain_create, name="domain_create"),
    path("admin/domains/bulk/", bulk.domain_bulk, name="domain_bulk"),
    path("admin/domains/export/", csv_exports.domain_export, name="domain_export"),
    path("admin/domains/names/", domains.domain_names, name="domain_names"),
    path("admin/domains/administrators/", domains.administrator_names, name="administrator_names"),
    path("admin/domains/<int:pk>/", domains.domain_detail, name="domain_detail"),
    path("admin/domains/<int:pk>/edit/", domains.domain_update, name="domain_update"),
    path("admin/domains/<int:pk>/delete/", domains.domain_delete, name="domain_delete"),
    path(
        "admin/domains/<int:pk>/administrators/add/",
        domains.domain_administrator_add,
        name="domain_administrator_add",
    ),
    path(
        "admin/domains/<int:pk>/administrators/<int:account_pk>/remove/",
        domains.domain_administrator_remove,
        name="domain_administrator_remove",
    ),
    path("admin/identities/", identities.identity_list, name="identity_list"),
    path("admin/identities/quotas/", quotas.quota_list, name="quota_list"),
    path("admin/identities/bulk/", bulk.identity_bulk, name="identity_bulk"),
    path("admin/identities/export/", csv_exports.identity_export, name="identity_export"),
    path("admin/directories/", directories.directory_list, name="directory_list"),
    path("admin/directories/bulk/", bulk.directory_bulk, name="directory_bulk"),
    path("admin/import/", imports.import_create, name="import_create"),
    path("admin/import/example/", imports.import_example, name="import_example"),
    path("admin/import/<str:token>/", imports.import_detail, name="import_detail"),
    path("admin/import/<str:token>/columns/", imports.import_columns, name="import_columns"),
    path("admin/import/<str:token>/plan/", imports.import_plan, name="import_plan"),
    path("admin/import/<str:token>/apply/", imports.import_apply, name="import_apply"),
    path("admin/import/<str:token>/cancel/", imports.import_cancel, name="import_cancel"),
    path("admin/import/<str:token>/refused/", imports.import_refused, name="import_refused"),
    path("admin/import/<str:token>/reasons/", imports.import_reasons, name="import_reasons"),
    path("admin/information/", information.information, name="information"),
    path("search/", search.search, name="search"),
    path("admin/addresses/", search.address_detail, name="address_detail"),
    path("admin/accounts/new/", accounts.account_create, name="account_create"),
    path("admin/accounts/<int:pk>/", accounts.account_detail, name="account_detail"),
    path("admin/accounts/<int:pk>/edit/", accounts.account_update, name="account_update"),
    path("admin/accounts/<int:pk>/delete/", accounts.account_delete, name="account_delete"),
    path("admin/aliases/new/", aliases.alias_create, name="alias_create"),
    path("admin/aliases/<int:pk>/", aliases.alias_detail, name="alias_detail"),
    path("admin/aliases/<int:pk>/edit/", aliases.alias_update, name="alias_update"),
    path("admin/aliases/<int:pk>/delete/", aliases.alias_delete, name="alias_delete"),
    path("api/v1/domains/", api_domains.DomainList.as_view(), name="api_domain_list"),
    path("api/v1/domains/<int:pk>/", api_domains.DomainDetail.as_view(), name="api_domain_detail"),
    path("api/v1/domainaliases/", api_domain_aliases.DomainAliasList.as_view(), name="api_domain_alias_list"),
    path(
        "api/v1/domainaliases/<int:pk>/",
        api_domain_aliases.DomainAliasDetail.as_view(),
        name="api_domain_alias_detail",
    ),
    path("api/v1/accounts/", api_accounts.AccountList.as_view(), name="api_account_list"),
    path("api/v1/accounts/exists/", api_accounts.AccountExists.as_view(), name="api_account_exists"),
    path("api/v1/accounts/<int:pk>/", api_accounts.AccountDetail.as_view(), name="api_account_detail"),
    path(
        "api/v1/accounts/<int:pk>/password/",
        api_accounts.AccountPassword.as_view(),
        name="api_account_password",
    ),
    path("api/v1/aliases/", api_aliases.AliasList.as_view(), name="api_alias_list"),
    path("api/v1/aliases/<int:pk>/", api_aliases.AliasDetail.as_view(), name="api_alias_detail"),
    path("api/v1/quotas/", api_quotas.QuotaList.as_view(), name="api_quota_list"),
    path("api/v1/resources/<int:pk>/", api_resources.ResourceDetail.as_view(), name="api_resource_detail"),
    path(
        "api/v1/senderaddresses/",
        api_sender_addresses.SenderAddressList.as_view(),
        name="api_sender_address_list",
    ),
    path(
        "api/v1/senderaddresses/<int:pk>/",
        api_sender_addresses.SenderAddressDetail.as_view(),
        name="api_sender_address_detail",
    ),
]
