"""Addresses of the plugin below /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [path("example/notes/", views.NoteList.as_view(), name="example-note-list")]
