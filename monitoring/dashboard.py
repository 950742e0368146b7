"""What the admin's first page shows."""

from typing import Any

from django.http import HttpRequest


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the admin's first page."""
    return context
