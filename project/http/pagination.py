"""Cursor pages: `limit` 1 to 200 (50), newest first, stable while rows come in."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
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
        is_number = raw.isascii() and raw.isdigit() and len(raw) < 10
        if not is_number or not 1 <= int(raw) <= self.max_page_size:
            message = f"limit must be a whole number from 1 to {self.max_page_size}."
            raise Invalid(message, field="limit")
        return int(raw)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters of a page, with the bounds of `limit`."""
        parameters = super().get_schema_operation_parameters(view)
        for each in parameters:
            if each["name"] == self.page_size_query_param:
                each["schema"] |= {"minimum": 1, "maximum": self.max_page_size}
        return parameters

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Return the rows of the page; raises Invalid for a cursor that no page gave out."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValidationError, ValueError, TypeError, OverflowError):
            # The position in a cursor goes into a filter as it stands.
            if self.cursor_query_param not in request.query_params:
                raise
            message = _("The cursor is not one of a page's next or previous.")
            raise Invalid(message, field=self.cursor_query_param) from None

    def get_paginated_response(self, data: object) -> Response:
        """Return the page and its neighbours."""
        return Response(
            {"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )
