"""Addresses of the administration. One stem joins URL, name, view, template and operation."""

from django.urls import path

from admin.views import (
    accounts,
    aliases,
    bulk,
    directories,
    domains,
    forwards,
    identities,
    information,
    quotas,
    search,
)

app_name = "admin"

urlpatterns = [
    path("user/", accounts.my_mailbox, name="my_mailbox"),
    path("user/forward/", forwards.user_forward, name="user_forward"),
    path("admin/domains/", domains.domain_list, name="domain_list"),
    path("admin/domains/new/", domains.domain_create, name="domain_create"),
    path("admin/domains/bulk/", bulk.domain_bulk, name="domain_bulk"),
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
    path("admin/directories/", directories.directory_list, name="directory_list"),
    path("admin/directories/bulk/", bulk.directory_bulk, name="directory_bulk"),
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
]
