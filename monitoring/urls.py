"""Addresses of monitoring."""

from django.urls import path

from monitoring import views

urlpatterns = [
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("health/", views.deep, name="health"),
    path("metrics", views.metrics, name="metrics"),
]
