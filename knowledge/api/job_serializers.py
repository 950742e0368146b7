"""What jobs look like over REST."""

import uuid
from typing import Any

from rest_framework import serializers

from knowledge.api.serializers import SourceSerializer
from knowledge.choices import JobKind, JobStatus, LogLevel
from knowledge.job_places import Place
from knowledge.models import IngestJob
from knowledge.representation import job_body
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

    duplicate_of = serializers.UUIDField(
        allow_null=True, help_text="An earlier source of the space with the same bytes."
    )
    position = serializers.IntegerField(
        allow_null=True, help_text="The place in the queue from 1; null when it does not wait."
    )
    eta_seconds = serializers.IntegerField(
        allow_null=True, help_text="About how long it takes to the end; null when nobody knows."
    )
    pages = JobCountSerializer(allow_null=True)
    passages = JobCountSerializer(allow_null=True)
    error = JobErrorSerializer(allow_null=True)
    is_dead = serializers.BooleanField(help_text="Failed for good, and not dismissed.")

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

    def to_representation(self, instance: IngestJob) -> dict[str, Any]:
        """Return the job as the socket shows it, too; building the fields would cost more."""
        places: dict[uuid.UUID, Place] = self.context.get("places", {})
        return job_body(instance, places.get(instance.pk))


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
