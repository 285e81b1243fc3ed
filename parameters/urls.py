"""Addresses of parameters."""

from django.urls import path

from parameters import views

app_name = "parameters"

urlpatterns = [path("user/preferences/", views.user_preferences, name="user_preferences")]
