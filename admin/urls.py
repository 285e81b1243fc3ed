"""Addresses of the administration."""

app_name = "admin"

urlpatterns: list = []
