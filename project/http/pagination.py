"""Cursor pages: `limit` 1 to 200 (50), newest first, stable while rows come in."""

from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from project.http.errors import Invalid


class CursorPages(CursorPagination):
    """`{"results": [...], "next": url|null, "previous": url|null}`."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = ("-created_at", "id")

    def get_page_size(self, request: Request) -> int:
        """Return `limit`; raises Invalid for anything but 1 to 200."""
        raw = request.query_params.get("limit")
        if raw is None:
            return self.page_size
        if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw) <= self.max_page_size:
            message = f"limit must be a whole number from 1 to {self.max_page_size}."
            raise Invalid(message, field="limit")
        return int(raw)

    def get_paginated_response(self, data: object) -> Response:
        """Return the page and its neighbours."""
        return Response(
            {"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )
