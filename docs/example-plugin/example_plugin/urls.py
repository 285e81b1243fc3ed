"""Pages of the plugin, below /example/."""

from django.urls import path

from . import views

app_name = "example_plugin"

urlpatterns = [
    path("", views.index, name="index"),
    path("refused/<str:kind>/", views.refused, name="refused"),
    path("managers/", views.managers, name="managers"),
    path("mailbox/", views.mailbox, name="mailbox"),
    path("domains/<int:pk>/", views.domain, name="domain"),
]
