"""Addresses of the panel: the apps bring their own."""

from django.urls import include, path

from core.extensions import exts_pool, uprefs_routes

handler404 = "core.views.page_not_found"
handler500 = "core.views.server_error"

urlpatterns = [
    path("", include("core.urls")),
    path("", include("parameters.urls")),
    path("", include("admin.urls")),
    path("", include("relaydomains.urls")),
    # Plugins come last: none of them takes an address of the panel.
    path("api/v1/", include((exts_pool.get_urls("api"), "api"))),
    *exts_pool.get_urls("app"),
    *uprefs_routes(),
]
