"""Addresses of the panel: the apps bring their own."""

from django.urls import include, path

urlpatterns = [
    path("", include("core.urls")),
    path("", include("admin.urls")),
]
