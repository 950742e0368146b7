"""What jobs look like over REST."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from knowledge.api.serializers import SourceSerializer
from knowledge.choices import JobKind, JobStatus, LogLevel
from knowledge.job_places import Place, place_of
from knowledge.models import IngestJob
from knowledge.representation import duplicate_of, job_counts, job_error
from project.http.serializers import StrictSerializer

DEAD = "dead"
BULK_JOBS = 200


class JobErrorSerializer(serializers.Serializer):
    """Why a job failed."""

    code = serializers.CharField()
    message = serializers.CharField()


class JobCountSerializer(serializers.Serializer):
    """How many are done, of how many where that is known, and how many a second."""

    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    per_second = serializers.FloatField(allow_null=True)


class JobSerializer(serializers.ModelSerializer):
    """A job, whole. `places` of the context knows where each of many stands."""

    duplicate_of = serializers.SerializerMethodField()
    position = serializers.SerializerMethodField()
    eta_seconds = serializers.SerializerMethodField()
    pages = serializers.SerializerMethodField()
    passages = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    is_dead = serializers.BooleanField(read_only=True)

    class Meta:
        model = IngestJob
        fields = [
            "id",
            "space",
            "source",
            "duplicate_of",
            "kind",
            "status",
            "stage",
            "progress",
            "position",
            "eta_seconds",
            "pages",
            "passages",
            "attempts",
            "error",
            "is_dead",
            "nodes",
            "timings",
            "trace_id",
            "created_by",
            "created_at",
            "queued_at",
            "started_at",
            "finished_at",
        ]

    def _place(self, job: IngestJob) -> Place:
        places: dict[uuid.UUID, Place] = self.context.get("places", {})
        return places.get(job.pk) or place_of(job)

    def get_duplicate_of(self, job: IngestJob) -> uuid.UUID | None:
        """Return the earlier source with the same bytes, or null."""
        return duplicate_of(job)

    def get_position(self, job: IngestJob) -> int | None:
        """Return the place in the queue from 1, or null when the job is not waiting."""
        return self._place(job).position

    def get_eta_seconds(self, job: IngestJob) -> int | None:
        """Return an estimate of the seconds to the end, or null when there is none."""
        return self._place(job).eta_seconds

    @extend_schema_field(JobCountSerializer(allow_null=True))
    def get_pages(self, job: IngestJob) -> Any:
        """Return the pages read, or null before the first."""
        return job_counts(job)["pages"]

    @extend_schema_field(JobCountSerializer(allow_null=True))
    def get_passages(self, job: IngestJob) -> Any:
        """Return the passages embedded, or null before the first."""
        return job_counts(job)["passages"]

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, job: IngestJob) -> dict[str, str] | None:
        """Return the error's code and message, or null."""
        return job_error(job)


class JobLogSerializer(serializers.Serializer):
    """A line of a job's log."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    level = serializers.ChoiceField(choices=LogLevel.choices)
    code = serializers.CharField()
    text = serializers.CharField(help_text="A sentence in the caller's language.")
    worker = serializers.CharField(allow_null=True)


class UploadAnswer(serializers.Serializer):
    """What an upload began."""

    job = JobSerializer()
    source = SourceSerializer()
    duplicate_of = serializers.UUIDField(
        required=False, help_text="The source with the same content that was there before."
    )


class JobAnswer(serializers.Serializer):
    """What a bulk call began."""

    job = JobSerializer()


class JobListQuery(serializers.Serializer):
    """Filters of the list of jobs."""

    space = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(
        choices=[*JobStatus.choices, (DEAD, "Failed, and not dismissed")], required=False
    )
    kind = serializers.ChoiceField(choices=JobKind.choices, required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)


class JobsInput(StrictSerializer):
    """Jobs to do something with."""

    jobs = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=BULK_JOBS, help_text="Their ids."
    )


class JobRefusalSerializer(serializers.Serializer):
    """Why nothing was done with a job."""

    job = serializers.UUIDField()
    code = serializers.CharField()
    message = serializers.CharField()


class JobsAnswer(serializers.Serializer):
    """What became of a call for many jobs: each is done or refused by itself."""

    done = serializers.ListField(child=serializers.UUIDField())
    refused = JobRefusalSerializer(many=True)


class QueueSerializer(serializers.Serializer):
    """The queue of jobs as it is now, of the jobs that the caller may see."""

    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    pausing = serializers.IntegerField()
    dead = serializers.IntegerField()
    oldest_waiting_seconds = serializers.IntegerField(allow_null=True)
    completed_last_hour = serializers.IntegerField()
    failed_last_hour = serializers.IntegerField()
    pages_last_hour = serializers.IntegerField()
    passages_last_hour = serializers.IntegerField()
