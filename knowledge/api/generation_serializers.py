"""What index generations look like over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from knowledge.ann_progress import ann_progress
from knowledge.choices import GenerationStatus, GenerationSwitching
from knowledge.generation_choosing import newest_comparison, verdict_of
from knowledge.generation_reading import fill_of
from knowledge.job_places import place_of
from knowledge.models import GenerationSwitch, IndexGeneration, IngestJob
from knowledge.types import MAX_RESULTS
from project.http.serializers import StrictSerializer
from project.inference.models import ModelEndpoint


class GenerationInput(StrictSerializer):
    """Which space to index anew, and with which model."""

    space = serializers.UUIDField(required=False)
    endpoint = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="An endpoint of an embedding model; without, the built-in model.",
    )
    switching = serializers.ChoiceField(
        choices=GenerationSwitching.choices,
        default=GenerationSwitching.MANUAL,
        help_text="Who decides that it takes over: a person (`manual`), the comparison on golden "
        "questions (`automatic`: when it is not worse), or nobody (`at_once`: when it is whole).",
    )


class GenerationListQuery(serializers.Serializer):
    """Which generations to list."""

    space = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=GenerationStatus.choices, required=False)


class SwitchListQuery(serializers.Serializer):
    """Which switches to list."""

    space = serializers.UUIDField(required=False)


class SwitchInput(StrictSerializer):
    """Why another generation is to serve."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class CompareInput(StrictSerializer):
    """How many results count."""

    k = serializers.IntegerField(min_value=1, max_value=MAX_RESULTS, required=False)


class GenerationJob(serializers.ModelSerializer):
    """The job that works, or worked last, on a generation."""

    eta_seconds = serializers.SerializerMethodField()

    class Meta:
        model = IngestJob
        fields = ["id", "status", "progress", "eta_seconds", "error_code", "error_message"]

    def get_eta_seconds(self, job: IngestJob) -> int | None:
        """Return an estimate of the seconds to the end, or null when there is none."""
        return place_of(job).eta_seconds


class GenerationSerializer(serializers.ModelSerializer):
    """An index generation. `has_failed`: its build ended early; retry its job to go on."""

    job = GenerationJob(allow_null=True)
    has_failed = serializers.BooleanField()

    class Meta:
        model = IndexGeneration
        fields = [
            "id",
            "space",
            "model_key",
            "endpoint",
            "dimensions",
            "status",
            "has_failed",
            "switching",
            "notice",
            "has_ann_index",
            "job",
            "created_at",
            "activated_at",
            "retired_at",
            "written_until",
        ]


class ComparisonSerializer(serializers.Serializer):
    """How a generation did on the golden questions, beside what served."""

    evaluation = serializers.UUIDField()
    status = serializers.CharField()
    is_worse = serializers.BooleanField(allow_null=True, help_text="Null: it says nothing yet.")
    words = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())
    metrics = serializers.DictField()


class AnnBuildSerializer(serializers.Serializer):
    """An HNSW index that is being built."""

    phase = serializers.CharField(help_text="As PostgreSQL names it.")
    share = serializers.FloatField(help_text="How much of the phase is done, 0 to 1.")


class GenerationWhole(GenerationSerializer):
    """A generation with what it holds, and its last comparison."""

    passages = serializers.SerializerMethodField()
    vectors = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    ann_build = serializers.SerializerMethodField()
    comparison = serializers.SerializerMethodField()

    class Meta(GenerationSerializer.Meta):
        fields = [
            *GenerationSerializer.Meta.fields,
            "passages",
            "vectors",
            "progress",
            "ann_build",
            "comparison",
        ]

    def to_representation(self, instance: Any) -> Any:
        """Count once."""
        instance.fill = fill_of(instance)
        return super().to_representation(instance)

    def get_passages(self, generation: Any) -> int:
        """Return how many passages the space has."""
        return int(generation.fill.passages)

    def get_vectors(self, generation: Any) -> int:
        """Return how many of them have a vector in it."""
        return int(generation.fill.vectors)

    def get_progress(self, generation: Any) -> float:
        """Return how much of the space it holds, 0 to 1."""
        return round(float(generation.fill.share), 4)

    @extend_schema_field(AnnBuildSerializer(allow_null=True))
    def get_ann_build(self, generation: IndexGeneration) -> dict[str, Any] | None:
        """Return how far its HNSW index is; null unless one is being built."""
        build = ann_progress(generation.pk)
        return None if build is None else {"phase": build.phase, "share": round(build.share, 4)}

    @extend_schema_field(ComparisonSerializer(allow_null=True))
    def get_comparison(self, generation: IndexGeneration) -> dict[str, Any] | None:
        """Return its last comparison on golden questions."""
        run = newest_comparison(generation)
        if run is None:
            return None
        verdict = verdict_of(run)
        return {
            "evaluation": run.pk,
            "status": run.status,
            "is_worse": verdict.is_worse,
            "words": verdict.words,
            "reasons": list(verdict.reasons),
            "metrics": run.metrics,
        }


class GenerationSwitchSerializer(serializers.ModelSerializer):
    """One change of the model that serves a space."""

    generation = serializers.UUIDField(source="generation_id")
    before = serializers.UUIDField(source="before_id", allow_null=True)
    evaluation = serializers.UUIDField(source="evaluation_id", allow_null=True)

    class Meta:
        model = GenerationSwitch
        fields = [
            "id",
            "space",
            "generation",
            "model_key",
            "before",
            "model_key_before",
            "is_rollback",
            "is_automatic",
            "evaluation",
            "reason",
            "created_by",
            "created_at",
        ]


class EmbeddingEndpoint(serializers.ModelSerializer):
    """A model that an index can be built with."""

    class Meta:
        model = ModelEndpoint
        fields = ["id", "name", "backend", "model_name", "dimensions", "languages"]
