"""REST: index generations, from the first build to the deletion of what is retired."""

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.evaluation_serializers import EvaluationWhole
from knowledge.api.generation_serializers import (
    CompareInput,
    EmbeddingEndpoint,
    GenerationInput,
    GenerationJob,
    GenerationListQuery,
    GenerationSerializer,
    GenerationSwitchSerializer,
    GenerationWhole,
    SwitchInput,
    SwitchListQuery,
)
from knowledge.api.spaces import chosen_space
from knowledge.choices import GenerationStatus
from knowledge.generation_reading import generation_before
from knowledge.models import GenerationSwitch, IndexGeneration
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.errors import Conflict, Invalid
from project.inference.choices import Purpose
from project.inference.models import ModelEndpoint


class IndexGenerationViewSet(ApiViewSet):
    """Indexes of a space, one an embedding model; one of them serves."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = GenerationWhole

    def get_queryset(self) -> QuerySet:
        """Return the generations of the spaces that the caller curates."""
        rows = IndexGeneration.objects.visible_to(self.request.user)
        return rows.select_related("job", "space")

    @extend_schema(parameters=[GenerationListQuery], responses=GenerationSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List generations, newest first."""
        rows = self.get_queryset().filter(**self.query(GenerationListQuery))
        return self.page_of(rows, GenerationSerializer)

    @extend_schema(request=GenerationInput, responses={202: GenerationWhole})
    def create(self, request: Request) -> Response:
        """Begin to build a space's index with a model, beside the one that serves."""
        body = self.validated(GenerationInput)
        endpoint = None
        if body.get("endpoint") is not None:
            endpoint = _endpoints().filter(pk=body["endpoint"]).first()
            if endpoint is None:
                message = _("There is no embedding model in use with this id.")
                raise Invalid(message, field="endpoint")
        generation = services.generation_begin(
            acting_user=caller(request),
            space=chosen_space(caller(request), body.get("space")),
            endpoint=endpoint,
            switching=body["switching"],
        )
        return self._whole(generation, status.HTTP_202_ACCEPTED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a generation: how far it is, its job, its last comparison."""
        return self._whole(find(self.get_queryset(), pk))

    @extend_schema(responses={202: GenerationJob})
    def destroy(self, request: Request, pk: str) -> Response:
        """Begin to delete a generation that does not serve."""
        job = services.generation_remove(
            acting_user=caller(request), generation=find(self.get_queryset(), pk)
        )
        return Response(GenerationJob(job).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=CompareInput, responses={202: EvaluationWhole})
    @action(detail=True, methods=["post"])
    def compare(self, request: Request, pk: str) -> Response:
        """Ask the golden questions of what serves and of this one; follow the evaluation."""
        generation = find(self.get_queryset(), pk)
        run = services.generation_compare(
            acting_user=caller(request), generation=generation, **self.validated(CompareInput)
        )
        whole = EvaluationWhole(run, context=self.get_serializer_context())
        return Response(whole.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=SwitchInput, responses=GenerationWhole)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Let it serve: at once when it is whole, else when its job has filled it up."""
        return self._switched(request, find(self.get_queryset(), pk))

    @extend_schema(request=SwitchInput, responses=GenerationWhole)
    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, pk: str) -> Response:
        """Go back from the generation that serves to the one that served before it."""
        generation = find(self.get_queryset(), pk)
        if generation.status != GenerationStatus.ACTIVE:
            message = _("Only from the index that serves is there a way back.")
            raise Conflict(message, code="generation_not_serving")
        before = generation_before(generation)
        if before is None:
            message = _("No index that served before is kept.")
            raise Conflict(message, code="nothing_to_roll_back_to")
        return self._switched(request, before)

    @extend_schema(parameters=[SwitchListQuery], responses=GenerationSwitchSerializer(many=True))
    @action(detail=False, methods=["get"])
    def switches(self, request: Request) -> Response:
        """List which generation took over from which, when, by whom and why."""
        rows = GenerationSwitch.objects.visible_to(request.user)
        rows = rows.filter(**self.query(SwitchListQuery))
        return self.page_of(rows, GenerationSwitchSerializer)

    @extend_schema(responses=EmbeddingEndpoint(many=True))
    @action(detail=False, methods=["get"])
    def models(self, request: Request) -> Response:
        """List the endpoints of embedding models that an index can be built with."""
        may_see = self.get_queryset().exists()
        return self.page_of(_endpoints() if may_see else _endpoints().none(), EmbeddingEndpoint)

    def _switched(self, request: Request, generation: IndexGeneration) -> Response:
        row = services.generation_switch(
            acting_user=caller(request), generation=generation, **self.validated(SwitchInput)
        )
        is_done = row.status == GenerationStatus.ACTIVE
        return self._whole(row, status.HTTP_200_OK if is_done else status.HTTP_202_ACCEPTED)

    def _whole(self, generation: IndexGeneration, code: int = status.HTTP_200_OK) -> Response:
        row = self.get_queryset().get(pk=generation.pk)
        return Response(GenerationWhole(row, context=self._context()).data, status=code)


def _endpoints() -> "QuerySet[ModelEndpoint]":
    """Return the endpoints of embedding models that are in use."""
    return ModelEndpoint.objects.filter(purpose=Purpose.EMBEDDING, is_active=True)
