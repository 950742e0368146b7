"""REST: imports of single addresses, feeds, their runs and the connectors there are."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.feed_serializers import (
    ConnectorSerializer,
    FeedChangeQuery,
    FeedChangeSerializer,
    FeedCreateInput,
    FeedInput,
    FeedItemSerializer,
    FeedRunAnswer,
    FeedRunListQuery,
    FeedRunSerializer,
    FeedSerializer,
    ImportInput,
    ProbeAnswer,
    ProbeInput,
)
from knowledge.api.job_serializers import JobAnswer, JobSerializer
from knowledge.api.spaces import chosen_space
from knowledge.connectors import connectors
from knowledge.models import Feed, FeedRun
from project import ratelimit
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.errors import TooMany
from project.http.pagination import CursorPages


class IdPages(CursorPages):
    """Pages in the order of the rows' ids."""

    ordering = ("id", "pk")


class ImportViewSet(ApiViewSet):
    """Addresses on their way to become knowledge."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = ImportInput

    @extend_schema(request=ImportInput, responses={202: JobAnswer})
    def create(self, request: Request) -> Response:
        """Fetch a page or file, or the Markdown of a repository; follow the job."""
        _limit(request)
        body, user = self.validated(ImportInput), caller(request)
        space = chosen_space(user, body.get("space"))
        if "git" in body:
            job = services.repository_import(acting_user=user, space=space, url=body["git"])
        else:
            job = services.address_import(acting_user=user, space=space, url=body["url"])
        return Response({"job": JobSerializer(job).data}, status=status.HTTP_202_ACCEPTED)


class FeedViewSet(ApiViewSet):
    """Places outside that are looked at again and again."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = FeedSerializer

    def get_queryset(self) -> QuerySet:
        """Return the feeds of the spaces that the caller may edit."""
        return Feed.objects.visible_to(self.request.user)

    def list(self, request: Request) -> Response:
        """List feeds, newest first."""
        return self.page_of(self.get_queryset(), FeedSerializer)

    @extend_schema(request=FeedCreateInput, responses={201: FeedSerializer})
    def create(self, request: Request) -> Response:
        """Set up a feed."""
        fields, user = self.validated(FeedCreateInput), caller(request)
        space = chosen_space(user, fields.pop("space", None))
        feed = services.feed_create(acting_user=user, space=space, **fields)
        return Response(FeedSerializer(feed).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a feed."""
        return Response(FeedSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=FeedInput, responses=FeedSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a feed; `settings` replaces all of them."""
        feed = find(self.get_queryset(), pk)
        changes = self.validated(FeedInput, partial=True)
        feed = services.feed_update(acting_user=caller(request), feed=feed, **changes)
        return Response(FeedSerializer(feed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a feed; the nodes that came of it stay."""
        services.feed_delete(acting_user=caller(request), feed=find(self.get_queryset(), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: FeedRunAnswer})
    @action(detail=True, methods=["post"])
    def sync(self, request: Request, pk: str) -> Response:
        """Look at the place now."""
        feed = find(self.get_queryset(), pk)
        return _begun(services.feed_sync(acting_user=caller(request), feed=feed))

    @extend_schema(parameters=[FeedRunListQuery], responses=FeedRunSerializer(many=True))
    @action(detail=True, methods=["get"])
    def runs(self, request: Request, pk: str) -> Response:
        """List the runs of a feed, newest first."""
        rows = find(self.get_queryset(), pk).runs.filter(**self.query(FeedRunListQuery))
        return self.page_of(rows, FeedRunSerializer)

    @extend_schema(responses=FeedItemSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=IdPages)
    def items(self, request: Request, pk: str) -> Response:
        """List the items that are known of a feed."""
        return self.page_of(find(self.get_queryset(), pk).items.all(), FeedItemSerializer)

    @extend_schema(request=ProbeInput, responses=ProbeAnswer)
    @action(detail=False, methods=["post"])
    def probe(self, request: Request) -> Response:
        """Try a connection without keeping anything."""
        _limit(request)
        body, user = self.validated(ProbeInput), caller(request)
        known = find(self.get_queryset(), body["feed"]) if "feed" in body else None
        space = known.space if known is not None else chosen_space(user, body.get("space"))
        said = services.feed_probe(
            acting_user=user,
            space=space,
            connector=body["connector"],
            settings=body["settings"],
            secret=body.get("secret", ""),
            feed=known,
        )
        return Response({"message": said})


class FeedRunViewSet(ApiViewSet):
    """Single runs of feeds, and the decisions on them."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = FeedRunSerializer

    def get_queryset(self) -> QuerySet:
        """Return the runs of the feeds that the caller may see."""
        return FeedRun.objects.visible_to(self.request.user).select_related("feed__space")

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a run."""
        return Response(FeedRunSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(parameters=[FeedChangeQuery], responses=FeedChangeSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=IdPages)
    def changes(self, request: Request, pk: str) -> Response:
        """List what a run found that is not as it was."""
        rows = find(self.get_queryset(), pk).changes.filter(**self.query(FeedChangeQuery))
        return self.page_of(rows.select_related("item"), FeedChangeSerializer)

    @extend_schema(request=None, responses={202: FeedRunAnswer})
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Let a suspicious run do what it found, and archive what the last run missed."""
        run = find(self.get_queryset(), pk)
        return _begun(services.feed_run_confirm(acting_user=caller(request), run=run))

    @extend_schema(request=None, responses=FeedRunSerializer)
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Drop what a suspicious run found."""
        run = find(self.get_queryset(), pk)
        run = services.feed_run_discard(acting_user=caller(request), run=run)
        return Response(FeedRunSerializer(run).data)


class ConnectorViewSet(ApiViewSet):
    """The kinds of places that feeds can read."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = ConnectorSerializer
    queryset = Feed.objects.none()

    @extend_schema(responses=ConnectorSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the connectors with their settings; they are few, and all on one page."""
        rows = ConnectorSerializer(list(connectors().values()), many=True).data
        return Response({"results": rows, "next": None, "previous": None})


def _begun(run: FeedRun) -> Response:
    answer: dict[str, Any] = {
        "run": FeedRunSerializer(run).data,
        "job": JobSerializer(run.job).data,
    }
    return Response(answer, status=status.HTTP_202_ACCEPTED)


def _limit(request: Request) -> None:
    if not settings.ACERVO_RATE_UPLOADS:
        return
    state = ratelimit.hit("uploads", str(request.user.pk), settings.ACERVO_RATE_UPLOADS)
    if not state.allowed:
        raise TooMany(_("Too many imports. Wait and try again."), retry_after=state.retry_after)
