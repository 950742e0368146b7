"""REST: golden questions and evaluations."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.evaluation_serializers import (
    EvaluationInput,
    EvaluationListQuery,
    EvaluationSerializer,
    EvaluationWhole,
    GoldenCreateInput,
    GoldenInput,
    GoldenListQuery,
    GoldenSerializer,
    ResultSerializer,
)
from knowledge.api.spaces import chosen_space
from knowledge.choices import Outcome
from knowledge.models import EvaluationRun, GoldenQuestion, Space
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.errors import Invalid
from project.http.pagination import CursorPages


class GoldenQuestionViewSet(ApiViewSet):
    """Questions of which is known which nodes answer them."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = GoldenSerializer

    def get_queryset(self) -> QuerySet:
        """Return the golden questions of the spaces that the caller may edit."""
        return GoldenQuestion.objects.visible_to(self.request.user).with_targets()

    @extend_schema(parameters=[GoldenListQuery])
    def list(self, request: Request) -> Response:
        """List golden questions, newest first."""
        query = self.query(GoldenListQuery)
        rows = self.get_queryset()
        if "space" in query:
            rows = rows.filter(space=query["space"])
        if "tag" in query:
            rows = rows.filter(tags__contains=[query["tag"]])
        if "node" in query:
            rows = rows.filter(targets__node_key=query["node"])
        if query["is_active"] is not None:
            rows = rows.filter(is_active=query["is_active"])
        return self.page_of(rows, GoldenSerializer)

    @extend_schema(request=GoldenCreateInput, responses={201: GoldenSerializer})
    def create(self, request: Request) -> Response:
        """Make a golden question."""
        fields = self.validated(GoldenCreateInput)
        space = fields.pop("space", None)
        if space is not None:
            fields["space"] = find(Space.objects.visible_to(request.user), space)
        golden = services.golden_create(acting_user=caller(request), **fields)
        return Response(self._whole(golden), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a golden question."""
        return Response(GoldenSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=GoldenInput, responses=GoldenSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a golden question; `nodes` replaces all of its nodes."""
        golden = find(self.get_queryset(), pk)
        changes = self.validated(GoldenInput, partial=True)
        golden = services.golden_update(acting_user=caller(request), golden=golden, **changes)
        return Response(self._whole(golden))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a golden question; evaluations keep what they asked."""
        golden = find(self.get_queryset(), pk)
        services.golden_delete(acting_user=caller(request), golden=golden)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _whole(self, golden: GoldenQuestion) -> Any:
        return GoldenSerializer(self.get_queryset().get(pk=golden.pk)).data


class ResultPages(CursorPages):
    """Pages of results, in the order of the questions."""

    ordering = ("position", "id")


class EvaluationViewSet(ApiViewSet):
    """Runs that ask all golden questions of a space and measure what search finds."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = EvaluationWhole

    def get_queryset(self) -> QuerySet:
        """Return the evaluations of the spaces that the caller may edit."""
        return EvaluationRun.objects.visible_to(self.request.user)

    @extend_schema(parameters=[EvaluationListQuery], responses=EvaluationSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List evaluations, newest first."""
        query = self.query(EvaluationListQuery)
        if "proposal" in query:
            query["proposal_id"] = query.pop("proposal")
        return self.page_of(self.get_queryset().filter(**query), EvaluationSerializer)

    @extend_schema(request=EvaluationInput, responses={202: EvaluationWhole})
    def create(self, request: Request) -> Response:
        """Start an evaluation; follow it by its address until its status says that it has ended."""
        body = self.validated(EvaluationInput)
        space = body.pop("space", None)
        if space is not None or "proposal" not in body:
            body["space"] = chosen_space(caller(request), space)
        run = services.evaluation_start(acting_user=caller(request), **body)
        return Response(self._whole(run), status=status.HTTP_202_ACCEPTED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an evaluation with its metrics and first results."""
        return Response(self._whole(find(self.get_queryset(), pk)))

    @extend_schema(
        parameters=[OpenApiParameter("outcome", str, enum=Outcome.values)],
        responses=ResultSerializer(many=True),
    )
    @action(detail=True, methods=["get"], pagination_class=ResultPages)
    def results(self, request: Request, pk: str) -> Response:
        """List what each question came to, in the order they were asked."""
        rows = find(self.get_queryset(), pk).results.all()
        outcome = request.query_params.get("outcome")
        if outcome is not None:
            if outcome not in Outcome.values:
                message = f"outcome is one of {', '.join(Outcome.values)}."
                raise Invalid(message, field="outcome")
            rows = rows.filter(outcome=outcome)
        return self.page_of(rows, ResultSerializer)

    @extend_schema(request=None, responses=EvaluationWhole)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an evaluation that has not ended."""
        run = find(self.get_queryset(), pk)
        return Response(
            self._whole(services.evaluation_cancel(acting_user=caller(request), run=run))
        )

    def _whole(self, run: EvaluationRun) -> Any:
        return EvaluationWhole(run, context=self.get_serializer_context()).data
