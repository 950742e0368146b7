"""The web ground: errors, pages, idempotency."""

from django.apps import AppConfig


class HttpConfig(AppConfig):
    """The `http` app."""

    name = "project.http"
    label = "http"
