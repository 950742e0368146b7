"""What feeds and their runs look like over REST. A secret goes in and never comes out."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from knowledge.api.job_serializers import JobSerializer
from knowledge.choices import FeedAction, FeedRunStatus
from knowledge.models import Feed, FeedChange, FeedItem, FeedRun
from project.http.serializers import StrictSerializer


class ImportInput(StrictSerializer):
    """An address: of one page or file, or of a repository of git."""

    url = serializers.CharField(max_length=2000, required=False)
    git = serializers.CharField(max_length=2000, required=False)
    space = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both at once, and neither."""
        if ("url" in attrs) == ("git" in attrs):
            raise serializers.ValidationError({"url": _("Give either “url” or “git”.")})
        return attrs


class FeedSerializer(serializers.ModelSerializer):
    """A feed."""

    has_secret = serializers.BooleanField(read_only=True)

    class Meta:
        model = Feed
        fields = [
            "id",
            "space",
            "name",
            "connector",
            "settings",
            "has_secret",
            "secret_variable",
            "interval_minutes",
            "is_enabled",
            "language",
            "tags",
            "gone_after",
            "least_share",
            "owner",
            "next_sync_at",
            "last_synced_at",
            "last_error",
            "failures",
            "created_at",
            "updated_at",
        ]


class FeedInput(StrictSerializer):
    """Changes to a feed."""

    name = serializers.CharField(max_length=120, required=False)
    settings = serializers.DictField(
        required=False, help_text="As /connectors/ describes them for the feed's connector."
    )
    secret = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=4000,
        trim_whitespace=False,
        help_text="Kept encrypted and never shown. Null keeps the stored one, empty removes it.",
    )
    secret_variable = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="A variable of the workers, ACERVO_FEED_SECRET_…, that holds it instead.",
    )
    interval_minutes = serializers.IntegerField(required=False, min_value=0, max_value=525_600)
    is_enabled = serializers.BooleanField(required=False)
    language = serializers.CharField(required=False, allow_blank=True, max_length=10)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=100
    )
    gone_after = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=1000
    )
    least_share = serializers.IntegerField(required=False, min_value=0, max_value=100)


class FeedCreateInput(FeedInput):
    """A new feed."""

    name = serializers.CharField(max_length=120)
    connector = serializers.CharField(max_length=40)
    space = serializers.UUIDField(required=False)


class ProbeInput(StrictSerializer):
    """A connection to try. With `feed`, its stored secret is used for the same place."""

    connector = serializers.CharField(max_length=40)
    settings = serializers.DictField()
    secret = serializers.CharField(
        required=False, allow_blank=True, max_length=4000, trim_whitespace=False
    )
    space = serializers.UUIDField(required=False)
    feed = serializers.UUIDField(required=False)


class ProbeAnswer(serializers.Serializer):
    """What is there, in words."""

    message = serializers.CharField()


class FeedRunSerializer(serializers.ModelSerializer):
    """A run: what it found beside what was known. Suspicious ones wait for a decision."""

    class Meta:
        model = FeedRun
        fields = [
            "id",
            "feed",
            "job",
            "status",
            "known",
            "added",
            "changed",
            "unchanged",
            "gone",
            "faults",
            "is_confirmed",
            "message",
            "started_by",
            "decided_by",
            "created_at",
            "finished_at",
        ]


class FeedRunAnswer(serializers.Serializer):
    """A run that began, and the job that does it."""

    run = FeedRunSerializer()
    job = JobSerializer()


class FeedRunListQuery(serializers.Serializer):
    """Filters of the list of runs."""

    status = serializers.ChoiceField(choices=FeedRunStatus.choices, required=False)


class FeedChangeQuery(serializers.Serializer):
    """Filters of what a run found."""

    action = serializers.ChoiceField(choices=FeedAction.choices, required=False)


class FeedChangeSerializer(serializers.ModelSerializer):
    """What a run found of one item."""

    key = serializers.CharField(source="item.key")
    title = serializers.CharField(source="item.title")
    nodes = serializers.ListField(child=serializers.UUIDField(), source="item.nodes")

    class Meta:
        model = FeedChange
        fields = [
            "id",
            "action",
            "key",
            "title",
            "source",
            "job",
            "nodes",
            "message",
            "applied_at",
        ]


class FeedItemSerializer(serializers.ModelSerializer):
    """An item of a feed, under its lasting key."""

    class Meta:
        model = FeedItem
        fields = [
            "id",
            "key",
            "title",
            "url",
            "sha256",
            "modified",
            "source",
            "nodes",
            "seen_at",
            "missing_runs",
            "gone_at",
        ]


class SettingSerializer(serializers.Serializer):
    """One setting of a connector."""

    name = serializers.CharField()
    label = serializers.CharField()
    kind = serializers.ChoiceField(choices=["text", "number", "flag", "list"])
    is_required = serializers.BooleanField()
    default = serializers.JSONField()
    help = serializers.CharField()
    binds_secret = serializers.BooleanField()
    least = serializers.IntegerField(allow_null=True)
    most = serializers.IntegerField(allow_null=True)


class ConnectorSerializer(serializers.Serializer):
    """A kind of place, and what it wants to know."""

    name = serializers.CharField()
    label = serializers.CharField()
    secret_label = serializers.CharField(help_text="Empty: it takes no secret.")
    settings = SettingSerializer(many=True)
