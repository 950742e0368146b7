"""What golden questions and evaluations look like over REST."""

import uuid
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from knowledge.choices import EvaluationStatus, SearchMode
from knowledge.models import EvaluationResult, EvaluationRun, GoldenQuestion
from knowledge.models.evaluation import QUESTION_LIMIT
from knowledge.services.golden import GRADE, MAX_TARGETS
from knowledge.types import MAX_RESULTS
from project.http.serializers import StrictSerializer

RESULTS = 100
"""Results that a run shows by itself; the rest are on its pages of results."""


class GradedNode(StrictSerializer):
    """A node that answers a question, and how well: 1 helps, 2 answers in part, 3 answers."""

    node = serializers.UUIDField()
    grade = serializers.IntegerField(min_value=1, max_value=3, default=GRADE)


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_TARGETS,
        "items": {
            "oneOf": [
                {"type": "string", "format": "uuid"},
                {
                    "type": "object",
                    "properties": {
                        "node": {"type": "string", "format": "uuid"},
                        "grade": {"type": "integer", "minimum": 1, "maximum": 3, "default": GRADE},
                    },
                    "required": ["node"],
                    "additionalProperties": False,
                },
            ]
        },
    }
)
class GradedNodes(serializers.Field):
    """A list of node ids, or of nodes with their grades; the value maps ids to grades."""

    def to_internal_value(self, data: Any) -> dict[uuid.UUID, int]:
        """Return the grade of each node; raises ValidationError."""
        if not isinstance(data, list) or not 1 <= len(data) <= MAX_TARGETS:
            message = _("Name between 1 and %(count)s nodes that answer the question.")
            raise serializers.ValidationError(message % {"count": MAX_TARGETS})
        grades: dict[uuid.UUID, int] = {}
        for each in data:
            graded = GradedNode(data=each if isinstance(each, dict) else {"node": each})
            graded.is_valid(raise_exception=True)
            grades[graded.validated_data["node"]] = graded.validated_data["grade"]
        return grades


class GoldenInput(StrictSerializer):
    """A question and the nodes that answer it."""

    question = serializers.CharField(max_length=QUESTION_LIMIT)
    nodes = GradedNodes()
    language = serializers.CharField(max_length=10, required=False, allow_blank=True)
    notes = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=50
    )
    is_active = serializers.BooleanField(required=False)


class GoldenCreateInput(GoldenInput):
    """A new golden question; without `space`, of the space of its nodes."""

    space = serializers.UUIDField(required=False)


class GoldenListQuery(serializers.Serializer):
    """Which golden questions to list."""

    space = serializers.UUIDField(required=False)
    tag = serializers.CharField(max_length=64, required=False)
    node = serializers.UUIDField(required=False)
    is_active = serializers.BooleanField(required=False, allow_null=True, default=None)


class GoldenNode(serializers.Serializer):
    """A node that answers; `lost` says that it was deleted."""

    node = serializers.UUIDField(source="node_key")
    title = serializers.SerializerMethodField()
    grade = serializers.IntegerField()
    lost = serializers.BooleanField(source="is_lost")

    def get_title(self, target: Any) -> str:
        """Return the title of the node, as it was when the node is gone."""
        return str(target.node.title if target.node else target.title)


class GoldenSerializer(serializers.ModelSerializer):
    """A golden question, whole."""

    nodes = GoldenNode(source="targets", many=True)
    message = serializers.UUIDField(source="message_id", allow_null=True)

    class Meta:
        model = GoldenQuestion
        fields = [
            "id",
            "space",
            "question",
            "nodes",
            "language",
            "notes",
            "tags",
            "is_active",
            "origin",
            "message",
            "created_by",
            "created_at",
            "updated_at",
        ]


class EvaluationInput(StrictSerializer):
    """What to evaluate: the current state of a space, another one, or a proposal."""

    space = serializers.UUIDField(required=False)
    k = serializers.IntegerField(
        min_value=1,
        max_value=MAX_RESULTS,
        required=False,
        help_text="How many results count; by default the space's `gate_k`.",
    )
    mode = serializers.ChoiceField(choices=SearchMode.choices, default=SearchMode.HYBRID)
    proposal = serializers.UUIDField(required=False)
    release = serializers.CharField(max_length=120, required=False)
    as_of = serializers.DateTimeField(required=False)


class EvaluationListQuery(serializers.Serializer):
    """Which evaluations to list."""

    space = serializers.UUIDField(required=False)
    proposal = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=EvaluationStatus.choices, required=False)


class MeansSerializer(serializers.Serializer):
    """Means over the questions: recall@k, reciprocal rank cut at k, nDCG@k; each 0 to 1."""

    recall = serializers.FloatField()
    mrr = serializers.FloatField()
    ndcg = serializers.FloatField()


