"""What releases look like over REST."""

from typing import Any

from rest_framework import serializers

from knowledge.api.version_serializers import FieldChangeSerializer
from knowledge.models import Release, ReleaseEntry
from project.http.serializers import StrictSerializer


class ReleaseSerializer(serializers.ModelSerializer):
    """A release."""

    class Meta:
        model = Release
        fields = [
            "id",
            "space",
            "name",
            "description",
            "as_of",
            "node_count",
            "relation_count",
            "checksum",
            "created_by",
            "author_name",
            "created_at",
        ]


class ReleaseInput(StrictSerializer):
    """A new release of what is published now, or was at `as_of`."""

    space = serializers.UUIDField(required=False)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    as_of = serializers.DateTimeField(required=False)


class ReleaseDescribeInput(StrictSerializer):
    """New words for a release."""

    description = serializers.CharField(max_length=10_000, allow_blank=True)


class ReleaseImportInput(StrictSerializer):
    """An exported archive and the space that it is restored into."""

    file = serializers.FileField(allow_empty_file=True)
    space = serializers.UUIDField(required=False)


class ReleaseListQuery(serializers.Serializer):
    """Filters of the list of releases."""

    space = serializers.UUIDField(required=False)
    name = serializers.CharField(required=False)


class ReleaseEntrySerializer(serializers.ModelSerializer):
    """The version of a node that a release holds."""

    node = serializers.UUIDField(source="node_id")
    title = serializers.CharField(allow_null=True)
    kind = serializers.CharField(allow_null=True)
    url = serializers.SerializerMethodField()

    class Meta:
        model = ReleaseEntry
        fields = ["node", "version", "checksum", "title", "kind", "url"]

    def get_url(self, entry: ReleaseEntry) -> str:
        """Return the address of the reading page of that version."""
        return f"/knowledge/nodes/{entry.node_id}/?version={entry.version}"


class ReleaseCompareQuery(serializers.Serializer):
    """What to compare with, and which differences to list."""

    what = serializers.ChoiceField(choices=["nodes", "relations"], default="nodes")
    change = serializers.ChoiceField(choices=["added", "removed", "changed"], required=False)
    node = serializers.UUIDField(
        required=False, help_text="One node: its fields and the unified difference of its text."
    )

    def get_fields(self) -> dict[str, Any]:
        """Add `with`, which is a word of Python's."""
        other = serializers.CharField(
            help_text="The id of the older release, or `now` for what is published now."
        )
        return {"with": other, **super().get_fields()}


class ReleaseChangeSerializer(serializers.Serializer):
    """A node or relation that differs; a version is null where that side does not hold it."""

    id = serializers.UUIDField()
    change = serializers.CharField(source="kind")
    old_version = serializers.IntegerField(allow_null=True)
    new_version = serializers.IntegerField(allow_null=True)
    fields_changed = serializers.ListField(child=serializers.CharField(), source="fields")
    title = serializers.SerializerMethodField()
    kind = serializers.CharField(source="shown.kind", default=None, allow_null=True)
    source = serializers.UUIDField(  # type: ignore[assignment]  # as REST names it
        source="shown.source_id", default=None, allow_null=True
    )
    target = serializers.UUIDField(source="shown.target_id", default=None, allow_null=True)

    def get_title(self, change: Any) -> str | None:
        """Return the title of a node, null for a relation."""
        return getattr(change.shown, "title", None)


class ChangeCountsSerializer(serializers.Serializer):
    """How many of a kind differ."""

    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    changed = serializers.IntegerField()


class ReleaseCountsSerializer(serializers.Serializer):
    """How many nodes and relations differ."""

    nodes = ChangeCountsSerializer()
    relations = ChangeCountsSerializer()


class ReleaseComparisonSerializer(serializers.Serializer):
    """A page of differences between the older side and the newer one."""

    old = ReleaseSerializer(allow_null=True)
    new = ReleaseSerializer(allow_null=True)
    counts = ReleaseCountsSerializer()
    results = ReleaseChangeSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class ReleaseDifferenceSerializer(serializers.Serializer):
    """How one node differs; a side that does not hold it is version 0, and empty."""

    from_version = serializers.IntegerField()
    to_version = serializers.IntegerField()
    changes = FieldChangeSerializer(many=True)
    unified = serializers.CharField(help_text="The content's difference as a unified diff.")
