"""What knowledge looks like over REST."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _
from rest_framework import serializers

from knowledge.choices import NodeStatus, RelationStatus
from knowledge.models import Node, Relation, Source
from knowledge.models.nodes import kind_validator
from knowledge.representation import source_body, source_url
from project.http.serializers import StrictSerializer

BULK_LIMIT = 1000
SAME_NAME = "same-name"


class NodeSerializer(serializers.ModelSerializer):
    """A node, whole."""

    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Node
        fields = [
            "id",
            "space",
            "kind",
            "title",
            "content",
            "language",
            "tags",
            "metadata",
            "status",
            "valid_from",
            "valid_until",
            "review_due",
            "version",
            "checksum",
            "owner",
            "external_id",
            "source",
            "created_at",
            "updated_at",
            "published_at",
            "url",
        ]


class NodeFields(StrictSerializer):
    """The fields of a node that a caller may set."""

    kind = serializers.CharField(max_length=40, required=False, validators=[kind_validator])
    title = serializers.CharField(max_length=300)
    content = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    language = serializers.CharField(required=False, max_length=10)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=50
    )
    metadata = serializers.DictField(required=False)
    status = serializers.ChoiceField(choices=NodeStatus.choices, required=False)
    valid_from = serializers.DateTimeField(required=False, allow_null=True)
    valid_until = serializers.DateTimeField(required=False, allow_null=True)
    review_due = serializers.DateField(required=False, allow_null=True)
    external_id = serializers.CharField(max_length=200, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a validity window that ends before it begins."""
        begins, ends = attrs.get("valid_from"), attrs.get("valid_until")
        if begins and ends and ends <= begins:
            raise serializers.ValidationError({"valid_until": _("Must be after valid_from.")})
        return attrs


class NodeCreateInput(NodeFields):
    """A new node."""

    space = serializers.UUIDField(required=False)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class NodeUpdateInput(NodeFields):
    """Changes to a node."""

    version = serializers.IntegerField(
        min_value=1, required=False, help_text="The version it is based on, as `If-Match` says it."
    )
    merged_from = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="After a merge: the version that your edit began from. It becomes the second "
        "parent; `version` is the one it was merged with.",
    )
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class NodeBulkInput(StrictSerializer):
    """Many nodes for one space; an `external_id` that is known there is updated."""

    space = serializers.UUIDField(required=False)
    nodes = serializers.ListField(
        child=serializers.DictField(), min_length=1, max_length=BULK_LIMIT
    )

    def validate_nodes(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return every row as it is stored; the error's details name each row at fault."""
        valid: list[dict[str, Any]] = []
        problems: dict[str, Any] = {}
        for number, row in enumerate(rows):
            checked = NodeFields(data=row)
            if not checked.is_valid():
                problems[str(number)] = checked.errors
            else:
                valid.append(json.loads(json.dumps(checked.validated_data, cls=DjangoJSONEncoder)))
        if problems:
            raise serializers.ValidationError(problems)
        return valid


class RelationSerializer(serializers.ModelSerializer):
    """A relation."""

    class Meta:
        model = Relation
        fields = [
            "id",
            "source",
            "target",
            "kind",
            "weight",
            "metadata",
            "status",
            "origin",
            "version",
            "checksum",
            "created_at",
        ]


class RelationInput(StrictSerializer):
    """A new relation."""

    source = serializers.UUIDField()
    target = serializers.UUIDField()
    kind = serializers.CharField(max_length=40, required=False, validators=[kind_validator])
    weight = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    metadata = serializers.DictField(required=False)
    status = serializers.ChoiceField(choices=RelationStatus.choices, required=False)


class RelationUpdateInput(StrictSerializer):
    """Changes to a relation."""

    kind = serializers.CharField(max_length=40, required=False, validators=[kind_validator])
    weight = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    metadata = serializers.DictField(required=False)
    status = serializers.ChoiceField(choices=RelationStatus.choices, required=False)
    version = serializers.IntegerField(
        min_value=1, required=False, help_text="The version it is based on, as `If-Match` says it."
    )
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class GraphQuery(serializers.Serializer):
    """How far to look around a node."""

    depth = serializers.IntegerField(min_value=1, max_value=3, default=1)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class GraphNodeSerializer(serializers.ModelSerializer):
    """A node in a graph."""

    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Node
        fields = ["id", "title", "kind", "status", "language", "version", "url"]


class GraphSerializer(serializers.Serializer):
    """The neighbourhood of a node."""

    nodes = GraphNodeSerializer(many=True)
    relations = RelationSerializer(many=True)


class SourceSerializer(serializers.ModelSerializer):
    """A source."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = Source
        fields = [
            "id",
            "space",
            "kind",
            "title",
            "filename",
            "content_type",
            "size",
            "sha256",
            "origin",
            "replaces",
            "language",
            "tags",
            "created_by",
            "created_at",
            "url",
        ]

    def get_url(self, source: Source) -> str:
        """Return where the bytes are downloaded."""
        return source_url(source)

    def to_representation(self, instance: Source) -> dict[str, Any]:
        """Return the source; building the fields would cost more."""
        return source_body(instance)


class UploadInput(StrictSerializer):
    """A file and what it is."""

    file = serializers.FileField(allow_empty_file=True)
    space = serializers.UUIDField(required=False)
    title = serializers.CharField(max_length=300, required=False, allow_blank=True)
    tags = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Separated by commas, or a JSON array; or repeat the field.",
    )
    language = serializers.CharField(required=False, allow_blank=True, max_length=10)
    replaces = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=36,
        help_text="The id of a source whose nodes get new versions from this file; `same-name`:"
        " the newest one of the space with this file's name, if there is one.",
    )


class NodeListQuery(serializers.Serializer):
    """Filters of the list of nodes."""

    space = serializers.UUIDField(required=False)
    kind = serializers.CharField(required=False)
    status = serializers.ChoiceField(choices=NodeStatus.choices, required=False)
    language = serializers.CharField(required=False)
    external_id = serializers.CharField(required=False)
    tag = serializers.CharField(required=False)


class RelationListQuery(serializers.Serializer):
    """Filters of the list of relations."""

    source = serializers.UUIDField(required=False)
    target = serializers.UUIDField(required=False)
    kind = serializers.CharField(required=False)
    status = serializers.ChoiceField(choices=RelationStatus.choices, required=False)
