"""What kinds and the changes of their schemas look like over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from knowledge.choices import MigratedState
from knowledge.kind_progress import progress_of
from knowledge.metadata.outline import fields_of
from knowledge.models import Kind, KindMigration, MigratedNode
from knowledge.models.nodes import kind_validator
from project.http.serializers import StrictSerializer


class KindFieldSerializer(serializers.Serializer):
    """A field that a schema names."""

    path = serializers.CharField()
    type = serializers.CharField(help_text="In words, in the caller's language.")
    is_required = serializers.BooleanField()
    description = serializers.CharField()


class KindSerializer(serializers.ModelSerializer):
    """A kind; `space` is null for one of all spaces."""

    outline = serializers.SerializerMethodField(help_text="The fields of the schema, in words.")

    class Meta:
        model = Kind
        fields = [
            "id",
            "space",
            "name",
            "title",
            "description",
            "metadata_schema",
            "schema_version",
            "chunking",
            "outline",
            "updated_by",
            "created_at",
            "updated_at",
        ]

    @extend_schema_field(KindFieldSerializer(many=True))
    def get_outline(self, kind: Kind) -> Any:
        """Return the fields that the schema wants."""
        return KindFieldSerializer(fields_of(kind.metadata_schema), many=True).data


class KindUpdateInput(StrictSerializer):
    """Changes to a kind."""

    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    metadata_schema = serializers.DictField(
        required=False,
        help_text="JSON Schema, draft 2020-12; with nodes, plan a migration instead.",
    )
    chunking = serializers.DictField(
        required=False,
        help_text="How texts are cut: `strategy` and its parameters; `{}`: by structure. Nodes "
        "that are there are cut anew in the background.",
    )


class KindCreateInput(KindUpdateInput):
    """A new kind."""

    name = serializers.CharField(max_length=40, validators=[kind_validator])
    space = serializers.UUIDField(
        required=False, allow_null=True, help_text="Null: all spaces (superusers only)."
    )


class KindListQuery(serializers.Serializer):
    """Which kinds to list."""

    name = serializers.CharField(max_length=40, required=False)
    space = serializers.UUIDField(required=False)


class KindMigrationInput(StrictSerializer):
    """A new schema, and the steps by which metadata comes to fit it."""

    schema = serializers.DictField()
    steps = serializers.ListField(child=serializers.DictField(), required=False, default=list)
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Try it on every node and store nothing."
    )


class MigrationErrorSerializer(serializers.Serializer):
    """Why a migration, or its way back, came to nothing."""

    code = serializers.CharField()
    message = serializers.CharField()


class KindMigrationSerializer(serializers.ModelSerializer):
    """A change of a kind's schema. `counts`: nodes in all, by state, and changed by each step."""

    progress = serializers.SerializerMethodField(help_text="0 to 1, of the work that runs.")
    error = serializers.SerializerMethodField()

    class Meta:
        model = KindMigration
        fields = [
            "id",
            "kind",
            "from_version",
            "to_version",
            "old_schema",
            "new_schema",
            "steps",
            "status",
            "work",
            "progress",
            "counts",
            "error",
            "trace_id",
            "created_by",
            "started_by",
            "created_at",
            "started_at",
            "finished_at",
        ]

    def get_progress(self, migration: KindMigration) -> float:
        """Return how far the running work is; 1 for what runs no more."""
        return progress_of(migration.pk) if migration.is_running else 1.0

    @extend_schema_field(MigrationErrorSerializer(allow_null=True))
    def get_error(self, migration: KindMigration) -> Any:
        """Return why it came to nothing, None when it did not."""
        if not migration.error_code:
            return None
        return {"code": migration.error_code, "message": migration.error_message}


class MigratedProblemSerializer(serializers.Serializer):
    """What is wrong, and where."""

    path = serializers.CharField()
    message = serializers.CharField()


class MigratedNodeSerializer(serializers.ModelSerializer):
    """What a migration is to one node; `changed_by` are the numbers of the steps, from 0."""

    node = serializers.UUIDField(source="node_id")
    problems = MigratedProblemSerializer(many=True)

    class Meta:
        model = MigratedNode
        fields = [
            "node",
            "title",
            "state",
            "before",
            "after",
            "changed_by",
            "problems",
            "version_before",
            "version_after",
            "version_undone",
        ]


class MigratedNodeQuery(serializers.Serializer):
    """Which nodes of a migration to list."""

    state = serializers.ChoiceField(choices=MigratedState.choices, required=False)


class KindMigrationAnswer(KindMigrationSerializer):
    """A plan with the first of its nodes; `id` is null for a dry run."""

    nodes = MigratedNodeSerializer(many=True, help_text="Those that would not fit come first.")

    class Meta(KindMigrationSerializer.Meta):
        fields = [*KindMigrationSerializer.Meta.fields, "nodes"]


class KindRollbackInput(StrictSerializer):
    """How to go back."""

    keep_later = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Where an edit made since and the way back change the same: keep the edit.",
    )
