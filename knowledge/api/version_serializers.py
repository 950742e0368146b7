"""What versions look like in REST, and what can be done with a history."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from knowledge.models import Erasure, NodeVersion
from project.http.serializers import StrictSerializer


class NodeRevertInput(StrictSerializer):
    """Which version to go back to."""

    version = serializers.IntegerField(min_value=1)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class NodeVersionSerializer(serializers.ModelSerializer):
    """One version in a node's history."""

    author = serializers.IntegerField(source="history_user_id", allow_null=True)
    author_name = serializers.SerializerMethodField()
    version_tags = serializers.SerializerMethodField(
        help_text="Names that people gave this version."
    )
    origin = serializers.CharField(source="change_origin")
    origin_id = serializers.UUIDField(source="change_origin_id", allow_null=True)
    reason = serializers.CharField(source="history_change_reason", allow_null=True)
    created_at = serializers.DateTimeField(source="history_date")

    class Meta:
        model = NodeVersion
        fields = [
            "version",
            "parents",
            "checksum",
            "chain",
            "title",
            "status",
            "author",
            "author_name",
            "reason",
            "version_tags",
            "origin",
            "origin_id",
            "erased_at",
            "created_at",
        ]

    def get_author_name(self, row: Any) -> str:
        """Return the author's name; of an account that is gone, the name it had then."""
        user = row.history_user
        return str((user.get_full_name() or user.get_username()) if user else row.author_name)

    def get_version_tags(self, row: Any) -> list[str]:
        """Return the tags that the view looked up for all rows of a page."""
        tags: dict[int, list[str]] = self.context.get("version_tags", {})
        return tags.get(row.version, [])


class NodeVersionDetailSerializer(NodeVersionSerializer):
    """One version with its whole content."""

    node = serializers.UUIDField(source="id")

    class Meta(NodeVersionSerializer.Meta):
        fields = [
            "node",
            *NodeVersionSerializer.Meta.fields,
            "kind",
            "content",
            "language",
            "tags",
            "metadata",
            "valid_from",
            "valid_until",
        ]


class FieldChangeSerializer(serializers.Serializer):
    """One field that differs."""

    field = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class RelationStateSerializer(serializers.Serializer):
    """A relation as it stood at a version of its source."""

    id = serializers.UUIDField()
    version = serializers.IntegerField()
    source = serializers.UUIDField(source="source_id")  # type: ignore[assignment]  # a field's name
    target = serializers.UUIDField(source="target_id")
    kind = serializers.CharField()
    weight = serializers.FloatField()
    metadata = serializers.DictField()
    status = serializers.CharField()


class RelationVersionSerializer(RelationStateSerializer):
    """One version in a relation's history."""

    parents = serializers.ListField(child=serializers.IntegerField())
    checksum = serializers.CharField()
    chain = serializers.CharField()
    change = serializers.ChoiceField(
        choices=["+", "~", "-"], source="history_type", help_text="Created, changed or deleted."
    )
    author_name = serializers.CharField()
    reason = serializers.CharField(source="history_change_reason")
    origin = serializers.CharField(source="change_origin")
    origin_id = serializers.UUIDField(source="change_origin_id", allow_null=True)
    created_at = serializers.DateTimeField(source="history_date")


class RelationChangeSerializer(serializers.Serializer):
    """A relation that differs; `old` or `new` is null where it was not there."""

    old = RelationStateSerializer(allow_null=True)
    new = RelationStateSerializer(allow_null=True)


class NodeDiffSerializer(serializers.Serializer):
    """How two versions differ."""

    from_version = serializers.IntegerField()
    to_version = serializers.IntegerField()
    changes = FieldChangeSerializer(many=True)
    unified = serializers.CharField(help_text="The content's difference as a unified diff.")
    relations = RelationChangeSerializer(
        many=True, help_text="Relations from the node to others that the caller may see."
    )


class VersionTagInput(StrictSerializer):
    """A name for a version."""

    name = serializers.CharField(max_length=64)


class EraseInput(StrictSerializer):
    """Which versions to empty, and why."""

    versions = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
        required=False,
        max_length=10_000,
        help_text="Left out: the whole node, which is deleted with all that it said.",
    )
    reason = serializers.CharField(max_length=2000)


class ErasureSerializer(serializers.ModelSerializer):
    """Who emptied which versions, when and why."""

    node = serializers.UUIDField(source="node_id")

    class Meta:
        model = Erasure
        fields = ["id", "space", "node", "versions", "reason", "erased_by", "created_at"]


class BulkRevertInput(StrictSerializer):
    """Whose changes to take out: one of `author`, `proposal` and `job`, in a time."""

    space = serializers.UUIDField(required=False)
    author = serializers.CharField(max_length=150, required=False, help_text="A user name.")
    proposal = serializers.UUIDField(required=False)
    job = serializers.UUIDField(required=False, help_text="An ingest job.")
    since = serializers.DateTimeField(required=False, allow_null=True)
    until = serializers.DateTimeField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Say what would become of what; change nothing."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two origins at once: a version has one."""
        named = [name for name in ("author", "proposal", "job") if attrs.get(name)]
        if len(named) != 1:
            message = _("Name exactly one of author, proposal and job.")
            raise serializers.ValidationError({"author": message})
        return attrs


class NodeRevertedSerializer(serializers.Serializer):
    """What became of one node."""

    node = serializers.UUIDField(source="node.pk")
    title = serializers.CharField(source="node.title")
    outcome = serializers.ChoiceField(
        choices=["revert", "archive", "restore", "conflict", "unchanged"],
        help_text="`restore`: published again, for it was archived by the proposal.",
    )
    versions = serializers.ListField(child=serializers.IntegerField(), source="unwanted")
    conflicts = serializers.ListField(child=serializers.CharField())


class BulkRevertSerializer(serializers.Serializer):
    """What a bulk revert did, or would do."""

    dry_run = serializers.BooleanField()
    nodes = NodeRevertedSerializer(many=True)
    relations_removed = serializers.IntegerField()
    relations_restored = serializers.IntegerField()
    relations_changed = serializers.IntegerField(help_text="That went back to what they were.")
