"""Addresses of parameters."""

from django.urls import path

from parameters import views

app_name = "parameters"

urlpatterns = [
    path("settings/parameters/", views.site_parameters, name="site_parameters"),
    path("settings/parameters/history/", views.parameter_history, name="parameter_history"),
    path("user/preferences/", views.user_preferences, name="user_preferences"),
    path("user/preferences/history/", views.preference_history, name="preference_history"),
]
