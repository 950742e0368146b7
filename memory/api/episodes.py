"""REST: episodes and recall."""

import time
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from knowledge.models import Space
from memory import services
from memory.api.serializers import (
    EpisodeBulkAnswer,
    EpisodeBulkInput,
    EpisodeInput,
    EpisodeListQuery,
    EpisodeSerializer,
    RecallAnswer,
    RecallInput,
    RecollectionSerializer,
)
from memory.models import Episode
from memory.recall import RecallQuery, recall
from project.accounts.choices import Scope
from project.accounts.permissions import caller, has_scope
from project.http.api import ApiViewSet, find
from project.http.errors import Forbidden


def subject_require(request: Request, subject: str) -> str:
    """Return the subject; raises Forbidden when a key without `memory:any` names one."""
    if subject and not has_scope(request, Scope.MEMORY_ANY):
        message = _("To name a subject, the API key needs the scope “memory:any”.")
        raise Forbidden(message, code="missing_scope", field="subject")
    return subject


class EpisodeViewSet(ApiViewSet):
    """What happened, as the caller's memory keeps it."""

    read_scope = Scope.MEMORY_READ
    write_scope = Scope.MEMORY_WRITE
    serializer_class = EpisodeSerializer

    def get_queryset(self) -> QuerySet:
        """Return the caller's episodes."""
        return Episode.objects.visible_to(self.request.user)

    @extend_schema(parameters=[EpisodeListQuery])
    def list(self, request: Request) -> Response:
        """List episodes, newest first."""
        filters = self.query(EpisodeListQuery)
        subject_require(request, filters["subject"])
        return self.page_of(self.get_queryset().filter(**filters), EpisodeSerializer)

    @extend_schema(request=EpisodeInput, responses={201: EpisodeSerializer})
    def create(self, request: Request) -> Response:
        """Remember something; the answer says how important it was found to be."""
        row = self._row(self.validated(EpisodeInput))
        episode = services.episode_create(acting_user=caller(request), **row)
        return Response(EpisodeSerializer(episode).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=EpisodeBulkInput, responses={201: EpisodeBulkAnswer})
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Remember up to 500 episodes, all or none."""
        rows = [self._row(row) for row in self.validated(EpisodeBulkInput)["episodes"]]
        episodes = services.episodes_create(acting_user=caller(request), rows=rows)
        data = {"episodes": EpisodeSerializer(episodes, many=True).data}
        return Response(data, status=status.HTTP_201_CREATED)

    def _row(self, row: dict[str, Any]) -> Any:
        subject_require(self.request, row.get("subject", ""))
        space = row.get("space")
        if space is not None:
            row["space"] = find(Space.objects.visible_to(self.request.user), space)
        return row

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an episode."""
        return Response(EpisodeSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Forget an episode for good."""
        services.episode_delete(acting_user=caller(request), episode=find(self.get_queryset(), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RecallView(APIView):
    """What happened that bears on a question."""

    read_scope = Scope.MEMORY_READ
    write_scope = Scope.MEMORY_READ  # it writes nothing that the caller sees

    @extend_schema(request=RecallInput, responses=RecallAnswer)
    def post(self, request: Request) -> Response:
        """Recall episodes, best first."""
        started = time.perf_counter()
        checked = RecallInput(data=request.data)
        checked.is_valid(raise_exception=True)
        body = checked.validated_data
        found = []
        if "episode" in body.get("kinds", ["episode"]):
            query = RecallQuery(
                query=body["query"],
                limit=body["limit"],
                subject=subject_require(request, body.get("subject", "")),
                session=body.get("session"),
                since=body.get("from"),
                until=body.get("to"),
            )
            found = recall(query, user=caller(request))
        rows: list[dict[str, Any]] = [dict(RecollectionSerializer(each).data) for each in found]
        if not body["explain"]:
            for row in rows:
                del row["signals"]
        took = round((time.perf_counter() - started) * 1000, 1)
        return Response({"results": rows, "took_ms": took})
