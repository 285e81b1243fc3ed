"""Addresses of the panel: the apps bring their own."""

from django.urls import include, path

handler404 = "core.views.page_not_found"
handler500 = "core.views.server_error"

urlpatterns = [
    path("", include("core.urls")),
    path("", include("parameters.urls")),
    path("", include("admin.urls")),
    path("", include("relaydomains.urls")),
]
