"""Addresses of the memory page."""

from django.urls import path

from memory import views

urlpatterns = [
    path("memory/", views.memory_page, name="my-memory"),
    path("memory/switch/", views.memory_switch, name="memory-switch"),
    path("memory/clear/", views.memory_clear, name="memory-clear"),
    path("memory/<uuid:pk>/delete/", views.memory_delete, name="memory-delete"),
]