class MetricsSerializer(serializers.Serializer):
    """What a completed run comes to; of a proposal also `after` and how questions compare."""

    k = serializers.IntegerField()
    questions = serializers.IntegerField()
    before = MeansSerializer(allow_null=True)
    after = MeansSerializer(allow_null=True)
    change = MeansSerializer(allow_null=True)
    found = serializers.IntegerField(required=False)
    missed = serializers.IntegerField(required=False)
    lost = serializers.IntegerField(required=False)
    gained = serializers.IntegerField(required=False)
    unchanged = serializers.IntegerField(required=False)


class RetrievedSerializer(serializers.Serializer):
    """One result of a search."""

    node = serializers.UUIDField()
    title = serializers.CharField()
    version = serializers.IntegerField()
    rank = serializers.IntegerField()
    score = serializers.FloatField()


class StateSerializer(serializers.Serializer):
    """What was found for one question in one state."""

    recall = serializers.FloatField()
    reciprocal_rank = serializers.FloatField()
    ndcg = serializers.FloatField()
    results = RetrievedSerializer(many=True)


class TargetSerializer(serializers.Serializer):
    """A node that answers, and its ranks; null: not among the results that were kept."""

    node = serializers.UUIDField()
    title = serializers.CharField()
    grade = serializers.IntegerField()
    rank_before = serializers.IntegerField(allow_null=True)
    rank_after = serializers.IntegerField(allow_null=True)


class ResultSerializer(serializers.ModelSerializer):
    """What one question came to; `before` is null as long as it has not been asked."""

    targets = serializers.SerializerMethodField()
    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()

    class Meta:
        model = EvaluationResult
        fields = [
            "id",
            "position",
            "question",
            "text",
            "language",
            "targets",
            "outcome",
            "before",
            "after",
            "degraded",
            "measured_at",
        ]

    @extend_schema_field(TargetSerializer(many=True))
    def get_targets(self, result: EvaluationResult) -> Any:
        """Return the nodes that answer with their ranks."""
        return result.ranked_targets()

    @extend_schema_field(StateSerializer(allow_null=True))
    def get_before(self, result: EvaluationResult) -> Any:
        """Return what was found in the state that the run is about."""
        return _state(result, "before")

    @extend_schema_field(StateSerializer(allow_null=True))
    def get_after(self, result: EvaluationResult) -> Any:
        """Return what would be found after the merge."""
        return _state(result, "after")


class EvaluationSerializer(serializers.ModelSerializer):
    """An evaluation as lists show it."""

    proposal = serializers.UUIDField(source="proposal_id", allow_null=True)
    other_generation = serializers.UUIDField(
        source="other_generation_id",
        allow_null=True,
        help_text="An index generation: `after` is what it finds.",
    )
    progress = serializers.FloatField(help_text="From 0 to 1.")
    metrics = serializers.SerializerMethodField()

    class Meta:
        model = EvaluationRun
        fields = [
            "id",
            "space",
            "status",
            "mode",
            "k",
            "proposal",
            "other_generation",
            "proposal_revision",
            "release",
            "as_of",
            "questions",
            "measured",
            "progress",
            "metrics",
            "degraded",
            "index_revision",
            "embedding_model",
            "generation_id",
            "profile_id",
            "profile_version",
            "error",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        ]

    @extend_schema_field(MetricsSerializer(allow_null=True))
    def get_metrics(self, run: EvaluationRun) -> Any:
        """Return what a completed run comes to."""
        return run.metrics or None


class EvaluationWhole(EvaluationSerializer):
    """An evaluation with its first results; `results_url` leads to all of them."""

    results = serializers.SerializerMethodField()
    results_url = serializers.SerializerMethodField()

    class Meta(EvaluationSerializer.Meta):
        fields = [*EvaluationSerializer.Meta.fields, "results", "results_url"]

    @extend_schema_field(ResultSerializer(many=True))
    def get_results(self, run: EvaluationRun) -> Any:
        """Return the first results."""
        return ResultSerializer(run.results.order_by("position")[:RESULTS], many=True).data

    def get_results_url(self, run: EvaluationRun) -> str:
        """Return where the results are, page by page."""
        path = f"/api/v1/evaluations/{run.pk}/results/"
        request = self.context.get("request")
        return str(request.build_absolute_uri(path)) if request else path


def _state(result: EvaluationResult, state: str) -> dict[str, Any] | None:
    found = getattr(result, state)
    if found is None:
        return None
    names = ("recall", "reciprocal_rank", "ndcg")
    return {**{name: getattr(result, f"{name}_{state}") for name in names}, "results": found}
