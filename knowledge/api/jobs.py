"""REST: jobs."""

import uuid
from collections.abc import Callable, Iterable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.job_serializers import (
    DEAD,
    JobListQuery,
    JobLogSerializer,
    JobsAnswer,
    JobSerializer,
    JobsInput,
    QueueSerializer,
)
from knowledge.job_places import places_of
from knowledge.job_queue import queue_state
from knowledge.models import IngestJob
from knowledge.representation import line_body
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find, missing
from project.http.errors import ApiError
from project.http.pagination import CursorPages


class LogPages(CursorPages):
    """Pages of a log, the oldest line first."""

    ordering = ("id", "pk")


class JobViewSet(ApiViewSet):
    """The reading of sources and the storing of many nodes."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = JobSerializer

    def get_queryset(self) -> Any:
        """Return the jobs that the caller may see."""
        return IngestJob.objects.visible_to(self.request.user).with_duplicates()

    @extend_schema(parameters=[JobListQuery])
    def list(self, request: Request) -> Response:
        """List jobs, newest first; `status=dead` are the failures that nobody has seen to."""
        wanted = self.query(JobListQuery)
        rows = self.get_queryset()
        if wanted.get("status") == DEAD:
            rows = rows.dead()
            wanted.pop("status")
        names = {"created_after": "created_at__gte", "created_before": "created_at__lt"}
        rows = rows.filter(**{names.get(name, name): value for name, value in wanted.items()})
        page = self.paginate_queryset(rows.select_related("source")) or []
        context = {**self._context(), "places": places_of(page)}
        data = JobSerializer(page, many=True, context=context).data
        return self.get_paginated_response(data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a job."""
        return Response(JobSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(responses=JobLogSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=LogPages)
    def log(self, request: Request, pk: str) -> Response:
        """List what happened to a job, the oldest line first; of a long log the last 200."""
        page = self.paginate_queryset(find(self.get_queryset(), pk).log.all()) or []
        return self.get_paginated_response([line_body(line) for line in page])

    @extend_schema(responses=QueueSerializer)
    @action(detail=False, methods=["get"])
    def queue(self, request: Request) -> Response:
        """Show how many jobs wait and run, and what was done in the last hour."""
        rows = IngestJob.objects.visible_to(self.request.user)
        return Response(QueueSerializer(queue_state(rows)).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a job that has not ended."""
        job = services.job_cancel(acting_user=caller(request), job=find(self.get_queryset(), pk))
        return Response(JobSerializer(job).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run a failed or cancelled job again, from its last checkpoint."""
        job = services.job_retry(acting_user=caller(request), job=find(self.get_queryset(), pk))
        return Response(JobSerializer(job).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Take a failed job off the list of dead ones."""
        job = services.job_dismiss(acting_user=caller(request), job=find(self.get_queryset(), pk))
        return Response(JobSerializer(job).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Put a dismissed job back on the list of dead ones."""
        job = services.job_restore(acting_user=caller(request), job=find(self.get_queryset(), pk))
        return Response(JobSerializer(job).data)

    @extend_schema(operation_id="jobs_retry_many", request=JobsInput, responses=JobsAnswer)
    @action(detail=False, methods=["post"], url_path="retry", url_name="retry-many")
    def retry_many(self, request: Request) -> Response:
        """Run many failed or cancelled jobs again."""
        return self._each(request, services.job_retry)

    @extend_schema(operation_id="jobs_dismiss_many", request=JobsInput, responses=JobsAnswer)
    @action(detail=False, methods=["post"], url_path="dismiss", url_name="dismiss-many")
    def dismiss_many(self, request: Request) -> Response:
        """Take many failed jobs off the list of dead ones."""
        return self._each(request, services.job_dismiss)

    @extend_schema(operation_id="jobs_restore_many", request=JobsInput, responses=JobsAnswer)
    @action(detail=False, methods=["post"], url_path="restore", url_name="restore-many")
    def restore_many(self, request: Request) -> Response:
        """Put many dismissed jobs back on the list of dead ones."""
        return self._each(request, services.job_restore)

    def _each(self, request: Request, service: Callable[..., IngestJob]) -> Response:
        ids: Iterable[uuid.UUID] = dict.fromkeys(self.validated(JobsInput)["jobs"])
        known = IngestJob.objects.visible_to(self.request.user).in_bulk(list(ids))
        done: list[uuid.UUID] = []
        refused: list[dict[str, Any]] = []
        for pk in ids:
            try:
                if pk not in known:
                    raise missing()
                service(acting_user=caller(request), job=known[pk])
            except ApiError as error:
                refused.append({"job": pk, "code": error.code, "message": error.message})
            else:
                done.append(pk)
        return Response(JobsAnswer({"done": done, "refused": refused}).data)
