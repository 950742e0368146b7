"""The admin's sidebar."""

from typing import Any

from django.http import HttpRequest


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar."""
    return []
