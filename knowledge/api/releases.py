"""REST: releases, what they hold, how they differ, and their way out and in."""

import uuid
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from knowledge import releases, services
from knowledge.access import role_require
from knowledge.api.job_serializers import JobAnswer, JobSerializer
from knowledge.api.release_serializers import (
    ReleaseChangeSerializer,
    ReleaseCompareQuery,
    ReleaseComparisonSerializer,
    ReleaseDescribeInput,
    ReleaseDifferenceSerializer,
    ReleaseEntrySerializer,
    ReleaseImportInput,
    ReleaseInput,
    ReleaseListQuery,
    ReleaseSerializer,
)
from knowledge.api.spaces import chosen_space
from knowledge.models import NodeVersion, Release
from knowledge.release_files import release_file
from knowledge.releases import Side
from project import ratelimit
from project.accounts.choices import Role, Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find, missing
from project.http.downloads import file_download
from project.http.errors import Invalid, TooMany
from project.http.pagination import CursorPages

NOW = "now"


class EntryPages(CursorPages):
    """Entries, by the ids of their nodes."""

    ordering = ("node_id", "id")


class FileNegotiation(DefaultContentNegotiation):
    """For answers that are files: `format` names the file's, and errors are JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Return the first renderer, whatever is accepted."""
        return renderers[0], renderers[0].media_type


