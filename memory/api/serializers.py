"""What memory looks like over REST."""

from rest_framework import serializers

from memory.models import Episode
from project.http.serializers import StrictSerializer

BULK_LIMIT = 500


class EpisodeSerializer(serializers.ModelSerializer):
    """An episode, whole."""

    class Meta:
        model = Episode
        fields = [
            "id",
            "session",
            "subject",
            "space",
            "content",
            "context",
            "occurred_at",
            "importance",
            "importance_signals",
            "tags",
            "language",
            "external_id",
            "turn_id",
            "recalled_count",
            "last_recalled_at",
            "created_at",
        ]


class EpisodeInput(StrictSerializer):
    """What happened."""

    session = serializers.CharField(max_length=200)
    content = serializers.CharField(max_length=20_000)
    occurred_at = serializers.DateTimeField(required=False)
    context = serializers.DictField(required=False)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=50
    )
    importance = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    subject = serializers.CharField(max_length=200, required=False, allow_blank=True)
    external_id = serializers.CharField(max_length=200, required=False, allow_null=True)
    space = serializers.UUIDField(required=False, allow_null=True)


class EpisodeBulkInput(StrictSerializer):
    """Many episodes, in the order in which they happened."""

    episodes = serializers.ListField(child=EpisodeInput(), min_length=1, max_length=BULK_LIMIT)


class EpisodeBulkAnswer(serializers.Serializer):
    """The stored episodes, in the order given."""

    episodes = EpisodeSerializer(many=True)


class EpisodeListQuery(serializers.Serializer):
    """Filters of the list of episodes."""

    session = serializers.CharField(required=False)
    subject = serializers.CharField(required=False, default="", allow_blank=True)


class RecallInput(StrictSerializer):
    """What to recall. `from` and `to` bound when it happened."""

    query = serializers.CharField(max_length=2000)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=10)
    session = serializers.CharField(max_length=200, required=False)
    subject = serializers.CharField(max_length=200, required=False, allow_blank=True)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=["episode", "fact"]), required=False
    )
    explain = serializers.BooleanField(default=False)
    to = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        """Add `from`, which is a word of the language and cannot be an attribute."""
        return super().get_fields() | {"from": serializers.DateTimeField(required=False)}


class RecollectionSerializer(serializers.Serializer):
    """Something recalled."""

    kind = serializers.CharField()
    id = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    session = serializers.CharField()
    content = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    score = serializers.FloatField()
    signals = serializers.DictField(required=False)


class RecallAnswer(serializers.Serializer):
    """What was recalled, best first."""

    results = RecollectionSerializer(many=True)
    took_ms = serializers.FloatField()
