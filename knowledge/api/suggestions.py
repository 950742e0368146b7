"""REST: relations that are suggested, for editors to confirm or refuse."""

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.choices import EvidenceWay, SuggestionStatus
from knowledge.models import RelationSuggestion
from knowledge.models.nodes import kind_validator
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.pagination import CursorPages
from project.http.serializers import StrictSerializer

TURNS = ("forward", "reverse")


class SuggestionSerializer(serializers.ModelSerializer):
    """A suggested relation; its evidence names passages by their places in a version."""

    evidence = serializers.ListField(
        child=serializers.DictField(),
        help_text="Strongest first: `way`, `strength` from 0 to 1, and what the way has to say.",
    )
    source_title = serializers.CharField(source="source.title")
    target_title = serializers.CharField(source="target.title")

    class Meta:
        model = RelationSuggestion
        fields = [
            "id",
            "space",
            "source",
            "source_title",
            "target",
            "target_title",
            "kind",
            "status",
            "score",
            "ways",
            "evidence",
            "relation",
            "reason",
            "decided_by",
            "decided_at",
            "created_at",
        ]


class SuggestionListQuery(serializers.Serializer):
    """Which suggestions; those that nobody decided, unless a status is named."""

    space = serializers.UUIDField(required=False)
    node = serializers.UUIDField(required=False, help_text="One of the two.")
    way = serializers.ChoiceField(choices=EvidenceWay.choices, required=False)
    status = serializers.ChoiceField(
        choices=SuggestionStatus.choices, default=SuggestionStatus.OPEN
    )
    min_score = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)


class SuggestionConfirmInput(StrictSerializer):
    """What relation to make of a suggestion."""

    kind = serializers.CharField(max_length=40, required=False, validators=[kind_validator])
    direction = serializers.ChoiceField(
        choices=TURNS, default="forward", help_text="`reverse`: the target points to the source."
    )
    weight = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class SuggestionRefuseInput(StrictSerializer):
    """Why not."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class EmptyInput(StrictSerializer):
    """Nothing."""


class SuggestionPages(CursorPages):
    """Suggestions, best first."""

    ordering = ("-score", "id")


class SuggestionViewSet(ApiViewSet):
    """Suggested relations."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = SuggestionSerializer
    pagination_class = SuggestionPages

    def get_queryset(self) -> QuerySet:
        """Return the suggestions of spaces that the caller edits."""
        rows = RelationSuggestion.objects.visible_to(self.request.user)
        return rows.select_related("source", "target").defer("source__content", "target__content")

    @extend_schema(parameters=[SuggestionListQuery])
    def list(self, request: Request) -> Response:
        """List suggestions, best first."""
        wanted: dict[str, Any] = self.query(SuggestionListQuery)
        rows: Any = self.get_queryset()
        is_open = wanted["status"] == SuggestionStatus.OPEN
        rows = rows.undecided() if is_open else rows.filter(status=wanted["status"])
        if "space" in wanted:
            rows = rows.filter(space=wanted["space"])
        if "node" in wanted:
            rows = rows.filter(Q(source=wanted["node"]) | Q(target=wanted["node"]))
        if "way" in wanted:
            rows = rows.filter(ways__contains=[wanted["way"]])
        if "min_score" in wanted:
            rows = rows.filter(score__gte=wanted["min_score"])
        return self.page_of(rows, SuggestionSerializer)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a suggestion."""
        return Response(SuggestionSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=SuggestionConfirmInput, responses=SuggestionSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Make the relation that is suggested."""
        suggestion = find(self.get_queryset(), pk)
        body = self.validated(SuggestionConfirmInput)
        is_turned = body.pop("direction") == "reverse"
        row = services.suggestion_confirm(
            acting_user=caller(request), suggestion=suggestion, is_turned=is_turned, **body
        )
        return Response(SuggestionSerializer(row).data)

    @extend_schema(request=SuggestionRefuseInput, responses=SuggestionSerializer)
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: str) -> Response:
        """Refuse a suggestion; the pair is not suggested again."""
        suggestion = find(self.get_queryset(), pk)
        body = self.validated(SuggestionRefuseInput)
        row = services.suggestion_refuse(acting_user=caller(request), suggestion=suggestion, **body)
        return Response(SuggestionSerializer(row).data)

    @extend_schema(request=EmptyInput, responses=SuggestionSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take back what was said of a suggestion; a relation that it made is deleted."""
        suggestion = find(self.get_queryset(), pk)
        self.validated(EmptyInput)
        row = services.suggestion_reopen(acting_user=caller(request), suggestion=suggestion)
        return Response(SuggestionSerializer(row).data)
