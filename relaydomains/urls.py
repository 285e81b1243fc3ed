"""Addresses of relay domains; their list is that of domains."""

from django.urls import path

from relaydomains import api, views

app_name = "relaydomains"

urlpatterns = [
    path("admin/domains/relays/new/", views.relay_domain_create, name="relay_domain_create"),
    path("admin/domains/<int:pk>/relay/", views.relay_domain_start, name="relay_domain_start"),
    path("admin/domains/<int:pk>/relay/edit/", views.relay_domain_update, name="relay_domain_update"),
    path("admin/domains/<int:pk>/relay/stop/", views.relay_domain_stop, name="relay_domain_stop"),
    path("admin/domains/relays/services/", views.service_list, name="service_list"),
    path("admin/domains/relays/services/scan/", views.service_scan, name="service_scan"),
    path("api/v1/relaydomains/", api.RelayDomainList.as_view(), name="api_relay_domain_list"),
    path("api/v1/relaydomains/<int:pk>/", api.RelayDomainDetail.as_view(), name="api_relay_domain_detail"),
]