class ReleaseViewSet(ApiViewSet):
    """Named sets of versions that never change."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = ReleaseSerializer

    def get_queryset(self) -> QuerySet:
        """Return the releases of the spaces that the caller may read."""
        return Release.objects.visible_to(self.request.user)

    @extend_schema(parameters=[ReleaseListQuery])
    def list(self, request: Request) -> Response:
        """List releases, newest first."""
        rows = self.get_queryset().filter(**self.query(ReleaseListQuery))
        return self.page_of(rows, ReleaseSerializer)

    @extend_schema(request=ReleaseInput, responses={201: ReleaseSerializer})
    def create(self, request: Request) -> Response:
        """Name what is published in a space, now or as of a moment, for good."""
        fields = self.validated(ReleaseInput)
        space = chosen_space(caller(request), fields.pop("space", None))
        release = services.release_create(acting_user=caller(request), space=space, **fields)
        return Response(ReleaseSerializer(release).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a release."""
        return Response(ReleaseSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=ReleaseDescribeInput, responses=ReleaseSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Word the description anew; nothing else of a release can change."""
        release = find(self.get_queryset(), pk)
        body = self.validated(ReleaseDescribeInput)
        release = services.release_describe(acting_user=caller(request), release=release, **body)
        return Response(ReleaseSerializer(release).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a release as a whole; the versions that it held stay."""
        release = find(self.get_queryset(), pk)
        services.release_delete(acting_user=caller(request), release=release)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=ReleaseEntrySerializer(many=True))
    @action(detail=True, pagination_class=EntryPages)
    def entries(self, request: Request, pk: str) -> Response:
        """List the versions of nodes that a release holds."""
        release = find(self.get_queryset(), pk)
        versions = NodeVersion.objects.filter(id=OuterRef("node_id"), version=OuterRef("version"))
        rows = release.entries.annotate(
            title=Subquery(versions.values("title")[:1]), kind=Subquery(versions.values("kind")[:1])
        )
        return self.page_of(rows, ReleaseEntrySerializer)

    @extend_schema(
        parameters=[
            ReleaseCompareQuery,
            OpenApiParameter("limit", int, description="1 to 200, 50 by default."),
            OpenApiParameter("cursor", str, description="From `next` or `previous`."),
        ],
        responses=ReleaseComparisonSerializer,
    )
    @action(detail=True, pagination_class=None)
    def compare(self, request: Request, pk: str) -> Response:
        """Compare a release with another one, or with what is published now.

        With a release's id the other one is the older side; with `now` this one is. With `node`
        the answer is the difference of that node: `from_version`, `to_version`, `changes` and
        `unified`; a side that does not hold it is version 0.
        """
        release = find(self.get_queryset(), pk)
        wanted = self.query(ReleaseCompareQuery)
        old, new = self._sides(release, wanted["with"])
        if wanted.get("node"):
            return self._difference(wanted["node"], old, new)
        limit, cursor = _limit(request), _cursor(request)
        page = releases.changes(
            wanted["what"], old, new, limit=limit, kind=wanted.get("change"), **cursor
        )
        first, last = (page.changes[0].id, page.changes[-1].id) if page.changes else (None, None)
        return Response(
            {
                "old": ReleaseSerializer(old.release).data if old.release else None,
                "new": ReleaseSerializer(new.release).data if new.release else None,
                "counts": releases.change_counts(old, new),
                "results": ReleaseChangeSerializer(page.changes, many=True).data,
                "next": _link(request, "after", last) if page.has_after else None,
                "previous": _link(request, "before", first) if page.has_before else None,
            }
        )

    @extend_schema(
        parameters=[OpenApiParameter("format", str, enum=["zip", "git"])],
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    @action(detail=True, content_negotiation_class=FileNegotiation)
    def export(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Download a release: `zip` can be imported again, `git` is a bundle for `git clone`."""
        release = find(self.get_queryset().select_related("space"), pk)
        role_require(caller(request), release.space, Role.EDITOR)
        _export_limit(request)
        exported = release_file(release, request.query_params.get("format", "zip"))
        return file_download(exported.file, exported.name, exported.content_type)

    @extend_schema(request=ReleaseImportInput, responses={202: JobAnswer})
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[MultiPartParser])
    def import_(self, request: Request) -> Response:
        """Restore an exported archive, as a whole or not at all; follow the job."""
        body = self.validated(ReleaseImportInput)
        space = chosen_space(caller(request), body.get("space"))
        job = services.release_import(acting_user=caller(request), space=space, file=body["file"])
        return Response({"job": JobSerializer(job).data}, status=status.HTTP_202_ACCEPTED)

    def _sides(self, release: Release, other: str) -> tuple[Side, Side]:
        this = Side(release.space, release)
        if other == NOW:
            return this, Side(release.space)
        older = find(self.get_queryset(), other)
        if older.space_id != release.space_id:
            raise Invalid(_("Only releases of one space can be compared."), field="with")
        return Side(release.space, older), this

    def _difference(self, node_id: uuid.UUID, old: Side, new: Side) -> Response:
        found = releases.node_difference(node_id, old, new)
        if found is None:
            raise missing()
        answer = {
            "from_version": found.old.version,
            "to_version": found.new.version,
            "changes": found.difference["fields"],
            "unified": found.difference["unified"],
        }
        return Response(ReleaseDifferenceSerializer(answer).data)


def _export_limit(request: Request) -> None:
    if not settings.ACERVO_RATE_UPLOADS:
        return
    state = ratelimit.hit("exports", str(request.user.pk), settings.ACERVO_RATE_UPLOADS)
    if not state.allowed:
        message = _("Too many exports. Wait and try again.")
        raise TooMany(message, retry_after=state.retry_after)


def _limit(request: Request) -> int:
    return CursorPages().get_page_size(request)


def _cursor(request: Request) -> dict[str, uuid.UUID]:
    """Return the edge that a cursor names. Raises Invalid."""
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return {}
    way, _colon, pk = cursor.partition(":")
    try:
        key = uuid.UUID(pk)
    except ValueError:
        way = ""
    if way not in {"after", "before"}:
        message = _("The cursor is not one of a page's next or previous.")
        raise Invalid(message, field="cursor")
    return {way: key}


def _link(request: Request, way: str, pk: uuid.UUID | None) -> str | None:
    if pk is None:
        return None
    return str(replace_query_param(request.build_absolute_uri(), "cursor", f"{way}:{pk}"))
