"""The base of every REST resource: scopes, strict input, one way to find an object."""

import uuid
from typing import Any, ClassVar, TypeVar, cast

from django.db import models
from django.utils.translation import gettext as _
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from project.http.errors import Invalid, NotFound

Row = TypeVar("Row", bound=models.Model)


class ApiViewSet(viewsets.GenericViewSet):
    """A resource. Subclasses name the scopes that a key needs and return what is visible.

    `get_queryset` must pass through the gate (`visible_to`): then what a caller may not see
    answers like what does not exist.
    """

    read_scope: ClassVar[str | None] = None
    write_scope: ClassVar[str | None] = None
    lookup_value_regex = "[^/]+"

    def validated(self, serializer_class: type[serializers.BaseSerializer], **kwargs: Any) -> Any:
        """Return the validated body; raises ValidationError naming the fields at fault."""
        serializer = serializer_class(data=self.request.data, context=self._context(), **kwargs)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def query(self, serializer_class: type[serializers.BaseSerializer]) -> Any:
        """Return the validated query parameters; unknown ones are left alone."""
        serializer = serializer_class(
            data=self.request.query_params.dict(), context=self._context()
        )
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def _context(self) -> dict[str, Any]:
        return {"request": self.request, "view": self}

    def page_of(
        self, rows: models.QuerySet, serializer_class: type[serializers.BaseSerializer]
    ) -> Response:
        """Return one cursor page of `rows`."""
        page = self.paginate_queryset(rows)
        data = serializer_class(page, many=True, context=self._context()).data
        return self.get_paginated_response(data)


def find(rows: "models.QuerySet[Row]", pk: object) -> Row:
    """Return the row with that id; raises NotFound also for what is no id at all."""
    row = rows.filter(pk=id_of(pk)).first()
    if row is None:
        raise missing()
    return row


def id_of(pk: object) -> uuid.UUID:
    """Return an id of an address; raises NotFound for what is none."""
    try:
        return uuid.UUID(str(pk))
    except ValueError:
        raise missing() from None


def missing() -> NotFound:
    """Return the one answer for what is absent and for what is not the caller's to see."""
    return NotFound(_("There is no such object, or it is not yours to see."))


def expected_version(request: Request, body: dict[str, Any]) -> int | None:
    """Return the version that a write is based on: `If-Match` or `version` of the body.

    Raises Invalid when the header is not a quoted version number.
    """
    stated = body.pop("version", None)
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return cast("int | None", stated)
    raw = header.strip().removeprefix("W/").strip('"')
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        message = _('If-Match must be the version in quotes, such as "3".')
        raise Invalid(message, field="If-Match")
    return int(raw)
