"""What the refusal of a stale write looks like over REST."""

from rest_framework import serializers


class NodeMergeConflictSerializer(serializers.Serializer):
    """A place that both sides changed; a value is left out where metadata had no such key."""

    field = serializers.CharField()
    path = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Of metadata: keys from the root."
    )
    start = serializers.IntegerField(required=False, help_text="In `result.content`.")
    end = serializers.IntegerField(required=False)
    base = serializers.JSONField(required=False, allow_null=True)
    mine = serializers.JSONField(required=False, allow_null=True)
    theirs = serializers.JSONField(required=False, allow_null=True)


class NodeMergeSerializer(serializers.Serializer):
    """What you sent, merged with what was stored since the version that you named.

    To take it over, send `result` (with the conflicts resolved) with the current version as
    `version` and yours as `merged_from`. Fields that make no version are not merged.
    """

    mergeable = serializers.BooleanField(help_text="Whether there is no conflict.")
    conflicts = NodeMergeConflictSerializer(many=True)
    result = serializers.JSONField(help_text="The fields, with your side in every conflict.")


class StaleNodeDetails(serializers.Serializer):
    """How a stale write can go on."""

    current = serializers.IntegerField(allow_null=True, help_text="The version that is stored.")
    merge = NodeMergeSerializer(
        allow_null=True, help_text="Null for an unknown base and for very long texts."
    )


class StaleNodeError(serializers.Serializer):
    """Why a write was refused: `version_conflict`, or another conflict without these details."""

    code = serializers.CharField()
    message = serializers.CharField()
    field = serializers.CharField(required=False)
    details = StaleNodeDetails(required=False)
    request_id = serializers.CharField()


class StaleNodeEnvelope(serializers.Serializer):
    """The answer to a write of a node that was changed meanwhile."""

    error = StaleNodeError()
