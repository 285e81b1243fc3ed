"""Addresses of the core."""

from django.urls import path

from core import style_guide, views

app_name = "core"

urlpatterns = [
    path("", views.root, name="root"),
    path("accounts/login/", views.sign_in, name="sign_in"),
    path("accounts/logout/", views.sign_out, name="sign_out"),
    path("style-guide/", style_guide.style_guide, name="style_guide"),
]
